"""What pfs says of requests that are not whole, and of content that breaks the rules."""

import grpc
from harness import ApiTest, name, raw_call, unittest
from pachyderm_sdk.api import pfs
from sdk_case import SdkCase


class ValidationTest(ApiTest):
    def setUp(self):
        super().setUp()
        self.pfs = self.client.pfs
        self.repo = pfs.Repo(name=name(), type="user", project=pfs.Project(name="default"))
        self.pfs.create_repo(repo=self.repo)
        self.master = pfs.Branch(repo=self.repo, name="master")

    def test_validation(self):
        rows = {
            "DropCommitSet": "invalid DropCommitSetRequest.CommitSet: value is required",
            "DeleteBranch": "invalid DeleteBranchRequest.Branch: value is required",
            "InspectProject": "invalid InspectProjectRequest.Project: value is required",
            "InspectProjectV2": "invalid InspectProjectV2Request.Project: value is required",
        }
        for method, text in rows.items():
            with self.fails("INVALID_ARGUMENT", "validate request: " + text, exact=True):
                raw_call(self.client, "/pfs_v2.API/" + method)
        streams = {
            "FindCommits": "invalid FindCommitsRequest.Start: value is required",
            "ListTask": "invalid ListTaskRequest.Group: value is required",
        }
        for method, text in streams.items():
            with self.fails("INVALID_ARGUMENT", "validate recv: " + text, exact=True):
                raw_call(self.client, "/pfs_v2.API/" + method)

    def test_validation_in_a_stream(self):
        requests = [
            pfs.ModifyFileRequest(set_commit=pfs.Commit(repo=self.repo, branch=self.master)),
        ]
        # a copy without a source: field 7 (copy_file), empty
        channel = grpc.insecure_channel(self.client.address)
        call = channel.stream_unary(
            "/pfs_v2.API/ModifyFile", request_serializer=bytes, response_deserializer=bytes
        )
        copy = pfs.ModifyFileRequest(copy_file=pfs.CopyFile(dst="/x"))
        copy = bytes(copy)
        with self.fails(
            "INVALID_ARGUMENT",
            "invalid ModifyFileRequest.CopyFile: embedded message failed validation | "
            "caused by: invalid CopyFile.Src: value is required",
        ):
            call(iter([bytes(requests[0]), copy]), timeout=20)
        channel.close()

    def test_collision_is_told_at_finish(self):
        commit = self.pfs.start_commit(branch=self.master)
        self.pfs.put_file_from_bytes(commit=commit, path="/a", data=b"1")
        self.pfs.put_file_from_bytes(commit=commit, path="/a/b", data=b"2")
        self.pfs.finish_commit(commit=commit)
        text = "file / directory path collision (/a/b)"
        self.assertEqual(self.pfs.wait_commit(commit).error, text)
        with self.fails("UNKNOWN", text):
            list(self.pfs.walk_file(file=pfs.File(commit=commit, path="/")))
        self.assertEqual(self.pfs.pfs_file(pfs.File(commit=commit, path="/a/b")).read(), b"2")

    def test_empty_commit_set(self):
        for method in ("SquashCommitSet", "DropCommitSet"):
            with self.fails("INVALID_ARGUMENT", "commit set id cannot be empty"):
                raw_call(self.client, "/pfs_v2.API/" + method, b"\x0a\x00")


class NoBranchTest(SdkCase):
    """Commits do not belong to branches: most answers leave Commit.branch out (pfs.md 1.3)."""

    service = "pfs"

    @staticmethod
    def _must_return(method, body):
        return body

    def assert_bare(self, *commits):
        for commit in commits:
            self.assertEqual((commit.branch.name, commit.branch.repo.name), ("", ""))

    def test_unary(self):
        branch = self.branch()
        self.put(branch, {"/a": b"1"})
        commit = self.client.pfs.start_commit(branch=branch)
        info = self.client.pfs.inspect_commit(commit=commit)
        head = self.client.pfs.inspect_branch(branch=branch).head
        self.assert_bare(commit, info.commit, info.parent_commit, head)
        file = self.client.pfs.inspect_file(file=pfs.File(commit=commit, path="/a"))
        self.assert_bare(file.file.commit)

    def test_streams(self):
        api, branch = self.client.pfs, self.branch()
        self.put(branch, {"/a": b"1"})
        commit = self.put(branch, {"/a": b"2"})
        root = pfs.File(commit=commit, path="/")
        for info in api.list_commit(repo=branch.repo):
            self.assert_bare(info.commit, info.parent_commit)
        for info in api.inspect_commit_set(commit_set=pfs.CommitSet(id=commit.id)):
            self.assert_bare(info.commit)
        for info in [*api.list_file(file=root), *api.walk_file(file=root)]:
            self.assert_bare(info.file.commit)
        for diff in api.diff_file(new_file=root):
            self.assert_bare(diff.new_file.file.commit, diff.old_file.file.commit)
        for found in api.find_commits(start=commit, file_path="/a"):
            self.assert_bare(found.found_commit, found.last_searched_commit)
        for info in api.list_branch(repo=branch.repo):
            self.assert_bare(info.head)

    def test_where_it_stays(self):
        up, down = self.derived()
        info = self.client.pfs.inspect_commit(
            commit=self.client.pfs.inspect_branch(branch=down).head
        )
        self.assertEqual([c.branch.name for c in info.direct_provenance], [up.name])


class HealthTest(ApiTest):
    def check(self, service):
        field = bytes([10, len(service)]) + service.encode() if service else b""
        return raw_call(self.client, "/grpc.health.v1.Health/Check", field)

    def test_health(self):
        self.assertEqual(self.check(""), b"\x08\x01")
        with self.fails("NOT_FOUND", "unknown service nope", exact=True):
            self.check("nope")


if __name__ == "__main__":
    unittest.main()
