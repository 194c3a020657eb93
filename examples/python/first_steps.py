#!/usr/bin/env python3
"""First steps with pachyderm_sdk, the client library that people already have.

    pip install pachyderm-sdk
    pcvd --data /tmp/pcv &
    ./first_steps.py [PORT]

Makes a repo and a pipeline that counts words, puts two files, and reads what came of them.
"""
import sys

from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, pps

client = Client(host='127.0.0.1', port=int(sys.argv[1]) if len(sys.argv) > 1 else 30650)

poems = pfs.Repo(name='poems', project=pfs.Project(name='default'))
client.pfs.create_repo(repo=poems)

client.pps.create_pipeline(
    pipeline=pps.Pipeline(name='lengths', project=poems.project),
    input=pps.Input(pfs=pps.PfsInput(repo='poems', project='default', glob='/*')),
    transform=pps.Transform(
        image='host',
        cmd=['sh'],
        stdin=['for poem in /pfs/poems/*; do wc -w <"$poem" >"/pfs/out/${poem##*/}"; done'],
    ),
)

# A commit: both files or none of them.
with client.pfs.commit(branch=pfs.Branch(repo=poems, name='master')) as commit:
    commit.put_file_from_bytes(path='/rose.txt', data=b'a rose is a rose is a rose\n')
    commit.put_file_from_bytes(path='/barrow.txt', data=b'so much depends upon a red wheel barrow\n')

# The same id names what followed from it.
result = pfs.Commit(repo=pfs.Repo(name='lengths', type='user', project=poems.project), id=commit.id)
client.pfs.wait_commit(result)
for info in client.pfs.list_file(file=pfs.File(commit=result, path='/')):
    print(info.file.path, client.pfs.pfs_file(file=info.file).read().decode().strip())
