# By names, and by content.
pcv create repo d
printf 'a\nb\n' > f; echo same > same
pcv put file d@master -f f -f same
printf 'a\nc\n' > f
pcv put file d@master -f f
echo new | pcv put file d@master:/new
pcv diff file d@master:/ d@master^^:/ --name-only
pcv diff file d@master:/ d@master^^:/ --no-color | grep '^[-+][^-+]'
pcv diff file d@master:/f d@master^^:/f --diff-command cmp | cut -d ' ' -f 3-
pcv diff file d@master:/nosuch
pcv diff file d@master
