# A command where a datum's code was: its files are there, what it writes is not kept but by option.
pcv create repo in
echo '{"pipeline": {"name": "upper"}, "transform": {"cmd": ["sh"], "stdin": ["tr a-z A-Z </pfs/in/a >/pfs/out/a"]}, "input": {"pfs": {"repo": "in", "glob": "/*"}}}' | pcv create pipeline
echo hello | pcv put file in@master:/a
pcv wait commit upper@master --raw | jq -r .origin.kind
id=$(pcv inspect commit in@master --raw | jq -r .commit.id)
datum=$(pcv list datum upper@$id --raw | jq -r .datum.id)
pcv debug datum upper@$id $datum -- cat /pfs/in/a
echo outside | pcv debug datum upper@$id $datum -- sh -c 'cat >/pfs/out/b; cat /pfs/out/b; exit 3'
echo $?
pcv debug datum upper@$id $datum --keep kept -- sh -c 'echo mine >/pfs/out/c'
cat kept/c
pcv list file upper@master
pcv debug datum upper@$id 0000 -- true
pcv debug datum upper@$id
