pcv create repo gone
pcv delete repo gone
pcv delete repo gone
pcv delete repo
pcv delete repo gone --all
pcv create project delete-all
pcv create repo a --project delete-all
pcv delete repo --all --project delete-all
pcv list repo --project delete-all
