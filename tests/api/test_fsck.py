"""Fsck: a sound server has no faults, and files of datums that are gone are found (pfs.md 21)."""

import grpc

from harness import unittest
from pps_case import PpsCase
from pachyderm_sdk.api import pfs

TAG = "5" * 64


class FsckTest(PpsCase):
    def faults(self, **request):
        return [answer.error for answer in self.client.pfs.fsck(**request)]

    def faults_of(self, commit):
        """The client's fsck() sets zombie_all after zombie_target, of which only one can be."""
        request = pfs.FsckRequest(zombie_target=commit)
        with grpc.insecure_channel(self.client.address) as channel:
            call = channel.unary_stream(
                "/pfs_v2.API/Fsck",
                request_serializer=bytes,
                response_deserializer=lambda b: pfs.FsckResponse().parse(b),
            )
            return [answer.error for answer in call(request, timeout=30)]

    def outlive(self, pipeline, path, tag):
        """Puts a file with a tag into the output of a job while it runs."""
        job = self.until_job_runs(pipeline)
        commit = pfs.Commit(repo=pfs.Repo.from_uri(pipeline), id=job.id)
        add = pfs.AddFile(path=path, datum=tag, raw=b"undead")
        self.client.pfs.modify_file(
            iter([pfs.ModifyFileRequest(set_commit=commit), pfs.ModifyFileRequest(add_file=add)])
        )
        self.succeeds(pipeline)
        return commit

    def haunted(self):
        """A pipeline, and the commit of its output that has a file of no datum."""
        repo = self.repo(files={"/a": b"1"})
        pipeline = self.pipeline(repo, "echo begun; sleep 0.5; cp /pfs/in/* /pfs/out/")
        return pipeline, self.outlive(pipeline, "/ghost", TAG)

    def test_sound(self):
        pipeline = self.pipeline(self.repo(files={"/a": b"1", "/b": b"2"}))
        job = self.succeeds(pipeline)
        commit = pfs.Commit(repo=pfs.Repo.from_uri(pipeline), id=job.job.id)
        self.assertEqual(self.faults(), [])
        self.assertEqual(self.faults_of(commit), [])
        self.assertEqual([f for f in self.faults(zombie_all=True) if TAG not in f], [])

    def test_zombies(self):
        pipeline, commit = self.haunted()
        text = f"stale datum {TAG} had file /ghost"
        self.assertIn("/ghost", self.paths(pipeline))
        self.assertEqual(self.faults(), [])
        self.assertEqual(self.faults_of(commit), [text])
        self.assertIn(text, self.faults(zombie_all=True))
        head = pfs.Commit.from_uri(f"{pipeline}@master")
        self.assertEqual(self.faults_of(head), [text])

    def test_target_without_datums(self):
        repo = self.repo(files={"/a": b"1"})
        head = pfs.Commit.from_uri(f"{repo}@master")
        with self.fails("NOT_FOUND", f"commit default/{repo}.meta@"):
            self.faults_of(head)
        with self.fails("NOT_FOUND", "repo default/none-such not found"):
            self.faults_of(pfs.Commit.from_uri("none-such@master"))


if __name__ == "__main__":
    unittest.main()
