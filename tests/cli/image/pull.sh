# What a pull says when there is nothing to pull. Nobody listens on port 1.
pcv image pull 'no image'; echo "bad name: $?"
pcv image pull host; echo "the host: $?"
pcv image pull --tls-verify 0 127.0.0.1:1/nobody/listens:here 2>&1 | tail -n 1 | cut -c1-60
