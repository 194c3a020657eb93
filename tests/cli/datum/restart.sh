# A datum that runs is ended and tried again.
pcv create repo slow
echo '{"pipeline": {"name": "sleep"}, "transform": {"cmd": ["sh"], "stdin": ["echo seen; sleep 1000"]}, "input": {"pfs": {"repo": "slow", "glob": "/*"}}}' | pcv create pipeline
echo hello | pcv put file slow@master:/a
id=$(pcv inspect commit slow@master --raw | jq -r .commit.id)
seen() { until [ "$(pcv logs -j sleep@$id | wc -l)" -ge $1 ]; do :; done; }
seen 1
pcv restart datum sleep@$id /none
pcv restart datum sleep@$id /a
seen 2
pcv logs -j sleep@$id
pcv stop job sleep@$id
pcv wait job sleep@$id --raw | jq -r .state
