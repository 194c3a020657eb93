# What made a file, two pipelines deep: rows of the table show the first line of a script only.
pcv create repo rows
echo '{"pipeline": {"name": "first"}, "transform": {"cmd": ["sh"], "stdin": ["# the first line", "cp /pfs/rows/* /pfs/out"]}, "input": {"pfs": {"repo": "rows", "glob": "/*"}}}' | pcv create pipeline
echo '{"pipeline": {"name": "second"}, "transform": {"cmd": ["cp", "/pfs/first/a", "/pfs/out/a"]}, "input": {"pfs": {"repo": "first", "glob": "/*"}}}' | pcv create pipeline
echo hello | pcv put file rows@master:/a
pcv wait commit second@master
pcv explain file second@master:/a | grep -v '^Code digest\|^Datum key'
pcv explain file rows@master:/a
pcv explain file rows@master:/nosuch
