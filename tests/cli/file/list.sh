pcv create repo l
mkdir -p s/t; echo 123 > s/1; echo 2 > s/t/2; echo 3 > s/t-x
pcv put file l@master:/ -r -f s
pcv list file l@master
pcv list file l@master:/t
pcv list file l@master:/nosuch
pcv list file l@nosuch
pcv list file nosuch@master
pcv glob file 'l@master:/t*'
pcv inspect file l@master:/1
pcv inspect file l@master:/t
pcv inspect file l@master:/1 --raw | jq -r '.file.path, .file_type, .size_bytes'
