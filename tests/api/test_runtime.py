"""The same pipelines in sandboxes of our own and in those of OCI runtimes: pcvd --sandbox."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from harness import Server, lacks_runtime, name, skip_without_runtime
from pachyderm_sdk.api import pfs, pps
from oci_image import COMPRESSIONS, layer, write_layout
from pps_case import FAILURE, PpsCase
from test_image import write_root
from test_pps_service import HTTP, free_ports, get

PCVD = os.environ["PCVD"]
RUNNING, CRASHING = pps.PipelineState.PIPELINE_RUNNING, pps.PipelineState.PIPELINE_CRASHING


def processes():
    """{pid: (name, parent)}"""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                stat = file.read()
        except (FileNotFoundError, ProcessLookupError):
            continue
        named, rest = stat[stat.index("(") + 1:].rsplit(")", 1)
        found[int(pid)] = named, int(rest.split()[1])
    return found


def workers_that_run(server, program):
    """Workers of the server below which a program of that name runs."""
    all_of_them, found = processes(), set()
    for pid in [pid for pid, (named, _) in all_of_them.items() if named == program]:
        while pid in all_of_them and all_of_them[pid][1] != server.process.pid:
            pid = all_of_them[pid][1]
        found |= {pid} & set(all_of_them)
    return found



class RuntimeCase:
    """What must hold whoever makes the sandbox; a subclass says who."""

    runtime = "own"
    user = None  # whose server it is; None: who runs the tests

    @classmethod
    def setUpClass(cls):
        skip_without_runtime(cls.runtime)
        if cls.user is not None and os.geteuid() != 0:
            raise unittest.SkipTest("only root can be somebody else")
        if cls.user is not None and os.environ.get("PCV_SANITIZED") == "thread":
            raise unittest.SkipTest("a process with the sanitizer's own thread may not enter a user namespace")
        cls.own_server = Server(args=["--sandbox", cls.runtime, "--workers", "1",
                                      "--require-sandbox", "1"], user=cls.user)

    @classmethod
    def tearDownClass(cls):
        assert cls.own_server.stop() == 0
        cls.own_server.clean()

    def setUp(self):
        self.server = self.own_server
        self.client = self.server.client()

    def test_runs_and_keeps_what_is_made(self):
        repo = self.repo(files={"/a": b"one\n", "/b": b"two\n"})
        made = self.pipeline(repo, "cp /pfs/in/b /pfs/out/b; ln -s /pfs/in/a /pfs/out/l", glob="/")
        self.succeeds(made)
        self.assertEqual(self.read(made, "/b"), b"two\n")
        self.assertEqual(self.read(made, "/l"), b"one\n")

    def test_inputs_and_the_server_are_out_of_reach(self):
        repo = self.repo(files={"/a": b"one\n"})
        script = ("for w in 'echo x > /pfs/in/a' 'echo x > /etc/x' 'echo x > /proc/sys/kernel/hostname' "
                  f"'ls {self.server.data}/pcv | grep .' 'mount -t tmpfs none /mnt' 'unshare -U true'; do "
                  "sh -c \"$w\" 2>/dev/null && echo \"$w\"; done > /pfs/out/escaped; :")
        made = self.pipeline(repo, script)
        self.succeeds(made)
        self.assertEqual(self.read(made, "/escaped"), b"")

    def test_ends_are_told(self):
        repo = self.repo(files={"/a": b"one\n"})
        for script, reason in (("exit 3", "exit status 3"), ("kill -9 $$", "signal: killed")):
            made = self.pipeline(repo, script, datum_tries=1)
            info = self.job(made)
            self.assertEqual(info.state, FAILURE)
            said = [line.message for line in self.client.pps.get_logs(job=info.job)]
            self.assertTrue(any(reason in line for line in said), said)

    def test_runs_as_the_user_asked_for(self):
        repo = self.repo(files={"/a": b"one\n"})
        made = self.pipeline(repo, "id -u > /pfs/out/id; id -g >> /pfs/out/id",
                             transform={"user": "1234:2345"})
        self.succeeds(made)
        self.assertEqual(self.read(made, "/id"), b"1234\n2345\n")

    def test_network_none(self):
        """Its own loopback, which is up, and nothing else."""
        repo = self.repo(files={"/a": b"one\n"})
        script = ("grep -c : /proc/net/dev > /pfs/out/devices; "
                  "(echo > /dev/tcp/127.0.0.1/1) 2>&1 | grep -q refused && echo up >> /pfs/out/devices")
        made = self.pipeline(repo, script, transform={"network": "none", "cmd": ["bash", "-e"]})
        self.succeeds(made)
        self.assertEqual(self.read(made, "/devices"), b"1\nup\n")
        for network, more, text in (
                ("nonne", {}, 'network must be "host" or "none", not "nonne"'),
                ("none", {"s3_out": True}, "s3 output needs a network"),
                ("none", {"service": {"internal_port": 80}}, "a service without both ports needs a network")):
            with self.fails("INVALID_ARGUMENT", text):
                self.pipeline(repo, "true", transform={"network": network}, **more)

    def test_a_service_with_a_network_of_its_own(self):
        """Two that listen on one port, each reached by its own; whoever makes the network."""
        repo = self.repo(files={"/a": b"here"})
        inner, *outer = free_ports(3)
        names = [name("svc") for _ in outer]
        for made, port in zip(names, outer):
            self.create_json({
                "pipeline": {"name": made},
                "transform": {"image": "host", "cmd": ["python3", "-c", HTTP % inner], "network": "none"},
                "service": {"internal_port": inner, "external_port": port},
                "input": {"pfs": {"repo": repo, "glob": "/", "name": "in"}}})
            self.addCleanup(self.client.pps.delete_pipeline, pipeline=pps.Pipeline(name=made), force=True)
        for port in outer:
            self.until(lambda: get(port, "/a") == b"here")

    def test_out_of_memory_is_told(self):
        repo = self.repo(files={"/a": b"one\n"})
        made = self.pipeline(repo, "head -c 400M /dev/zero | tail -c 399M > /dev/null", datum_tries=1,
                             resource_limits={"memory": "64M"})
        info = self.job(made)
        self.assertEqual(info.state, FAILURE)
        said = [line.message for line in self.client.pps.get_logs(job=info.job)]
        if any("no writable cgroup for the memory limit" in line for line in said):
            self.skipTest("no cgroup of memory here")
        self.assertTrue(any("exit status 137: out of memory: limit 64000000 bytes" in line for line in said), said)
        failed, = self.client.pps.list_datum(job=info.job)
        meta = json.loads(self.read_meta(made, f"/meta/{failed.datum.id}/meta"))
        self.assertEqual(meta["reason"], "exit status 137: out of memory: limit 64000000 bytes")

    def read_meta(self, pipeline, path):
        repo = pfs.Repo(name=pipeline, type="meta", project=pfs.Project(name="default"))
        commit = pfs.Commit(repo=repo, branch=pfs.Branch(repo=repo, name="master"))
        with self.client.pfs.pfs_file(file=pfs.File(commit=commit, path=path)) as file:
            return file.read()

    def scratch(self):
        folder = tempfile.mkdtemp(prefix="pcv-runtime-")
        self.addCleanup(shutil.rmtree, folder)
        return folder

    def imported(self, path):
        image = name("img")
        subprocess.run([os.path.join(os.path.dirname(PCVD), "pcv"), "image", "import", path, image,
                        "--address", f"127.0.0.1:{self.server.port}"], check=True, capture_output=True)
        return image

    def image(self, *layers, **config):
        """An image with a shell and some tools, and these layers over them."""
        base = layer(programs=["sh", "cat", "ls", "id", "pwd"])
        return self.imported(write_layout(os.path.join(self.scratch(), "layout"),
                                          [(base, "+gzip"), *layers], config))

    def test_runs_in_an_image(self):
        tar = os.path.join(self.scratch(), "root.tar")
        write_root(tar, "in the image\n")
        image = self.imported(tar)
        repo = self.repo(files={"/a": b"one\n"})
        made = self.pipeline(repo, "cat /marker /pfs/in/a > /pfs/out/a; echo /etc/* >> /pfs/out/a",
                             transform={"image": image, "cmd": ["/bin/sh", "-e"]})
        self.succeeds(made)
        self.assertTrue(self.read(made, "/a").startswith(b"in the image\none\n"))
        self.assertNotIn(b"passwd", self.read(made, "/a"))

    def test_many_layers(self):
        """More than a kernel's limit for mounted ones, of all compressions; those above remove single
        files, whole folders, and what lies below a folder that begins anew."""
        left, layers = {}, [({"dir/kept/.keep": ""}, "")]
        for i, how in zip(range(150), itertools.cycle(COMPRESSIONS)):
            files = {f"dir/{i}": f"{i}\n", f"old/{i}": "", f"gone/deep/{i}": ""}
            left[str(i)] = f"{i}\n"
            if i % 3 == 2:
                files[f"dir/.wh.{i - 1}"] = ""
                del left[str(i - 1)]
            if i == 140:
                files[".wh.gone"] = files["old/.wh..wh..opq"] = ""
                del files[f"gone/deep/{i}"]
            layers.append((files, how))
        image = self.image(*((layer(files), how) for files, how in layers))
        repo = self.repo(files={"/a": b"one\n"})
        made = self.pipeline(repo, "cd /dir; for f in *; do cat $f > /pfs/out/$f; done; ls /old /gone/deep > /pfs/out/others",
                             transform={"image": image, "cmd": ["/bin/sh"], "working_dir": "/"})
        self.succeeds(made)
        self.assertEqual({path[1:]: self.read(made, path).decode() for path in self.paths(made)
                          if path[1:].isdigit()}, left)
        self.assertEqual(self.read(made, "/others").decode().split(),
                         ["/gone/deep:"] + sorted(str(i) for i in range(141, 150)) +
                         ["/old:"] + sorted(str(i) for i in range(140, 150)))

    ACCOUNTS = {"etc/passwd": "root:x:0:0::/root:/bin/sh\nalice:x:1500:1600::/home/alice:/bin/sh\n",
                "etc/group": "root:x:0:\nstaff:x:1700:\n"}

    def test_users_of_an_image(self):
        """By its own accounts, not the host's; the transform's user wins over the image's."""
        image = self.image((layer(self.ACCOUNTS), "+zstd"), User="alice:staff")
        repo = self.repo(files={"/a": b"one\n"})
        for user, text in (("", "1500 1700 /home/alice"), ("alice", "1500 1600 /home/alice"),
                           ("1500", "1500 1600 /home/alice"), ("1500:5", "1500 5 /home/alice"),
                           ("alice:staff", "1500 1700 /home/alice"), ("root", "0 0 /root"),
                           ("77", "77 0 /"), ("77:88", "77 88 /")):
            with self.subTest(user):
                made = self.pipeline(repo, "echo $(id -u) $(id -g) $HOME > /pfs/out/id; cat /pfs/in/a > /pfs/out/a",
                                     transform={"image": image, "user": user, "cmd": ["sh", "-e"]})
                self.succeeds(made)
                self.assertEqual(self.read(made, "/id").decode(), text + "\n")
        for user, reason in (("nobody", "guess uid from transform user by reading /etc/passwd: user nobody not found"),
                             ("alice:users", "guess gid from transform user: group users not found")):
            with self.subTest(user):
                made = self.pipeline(repo, transform={"image": image, "user": user, "cmd": ["sh"]}, datum_tries=1)
                self.assertEqual(self.reason_of_datum(made), reason)

    def reason_of_datum(self, pipeline):
        info = self.job(pipeline)
        self.assertEqual(info.state, FAILURE)
        failed, = self.client.pps.list_datum(job=info.job)
        reason = json.loads(self.read_meta(pipeline, f"/meta/{failed.datum.id}/meta"))["reason"]
        said = [line.message for line in self.client.pps.get_logs(job=info.job)]
        self.assertTrue([line for line in said if reason in line], said)
        return reason

    def test_what_an_image_says(self):
        """Its environment and folder, under what the transform says. What it would run is not run."""
        image = self.image((layer(self.ACCOUNTS, folders=["work", "other"]), ""), Env=["WHO=image", "WHAT=x"],
                           WorkingDir="/work", Entrypoint=["/bin/cat"], Cmd=["/etc/passwd"])
        repo = self.repo(files={"/a": b"one\n"})
        script = "echo $WHO $WHAT $PWD $(pwd) $(id -u) > /pfs/out/said"
        made = self.pipeline(repo, script, transform={"image": image, "cmd": ["sh", "-e"]})
        self.succeeds(made)
        self.assertEqual(self.read(made, "/said"), b"image x /work /work 0\n")
        made = self.pipeline(repo, script, transform={"image": image, "cmd": ["sh", "-e"], "env": {"WHO": "me"},
                                                      "working_dir": "/other"})
        self.succeeds(made)
        self.assertEqual(self.read(made, "/said"), b"me x /other /other 0\n")
        made = self.pipeline(repo, transform={"image": image, "cmd": []})
        info = self.until_state(made, pps.PipelineState.PIPELINE_FAILURE)
        self.assertEqual(info.reason, "nothing to run: no transform.cmd")


class OwnTest(RuntimeCase, PpsCase):
    runtime = "own"


class CrunTest(RuntimeCase, PpsCase):
    runtime = "crun"


class RuncTest(RuntimeCase, PpsCase):
    runtime = "runc"


class OwnAsNobodyTest(RuntimeCase, PpsCase):
    runtime = "own"
    user = 65534


class CrunAsNobodyTest(RuntimeCase, PpsCase):
    runtime = "crun"
    user = 65534


class RuncAsNobodyTest(RuntimeCase, PpsCase):
    runtime = "runc"
    user = 65534


CONFINED = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "confined.py")]


FILTERED = CONFINED + ["--filtered"]


def can_confine():
    return os.geteuid() == 0 and subprocess.run(CONFINED + ["true"], capture_output=True).returncode == 0


@unittest.skipIf(os.environ.get("PCV_SANITIZED") == "thread",
                 "a process with the sanitizer's own thread may not enter a user namespace")
@unittest.skipUnless(can_confine(), "needs root, unshare and setpriv")
class ConfinedTest(PpsCase):
    """Where no sandbox can be had: a plain process, said in the log; or nothing, when told so. Plain
    processes have the machine's /pfs, so one worker has all the work."""

    prefix = CONFINED
    forbidden = "no space left on device (/proc/sys/user/max_user_namespaces is 0)"

    def serve(self, *args, runtime="own"):
        self.server = Server(args=["--workers", "3", "--sandbox", runtime, *args], prefix=self.prefix)
        self.addCleanup(self.server.clean)
        self.addCleanup(self.server.stop)
        self.client = self.server.client()

    def own_lines(self, job):
        return [line.message for line in self.client.pps.get_logs(job=job) if not line.user]

    def test_plain_processes_with_a_warning(self):
        self.serve()
        repo = self.repo(files={f"/{i}": b"%d\n" % i for i in range(8)})
        made = self.pipeline(repo, "cp /pfs/in/* /pfs/out/", parallelism_spec={"constant": 3},
                             datum_set_spec={"number": 1})
        info = self.succeeds(made)
        self.assertEqual(len(self.paths(made)), 8)
        said = self.own_lines(info.job)
        for level in ("root", "user"):
            self.assertEqual(len([line for line in said if f"warning: no sandbox of level '{level}'" in line]), 1, said)
        self.assertTrue([line for line in said if self.forbidden in line], said)
        self.assertTrue([line for line in said if "warning: user code runs as a plain process" in line], said)

    def test_the_others_stand_by(self):
        self.serve()
        made = self.pipeline(self.repo(files={"/a": b"one\n"}))
        self.succeeds(made)
        self.until(lambda: self.server.read_log().count("worker stands by") == 2)
        log = self.server.read_log()
        self.assertEqual(log.count("worker joined"), 1)
        self.assertNotIn("worker ended", log)
        self.assertEqual(self.info(made).state, RUNNING)

    def test_another_takes_over(self):
        """The one that has /pfs is killed in its datum: who gets it next runs that again."""
        self.serve()
        made = self.pipeline(self.repo(files={"/a": b"one\n"}), "echo here; [ -e /tmp/{0} ] || sleep 1000; "
                             "cp /pfs/in/a /pfs/out/; rm /tmp/{0}".format(mark := name("mark")))
        self.until_job_runs(made)
        with open("/tmp/" + mark, "w", encoding="ascii"):
            pass
        working, = workers_that_run(self.server, "sh")
        os.kill(working, signal.SIGKILL)
        self.succeeds(made)

    def test_what_needs_a_sandbox_says_so(self):
        self.serve()
        repo = self.repo(files={"/a": b"one\n"})
        info = self.job(self.pipeline(repo, transform={"network": "none"}))
        self.assertEqual(info.state, FAILURE)
        self.assertIn("a network of its own needs a sandbox", info.reason)

    def test_a_service_finds_pfs_taken(self):
        self.serve()
        repo = self.repo(files={"/a": b"one\n"})
        self.succeeds(self.pipeline(repo))
        made = self.pipeline(repo, "sleep 1000", service={"internal_port": 9, "external_port": 9})
        self.assertIn("folder '/pfs' is in use by another worker of this machine",
                      self.until_state(made, CRASHING).reason)

    def test_refused_when_told_so(self):
        for runtime in ("own", "crun"):
            if lacks_runtime(runtime):
                continue
            with self.subTest(runtime):
                self.serve("--require-sandbox", "1", runtime=runtime)
                repo = self.repo(files={"/a": b"one\n"})
                made = self.pipeline(repo)
                reason = self.until_state(made, CRASHING).reason
                self.assertIn("no worker can run: user code may only run in a sandbox", reason)
                self.assertIn(self.forbidden, reason)
                self.assertEqual(self.jobs(made)[0].data_processed, 0)
                self.assertNotIn("worker ended", self.server.read_log())
                served = self.pipeline(repo, "sleep 1000", service={"internal_port": 9, "external_port": 9})
                self.assertIn(self.forbidden, self.until_state(served, CRASHING).reason)


class AllowedLaterTest(PpsCase):
    serve = ConfinedTest.serve
    prefix = CONFINED

    @unittest.skipUnless(can_confine(), "needs root, unshare and setpriv")
    def test_goes_on_when_the_machine_allows_it(self):
        self.serve("--require-sandbox", "1")
        made = self.pipeline(self.repo(files={"/a": b"one\n"}))
        self.until_state(made, CRASHING)
        subprocess.run(["nsenter", "-t", str(self.server.process.pid), "-U", "--preserve-credentials", "sh", "-c",
                        "echo 1000 > /proc/sys/user/max_user_namespaces"], check=True)
        self.succeeds(made)
        self.until_state(made, RUNNING)
        self.until(lambda: self.server.read_log().count("sandbox=user") == 3)


class FilteredTest(ConfinedTest):
    """The same where a filter denies the system calls, as container engines' do."""

    prefix = FILTERED
    forbidden = "could not carry out 'unshare user mount"


FAKE_DEVICES = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "fakedev.py")]


def can_fake_devices():
    return os.geteuid() == 0 and subprocess.run(FAKE_DEVICES + ["true"], capture_output=True).returncode == 0


@unittest.skipUnless(can_fake_devices(), "needs root")
class GpuTest(PpsCase):
    """resource_limits.gpu, on a machine that has two, whoever makes the sandbox."""

    def serve(self, runtime):
        self.server = Server(args=["--workers", "1", "--sandbox", runtime, "--require-sandbox", "1"],
                             prefix=FAKE_DEVICES)
        self.addCleanup(self.server.clean)
        self.addCleanup(self.server.stop)
        self.client = self.server.client()

    def test_devices_are_there_for_who_asks(self):
        script = ("for d in 0 1 -caps/nvidia-cap1; do head -c 2 /dev/nvidia$d | od -An -tx1; done > /pfs/out/read; "
                  "echo x > /dev/nvidiactl; echo x > /dev/nvidia-uvm; ls -d /dev/nvidia* > /pfs/out/names")
        for runtime in itertools.filterfalse(lacks_runtime, ("own", "crun", "runc")):
            with self.subTest(runtime):
                self.serve(runtime)
                repo = self.repo(files={"/a": b"one\n"})
                for user in ("", "1234:1234"):
                    made = self.pipeline(repo, script, transform={"user": user},
                                         resource_limits={"gpu": {"type": "nvidia.com/gpu", "number": 2}})
                    self.succeeds(made)
                    self.assertEqual(self.read(made, "/read"), b" 00 00\n" * 3)
                    self.assertEqual(self.read(made, "/names").split(),
                                     [b"/dev/nvidia" + name for name in (b"-caps", b"-uvm", b"0", b"1", b"ctl")])
                made = self.pipeline(repo, "ls -d /dev/nvidia* > /pfs/out/names || :")
                self.succeeds(made)
                self.assertEqual(self.read(made, "/names"), b"")

    def test_who_asks_for_more_crashes(self):
        self.serve("own")
        repo = self.repo(files={"/a": b"one\n"})
        for gpu, text in (({"type": "nvidia.com/gpu", "number": 3}, "3 is asked for, this machine has 2"),
                          ({"number": 3}, "3 is asked for, this machine has 2"),
                          ({"type": "amd.com/gpu", "number": 1},
                           "1 of type 'amd.com/gpu' is asked for, this machine has none")):
            made = self.pipeline(repo, resource_limits={"gpu": gpu})
            self.assertEqual(self.until_state(made, CRASHING).reason, "unschedulable: insufficient gpu: " + text)


class ChoiceTest(unittest.TestCase):
    def refused(self, *args, env=None):
        folder = tempfile.mkdtemp(prefix="pcv-runtime-")
        self.addCleanup(shutil.rmtree, folder)
        run = subprocess.run([PCVD, "--data", folder, "--listen", "127.0.0.1:0", *args],
                             capture_output=True, text=True, env=env, timeout=60)
        self.assertNotEqual(run.returncode, 0)
        return run.stderr

    def test_an_unknown_one_is_refused(self):
        self.assertIn("'sandbox' must be one of own|crun|runc, not 'docker'",
                      self.refused("--sandbox", "docker"))

    @unittest.skipIf(shutil.which("runc"), "runc is installed")
    def test_one_that_is_not_installed_is_refused(self):
        self.assertIn("'runc' is not installed", self.refused("--sandbox", "runc"))


if __name__ == "__main__":
    unittest.main()
