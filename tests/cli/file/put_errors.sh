pcv create repo e
echo x | pcv put file e@master
pcv put file e@master:/x -f missing
pcv put file e@master:/x -r -f missing
pcv put file e@master:/x -r
mkdir d; pcv put file e@master:/x -f d
echo x | pcv put file nosuch@master:/x
echo x | pcv put file e@master:'/a*'
echo x | pcv put file e@master:/../x
pcv list commit e
