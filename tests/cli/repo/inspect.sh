pcv create repo seen -d "looked at"
echo 12345 | pcv put file seen@master:/n
pcv inspect repo seen
pcv inspect repo seen --raw | jq -r '.repo.name, .details.size_bytes'
pcv inspect repo nosuch
