# A job from input to output, and everything that tells of it.
pcv create repo in
echo '{"pipeline": {"name": "upper"}, "transform": {"cmd": ["sh"], "stdin": ["for f in /pfs/in/*; do echo seen; tr a-z A-Z < $f > /pfs/out/$(basename $f); done"]}, "input": {"pfs": {"repo": "in", "glob": "/*"}}}' | pcv create pipeline
echo hello > a; echo world > b
pcv put file in@master:/ -f a -f b
pcv wait commit upper@master --raw | jq -r .origin.kind
pcv get file upper@master:/a
pcv list file upper@master
id=$(pcv inspect commit in@master --raw | jq -r .commit.id)
pcv wait job upper@$id
pcv list job
pcv list job $id
pcv list job -p upper
pcv inspect job upper@$id | head -13
pcv list datum upper@$id | sort
datum=$(pcv list datum upper@$id --raw | jq -rs 'sort_by(.data[0].file.path)[0].datum.id')
pcv inspect datum upper@$id $datum | grep -v Time
pcv logs -j upper@$id
pcv logs -p upper --datum $datum
pcv explain file upper@master:/a | grep -v -i 'digest\|key'
pcv inspect job $id
pcv list job nosuch
pcv list datum
pcv stop job upper@$id
