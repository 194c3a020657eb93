"""Pipelines: how soon user code starts, and what a datum costs beside its process."""
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from harness import Server, Settings, note, report

LATENCY_COMMITS = 200
CHANGED_UNDER = 1_000_000

# The time is written by the shell itself: starting `date` would be measured too.
STAMP = {
    'pipeline': {'name': 'in-stamp'},
    'input': {'pfs': {'repo': 'in', 'glob': '/'}},
    'transform': {'cmd': ['bash', '-c', 'echo ${EPOCHREALTIME/./}000 > /pfs/out/at']},
}

TRUE = {
    'pipeline': {'name': 'true'},
    'input': {'pfs': {'repo': 'datums', 'glob': '/*'}},
    'parallelism_spec': {'constant': os.cpu_count()},
    'transform': {'cmd': ['true']},
}


def create_pipeline(server, spec):
    path = server.folder / 'spec.json'
    path.write_text(json.dumps(spec))
    server.pcv('create', 'pipeline', '-f', path)


def measure_latency(build):
    with Server(build) as server:
        server.pcv('create', 'repo', 'in')
        create_pipeline(server, STAMP)
        figures = server.api_bench('latency', 'in', LATENCY_COMMITS)
    report('commit finished to user process, p50', figures['commit_to_process_p50'], 'ms', bound=5)
    report('commit finished to user process, p99', figures['commit_to_process_p99'], 'ms', bound=25)


def own_process_ms():
    """A process of its own, started by a program as small as a worker: bench/sandbox_bench has the same in C."""
    start = time.perf_counter()
    for _ in range(500):
        os.waitpid(os.posix_spawnp('true', ['true'], os.environ), 0)
    return (time.perf_counter() - start) / 500 * 1000


def measure_datums(build):
    with Server(build) as server:
        files = server.folder / 'datums'
        files.mkdir()
        for i in range(Settings.datums):
            (files / f'{i:06}').write_text(str(i))
        server.pcv('create', 'repo', 'datums')
        server.pcv('put', 'file', '-r', 'datums@master:/', '-f', files)
        start = time.perf_counter()
        create_pipeline(server, TRUE)
        server.pcv('wait', 'commit', 'true@master')
        seconds = time.perf_counter() - start
    workers = os.cpu_count()
    process_ms = own_process_ms()
    datum_ms = seconds * 1000 / Settings.datums * workers
    note(f'{Settings.datums} datums of `true` on {workers} workers took {seconds:.2f} s')
    report('a datum on one worker', datum_ms, 'ms', peer='its own process', peer_figure=process_ms, bound=3,
           judged=datum_ms - process_ms)


def measure_planning(build):
    done = subprocess.run([Path(build) / 'bench/plan_bench'], check=True, text=True, stdout=subprocess.PIPE)
    for line in map(json.loads, done.stdout.splitlines()):
        if line['datums'] == CHANGED_UNDER and line['what'] == 'one changed, told the change':
            report('plan one changed file under a million datums', line['ms'], 'ms', bound=500)
            return
    sys.exit('plan_bench said nothing of the change')


def measure(build):
    measure_latency(build)
    measure_datums(build)
    measure_planning(build)
