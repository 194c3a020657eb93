pcv version
pcv version --client-only
pcv version --raw | jq -r .major
pcv version --address 127.0.0.1:1
