export PCV_CONFIG=$PWD/config.json
pcv start transaction
pcv start transaction
pcv create repo t
pcv create branch t@b
pcv create repo t
pcv inspect transaction
pcv list transaction
pcv list repo
pcv finish transaction
pcv list repo
pcv finish transaction
pcv inspect transaction nosuch
