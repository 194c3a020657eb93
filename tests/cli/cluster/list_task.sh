pcv list task pfs
pcv list task pps -n storage -g x
pcv list task pfs -g x; echo "exit $?"
pcv list task cron; echo "exit $?"
