#!/usr/bin/env python3
"""Golden tests of the command line against a running server.

    run.py [--bin DIR] [--update] [FOLDER or FOLDER/CASE ...]

tests/cli/<verb>/<case>.sh is a script for bash. Beside it stand what it must print, `.stdout.exact` or `.stdout.glob` (the
same with `.stderr`; none means nothing), and `.exit`, its exit status when that is not 0. In a glob, `*` stands for any
text within a line. Each folder has a server of its own, and each case an empty folder to stand in; PCV_ADDRESS leads to
the server, `pcv` is in the PATH, PCV_CONFIG is a file of the folder. `_setup.sh` of a folder runs first.

--update writes what was printed. Ids, times and other things that differ from run to run become `*`.
"""
import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
START_SECONDS_MAX = 20
CASE_SECONDS_MAX = 60

# What differs from run to run, and what replaces it in a golden file.
VOLATILE = [
    (re.compile(r'\b[0-9a-f]{64}\b'), '*'),
    (re.compile(r'\b[0-9a-f]{32}\b'), '*'),
    (re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z'), '*'),
    (re.compile(r'(Less than a second|About an? (minute|hour)|\d+ (second|minute|hour)s?)( ago)? *'), '*'),
    (re.compile(r'\b(\d+h)?(\d+m)?\d+(\.\d+)?(s|ms|µs|ns)\b *'), '*'),
    (re.compile(r'127\.0\.0\.1:\d+'), '*'),
]


class Server:
    """A pcvd with an empty data folder on a free port."""

    def __init__(self, bin_dir, scratch):
        self.log = open(scratch / 'pcvd.log', 'w+b')
        port_file = scratch / 'port'
        self.process = subprocess.Popen(
            [bin_dir / 'pcvd', '--data', scratch / 'data', '--listen', '127.0.0.1:0', '--port-file', port_file,
             '--drain-seconds', '1', '--pull', 'never'],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True)
        self.address = f'127.0.0.1:{self.wait_for(port_file)}'

    def wait_for(self, port_file):
        for _ in range(START_SECONDS_MAX * 100):
            if port_file.exists() and port_file.read_text().strip():
                return port_file.read_text().strip()
            try:
                self.process.wait(0.01)
            except subprocess.TimeoutExpired:
                continue
            break
        self.stop()
        self.log.seek(0)
        raise SystemExit(f'the server did not start:\n{self.log.read().decode()}')

    def stop(self):
        """True when it ended as it should."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(START_SECONDS_MAX) == 0
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return False


def run_script(script, env, folder):
    folder.mkdir()
    try:
        done = subprocess.run(['bash', script], cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=CASE_SECONDS_MAX)
        return done.returncode, done.stdout.decode(errors='replace'), done.stderr.decode(errors='replace')
    except subprocess.TimeoutExpired as late:
        return 124, (late.stdout or b'').decode(errors='replace'), f'no end after {CASE_SECONDS_MAX} seconds\n'


def glob_matches(pattern, text):
    """Line by line; only '*' is special."""
    return re.fullmatch('.*'.join(re.escape(part) for part in pattern.split('*')), text) is not None


def expected(case, stream):
    for form in ('exact', 'glob'):
        path = case.with_suffix(f'.{stream}.{form}')
        if path.exists():
            return form, path.read_text()
    return 'exact', ''


def differences(case, stream, text):
    form, want = expected(case, stream)
    if form == 'exact' and want == text:
        return []
    want_lines, lines = want.split('\n'), text.split('\n')
    if form == 'glob' and len(lines) == len(want_lines) and all(map(glob_matches, want_lines, lines)):
        return []
    return [f'{stream} differs'] + [f'- {line}' for line in want_lines] + [f'+ {line}' for line in lines]


def expected_exit(case):
    path = case.with_suffix('.exit')
    return int(path.read_text()) if path.exists() else 0


def check(case, code, out, err):
    problems = []
    if code != expected_exit(case):
        problems.append(f'exit status {code}, not {expected_exit(case)}')
    return problems + differences(case, 'stdout', out) + differences(case, 'stderr', err)


def write_golden(case, stream, text):
    form, want = expected(case, stream)
    if form == 'glob' and not differences(case, stream, text):
        return  # what stands there, perhaps by hand, still fits
    glob = text
    for pattern, replacement in VOLATILE:
        glob = pattern.sub(replacement, glob)
    if glob != text:
        glob = re.sub(r'(?<=\S) {2,}', ' *', glob)  # columns are as wide as what is in them
    for old in ('exact', 'glob'):
        case.with_suffix(f'.{stream}.{old}').unlink(missing_ok=True)
    if text:
        case.with_suffix(f'.{stream}.{"exact" if glob == text else "glob"}').write_text(glob)


def update(case, code, out, err):
    write_golden(case, 'stdout', out)
    write_golden(case, 'stderr', err)
    exit_file = case.with_suffix('.exit')
    exit_file.unlink(missing_ok=True)
    if code:
        exit_file.write_text(f'{code}\n')


def environment(bin_dir, scratch, address):
    keep = {name: os.environ[name] for name in ('TMPDIR', 'LD_LIBRARY_PATH', 'ASAN_OPTIONS') if name in os.environ}
    return keep | {'PATH': f'{bin_dir}:{os.environ["PATH"]}', 'HOME': str(scratch), 'LC_ALL': 'C.UTF-8', 'TZ': 'UTC',
                   'PCV_ADDRESS': address, 'PCV_CONFIG': str(scratch / 'config.json')}


class Report:
    """TAP, as meson reads it."""

    def __init__(self):
        self.count = self.failed = 0

    def add(self, name, problems):
        self.count += 1
        self.failed += bool(problems)
        print(f'{"not ok" if problems else "ok"} {self.count} - {name}')
        for line in problems:
            print(f'# {line}')
        sys.stdout.flush()


def run_folder(folder, only, args, report):
    scratch = pathlib.Path(tempfile.mkdtemp(prefix='pcv-cli-'))
    server = Server(args.bin, scratch)
    env = environment(args.bin, scratch, server.address)
    try:
        setup = folder / '_setup.sh'
        if setup.exists():
            code, out, err = run_script(setup, env, scratch / '_setup')
            if code:
                report.add(f'{folder.name}/_setup', [f'exit status {code}', out, err])
        for script in sorted(folder.glob('[!_]*.sh')):
            if only and script.stem not in only:
                continue
            result = run_script(script, env, scratch / script.stem)
            if args.update:
                update(script, *result)
            report.add(f'{folder.name}/{script.stem}', check(script, *result))
    finally:
        clean = server.stop()
        shutil.rmtree(scratch, ignore_errors=True)
    report.add(f'{folder.name}: the server ends cleanly', [] if clean else ['it did not'])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--bin', type=pathlib.Path, default=HERE.parent.parent / 'build/bin', help='folder of pcv, pcvd')
    parser.add_argument('--update', action='store_true', help='write what was printed')
    parser.add_argument('what', nargs='*', help='folder, or folder/case')
    args = parser.parse_args()
    args.bin = args.bin.resolve()
    for program in ('pcv', 'pcvd', 'pcv-worker'):
        if not (args.bin / program).exists():
            raise SystemExit(f'{args.bin} has no {program}: build first')
    chosen = {}
    for what in args.what or sorted(p.name for p in HERE.iterdir() if p.is_dir() and not p.name.startswith('_')):
        folder, _, case = what.partition('/')
        chosen.setdefault(folder, set()).update({case} if case else set())
    report = Report()
    for folder, only in chosen.items():
        run_folder(HERE / folder, only, args, report)
    print(f'1..{report.count}')
    sys.exit(report.failed > 0)


if __name__ == '__main__':
    main()
