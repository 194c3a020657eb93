pcv create repo c
mkdir -p s/t; echo 1 > s/1; echo 2 > s/t/2
pcv put file c@master:/ -r -f s
pcv copy file c@master:/1 c@master:/copy
pcv copy file c@master:/t c@other:/t2
pcv glob file 'c@other:/**' | cut -f 2
pcv delete file c@master:/1
pcv delete file -r c@master:/t
pcv glob file 'c@master:/**' | cut -f 2
