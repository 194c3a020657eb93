"""One large file of unseen bytes: put durably, got back whole."""
import filecmp
import os
import shutil
import sys
import tempfile
from pathlib import Path

from harness import MIB, Server, Settings, drop, median, report, run, settle


def make_random(path):
    with open(path, 'wb') as out:
        for _ in range(Settings.large_mib // 8):
            out.write(os.urandom(8 * MIB))
        os.fsync(out.fileno())


def dd(source, target, *how):
    drop(target)
    settle()
    seconds = run('dd', f'if={source}', f'of={target}', 'bs=2M', *how)
    drop(target)
    return Settings.large_mib / seconds


def measure(build):
    folder = Path(tempfile.mkdtemp(prefix='pcv-bench-', dir=Settings.folder))
    source, copy = folder / 'source', folder / 'copy'
    puts, gets, durable, plain = [], [], [], []
    try:
        with Server(build) as server:
            idle_mib = server.rss_mib()
            server.pcv('create', 'repo', 'large')
            for i in range(Settings.rounds):
                make_random(source)
                durable.append(dd(source, copy, 'conv=fdatasync'))
                settle()
                seconds = server.pcv('put', 'file', f'large@master:/{i}', '-f', source)
                puts.append(Settings.large_mib / seconds)
                plain.append(dd(source, copy))
                settle()
                gets.append(Settings.large_mib / server.pcv('get', 'file', f'large@master:/{i}', '-o', copy))
                if not filecmp.cmp(source, copy, shallow=False):
                    sys.exit('the file came back changed')
                drop(copy)
            growth_mib = server.rss_max_mib() - idle_mib
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report('put a large file', median(puts), 'MiB/s', peer='dd conv=fdatasync', peer_figure=median(durable),
           bound=0.95, at_least=True)
    report('get it', median(gets), 'MiB/s', peer='dd', peer_figure=median(plain))
    report('server RSS over idle, at most', growth_mib, 'MiB', bound=64)
