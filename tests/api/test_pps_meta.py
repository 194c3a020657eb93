"""What a pipeline's meta repo shows: of each datum how it went, its environment, inputs, outputs."""

import json

from pachyderm_sdk.api import pfs, pps

from harness import name as unique
from pps_case import FAILURE, PpsCase


class Meta(PpsCase):
    def ids(self, info):
        return {d.data[0].file.path: d.datum.id
                for d in self.client.pps.list_datum(job=info.job)}

    def meta(self, name, path="/", branch="master"):
        repo = pfs.Repo(name=name, type="meta", project=pfs.Project(name="default"))
        commit = pfs.Commit(repo=repo, branch=pfs.Branch(name=branch, repo=repo))
        return pfs.File(commit=commit, path=path)

    def files(self, name, path="/", branch="master"):
        walked = self.client.pfs.walk_file(file=self.meta(name, path, branch))
        return [f.file.path for f in walked if f.file_type == pfs.FileType.FILE]

    def read_meta(self, name, path):
        with self.client.pfs.pfs_file(file=self.meta(name, path)) as file:
            return file.read()

    def test_contents(self):
        """The complete list of a job's files, and of the next one's, whose input is another."""
        repo = self.repo(files={"/a": b"foo"})
        name = self.pipeline(repo)
        for path, other in ("/a", "/b"), ("/b", "/a"):
            info = self.succeeds(name)
            id = self.ids(info)[path]
            self.assertEqual(self.files(name), [
                f"/meta/{id}/meta", f"/pfs/{id}/.env", f"/pfs/{id}/in{path}",
                f"/pfs/{id}/out{path}"])
            self.assertEqual(self.read_meta(name, f"/pfs/{id}/in{path}"), b"foo")
            self.assertEqual(self.read_meta(name, f"/pfs/{id}/out{path}"), b"foo")
            self.put(repo, {other: b"foo"}, delete=[path])

    def test_how_it_went(self):
        repo = self.repo(files={"/a": b"foo", "/b": b"bar"})
        name = self.pipeline(repo, "grep -q foo /pfs/in/*", datum_tries="1")
        info = self.job(name)
        self.assertEqual(info.state, FAILURE)
        ids = self.ids(info)
        good, bad = (json.loads(self.read_meta(name, f"/meta/{ids[p]}/meta")) for p in ("/a", "/b"))
        self.assertEqual((bad["state"], bad["reason"]), ("FAILED", "exit status 1"))
        self.assertNotIn("state", good)
        self.assertEqual(good["job"], {"pipeline": {"project": {"name": "default"}, "name": name},
                                       "id": info.job.id})
        source, = good["inputs"]
        self.assertEqual((source["name"], source["branch"], source["fileInfo"]["file"]["path"]),
                         ("in", "master", "/a"))
        self.assertEqual(source["fileInfo"]["sizeBytes"], "3")
        self.assertEqual(len(good["hash"]), 64)

    def test_environment_without_secrets(self):
        secret = unique("s")
        self.client.pps.create_secret(name=secret, data={"word": "hunter2"})
        name = self.pipeline(self.repo(files={"/a": b"1"}), "cp /pfs/.env /pfs/out/env",
                             transform={"env": {"MINE": "x"}, "secrets": [
                                 {"name": secret, "key": "word", "env_var": "WORD"}]})
        id = self.ids(self.succeeds(name))["/a"]
        shown = self.read_meta(name, f"/pfs/{id}/.env").decode().splitlines()
        real = self.read(name, "/env").decode().splitlines()
        self.assertIn("MINE=x", shown)
        self.assertIn("WORD=***", shown)
        self.assertNotIn("hunter2", "".join(shown))
        own = ("WORD=", "PPS_WORKER_GRPC_PORT=", "FILESET_ID=")
        self.assertEqual([l for l in shown if not l.startswith(own)],
                         [l for l in real if not l.startswith(own)])

    def test_what_a_datum_points_to(self):
        name = self.pipeline(self.repo(files={"/a": b"1", "/d/b": b"2", "/d/e/c": b"3"}))
        info = self.succeeds(name)
        id = self.ids(info)["/d/"]
        state = self.client.pps.inspect_datum(datum=pps.Datum(job=info.job, id=id)).pfs_state
        self.assertEqual(state.path, f"/pfs/{id}")
        inspected = self.client.pfs.inspect_file(file=state)
        self.assertEqual(inspected.file_type, pfs.FileType.DIR)
        globbed = self.client.pfs.glob_file(commit=state.commit, pattern=f"/pfs/{id}/*")
        self.assertEqual([f.file.path for f in globbed],
                         [f"/pfs/{id}/.env", f"/pfs/{id}/in/", f"/pfs/{id}/out/"])
        globbed = self.client.pfs.glob_file(commit=state.commit, pattern=f"/pfs/{id}/out/**")
        sizes = {f.file.path.split("/out")[1]: f.size_bytes for f in globbed}
        self.assertEqual(sizes, {"/d/": 2, "/d/b": 1, "/d/e/": 1, "/d/e/c": 1})

    def test_pages(self):
        name = self.pipeline(self.repo(files={f"/{i:03}": b"1" for i in range(50)}))
        ids = sorted(self.ids(self.succeeds(name)).values())
        for section in "/meta", "/pfs":
            want = [f"{section}/{id}/" for id in ids]
            got = [f.file.path for f in self.client.pfs.list_file(file=self.meta(name, section))]
            self.assertEqual(got, want)
            page = self.client.pfs.list_file(file=self.meta(name, section), number=7,
                                             pagination_marker=self.meta(name, want[9]))
            self.assertEqual([f.file.path for f in page], want[10:17])
            page = self.client.pfs.list_file(file=self.meta(name, section), number=7, reverse=True)
            self.assertEqual([f.file.path for f in page], want[:-8:-1])
        roots = list(self.client.pfs.list_file(file=self.meta(name)))
        self.assertEqual([f.file.path for f in roots], ["/meta/", "/pfs/"])

    def test_flags_of_inputs(self):
        repo = self.repo(files={"/a": b"content"})
        name = self.pipeline(script=": >/pfs/out/x", input={"cross": [
            {"pfs": {"repo": repo, "glob": "/", "name": "lazy", "lazy": True}},
            {"pfs": {"repo": repo, "glob": "/", "name": "empty", "empty_files": True}}]})
        id, = self.ids(self.succeeds(name)).values()
        self.assertEqual(self.files(name, f"/pfs/{id}"), [
            f"/pfs/{id}/.env", f"/pfs/{id}/empty/a", f"/pfs/{id}/out/x"])
        self.assertEqual(self.read_meta(name, f"/pfs/{id}/empty/a"), b"")

    def test_changes(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo)
        self.succeeds(name)
        self.put(repo, {"/b": b"2"})
        ids = self.ids(self.succeeds(name))
        changes = self.client.pfs.diff_file(new_file=self.meta(name, "/"))
        new = [c.new_file.file.path for c in changes
               if c.new_file.file_type == pfs.FileType.FILE and c.new_file.file.path.count("/") > 3]
        self.assertEqual(new, [f"/pfs/{ids['/b']}/in/b", f"/pfs/{ids['/b']}/out/b"])

    def test_as_an_input(self):
        repo = self.repo(files={"/a": b"one"})
        name = self.pipeline(repo)
        self.succeeds(name)
        below = self.pipeline(
            script="cp -r /pfs/in/pfs/* /pfs/out/",
            input={"pfs": {"repo": name, "repo_type": "meta", "glob": "/pfs/*", "name": "in"}})
        self.succeeds(below)
        self.put(repo, {"/b": b"two"})
        id = self.ids(self.succeeds(name))["/b"]
        info = self.succeeds(below)
        self.assertEqual((info.data_processed, info.data_skipped), (1, 1))
        self.assertEqual(self.read(below, f"/{id}/out/b"), b"two")

    def test_copied_out(self):
        name = self.pipeline(self.repo(files={"/a": b"one"}))
        id = self.ids(self.succeeds(name))["/a"]
        repo = self.repo()
        with self.client.pfs.commit(branch=pfs.Branch.from_uri(f"{repo}@master")) as commit:
            commit.copy_file(src=self.meta(name, "/"), dst="/kept")
        self.assertEqual(self.read(repo, f"/kept/pfs/{id}/out/a"), b"one")
        self.assertEqual(len(self.paths(repo)), 4)
