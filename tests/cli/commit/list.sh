pcv create repo l
for i in 1 2 3; do echo $i | pcv put file l@master:/f; done
pcv list commit l
pcv list commit l@master^ -n 1
pcv list commit l -n 2 --raw | jq -r .origin.kind
pcv list commit l --from master^
pcv list commit -n 1
pcv list commit -x -n 2
id=$(pcv list commit l -n 1 --raw | jq -r .commit.id)
pcv list commit $id
pcv list commit l --origin nosuch
pcv list commit l --origin user --all
pcv list commit --from x
pcv list commit nosuch
