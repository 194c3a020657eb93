pcv inspect defaults
pcv inspect defaults --cluster | jq -c .
echo '{"createPipelineRequest": {"datumTries": 7}}' | pcv update defaults --cluster --regenerate
pcv inspect defaults --cluster | jq -c .
echo '{"createPipelineRequst": {}}' | pcv update defaults --cluster
echo 'createPipelineRequest: {description: "hi"}' | pcv create defaults --project default
pcv inspect defaults --project default | jq -c .
pcv delete defaults --project default
echo '{"createPipelineRequest": {"transform": {"stdin": null}}}' | pcv update defaults --project default
echo '{"pipeline": {"name": "p"}, "transform": {"cmd": ["true"]}}' | pcv create pipeline
echo '{"createPipelineRequest": {"input": {"cron": {}}}}' | pcv update defaults --cluster --regenerate
pcv delete pipeline p
pcv delete defaults --cluster
pcv inspect defaults --cluster
