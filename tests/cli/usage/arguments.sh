pcv create repo
pcv create repo a b
pcv list repo x
pcv copy file x
pcv delete repo a b
