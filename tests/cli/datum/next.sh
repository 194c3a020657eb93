# Code that asks for its datums itself, by the pcv that a worker puts in its PATH. (Where pcv is built with a sanitizer, that
# may not look for leaks in a sandbox: it traces its own process.)
pcv create repo rows
echo '{"pipeline": {"name": "batch"}, "transform": {"cmd": ["bash"], "stdin": ["while pcv next datum; do cp /pfs/rows/* /pfs/out; done"], "datumBatching": true, "env": {"ASAN_OPTIONS": "detect_leaks=0"}}, "input": {"pfs": {"repo": "rows", "glob": "/*"}}}' | pcv create pipeline
echo 1 > a; echo 2 > b
pcv put file rows@master:/ -f a -f b
pcv wait commit batch@master --raw | jq -r .origin.kind
pcv get file batch@master:/b
pcv next datum
PPS_WORKER_GRPC_PORT=1 pcv next datum --error broken 2>&1 | sed 's/:.*//'
