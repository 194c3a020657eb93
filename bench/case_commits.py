"""One changed file among very many, and the last of many commits."""
from harness import Server, Settings, note, report


HUGE_FILES = 10_000_000


def measure_many(build, files):
    with Server(build) as server:
        figures = server.api_bench('many', files)
        rss = server.rss_max_mib()
    note(f'{files} files in a commit')
    report('put them in one stream', figures['many_put'], 's')
    report('commit of one changed file among them', figures['many_commit_one'], 'ms', bound=10)
    report('difference to its parent', figures['many_diff'], 'ms', bound=5)
    report('list a directory of 1,000', figures['many_list'], 'ms')
    report('glob a prefix', figures['many_glob'], 'ms')
    report('server RSS, at most', rss, 'MiB', bound=512)


def measure_huge(build):
    """The size that a repo must still be usable at; minutes go into making it."""
    measure_many(build, HUGE_FILES)


def measure(build):
    measure_many(build, Settings.many_files)
    with Server(build) as old, Server(build) as young:
        figures = old.api_bench('commits', Settings.commits, young.address)
    report(f'commit of one file, the last 50 of {Settings.commits}', figures['commits_last'], 'ms',
           peer='the first 50 of a fresh server, in turns', peer_figure=figures['commits_first'], bound=1.2)
