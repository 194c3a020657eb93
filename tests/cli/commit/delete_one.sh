pcv create repo d
for i in 1 2 3; do echo $i | pcv put file d@master:/f$i; done
pcv delete commitV2 d@master^; echo "exit $?"
pcv delete commitV2 d@master
pcv list file d@master
pcv create repo e
pcv create branch e@master -p d@master
pcv finish commit e@master
pcv delete commitV2 d@master; echo "exit $?"
pcv delete commitV2 -r d@master
pcv list file d@master
pcv delete commitV2 d@none; echo "exit $?"
pcv fsck
