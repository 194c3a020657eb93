export PCV_CONFIG=$PWD/config.json
pcv start transaction > /dev/null
id=$(pcv list transaction --raw | jq -r .transaction.id)
pcv stop transaction
pcv create repo now
pcv resume transaction $id
pcv delete repo now
pcv inspect transaction | tail -1
pcv delete transaction
pcv stop transaction
pcv list repo
