"""Spouts: user code without jobs that writes to its own output repo through the API."""

import os
import signal
import sys
import unittest

from pachyderm_sdk.api import pfs, pps

from harness import Server, name as unique
from pps_case import SUCCESS, PpsCase
from test_pps_service import ServiceCase, free_ports, worker_pid

RUNNING = pps.PipelineState.PIPELINE_RUNNING
PAUSED = pps.PipelineState.PIPELINE_PAUSED
SPOUT = pps.PipelineInfoPipelineType.PIPELINE_TYPE_SPOUT

# Puts one file after the other, each when a file of its name was put into the repo `go`.
PUT = """
echo up
n=$(pachctl list file $PPS_PIPELINE_NAME@master 2>/dev/null | grep -c /n || true)
while true; do
    until pachctl inspect file %s@master:/n$n >/dev/null 2>&1; do sleep 0.05; done
    echo data $n | pachctl put file $PPS_PIPELINE_NAME@master:/n$n -f -
    echo put $n
    n=$((n + 1))
done
"""

SDK = """
import time
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
import os
client = Client.new_in_cluster()
branch = pfs.Branch.from_uri(os.environ["PPS_PIPELINE_NAME"] + "@master")
with client.pfs.commit(branch=branch) as commit:
    commit.put_file_from_bytes("/one", b"1")
    commit.put_file_from_bytes("/two", b"2")
print("written", flush=True)
time.sleep(1000)
"""


# An instrumented command line cannot look for leaks in a sandbox, where nothing may be traced.
ENV = {"ASAN_OPTIONS": "detect_leaks=0"} if os.environ.get("PCV_SANITIZED") else {}


class SpoutCase(ServiceCase):
    def spout(self, cmd, stdin=(), name=None, update=False, **more):
        name = name or unique("spout")
        self.create_json({
            "pipeline": {"name": name},
            "transform": {"image": "host", "cmd": cmd, "stdin": list(stdin), "env": ENV},
            "spout": more.pop("spout", {}), **more}, update)
        self.addCleanup(self.end, name)
        return name

    def pachctl(self, **more):
        """A spout driven by files of a repo, and that repo."""
        go = self.repo(files={})
        return self.spout(["sh"], [PUT % go], **more), go

    def commits(self, name):
        repo = pfs.Repo.from_uri(name)
        return list(self.client.pfs.list_commit(repo=repo))

    def until_file(self, name, path, content):
        self.until(lambda: path in self.paths(name))
        self.assertEqual(self.read(name, path), content)


class Spouts(SpoutCase):
    def test_writes_by_pachctl(self):
        name, go = self.pachctl()
        down = self.pipeline(name, "cp /pfs/in/* /pfs/out/")
        info = self.until_state(name, RUNNING)
        self.assertEqual(info.type, SPOUT)
        for i in range(3):
            self.put(go, {f"/n{i}": b""})
            self.until_file(name, f"/n{i}", b"data %d\n" % i)
        self.succeeds(down)
        self.assertEqual(self.paths(down), ["/n0", "/n1", "/n2"])
        self.assertEqual(self.jobs(name), [])
        self.assertEqual({job.state for job in self.jobs(down)}, {SUCCESS})

    def test_commits(self):
        name, go = self.pachctl()
        first, = self.commits(name)
        self.assertTrue(first.finished)
        self.put(go, {"/n0": b""})
        self.until_file(name, "/n0", b"data 0\n")
        newest = self.commits(name)[0]
        self.assertEqual(newest.origin.kind, pfs.OriginKind.USER)
        self.assertEqual(newest.created_by, f"pipeline:default/{name}")
        spec = self.info(name).spec_commit
        self.assertEqual([(c.repo.name, c.repo.type, c.id) for c in newest.direct_provenance],
                         [(name, "spec", spec.id)])

    def test_writes_by_the_sdk(self):
        if sys.executable.startswith(("/tmp/", "/var/tmp/")):
            self.skipTest("the client is installed below /tmp, which user code cannot see")
        name = self.spout([sys.executable, "-c", SDK])
        self.until_file(name, "/two", b"2")
        self.assertEqual(len(self.commits(name)), 2)

    def test_nobody_else_may_write(self):
        name, _ = self.pachctl()
        with self.fails("UNKNOWN", f"cannot start a commit on an output branch: default/{name}@master"):
            self.put(name, {"/mine": b""})

    def test_environment_and_logs(self):
        name = self.spout(["sh"], ["env | sort; sleep 1000"])
        self.until(lambda: any("PPS_PIPELINE_NAME" in l for l in
                               self.lines(pipeline=pps.Pipeline(name=name))))
        lines = [l for l in self.client.pps.get_logs(pipeline=pps.Pipeline(name=name)) if l.user]
        env = dict(l.message.split("=", 1) for l in lines)
        self.assertEqual(env["PACHD_SERVICE_PORT"], str(self.server.port))
        self.assertFalse({"PACH_JOB_ID", "PACH_DATUM_ID", "PACH_TOKEN", "PACH_OUTPUT_COMMIT_ID"}
                         & set(env))
        self.assertEqual({(l.job_id, l.master) for l in lines}, {("spout", True)})

    def test_its_token_does_not_show(self):
        name = self.spout(["sh"], ["cat /pachctl/config.json; echo; sleep 1000"])
        lines = self.until(lambda: self.lines(pipeline=pps.Pipeline(name=name)))
        self.assertIn('"pachd_address":"grpc://127.0.0.1:%d"' % self.server.port, lines[0])
        self.assertRegex(lines[0], r'"session_token":"\*+"')

    def test_in_another_project(self):
        project = unique("proj")
        self.client.pfs.create_project(project=pfs.Project(name=project))
        name = unique("spout")
        self.create_json({
            "pipeline": {"name": name, "project": {"name": project}}, "spout": {},
            "transform": {"image": "host", "env": ENV, "cmd": ["sh"], "stdin": [
                "echo mine | pachctl put file $PPS_PIPELINE_NAME@master:/f -f -; sleep 1000"]}})
        file = pfs.File.from_uri(f"{project}/{name}@master:/f")
        self.until(lambda: self.client.pfs.path_exists(file=file))
        self.client.pps.delete_pipeline(
            pipeline=pps.Pipeline(name=name, project=pfs.Project(name=project)))

    def test_runs_again_whatever_its_exit_status(self):
        for status in (0, 7):
            name = self.spout(["sh"], [f"echo up; exit {status}"])
            self.until(lambda: len(self.lines(pipeline=pps.Pipeline(name=name))) >= 3)
            self.assertEqual(self.info(name).state, RUNNING)

    def test_stop_and_start(self):
        name, go = self.pachctl()
        self.until(lambda: self.lines(pipeline=pps.Pipeline(name=name)) == ["up"])
        self.client.pps.stop_pipeline(pipeline=pps.Pipeline(name=name))
        self.until_state(name, PAUSED)
        self.until(lambda: self.info(name).details.workers_available == 0)
        self.put(go, {"/n0": b""})
        self.client.pps.start_pipeline(pipeline=pps.Pipeline(name=name))
        self.until_file(name, "/n0", b"data 0\n")
        self.assertEqual(self.lines(pipeline=pps.Pipeline(name=name))[:2], ["up", "up"])

    def test_update_makes_no_commit_and_restarts(self):
        name, go = self.pachctl()
        before = len(self.commits(name))
        self.spout(["sh"], ["echo second; sleep 1000"], name=name, update=True)
        self.until(lambda: "second" in self.lines(pipeline=pps.Pipeline(name=name)))
        self.assertEqual(len(self.commits(name)), before)
        self.assertEqual(self.info(name).version, 2)

    def test_what_was_no_spout(self):
        """Nothing waits for metadata of jobs that it has no more, nor later when it has again."""
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo)
        self.succeeds(name)
        self.pipeline(script="sleep 1000", name=name, update=True, spout={})
        ids = [self.put(repo, {"/b": b"2"}).id]
        self.pipeline(repo, name=name, update=True)
        ids.append(self.succeeds(name).job.id)
        for id in ids:
            infos = self.client.pfs.inspect_commit_set(commit_set=pfs.CommitSet(id=id))
            self.assertEqual([i.commit.repo.type for i in infos if i.finished.year < 2000], [])

    def test_inputs_need_a_service(self):
        repo = self.repo(files={"/a": b""})
        with self.fails("UNKNOWN", "spout pipelines (without a service) must not have an input"):
            self.spout(["true"], input={"pfs": {"repo": repo, "glob": "/"}})
        with self.fails("UNKNOWN", "autoscaling can't be used with spouts"):
            self.spout(["true"], autoscaling=True)

    def test_with_a_service(self):
        repo = self.repo(files={"/a": b"1"})
        inner, outer = free_ports()
        name = self.spout(
            ["sh", "-c", f"mkdir /tmp/x; cd /tmp/x; echo hello >a; exec python3 -m http.server {inner}"],
            spout={"service": {"internal_port": inner, "external_port": outer}},
            input={"pfs": {"repo": repo, "glob": "/", "name": "in"}})
        self.until_answers(outer, "/a", b"hello\n")
        self.assertEqual(self.info(name).details.spout.service.ip, "127.0.0.1")
        commit = self.put(repo, {"/b": b"2"})
        out = pfs.Commit(repo=pfs.Repo.from_uri(name), id=commit.id)
        self.assertTrue(self.client.pfs.inspect_commit(
            commit=out, wait=pfs.CommitState.FINISHED).finished)
        self.assertEqual(self.jobs(name), [])


class Accidents(SpoutCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.clean)
        self.addCleanup(lambda: self.assertEqual(self.server.stop(), 0))
        self.client = self.server.client()

    def end(self, name):
        pass

    def test_server_restarts(self):
        name, go = self.pachctl()
        for i, end in enumerate((self.server.kill, self.server.stop)):
            self.put(go, {f"/n{i}": b""})
            self.until_file(name, f"/n{i}", b"data %d\n" % i)
            end()
            self.server.start()
            self.client = self.server.client()
        self.put(go, {"/n2": b""})
        self.until_file(name, "/n2", b"data 2\n")

    def test_worker_dies(self):
        name, go = self.pachctl()
        first = self.until(lambda: list(self.client.pps.get_logs(pipeline=pps.Pipeline(name=name))))
        worker = first[0].worker_id
        os.kill(worker_pid(self.server.process.pid, worker), signal.SIGKILL)
        self.put(go, {"/n0": b""})
        self.until_file(name, "/n0", b"data 0\n")


if __name__ == "__main__":
    unittest.main()
