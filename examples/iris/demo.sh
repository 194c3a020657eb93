#!/usr/bin/env bash
# Irises, from measures to predictions, and everything that can happen to them on the way: new data, new training
# data, new code, a mistake and its undoing. Every command is printed before its output, so this is also a tutorial;
# after each step the script checks that what it says is true, and fails where it is not.
#
#   demo.sh [--keep]    --keep leaves the server running at the end and says where it is
#
# BUILD (default: build) is the build folder with the programs.
set -euo pipefail
cd "$(dirname "$0")/../.."

keep=false
for argument in "$@"; do
    case $argument in
    --keep) keep=true ;;
    *) echo "usage: demo.sh [--keep]" >&2; exit 2 ;;
    esac
done

bin=$(realpath -m "${BUILD:-build}")/bin
for program in pcvd pcv pcv-worker; do
    [ -x "$bin/$program" ] || { echo "demo: no $bin/$program; build first: make" >&2; exit 1; }
done
[ -t 1 ] && bold=$'\e[1m' blue=$'\e[34m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m' || bold='' blue='' green='' red='' plain=''
[ -t 1 ] || export NO_COLOR=1

chapter() { printf '\n%s── %s ──%s\n' "$bold" "$1" "$plain"; }
say() { printf '%s\n' "$@"; }
# Prints a command, then runs it.
run() { printf '%s$ %s%s\n' "$blue" "${*@Q}" "$plain" | sed "s/'\([A-Za-z0-9_@:./=*,-]*\)'/\1/g"; "$@"; }
fail() { printf '%sFAILED: %s%s\n' "$red" "$*" "$plain" >&2; exit 1; }
# expect WHAT ACTUAL EXPECTED
expect() {
    [ "$2" = "$3" ] || fail "$1: expected '$3', found '$2'"
    printf '%s✓ %s: %s%s\n' "$green" "$1" "$2" "$plain"
}
# differ WHAT ONE OTHER
differ() {
    [ "$2" != "$3" ] || fail "$1: still '$2'"
    printf '%s✓ %s%s\n' "$green" "$1" "$plain"
}

# --- what the checks look at ---

head_of() { pcv inspect commit "$1" | sed -n 's/^Commit: .*@//p'; } # repo@branch -> commit id
job_says() { pcv inspect job "$1" | sed -n "s/^$2: *//p" | head -n 1; } # pipeline@job, label
ran() { echo "$(job_says "$1" Processed) executed, $(job_says "$1" Skipped) skipped"; }
contents() { pcv get file "$1" | sha256sum | cut -c1-16; } # repo@ref:path -> a hash
predictions() { # pipeline@ref -> a hash of all its files
    pcv list file "$1" | awk 'NR > 1 { print $NF }' | while read -r path; do pcv get file "$1:$path"; done | sha256sum | cut -c1-16
}
species() { pcv get file "$1@master:/garden.csv" | awk -F, 'NR > 1 { print $NF }' | xargs; } # pipeline -> in its garden

free_ports() { # N -> that many
    python3 -c 'import socket, sys
for s in [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]: print(s.getsockname()[1])' "$1"
}
# until_model WORD: the oracle's model is that one
until_model() {
    for ((i = 0; i < 600; i++)); do
        examples/iris/ask.py "$port" 2>/dev/null | grep -q "$1" && return
        sleep 0.05
    done
    fail "the oracle does not speak by a model of '$1'; it is $(pcv inspect pipeline oracle | grep -E '^(State|Reason)' | xargs)"
}

# --- the server ---

work=$(mktemp -d "${TMPDIR:-/tmp}/pcv-demo.XXXXXX")
server=
finish() {
    status=$?
    if [ $status -ne 0 ] && [ -s "$work/server.log" ]; then
        printf '%s\n' "--- the server's last words ($work/server.log)" >&2
        tail -n 15 "$work/server.log" >&2
    fi
    if [ $status -eq 0 ] && $keep; then
        return
    fi
    [ -z "$server" ] || { kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; } || true
    [ $status -ne 0 ] || rm -rf "$work"
}
trap finish EXIT

chapter "A server"
say "One process on a fresh folder; nothing to install, nothing else to run."
export PATH="$bin:$PATH" PCV_CONFIG="$work/config.json"
unset PACH_CONFIG PACH_CONTEXT PACHD_ADDRESS
printf '%s$ pcvd --data %s --listen 127.0.0.1:0 --port-file %s &%s\n' "$blue" "$work/data" "$work/port" "$plain"
pcvd --data "$work/data" --listen 127.0.0.1:0 --port-file "$work/port" >"$work/server.log" 2>&1 &
server=$!
for ((i = 0; i < 200; i++)); do
    [ -s "$work/port" ] && break
    kill -0 "$server" 2>/dev/null || fail "the server ended before it was ready"
    sleep 0.05
done
[ -s "$work/port" ] || fail "the server was not ready after ten seconds"
PCV_ADDRESS=127.0.0.1:$(cat "$work/port")
export PCV_ADDRESS
printf '%s$ export PCV_ADDRESS=%s%s\n' "$blue" "$PCV_ADDRESS" "$plain"
run pcv version

say "" "The data: 150 irises out of scikit-learn, and some flowers that were measured but not named."
data=$work/iris
run examples/iris/data.py "$data"
run wc -l "$data"/training/*.csv "$data"/attributes/*.csv

chapter "1. Labelled flowers go in, a model comes out"
run pcv create repo training
run pcv put file training@master:/iris.csv -f "$data/training/iris.csv"
say "" "A pipeline is code between repos. Here the code is part of the specification:"
run cat examples/iris/model-svm.yaml
run pcv create pipeline -f examples/iris/model-svm.yaml
run pcv wait commit model@master
run pcv list file model@master
run pcv get file model@master:/model.txt
expect "flowers the model has seen" "$(pcv get file model@master:/model.txt | grep -o '[0-9]* flowers')" "150 flowers"

chapter "2. Flowers without names get them"
run pcv create repo attributes
for place in garden greenhouse meadow; do
    run pcv put file "attributes@master:/$place.csv" -f "$data/attributes/$place.csv"
done
say "" "Every file of attributes is paired with the model: one datum each."
run grep -A 9 '^input' examples/iris/inference.yaml
run pcv create pipeline -f examples/iris/inference.yaml
run pcv wait commit inference@master
run pcv list file inference@master
run pcv get file inference@master:/garden.csv
job=$(head_of inference@master)
run pcv list datum "inference@$job"
expect "datums" "$(ran "inference@$job")" "3 executed, 0 skipped"

chapter "3. New attributes arrive: only they are worked on"
run pcv put file attributes@master:/riverbank.csv -f "$data/attributes/riverbank.csv"
job=$(head_of attributes@master)
run pcv wait job "$job"
expect "datums" "$(ran "inference@$job")" "1 executed, 3 skipped"
run pcv get file inference@master:/riverbank.csv

chapter "4. The training data grows: the model and all that follows from it are made anew"
before=$(contents model@master:/model.txt)
run pcv put file training@master:/more.csv -f "$data/training/more.csv"
set=$(head_of training@master)
say "" "One id names the whole change, wherever it went:"
run pcv wait job "$set"
run pcv list commit "$set"
expect "head of model@master" "$(head_of model@master)" "$set"
expect "head of inference@master" "$(head_of inference@master)" "$set"
expect "trainings" "$(ran "model@$set")" "1 executed, 0 skipped"
expect "predictions" "$(ran "inference@$set")" "4 executed, 0 skipped"
run pcv get file model@master:/model.txt
differ "the model is another one" "$(contents model@master:/model.txt)" "$before"

chapter "5. The code changes: the same, and nobody has to say so"
run diff -U 1 examples/iris/model-svm.yaml examples/iris/model-lda.yaml || true
run pcv update pipeline -f examples/iris/model-lda.yaml
run pcv wait commit inference@master
set=$(head_of model@master)
expect "head of inference@master" "$(head_of inference@master)" "$set"
expect "trainings" "$(ran "model@$set")" "1 executed, 0 skipped"
expect "predictions" "$(ran "inference@$set")" "4 executed, 0 skipped"
run pcv get file model@master:/model.txt
good=$(head_of training@master) good_model=$(contents model@master:/model.pkl) good_predictions=$(predictions inference@master)

chapter "6. A mistake, and its undoing"
say "Somebody mixes up two species in the training data:"
run pcv get file inference@master:/garden.csv
run pcv put file training@master:/iris.csv -f "$data/training/mislabelled.csv"
run pcv wait job "$(head_of training@master)"
run pcv get file inference@master:/garden.csv
differ "the predictions are others" "$(predictions inference@master)" "$good_predictions"
say "" "So that was bad. What was there before is still there; the branch goes back to it:"
run pcv list commit training@master
run pcv create branch training@master --head "$good"
run pcv wait commit inference@master
job=$(head_of inference@master)
say "" "The model and the predictions are the earlier ones, without any work, as the same code on the same data is known:"
expect "trainings" "$(ran "model@$job")" "0 executed, 1 skipped"
expect "predictions" "$(ran "inference@$job")" "0 executed, 4 skipped"
expect "the model" "$(contents model@master:/model.pkl)" "$good_model"
expect "the predictions" "$(predictions inference@master)" "$good_predictions"
run pcv get file inference@master:/garden.csv

chapter "7. The record: where did this file come from?"
run pcv explain file inference@master:/garden.csv
record=$(pcv explain file inference@master:/garden.csv)
for repo in attributes training model; do
    commit=$(head_of "$repo@master")
    grep -q "$commit" <<<"$record" || fail "the record does not name commit $commit of $repo"
    printf '%s✓ the record names %s@%s%s\n' "$green" "$repo" "$commit" "$plain"
done

chapter "8. Ask the model"
say "A service is a pipeline whose code keeps running: here it answers over HTTP, at any free port."
run sed -n '1,/^transform/p' examples/iris/oracle.yaml
{ read -r inner; read -r port; } < <(free_ports 2)
sed "s/8077/$inner/g; s/8078/$port/" examples/iris/oracle.yaml >"$work/oracle.yaml"
run pcv create pipeline -f "$work/oracle.yaml"
until_model "linear discriminant"
run examples/iris/ask.py "$port"
run examples/iris/ask.py "$port" "$data/attributes/garden.csv"
expect "species in the garden" "$(examples/iris/ask.py "$port" "$data/attributes/garden.csv" | awk -F, 'NR > 1 { print $NF }' | xargs)" \
    "$(species inference)"
say "" "It follows the model:"
run pcv update pipeline -f examples/iris/model-svm.yaml
until_model "support vector"
run examples/iris/ask.py "$port"
run pcv update pipeline -f examples/iris/model-lda.yaml
until_model "linear discriminant"
run pcv wait commit inference@master
expect "the predictions" "$(predictions inference@master)" "$good_predictions"
run pcv delete pipeline oracle

if [ -x /usr/bin/Rscript ]; then
    chapter "9. The same in R"
    run pcv create pipeline -f examples/iris/model-r.yaml
    run pcv create pipeline -f examples/iris/inference-r.yaml
    run pcv wait commit inference-r@master
    run pcv get file model-r@master:/model.txt
    run pcv get file inference-r@master:/garden.csv
    expect "predictions in R" "$(ran "inference-r@$(head_of inference-r@master)")" "4 executed, 0 skipped"
    expect "R and Python agree on the garden" "$(species inference-r)" "$(species inference)"
fi

chapter "All of it"
run pcv list pipeline
run pcv list commit
if $keep; then
    say "" "The server runs on:" "  export PCV_ADDRESS=$PCV_ADDRESS PATH=$bin:\$PATH" "Stop it and forget everything:" \
        "  kill $server && rm -rf $work"
fi
printf '\n%sdemo: everything was as promised%s\n' "$green" "$plain"
