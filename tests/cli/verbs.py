#!/usr/bin/env python3
"""Has pcv the verbs that scripts know, and has every verb of pcv a golden test?

    verbs.py --bin DIR

The verbs are asked of pcv itself (its help is made of its tables). One is covered when a script of tests/cli runs it. The
lists below are exact: a row that is not true any more fails too, so that they only get shorter.
"""
import argparse
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# What pachctl has, by first word.
PACHCTL = {
    'auth': 'activate, check project, check repo, deactivate, get cluster, get enterprise, get project, get repo, get-config, '
            'get-groups, get-robot-token, login, logout, revoke, roles-for-permission, rotate-root-token, set cluster, '
            'set enterprise, set project, set repo, set-config, use-auth-token, whoami',
    'check': 'status',
    'completion': 'bash, zsh',
    'config': 'delete context, get active-context, get active-enterprise-context, get context, get metrics, import-kube, '
              'list context, set active-context, set active-enterprise-context, set context, set metrics, update context',
    'copy': 'file',
    'create': 'branch, defaults, pipeline, project, repo, secret, snapshot',
    'debug': 'analyze, binary, dump, local, log-level, profile, template, trace',
    'delete': 'all, branch, commit, commitV2, defaults, file, job, pipeline, project, repo, secret, snapshot, transaction',
    'diff': 'file',
    'draw': 'pipeline',
    'edit': 'metadata, pipeline',
    'enterprise': 'deactivate, get-state, heartbeat, pause, pause-status, register, sync-contexts, unpause',
    'find': 'commit',
    'finish': 'commit, transaction',
    'get': 'file',
    'glob': 'file',
    'idp': 'create-client, create-connector, delete-client, delete-connector, get-client, get-config, get-connector, '
           'list-client, list-connector, set-config, update-client, update-connector',
    'inspect': 'branch, cluster, commit, datum, defaults, file, job, pipeline, project, repo, secret, snapshot, transaction',
    'license': 'activate, add-cluster, delete-all, delete-cluster, get-state, list-clusters, update-cluster',
    'list': 'branch, commit, datum, file, job, pipeline, project, repo, secret, snapshot, task, transaction',
    'misc': 'decode-download-url, decode-proto, dial, dns-lookup, generate-download-url, grpc, http-head, test-migrations',
    'next': 'datum',
    'put': 'file',
    'rerun': 'pipeline',
    'restart': 'cluster, datum',
    'resume': 'transaction',
    'run': 'cron, pfs-load-test, pps-load-test',
    'squash': 'commit, commitV2',
    'start': 'commit, pipeline, transaction',
    'stop': 'job, pipeline, transaction',
    'subscribe': 'commit',
    'update': 'defaults, pipeline, project, repo',
    'validate': 'pipeline',
    'wait': 'commit, job',
    '': 'buildinfo, connect, exit, fsck, kube-events, logs, logs2, loki, mount, port-forward, shell, unmount, version',
}

# Verbs of pachctl that pcv has not: a first word stands for all that begin with it.
MISSING = {
    'auth', 'config import-kube', 'create snapshot', 'debug', 'delete snapshot',
    'idp', 'inspect snapshot', 'list snapshot', 'logs2', 'misc', 'mount', 'unmount',
}

# Verbs that are tested elsewhere, by what must stand in that file.
ELSEWHERE = {
}

# Verbs without any test yet.
UNTESTED = set()


def pachctl_verbs():
    for first, rest in PACHCTL.items():
        for verb in rest.split(', '):
            yield f'{first} {verb}'.strip()


def listed(verb, rows):
    return verb in rows or verb.split()[0] in rows


class Pcv:
    def __init__(self, folder):
        self.program = folder / 'pcv'
        text = self.help()
        rows = re.findall(r'^  (\S+(?: \S+)*?)  +\S', text, re.MULTILINE)
        self.verbs = {row for row in rows if not row.startswith('pcv ')}
        if not self.verbs:
            raise SystemExit(f'no verbs in the help of {self.program}:\n{text}')

    def help(self, *words):
        done = subprocess.run([self.program, *words, '--help'], capture_output=True, text=True, check=False)
        return done.stdout

    def knows(self, verb):
        """Hidden verbs too: they are not in the list, but have help of their own."""
        return verb in self.verbs or f'pcv {verb} ' in self.help(*verb.split()).replace(str(self.program), 'pcv')


def runs(verb, scripts):
    """Does one of the scripts run it, with its last word in the singular or plural?"""
    words = r' +'.join(re.escape(word) + '(?:s|es)?' for word in verb.split())
    options = r'(?:--?[\w-]+(?:=\S+)? +)*'
    return any(re.search(rf'\bpcv +{options}{words}(?![\w-])', text) for text in scripts)


class Report:
    def __init__(self):
        self.count = self.failed = 0

    def add(self, name, problem):
        self.count += 1
        self.failed += bool(problem)
        print(f'{"not ok" if problem else "ok"} {self.count} - {name}')
        if problem:
            print(f'# {problem}')


def check_known(pcv, report):
    unused = set(MISSING)
    for verb in sorted(set(pachctl_verbs())):
        unused -= {verb, verb.split()[0]}
        if listed(verb, MISSING):
            report.add(f'{verb} is missing', 'pcv has it now: take it out of MISSING' if pcv.knows(verb) else '')
        else:
            report.add(f'pcv has {verb}', '' if pcv.knows(verb) else 'it does not; is it lost, or a row of MISSING?')
    report.add('MISSING names verbs of pachctl', ', '.join(sorted(unused)))


def check_covered(pcv, report):
    scripts = [path.read_text() for path in HERE.glob('*/[!_]*.sh')]
    for verb in sorted(pcv.verbs):
        covered = runs(verb, scripts)
        if verb in UNTESTED:
            problem = 'it has a golden test now: take it out of UNTESTED' if covered else ''
        elif verb in ELSEWHERE:
            path, text = ELSEWHERE[verb]
            problem = '' if text in (ROOT / path).read_text() else f'{path} does not have {text}'
        else:
            problem = '' if covered else 'no script in tests/cli runs it'
        report.add(f'{verb} is tested', problem)
    gone = (UNTESTED | set(ELSEWHERE)) - pcv.verbs
    report.add('the lists of exceptions name verbs of pcv', ', '.join(sorted(gone)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--bin', type=pathlib.Path, default=ROOT / 'build/bin', help='folder of pcv')
    pcv = Pcv(parser.parse_args().bin.resolve())
    report = Report()
    check_known(pcv, report)
    check_covered(pcv, report)
    print(f'1..{report.count}')
    sys.exit(report.failed > 0)


if __name__ == '__main__':
    main()
