# What is run again, what is known, and what is forgotten.
pcv create repo notes
echo '{"pipeline": {"name": "again"}, "transform": {"cmd": ["sh"], "stdin": ["cp /pfs/notes/* /pfs/out"]}, "input": {"pfs": {"repo": "notes", "glob": "/*"}}}' | pcv create pipeline
echo hello | pcv put file notes@master:/a
pcv wait commit again@master --raw | jq -r .origin.kind
first=$(pcv inspect commit notes@master --raw | jq -r .commit.id)
pcv why again@$first
pcv rerun pipeline again
pcv wait commit again@master --raw | jq -r .origin.kind
pcv list job -p again --raw | jq -r '[.state, .data_processed // 0, .data_skipped // 0] | @csv'
pcv delete job again@$first
pcv inspect job again@$first
pcv check status
echo '{"pipeline": {"name": "ticks"}, "transform": {"cmd": ["sh"], "stdin": ["ls /pfs/tick | wc -l >/pfs/out/n"]}, "input": {"cron": {"name": "tick", "spec": "@never"}}}' | pcv create pipeline
pcv run cron ticks
pcv wait commit ticks@master --raw | jq -r .origin.kind
pcv list file ticks@master
pcv run cron again
