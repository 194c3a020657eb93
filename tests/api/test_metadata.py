"""metadata.API (services.md 11)."""

from harness import ApiTest, name, unittest
from pachyderm_sdk.api import metadata as md, pfs


class MetadataTest(ApiTest):
    def setUp(self):
        super().setUp()
        self.project = pfs.Project(name=name("p"))
        self.client.pfs.create_project(project=self.project)
        self.repo = pfs.Repo(name=name(), project=self.project, type="user")
        self.client.pfs.create_repo(repo=self.repo)
        self.branch = pfs.Branch(repo=self.repo, name="master")
        with self.client.pfs.commit(branch=self.branch) as commit:
            pass
        self.commit = pfs.Commit(repo=self.repo, id=commit.id)

    def edit(self, *edits):
        self.client.metadata.edit_metadata(edits=list(edits))

    def targets(self):
        pfs_api = self.client.pfs
        picker = pfs.CommitPicker(
            id=pfs.CommitPickerCommitByGlobalId(repo=self.repo.as_picker(), id=self.commit.id)
        )
        branch = pfs.BranchPicker(
            name=pfs.BranchPickerBranchName(repo=self.repo.as_picker(), name="master")
        )
        return {
            "project": (
                self.project.as_picker(),
                lambda: pfs_api.inspect_project(project=self.project).metadata,
            ),
            "repo": (
                self.repo.as_picker(),
                lambda: pfs_api.inspect_repo(repo=self.repo).metadata,
            ),
            "branch": (branch, lambda: pfs_api.inspect_branch(branch=self.branch).metadata),
            "commit": (picker, lambda: pfs_api.inspect_commit(commit=self.commit).metadata),
            "cluster": (
                md.ClusterPicker(),
                lambda: self.client.admin.inspect_cluster().metadata,
            ),
        }

    def test_every_target_and_operation(self):
        for kind, (picker, read) in self.targets().items():
            with self.subTest(kind):
                target = {kind: picker}
                self.edit(md.Edit(**target, replace=md.EditReplace(replacement={"a": "1"})))
                self.assertEqual(read(), {"a": "1"})
                self.edit(md.Edit(**target, add_key=md.EditAddKey(key="b", value="2")))
                self.edit(md.Edit(**target, edit_key=md.EditEditKey(key="a", value="3")))
                self.edit(md.Edit(**target, edit_key=md.EditEditKey(key="c", value="4")))
                self.assertEqual(read(), {"a": "3", "b": "2", "c": "4"})
                self.edit(md.Edit(**target, delete_key=md.EditDeleteKey(key="b")))
                self.edit(md.Edit(**target, delete_key=md.EditDeleteKey(key="none")))
                self.assertEqual(read(), {"a": "3", "c": "4"})
                with self.fails(
                    "FAILED_PRECONDITION",
                    'apply edits: edit #0: add_key target key "a" already exists; '
                    "use edit_key instead",
                    exact=True,
                ):
                    self.edit(md.Edit(**target, add_key=md.EditAddKey(key="a", value="x")))
                self.edit(md.Edit(**target, replace=md.EditReplace()))
                self.assertEqual(read(), {})

    def test_all_or_nothing(self):
        good = md.Edit(
            project=self.project.as_picker(), add_key=md.EditAddKey(key="k", value="v")
        )
        missing = md.Edit(
            project=pfs.ProjectPicker(name="x-none"), add_key=md.EditAddKey(key="k", value="v")
        )
        gone = 'edit #1: pick project: picking project: project "x-none" not found'
        with self.fails("UNKNOWN", "apply edits: " + gone, exact=True):
            self.edit(good, missing)
        # The code is that of the fault which has one, wherever it stands.
        with self.fails("FAILED_PRECONDITION", f"apply edits: {gone}\nedit #2: add_key target key "):
            self.edit(good, missing, good)
        self.assertEqual(self.client.pfs.inspect_project(project=self.project).metadata, {})
        self.edit()

    def test_validation(self):
        with self.fails(
            "INVALID_ARGUMENT",
            "validate request: invalid EditMetadataRequest.Edits[0]: embedded message failed "
            "validation | caused by: invalid Edit.Target: value is required",
        ):
            self.edit(md.Edit(add_key=md.EditAddKey(key="k")))
        with self.fails("INVALID_ARGUMENT", "invalid Edit.Op: value is required"):
            self.edit(md.Edit(project=self.project.as_picker()))

    def test_survives_updates(self):
        self.edit(
            md.Edit(repo=self.repo.as_picker(), add_key=md.EditAddKey(key="k", value="v"))
        )
        self.client.pfs.create_repo(repo=self.repo, update=True, description="new")
        self.assertEqual(self.client.pfs.inspect_repo(repo=self.repo).metadata, {"k": "v"})


if __name__ == "__main__":
    unittest.main()
