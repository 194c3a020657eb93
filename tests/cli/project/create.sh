pcv create project p1 -d "the first"
pcv create project p1
pcv update project p1 -d "still the first"
pcv update project missing -d x
pcv create project -- -bad
pcv list project
pcv inspect project p1
pcv inspect project p1 --raw | jq -r .description
