export PCV_CONFIG=$PWD/config.json
unset PCV_ADDRESS
pcv config get active-context
pcv config list context
pcv connect localhost:12345 --alias one
pcv connect grpc://example.org
echo '{"pachd_address": "h", "project": "p", "strange": 1}' | pcv config set context two
echo '{}' | pcv config set context two
echo 'x' | pcv config set context two --overwrite
pcv config get context two
pcv config update context two --project q
pcv config set active-context two
pcv config list context
pcv config get context two
pcv config delete context two
pcv config delete context one
pcv config delete context one
pcv config set active-context nosuch
pcv config get active-context
