"""kill -9 at random moments: what was acknowledged is there, jobs go on, no datum gives two results.

A few rounds by default; PCV_TEST_LONG=1 makes it 200.
"""

import os
import random
import threading
import time
import unittest

import grpc
from pachyderm_sdk.api import pfs, pps

from harness import Server
from pps_case import SUCCESS, PpsCase

ROUNDS = 200 if os.environ.get("PCV_TEST_LONG") else 4
ALIVE_SECONDS_MAX = 0.6


class Writer(threading.Thread):
    """Puts one file after the other until the server is gone; knows what was acknowledged."""

    def __init__(self, client, repo, first):
        super().__init__()
        self.client, self.repo, self.next, self.acknowledged = client, repo, first, []

    def run(self):
        try:
            while True:
                with self.client.pfs.commit(
                        branch=pfs.Branch.from_uri(f"{self.repo}@master")) as commit:
                    commit.put_file_from_bytes(path=f"/{self.next:05}", data=b"%d" % self.next)
                self.acknowledged.append(self.next)
                self.next += 1
        except Exception:
            pass   # the server was killed: what follows is not acknowledged


class Crash(PpsCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.clean)
        self.client = self.server.client()

    def test_kill(self):
        repo = self.repo()
        name = self.pipeline(repo, "cat /pfs/in/* > /pfs/out/$(basename /pfs/in/*)")
        down = self.pipeline(name)
        acknowledged, first, chance = [], 0, random.Random(7)
        for _ in range(ROUNDS):
            writer = Writer(self.client, repo, first)
            writer.start()
            time.sleep(chance.uniform(0, ALIVE_SECONDS_MAX))
            self.server.kill()
            writer.join()
            acknowledged += writer.acknowledged
            first = writer.next + 1
            self.server.start()
            self.client = self.server.client()
            self.close_open_commit(repo)
        self.assert_all_there(repo, name, down, acknowledged)
        self.assertEqual(self.server.stop(), 0)

    def close_open_commit(self, repo):
        """A commit that the dead client had begun stays open, as it must; someone finishes it."""
        head = pfs.Commit(repo=pfs.Repo.from_uri(repo), branch=pfs.Branch.from_uri(f"{repo}@master"))
        try:
            self.client.pfs.finish_commit(commit=head)
        except grpc.RpcError as error:
            self.assertRegex(error.details(), "already|not found")

    def assert_all_there(self, repo, name, down, acknowledged):
        put = self.paths(repo)
        self.assertLessEqual({f"/{i:05}" for i in acknowledged}, set(put))
        last = self.put(repo, {"/last": b"last"})
        jobs = list(self.client.pps.inspect_job_set(job_set=pps.JobSet(id=last.id), wait=True))
        self.assertEqual([j.state for j in jobs], [SUCCESS] * 2, [j.reason for j in jobs])
        self.assertEqual(self.paths(down), sorted(put + ["/last"]))
        for i in acknowledged[::10]:
            self.assertEqual(self.read(down, f"/{i:05}"), b"%d" % i)
        self.assertEqual(list(self.client.pfs.fsck()), [])

    def test_worker_dies(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "echo $PPID; sleep 0.3; cp /pfs/in/a /pfs/out/")
        self.until_job_runs(name)
        for pid in children(self.server.process.pid):
            os.kill(pid, 9)
        self.succeeds(name)
        self.assertEqual(self.paths(name), ["/a"])
        self.assertEqual(self.server.stop(), 0)

    def test_term_while_a_job_runs(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "echo begun; sleep 2; cp /pfs/in/a /pfs/out/")
        self.until_job_runs(name)
        began = time.monotonic()
        self.assertEqual(self.server.stop(), 0)
        self.assertLess(time.monotonic() - began, 5)
        self.server.start()
        self.client = self.server.client()
        self.succeeds(name)
        self.assertEqual(self.server.stop(), 0)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        found = [int(word) for word in file.read().split()]
    return found or [int(p) for p in os.listdir("/proc") if p.isdigit() and parent(p) == pid]


def parent(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return int(file.read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


if __name__ == "__main__":
    unittest.main()
