pcv create repo r
echo 1 | pcv put file r@master:/f
pcv fsck
pcv inspect cluster
