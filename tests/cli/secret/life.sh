cat > s.yaml <<'YAML'
apiVersion: v1
kind: Secret
metadata: {name: s1}
stringData: {key: hunter2}
YAML
pcv create secret -f s.yaml
pcv list secret
pcv inspect secret s1
pcv delete secret s1
pcv inspect secret s1
echo 'x: [' | pcv create secret
