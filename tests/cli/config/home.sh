# User code often has a home that it may not enter: there is no configuration then. One that is there must be readable.
unset PCV_CONFIG PACH_CONFIG
folder=$(mktemp -d)
cp "$(command -v pcv)" "$folder"
mkdir -p "$folder/home/.config/procavia"
echo broken > "$folder/home/.config/procavia/config.json"
chmod 755 "$folder"
if [ "$(id -u)" = 0 ]; then as=(setpriv --reuid=65534 --regid=65534 --clear-groups); fi
pcv_there() { HOME=$folder/home "${as[@]}" "$folder/pcv" "$@" 2>&1 | sed "s|$folder|.|g"; }

chmod 000 "$folder/home"
pcv_there list project
PCV_CONFIG=$folder/home/config.json pcv_there list project
chmod 755 "$folder/home"
chmod 000 "$folder/home/.config/procavia/config.json"
pcv_there list project
rm -rf "$folder"
