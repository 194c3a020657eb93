pcv create repo e
echo '{"pipeline": {"name": "p"}, "description": "old", "transform": {"cmd": ["true"]}, "input": {"pfs": {"repo": "e", "glob": "/"}}}' | pcv create pipeline
EDITOR=true pcv edit pipeline p
pcv edit pipeline p --editor 'sed -i s/old/new/'
pcv list pipeline p --raw | jq -r .version,.details.description
pcv edit pipeline p -o yaml --editor 'sed -i "s/name: p/name: q/"'
pcv edit pipeline p --editor false
pcv edit pipeline nosuch
