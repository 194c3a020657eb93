pcv restart cluster -r 'new certificates'
pcv inspect cluster --raw | jq '.pending_restart, .restart_info'
pcv restart cluster
pcv inspect cluster --raw | jq .restart_info
