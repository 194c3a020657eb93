"""What the cases share: a server to measure, clocks, peers, and the line that a figure is printed as."""
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MIB = 1 << 20


class Settings:
    """Sizes, from the environment so that a run can be made larger (or, to try the suite, smaller)."""
    small_files = int(os.environ.get('PCV_BENCH_SMALL_FILES', 100_000))
    large_mib = int(os.environ.get('PCV_BENCH_LARGE_MIB', 1024))
    many_files = int(os.environ.get('PCV_BENCH_MANY_FILES', 1_000_000))
    commits = int(os.environ.get('PCV_BENCH_COMMITS', 1000))
    datums = int(os.environ.get('PCV_BENCH_DATUMS', 10_000))
    pipelines = int(os.environ.get('PCV_BENCH_PIPELINES', 10_000))
    jobs = int(os.environ.get('PCV_BENCH_JOBS', 1000))
    batched = int(os.environ.get('PCV_BENCH_BATCHED', 1_000_000))
    rounds = int(os.environ.get('PCV_BENCH_ROUNDS', 3))
    folder = os.environ.get('PCV_BENCH_DIR', '/tmp')  # on the disk to be measured


def report(name, figure, unit, *, peer=None, peer_figure=None, bound=None, judged=None, at_least=False):
    """One figure as one line. The bound is on the ratio when there is a peer and on the figure otherwise, unless
    `judged` gives what it is on; no bound: nothing to hold, `ok` is null."""
    ratio = figure / peer_figure if peer_figure else None
    if judged is None:
        judged = ratio if peer_figure else figure
    ok = None if bound is None else (judged >= bound if at_least else judged <= bound)
    rounded = [None if v is None else float(f'{v:.4g}') for v in (figure, peer_figure, ratio)]
    print(json.dumps({'name': name, 'figure': rounded[0], 'unit': unit, 'peer': peer, 'peer_figure': rounded[1],
                      'ratio': rounded[2], 'bound': bound, 'ok': ok}), flush=True)


def note(text):
    print(json.dumps({'note': text}), flush=True)


def median(values):
    return statistics.median(values)


def run(*argv, env=None, cwd=None, stdin=None, stdout=subprocess.DEVNULL):
    """Runs a command that must succeed; the seconds it took."""
    start = time.perf_counter()
    done = subprocess.run([str(a) for a in argv], env=env, cwd=cwd, stdin=stdin, stdout=stdout,
                          stderr=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f'{" ".join(map(str, argv))}: exit {done.returncode}: {done.stderr.strip()}')
    return seconds


def settle():
    """What others left to write must not be paid for by who is measured next."""
    os.sync()


def installed(program):
    if shutil.which(program):
        return True
    note(f'peer {program} is not installed: skipped')
    return False


def drop(path):
    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


class Server:
    """A fresh pcvd on a free port; `with Server(build) as server`."""

    def __init__(self, build):
        self.build = Path(build)
        self.folder = Path(tempfile.mkdtemp(prefix='pcv-bench-', dir=Settings.folder))

    def __enter__(self):
        port = self.folder / 'port'
        start = time.perf_counter()
        self.process = subprocess.Popen([self.build / 'bin/pcvd', '--data', self.folder / 'data', '--listen',
                                         '127.0.0.1:0', '--port-file', port, '--log-level', 'warn'])
        while not port.exists():
            if self.process.poll() is not None:
                sys.exit('pcvd ended before it was ready')
            time.sleep(0.0005)
        self.ready_s = time.perf_counter() - start
        self.address = f'127.0.0.1:{port.read_text().strip()}'
        self.env = dict(os.environ, PCV_ADDRESS=self.address, HOME=str(self.folder))
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pcv(self, *argv, stdin=None, stdout=subprocess.DEVNULL):
        return run(self.build / 'bin/pcv', *argv, env=self.env, stdin=stdin, stdout=stdout)

    def ask(self, *argv):
        return subprocess.run([str(a) for a in (self.build / 'bin/pcv', *argv)], env=self.env, text=True, check=True,
                              stdout=subprocess.PIPE).stdout

    def api_bench(self, *argv):
        """Figures of bench/api_bench, by name."""
        done = subprocess.run([str(a) for a in (self.build / 'bench/api_bench', self.address, *argv)], text=True,
                              check=True, stdout=subprocess.PIPE)
        return {f['name']: f['figure'] for f in map(json.loads, done.stdout.splitlines())}

    def _status_mib(self, field):
        for line in Path(f'/proc/{self.process.pid}/status').read_text().splitlines():
            if line.startswith(field + ':'):
                return int(line.split()[1]) / 1024
        return 0.0

    def rss_mib(self):
        return self._status_mib('VmRSS')

    def rss_max_mib(self):
        return self._status_mib('VmHWM')

    def sleeps(self):
        """How often each of the server's threads has gone to sleep so far, by thread."""
        counts = {}
        for status in Path(f'/proc/{self.process.pid}/task').glob('*/status'):
            lines = dict(line.split(':', 1) for line in status.read_text().splitlines())
            counts[status.parent.name] = int(lines['voluntary_ctxt_switches'])
        return counts
