"""A server that has nothing to do does nothing, also when many clients wait for something."""

import os
import time
import unittest

from harness import Server
from pachyderm_sdk.api import pfs, pps
from pps_case import PpsCase

WATCH_SECONDS = 5
WAKEUPS_PER_SECOND_MAX = 1
RSS_MIB_MAX = 25
STREAMS = 100
THREADS_MAX = 12


def tasks(pid):
    return [f"/proc/{pid}/task/{tid}" for tid in os.listdir(f"/proc/{pid}/task")]


def status(folder):
    with open(folder + "/status", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def wakeups(pids):
    """How often the threads of these processes were put on a processor so far."""
    count = 0
    for pid in pids:
        for task in tasks(pid):
            fields = status(task)
            count += int(fields["voluntary_ctxt_switches"])
    return count


def rss_mib(pid):
    return int(status(f"/proc/{pid}")["VmRSS"].split()[0]) / 1024


@unittest.skipIf(os.environ.get("PCV_SANITIZED") == "thread", "the sanitizer has a thread that wakes by itself")
class IdleTest(PpsCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.clean)
        self.addCleanup(self.server.stop)
        self.client = self.server.client()
        self.pid = self.server.process.pid

    def processes(self):
        """The server and its workers."""
        with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as file:
            return [self.pid] + [int(pid) for pid in file.read().split()]

    def assert_idle(self, threads_max):
        self.until(lambda: len(tasks(self.pid)) <= threads_max)  # the pool's last threads leave
        pids = self.processes()
        before = wakeups(pids)
        time.sleep(WATCH_SECONDS)  # what is measured is that nothing happens meanwhile
        rate = (wakeups(pids) - before) / WATCH_SECONDS
        self.assertLess(rate, WAKEUPS_PER_SECOND_MAX)
        if "PCV_SANITIZED" not in os.environ:
            self.assertLessEqual(rss_mib(self.pid), RSS_MIB_MAX)

    def test_nothing_to_do(self):
        self.succeeds(self.pipeline(self.repo(files={"/a": b"1"})))
        self.assert_idle(THREADS_MAX)

    def test_clients_that_wait(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "cat /pfs/in/*; echo")
        self.succeeds(name)
        waiting = []
        for i in range(STREAMS):
            waiting.append(self.follow(name) if i % 2 else self.subscribe(repo))
            next(waiting[-1])
        self.assert_idle(THREADS_MAX + STREAMS)
        commit = self.put(repo, {"/b": b"2"})
        for stream in waiting[::2]:  # and all of them hear of what happens then
            self.assertEqual(next(stream).commit.id, commit.id)
        for stream in waiting[1::2]:
            self.assertEqual(next(line.message for line in stream if line.user), "2")

    def subscribe(self, repo):
        return self.client.pfs.subscribe_commit(
            repo=pfs.Repo.from_uri(repo), branch="master", state=pfs.CommitState.STARTED)

    def follow(self, name):
        lines = self.client.pps.get_logs(pipeline=pps.Pipeline(name=name), follow=True)
        return (line for line in lines if line.user)


if __name__ == "__main__":
    unittest.main()
