pcv create project shelly
pcv shell <<'LINES'
create repo "one" --project shelly -d 'of lines'

list repo --project shelly --raw | grep -c '"name": "one"'
inspect repo none --project shelly
delete repo one --project shelly; echo after
exit
version
LINES
pcv shell --max-completions 3 < /dev/null
pcv delete project shelly
