"""The same pipelines in sandboxes of our own and in those of OCI runtimes: pcvd --sandbox."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from harness import Server, name
from pachyderm_sdk.api import pps
from pps_case import FAILURE, PpsCase
from test_image import write_root

PCVD = os.environ["PCVD"]


class RuntimeCase:
    """What must hold whoever makes the sandbox; a subclass says who."""

    runtime = "own"

    @classmethod
    def setUpClass(cls):
        if cls.runtime != "own" and not shutil.which(cls.runtime):
            raise unittest.SkipTest(f"{cls.runtime} is not installed")
        init = os.path.join(os.path.dirname(PCVD), "pcv-init")
        if cls.runtime != "own" and not os.path.exists(init):
            raise unittest.SkipTest("this build has no pcv-init")
        cls.own_server = Server(args=["--sandbox", cls.runtime, "--workers", "1",
                                      "--require-sandbox", "1"])

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
                ("none", {"service": {"internal_port": 80, "external_port": 80}}, "a service needs a network")):
            with self.fails("INVALID_ARGUMENT", text):
                self.pipeline(repo, "true", transform={"network": network}, **more)

    def test_runs_in_an_image(self):
        folder = tempfile.mkdtemp(prefix="pcv-runtime-")
        self.addCleanup(shutil.rmtree, folder)
        tar = os.path.join(folder, "root.tar")
        write_root(tar, "in the image\n")
        image = name("img")
        subprocess.run([os.path.join(os.path.dirname(PCVD), "pcv"), "image", "import", tar, image,
                        "--address", f"127.0.0.1:{self.server.port}"], check=True, capture_output=True)
        repo = self.repo(files={"/a": b"one\n"})
        made = self.pipeline(repo, "cat /marker /pfs/in/a > /pfs/out/a; echo /etc/* >> /pfs/out/a",
                             transform={"image": image, "cmd": ["/bin/sh", "-e"]})
        self.succeeds(made)
        self.assertTrue(self.read(made, "/a").startswith(b"in the image\none\n"))
        self.assertNotIn(b"passwd", self.read(made, "/a"))


class OwnTest(RuntimeCase, PpsCase):
    runtime = "own"


class CrunTest(RuntimeCase, PpsCase):
    runtime = "crun"


class RuncTest(RuntimeCase, PpsCase):
    runtime = "runc"


CONFINED = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "confined.py")]


def can_confine():
    return os.geteuid() == 0 and subprocess.run(CONFINED + ["true"], capture_output=True).returncode == 0


@unittest.skipUnless(can_confine(), "needs root, unshare and setpriv")
class ConfinedTest(PpsCase):
    """Where no sandbox can be had: a plain process, said in the log; or nothing, when told so."""

    def serve(self, *args):
        self.server = Server(args=["--workers", "1", *args], prefix=CONFINED)
        self.addCleanup(self.server.clean)
        self.addCleanup(self.server.stop)
        self.client = self.server.client()

    def test_a_plain_process_with_a_warning(self):
        self.serve()
        repo = self.repo(files={"/a": b"one\n", "/b": b"two\n"})
        made = self.pipeline(repo, "cp /pfs/in/* /pfs/out/")
        info = self.succeeds(made)
        self.assertEqual(self.read(made, "/a"), b"one\n")
        said = [line.message for line in self.client.pps.get_logs(job=info.job)]
        self.assertEqual(len([line for line in said if "warning: no sandbox of level 'root'" in line]), 1, said)
        self.assertEqual(len([line for line in said if "warning: no sandbox of level 'user'" in line]), 1, said)

    def test_refused_when_told_so(self):
        self.serve("--require-sandbox", "1")
        repo = self.repo(files={"/a": b"one\n"})
        made = self.pipeline(repo, "cp /pfs/in/* /pfs/out/")
        self.until(lambda: "could not open a sandbox of level 'user'" in self.server.read_log())
        self.assertEqual(self.jobs(made)[0].data_processed, 0)


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
