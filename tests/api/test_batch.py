"""Datum batching: one process for many datums, driven by the real client's batch_datum."""

import sys
import unittest

from harness import ApiTest, name
from pachyderm_sdk.api import pfs, pps

# Each datum appends how many this process has had, so that restarts can be told.
USER_CODE = """
import os, shutil
from pachyderm_sdk import Client
worker = Client().worker
assert "PACH_DATUM_ID" not in os.environ and not os.path.exists("/pfs/.env")
seen = 0
while True:
    with worker.batch_datum():
        seen += 1
        path = os.environ["in"]
        assert os.listdir("/pfs/out") == [], os.listdir("/pfs/out")
        text = open(path).read()
        %s
        base = os.path.basename(path)
        open("/pfs/out/" + base, "w").write(f"{text} {seen}")
        os.symlink("/pfs/in/" + base, "/pfs/out/link-" + base)
        open("/tmp/keep", "a").write("x")
        open("/pfs/out/kept-" + base, "w").write(str(os.path.getsize("/tmp/keep")))
"""


# User code has a /tmp of its own, so a client installed below ours is not there for it.
@unittest.skipIf(sys.executable.startswith(("/tmp/", "/var/tmp/")), "the client is installed below /tmp")
class BatchTest(ApiTest):
    def run_batch(self, code, texts, batching=True, **more):
        repo = pfs.Repo(name=name("in"), type="user", project=pfs.Project(name="default"))
        self.client.pfs.create_repo(repo=repo)
        pipeline = pps.Pipeline(name=name("p"), project=pfs.Project(name="default"))
        transform = pps.Transform(cmd=[sys.executable, "-B", "-c", code], datum_batching=batching)
        transform.err_cmd = more.pop("err_cmd", [])
        self.client.pps.create_pipeline(
            pipeline=pipeline, transform=transform, **more,
            input=pps.Input(pfs=pps.PfsInput(project="default", repo=repo.name, name="in", glob="/*")))
        with self.client.pfs.commit(branch=pfs.Branch(repo=repo, name="master")) as commit:
            for i, text in enumerate(texts):
                commit.put_file_from_bytes(f"/{i:03}", text.encode())
        self.job = pps.Job(pipeline=pipeline, id=commit.id)
        info = self.client.pps.inspect_job(job=self.job, wait=True, details=True)
        self.commit = pfs.Commit(repo=pfs.Repo(name=pipeline.name, type="user", project=pipeline.project),
                                 id=commit.id)
        return info

    def read(self, path):
        with self.client.pfs.pfs_file(pfs.File(commit=self.commit, path=path)) as file:
            return file.read().decode()

    def test_one_process_for_many(self):
        texts = [f"text {i}" for i in range(20)]
        info = self.run_batch(USER_CODE % "", texts, datum_set_spec=pps.DatumSetSpec(number=10))
        self.assertEqual((info.state, info.reason), (pps.JobState.JOB_SUCCESS, ""))
        self.assertEqual(info.data_processed, 20)
        seen = []
        for i, text in enumerate(texts):
            got, count = self.read(f"/{i:03}").rsplit(" ", 1)
            self.assertEqual((got, self.read(f"/link-{i:03}")), (text, text))
            self.assertEqual(self.read(f"/kept-{i:03}"), count)
            seen.append(int(count))
        self.assertEqual(max(seen), 10)

    def test_errors_are_tries(self):
        info = self.run_batch(USER_CODE % "assert text != 'bad', 'this one is bad'", ["good", "bad", "fine"],
                              datum_tries=2)
        self.assertEqual(info.state, pps.JobState.JOB_FAILURE)
        datums = list(self.client.pps.list_datum(job=self.job))
        self.assertEqual(sorted(int(d.state) for d in datums),
                         sorted(map(int, [pps.DatumState.SUCCESS, pps.DatumState.SUCCESS,
                                          pps.DatumState.FAILED])))
        self.assertIn("AssertionError('this one is bad')", self.logged())

    def test_recovered(self):
        info = self.run_batch(USER_CODE % "assert text != 'bad'", ["good", "bad"], datum_tries=1,
                              err_cmd=["true"])
        self.assertEqual((info.state, info.data_recovered), (pps.JobState.JOB_SUCCESS, 1))

    def test_exits(self):
        for code, reason in (("import sys; sys.exit(3)", "exit status 3"),
                             (USER_CODE % "os._exit(0)", "user code exited prematurely")):
            info = self.run_batch(code, ["x"], datum_tries=1)
            self.assertEqual(info.state, pps.JobState.JOB_FAILURE)
            self.assertIn(reason, self.logged())

    def logged(self):
        return "\n".join(line.message for line in self.client.pps.get_logs(job=self.job))

    def test_asks_its_worker(self):
        ask = """
        data, = worker.status().datum_status.data
        text += data.path
        if data.path == "/001":
            assert not worker.cancel(job_id=os.environ["PACH_JOB_ID"], data_filters=["/000"]).success
            worker.cancel(job_id=os.environ["PACH_JOB_ID"], data_filters=["/001"])
            import time; time.sleep(60)
"""
        info = self.run_batch(USER_CODE % ask, ["a", "b", "c"], datum_tries=1, datum_set_spec=pps.DatumSetSpec(number=3))
        self.assertEqual((info.state, info.data_processed, info.data_failed), (pps.JobState.JOB_FAILURE, 2, 1))
        self.assertIn("context canceled", self.logged())

    def test_without_batching(self):
        code = "from pachyderm_sdk import Client; Client().worker.next_datum()"
        info = self.run_batch(code, ["x"], batching=False, datum_tries=1)
        self.assertEqual(info.state, pps.JobState.JOB_FAILURE)
        self.assertIn("datum batching not enabled", self.logged())

    def test_timeout(self):
        from datetime import timedelta
        info = self.run_batch(USER_CODE % "import time; time.sleep(60 if text == 'slow' else 0)", ["slow"],
                              datum_tries=1, datum_timeout=timedelta(seconds=1))
        self.assertEqual(info.state, pps.JobState.JOB_FAILURE)


if __name__ == "__main__":
    unittest.main()
