"""The rows of pfs.md 2.1 and 2.3 that a client can reach, one test each."""

import uuid

import grpc
from harness import ApiTest, name, raw_call, unittest
from pachyderm_sdk.api import pfs

DEFAULT = pfs.Project(name="default")


class ErrorTest(ApiTest):
    def setUp(self):
        super().setUp()
        self.pfs = self.client.pfs
        self.repo = self.make_repo()
        self.master = pfs.Branch(repo=self.repo, name="master")

    def make_repo(self):
        repo = pfs.Repo(name=name(), type="user", project=DEFAULT)
        self.pfs.create_repo(repo=repo)
        return repo

    def commit(self, branch=None, files=()):
        with self.pfs.commit(branch=branch or self.master) as commit:
            for path, data in dict(files).items():
                commit.put_file_from_bytes(path=path, data=data)
        commit.wait()
        return commit

    def none_repo(self):
        return pfs.Repo(name="none-such", type="user", project=DEFAULT)

    def test_file_missing(self):
        commit = self.commit()
        text = f"file /f not found in repo default/{self.repo.name} at commit {commit.id}"
        with self.fails("NOT_FOUND", text):
            self.pfs.inspect_file(file=pfs.File(commit=commit, path="/f"))
        with self.fails("NOT_FOUND", text):
            list(self.pfs.get_file(file=pfs.File(commit=commit, path="/f")))
        self.assertFalse(self.pfs.path_exists(pfs.File(commit=commit, path="/f")))
        listed = list(self.pfs.list_file(file=pfs.File(commit=commit, path="/f")))
        self.assertEqual(listed, [])

    def test_repo_missing(self):
        with self.fails("NOT_FOUND", "repo default/none-such not found"):
            self.pfs.inspect_repo(repo=self.none_repo())
        self.assertFalse(self.pfs.repo_exists(self.none_repo()))
        with self.assertRaises(grpc.RpcError) as caught:
            self.pfs.inspect_repo(repo=self.none_repo())
        self.assertNotIn("user", caught.exception.details())

    def test_repo_missing_in_the_database(self):
        with self.fails(
            "NOT_FOUND", "repo (id=0, project=default, name=none-such, type=user) not found"
        ):
            self.pfs.create_branch(branch=pfs.Branch(repo=self.none_repo(), name="b"))

    def test_repo_exists(self):
        with self.fails("ALREADY_EXISTS", f"repo default/{self.repo.name} already exists"):
            self.pfs.create_repo(repo=self.repo)

    def test_branch_missing(self):
        with self.fails("NOT_FOUND", "none"):
            self.pfs.inspect_branch(branch=pfs.Branch(repo=self.repo, name="none"))
        self.assertFalse(self.pfs.branch_exists(pfs.Branch(repo=self.repo, name="none")))

    def test_project_missing(self):
        with self.fails("NOT_FOUND", 'project "none-such" not found'):
            self.pfs.inspect_project(project=pfs.Project(name="none-such"))
        with self.fails(
            "NOT_FOUND", 'delete project "none-such": project "none-such" not found'
        ):
            self.pfs.delete_project(project=pfs.Project(name="none-such"))
        with self.fails("NOT_FOUND", "not found"):
            self.pfs.create_repo(
                repo=pfs.Repo(name="x", type="user", project=pfs.Project(name="none-such"))
            )

    def test_project_exists(self):
        with self.fails(
            "ALREADY_EXISTS",
            'project "default" already exists\nproject default already exists',
        ):
            self.pfs.create_project(project=DEFAULT)

    def test_project_not_empty(self):
        project = pfs.Project(name=name("p"))
        self.pfs.create_project(project=project)
        repo = pfs.Repo(name="r", type="user", project=project)
        self.pfs.create_repo(repo=repo)
        with self.fails(
            "FAILED_PRECONDITION",
            f"cannot delete project {project.name}: repo {project.name}/r still exists",
        ):
            self.pfs.delete_project(project=project)
        with self.fails("FAILED_PRECONDITION", "still exists"):
            self.pfs.delete_project(project=project, force=True)
        self.pfs.delete_repo(repo=repo)
        self.pfs.delete_project(project=project)

    def test_repo_type(self):
        with self.fails(
            "UNKNOWN", 'invalid input value for enum pfs.repo_type: "odd" (SQLSTATE 22P02)'
        ):
            self.pfs.create_repo(repo=pfs.Repo(name=name(), type="odd", project=DEFAULT))

    def test_commit_missing(self):
        missing = pfs.Commit(repo=self.repo, id=uuid.uuid4().hex)
        self.assertFalse(self.pfs.commit_exists(missing))
        with self.fails("NOT_FOUND", "not found"):
            self.pfs.inspect_commit(commit=missing)

    def test_commit_set_missing(self):
        unknown = uuid.uuid4().hex
        with self.fails("NOT_FOUND", f"no commits found for commitset {unknown}"):
            list(self.pfs.inspect_commit_set(commit_set=pfs.CommitSet(id=unknown)))

    def test_commit_finished_already(self):
        commit = self.commit()
        with self.fails("UNKNOWN", "has already finished"):
            self.pfs.finish_commit(commit=commit)
        with self.fails("UNKNOWN", "has already finished"):
            self.pfs.put_file_from_bytes(
                commit=pfs.Commit(repo=self.repo, id=commit.id), path="/f", data=b""
            )

    def test_commit_deleted_while_waiting(self):
        commit = self.pfs.start_commit(branch=self.master)
        future = grpc.insecure_channel(self.client.address)
        call = future.unary_unary(
            "/pfs_v2.API/InspectCommit",
            request_serializer=bytes,
            response_deserializer=pfs.CommitInfo().parse,
        )
        waiting = call.future(
            pfs.InspectCommitRequest(commit=commit, wait=pfs.CommitState.FINISHED), timeout=20
        )
        self.pfs.drop_commit_set(commit_set=pfs.CommitSet(id=commit.id))
        error = waiting.exception()
        # dropped before or after the wait began
        self.assertRegex(error.details(), "was deleted|not found")
        future.close()

    def test_unfinished_parent(self):
        self.pfs.start_commit(branch=self.master)
        with self.fails("UNKNOWN", "has not been finished"):
            self.pfs.start_commit(branch=self.master)

    def test_find_commits_unfinished(self):
        commit = self.pfs.start_commit(branch=self.master)
        with self.fails("UNAVAILABLE", "not finished"):
            list(self.pfs.find_commits(start=commit, file_path="/f"))

    def test_output_branch(self):
        out = pfs.Branch(repo=self.make_repo(), name="master")
        self.commit()
        self.pfs.create_branch(branch=out, provenance=[self.master])
        head = pfs.Commit(repo=out.repo, branch=out)
        self.pfs.finish_commit(commit=head)
        self.pfs.wait_commit(head)
        with self.fails("UNKNOWN", "cannot start a commit on an output branch: "):
            self.pfs.start_commit(branch=out)

    def test_squash_without_children(self):
        commit = self.commit()
        with self.fails(
            "UNKNOWN",
            "cannot squash a commit that has no children as that would cause data loss, "
            "use the drop operation instead: ",
        ):
            self.pfs.squash_commit_set(commit_set=pfs.CommitSet(id=commit.id))

    def test_drop_with_children(self):
        first = self.commit()
        self.commit()
        with self.fails("UNKNOWN", "cannot drop a commit that has children: "):
            self.pfs.drop_commit_set(commit_set=pfs.CommitSet(id=first.id))

    def test_two_branches_in_a_dag(self):
        other = pfs.Branch(repo=self.repo, name="other")
        for branch in (self.master, other):
            self.pfs.create_branch(branch=branch)
        out = pfs.Branch(repo=self.make_repo(), name="master")
        with self.fails("UNKNOWN", "multiple branches from the same repo"):
            self.pfs.create_branch(branch=out, provenance=[self.master, other])

    def test_cycle(self):
        out = pfs.Branch(repo=self.make_repo(), name="master")
        self.pfs.create_branch(branch=self.master)
        self.pfs.create_branch(branch=out, provenance=[self.master])
        with self.fails("INTERNAL", "cycle detected because "):
            self.pfs.create_branch(branch=self.master, provenance=[out])

    def test_get_file_of_directory_and_of_many(self):
        commit = self.commit(files={"/d/a": b"1", "/d/b": b"2"})
        with self.fails(
            "UNKNOWN", "cannot get directory or non-regular file. Use GetFileTAR instead"
        ):
            list(self.pfs.get_file(file=pfs.File(commit=commit, path="/d")))
        with self.fails("UNKNOWN", "matched multiple files. Use GetFileTAR instead"):
            list(self.pfs.get_file(file=pfs.File(commit=commit, path="/d/*")))

    def test_delete_branch_in_provenance(self):
        out = pfs.Branch(repo=self.make_repo(), name="master")
        self.pfs.create_branch(branch=self.master)
        self.pfs.create_branch(branch=out, provenance=[self.master])
        with self.fails(
            "UNKNOWN",
            f'branch "default/{self.repo.name}@master" cannot be deleted because it\'s in the '
            f"direct provenance of [default/{out.repo.name}@master]",
            exact=True,
        ):
            self.pfs.delete_branch(branch=self.master)

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

    def test_names(self):
        with self.fails("UNKNOWN", "invalid: only alphanumeric characters"):
            self.pfs.create_repo(repo=pfs.Repo(name="a b", type="user", project=DEFAULT))
        with self.fails("UNKNOWN", ""):
            self.pfs.create_branch(branch=pfs.Branch(repo=self.repo, name=uuid.uuid4().hex))

    def test_paths(self):
        for path, text in {"/a*": "not allowed in path", "/a\x01": "printable ASCII"}.items():
            with self.fails("UNKNOWN", text):
                with self.pfs.commit(branch=self.master) as commit:
                    commit.put_file_from_bytes(path=path, data=b"")
            self.pfs.drop_commit_set(commit_set=pfs.CommitSet(id=commit.id))

    def test_collision_is_told_at_finish(self):
        commit = self.pfs.start_commit(branch=self.master)
        self.pfs.put_file_from_bytes(commit=commit, path="/a", data=b"1")
        self.pfs.put_file_from_bytes(commit=commit, path="/a/b", data=b"2")
        self.pfs.finish_commit(commit=commit)
        self.assertNotEqual(self.pfs.wait_commit(commit).error, "")

    def test_delete_repo(self):
        with self.fails("INVALID_ARGUMENT", "no repo specified"):
            raw_call(self.client, "/pfs_v2.API/DeleteRepo")
        self.pfs.delete_repo(repo=self.none_repo())

    def test_empty_commit_set(self):
        for method in ("SquashCommitSet", "DropCommitSet"):
            with self.fails("INVALID_ARGUMENT", "commit set id cannot be empty"):
                raw_call(self.client, "/pfs_v2.API/" + method, b"\x0a\x00")


class NilArgumentTest(ApiTest):
    """No request, however empty, may do more than fail in an ordinary way."""

    def test_every_unary_call(self):
        import pachyderm_sdk.api.pfs as module

        skip = {"DeleteAll"}
        methods = [
            m
            for m in dir(module.ApiBase if hasattr(module, "ApiBase") else module.ApiStub)
            if not m.startswith("_")
        ]
        for method in methods:
            path = "/pfs_v2.API/" + "".join(w.capitalize() for w in method.split("_"))
            path = path.replace("Tar", "TAR").replace("V2", "V2")
            if path.rsplit("/", 1)[1] in skip:
                continue
            with self.subTest(path), grpc.insecure_channel(self.client.address) as channel:
                call = channel.unary_stream(
                    path, request_serializer=bytes, response_deserializer=bytes
                )
                try:
                    stream = call(b"", timeout=2)
                    for _ in stream:
                        pass
                except grpc.RpcError as error:
                    self.assertNotEqual(error.code(), grpc.StatusCode.ABORTED)
                    self.assertNotEqual(error.code(), grpc.StatusCode.UNAVAILABLE)
                    self.assertNotIn("this is a bug", error.details())


if __name__ == "__main__":
    unittest.main()
