#!/usr/bin/env python3
"""Has each verb of pcv the flags that scripts give it?

    flags.py --bin DIR

The flags are asked of pcv itself (its help is made of its tables). Below, a flag is its letter and its name ("f,force"), or
one of them; O is --raw and -o, T --full-timestamps, G --no-pager, J --project.
"""
import argparse
import pathlib
import re
import sys

from verbs import ROOT, Pcv, Report

SHORT = {'O': ('raw', 'o,output'), 'T': ('full-timestamps',), 'G': ('no-pager',), 'J': ('project',)}

# What pachctl's verbs take.
PACHCTL = {
    'check status': 'J raw A,all-projects',
    'completion bash': 'install path',
    'completion zsh': 'install path',
    'config set context': 'overwrite',
    'config update context': 'pachd-address cluster-name auth-info server-cas namespace project remove-cluster-deployment-id',
    'connect': 'alias',
    'copy file': 'a,append J src-project dest-project',
    'create branch': 'p,provenance head t,trigger trigger-cron trigger-size trigger-commits trigger-all J',
    'create defaults': 'cluster project f regenerate reprocess dry-run',
    'create pipeline': 'f,file jsonnet arg p,push-images r,registry u,username dry-run O J',
    'create project': 'd,description',
    'create repo': 'd,description J',
    'create secret': 'f',
    'delete branch': 'f,force J',
    'delete commitV2': 'r,recursive',
    'delete defaults': 'cluster project regenerate reprocess dry-run',
    'delete file': 'r J',
    'delete job': 'J',
    'delete pipeline': 'all f,force keep-repo J A,all-projects',
    'delete project': 'f,force',
    'delete repo': 'f,force all A,all-projects J',
    'diff file': 's,shallow name-only diff-command T G J old-project',
    'draw pipeline': 'c,commit box-width edge-height J',
    'edit pipeline': 'reprocess editor o J',
    'find commit': 'json limit timeout J',
    'finish commit': 'm,message description f,force J',
    'fsck': 'f,fix zombie-all zombie J',
    'get file': 'r o,output progress offset retry J',
    'glob file': 'O T J',
    'inspect branch': 'O T J',
    'inspect cluster': 'O',
    'inspect commit': 'O T J',
    'inspect datum': 'O J',
    'inspect defaults': 'cluster project raw',
    'inspect file': 'O J',
    'inspect job': 'O T J',
    'inspect pipeline': 'O T J',
    'inspect project': 'O',
    'inspect repo': 'O T J',
    'inspect transaction': 'O T',
    'kube-events': 'raw since',
    'list branch': 'O J',
    'list commit': 'f,from n,number all x,expand origin O T J',
    'list datum': 'f,file O J',
    'list file': 'O T J',
    'list job': 'p,pipeline A,all-projects J i,input x,expand history state O T G',
    'list pipeline': 's,spec O T history c,commit state J A,all-projects',
    'list project': 'O',
    'list repo': 'O T J all type A,all-projects',
    'list task': 'n,namespace g,group O',
    'list transaction': 'O T',
    'logs': 'p,pipeline j,job datum inputs master worker raw f,follow t,tail since J',
    'loki': 'since',
    'next datum': 'error',
    'put file': 'f,file i,input-file r c,compress p,parallelism a,append progress full-path untar J',
    'rerun pipeline': 'reprocess J',
    'restart cluster': 'r,reason',
    'restart datum': 'J',
    'run cron': 'J',
    'run pfs-load-test': 'b,branch s,seed state-id J',
    'run pps-load-test': 'd,dag s,seed p,parallelism pod-patch state-id',
    'shell': 'max-completions',
    'squash commitV2': 'r,recursive',
    'start commit': 'p,parent m,message description J',
    'start pipeline': 'J',
    'stop job': 'J',
    'stop pipeline': 'J',
    'subscribe commit': 'from new all origin O T J',
    'update defaults': 'cluster project f regenerate reprocess dry-run',
    'update pipeline': 'f,file jsonnet arg p,push-images r,registry u,username dry-run O J reprocess',
    'update project': 'd,description',
    'update repo': 'd,description J',
    'validate pipeline': 'f',
    'version': 'client-only print-architecture timeout enterprise compare O',
    'wait commit': 'O T J',
    'wait job': 'O T J',
}

# What all of them take.
GLOBAL = 'v,verbose no-color rpc-timeout h,help'


def flags_of(pcv, verb):
    """Letters and names, by the rows of the help: "  -f, --force  …", "      --all  …"."""
    rows = re.findall(r'^  (?:-(\w), |    )--([\w-]+)', pcv.help(*verb.split()), re.MULTILINE)
    return {(letter, name) for letter, name in rows}


def wanted(words):
    for word in words.split():
        yield from SHORT.get(word, (word,))


def is_there(flag, flags):
    """Letter and name belong together; one alone is enough where only one is known."""
    letter, comma, name = flag.partition(',')
    if comma:
        return (letter, name) in flags
    return any(flag in pair for pair in flags)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--bin', type=pathlib.Path, default=ROOT / 'build/bin', help='folder of pcv')
    pcv = Pcv(parser.parse_args().bin.resolve())
    report = Report()
    for verb, words in PACHCTL.items():
        flags = flags_of(pcv, verb)
        missing = [flag for flag in wanted(f'{words} {GLOBAL}') if not is_there(flag, flags)]
        report.add(f'flags of {verb}', 'it lacks ' + ' '.join(missing) if missing else '')
    print(f'1..{report.count}')
    sys.exit(report.failed > 0)


if __name__ == '__main__':
    main()
