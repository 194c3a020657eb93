pcv config get metrics
pcv config set metrics false
pcv config get metrics
pcv config set metrics maybe; echo "exit $?"
pcv config set metrics true
pcv config get metrics
pcv config get active-enterprise-context
echo '{}' | pcv config set context other
pcv config set active-enterprise-context other
pcv config get active-enterprise-context
pcv config set active-enterprise-context none; echo "exit $?"
