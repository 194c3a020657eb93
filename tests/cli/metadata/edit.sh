pcv create project p -d 'a project'
pcv create repo r
echo 1 | pcv put file r@master:/f
id=$(pcv inspect commit r@master --raw | jq -r .commit.id)
echo 2 | pcv put file r@master:/f
pcv edit metadata project p add owner=me repo r add 'k="a b"' repo default/r edit "'x y'=z=1" \
    branch r@master replace 'a=1;b="two;2"' cluster . edit site=here
pcv edit metadata commit r@master^ add n=first commit r@$id edit m=by-id commit r@master.2 add n=second
pcv inspect project p --raw | jq -c .metadata
pcv inspect repo r --raw | jq -cS .metadata
pcv inspect branch r@master --raw | jq -cS .metadata
pcv inspect commit r@$id --raw | jq -cS .metadata
pcv inspect commit r@master --raw | jq -cS .metadata
pcv inspect cluster --raw | jq -c .metadata
pcv edit metadata repo r replace '{"json": "yes", "q\"": "\u00e9"}' project p delete owner
pcv inspect repo r --raw | jq -cS .metadata
pcv inspect project p --raw | jq -c .metadata
pcv edit metadata repo r add 'esc="a \"b\" \\c"' --project default
pcv inspect repo r --raw | jq -r .metadata.esc
pcv edit metadata
