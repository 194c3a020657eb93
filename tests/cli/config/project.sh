# The context's project is where verbs act.
export PCV_CONFIG=$PWD/config.json
pcv create project ctx
pcv config update context --project ctx
pcv create repo in-ctx
pcv list repo
pcv list repo --project default
pcv list project | cut -c 1-14
