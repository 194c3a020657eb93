# There is neither Kubernetes nor Loki: both are said, and where the server's own log is.
pcv kube-events
pcv kube-events --raw --since 1h
pcv loki '{suite="pachyderm"}'
pcv loki
pcv logs | grep -c 'server ready'
pcv logs --tail 1 --since 1h | wc -l
