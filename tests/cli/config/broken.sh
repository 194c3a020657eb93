export PCV_CONFIG=$PWD/config.json
echo '{"v2": ' > config.json
pcv list repo 2>&1 | sed "s|$PWD|.|"
echo '{"v2": {"active_context": "gone"}}' > config.json
pcv list repo
PACH_CONTEXT=x pcv list repo
pcv version --client-only
