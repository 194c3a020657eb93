"""Services: user code that is kept running over the newest input and is reached by a port."""

import concurrent.futures
import http.client
import os
import signal
import socket
import unittest
import urllib.request

from pachyderm_sdk.api import pps

from harness import Server, name as unique
from pps_case import FAILURE, KILLED, SUCCESS, PpsCase

RUNNING = pps.PipelineState.PIPELINE_RUNNING
CRASHING = pps.PipelineState.PIPELINE_CRASHING
PAUSED = pps.PipelineState.PIPELINE_PAUSED
JOB_RUNNING = pps.JobState.JOB_RUNNING

HTTP = """
import http.server, os
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/exit":
            os._exit(3)
        super().do_GET()
    def log_message(self, form, *args):
        print("asked", self.path, flush=True)
os.chdir("/pfs/in")
http.server.ThreadingHTTPServer.allow_reuse_address = True
server = http.server.ThreadingHTTPServer(("127.0.0.1", %d), Handler)
print("up", os.environ.get("PACH_JOB_ID", "no job"), os.environ["PACH_OUTPUT_COMMIT_ID"],
      os.environ["PACH_DATUM_ID"] != "", flush=True)
server.serve_forever()
"""


def free_ports(n=2):
    """Ports that nobody had a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def get(port, path):
    """The answer; None while there is none, or not the whole: who answers may be replaced meanwhile."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.read()
    except (OSError, http.client.HTTPException):
        return None


class ServiceCase(PpsCase):
    def service(self, repo, inner, outer, name=None, update=False, script=None, **more):
        name = name or unique("svc")
        spec = {
            "pipeline": {"name": name}, "update": update,
            "transform": {"image": "host", "cmd": ["python3", "-c", script or HTTP % inner],
                          **more.pop("transform", {})},
            "service": {"internal_port": inner, "external_port": outer},
            "input": {"pfs": {"repo": repo, "glob": "/", "name": "in"}}, **more}
        self.create_json(spec, update)
        self.addCleanup(self.end, name)
        return name

    def end(self, name):
        self.client.pps.delete_pipeline(pipeline=pps.Pipeline(name=name), force=True)

    def get(self, port, path):
        return get(port, path)

    def until_answers(self, port, path, expected):
        self.until(lambda: self.get(port, path) == expected)

    def until_silent(self, port):
        def refused():
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
            except ConnectionRefusedError:
                return True
            except ConnectionResetError:
                pass  # it was let in just before the port was closed: ask again
            return False
        self.until(refused)

    def states(self, name):
        return [job.state for job in self.jobs(name)]


class Services(ServiceCase):
    def test_answers_and_is_refreshed(self):
        repo = self.repo(files={"/a": b"one"})
        inner, outer = free_ports()
        name = self.service(repo, inner, outer)
        self.until_answers(outer, "/a", b"one")
        self.assertEqual(self.states(name), [JOB_RUNNING])
        info = self.info(name)
        self.assertEqual((info.type, info.state),
                         (pps.PipelineInfoPipelineType.PIPELINE_TYPE_SERVICE, RUNNING))
        self.assertEqual(info.details.service.ip, "127.0.0.1")
        self.assertEqual(info.details.service.type, "NodePort")
        self.assertEqual(info.details.workers_available, 1)
        self.put(repo, {"/a": b"two"})
        self.until_answers(outer, "/a", b"two")
        self.until(lambda: self.states(name) == [JOB_RUNNING, SUCCESS])

    def test_only_the_newest_runs(self):
        repo = self.repo(files={"/a": b"0"})
        inner, outer = free_ports()
        name = self.service(repo, inner, outer)
        for i in range(1, 6):
            self.put(repo, {"/a": b"%d" % i})
        self.until_answers(outer, "/a", b"5")
        self.until(lambda: self.states(name) == [JOB_RUNNING] + [SUCCESS] * 5)

    def test_environment_and_logs(self):
        repo = self.repo(files={"/a": b"1"})
        inner, outer = free_ports()
        name = self.service(repo, inner, outer)
        self.until_answers(outer, "/a", b"1")
        job = self.jobs(name)[0].job
        up = f"up no job {job.id} True"
        self.until(lambda: {up, "asked /a"} <= set(self.lines(job=job)))
        lines = [line for line in self.client.pps.get_logs(pipeline=pps.Pipeline(name=name),
                                                           master=True) if line.user]
        self.assertIn(up, [line.message for line in lines])
        self.assertEqual({line.master for line in lines}, {True})

    def test_stop_start_delete(self):
        repo = self.repo(files={"/a": b"1"})
        inner, outer = free_ports()
        name = self.service(repo, inner, outer)
        self.until_answers(outer, "/a", b"1")
        self.client.pps.stop_pipeline(pipeline=pps.Pipeline(name=name))
        self.until_silent(outer)
        self.until_silent(inner)
        self.until_state(name, PAUSED)
        self.assertEqual(self.states(name), [KILLED])
        self.client.pps.start_pipeline(pipeline=pps.Pipeline(name=name))
        self.until_answers(outer, "/a", b"1")
        self.client.pps.delete_pipeline(pipeline=pps.Pipeline(name=name))
        self.until_silent(outer)
        self.until_silent(inner)

    def test_update_moves_the_port(self):
        repo = self.repo(files={"/a": b"1"})
        inner, outer, other = free_ports(3)
        name = self.service(repo, inner, outer)
        self.until_answers(outer, "/a", b"1")
        self.service(repo, inner, other, name=name, update=True)
        self.until_answers(other, "/a", b"1")
        self.until_silent(outer)

    def test_stop_job(self):
        repo = self.repo(files={"/a": b"1"})
        inner, outer = free_ports()
        name = self.service(repo, inner, outer)
        self.until_answers(outer, "/a", b"1")
        self.client.pps.stop_job(job=self.jobs(name)[0].job)
        self.until_silent(outer)
        self.assertEqual(self.states(name), [KILLED])
        self.put(repo, {"/a": b"2"})
        self.until_answers(outer, "/a", b"2")

    def test_autoscaling(self):
        repo = self.repo()
        inner, outer = free_ports()
        name = self.service(repo, inner, outer, autoscaling=True)
        self.put(repo, {"/a": b"1"})
        self.until_answers(outer, "/a", b"1")
        self.assertEqual(self.info(name).state, RUNNING)
        self.client.pps.stop_job(job=self.jobs(name)[0].job)
        self.until_state(name, pps.PipelineState.PIPELINE_STANDBY)
        self.until_silent(outer)

    def test_same_port_inside_and_outside(self):
        repo = self.repo(files={"/a": b"1"})
        port, = free_ports(1)
        self.service(repo, port, port)
        self.until_answers(port, "/a", b"1")

    def test_large_answers(self):
        body = bytes(range(256)) * 40000
        repo = self.repo(files={"/a": body})
        inner, outer = free_ports()
        self.service(repo, inner, outer)
        self.until_answers(outer, "/a", body)

    def test_code_that_ends_runs_again(self):
        repo = self.repo(files={"/a": b"1"})
        inner, outer = free_ports()
        name = self.service(repo, inner, outer)
        self.until_answers(outer, "/a", b"1")
        self.get(outer, "/exit")
        self.until_answers(outer, "/a", b"1")
        self.assertEqual(self.states(name), [JOB_RUNNING])
        text = "\n".join(line.message for line in
                         self.client.pps.get_logs(job=self.jobs(name)[0].job, master=True))
        self.assertIn("errored running user code after", text)
        self.assertIn("exit status 3", text)

    def test_restart_datum(self):
        repo = self.repo(files={"/a": b"1"})
        inner, outer = free_ports()
        name = self.service(repo, inner, outer)
        self.until_answers(outer, "/a", b"1")
        job = self.jobs(name)[0].job
        self.client.pps.restart_datum(job=job, data_filters=["/"])
        self.until(lambda: len([l for l in self.lines(job=job) if l.startswith("up ")]) == 2)
        self.until_answers(outer, "/a", b"1")

    def test_needs_one_datum(self):
        repo = self.repo(files={"/a": b"1", "/b": b"2"})
        inner, outer = free_ports()
        name = unique("svc")
        self.create_json({
            "pipeline": {"name": name}, "transform": {"image": "host", "cmd": ["sleep", "60"]},
            "service": {"internal_port": inner, "external_port": outer},
            "input": {"pfs": {"repo": repo, "glob": "/*", "name": "in"}}})
        info = self.job(name)
        self.assertEqual((info.state, info.reason),
                         (FAILURE, "services must have a single datum"))

    def test_failed_input_leaves_it_running(self):
        repo = self.repo(files={"/a": b"1"})
        up = self.pipeline(repo, "cp /pfs/in/* /pfs/out/; test ! -f /pfs/in/bad", datum_tries=1)
        self.succeeds(up)
        inner, outer = free_ports()
        name = self.service(up, inner, outer)
        self.until_answers(outer, "/a", b"1")
        commit = self.put(repo, {"/bad": b"x"})
        self.assertEqual(self.job(name, commit.id).state, pps.JobState.JOB_UNRUNNABLE)
        self.assertEqual(self.get(outer, "/a"), b"1")

    def test_port_in_use(self):
        repo = self.repo(files={"/a": b"1"})
        for taken in (0, 1):
            ports = free_ports()
            with socket.create_server(("127.0.0.1", ports[taken])):
                name = self.service(repo, *ports)
                info = self.until_state(name, CRASHING)
                self.assertIn(f"port {ports[taken]} ", info.reason)
                self.assertIn("in use", info.reason)
            self.until_state(name, RUNNING)
            self.until_answers(ports[1], "/a", b"1")
            self.assertEqual(self.info(name).reason, "")

    def test_networks_of_their_own(self):
        """Any number may listen on one port, whoever has it on the machine."""
        repos = [self.repo(files={"/a": b"%d" % i}) for i in range(4)]
        inner, *outer = free_ports(5)
        outer[2] = inner  # from outside too: for one of them
        names = [self.service(repo, inner, port, transform={"network": "none"})
                 for repo, port in zip(repos[:3], outer)]
        for i, name in enumerate(names):
            self.until_answers(outer[i], "/a", b"%d" % i)
            self.assertEqual(self.info(name).reason, "")
        self.put(repos[0], {"/a": b"new"})
        self.until_answers(outer[0], "/a", b"new")
        self.get(outer[1], "/exit")
        self.until_answers(outer[1], "/a", b"1")
        # A large answer, and many at once.
        self.put(repos[2], {"/big": b"x" * 5_000_000})
        self.until_answers(outer[2], "/big", b"x" * 5_000_000)
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: self.get(outer[1], "/a"), range(100)))
        self.assertEqual(answers, [b"1"] * 100)

    def test_a_network_of_its_own_leads_nowhere(self):
        """The service hears who calls, and reaches nobody, the server neither."""
        script = ("import socket, sys\n"
                  "try:\n    socket.create_connection(('127.0.0.1', %d), timeout=5)\n"
                  "except OSError as error:\n    print('alone:', error.strerror, flush=True)\n"
                  % self.server.port)
        inner, outer = free_ports()
        name = self.service(self.repo(files={"/a": b"1"}), inner, outer, script=script + HTTP % inner,
                            transform={"network": "none"})
        self.until_answers(outer, "/a", b"1")
        self.assertIn("alone: Connection refused", self.lines(pipeline=pps.Pipeline(name=name)) or
                      [l.message for l in self.client.pps.get_logs(
                          pipeline=pps.Pipeline(name=name), master=True)])

    def test_two_services_with_one_port(self):
        repo = self.repo(files={"/a": b"1"})
        inner, outer, other = free_ports(3)
        first = self.service(repo, inner, outer)
        self.until_answers(outer, "/a", b"1")
        second = self.service(repo, inner, other)
        self.assertIn(f"'default/{first}' serves", self.until_state(second, CRASHING).reason)
        self.assertEqual(self.get(outer, "/a"), b"1")
        self.client.pps.stop_pipeline(pipeline=pps.Pipeline(name=first))
        self.until_answers(other, "/a", b"1")

    def test_no_such_port(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.service(repo, 70000, 1)
        info = self.until_state(name, pps.PipelineState.PIPELINE_FAILURE)
        self.assertEqual(info.reason, "service.internal_port must be between 0 and 65535")
        self.until(lambda: self.states(name) == [KILLED])

    def test_does_not_take_a_workers_place(self):
        repo = self.repo(files={"/a": b"1"})
        names = []
        for _ in range(4):
            inner, outer = free_ports()
            names.append(self.service(repo, inner, outer))
            self.until_answers(outer, "/a", b"1")
        self.succeeds(self.pipeline(repo))


class Accidents(ServiceCase):
    """Against a server of their own."""

    def setUp(self):
        self.server = Server(args=["--worker-timeout", "4"])
        self.addCleanup(self.server.clean)
        self.addCleanup(lambda: self.assertEqual(self.server.stop(), 0))
        self.client = self.server.client()

    def end(self, name):
        pass

    def start_one(self):
        self.source = self.repo(files={"/a": b"1"})
        inner, self.outer = free_ports()
        name = self.service(self.source, inner, self.outer)
        self.until_answers(self.outer, "/a", b"1")
        self.until(lambda: self.ups(name) == 1)  # a line that its worker holds would die with it
        return name

    def worker(self, name):
        job = self.client.pps.inspect_job(job=self.jobs(name)[0].job, details=True)
        status, = job.details.worker_status
        return worker_pid(self.server.process.pid, status.worker_id)

    def ups(self, name):
        job = self.jobs(name)[0].job
        return len([line for line in self.lines(job=job) if line.startswith("up ")])

    def test_worker_dies(self):
        name = self.start_one()
        os.kill(self.worker(name), signal.SIGKILL)
        self.until(lambda: self.ups(name) == 2)
        self.until_answers(self.outer, "/a", b"1")
        self.assertEqual(self.states(name), [JOB_RUNNING])

    def test_worker_does_not_answer(self):
        name = self.start_one()
        os.kill(self.worker(name), signal.SIGSTOP)
        self.until(lambda: self.ups(name) == 2)
        self.until_answers(self.outer, "/a", b"1")

    def test_server_restarts(self):
        for end in (self.server.kill, self.server.stop):
            name = self.start_one()
            end()
            self.until_silent(self.outer)
            self.server.start()
            self.client = self.server.client()
            self.until_answers(self.outer, "/a", b"1")
            self.put(self.source, {"/a": b"2"})
            self.until_answers(self.outer, "/a", b"2")
            self.until(lambda: self.states(name) == [JOB_RUNNING, SUCCESS])


def worker_pid(server, worker_id):
    """The process that was started as this worker."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().decode(errors="replace").split("\0")
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                parent = int(file.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        if parent == server and worker_id in words:
            return int(pid)
    raise AssertionError("no process of " + worker_id)


if __name__ == "__main__":
    unittest.main()
