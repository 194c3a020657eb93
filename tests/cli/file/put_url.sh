# Sources that the server fetches, lists and specs that pcv fetches, and files that leave for a URL.
mkdir site; echo one > site/one; echo two > site/two
coproc SITE { exec python3 -u -m http.server 0 --bind 127.0.0.1 --directory site 2>&1; }
trap 'kill $SITE_PID' EXIT
read -r -u "${SITE[0]}" _ _ _ _ _ port _
url=http://127.0.0.1:$port
printf '%s\n' "$url/one" "$url/two" > site/list
pcv create repo urls
pcv put file urls@master -f "$url/one"
pcv put file urls@master:/named -f "$url/two"
pcv put file urls@master:/named -f "$url/two"
pcv put file urls@master:/named -a -f "$url/two"
pcv put file urls@master:/listed -i site/list
pcv put file urls@master:/fetched -i "$url/list"
pcv put file urls@master:/full/ --full-path -f "$url/one"
pcv glob file 'urls@master:/**' | cut -f 2
pcv get file urls@master:/named
echo "{\"pipeline\":{\"name\":\"p$$\"},\"transform\":{\"cmd\":[\"true\"],\"image\":\"host\"},\"input\":{\"pfs\":{\"repo\":\"urls\",\"glob\":\"/\"}}}" > site/spec
pcv create pipeline -f "$url/spec" && pcv delete pipeline "p$$"
echo '# what is refused'
pcv put file urls@master:/x -f "$url/none"
pcv put file urls@master:/x -f nowhere://a/b
pcv put file urls@master:/x -f file:///etc/passwd
pcv put file urls@master:/x -i "$url/none"
pcv get file urls@master:/named -o nowhere://a/b
pcv get file urls@master:/named -o "$url/there"
pcv get file urls@master:/named -o file:///tmp/x
