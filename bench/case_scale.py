"""Many of everything: pipelines, jobs, datums. What there is must not make slow what changes."""
import json
import os
import time
from pathlib import Path

from case_pipelines import TRUE, create_pipeline
from harness import Server, Settings, median, note, report

STAGES = 10
FAN_OUT = 100
ROUNDS = 11


def spec(name, repo, **more):
    return {'pipeline': {'name': name}, 'input': {'pfs': {'repo': repo, 'glob': '/*'}},
            'transform': {'cmd': ['sh', '-c', f'cp /pfs/{repo}/* /pfs/out/']}, **more}


def put(server, repo, text):
    path = server.folder / 'one'
    path.write_text(text)
    server.pcv('put', 'file', f'{repo}@master:/one', '-f', path)


def timed_ms(run):
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1000


def wait_for_set(server, repo):
    commit = json.loads(server.ask('inspect', 'commit', f'{repo}@master', '--raw'))['commit']['id']
    server.pcv('wait', 'job', commit)


def change_and_wait(server, repo, text):
    put(server, repo, text)
    wait_for_set(server, repo)


def measure_chain(build):
    """One tiny file through ten stages, each a process: from the put to the last output."""
    with Server(build) as server:
        server.pcv('create', 'repo', 's0')
        for i in range(STAGES):
            create_pipeline(server, spec(f's{i + 1}', f's{i}'))
        change_and_wait(server, 's0', 'warm')
        took = [timed_ms(lambda n=n: change_and_wait(server, 's0', str(n))) for n in range(ROUNDS)]
    report(f'chain of {STAGES} stages, one tiny file', median(took), 'ms')
    report('a stage of the chain', median(took) / STAGES, 'ms')


def measure_fan_out(build):
    with Server(build) as server:
        server.pcv('create', 'repo', 'in')
        for i in range(FAN_OUT):
            create_pipeline(server, spec(f'p{i}', 'in'))
        change_and_wait(server, 'in', 'warm')
        took = [timed_ms(lambda n=n: change_and_wait(server, 'in', str(n))) for n in range(3)]
    report(f'{FAN_OUT} pipelines over one repo, one tiny file', median(took), 'ms')
    report('a pipeline of them', median(took) / FAN_OUT, 'ms')


def bench_specs(server, n):
    """All in one file, as a user would define many."""
    path = server.folder / 'specs.json'
    path.write_text('\n'.join(json.dumps(spec(f'p{i:05}', 'in')) for i in range(n)))
    return path


def pipeline_costs(server, name):
    """What one more pipeline and a look at one cost, beside those that there are."""
    create = [timed_ms(lambda i=i: create_pipeline(server, spec(f'{name}{i}', 'in'))) for i in range(ROUNDS)]
    inspect = [timed_ms(lambda: server.pcv('inspect', 'pipeline', f'{name}0')) for _ in range(ROUNDS)]
    return median(create), median(inspect)


def measure_pipelines(build):
    n = Settings.pipelines
    with Server(build) as server:
        server.pcv('create', 'repo', 'in')
        first_create, first_inspect = pipeline_costs(server, 'first')
        before = server.rss_mib()
        seconds = server.pcv('create', 'pipeline', '-f', bench_specs(server, n))
        create, inspect = pipeline_costs(server, 'last')
        note(f'{n} pipelines defined in {seconds:.1f} s')
        report('a pipeline defined', seconds * 1000 / n, 'ms')
        report(f'one more pipeline beside {n}', create, 'ms', peer='the first', peer_figure=first_create, bound=2)
        report(f'inspect one of {n} pipelines', inspect, 'ms', peer='of few', peer_figure=first_inspect, bound=2)
        report(f'list all {n} pipelines', timed_ms(lambda: server.pcv('list', 'pipeline')), 'ms')
        report(f'server RSS with {n} pipelines', server.rss_mib(), 'MiB', peer='with few', peer_figure=before)


def measure_jobs(build):
    n = Settings.jobs
    with Server(build) as server:
        server.pcv('create', 'repo', 'in')
        create_pipeline(server, dict(TRUE, pipeline={'name': 'p'}, input={'pfs': {'repo': 'in', 'glob': '/'}}))
        put(server, 'in', 'warm')
        server.pcv('wait', 'commit', 'p@master')
        ends = []
        for i in range(n):
            took = timed_ms(lambda i=i: (put(server, 'in', str(i)), server.pcv('wait', 'commit', 'p@master')))
            ends.append(took)
        first, last = median(ends[:25]), median(ends[-25:])
        report(f'commit, job and wait, the last 25 of {n}', last, 'ms', peer='the first 25', peer_figure=first,
               bound=1.2)
        report(f'list {n} jobs of a pipeline', median([timed_ms(
            lambda: server.pcv('list', 'job', '-p', 'p', '--no-pager')) for _ in range(ROUNDS)]), 'ms')


BATCHED = {
    'pipeline': {'name': 'code'},
    'input': {'pfs': {'repo': 'many', 'glob': '/*/*'}},
    'parallelism_spec': {'constant': os.cpu_count()},
}


def measure_batched(build):
    """Datums that ask for one another in one process, and then one changed file under all of them, as a user sees
    it: put, planned, run, finished."""
    n = Settings.batched
    code = (Path(build) / 'bench/batch_code').resolve()
    with Server(build) as server:
        server.api_bench('many', n)
        start = time.perf_counter()
        create_pipeline(server, dict(BATCHED, transform={'cmd': [str(code)], 'datum_batching': True}))
        server.pcv('wait', 'commit', 'code@master')
        seconds = time.perf_counter() - start
        note(f'{n} batched datums took {seconds:.2f} s')
        report('batched datums', n / seconds, '/s', bound=20_000, at_least=True)
        took = []
        path = server.folder / 'one'
        for i in range(ROUNDS):
            path.write_text(f'changed {i}')
            server.pcv('put', 'file', 'many@master:/dir00000/file-00000007.txt', '-f', path)
            took.append(timed_ms(lambda: server.pcv('wait', 'commit', 'code@master')))
        report(f'one changed file under {n} datums: planned, skipped, run and finished', median(took), 'ms', bound=500)
        report('server RSS, at most', server.rss_max_mib(), 'MiB', bound=512)


def measure(build):
    measure_chain(build)
    measure_fan_out(build)
    measure_pipelines(build)
    measure_jobs(build)
    measure_batched(build)
