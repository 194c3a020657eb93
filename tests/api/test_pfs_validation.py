"""What pfs says of requests that are not whole, and of content that breaks the rules."""

import grpc
from harness import ApiTest, name, raw_call, unittest
from pachyderm_sdk.api import pfs


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


if __name__ == "__main__":
    unittest.main()
