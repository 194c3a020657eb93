pcv create repo m
echo base | pcv put file m@master:/both
echo base | pcv put file m@master:/kept
pcv create branch m@side --head m@master
echo side | pcv put file m@side:/new
pcv merge branch m@side m@master
pcv get file m@master:/new
echo ours | pcv put file m@master:/both
echo theirs | pcv put file m@side:/both
pcv merge branch m@side m@master; echo "exit $?"
pcv merge branch m@side m@master --policy theirs
pcv get file m@master:/both
pcv merge branch m@side m@master
pcv merge branch m@none m@master; echo "exit $?"
pcv merge branch m@side m@master --policy odd; echo "exit $?"
