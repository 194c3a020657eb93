"""One changed file among very many, and the last of many commits."""
from harness import Server, Settings, note, report


def measure(build):
    with Server(build) as server:
        figures = server.api_bench('many', Settings.many_files)
        rss = server.rss_max_mib()
    note(f'{Settings.many_files} files in a commit')
    report('put them in one stream', figures['many_put'], 's')
    report('commit of one changed file among them', figures['many_commit_one'], 'ms', bound=10)
    report('difference to its parent', figures['many_diff'], 'ms', bound=5)
    report('list a directory of 1,000', figures['many_list'], 'ms')
    report('glob a prefix', figures['many_glob'], 'ms')
    report('server RSS, at most', rss, 'MiB', bound=512)
    with Server(build) as server:
        figures = server.api_bench('commits', Settings.commits)
    report(f'commit of one file, the last 50 of {Settings.commits}', figures['commits_last'], 'ms',
           peer='the first 50', peer_figure=figures['commits_first'], bound=1.2)
