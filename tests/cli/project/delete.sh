# Asks before it takes repos along.
pcv create project p2
pcv create repo r --project p2
echo n | pcv delete project p2
echo y | pcv delete project p2
pcv inspect project p2
pcv delete project default </dev/null
