pcv create repo f
echo 1 | pcv put file f@master:/a
echo 1 | pcv put file f@master:/b
echo 2 | pcv put file f@master:/a
pcv find commit f@master:/a
pcv find commit f@master:/a --limit 1 --json | jq '.FoundCommits | length'
pcv find commit f@master:/nosuch
