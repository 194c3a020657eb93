pcv create repo served
cat > service.yaml <<'YAML'
pipeline: {name: server}
transform: {cmd: [sleep, "1000"]}
service: {internal_port: 61001, external_port: 61002}
input: {pfs: {repo: served, glob: "/"}}
YAML
pcv create pipeline -f service.yaml
pcv inspect pipeline server | grep Service
pcv inspect job "server@$(pcv list job --raw -p server | jq -r .job.id)" | grep -A 2 Service
pcv delete pipeline server
