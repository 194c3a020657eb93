# A repo exists once; its description may change.
pcv create repo images -d "pictures of cats"
pcv create repo images
pcv update repo images -d "pictures of dogs"
pcv list repo --raw | jq -c '[.repo.name, .repo.type, .description]'
