pcv create repo z
echo 1 | pcv put file z@master:/f
pcv fsck --zombie-all
pcv fsck --zombie z@master; echo "exit $?"
pcv fsck --zombie z@none; echo "exit $?"
pcv fsck --fix
