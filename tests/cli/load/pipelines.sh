cat > spec.yaml <<'SPEC'
count: 1
modifications: [{ putFile: { count: 2, source: s } }]
fileSources: [{ name: s, random: { incrementPath: true, sizes: [{ max: 3 }] } }]
SPEC
printf 'left:\nright:\nboth: left, right\n' > dag
pcv run pps-load-test spec.yaml -d dag -p 2 -s 1 | grep -c state_id
name=$(pcv list pipeline | sed -n 's/.*\(both-[0-9a-f]*\) .*/\1/p')
pcv list file "$name@master" | sed 1d | cut -f2
pcv inspect pipeline "$name" --raw | grep -c '"constant": "2"'
echo 'both: left' > dag; pcv run pps-load-test -d dag spec.yaml | grep error
