spec() { # name, inputs…
    name=$1; shift
    leaves=$(printf '{"pfs": {"repo": "%s", "glob": "/"}},' "$@")
    echo '{"pipeline": {"name": "'$name'"}, "input": {"cross": ['${leaves%,}']}, "transform": {"cmd": ["true"]}}' |
        pcv create pipeline
}
pcv create project draw; pcv config update context --project draw
pcv draw pipeline
pcv create repo images; pcv create repo labels-of-all-the-images
spec edges images
spec montage images edges
spec train labels-of-all-the-images edges
spec report train montage
for p in edges montage train report; do pcv stop pipeline $p; done
pcv draw pipeline
pcv --no-color draw pipeline --box-width 20 --edge-height 2
pcv draw pipeline --box-width 2
pcv config update context --project default
