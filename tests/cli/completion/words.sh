pcv create repo images; pcv create repo labels; pcv create branch images@master; pcv create branch images@main
source <(pcv completion bash)
# What bash would offer after a line.
complete_line() {
    COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=()
    local words=$(sed 's/[@:=]/ & /g' <<< "$1"); [[ $1 == *' ' ]] && words+=" ''"
    eval "COMP_WORDS=($words)"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _pcv
    echo "$1: ${COMPREPLY[*]}" | tr '\n' ' '; echo
}
complete_line 'pcv cop'
complete_line 'pcv create re'
complete_line 'pcv squash '
complete_line 'pcv create repo --d'
complete_line 'pcv inspect repo '
complete_line 'pcv inspect repos l'
complete_line 'pcv list file im'
complete_line 'pcv list file images@ma'
complete_line 'pcv -v inspect project def'
complete_line 'pcv put file images@master:/x -f nosu'
complete_line 'pcv nosuch '
pcv complete-words -- inspect pipeline x
pcv completion bash --install --path here && grep -c '^complete' here
pcv completion zsh | head -1
pcv completion zsh --install --path no/such/folder
