# Rows come as commits are made; the stream is cut after two.
pcv create repo s
echo 1 | pcv put file s@master:/a
echo 2 | pcv put file s@master:/b
timeout 5 pcv subscribe commit s@master | head -3
pcv subscribe commit s@master --new --from master
