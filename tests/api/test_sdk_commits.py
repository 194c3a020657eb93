"""The client's methods of pfs on commits and sets of commits."""

import uuid

from harness import unittest
from pachyderm_sdk.api import pfs
from sdk_case import SdkCase


def ids(infos):
    return [info.commit.id for info in infos]


class CommitMethods(SdkCase):
    service = "pfs"

    def test_start_commit(self):
        branch = self.branch()
        first = self.put(branch)
        self.put(branch)
        commit = self.api.start_commit(branch=branch, parent=first, description="why")
        info = self.client.pfs.inspect_commit(commit=commit)
        self.assertEqual((info.parent_commit.id, info.description), (first.id, "why"))
        self.assertEqual(info.commit.branch.name, "")

    def test_finish_commit(self):
        commit = self.client.pfs.start_commit(branch=self.branch())
        self.api.finish_commit(commit=commit, description="done", error="bad data")
        info = self.client.pfs.wait_commit(commit)
        self.assertEqual((info.description, info.error), ("done", "bad data"))

    def test_clear_commit(self):
        commit = self.client.pfs.start_commit(branch=self.branch())
        self.client.pfs.put_file_from_bytes(commit=commit, path="/a", data=b"1")
        self.api.clear_commit(commit=commit)
        self.assertEqual(self.files(commit), {})

    def test_inspect_commit(self):
        branch = self.branch()
        commit = self.put(branch, {"/a": b"12"})
        info = self.api.inspect_commit(commit=pfs.Commit(branch=branch, repo=branch.repo))
        self.assertEqual((info.commit.id, info.details.size_bytes), (commit.id, 2))
        self.assertEqual(info.origin.kind, pfs.OriginKind.USER)
        self.assertTrue(info.started <= info.finishing <= info.finished)

    def test_list_commit(self):
        branch = self.branch()
        made = [self.put(branch, {"/a": b"x" * n}) for n in range(4)]
        newest_first = [commit.id for commit in reversed(made)]
        repo = branch.repo
        self.assertEqual(ids(self.api.list_commit(repo=repo)), newest_first)
        self.assertEqual(ids(self.api.list_commit(repo=repo, number=2)), newest_first[:2])
        self.assertEqual(ids(self.api.list_commit(repo=repo, reverse=True)), newest_first[::-1])
        between = self.api.list_commit(repo=repo, from_=made[0], to=made[2])
        self.assertEqual(ids(between), [made[2].id, made[1].id])
        auto = self.api.list_commit(repo=repo, origin_kind=pfs.OriginKind.AUTO)
        self.assertEqual(ids(auto), [])

    def test_subscribe_commit(self):
        branch = self.branch()
        made = [self.put(branch).id for _ in range(2)]
        stream = self.client.pfs.subscribe_commit(
            repo=branch.repo, branch="master", state=pfs.CommitState.FINISHED
        )
        seen = [next(stream).commit.id for _ in made]
        made.append(self.put(branch).id)
        seen.append(next(stream).commit.id)
        self.assertEqual(seen, made)
        stream.close()
        self.api.returned.add("subscribe_commit")  # it never ends by itself

    def test_squash_commit(self):
        branch = self.branch()
        first, second = self.put(branch, {"/a": b"1"}), self.put(branch, {"/b": b"2"})
        self.api.squash_commit(commit=first)
        self.assertFalse(self.client.pfs.commit_exists(first))
        self.assertEqual(self.files(second), {"/a": b"1", "/b": b"2"})

    def test_drop_commit(self):
        branch = self.branch()
        first, second = self.put(branch, {"/a": b"1"}), self.put(branch, {"/b": b"2"})
        self.api.drop_commit(commit=second)
        self.assertEqual(self.client.pfs.inspect_branch(branch=branch).head.id, first.id)

    def test_find_commits(self):
        branch = self.branch()
        first = self.put(branch, {"/a": b"1"})
        self.put(branch, {"/b": b"2"})
        third = self.put(branch, {"/a": b"3"})
        answers = list(self.api.find_commits(start=third, file_path="/a"))
        found = [a.found_commit.id for a in answers if a.found_commit]
        self.assertEqual(found, [third.id, first.id])
        self.assertEqual(answers[-1].last_searched_commit.id, first.id)
        self.assertEqual(answers[-1].commits_searched, 3)

    def test_walk_commit_provenance(self):
        up, down = self.derived()
        head = self.client.pfs.inspect_branch(branch=down).head
        above = self.client.pfs.inspect_branch(branch=up).head
        walked = self.api.walk_commit_provenance(start=[self.picker_of(head)])
        self.assertEqual(ids(walked), [above.id])

    def test_walk_commit_subvenance(self):
        up, down = self.derived()
        head = self.client.pfs.inspect_branch(branch=up).head
        below = self.client.pfs.inspect_branch(branch=down).head
        walked = self.api.walk_commit_subvenance(start=[self.picker_of(head)])
        self.assertEqual(ids(walked), [below.id])

    def test_forget_commit(self):
        up, down = self.derived()
        forgotten = self.client.pfs.inspect_branch(branch=down).head
        self.put(up, {"/a": b"2"})
        head = self.client.pfs.inspect_branch(branch=down).head
        self.client.pfs.finish_commit(commit=head)
        self.client.pfs.wait_commit(head)
        self.api.forget_commit(commit=self.picker_of(forgotten))
        with self.fails("UNKNOWN", "the commit is forgotten"):
            list(self.client.pfs.get_file(file=pfs.File(commit=forgotten, path="/a")))
        self.assertIsNotNone(self.client.pfs.inspect_commit(commit=forgotten).finished)
        self.assertIn(forgotten.id, ids(self.client.pfs.list_commit(repo=down.repo)))

    def test_commit_exists(self):
        branch = self.branch()
        self.assertTrue(self.api.commit_exists(self.put(branch)))
        self.assertFalse(
            self.api.commit_exists(pfs.Commit(repo=branch.repo, id=uuid.uuid4().hex))
        )

    def test_wait_commit(self):
        commit = self.client.pfs.start_commit(branch=self.branch())
        self.client.pfs.finish_commit(commit=commit)
        self.assertIsNotNone(self.api.wait_commit(commit).finished)

    def test_commit(self):
        branch = self.branch()
        with self.api.commit(branch=branch, description="why") as commit:
            commit.put_file_from_bytes(path="/a", data=b"1")
        self.assertEqual(commit.wait().description, "why")
        self.assertEqual(len(commit.wait_all()), 1)
        self.assertEqual(self.files(pfs.Commit(repo=branch.repo, id=commit.id)), {"/a": b"1"})


class CommitSetMethods(SdkCase):
    service = "pfs"

    def set_with_both(self):
        """The set of a commit and of what follows from it."""
        up, down = self.derived()
        commit = self.put(up, {"/b": b"2"})
        self.client.pfs.finish_commit(commit=pfs.Commit(repo=down.repo, id=commit.id))
        return up, down, pfs.CommitSet(id=commit.id)

    def repos(self, infos):
        return [info.commit.repo.name for info in infos]

    def test_inspect_commit_set(self):
        up, down, commit_set = self.set_with_both()
        infos = self.api.inspect_commit_set(commit_set=commit_set)
        self.assertEqual(self.repos(infos), [up.repo.name, down.repo.name])
        waited = list(self.api.inspect_commit_set(commit_set=commit_set, wait=True))
        self.assertTrue(all(info.finished for info in waited))

    def test_wait_commit_set(self):
        up, down, commit_set = self.set_with_both()
        infos = self.api.wait_commit_set(commit_set)
        self.assertEqual(self.repos(infos), [up.repo.name, down.repo.name])

    def test_list_commit_set(self):
        up, down, commit_set = self.set_with_both()
        listed = {s.commit_set.id: s.commits for s in self.api.list_commit_set()}
        self.assertEqual(self.repos(listed[commit_set.id]), [up.repo.name, down.repo.name])
        none = self.api.list_commit_set(project=pfs.Project(name="none-such"))
        self.assertEqual(list(none), [])

    def test_squash_commit_set(self):
        up, down, commit_set = self.set_with_both()
        later = self.put(up, {"/c": b"3"})
        self.client.pfs.finish_commit(commit=pfs.Commit(repo=down.repo, id=later.id))
        self.api.squash_commit_set(commit_set=commit_set)
        self.assertFalse(
            self.client.pfs.commit_exists(pfs.Commit(repo=down.repo, id=commit_set.id))
        )
        self.assertEqual(self.files(later), {"/a": b"1", "/b": b"2", "/c": b"3"})
        self.assertEqual(list(self.client.pfs.fsck()), [])

    def test_drop_commit_set(self):
        up, down, commit_set = self.set_with_both()
        self.api.drop_commit_set(commit_set=commit_set)
        head = pfs.Commit(repo=up.repo, branch=up)
        self.assertEqual(self.files(head), {"/a": b"1"})
        self.assertEqual(list(self.client.pfs.fsck()), [])


if __name__ == "__main__":
    unittest.main()
