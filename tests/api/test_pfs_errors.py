"""The rows of the table of errors (pfs.md 2.1), one test each; RowsTest has which is which."""

import re
import uuid

import grpc
from harness import ApiTest, name, raw_call, unittest
from pachyderm_sdk.api import pfs, transaction as tx

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

    def derived(self, commit=True):
        """A branch derived from master; its head is open."""
        if commit:
            self.commit()
        out = pfs.Branch(repo=self.make_repo(), name="master")
        self.pfs.create_branch(branch=out, provenance=[self.master])
        return out

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
        none, repo = pfs.Branch(repo=self.repo, name="none"), f"default/{self.repo.name}"
        rows = f"branch (id=0, branch={repo}@none) not found"
        text = f'branch "none" not found in repo {repo}'
        with self.fails(
            "NOT_FOUND", f"inspect branch in transaction: {rows}\n{text}", exact=True
        ):
            self.pfs.inspect_branch(branch=none)
        self.assertFalse(self.pfs.branch_exists(none))
        with self.fails("NOT_FOUND", f"commit {repo}@ not found\n{text}"):
            self.pfs.inspect_commit(commit=pfs.Commit(repo=self.repo, branch=none))
        with self.fails("NOT_FOUND", f"commit {repo}@none not found\n{text}"):
            self.pfs.inspect_commit(commit=pfs.Commit(repo=self.repo, id="none"))

    def test_branch_missing_in_the_database(self):
        none, repo = pfs.Branch(repo=self.repo, name="none"), f"default/{self.repo.name}"
        text = f"branch (id=0, branch={repo}@none) not found"
        with self.fails("NOT_FOUND", f'get branch "{repo}.user@none": {text}', exact=True):
            self.pfs.delete_branch(branch=none)
        with self.fails(
            "NOT_FOUND",
            "create branch: update head: updating branch trigger: " + text,
            exact=True,
        ):
            self.pfs.create_branch(
                branch=self.master, trigger=pfs.Trigger(branch="none", size="1")
            )
        meta = pfs.Repo(name=self.repo.name, type="meta", project=DEFAULT)
        self.pfs.create_repo(repo=meta)
        with self.fails("NOT_FOUND", f"branch (id=0, branch={repo}.meta@none) not found"):
            self.pfs.delete_branch(branch=pfs.Branch(repo=meta, name="none"))

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

    def test_repo_type_of_what_is_looked_for(self):
        """It is not that nothing is found: no repo can be of that type."""
        odd = pfs.Repo(name=self.repo.name, type="odd", project=DEFAULT)
        branch, commit = pfs.Branch(repo=odd, name="master"), pfs.Commit(repo=odd, id="master")
        file = pfs.File(commit=commit, path="/")
        text = 'ERROR: invalid input value for enum pfs.repo_type: "odd" (SQLSTATE 22P02)'
        calls = {
            "": lambda api: api.inspect_repo(repo=odd),
            "start commit in transaction: ": lambda api: api.start_commit(branch=branch),
            "inspect branch in transaction: ": lambda api: api.inspect_branch(branch=branch),
            "pick commit tx: ": lambda api: api.inspect_commit(commit=commit),
            "ensure repo exists: ": lambda api: list(api.list_commit(repo=odd)),
            "get repo ID: ": lambda api: list(api.subscribe_commit(repo=odd)),
            "get file: pick commit tx: ": lambda api: list(api.get_file(file=file)),
            f'get branch "default/{odd.name}.odd@master": ':
                lambda api: api.delete_branch(branch=branch),
        }
        for prefix, call in calls.items():
            with self.subTest(prefix), self.fails("UNKNOWN", prefix + text, exact=True):
                call(self.pfs)
        for call in (lambda: self.pfs.delete_repo(repo=odd),
                     lambda: self.pfs.create_branch(branch=branch),
                     lambda: list(self.pfs.list_branch(repo=odd)),
                     lambda: list(self.pfs.list_repo(type="odd"))):
            with self.fails("UNKNOWN", text, exact=True):
                call()

    def test_commit_missing(self):
        missing = pfs.Commit(repo=self.repo, id=uuid.uuid4().hex)
        self.assertFalse(self.pfs.commit_exists(missing))
        text = f"commit default/{self.repo.name}@{missing.id} not found"
        with self.fails("NOT_FOUND", f"pick commit tx: {text}\n{text}", exact=True):
            self.pfs.inspect_commit(commit=missing)

    def test_commit_missing_in_the_database(self):
        unknown = uuid.uuid4().hex
        picker = pfs.CommitPicker(
            id=pfs.CommitPickerCommitByGlobalId(repo=self.repo.as_picker(), id=unknown)
        )
        text = f"commit (int_id=0, commit_id=default/{self.repo.name}.user@{unknown}) not found"
        with self.fails("NOT_FOUND", text):
            list(self.pfs.walk_commit_provenance(start=[picker]))
        with self.fails("NOT_FOUND", "Forget Commit: picking commit: " + text, exact=True):
            self.pfs.forget_commit(commit=picker)

    def test_parent_missing(self):
        missing = pfs.Commit(repo=self.repo, id=uuid.uuid4().hex)
        with self.fails(
            "NOT_FOUND",
            "parent commit not found: pick commit tx: commit "
            f"default/{self.repo.name}@{missing.id} not found",
        ):
            self.pfs.start_commit(branch=self.master, parent=missing)

    def test_second_commit_of_a_transaction(self):
        first = tx.TransactionRequest(start_commit=pfs.StartCommitRequest(branch=self.master))
        other = pfs.Branch(repo=self.repo, name="other")
        second = tx.TransactionRequest(start_commit=pfs.StartCommitRequest(branch=other))
        with self.fails("ALREADY_EXISTS", "already exists\ninconsistent dependencies: cannot ") as e:
            self.client.transaction.batch_transaction(requests=[first, second])
        self.assert_text(
            rf"^error running request 2 of 2: .*commit default/{self.repo.name}.user@[0-9a-f]{{32}} "
            "already exists\ninconsistent dependencies: cannot create commit from "
            rf"default/{self.repo.name}@[0-9a-f]*; "
            rf"repo \({self.repo.name}\) already has a commit in this transaction$",
            e.text,
        )

    def test_tracker_item_missing(self):
        fileset = uuid.uuid4().hex
        text = f"tracker does not contain item: (fileset/{fileset})"
        with self.fails("NOT_FOUND", text, exact=True):
            self.pfs.renew_file_set(file_set_id=fileset, ttl_seconds=60)
        commit = self.commit()
        with self.fails(
            "NOT_FOUND", f"commit/{commit.id} does not contain item: (/none)", exact=True
        ):
            list(self.pfs.walk_file(file=pfs.File(commit=commit, path="none/")))

    def test_commit_set_missing(self):
        unknown = uuid.uuid4().hex
        with self.fails("NOT_FOUND", f"no commits found for commitset {unknown}"):
            list(self.pfs.inspect_commit_set(commit_set=pfs.CommitSet(id=unknown)))

    def test_commit_finished_already(self):
        commit = self.commit()
        text = f"commit default/{self.repo.name}@{commit.id} has already finished"
        with self.fails("UNKNOWN", "finish commit in transaction: " + text, exact=True):
            self.pfs.finish_commit(commit=commit)
        fileset = self.pfs.get_file_set(commit=commit).file_set_id
        with self.fails("UNKNOWN", text, exact=True):
            self.pfs.add_file_set(commit=commit, file_set_id=fileset)
        with self.fails("UNKNOWN", text, exact=True):
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
        name = f"commit default/{self.repo.name}@{commit.id} "
        # dropped before or after the wait began
        self.assertRegex(error.details(), re.escape(name) + "(was deleted|not found)")
        code = {"was deleted": "UNKNOWN", "not found": "NOT_FOUND"}
        ends = [code[end] for end in code if error.details().endswith(end)]
        self.assertEqual(ends, [error.code().name])
        future.close()

    def test_unfinished_parent(self):
        commit = self.pfs.start_commit(branch=self.master)
        with self.fails(
            "UNKNOWN",
            "start commit in transaction: create commit: parent commit "
            f"default/{self.repo.name}@{commit.id} has not been finished",
            exact=True,
        ):
            self.pfs.start_commit(branch=self.master)

    def test_unfinished_base(self):
        out = self.derived()
        first = self.pfs.inspect_branch(branch=out).head
        self.commit()
        second = self.pfs.inspect_branch(branch=out).head
        handle = f"default/{out.repo.name}@"
        text = f"base commit {handle}{first.id} for commit {handle}{second.id} unfinished"
        file = pfs.File(commit=second, path="/")
        for call in (self.pfs.list_file, self.pfs.walk_file, self.pfs.get_file_tar):
            with self.fails("UNKNOWN", text, exact=True):
                list(call(file=file))
        with self.fails("UNKNOWN", text, exact=True):
            list(self.pfs.glob_file(commit=second, pattern="*"))
        with self.fails("UNKNOWN", "get file: " + text, exact=True):
            list(self.pfs.get_file(file=file))
        with self.fails("UNKNOWN", "get file set: " + text, exact=True):
            self.pfs.get_file_set(commit=second)

    def test_find_commits_unfinished(self):
        commit = self.pfs.start_commit(branch=self.master)
        text = f"commit default/{self.repo.name}@{commit.id} not finished"
        with self.fails("UNAVAILABLE", text, exact=True) as caught:
            list(self.pfs.find_commits(start=commit, file_path="/f"))
        trailers = dict(caught.error.trailing_metadata())
        details = trailers["grpc-status-details-bin"]
        for part in ("google.rpc.ResourceInfo", "pfs:commit", commit.id, "commit not finished"):
            self.assertIn(part.encode(), details)

    def test_output_branch(self):
        out = self.derived()
        head = pfs.Commit(repo=out.repo, branch=out)
        self.pfs.finish_commit(commit=head)
        self.pfs.wait_commit(head)
        text = f"cannot start a commit on an output branch: default/{out.repo.name}@master"
        with self.fails("UNKNOWN", text):
            self.pfs.start_commit(branch=out)
        with self.fails("UNKNOWN", text):
            self.pfs.put_file_from_bytes(commit=head, path="/f", data=b"")

    def test_squash_without_children(self):
        commit = self.commit()
        with self.fails(
            "UNKNOWN",
            "cannot squash a commit that has no children as that would cause data loss, "
            f"use the drop operation instead: default/{self.repo.name}@{commit.id}",
            exact=True,
        ):
            self.pfs.squash_commit_set(commit_set=pfs.CommitSet(id=commit.id))

    def test_drop_with_children(self):
        first = self.commit()
        self.commit()
        text = f"cannot drop a commit that has children: default/{self.repo.name}@{first.id}"
        with self.fails("UNKNOWN", text, exact=True):
            self.pfs.drop_commit_set(commit_set=pfs.CommitSet(id=first.id))

    def test_two_branches_in_a_dag(self):
        other = pfs.Branch(repo=self.repo, name="other")
        for branch in (self.master, other):
            self.pfs.create_branch(branch=branch)
        out = pfs.Branch(repo=self.make_repo(), name="master")
        text = (
            "validate DAG at end of transaction: multiple branches from the same repo, "
            f'"default/{self.repo.name}", cannot participate in a DAG'
        )
        with self.fails("UNKNOWN", text, exact=True):
            self.pfs.create_branch(branch=out, provenance=[self.master, other])

    def test_later_dependants(self):
        self.commit(files={"/f": b"1"})
        first = self.pfs.inspect_branch(branch=self.master).head.id
        second = self.pfs.inspect_branch(branch=self.derived(commit=False)).head.id
        text = (
            f'commit set "id:\\"{first}\\"" cannot be dropped because it has subvenant commit '
            f'sets: [id:"{second}"]'
        )
        for call in (self.pfs.squash_commit_set, self.pfs.drop_commit_set):
            with self.fails("UNKNOWN", text, exact=True):
                call(commit_set=pfs.CommitSet(id=first))

    def test_cycle(self):
        out = pfs.Branch(repo=self.make_repo(), name="master")
        self.pfs.create_branch(branch=self.master)
        self.pfs.create_branch(branch=out, provenance=[self.master])
        up, down = (f"default/{r.name}.user@master" for r in (self.repo, out.repo))
        text = f"cycle detected because {down} is already in the subvenance of {up}"
        with self.fails("INTERNAL", text, exact=True):
            self.pfs.create_branch(branch=self.master, provenance=[out])

    def test_get_file_of_directory_and_of_many(self):
        commit = self.commit(files={"/d/a": b"1", "/d/b": b"2"})
        with self.fails(
            "UNKNOWN", "cannot get directory or non-regular file. Use GetFileTAR instead"
        ):
            list(self.pfs.get_file(file=pfs.File(commit=commit, path="/d")))
        with self.fails("UNKNOWN", "matched multiple files. Use GetFileTAR instead"):
            list(self.pfs.get_file(file=pfs.File(commit=commit, path="/d/*")))

    def test_delete_repo(self):
        with self.fails("INVALID_ARGUMENT", "no repo specified"):
            raw_call(self.client, "/pfs_v2.API/DeleteRepo")
        self.pfs.delete_repo(repo=self.none_repo())

    def test_forgotten(self):
        out = self.derived()
        first = self.pfs.inspect_branch(branch=out).head
        picker = pfs.CommitPicker(
            id=pfs.CommitPickerCommitByGlobalId(repo=out.repo.as_picker(), id=first.id)
        )
        self.pfs.finish_commit(commit=first)
        self.commit()
        with self.fails("UNKNOWN", "Forget Commit: direct descendants must be closed", exact=True):
            self.pfs.forget_commit(commit=picker)
        self.pfs.finish_commit(commit=self.pfs.inspect_branch(branch=out).head)
        self.pfs.wait_commit(self.pfs.inspect_branch(branch=out).head)
        self.pfs.forget_commit(commit=picker)
        text = "the commit is forgotten"
        types = pfs.GetFileSetRequestFileSetType
        for kind in (types.TOTAL, types.DIFF):
            with self.fails("UNKNOWN", "get file set: " + text, exact=True):
                self.pfs.get_file_set(commit=first, type=kind)
        file = pfs.File(commit=first, path="/f")
        with self.fails("UNKNOWN", "get file: " + text, exact=True):
            list(self.pfs.get_file(file=file))
        for call in (self.pfs.list_file, self.pfs.walk_file, self.pfs.get_file_tar):
            with self.fails("UNKNOWN", text, exact=True):
                list(call(file=file))
        with self.fails(
            "UNKNOWN",
            "list branch in transaction: for each branch: the branch head cannot be a forgotten "
            "commit",
            exact=True,
        ):
            self.pfs.create_branch(branch=out, head=first)


# Each row of the table, by its first words: the test, or why no request leads there.
ROWS = {
    "file missing": "test_file_missing",
    "repo missing": "test_repo_missing",
    "repo missing (db layer)": "test_repo_missing_in_the_database",
    "repo exists": "test_repo_exists",
    "branch missing": "test_branch_missing",
    "branch missing (db layer)": "test_branch_missing_in_the_database",
    "branch exists": "never: CreateBranch moves a branch that exists",
    "project missing": "test_project_missing",
    "repo type outside the enum": "test_repo_type",
    "project to delete missing": "test_project_missing",
    "project exists": "test_project_exists",
    "commit missing": "test_commit_missing",
    "commit missing (db layer)": "test_commit_missing_in_the_database",
    "parent missing": "test_parent_missing",
    "commit exists (db layer)": "test_second_commit_of_a_transaction",
    "commit set empty": "test_commit_set_missing",
    "tracker/index item missing": "test_tracker_item_missing",
    "commit finished already": "test_commit_finished_already",
    "commit finished with error": "never: such commits are read as they are",
    "commit deleted while waiting": "test_commit_deleted_while_waiting",
    "output commit unfinished": "never: reads of it tell the unfinished base",
    "commit unfinished (FindCommits)": "test_find_commits_unfinished",
    "read needs an unfinished parent": "test_unfinished_base",
    "second commit in same repo in one txn": "test_second_commit_of_a_transaction",
    "user commit on output branch": "test_output_branch",
    "squash without children": "test_squash_without_children",
    "drop with children": "test_drop_with_children",
    "two branches of a repo in one DAG": "test_two_branches_in_a_dag",
    "squash/drop set with later dependants": "test_later_dependants",
    "GetFile matched a directory": "test_get_file_of_directory_and_of_many",
    "GetFile matched several files": "test_get_file_of_directory_and_of_many",
    "provenance cycle": "test_cycle",
    "nil handle parts (db layer)": "never: handles are checked before",
    "delete non-empty project": "test_project_not_empty",
    "DeleteRepo without repo": "test_delete_repo",
    "forgotten commit read": "test_forgotten",
}


class RowsTest(unittest.TestCase):
    def test_every_row_has_a_test(self):
        for row, test in ROWS.items():
            with self.subTest(row):
                self.assertTrue(test.startswith("never: ") or hasattr(ErrorTest, test), test)


if __name__ == "__main__":
    unittest.main()
