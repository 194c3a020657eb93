# A table, all types, all projects, and two encodings.
pcv create project list-repo
pcv create repo one --project list-repo -d first
pcv create repo two --project list-repo
pcv list repo --project list-repo
pcv list repos --project list-repo --full-timestamps
pcv list repo --project list-repo --raw -o yaml
pcv list repo --project nosuch
pcv list repo -A | grep -c list-repo
