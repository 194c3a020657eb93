# What other clients wrote stays.
export PCV_CONFIG=$PWD/config.json
echo '{"user_id": "u", "other": [1, 2], "v2": {"active_context": "c", "contexts": {"c": {"pachdAddress": "grpc://h:1", "more": {}}}}}' > config.json
pcv config update context --project p
jq -c . config.json
pcv config update context --pachd-address x
jq -c .v2.contexts config.json
