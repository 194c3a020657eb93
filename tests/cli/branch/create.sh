pcv create repo r
echo 1 | pcv put file r@master:/f
pcv create branch r@dev --head master
pcv create branch r@old --head r@master^0
pcv create branch r@down -p r@master
pcv create repo s
pcv create branch s@out -p r@master
pcv inspect branch s@out
pcv list branch r
pcv create branch r@a=b
pcv create branch r
pcv create branch r@x --trigger-size 1MB
pcv create branch r@x -p r@master --trigger master --trigger-size 1MB
