# What a meta repo shows of a datum.
pcv create repo words
echo '{"pipeline": {"name": "copy"}, "transform": {"cmd": ["sh"], "stdin": ["cp /pfs/words/* /pfs/out"]}, "input": {"pfs": {"repo": "words", "glob": "/*"}}}' | pcv create pipeline
echo hello | pcv put file words@master:/a
pcv wait commit copy@master --raw | jq -r .origin.kind
id=$(pcv inspect commit words@master --raw | jq -r .commit.id)
datum=$(pcv list datum copy@$id --raw | jq -r .datum.id)
pcv glob file 'copy.meta@master:/**' --raw | jq -r .file.path
pcv get file copy.meta@master:/pfs/$datum/out/a
pcv get file copy.meta@master:/meta/$datum/meta | jq -r '.inputs[0].fileInfo.file.path'
pcv get file copy.meta@master:/pfs/$datum/.env | grep ^PPS_PIPELINE_NAME
