"""Branches that move by themselves, what passes on to branches derived from others, and all the ways
to name a commit (pfs.md 5, 8, 10)."""

import datetime
import time

from harness import unittest
from pachyderm_sdk.api import pfs
from sdk_case import SdkCase

SECOND = datetime.timedelta(seconds=1)
WAIT_SECONDS = 20


class BranchCase(SdkCase):
    service = "pfs"

    @staticmethod
    def _must_return(method, body):
        return body

    def head(self, branch):
        return self.client.pfs.inspect_branch(branch=branch).head.id

    def until(self, what):
        end = time.monotonic() + WAIT_SECONDS
        while not what():
            self.assertLess(time.monotonic(), end, "waited in vain")
            time.sleep(0.01)


class TriggerTest(BranchCase):
    def setUp(self):
        super().setUp()
        self.master = self.branch()
        self.put(self.master)
        self.follower = pfs.Branch(repo=self.master.repo, name="follower")

    def follow(self, source="master", name="follower", **conditions):
        branch = pfs.Branch(repo=self.master.repo, name=name)
        self.client.pfs.create_branch(
            branch=branch, trigger=pfs.Trigger(branch=source, **conditions)
        )
        return branch

    def grow(self, size):
        """A commit that adds a file of so many bytes; has the follower moved to it?"""
        commit = self.put(self.master, {f"/{self.id()[-20:]}{time.monotonic_ns()}": b"x" * size})
        return self.head(self.follower) == commit.id

    def test_size(self):
        self.follow(size="1K")
        self.assertEqual([self.grow(n) for n in (400, 599, 1, 999, 1)], [0, 0, 1, 0, 1])

    def test_commits(self):
        self.follow(commits=3)
        fired = [self.grow(1) for _ in range(7)]
        self.assertEqual(sum(fired), 2)
        first = fired.index(True)
        self.assertEqual(fired.index(True, first + 1) - first, 3)

    def test_rate_limit(self):
        """Fires when the schedule's next time after the old head is before the new one."""
        self.follow(rate_limit_spec="@every 1s")
        finishing = lambda commit: self.client.pfs.inspect_commit(commit=commit).finishing
        handle = lambda id: pfs.Commit(repo=self.master.repo, id=id)
        seen = set()
        end = time.monotonic() + WAIT_SECONDS
        while len(seen) < 2 and time.monotonic() < end:
            old = self.head(self.follower)
            commit = self.put(self.master)
            due = (finishing(handle(old)) + SECOND).replace(microsecond=0)
            fires = due < finishing(commit)
            self.assertEqual(self.head(self.follower), commit.id if fires else old)
            seen.add(fires)
        self.assertEqual(seen, {True, False})

    def test_any_and_all(self):
        self.follow(size="1K", commits=3)
        self.assertEqual([self.grow(n) for n in (2000, 1, 2000)], [1, 0, 1])
        both = self.follow(name="both", size="1K", commits=2, all=True)
        moved = []
        for size in (2000, 1, 1, 1, 2000):
            self.grow(size)
            moved.append(self.head(both) == self.head(self.master))
        self.assertEqual(moved, [True, False, False, False, True])

    def test_no_condition(self):
        never = self.follow()
        always = self.follow(name="always", all=True)
        before = self.head(never)
        self.grow(1)
        self.assertEqual(self.head(never), before)
        self.assertEqual(self.head(always), self.head(self.master))

    def test_cron(self):
        """Each tick moves the head, whatever changed, and makes commits downstream."""
        cron = self.follow(cron_spec="@every 1s", name="cron", size="1G")
        down = self.branch()
        self.client.pfs.create_branch(branch=down, provenance=[cron])
        commit = self.put(self.master)
        self.until(lambda: self.head(cron) == commit.id)
        first = self.head(down)
        self.until(lambda: self.head(down) != first)
        info = self.client.pfs.inspect_branch(branch=down)
        above = self.client.pfs.inspect_commit(commit=info.head).direct_provenance
        self.assertEqual([c.id for c in above], [self.head(cron)])
        self.client.pfs.create_branch(branch=down, provenance=[])
        self.client.pfs.delete_branch(branch=cron, force=True)

    def test_chain(self):
        """a -> b -> c fire together, and what is derived from c gets a set of its own."""
        self.follow(commits=1)
        last = self.follow(source="follower", name="last", commits=1)
        down = self.branch()
        self.client.pfs.create_branch(branch=down, provenance=[last])
        commit = self.put(self.master)
        self.assertEqual((self.head(self.follower), self.head(last)), (commit.id, commit.id))
        below = self.client.pfs.inspect_commit(commit=self.client.pfs.inspect_branch(branch=down).head)
        self.assertEqual([c.id for c in below.direct_provenance], [commit.id])
        self.assertNotEqual(below.commit.id, commit.id)

    def test_moving_does_not_fire(self):
        self.follow(commits=1)
        commit = self.put(self.master)
        other = self.put(pfs.Branch(repo=self.master.repo, name="other"))
        self.client.pfs.create_branch(branch=self.master, head=other)
        self.assertEqual(self.head(self.follower), commit.id)

    def test_a_failed_commit_does_not_fire(self):
        self.follow(commits=1)
        before = self.head(self.follower)
        failed = self.client.pfs.start_commit(branch=self.master)
        self.client.pfs.finish_commit(commit=failed, error="bad")
        self.client.pfs.wait_commit(failed)
        self.assertEqual(self.head(self.follower), before)

    def test_the_trigger_is_told(self):
        conditions = {"size": "1MB", "commits": 7, "rate_limit_spec": "@daily", "all": True}
        self.follow(**conditions)
        told = self.client.pfs.inspect_branch(branch=self.follower).trigger
        self.assertEqual(told, pfs.Trigger(branch="master", **conditions))


class PropagationTest(BranchCase):
    def never(self, *branches):
        spec = pfs.PropagationSpec(never=True)
        return [pfs.BranchPropagationSpec(branch=b, propagation_spec=spec) for b in branches]

    def derive(self, *provenance, never=()):
        branch = self.branch()
        self.client.pfs.create_branch(
            branch=branch,
            provenance=list(provenance),
            branch_propagation_specs=self.never(*never),
        )
        return branch

    def test_never(self):
        quiet, loud = self.branch(), self.branch()
        self.put(quiet), self.put(loud)
        down = self.derive(quiet, loud, never=[quiet])
        below = self.derive(down)
        before = self.head(down), self.head(below)
        deaf = self.put(quiet)
        self.assertEqual((self.head(down), self.head(below)), before)
        heard = self.put(loud)
        self.assertEqual((self.head(down), self.head(below)), (heard.id, heard.id))
        info = self.client.pfs.inspect_commit(commit=pfs.Commit(repo=down.repo, id=heard.id))
        self.assertEqual({c.id for c in info.direct_provenance}, {deaf.id, heard.id})

    def test_never_and_another_way(self):
        top = self.branch()
        self.put(top)
        middle = self.derive(top)
        bottom = self.derive(top, middle, never=[top])
        commit = self.put(top)
        self.assertEqual((self.head(middle), self.head(bottom)), (commit.id, commit.id))

    def test_never_is_told_and_taken_back(self):
        top = self.branch()
        self.put(top)
        down = self.derive(top, never=[top])
        specs = self.client.pfs.inspect_branch(branch=down).branch_propagation_specs
        self.assertEqual([s.branch.repo.name for s in specs], [top.repo.name])
        self.assertTrue(specs[0].propagation_spec.never)
        head = self.head(down)
        self.client.pfs.create_branch(branch=down, provenance=[top])
        self.assertEqual(self.head(down), head)  # the same provenance makes no commit
        info = self.client.pfs.inspect_branch(branch=down)
        self.assertEqual(info.branch_propagation_specs, [])
        self.assertEqual(self.head(down), head)
        self.assertEqual(self.put(top).id, self.head(down))


class NamesTest(BranchCase):
    """A line of three commits, named in every way."""

    def setUp(self):
        super().setUp()
        self.master = self.branch()
        self.repo_ = self.master.repo
        self.line = [self.put(self.master).id for _ in range(3)]

    def picked(self, **handle):
        commit = pfs.Commit(repo=self.repo_, **handle)
        return self.client.pfs.inspect_commit(commit=commit).commit.id

    def test_ancestry(self):
        first, second, third = self.line
        table = {
            third: ["", "^0", "~0", ".3"],
            second: ["^", "~", "^1", "~1", ".2", ".3^", ".3~1"],
            first: ["^^", "~~", "^2", "~2", ".1", ".2^", ".3^2", ".3~~"],
        }
        for id, suffixes in table.items():
            for suffix in suffixes:
                with self.subTest(suffix):
                    self.assertEqual(self.picked(id="master" + suffix), id)
                    self.assertEqual(self.picked(id=suffix, branch=self.master), id)
        self.assertEqual(self.picked(id=third + "^1"), second)
        self.assertEqual(self.picked(id=third.upper()), third)
        for suffix in ("^^^", "~~~", "^3", "~3", ".4"):
            with self.fails("UNKNOWN", "invalid offset"):
                self.picked(id="master" + suffix)

    def test_ancestry_crosses_branches(self):
        other = pfs.Branch(repo=self.repo_, name="other")
        self.client.pfs.create_branch(
            branch=other, head=pfs.Commit(repo=self.repo_, id=self.line[1])
        )
        fork = self.put(other).id
        self.assertEqual(self.picked(id="other^"), self.line[1])
        self.assertEqual(self.picked(id="other.3"), fork)

    def test_pickers(self):
        first, second, third = self.line
        head = pfs.CommitPicker(branch_head=self.master.as_picker())
        by_id = self.picker_of(pfs.Commit(repo=self.repo_, id=second))
        root = lambda n: pfs.CommitPicker(
            branch_root=pfs.CommitPickerBranchRoot(branch=self.master.as_picker(), offset=n)
        )
        above = lambda start, n: pfs.CommitPicker(
            ancestor=pfs.CommitPickerAncestorOf(start=start, offset=n)
        )
        down = self.branch()
        self.client.pfs.create_branch(branch=down, provenance=[self.master])
        table = {
            third: [head, root(2), above(head, 0)],
            second: [by_id, root(1), above(head, 1)],
            first: [root(0), above(head, 2), above(by_id, 1), above(above(head, 1), 1)],
        }
        for id, pickers in table.items():
            for picker in pickers:
                told = list(self.client.pfs.walk_commit_subvenance(start=[picker]))
                below = [self.head(down)] if id == third else []
                self.assertEqual([info.commit.id for info in told], below)
        for beyond in (root(3), above(head, 3), above(by_id, 2)):
            with self.fails("UNKNOWN", "invalid offset"):
                list(self.client.pfs.walk_commit_subvenance(start=[beyond]))

    def test_alias(self):
        """A repo that did not change in a set stands in it by what the set depends on."""
        other, down = self.branch(), self.branch()
        self.put(other)
        self.client.pfs.create_branch(branch=down, provenance=[self.master, other])
        changed = self.put(other).id
        self.assertEqual(self.picked(id=changed), self.line[2])
        infos = self.client.pfs.inspect_commit_set(commit_set=pfs.CommitSet(id=changed))
        repos = {info.commit.repo.name: info.commit.id for info in infos}
        self.assertEqual(
            repos,
            {self.repo_.name: self.line[2], other.repo.name: changed, down.repo.name: changed},
        )


if __name__ == "__main__":
    unittest.main()
