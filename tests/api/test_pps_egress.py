"""Egress: a job's output leaves before its commit finishes, and the job waits for it."""

import pathlib
import tempfile
import unittest

from grpc import StatusCode
from pachyderm_sdk.api import pfs, pps

from harness import Server, name as unique
from peers import Moto
from pps_case import KILLED, SUCCESS, PpsCase

EGRESSING = pps.JobState.JOB_EGRESSING


class Egress(PpsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.own = Server(args=["--allow-file-urls", "1"])
        cls.addClassCleanup(cls.own.clean)
        cls.addClassCleanup(cls.own.stop)

    def setUp(self):
        super().setUp()
        self.client = self.own.client()
        folder = tempfile.TemporaryDirectory(prefix="pcv-egress-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def state(self, pipeline):
        return self.jobs(pipeline)[0].state

    def test_files_arrive_before_the_job_succeeds(self):
        repo = self.repo(files={"/a": b"1", "/d/b": b"2" * 100_000})
        name = self.pipeline(repo, egress={"URL": f"file://{self.folder}/out/"})
        self.assertEqual(self.job(name).state, SUCCESS)
        self.assertEqual((self.folder / "out/a").read_bytes(), b"1")
        self.assertEqual((self.folder / "out/d/b").read_bytes(), b"2" * 100_000)
        commit = self.put(repo, {"/a": b"new"})
        self.assertEqual(self.job(name, commit.id).state, SUCCESS)
        self.assertEqual((self.folder / "out/a").read_bytes(), b"new")
        self.assertEqual(sorted(p.name for p in (self.folder / "out").iterdir()), ["a", "d"])

    def test_a_failing_egress_holds_the_job_until_it_is_stopped(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(
            repo, egress={"object_storage": {"url": "nowhere://bucket/prefix"}})
        below = self.pipeline(name)
        self.until(lambda: self.state(name) == EGRESSING)
        job = self.jobs(name)[0]
        self.assertEqual(job.reason, "")
        self.assertIn(self.state(below),
                      [pps.JobState.JOB_CREATED, pps.JobState.JOB_STARTING])
        self.client.pps.stop_job(job=job.job)
        self.assertEqual(self.job(name).state, KILLED)
        self.assertEqual(self.job(below).state, pps.JobState.JOB_UNRUNNABLE)

    def test_it_is_tried_again(self):
        in_the_way = self.folder / "out"
        in_the_way.write_bytes(b"a file where a folder must be")
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, egress={"URL": f"file://{in_the_way}"})
        self.until(lambda: self.state(name) == EGRESSING)
        in_the_way.unlink()
        self.assertEqual(self.job(name).state, SUCCESS)
        self.assertEqual((in_the_way / "a").read_bytes(), b"1")

    def test_a_job_that_times_out_stops_pushing(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, egress={"URL": "nowhere://b"}, job_timeout="1s")
        self.assertEqual(self.job(name).state, KILLED)

    def test_on_request(self):
        commit = self.put(self.repo(), {"/a": b"123", "/b": b"45"})
        answer = self.client.pfs.egress(
            commit=commit, object_storage=pfs.ObjectStorageEgress(url=f"file://{self.folder}"))
        self.assertEqual(answer.object_storage.bytes_written, 5)
        self.assertEqual((self.folder / "b").read_bytes(), b"45")

    def test_files_of_the_server_need_permission(self):
        self.client = self.server.client()   # of the shared server, which has no such setting
        commit = self.put(self.repo(), {"/a": b"1"})
        with self.refused(StatusCode.UNIMPLEMENTED, "not enabled on this server"):
            self.client.pfs.egress(
                commit=commit,
                object_storage=pfs.ObjectStorageEgress(url=f"file://{self.folder}"))


class ToS3(PpsCase):
    """Pipelines' outputs in buckets of an S3 that checks signatures."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.moto = Moto()
        cls.addClassCleanup(cls.moto.stop)
        cls.moto.check_signatures()
        cls.own = cls.serve(cls.moto.env())

    @classmethod
    def serve(cls, env):
        server = Server(env=env, args=["--url-tries", "2"])
        cls.addClassCleanup(server.clean)
        cls.addClassCleanup(server.stop)
        return server

    def setUp(self):
        super().setUp()
        self.use(self.own)
        self.s3 = self.moto.client()
        self.bucket = unique("b")

    def use(self, server):
        self.server, self.client = server, server.client()
        self.addCleanup(self.client._channel.close)

    def stored(self):
        listed = self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return {one["Key"]: self.s3.get_object(Bucket=self.bucket, Key=one["Key"])["Body"].read()
                for one in listed}

    def state(self, pipeline):
        return self.jobs(pipeline)[0].state

    def waits(self, pipeline, below, reason):
        """The job stays, without a reason, and what comes after it does not start."""
        self.until(lambda: reason in self.server.read_log())
        job = self.jobs(pipeline)[0]
        self.assertEqual((job.state, job.reason), (EGRESSING, ""))
        self.assertIn(self.state(below), [pps.JobState.JOB_CREATED, pps.JobState.JOB_STARTING])
        return job.job

    def test_each_output_arrives(self):
        self.s3.create_bucket(Bucket=self.bucket)
        self.s3.put_object(Bucket=self.bucket, Key="out/kept", Body=b"was there")
        big = bytes(range(256)) * (40 * 1024)  # 10 MiB: in parts
        repo = self.repo(files={"/a": b"1", "/d/big": big})
        for egress in {"URL": f"s3://{self.bucket}/out"}, \
                {"objectStorage": {"url": f"s3://{self.bucket}/out/"}}:
            with self.subTest(egress):
                name = self.pipeline(repo, egress=egress)
                self.assertEqual(self.job(name).state, SUCCESS)
                self.assertEqual(self.stored(),
                                 {"out/a": b"1", "out/d/big": big, "out/kept": b"was there"})
        commit = self.put(repo, {"/a": b"new", "/e": b""}, delete=["/d/big"])
        self.assertEqual(self.job(name, commit.id).state, SUCCESS)
        self.assertEqual(self.stored(), {"out/a": b"new", "out/e": b"", "out/d/big": big,
                                         "out/kept": b"was there"})

    def test_a_bucket_that_comes_late(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, egress={"URL": f"s3://{self.bucket}/"})
        below = self.pipeline(name)
        self.waits(name, below, "NoSuchBucket")
        self.s3.create_bucket(Bucket=self.bucket)
        self.assertEqual(self.job(name).state, SUCCESS)
        self.assertEqual(self.stored(), {"a": b"1"})
        self.assertEqual(self.job(below).state, SUCCESS)

    def test_a_wrong_key(self):
        self.use(self.serve(self.moto.env(AWS_SECRET_ACCESS_KEY="not it")))
        self.s3.create_bucket(Bucket=self.bucket)
        name = self.pipeline(self.repo(files={"/a": b"1"}),
                             egress={"URL": f"s3://{self.bucket}/"})
        below = self.pipeline(name)
        job = self.waits(name, below, "SignatureDoesNotMatch")
        self.client.pps.stop_job(job=job, reason="enough")
        self.assertEqual(self.job(name).state, KILLED)
        self.assertEqual(self.job(below).state, pps.JobState.JOB_UNRUNNABLE)
        self.assertEqual(self.stored(), {})
        self.assertNotIn("not it", self.server.read_log())


if __name__ == "__main__":
    unittest.main()
