# What was meant is suggested.
pcv lst repo
pcv list repso
pcv list nosuch
pcv crate
pcv list repo --al
pcv list repo --nosuch
pcv list repo -q
pcv list commit --number
pcv list commit -n many
pcv list repo -o json
pcv list repo --raw -o xml
