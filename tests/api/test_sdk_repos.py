"""The client's methods of pfs on projects, repos and branches."""

from harness import name, unittest
from pachyderm_sdk.api import pfs
from sdk_case import DEFAULT, SdkCase


class ProjectMethods(SdkCase):
    service = "pfs"

    def project(self, **more):
        project = pfs.Project(name=name("p"))
        self.client.pfs.create_project(project=project, **more)
        return project

    def test_create_project(self):
        project = pfs.Project(name=name("p"))
        self.api.create_project(project=project, description="one")
        self.assertEqual(self.client.pfs.inspect_project(project=project).description, "one")
        self.api.create_project(project=project, description="two", update=True)
        self.assertEqual(self.client.pfs.inspect_project(project=project).description, "two")
        missing = pfs.Project(name=name("p"))
        with self.fails("NOT_FOUND", f'project "{missing.name}" not found'):
            self.api.create_project(project=missing, update=True)

    def test_inspect_project(self):
        info = self.api.inspect_project(project=self.project(description="d"))
        self.assertEqual(info.description, "d")
        self.assertIsNotNone(info.created_at)
        self.assertEqual(info.auth_info, pfs.AuthInfo())

    def test_inspect_project_v2(self):
        project = self.project()
        answer = self.api.inspect_project_v2(project=project)
        self.assertEqual((answer.info.project, answer.defaults_json), (project, "{}"))

    def test_list_project(self):
        made = [self.project().name for _ in range(3)]
        listed = [info.project.name for info in self.api.list_project()]
        self.assertIn("default", listed)
        self.assertEqual([p for p in listed if p in made], made)

    def test_delete_project(self):
        project = self.project()
        self.api.delete_project(project=project)
        self.assertFalse(self.client.pfs.project_exists(project))

    def test_project_exists(self):
        self.assertTrue(self.api.project_exists(self.project()))
        self.assertFalse(self.api.project_exists(pfs.Project(name=name("p"))))


class RepoMethods(SdkCase):
    service = "pfs"

    def test_create_repo(self):
        repo = pfs.Repo(name=name(), type="user", project=DEFAULT)
        self.api.create_repo(repo=repo, description="one")
        self.api.create_repo(repo=repo, description="two", update=True)
        self.assertEqual(self.client.pfs.inspect_repo(repo=repo).description, "two")

    def test_inspect_repo(self):
        branch = self.branch()
        self.put(branch, {"/a": b"123"})
        self.client.pfs.create_branch(branch=pfs.Branch(repo=branch.repo, name="b"))
        info = self.api.inspect_repo(repo=branch.repo)
        self.assertEqual((info.details.size_bytes, info.size_bytes_upper_bound), (3, 0))
        self.assertEqual({b.name for b in info.branches}, {"master", "b"})

    def test_list_repo(self):
        project = pfs.Project(name=name("p"))
        self.client.pfs.create_project(project=project)
        repos = sorted(self.repo(project).name for _ in range(5))
        listed = list(self.api.list_repo(projects=[project]))
        self.assertEqual([info.repo.name for info in listed], repos)
        self.assertTrue(all(not bytes(info.details) for info in listed))
        page = pfs.RepoPage(
            order=pfs.RepoPageOrdering.PROJECT_REPO, page_size=2, page_index=1
        )
        paged = self.api.list_repo(projects=[project], page=page)
        self.assertEqual([info.repo.name for info in paged], repos[2:4])
        self.assertEqual(list(self.api.list_repo(projects=[project], type="meta")), [])

    def test_delete_repo(self):
        repo = self.repo()
        self.assertTrue(self.api.delete_repo(repo=repo).deleted)
        self.assertFalse(self.api.delete_repo(repo=repo).deleted)

    def test_delete_repos(self):
        project = pfs.Project(name=name("p"))
        self.client.pfs.create_project(project=project)
        repos = {self.repo(project).name for _ in range(3)}
        self.assertEqual(self.api.delete_repos().repos, [])
        deleted = self.api.delete_repos(projects=[project]).repos
        self.assertEqual({repo.name for repo in deleted}, repos)
        self.assertEqual(list(self.client.pfs.list_repo(projects=[project])), [])

    def test_repos_summary(self):
        project = pfs.Project(name=name("p"))
        self.client.pfs.create_project(project=project)
        branch = pfs.Branch(repo=self.repo(project), name="master")
        self.put(branch, {"/a": b"12345"})
        self.repo(project)
        pickers = [p.as_picker() for p in (project, pfs.Project(name="none-such"), project)]
        summaries = self.api.repos_summary(projects=pickers).summaries
        self.assertEqual(
            [(s.project.name, s.user_repo_count, s.size_bytes) for s in summaries],
            [(project.name, 2, 5)] * 2,
        )

    def test_repo_exists(self):
        self.assertTrue(self.api.repo_exists(self.repo()))
        self.assertFalse(self.api.repo_exists(pfs.Repo.from_uri(name())))


class BranchMethods(SdkCase):
    service = "pfs"

    def test_create_branch(self):
        branch = self.branch()
        first, second = self.put(branch, {"/a": b"1"}), self.put(branch, {"/a": b"2"})
        other = pfs.Branch(repo=branch.repo, name="other")
        for head in (second, first):
            self.api.create_branch(branch=other, head=head)
            self.assertEqual(self.client.pfs.inspect_branch(branch=other).head.id, head.id)

    def test_inspect_branch(self):
        up, down = self.derived()
        info = self.api.inspect_branch(branch=down)
        self.assertEqual([b.repo.name for b in info.direct_provenance], [up.repo.name])
        self.assertEqual([b.repo.name for b in info.provenance], [up.repo.name])
        above = self.api.inspect_branch(branch=up)
        self.assertEqual([b.repo.name for b in above.subvenance], [down.repo.name])

    def test_list_branch(self):
        repo = self.repo()
        names = ["a", "c", "b"]
        for each in names:
            self.client.pfs.create_branch(branch=pfs.Branch(repo=repo, name=each))
        listed = [info.branch.name for info in self.api.list_branch(repo=repo)]
        self.assertEqual(listed, names[::-1])
        listed = [info.branch.name for info in self.api.list_branch(repo=repo, reverse=True)]
        self.assertEqual(listed, names)

    def test_delete_branch(self):
        branch = self.branch()
        commit = self.put(branch)
        self.api.delete_branch(branch=branch)
        self.assertFalse(self.client.pfs.branch_exists(branch))
        self.assertTrue(self.client.pfs.commit_exists(commit))

    def test_walk_branch_provenance(self):
        up, down = self.derived()
        walked = self.api.walk_branch_provenance(start=[down.as_picker()])
        self.assertEqual([info.branch.repo.name for info in walked], [up.repo.name])

    def test_walk_branch_subvenance(self):
        up, down = self.derived()
        walked = self.api.walk_branch_subvenance(start=[up.as_picker()])
        self.assertEqual([info.branch.repo.name for info in walked], [down.repo.name])

    def test_branch_exists(self):
        branch = self.branch()
        self.assertFalse(self.api.branch_exists(branch))
        self.put(branch)
        self.assertTrue(self.api.branch_exists(branch))


if __name__ == "__main__":
    unittest.main()
