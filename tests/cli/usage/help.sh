pcv create repo --help
pcv create repos -h | head -1
pcv list | grep '^  list repo'
pcv --help | grep -E '^  (create repo|why) '
