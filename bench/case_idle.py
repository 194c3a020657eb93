"""A server that has nothing to do, and a command line that does nothing."""
import os
import time

from harness import Server, median, report

STARTS = 50
IDLE_S = 10


def measure(build):
    ready = []
    for _ in range(5):
        with Server(build) as server:
            ready.append(server.ready_s)
    report('ready after start', median(ready) * 1000, 'ms', bound=100)
    with Server(build) as server:
        server.pcv('list', 'repo')
        report('idle server RSS', server.rss_mib(), 'MiB', bound=25)
        before = server.sleeps()
        time.sleep(IDLE_S)
        woken = sum(count - before.get(thread, 0) for thread, count in server.sleeps().items())
        report('idle server wake-ups', woken / IDLE_S, '/s', bound=1)
        measure_start(server)


def spawn_ms(argv, env):
    null = [(os.POSIX_SPAWN_OPEN, fd, '/dev/null', os.O_RDWR, 0) for fd in (1, 2)]
    start = time.perf_counter()
    os.waitpid(os.posix_spawnp(argv[0], argv, env, file_actions=null), 0)
    return (time.perf_counter() - start) * 1000


def measure_start(server):
    pcv = str(server.build / 'bin/pcv')
    for name, argv in (('start of pcv', [pcv, '--help']), ('pcv list repo', [pcv, 'list', 'repo'])):
        own, peer = [], []
        for _ in range(STARTS):
            own.append(spawn_ms(argv, server.env))
            peer.append(spawn_ms(['true'], server.env))
        report(name, median(own), 'ms', peer='true', peer_figure=median(peer), bound=15, judged=median(own))
