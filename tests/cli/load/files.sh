pcv create repo files
cat > spec.yaml <<'SPEC'
count: 2
modifications: [{ putFile: { count: 2, source: s } }]
fileSources: [{ name: s, random: { incrementPath: true, sizes: [{ min: 3, max: 3 }] } }]
SPEC
pcv run pfs-load-test spec.yaml -b files@master -s 7 > answer
grep -v -e duration -e state_id -e spec answer
pcv list file files@master
pcv list commit files --raw | grep -c '"started"'
state=$(sed -n 's/.*"state_id": "\(.*\)".*/\1/p' answer)
pcv run pfs-load-test spec.yaml --state-id "$state" | grep -c duration
pcv list file files@master | wc -l
pcv run pfs-load-test --branch none@master --seed 1 spec.yaml | grep error
echo 'count: 0' > bad.yaml; pcv run pfs-load-test bad.yaml | grep error
pcv run pfs-load-test no-such.yaml
mkdir -p specs; cp spec.yaml specs/b; cp bad.yaml specs/a; cp spec.yaml specs/c
pcv run pfs-load-test specs -b files@master | grep -c error
rm specs/a; pcv run pfs-load-test specs -b files@master | grep -c duration
