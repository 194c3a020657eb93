# Where sources go.
pcv create repo r
echo one > one; echo two > two
pcv put file r@master -f one
pcv put file r@master:/renamed -f one
pcv put file r@master:/dir/ -f one
pcv put file r@master:/many -f one -f two
pcv put file r@master:/list -i <(printf 'one\n\ntwo\n')
mkdir -p sub/deep; echo a > sub/a; echo b > sub/deep/b; : > sub/empty
pcv put file r@master:/tree -r -f sub
pcv put file r@master -r -f sub
pcv put file r@master:/full/ --full-path -f sub/deep/b
pcv glob file 'r@master:/**' | cut -f 2
pcv get file r@master:/tree/deep/b
