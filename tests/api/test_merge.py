"""procavia.v1.API/MergeBranch."""

from dataclasses import dataclass
from typing import List

import betterproto
from harness import ApiTest, name, raw_call, unittest
from pachyderm_sdk.api import pfs

FAIL, OURS, THEIRS = 0, 1, 2


@dataclass(eq=False, repr=False)
class MergeRequest(betterproto.Message):
    source: pfs.Branch = betterproto.message_field(1)
    into: pfs.Branch = betterproto.message_field(2)
    message: str = betterproto.string_field(3)
    policy: int = betterproto.int32_field(4)
    dry_run: bool = betterproto.bool_field(5)


@dataclass(eq=False, repr=False)
class Conflict(betterproto.Message):
    path: str = betterproto.string_field(1)
    reason: str = betterproto.string_field(2)


@dataclass(eq=False, repr=False)
class MergeResponse(betterproto.Message):
    commit: pfs.Commit = betterproto.message_field(1)
    fast_forward: bool = betterproto.bool_field(2)
    conflicts: List[Conflict] = betterproto.message_field(3)
    files_changed: int = betterproto.uint64_field(4)


class MergeTest(ApiTest):
    def setUp(self):
        super().setUp()
        self.repo = pfs.Repo(name=name(), type="user", project=pfs.Project(name="default"))
        self.client.pfs.create_repo(repo=self.repo)
        self.put("main", {"/base": b"0", "/dir/x": b"x"})
        self.fork("side", "main")

    def branch(self, branch):
        return pfs.Branch(repo=self.repo, name=branch)

    def fork(self, branch, at):
        head = self.client.pfs.inspect_branch(branch=self.branch(at)).head
        self.client.pfs.create_branch(branch=self.branch(branch), head=head)

    def put(self, branch, files):
        with self.client.pfs.commit(branch=self.branch(branch)) as commit:
            for path, data in files.items():
                if data is None:
                    commit.delete_file(path=path)
                else:
                    commit.put_file_from_bytes(path=path, data=data)
        commit.wait()

    def files(self, branch):
        head = pfs.Commit(repo=self.repo, branch=self.branch(branch))
        found = {}
        for info in self.client.pfs.walk_file(file=pfs.File(commit=head, path="/")):
            if info.file_type == pfs.FileType.FILE:
                file = pfs.File(commit=info.file.commit, path=info.file.path)
                found[info.file.path] = self.client.pfs.pfs_file(file).read()
        return found

    def merge(self, source="side", into="main", **more):
        request = MergeRequest(source=self.branch(source), into=self.branch(into), **more)
        answer = raw_call(self.client, "/procavia.v1.API/MergeBranch", bytes(request))
        return MergeResponse().parse(answer)

    def test_fast_forward(self):
        self.put("side", {"/new": b"1", "/dir/x": None})
        answer = self.merge()
        self.assertTrue(answer.fast_forward)
        self.assertEqual((answer.files_changed, answer.conflicts), (2, []))
        self.assertEqual(self.files("main"), {"/base": b"0", "/new": b"1"})
        info = self.client.pfs.inspect_commit(commit=answer.commit)
        self.assertEqual((info.description, info.error), ('merge of branch "side"', ""))

    def test_nothing_to_merge(self):
        before = len(list(self.client.pfs.list_commit(repo=self.repo)))
        answer = self.merge()
        self.assertEqual((answer.commit.id, answer.files_changed), ("", 0))
        self.assertFalse(answer.fast_forward)
        self.assertEqual(len(list(self.client.pfs.list_commit(repo=self.repo))), before)

    def test_both_sides(self):
        self.put("side", {"/s": b"s", "/base": b"same"})
        self.put("main", {"/m": b"m", "/base": b"same"})
        answer = self.merge(message="both")
        self.assertFalse(answer.fast_forward)
        self.assertEqual(answer.files_changed, 1)
        self.assertEqual(
            self.files("main"), {"/base": b"same", "/dir/x": b"x", "/m": b"m", "/s": b"s"}
        )
        self.assertEqual(self.client.pfs.inspect_commit(commit=answer.commit).description, "both")

    def test_conflicts(self):
        self.put("side", {"/base": b"theirs", "/s": b"s", "/dir/x": None})
        self.put("main", {"/base": b"ours", "/dir/x": b"y"})
        answer = self.merge()
        self.assertEqual([c.path for c in answer.conflicts], ["/base", "/dir/x"])
        self.assert_text("changed in both branches", answer.conflicts[0].reason)
        self.assert_text("deleted in the branch merged from", answer.conflicts[1].reason)
        self.assertEqual((answer.commit.id, answer.files_changed), ("", 0))
        self.assertEqual(self.files("main"), {"/base": b"ours", "/dir/x": b"y"})
        dry = self.merge(policy=THEIRS, dry_run=True)
        self.assertEqual((dry.commit.id, dry.files_changed), ("", 3))
        self.assertEqual(self.merge(policy=OURS).files_changed, 1)
        self.assertEqual(self.files("main"), {"/base": b"ours", "/dir/x": b"y", "/s": b"s"})

    def test_theirs(self):
        self.put("side", {"/base": b"theirs"})
        self.put("main", {"/base": b"ours", "/m": b"m"})
        self.assertEqual(self.merge(policy=THEIRS).files_changed, 1)
        self.assertEqual(self.files("main"), {"/base": b"theirs", "/dir/x": b"x", "/m": b"m"})

    def test_again_starts_from_the_last_merge(self):
        self.put("main", {"/m": b"m"})
        self.put("side", {"/base": b"1"})
        self.assertEqual(self.merge().files_changed, 1)
        self.put("side", {"/base": b"2"})
        answer = self.merge()
        self.assertEqual((answer.conflicts, answer.files_changed), ([], 1))
        self.assertEqual(self.files("main")["/base"], b"2")
        back = self.merge(source="main", into="side")
        self.assertTrue(back.fast_forward)
        self.assertEqual(self.files("side"), self.files("main"))

    def test_file_against_directory(self):
        self.put("side", {"/d/file": b"1"})
        self.put("main", {"/d": b"a file"})
        for policy in (FAIL, OURS, THEIRS):
            answer = self.merge(policy=policy)
            self.assertEqual([c.path for c in answer.conflicts], ["/"])
            self.assertEqual(answer.commit.id, "")

    def test_errors(self):
        with self.fails("NOT_FOUND", '@none) not found'):
            self.merge(source="none")
        with self.fails("INVALID_ARGUMENT", "no branch to merge from was given"):
            raw_call(self.client, "/procavia.v1.API/MergeBranch")
        open_commit = self.client.pfs.start_commit(branch=self.branch("side"))
        with self.fails("UNKNOWN", "not finished"):
            self.merge()
        self.client.pfs.finish_commit(commit=open_commit)
        self.client.pfs.wait_commit(open_commit)
        other = pfs.Repo(name=name(), type="user", project=pfs.Project(name="default"))
        self.client.pfs.create_repo(repo=other)
        self.client.pfs.create_branch(branch=pfs.Branch(repo=other, name="b"))
        request = MergeRequest(
            source=self.branch("side"), into=pfs.Branch(repo=other, name="b")
        )
        with self.fails("INVALID_ARGUMENT", "are not of the same repo"):
            raw_call(self.client, "/procavia.v1.API/MergeBranch", bytes(request))

    def tearDown(self):
        self.assertEqual(list(self.client.pfs.fsck()), [])


if __name__ == "__main__":
    unittest.main()
