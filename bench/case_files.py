"""Many small files through the API, new and unchanged, beside archivers and other versioned stores."""
import os
import random
import shutil
import tempfile
from pathlib import Path

from harness import Server, Settings, drop, installed, median, note, report, run, settle

FILES_PER_DIR = 1000


def make_files(root):
    r = random.Random(1)
    for i in range(Settings.small_files):
        folder = root / f'd{i // FILES_PER_DIR:04}'
        if i % FILES_PER_DIR == 0:
            folder.mkdir(parents=True)
        (folder / f'f{i:07}.txt').write_bytes(r.randbytes(r.randint(200, 2000)))


def tar(folder, files):
    archive = folder / 'files.tar'
    drop(archive)
    settle()
    return run('tar', 'cf', archive, '-C', files.parent, files.name)


def measure_own(build, folder, files):
    fresh, unchanged, peer = [], [], []
    with Server(build) as server:
        for i in range(Settings.rounds):
            repo = f'small{i}'
            server.pcv('create', 'repo', repo)
            peer.append(tar(folder, files))
            settle()
            fresh.append(server.pcv('put', 'file', '-r', f'{repo}@master:/', '-f', files))
            settle()
            server.pcv('put', 'file', '-r', f'{repo}@master:/', '-f', files)  # whatever is noted for later, is noted
            unchanged.append(server.pcv('put', 'file', '-r', f'{repo}@master:/', '-f', files))
        rss = server.rss_max_mib()
    report('put small files', median(fresh), 's', peer='tar cf', peer_figure=median(peer), bound=1.5)
    report('put them unchanged', median(unchanged), 's', peer='tar cf', peer_figure=median(peer), bound=0.2)
    report('server RSS, at most', rss, 'MiB')
    return median(fresh), median(unchanged)


# A peer: how to begin, and what to run twice. {files} and {store} are filled in.
PEERS = {
    'git': ([['git', 'init', '-q', '{store}']],
            ['git', '--git-dir={store}/.git', '--work-tree={files}', 'add', '-A', '.']),
    'restic': ([['restic', 'init', '-q', '-r', '{store}', '--insecure-no-password']],
               ['restic', 'backup', '-q', '-r', '{store}', '--insecure-no-password', '{files}']),
    'borg': ([['borg', 'init', '-e', 'none', '{store}']],
             ['borg', 'create', '{store}::{turn}', '{files}']),
    'dvc': ([['git', 'init', '-q', '{store}'], ['dvc', 'init', '-q'], ['cp', '-r', '{files}', '{store}/files']],
            ['dvc', 'add', '-q', 'files']),
}


def peer_times(program, store, files):
    begin, again = PEERS[program]
    env = dict(os.environ, HOME=str(store.parent), RESTIC_PASSWORD='bench', BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK='yes')

    def one(argv, turn=''):
        filled = [a.format(files=files, store=store, turn=turn) for a in argv]
        if program == 'restic':  # older ones know no repository without a password
            filled = [a for a in filled if a != '--insecure-no-password']
        return run(*filled, env=env, cwd=store if program == 'dvc' and store.exists() else files)
    for argv in begin:
        one(argv)
    settle()
    fresh = one(again, 'first')
    settle()
    return fresh, one(again, 'second')


def measure(build):
    folder = Path(tempfile.mkdtemp(prefix='pcv-bench-', dir=Settings.folder))
    try:
        files = folder / 'files'
        make_files(files)
        own = measure_own(build, folder, files)
        for program in PEERS:
            if installed(program):
                peer = peer_times(program, folder / f'store-{program}', files)
                report('put small files', own[0], 's', peer=program, peer_figure=peer[0])
                report('put them unchanged', own[1], 's', peer=program, peer_figure=peer[1])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    note(f'{Settings.small_files} files of 200 to 2,000 bytes; puts are durable, tar is not')
