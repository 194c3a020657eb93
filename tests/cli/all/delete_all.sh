pcv create project p
pcv create repo one
pcv create repo two --project p
echo 1 | pcv put file one@master:/f
echo '{"pipeline": {"name": "pipe"}, "input": {"pfs": {"repo": "one", "glob": "/*"}},
       "transform": {"image": "host", "cmd": ["true"]}}' | pcv create pipeline
pcv start transaction
echo n | pcv delete all
pcv list repo --all-projects --raw | jq -r .repo.name
pcv delete all </dev/null; echo "exit $?"
echo y | pcv delete all
pcv list repo --all-projects
pcv list pipeline --all-projects
pcv list project --raw | jq -r .project.name
pcv list transaction
pcv stop transaction; echo "exit $?"
echo y | pcv delete all --no-color
