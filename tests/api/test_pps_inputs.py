"""What a datum is, by its pipeline's input; cron and trigger inputs."""

import unittest

from pachyderm_sdk.api import pfs, pps

from harness import name as unique
from pps_case import SUCCESS, PpsCase


def leaf(repo, name, glob="/*", **more):
    return {"pfs": {"repo": repo, "name": name, "glob": glob, **more}}


class Inputs(PpsCase):
    def setUp(self):
        super().setUp()
        self.left = self.repo("l", {"/a1": b"a", "/b1": b"b"})
        self.right = self.repo("r", {"/a2": b"A", "/c2": b"C"})

    def joined(self, input, script):
        name = self.pipeline(input=input, script=script)
        return name, self.succeeds(name)

    def test_cross(self):
        input = {"cross": [leaf(self.left, "l"), leaf(self.right, "r")]}
        script = "cat /pfs/l/* /pfs/r/* > /pfs/out/$(basename /pfs/l/*)-$(basename /pfs/r/*)"
        name, info = self.joined(input, script)
        self.assertEqual(info.data_total, 4)
        self.assertEqual(self.paths(name), ["/a1-a2", "/a1-c2", "/b1-a2", "/b1-c2"])
        self.assertEqual(self.read(name, "/b1-c2"), b"bC")
        commit = self.put(self.left, {"/z1": b"z"})
        self.assertEqual(self.succeeds(name, commit.id).data_processed, 2)

    def test_union(self):
        input = {"union": [leaf(self.left, "in"), leaf(self.right, "in")]}
        name, info = self.joined(input, "cp /pfs/in/* /pfs/out/")
        self.assertEqual(info.data_total, 4)
        self.assertEqual(self.paths(name), ["/a1", "/a2", "/b1", "/c2"])

    def test_join(self):
        input = {"join": [leaf(self.left, "l", "/(?)1", join_on="$1"),
                          leaf(self.right, "r", "/(?)2", join_on="$1")]}
        name, info = self.joined(input, "cat /pfs/l/* /pfs/r/* > /pfs/out/$(basename /pfs/l/*)")
        self.assertEqual(info.data_total, 1)
        self.assertEqual(self.read(name, "/a1"), b"aA")

    def test_outer_join(self):
        input = {"join": [leaf(self.left, "l", "/(?)1", join_on="$1", outer_join=True),
                          leaf(self.right, "r", "/(?)2", join_on="$1")]}
        name, info = self.joined(input, "cp /pfs/l/* /pfs/out/")
        self.assertEqual(info.data_total, 2)
        self.assertEqual(self.paths(name), ["/a1", "/b1"])

    def test_group(self):
        input = {"group": [leaf(self.left, "l", "/(?)1", group_by="$1"),
                           leaf(self.right, "r", "/(?)2", group_by="$1")]}
        name, info = self.joined(input, "for f in $(find /pfs -path /pfs/out -prune -o -type f ! -name .env "
                                 "-print | sort); do cat $f; done > /pfs/out/$PACH_DATUM_ID")
        self.assertEqual(info.data_total, 3)
        self.assertEqual(sorted(self.read(name, p) for p in self.paths(name)),
                         [b"C", b"aA", b"b"])

    def test_glob_depth(self):
        repo = self.repo(files={"/x/1": b"1", "/x/2": b"2", "/y/1": b"3"})
        for glob, count in [("/", 1), ("/*", 2), ("/*/*", 3), ("/x/*", 2), ("/nothing*", 0)]:
            name = self.pipeline(repo, glob=glob)
            self.assertEqual(self.succeeds(name).data_total, count, glob)

    def test_reference(self):
        """A reference input is read, but its changes run nothing on their own."""
        repo = self.repo(files={"/a": b"1"})
        input = {"cross": [leaf(self.left, "l"), leaf(repo, "ref", "/", reference=True)]}
        name, info = self.joined(input, "cat /pfs/ref/a > /pfs/out/$(basename /pfs/l/*)")
        self.assertEqual(info.data_total, 2)
        self.assertEqual(self.read(name, "/a1"), b"1")

    def test_empty_files(self):
        repo = self.repo(files={"/a": b"12345"})
        name = self.pipeline(input=leaf(repo, "in", empty_files=True),
                             script="stat -c %s /pfs/in/a > /pfs/out/size")
        self.succeeds(name)
        self.assertEqual(self.read(name, "/size"), b"0\n")

    def test_branch_trigger(self):
        repo = self.repo(files={})
        self.client.pfs.create_branch(
            branch=pfs.Branch.from_uri(f"{repo}@batch"),
            trigger=pfs.Trigger(branch="master", commits=3))
        name = self.pipeline(input=leaf(repo, "in", branch="batch"), script="cp /pfs/in/* /pfs/out/")
        before = len(self.jobs(name))
        self.put(repo, {"/a": b"1"})
        self.assertEqual(len(self.jobs(name)), before)
        self.put(repo, {"/b": b"2"})
        self.until(lambda: len(self.jobs(name)) == before + 1)
        self.succeeds(name)
        self.assertEqual(self.paths(name), ["/a", "/b"])

    def test_input_trigger(self):
        repo = self.repo(files={})
        name = self.pipeline(input=leaf(repo, "in", trigger={"commits": 3}),
                             script="cp /pfs/in/* /pfs/out/")
        before = len(self.jobs(name))
        self.put(repo, {"/a": b"1"})
        self.put(repo, {"/b": b"2"})
        self.until(lambda: len(self.jobs(name)) == before + 1)
        self.succeeds(name)
        self.assertEqual(self.paths(name), ["/a", "/b"])

    def test_run_cron(self):
        name = self.pipeline(input={"cron": {"name": "tick", "spec": "@never"}},
                             script="cp /pfs/tick/* /pfs/out/")
        before = len(self.jobs(name))
        self.client.pps.run_cron(pipeline=pps.Pipeline(name=name))
        self.until(lambda: len(self.jobs(name)) == before + 1)
        self.succeeds(name)
        self.assertEqual(len(self.paths(name)), 1)

    def test_cron_ticks(self):
        name = self.pipeline(input={"cron": {"name": "tick", "spec": "@every 1s", "overwrite": True}},
                             script="cp /pfs/tick/* /pfs/out/")
        self.until(lambda: len([j for j in self.jobs(name) if j.state == SUCCESS]) >= 3)
        self.client.pps.delete_pipeline(pipeline=pps.Pipeline(name=name))

    def test_across_projects(self):
        project = unique("pj")
        self.client.pfs.create_project(project=pfs.Project(name=project))
        pipeline = {"pipeline": {"name": "p", "project": {"name": project}},
                    "transform": {"cmd": ["sh"], "stdin": ["cp /pfs/in/* /pfs/out"], "image": "host"},
                    "input": leaf(self.left, "in", project="default")}
        self.create_json(pipeline)
        job = pps.Pipeline(name="p", project=pfs.Project(name=project))
        jobs = list(self.client.pps.list_job(pipeline=job))
        info = self.client.pps.inspect_job(job=jobs[0].job, wait=True)
        self.assertEqual(info.state, SUCCESS)


if __name__ == "__main__":
    unittest.main()
