"""Who works on what; and what becomes of a job when its workers or its server do not last."""

import base64
import os
import signal
import sys
import unittest

from pachyderm_sdk.api import pfs, pps
from pachyderm_sdk.api.taskapi import Group, State

from gate import Gate
from harness import Server
from pps_case import FAILURE, KILLED, SUCCESS, PpsCase
from test_pps_service import worker_pid

# The worker's own service, asked by user code. It ends its first try itself.
ASK = """
import os, urllib.request
from pachyderm_sdk import Client
worker = Client().worker
status = worker.status()
data, = status.datum_status.data
print(status.worker_id != "", status.job_id == os.environ["PACH_JOB_ID"], data.path, flush=True)
if urllib.request.urlopen("%s").read() == b"1":
    for job, filters in (("none", []), (status.job_id, ["/other"]), (status.job_id, ["/a"])):
        print(worker.cancel(job_id=job, data_filters=filters).success, flush=True)
    import time
    time.sleep(100)
"""


class WorkCase(PpsCase):
    def setUp(self):
        super().setUp()
        self.gate = Gate()
        self.addCleanup(self.gate.close)

    def gated(self, repo, **more):
        """A pipeline whose datums pass the gate under their file's name, one worker at a time."""
        script = "f=$(basename /pfs/in/*); %s; cp /pfs/in/* /pfs/out/" % self.gate.script("$f")
        return self.pipeline(repo, script, datum_set_spec=more.pop("sets", {"number": 1}), **more)

    def status(self, name):
        job = self.client.pps.inspect_job(job=self.jobs(name)[0].job, details=True)
        return job.details.worker_status


class Status(WorkCase):
    def test_names_the_datum(self):
        repo = self.repo(files={"/a": b"1"})
        self.gate.hold("a")
        name = self.gated(repo)
        self.gate.wait_for("a")
        status, = self.status(name)
        data, = status.datum_status.data
        file = self.client.pfs.inspect_file(file=pfs.File.from_uri(f"{repo}@master:/a"))
        self.assertEqual((data.path, data.hash), ("/a", file.hash))
        self.assertEqual(status.job_id, self.jobs(name)[0].job.id)
        self.assertTrue(status.worker_id and status.datum_status.started)
        self.gate.open()
        self.succeeds(name)
        self.assertEqual(self.status(name), [])

    def test_restart_by_hash(self):
        repo = self.repo(files={"/a": b"1"})
        hash = self.client.pfs.inspect_file(file=pfs.File.from_uri(f"{repo}@master:/a")).hash
        self.gate.hold("a")
        name = self.gated(repo, datum_tries=3)
        for n, text in enumerate((hash.hex(), base64.b64encode(hash).decode()), 1):
            self.gate.wait_for("a", n)
            before = self.status(name)[0].datum_status.started
            job = self.jobs(name)[0].job
            self.client.pps.restart_datum(job=job, data_filters=["/a", text])
        self.gate.wait_for("a", 3)
        self.assertGreater(self.status(name)[0].datum_status.started, before)
        with self.fails("UNKNOWN", "datum matching filter [/a nothing] could not be found"):
            self.client.pps.restart_datum(job=job, data_filters=["/a", "nothing"])
        self.gate.open()
        self.succeeds(name)

    def test_tasks(self):
        repo = self.repo(files={f"/{i}": b"1" for i in range(4)})
        for i in range(4):
            self.gate.hold(str(i))
        name = self.gated(repo)
        self.gate.wait_for_any()
        job = self.jobs(name)[0].job.id
        space = f"processing/pipeline-default%2F{name}%4000000001"
        tasks = list(self.client.pps.list_task(group=Group(namespace=space, group=job)))
        self.assertEqual(sorted(t.state for t in tasks), [State.RUNNING] * 3 + [State.CLAIMED])
        self.assertEqual({(t.group.namespace, t.group.group) for t in tasks}, {(space, job)})
        self.assertEqual(len({t.id for t in tasks}), 4)
        self.assertLessEqual({t.id for t in tasks},
                             {t.id for t in self.client.pps.list_task(group=Group(namespace=""))})
        self.assertEqual(list(self.client.pps.list_task(group=Group(namespace=space, group="x"))), [])
        self.assertEqual(self.info(name).details.unclaimed_tasks, 3)
        self.gate.open()
        self.succeeds(name)
        self.assertEqual(list(self.client.pps.list_task(group=Group(namespace=space))), [])
        self.assertEqual(self.info(name).details.unclaimed_tasks, 0)

    # User code has a /tmp of its own, so a client installed below ours is not there for it.
    @unittest.skipIf(sys.executable.startswith(("/tmp/", "/var/tmp/")), "the client is below /tmp")
    def test_user_code_asks_its_worker(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, transform={"cmd": [sys.executable, "-c", ASK % self.gate.url("a")]},
                             datum_tries=2)
        info = self.succeeds(name)
        line = "True True /a"
        # Who asks for its own end may not live to say so.
        told = [text for text in self.lines(job=info.job) if text != "True"]
        self.assertEqual((told, self.gate.count("a")), ([line, "False", "False", line], 2))


class Impossible(PpsCase):
    CRASHING = pps.PipelineState.PIPELINE_CRASHING
    RUNNING = pps.PipelineState.PIPELINE_RUNNING

    def test_requests(self):
        repo = self.repo(files={"/a": b"1"})
        for spec, word in (({"memory": "10000Ti"}, "memory"), ({"cpu": 1000000}, "cpu"),
                           ({"disk": "1000Pi"}, "disk"),
                           ({"gpu": {"type": "nvidia.com/gpu", "number": 4096}}, "gpu")):
            name = self.pipeline(repo, "cp /pfs/in/a /pfs/out/", resource_requests=spec)
            reason = self.until_state(name, self.CRASHING).reason
            self.assertIn(f"unschedulable: insufficient {word}: ", reason)
            self.assertEqual(self.paths(name), [])
            self.pipeline(repo, "cp /pfs/in/a /pfs/out/", name=name, update=True,
                          resource_requests={"cpu": 0.1, "memory": "1M"})
            self.until_state(name, self.RUNNING)
            self.succeeds(name)
            self.assertEqual(self.info(name).reason, "")

    def test_limits_ask_too(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, resource_requests=None, resource_limits={"memory": "10000Ti"})
        self.assertIn("insufficient memory", self.until_state(name, self.CRASHING).reason)
        self.client.pps.stop_pipeline(pipeline=pps.Pipeline(name=name))
        self.until_state(name, pps.PipelineState.PIPELINE_PAUSED)


class Propagation(WorkCase):
    def test_never(self):
        main, side = self.repo(files={"/a": b"1"}), self.repo(files={"/b": b"1"})
        name = self.pipeline(script="cp /pfs/*/a /pfs/*/b /pfs/out/", input={"cross": [
            {"pfs": {"repo": main, "name": "main", "glob": "/"}},
            {"pfs": {"repo": side, "name": "side", "glob": "/",
                     "propagation_spec": {"never": True}}}]})
        self.succeeds(name)
        self.put(side, {"/b": b"2"})
        self.assertEqual(len(self.jobs(name)), 1)
        commit = self.put(main, {"/a": b"2"})
        self.succeeds(name, commit.id)
        self.assertEqual(len(self.jobs(name)), 2)
        self.assertEqual((self.read(name, "/a"), self.read(name, "/b")), (b"2", b"2"))

    def test_spec_commit(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo)
        self.succeeds(name)
        specs = [c.commit.id for c in self.client.pfs.list_commit(
            repo=pfs.Repo(name=name, type="spec", project=pfs.Project(name="default")))]
        self.assertEqual(specs, [self.info(name).spec_commit.id])
        self.pipeline(repo, "true", name=name, update=True)
        newer = self.info(name).spec_commit.id
        self.assertNotIn(newer, specs)
        head = self.client.pfs.inspect_commit(commit=pfs.Commit.from_uri(f"{name}@master"))
        self.assertIn((name, "spec", newer),
                      [(c.repo.name, c.repo.type, c.id) for c in head.direct_provenance])
        with self.fails("UNKNOWN", "Cannot update a pipeline and provide a spec commit at the same time"):
            self.pipeline(repo, name=name, update=True, spec_commit={"id": newer})


class Tries(WorkCase):
    def test_each_try_is_told(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, self.gate.script("a") + "; exit 3", datum_tries=4,
                             transform={"err_cmd": ["sh"], "err_stdin": ["echo tidy; exit 1"]})
        info = self.job(name)
        self.assertEqual((info.state, self.gate.count("a")), (FAILURE, 4))
        text = [line.message for line in self.client.pps.get_logs(job=info.job)]
        self.assertEqual(len([t for t in text if "errored running user code after" in t]), 4)
        self.assertEqual(text.count("tidy"), 4)

    def test_a_later_try_succeeds(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "n=$(%s); test $n -ge 3; cp /pfs/in/a /pfs/out/"
                             % self.gate.script("a"), datum_tries=5)
        info = self.succeeds(name)
        self.assertEqual((info.data_processed, self.gate.count("a")), (1, 3))

    def test_datum_timeout_counts_as_a_try(self):
        repo = self.repo(files={"/a": b"1"})
        self.gate.hold("a")
        name = self.pipeline(repo, self.gate.script("a"), datum_tries=2, datum_timeout="0.5s")
        info = self.job(name)
        self.assertEqual((info.state, self.gate.count("a")), (FAILURE, 2))
        datum, = self.client.pps.list_datum(job=info.job)
        self.assertGreater(datum.stats.process_time.total_seconds(), 0.4)

    def test_job_timeout_kills_and_the_next_job_runs(self):
        repo = self.repo(files={"/a": b"1"})
        self.gate.hold("a")
        name = self.gated(repo, job_timeout="5s", sets={"number": 1})
        info = self.job(name)
        self.assertEqual((info.state, info.reason), (KILLED, " jobtimed out"))
        self.gate.open()
        commit = self.put(repo, {"/b": b"2"})
        self.succeeds(name, commit.id)

    def test_a_stopped_job_lets_go_of_its_workers(self):
        repo = self.repo(files={f"/{i}": b"1" for i in range(8)})
        self.gate.hold(*map(str, range(8)))
        name = self.gated(repo, parallelism_spec={"constant": 8})
        self.gate.wait_for_any()
        job = self.jobs(name)[0].job
        self.client.pps.stop_job(job=job, reason="enough")
        info = self.job(name)
        self.assertEqual((info.state, info.reason), (KILLED, "enough"))
        self.client.pps.stop_job(job=job)
        self.assertEqual(self.job(name).reason, "enough")
        self.succeeds(self.pipeline(repo))


class Accidents(WorkCase):
    """One datum after the other; the third is at work when it happens."""

    FILES = {f"/{i}": b"x" for i in range(6)}
    RULES = ("exact", "until_success", "every_job")

    def setUp(self):
        self.server = Server(args=["--workers", "1", "--worker-timeout", "4"])
        self.addCleanup(self.server.clean)
        self.addCleanup(lambda: self.assertEqual(self.server.stop(), 0))
        self.client = self.server.client()
        self.gate = Gate()
        self.addCleanup(self.gate.close)

    def begin(self, **more):
        repo = self.repo(files=self.FILES)
        self.gate.hold_nth(3)
        name = self.gated(repo, **more)
        self.held = self.gate.wait_for_held()
        return name

    def end(self, name, tries_of_held=2):
        self.gate.open()
        info = self.succeeds(name)
        self.assertEqual(self.paths(name), sorted(self.FILES))
        counts = {path[1:]: 1 for path in self.FILES} | {self.held: tries_of_held}
        self.assertEqual(self.gate.counts(), counts)
        self.assertEqual((info.data_total, info.data_processed, info.data_skipped), (6, 6, 0))
        self.assertEqual({d.state for d in self.client.pps.list_datum(job=info.job)},
                         {pps.DatumState.SUCCESS})
        self.gate.reset()

    def worker(self, name):
        return worker_pid(self.server.process.pid, self.status(name)[0].worker_id)

    def test_worker_dies(self):
        for sets in ({"number": 1}, {"number": 6}):
            name = self.begin(sets=sets)
            os.kill(self.worker(name), signal.SIGKILL)
            self.gate.wait_for(self.held, 2)
            self.end(name)

    def test_worker_does_not_answer(self):
        name = self.begin(sets={"number": 6})
        os.kill(self.worker(name), signal.SIGSTOP)
        self.gate.wait_for(self.held, 2)
        self.end(name)

    def test_server_ends(self):
        for rule in self.RULES:
            for end in (self.server.kill, self.server.stop):
                name = self.begin(sets={"number": 6}, reprocess_spec=rule)
                self.until(lambda: self.job_now(name).data_processed == 2)
                end()
                self.server.start()
                self.client = self.server.client()
                self.gate.wait_for(self.held, 2)
                self.end(name)

    def job_now(self, name):
        return self.jobs(name)[0]


if __name__ == "__main__":
    unittest.main()
