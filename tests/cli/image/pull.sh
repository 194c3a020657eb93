# What a pull says when there is nothing to pull. Nobody listens on port 1.
pcv image pull 'no image'; echo "bad name: $?"
pcv image pull host; echo "the host: $?"
pcv image pull x --tls-verify maybe; echo "tls: $?"
: | pcv image pull host.example/x -u me; echo "no password: $?"
echo secret | pcv image pull x -u me; echo "no host: $?"
pcv image pull --tls-verify false 127.0.0.1:1/nobody/listens:here 2>&1 | grep -o "^could not pull image '127.*here'\|connection refused"
