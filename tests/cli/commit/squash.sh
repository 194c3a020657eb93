pcv create repo q
for i in 1 2 3; do echo $i | pcv put file q@master:/f$i; done
pcv squash commit $(pcv inspect commit q@master^ --raw | jq -r .commit.id)
pcv list commit q --raw | jq -s length
pcv list file q@master
pcv delete commit $(pcv inspect commit q@master --raw | jq -r .commit.id)
pcv list file q@master
pcv squash commitV2 q@master
pcv squash commitV2 q@nosuch
