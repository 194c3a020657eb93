# A backslash in a name is no escape; in a pattern it is one.
pcv create repo names
echo plain | pcv put file names@master:/ab
echo one | pcv put file 'names@master:/a\b'
echo below | pcv put file 'names@master:/d\e/f g'
pcv list file names@master
pcv get file names@master:/ab
pcv get file 'names@master:/a\b'
pcv get file 'names@master:/a\\b'
pcv get file 'names@master:/a\b' -o out && cat out
pcv get file -r 'names@master:/d\e' -o down && find down -type f && cat 'down/f g'
pcv put file -r 'names@master:/again' -f down
pcv get file 'names@master:/again/f g'
pcv put file 'names@master:/x*y' -f out
pcv put file 'names@master:/a[b]' -f out
