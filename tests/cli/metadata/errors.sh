pcv create repo e
t() { pcv edit metadata "$@"; echo "exit $?"; }
t repo e add
t thing e add a=1
t repo e rename a=1
t repo e@b add a=1
t repo "" add a=1
t branch e add a=1
t branch e@master^ add a=1
t commit e@master^^3 add a=1
t commit e@ add a=1
t pipeline default/ add a=1
t repo e add a
t repo e add 'a="open'
t repo e add 'a b=1'
t repo e add 'a="1"2'
t repo e replace 'a=1;a=2'
t repo e replace '{"a": 1}'
t repo e replace '{"a": "1"'
t repo e add a=1 repo none add b=2 project none delete k
t repo e add a=1
t repo e add a=2
pcv inspect repo e --raw | jq -c .metadata
