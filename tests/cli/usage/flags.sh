# Flags stand anywhere, in every form; -- ends them.
pcv --raw list repo
pcv create repo -d=one f1
pcv create repo f2 --description=two
pcv create repo -dthree f3
pcv -v=false create repo f4 -d "four"
pcv list repo --raw=true | jq -c '[.repo.name, .description]'
pcv create repo -- --odd
