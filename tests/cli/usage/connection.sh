pcv list repo --address 127.0.0.1:1
pcv list repo --address ftp://x
pcv list repo --address user@host
pcv list repo --address host/path
env -u PCV_ADDRESS PACHD_ADDRESS=$PCV_ADDRESS pcv list repo
