pcv create repo g
mkdir -p s/t; echo 1 > s/1; echo 2 > s/t/2
pcv put file g@master:/ -r -f s
pcv get file g@master:/1 -o out1 && cat out1
pcv get file -r g@master:/ -o all && find all -type f | sort
pcv get file -r g@master:/t -o t && cat t/2
pcv get file -r g@master:/t/2 -o two && cat two
pcv get file 'g@master:/*' 
pcv get file 'g@master:/t'
pcv get file 'g@master:/?'
pcv get file g@master:/nosuch
pcv get file -r g@master:/nosuch -o x
pcv get file -r g@master:/
printf 1 > part; pcv get file g@master:/1 -o part --retry; od -c part
