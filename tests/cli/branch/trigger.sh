pcv create repo t
pcv create branch t@master
pcv create branch t@big --trigger master --trigger-size 1MB
pcv create branch t@both -t master --trigger-size 1K --trigger-commits 3 --trigger-all
pcv create branch t@nightly -t master --trigger-cron "@daily"
pcv list branch t
pcv inspect branch t@both
pcv create branch t@bad -t master --trigger-size lots
