pcv create repo u
mkdir -p d/e; echo 1 > d/1; echo 2 > d/e/2; : > d/empty
tar cf t.tar d; tar czf t.tar.gz d
pcv put file u@plain -f t.tar --untar
pcv put file u@packed -f t.tar.gz --untar
pcv put file u@whole -f t.tar
for b in plain packed whole; do pcv glob file "u@$b:/**" | cut -f 2; done
head -c 700 t.tar > cut.tar; pcv put file u@cut -f cut.tar --untar
