pcv create repo dry
echo '{"pipeline": {"name": "p"}, "transform": {"cmd": ["true"]}, "input": {"pfs": {"repo": "dry", "glob": "/"}}}' > p.json
pcv create pipeline -f p.json --dry-run
pcv create pipeline -f p.json --dry-run --raw -o yaml
pcv list pipeline
