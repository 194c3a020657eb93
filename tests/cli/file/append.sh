pcv create repo a
echo 1 | pcv put file a@master:/f
echo 2 | pcv put file a@master:/f -a
pcv get file a@master:/f
echo 3 | pcv put file a@master:/f
pcv get file a@master:/f
pcv get file a@master^:/f --offset 2
