"""Eight clients at once on one repo: every history must be one that a single client could have had.

Each operation is recorded with the times of its call and its return. The register under test is
the content of one file at the branch's head, written by one-off commits and read through the
branch: writes carry unique values, so that the commit log itself gives the only order in which
they can have happened, and each read and write is checked against that order in linear time.
"""

import os
import random
import threading
import time

from harness import ApiTest, name, unittest
from pachyderm_sdk.api import pfs

LONG = bool(os.environ.get("PCV_TEST_LONG"))
CLIENTS = 8
OPERATIONS = 10_000 if LONG else 1_600
RANDOM_STEPS = 2_000 if LONG else 300


class Recorder(threading.Thread):
    def __init__(self, client, repo, files, index, count):
        super().__init__()
        self.pfs = client.pfs
        self.head = pfs.Commit(repo=repo, branch=pfs.Branch(repo=repo, name="master"))
        self.files, self.index, self.count = files, index, count
        self.history, self.failure = [], None

    def run(self):
        random.seed(self.index)
        try:
            for n in range(self.count):
                self.step(n)
        except Exception as error:  # told by the test's thread
            self.failure = error

    def step(self, n):
        path = f"/{random.randrange(self.files)}"
        called = time.monotonic()
        if random.random() < 0.3:
            value = b"%d.%d" % (self.index, n)
            self.pfs.put_file_from_bytes(commit=self.head, path=path, data=value)
            self.history.append(("write", path, value, called, time.monotonic()))
        else:
            file = pfs.File(commit=self.head, path=path)
            value = self.pfs.pfs_file(file).read()
            self.history.append(("read", path, value, called, time.monotonic()))


def check(order, history):
    """order: values of one file, oldest first. Faults as text.

    A value was current from its write's turn until the next one's. Operations fit in one order
    exactly if their values' places never go back in real time: what returned before another was
    called must not have a later place; among equal places reads follow their write.
    """
    place = {value: i for i, value in enumerate(order)}
    faults = []
    for kind, _, value, _, _ in history:
        if value not in place:
            faults.append(f"{kind} of {value!r}, which nobody committed")
    if faults:
        return faults
    returned = sorted(history, key=lambda op: op[4])
    newest, done = -1, 0
    for kind, _, value, called, _ in sorted(history, key=lambda op: op[3]):
        while done < len(returned) and returned[done][4] < called:
            newest = max(newest, place[returned[done][2]])
            done += 1
        if place[value] < newest or (kind == "write" and place[value] == newest):
            faults.append(f"{kind} of {value!r} after {order[newest]!r} was seen")
    return faults


class CheckerTest(unittest.TestCase):
    """The checker itself must see what is wrong."""

    def test_checker(self):
        write = lambda v, a, b: ("write", "/", v, a, b)
        read = lambda v, a, b: ("read", "/", v, a, b)
        fine = [write(b"1", 0, 1), write(b"2", 2, 5), read(b"1", 3, 4), read(b"2", 4, 6)]
        self.assertEqual(check([b"1", b"2"], fine), [])
        self.assertTrue(check([b"1", b"2"], [*fine, read(b"1", 7, 8)]))
        self.assertTrue(check([b"1", b"2"], [write(b"2", 0, 1), write(b"1", 2, 3)]))
        self.assertTrue(check([b"1"], [read(b"9", 0, 1)]))


class LinearTest(ApiTest):
    FILES = 4

    def setUp(self):
        super().setUp()
        self.repo = pfs.Repo(name=name(), type="user", project=pfs.Project(name="default"))
        self.client.pfs.create_repo(repo=self.repo)
        self.master = pfs.Branch(repo=self.repo, name="master")
        with self.client.pfs.commit(branch=self.master) as commit:
            for i in range(self.FILES):
                commit.put_file_from_bytes(path=f"/{i}", data=b"first %d" % i)

    def committed(self, path):
        """Values of the file in commit order, from the log of commits."""
        values = []
        commits = list(self.client.pfs.list_commit(repo=self.repo, reverse=True))
        for info in commits:
            file = pfs.File(commit=info.commit, path=path)
            value = self.client.pfs.pfs_file(file).read()
            if not values or values[-1] != value:
                values.append(value)
        return values

    def test_reads_and_writes_have_one_order(self):
        count = OPERATIONS // CLIENTS
        threads = [
            Recorder(self.server.client(), self.repo, self.FILES, i, count)
            for i in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for thread in threads:
            self.assertIsNone(thread.failure)
        history = [op for thread in threads for op in thread.history]
        self.assertEqual(len(history), count * CLIENTS)
        for i in range(self.FILES):
            path = f"/{i}"
            own = [op for op in history if op[1] == path]
            self.assertEqual(check(self.committed(path), own), [])
        self.assertEqual(list(self.client.pfs.fsck()), [])


class RandomTest(ApiTest):
    """Whatever mix of operations: fsck finds nothing, and refusals are ordinary."""

    def setUp(self):
        super().setUp()
        self.random = random.Random(7)
        self.repos, self.outputs, self.counts = [], [], {}

    def new_repo(self):
        repo = pfs.Repo(name=name("x"), type="user", project=pfs.Project(name="default"))
        self.client.pfs.create_repo(repo=repo)
        return repo

    def do_input(self):
        branch = pfs.Branch(repo=self.new_repo(), name="master")
        self.client.pfs.create_branch(branch=branch)
        self.repos.append(branch)

    def do_output(self):
        branch = pfs.Branch(repo=self.new_repo(), name="master")
        pool = self.repos + self.outputs
        inputs = self.random.sample(pool, min(len(pool), self.random.randint(1, 3)))
        self.client.pfs.create_branch(branch=branch, provenance=inputs)
        self.outputs.append(branch)

    def do_commit(self):
        branch = self.random.choice(self.repos)
        with self.client.pfs.commit(branch=branch) as commit:
            commit.put_file_from_bytes(path="/%d" % self.random.randrange(5), data=b"x")

    def any_set(self):
        branch = self.random.choice(self.repos + self.outputs)
        commits = list(self.client.pfs.list_commit(repo=branch.repo))
        return pfs.CommitSet(id=self.random.choice(commits).commit.id)

    def do_squash(self):
        self.client.pfs.squash_commit_set(commit_set=self.any_set())

    def do_drop(self):
        self.client.pfs.drop_commit_set(commit_set=self.any_set())

    def do_delete_branch(self):
        pool = self.random.choice([p for p in (self.repos, self.outputs) if p])
        branch = self.random.choice(pool)
        self.client.pfs.delete_branch(branch=branch)
        pool.remove(branch)

    def do_rewire(self):
        branch = self.random.choice(self.outputs)
        inputs = self.random.sample(self.repos, min(len(self.repos), 2))
        self.client.pfs.create_branch(branch=branch, provenance=inputs)

    def test_fsck_after_anything(self):
        import grpc

        steps = [
            (1, self.do_input),
            (2, self.do_output),
            (12, self.do_commit),
            (3, self.do_squash),
            (3, self.do_drop),
            (1, self.do_delete_branch),
            (1, self.do_rewire),
        ]
        weights, actions = zip(*steps)
        self.do_input()
        for n in range(RANDOM_STEPS):
            action = self.random.choices(actions, weights)[0]
            try:
                action()
                self.counts[action.__name__] = self.counts.get(action.__name__, 0) + 1
            except IndexError:
                self.do_input()  # nothing left to choose from
            except grpc.RpcError as error:
                self.assertIn(
                    error.code().name,
                    ("UNKNOWN", "NOT_FOUND", "INTERNAL", "ALREADY_EXISTS"),
                    error.details(),
                )
            if n % 10 == 0:
                self.assertEqual(list(self.client.pfs.fsck()), [], f"after step {n}")
        self.assertEqual(list(self.client.pfs.fsck()), [])
        self.assertEqual(len(self.counts), len(steps), self.counts)


if __name__ == "__main__":
    unittest.main()
