# start prints nothing but the id; finish nothing at all.
pcv create repo r
id=$(pcv start commit r@master -m "first try")
[ ${#id} = 32 ] && echo "an id"
pcv inspect commit r@master
pcv start commit r@master
echo hello | pcv put file r@master:/f
pcv finish commit r@$id
pcv finish commit r@$id
pcv wait commit r@master
pcv inspect commit r@master --raw | jq -r '.description, .origin.kind, .details.size_bytes'
