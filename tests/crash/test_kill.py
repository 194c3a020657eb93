"""SIGKILL at a random moment while clients put files: what was acknowledged is there afterwards.

Each round starts the server on the same folder, checks all that earlier rounds were told is done,
and lets clients write until the kill. PCV_TEST_LONG=1 runs 200 rounds.
"""

import os
import random
import threading
import time
import unittest

import grpc
from harness import Server, name
from pachyderm_sdk.api import pfs

ROUNDS = 200 if os.environ.get("PCV_TEST_LONG") else 6
CLIENTS = 3
SECONDS_MAX = 0.6


class Writer(threading.Thread):
    """One-off puts, and whole commits, each noted only once the server has answered."""

    def __init__(self, client, repo, index):
        super().__init__()
        self.client, self.repo, self.index = client, repo, index
        self.branch = pfs.Branch(repo=repo, name=f"b{index}")
        self.acknowledged = []
        self.unexpected = None

    def put(self, n, data):
        commit = pfs.Commit(repo=self.repo, branch=self.branch)
        self.client.pfs.put_file_from_bytes(commit=commit, path=f"/one/{n}", data=data)
        self.acknowledged.append((self.branch.name, f"/one/{n}", data))

    def commit(self, n, data):
        started = self.client.pfs.start_commit(branch=self.branch)
        for part in range(3):
            self.client.pfs.put_file_from_bytes(
                commit=started, path=f"/many/{n}/{part}", data=data
            )
        self.client.pfs.finish_commit(commit=started)
        for part in range(3):
            self.acknowledged.append((self.branch.name, f"/many/{n}/{part}", data))

    def run(self):
        try:
            while True:
                n = name("f")
                data = os.urandom(random.choice((10, 3000, 200_000)))
                random.choice((self.put, self.commit))(n, data)
        except grpc.RpcError as error:
            if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                self.unexpected = error
        except ConnectionError:
            pass  # the client's own word for UNAVAILABLE
        except Exception as error:  # told by the test's thread
            self.unexpected = error


class KillTest(unittest.TestCase):
    def end_open_commits(self, client, repo):
        """A commit that the kill left open may hold anything; it must not be in the way."""
        for branch in client.pfs.list_branch(repo=repo):
            try:
                client.pfs.finish_commit(commit=branch.head)
            except grpc.RpcError as error:
                self.assertIn("has already finished", error.details())
            client.pfs.wait_commit(branch.head)

    def check(self, client, repo, known):
        self.end_open_commits(client, repo)
        self.assertEqual(list(client.pfs.fsck()), [])
        for branch, path, data in known:
            commit = pfs.Commit(repo=repo, branch=pfs.Branch(repo=repo, name=branch))
            file = pfs.File(commit=commit, path=path)
            self.assertEqual(client.pfs.pfs_file(file).read(), data, path)

    def test_kill(self):
        server = Server()
        self.addCleanup(server.clean)
        repo = pfs.Repo(name=name(), type="user", project=pfs.Project(name="default"))
        server.client().pfs.create_repo(repo=repo)
        known = []
        for round_number in range(ROUNDS):
            client = server.client()
            self.check(client, repo, known[-300:] if round_number + 1 < ROUNDS else known)
            writers = [Writer(server.client(), repo, i) for i in range(CLIENTS)]
            for writer in writers:
                writer.start()
            time.sleep(random.uniform(0, SECONDS_MAX))
            server.kill()
            for writer in writers:
                writer.join()
                self.assertIsNone(writer.unexpected)
                known += writer.acknowledged
            server.start()
        self.check(server.client(), repo, known)
        server.client().pfs.check_storage(
            read_chunk_data=True, chunk_begin=b"", chunk_end=b""
        )
        self.assertEqual(server.stop(), 0)
        print(f"{ROUNDS} kills, {len(known)} files acknowledged, none lost")


if __name__ == "__main__":
    unittest.main()
