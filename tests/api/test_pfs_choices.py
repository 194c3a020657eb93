"""Where the original is broken (pfs.md 26): the sensible behaviour instead, one test a row. ROWS says
which test is for which row."""

import pathlib
import threading

import grpc
from harness import name, raw_call, unittest
from pachyderm_sdk.api import pfs
from pps_case import PpsCase
from sdk_case import SdkCase


def paths(infos):
    return [info.file.path for info in infos]


class ChoicesTest(SdkCase):
    service = "pfs"
    refused = frozenset()

    @staticmethod
    def _must_return(method, body):
        return body

    def hash(self, commit, path):
        return self.client.pfs.inspect_file(file=pfs.File(commit=commit, path=path)).hash

    def modify(self, commit, *steps):
        first = pfs.ModifyFileRequest(set_commit=commit)
        self.client.pfs.modify_file(iter([first, *(pfs.ModifyFileRequest(**s) for s in steps)]))

    def finish(self, branch):
        head = self.client.pfs.inspect_branch(branch=branch).head
        self.client.pfs.finish_commit(commit=head)
        return head

    def test_empty_set_id(self):
        texts = {
            "SquashCommitSet": "commit set id cannot be empty",
            "DropCommitSet": "commit set id cannot be empty",
            "InspectCommitSet": "no commits found for commitset",
        }
        for method, text in texts.items():
            with self.fails("INVALID_ARGUMENT", text, exact=True):
                raw_call(self.client, "/pfs_v2.API/" + method, b"\x0a\x00")

    def test_project_names_are_not_sql(self):
        self.repo()
        for odd in ("x') OR ('1'='1", "x' OR 1=1 --", "%"):
            listed = self.client.pfs.list_repo(projects=[pfs.Project(name=odd)])
            self.assertEqual(list(listed), [])

    def test_durations(self):
        commit = self.put(self.branch(), {f"/{n}": b"x" * 1000 for n in range(100)})
        details = self.client.pfs.inspect_commit(commit=commit).details
        for spent in (details.compacting_time, details.validating_time):
            self.assertLess(abs(spent.total_seconds()), 5)
        total = details.compacting_time + details.validating_time
        self.assertGreater(total.total_seconds(), 0)

    def test_copy_target_is_checked(self):
        source = self.put(self.branch(), {"/a": b"1"})
        into = self.client.pfs.start_commit(branch=self.branch())
        for dst in ("/a*b", "../z", "/\u00e9"):
            with self.fails("UNKNOWN", "invalid: "):
                self.client.pfs.copy_file(
                    commit=into, src=pfs.File(commit=source, path="/a"), dst=dst
                )
        self.assertEqual(self.files(into), {})

    def test_collisions_apart(self):
        commit = self.client.pfs.start_commit(branch=self.branch())
        for path in ("/dir", "/dir-x", "/dir.y", "/dir/f"):
            self.client.pfs.put_file_from_bytes(commit=commit, path=path, data=b"1")
        self.client.pfs.finish_commit(commit=commit)
        error = self.client.pfs.wait_commit(commit).error
        self.assertEqual(error, "file / directory path collision (/dir/f)")

    def test_rename_changes_the_directory(self):
        branch = self.branch()
        first = self.put(branch, {"/d/a": b"1"})
        second = self.put(branch, {"/d/b": b"1"}, delete=["/d/a"])
        self.assertNotEqual(self.hash(first, "/d"), self.hash(second, "/d"))
        diff = self.client.pfs.diff_file(new_file=pfs.File(commit=second, path="/"))
        new = [d.new_file.file.path for d in diff if d.new_file.file.path]
        self.assertEqual(new, ["/", "/d/", "/d/b"])

    def test_export_takes_the_glob(self):
        self.use_own_server("--allow-file-urls", "1")
        commit = self.put(self.branch(), {"/a.txt": b"1", "/b.csv": b"2", "/d/c.txt": b"3"})
        folder = pathlib.Path(self.folder())
        file = pfs.File(commit=commit, path="/**.txt")
        self.assertEqual(list(self.client.pfs.get_file_tar(file=file, url=folder.as_uri())), [])
        written = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
        self.assertEqual(written, {"a.txt", "d/c.txt"})

    def test_shard_sizes_are_the_requests(self):
        steps = [
            pfs.ModifyFileRequest(add_file=pfs.AddFile(path=f"/{n}", raw=b"x")) for n in range(4)
        ]
        fileset = self.client.pfs.create_file_set(iter(steps)).file_set_id
        shards = lambda **more: len(
            self.client.pfs.shard_file_set(file_set_id=fileset, **more).shards
        )
        self.assertEqual((shards(num_files=1), shards(), shards(size_bytes=2)), (4, 1, 2))
        self.assertEqual(shards(), 1)

    def test_recursive_delete_of_a_tag(self):
        commit = self.client.pfs.start_commit(branch=self.branch())
        self.modify(
            commit,
            {"add_file": pfs.AddFile(path="/d/a", datum="one", raw=b"1")},
            {"add_file": pfs.AddFile(path="/d/b", datum="two", raw=b"2")},
            {"delete_file": pfs.DeleteFile(path="/d/", datum="one")},
        )
        self.assertEqual(self.files(commit), {"/d/b": b"2"})

    def test_from_the_root_of_a_branch(self):
        branch = self.branch()
        made = [self.put(branch).id for _ in range(3)]
        api = self.client.pfs
        for nth, id in enumerate(made, 1):
            info = api.inspect_commit(commit=pfs.Commit(repo=branch.repo, id=f"master.{nth}"))
            self.assertEqual(info.commit.id, id)
        for beyond in ("master.0", "master.4", "master.5", made[0] + ".1"):
            with self.fails("UNKNOWN", "pick commit tx: "):
                api.inspect_commit(commit=pfs.Commit(repo=branch.repo, id=beyond))

    def test_list_from_a_reference(self):
        branch = self.branch()
        made = [self.put(branch) for _ in range(4)]
        since = pfs.Commit(repo=branch.repo, id="master~2")
        listed = self.client.pfs.list_commit(repo=branch.repo, from_=since, to=made[3])
        self.assertEqual([i.commit.id for i in listed], [made[3].id, made[2].id])

    def test_list_forgotten(self):
        up, down = self.derived()
        old = self.client.pfs.inspect_branch(branch=down).head
        self.put(up)
        self.client.pfs.wait_commit(self.finish(down))
        before = {i.commit.id: i for i in self.client.pfs.list_commit(repo=down.repo)}
        self.client.pfs.forget_commit(commit=self.picker_of(old))
        after = {i.commit.id: i for i in self.client.pfs.list_commit(repo=down.repo)}
        self.assertEqual(set(before), set(after))
        self.assertEqual(after[old.id].size_bytes_upper_bound, 0)

    def test_subscription_outlives_deletions(self):
        branch, other = self.branch(), None
        api = self.client.pfs
        first = self.put(branch)
        other = pfs.Branch(repo=branch.repo, name="other")
        self.put(other)
        api.delete_branch(branch=other)
        open_one = api.start_commit(branch=branch)
        stream = api.subscribe_commit(
            repo=branch.repo, branch="master", state=pfs.CommitState.FINISHED
        )
        self.assertEqual(next(stream).commit.id, first.id)
        api.drop_commit(commit=open_one)
        last = self.put(branch)
        self.assertEqual(next(stream).commit.id, last.id)
        stream.close()

    def test_subscription_ends_with_the_repo(self):
        branch = self.branch()
        self.put(branch)
        stream = self.client.pfs.subscribe_commit(repo=branch.repo)
        next(stream)
        self.client.pfs.delete_repo(repo=branch.repo)
        with self.assertRaises(grpc.RpcError):
            next(stream)

    def test_trigger_texts_stay(self):
        master = self.branch()
        self.put(master)
        follower = pfs.Branch(repo=master.repo, name="f")
        self.client.pfs.create_branch(
            branch=follower, trigger=pfs.Trigger(branch="master", size="1G")
        )
        with self.fails("UNKNOWN", "cannot be deleted because it is triggered by branches"):
            self.client.pfs.delete_branch(branch=master)
        with self.fails("UNKNOWN", "cannot be deleted because it triggers branches"):
            self.client.pfs.delete_branch(branch=follower)
        self.client.pfs.delete_branch(branch=follower, force=True)

    def test_parent_of_another_repo(self):
        foreign = self.put(self.branch())
        with self.fails("INVALID_ARGUMENT", "is not in repo default/"):
            self.client.pfs.start_commit(branch=self.branch(), parent=foreign)

    def test_head_of_another_project(self):
        project = pfs.Project(name=name("p"))
        self.client.pfs.create_project(project=project)
        here = self.branch()
        there = pfs.Repo(name=here.repo.name, type="user", project=project)
        self.client.pfs.create_repo(repo=there)
        head = self.put(pfs.Branch(repo=there, name="master"))
        with self.fails("UNKNOWN", "branch and head commit must belong to the same repo"):
            self.client.pfs.create_branch(branch=here, head=head)

    def test_deleting_leaves_other_branches(self):
        branch = self.branch()
        self.put(branch)
        other = pfs.Branch(repo=branch.repo, name="other")
        self.put(other)
        before = self.client.pfs.inspect_branch(branch=other)
        self.client.pfs.drop_commit(commit=self.put(branch))
        self.assertEqual(self.client.pfs.inspect_branch(branch=other), before)

    def test_late_layer(self):
        commit = self.client.pfs.start_commit(branch=self.branch())
        begun, finished = threading.Event(), threading.Event()

        def steps():
            yield pfs.ModifyFileRequest(set_commit=commit)
            yield pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/late", raw=b"1"))
            begun.set()
            finished.wait(20)

        def finish():
            begun.wait(20)
            self.server.client().pfs.finish_commit(commit=commit)
            finished.set()

        thread = threading.Thread(target=finish)
        thread.start()
        self.addCleanup(thread.join)
        with self.fails("UNKNOWN", "has already finished"):
            self.client.pfs.modify_file(steps())
        self.client.pfs.wait_commit(commit)
        self.assertEqual(self.files(commit), {})

    def test_empty_files_hash_alike(self):
        branch = self.branch()
        one = self.put(branch, {"/a": b""})
        commit = self.client.pfs.start_commit(branch=branch)
        for _ in range(3):
            self.client.pfs.put_file_from_bytes(commit=commit, path="/b", data=b"", append=True)
        self.client.pfs.finish_commit(commit=commit)
        self.client.pfs.wait_commit(commit)
        self.assertEqual(self.hash(one, "/a"), self.hash(commit, "/b"))

    def test_glob_escapes(self):
        commit = self.put(self.branch(), {"/abc": b"1", "/b\\c": b"2"})
        glob = lambda pattern: paths(self.client.pfs.glob_file(commit=commit, pattern=pattern))
        self.assertEqual(glob("/\\a*"), ["/abc"])
        self.assertEqual(glob("\\a\\b?"), ["/abc"])
        self.assertEqual(glob("/b\\\\*"), ["/b\\c"])

    def test_squash_below_a_failed_commit(self):
        branch = self.branch()
        first = self.put(branch, {"/a": b"1"})
        failed = self.client.pfs.start_commit(branch=branch)
        self.client.pfs.put_file_from_bytes(commit=failed, path="/b", data=b"2")
        self.client.pfs.finish_commit(commit=failed, error="bad")
        self.client.pfs.wait_commit(failed)
        last = self.put(branch, {"/c": b"3"})
        self.client.pfs.squash_commit(commit=first)
        self.assertEqual(self.files(failed), {"/a": b"1", "/b": b"2"})
        self.assertEqual(self.files(last), {"/a": b"1", "/c": b"3"})

    def test_two_missing_branches_of_a_repo(self):
        other = self.repo()
        provenance = [pfs.Branch(repo=other, name=n) for n in ("x", "y")]
        with self.fails("ALREADY_EXISTS", "already has a commit in this transaction"):
            self.client.pfs.create_branch(branch=self.branch(), provenance=provenance)
        self.assertFalse(self.client.pfs.branch_exists(provenance[0]))

    def test_ready_of_an_ancestor(self):
        """What the ancestor depends on is unfinished, what the head depends on is not."""
        slow_branch, quick_branch, down = self.branch(), self.branch(), self.branch()
        self.client.pfs.create_branch(branch=down, provenance=[slow_branch, quick_branch])
        slow = self.client.pfs.start_commit(branch=slow_branch)
        self.put(quick_branch)
        ancestor = pfs.Commit(repo=down.repo, id="master^")
        ready = pfs.CommitState.READY
        request = pfs.InspectCommitRequest(commit=ancestor, wait=ready)
        with self.fails("DEADLINE_EXCEEDED"):
            raw_call(self.client, "/pfs_v2.API/InspectCommit", bytes(request), timeout=0.3)
        self.client.pfs.finish_commit(commit=slow)
        info = self.client.pfs.inspect_commit(commit=ancestor, wait=ready)
        self.assertEqual(info.commit.id, slow.id)

    def test_child_before_its_base(self):
        up, down = self.branch(), self.branch()
        self.put(up)
        self.client.pfs.create_branch(branch=down, provenance=[up])
        first = self.client.pfs.inspect_branch(branch=down).head
        self.put(up)
        second = self.client.pfs.inspect_branch(branch=down).head
        self.client.pfs.put_file_from_bytes(commit=first, path="/a", data=b"1")
        self.client.pfs.put_file_from_bytes(commit=second, path="/b", data=b"2")
        self.client.pfs.finish_commit(commit=second)
        self.client.pfs.finish_commit(commit=first)
        self.assertIsNotNone(self.client.pfs.wait_commit(second).finished)
        self.assertEqual(self.files(second), {"/a": b"1", "/b": b"2"})

    def test_no_file_is_the_root(self):
        commit = self.client.pfs.start_commit(branch=self.branch())
        source = self.put(self.branch(), {"/a": b"1"})
        for step in (
            {"add_file": pfs.AddFile(path="/", raw=b"1")},
            {"add_file": pfs.AddFile(path="//", raw=b"1")},
            {"copy_file": pfs.CopyFile(dst="/", src=pfs.File(commit=source, path="/a"))},
        ):
            with self.fails("INVALID_ARGUMENT", "the root directory is not a file"):
                self.modify(commit, step)
        self.assertEqual(self.files(commit), {})


class SpecChoicesTest(PpsCase):
    def test_spec_commits_stay(self):
        """Squash and drop alike leave the commits that made a pipeline what it is."""
        pipeline = self.pipeline(self.repo(files={"/a": b"1"}))
        self.succeeds(pipeline)
        spec = pfs.Repo(name=pipeline, type="spec", project=pfs.Project(name="default"))
        commit = next(iter(self.client.pfs.list_commit(repo=spec))).commit
        for call in (self.client.pfs.squash_commit, self.client.pfs.drop_commit):
            with self.fails("UNKNOWN", "because it updated a pipeline"):
                call(commit=commit, recursive=True)
        self.assertTrue(self.client.pfs.commit_exists(commit))


# Rows of section 26: the test here, or the file and test elsewhere, or why there is none.
ROWS = {
    1: "test_empty_set_id",
    2: "none: there is nobody to tell apart while auth is off",
    3: "test_project_names_are_not_sql",
    4: "test_durations",
    5: "test_copy_target_is_checked",
    6: "test_collisions_apart",
    7: "test_rename_changes_the_directory",
    8: "test_export_takes_the_glob",
    9: "test_shard_sizes_are_the_requests",
    10: "unit/pfs/test_fileset.c: composites_end",
    11: "test_recursive_delete_of_a_tag",
    12: "test_from_the_root_of_a_branch",
    13: "test_list_forgotten, test_list_from_a_reference",
    14: "test_subscription_outlives_deletions",
    15: "test_trigger_texts_stay",
    16: "test_parent_of_another_repo",
    17: "test_head_of_another_project",
    18: "test_deleting_leaves_other_branches",
    19: "test_late_layer",
    20: "test_empty_files_hash_alike",
    21: "test_glob_escapes",
    22: "api/test_storage.py: test_filters",
    23: "test_squash_below_a_failed_commit",
    24: "api/test_storage.py: test_cache",
    25: "none: a pattern in clients",
    26: "test_two_missing_branches_of_a_repo",
    27: "test_ready_of_an_ancestor",
    28: "test_spec_commits_stay",
    29: "test_child_before_its_base",
    30: "test_no_file_is_the_root",
    31: "test_subscription_outlives_deletions, test_subscription_ends_with_the_repo",
    32: "test_durations",
}


class RowsTest(unittest.TestCase):
    def test_every_row_has_a_test(self):
        tests = pathlib.Path(__file__).resolve().parents[1]
        here = set(dir(ChoicesTest)) | set(dir(SpecChoicesTest))
        for row, entry in ROWS.items():
            with self.subTest(row):
                file, _, test = entry.partition(": ")
                if file == "none":
                    continue
                if test:
                    self.assertIn(test, (tests / file).read_text(encoding="utf-8"))
                else:
                    self.assertEqual(set(entry.split(", ")) - here, set())
        self.assertEqual(sorted(ROWS), list(range(1, 33)))


if __name__ == "__main__":
    unittest.main()
