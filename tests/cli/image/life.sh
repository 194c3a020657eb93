# An image from its import to its end.
mkdir -p root/bin root/etc
echo hello > root/etc/motd
ln -s bin root/sbin
pcv image list
pcv image import root first
tar --owner 0 --group 0 -C root -cf root.tar .
pcv image import root.tar docker.io/library/second:1 --format rootfs
pcv image import - third < root.tar
pcv image list
pcv image list --raw | jq -r .name
echo '{"pipeline": {"name": "p"}, "transform": {"image": "third", "cmd": ["true"]}, "input": {"cron": {"name": "tick", "spec": "@never"}}}' | pcv create pipeline
pcv image delete first
pcv image delete second
echo "deleted second:latest? $?"
pcv image delete second:1
pcv image delete third
echo "deleted third, which p uses? $?"
pcv image list
pcv image delete third --force
pcv image list
pcv image delete third
echo "deleted third again? $?"
