spec() { pcv create pipeline; }
echo 'pipeline: {name: x}' | spec
echo '{}' | spec
echo '{"pipeline": {}}' | spec
echo '{"pipeline": {"name": "x"}, "tranform": {}}' | spec
echo 'a: [' | spec
echo '7' | spec
: | spec; echo "empty: $?"
pcv create pipeline -f nosuch.yaml
pcv create pipeline -f a --jsonnet b
echo '{"pipeline": {"name": "y"}, "transform": {"image": "ubuntu", "cmd": ["true"]}, "input": {"pfs": {"repo": "r", "glob": "/"}}}' | spec
pcv list pipeline --state nosuch
pcv inspect pipeline nosuch
pcv delete pipeline nosuch
pcv stop pipeline nosuch
pcv delete pipeline
pcv create pipeline --push-images
pcv update pipeline -r registry.example
