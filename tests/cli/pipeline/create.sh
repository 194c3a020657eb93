pcv create repo in
cat > two.yaml <<'YAML'
pipeline: {name: first}
description: copies
transform: {cmd: [sh], stdin: ["cp /pfs/in/* /pfs/out/"]}
input: {pfs: {repo: in, glob: "/*"}}
---
pipeline: {name: second}
transform: {cmd: [sh], stdin: ["cp /pfs/first/* /pfs/out/"]}
input: {pfs: {repo: first, glob: "/*"}}
YAML
pcv validate pipeline -f two.yaml
pcv create pipeline -f two.yaml
pcv create pipeline -f two.yaml
pcv wait commit second@master > /dev/null
pcv list pipeline
pcv list pipeline --state running --raw | jq -r .pipeline.name
pcv list pipeline --spec first | jq -r .description
pcv update pipeline -f two.yaml
pcv list pipeline first --raw | jq -r .version
pcv stop pipeline first
pcv list pipeline first
pcv start pipeline first
pcv inspect pipeline first | head -5
pcv delete pipeline first
pcv delete pipeline --all
pcv list pipeline
