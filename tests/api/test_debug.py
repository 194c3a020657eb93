"""pcv debug datum: a command, or a shell, where a datum's code was."""

import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import time
import unittest

from harness import Server, copy_programs, name as unique, skip_without_runtime
from pps_case import PpsCase

SECONDS_MAX = 30


class Debug(PpsCase):
    def setUp(self):
        super().setUp()
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.programs = os.path.dirname(os.environ["PCVD"])
        # The sandbox's folders are made there, and must all be gone at the end.
        self.env = dict(os.environ, PCV_ADDRESS=f"127.0.0.1:{self.server.port}",
                        TMPDIR=self.folder.name)

    def datum(self, script="cp -r /pfs/in/. /pfs/out/", files=None, **more):
        """(pipeline@job, id) of a job's only datum."""
        name = self.pipeline(self.repo(files=files or {"/a": b"one"}), script, **more)
        info = self.job(name)
        found, = self.client.pps.list_datum(job=info.job)
        return f"{name}@{info.job.id}", found.datum.id

    def command(self, job, datum, *words):
        return [os.path.join(self.programs, "pcv"), "debug", "datum", job, datum, *words]

    def debug(self, job, datum, *words, **more):
        done = subprocess.run(self.command(job, datum, *words), capture_output=True, text=True,
                              check=False, timeout=SECONDS_MAX, env=self.env,
                              **{"stdin": subprocess.DEVNULL, **more})
        self.assertEqual(os.listdir(self.folder.name), [])
        return done

    def test_what_is_there(self):
        job, datum = self.datum(transform={"env": {"MINE": "x"}, "working_dir": "/tmp"})
        done = self.debug(job, datum, "--", "sh", "-c",
                          "pwd; cat /pfs/in/a; echo; ls -A /pfs/out; echo $MINE $PACH_DATUM_ID; "
                          "touch /pfs/in/a || echo kept; echo two >/pfs/out/b; cat /pfs/out/b")
        self.assertEqual(done.stdout.splitlines(), ["/tmp", "one", f"x {datum}", "kept", "two"])
        self.assertEqual(done.returncode, 0)
        self.assertEqual(self.paths(job.split("@")[0]), ["/a"])

    def test_secrets_and_the_datums_environment(self):
        secret = unique("s")
        self.client.pps.create_secret(name=secret, data={"word": "hunter2"})
        job, datum = self.datum("env | sort >/pfs/out/env", transform={"secrets": [
            {"name": secret, "key": "word", "env_var": "WORD"}]})
        mine = self.debug(job, datum, "--", "sh", "-c", "env | sort").stdout.splitlines()
        real = self.read(job.split("@")[0], "/env").decode().splitlines()
        own = ("PPS_WORKER_GRPC_PORT=", "_=")
        self.assertIn("WORD=hunter2", mine)
        self.assertEqual([l for l in mine if not l.startswith(own)],
                         [l for l in real if not l.startswith(own)])

    def test_a_failed_datum_can_be_tried(self):
        job, datum = self.datum("exit 3", datum_tries="1")
        self.assertEqual(self.debug(job, datum, "--", "cat", "/pfs/in/a").stdout, "one")

    def test_status_and_input_are_the_commands(self):
        job, datum = self.datum()
        self.assertEqual(self.debug(job, datum, "--", "sh", "-c", "exit 7").returncode, 7)
        self.assertEqual(self.debug(job, datum, "--", "sh", "-c", "kill -9 $$").returncode, 137)
        done = self.debug(job, datum, "--", "no-such-program")
        self.assertEqual(done.returncode, 125)
        self.assertIn("no-such-program", done.stderr)
        done = self.debug(job, datum, "--", "cat", stdin=None, input="from outside")
        self.assertEqual(done.stdout, "from outside")

    def test_what_is_written_can_be_kept(self):
        job, datum = self.datum()
        with tempfile.TemporaryDirectory() as folder:
            keep = os.path.join(folder, "kept")
            done = self.debug(job, datum, "--keep", keep, "--", "sh", "-c", "echo 2 >/pfs/out/b")
            self.assertEqual(done.stderr, "")
            self.assertEqual(os.listdir(folder), ["kept"])
            with open(os.path.join(keep, "b"), encoding="utf-8") as file:
                self.assertEqual(file.read(), "2\n")
            done = self.debug(job, datum, "--keep", keep, "--", "true")
            self.assertIn("is there already", done.stderr)
            self.assertNotEqual(done.returncode, 0)

    def test_a_datum_that_runs(self):
        name = self.pipeline(self.repo(files={"/a": b"one"}), "echo here; sleep 1000")
        job = self.until_job_runs(name)
        line = next(l for l in self.client.pps.get_logs(job=job) if l.user)
        done = self.debug(f"{name}@{job.id}", line.datum_id, "--", "cat", "/pfs/in/a")
        self.assertEqual(done.stdout, "one")
        self.client.pps.stop_job(job=job, reason="enough")

    @unittest.skipUnless(os.geteuid() == 0, "is run by somebody else already")
    def test_without_root(self):
        job, datum = self.datum()
        os.chmod(self.folder.name, 0o777)
        self.env["HOME"] = self.folder.name
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            self.programs = os.path.join(folder, "bin")
            copy_programs(self.programs)
            done = self.debug(job, datum, "--", "sh", "-c", "cat /pfs/in/a; echo 2 >/pfs/out/b",
                              user=65534, group=65534, extra_groups=[])
        self.assertEqual((done.stdout, done.returncode), ("one", 0), done.stderr)

    def test_refused(self):
        job, datum = self.datum()
        done = self.debug(job, "ab" * 32, "--", "true")
        self.assertIn(f"datum {'ab' * 32} not found in job", done.stderr)
        done = self.debug(job.split("@")[0] + "@" + "0" * 32, datum, "--", "true")
        self.assertIn("not found", done.stderr)

    # --- a shell on a terminal ---

    def read_until(self, terminal, pattern, seen=""):
        end = time.monotonic() + SECONDS_MAX
        while not re.search(pattern, seen):
            ready, _, _ = select.select([terminal], [], [], end - time.monotonic())
            self.assertTrue(ready, f"{pattern!r} did not come, but {seen!r}")
            seen += os.read(terminal, 4096).decode(errors="replace")
        return seen

    def test_a_shell(self):
        """Typed at, with a terminal of its own: it has jobs, and a key that interrupts."""
        job, datum = self.datum()
        pid, terminal = pty.fork()
        if pid == 0:
            words = self.command(job, datum)
            os.execve(words[0], words, self.env)
        os.write(terminal, b"echo at-$((40 + 2)) $(cat /pfs/in/a)\n")
        self.read_until(terminal, "at-42 one")
        os.write(terminal, b"tty -s && echo is-a-tty-$?\n")
        self.read_until(terminal, "is-a-tty-0")
        os.write(terminal, b"sleep 1000; echo after-$?\n")
        os.write(terminal, b"\x03")
        os.write(terminal, b"\necho still-$((1 + 1))\n")
        self.read_until(terminal, "still-2")
        os.write(terminal, b"exit 5\n")
        try:
            while os.read(terminal, 4096):
                pass
        except OSError:
            pass  # what a terminal says when nobody has its other end
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 5)
        os.close(terminal)
        self.assertEqual(os.listdir(self.folder.name), [])


class RuntimeCase:
    """The same in containers of an OCI runtime."""

    @classmethod
    def setUpClass(cls):
        skip_without_runtime(cls.runtime)
        cls.own = Server(args=["--sandbox", cls.runtime, "--workers", "1"])

    @classmethod
    def tearDownClass(cls):
        assert cls.own.stop() == 0
        cls.own.clean()

    def setUp(self):
        super().setUp()
        self.server = self.own
        self.client = self.own.client()
        self.addCleanup(self.client._channel.close)
        self.env["PCV_ADDRESS"] = f"127.0.0.1:{self.own.port}"

    def test_it_is_a_container(self):
        """Its pid 1 is a program that the runtime started, not a copy of the keeper; and it is the
        same as the datum's."""
        job, datum = self.datum("cat /proc/1/comm > /pfs/out/comm; hostname > /pfs/out/host")
        done = self.debug(job, datum, "--", "sh", "-c", "cat /proc/1/comm; hostname")
        pipeline = job.split("@")[0]
        self.assertEqual(done.stdout.encode(), self.read(pipeline, "/comm") + self.read(pipeline, "/host"))
        self.assertNotIn("pcv-keeper", done.stdout)


class CrunDebug(RuntimeCase, Debug):
    runtime = "crun"


class RuncDebug(RuntimeCase, Debug):
    runtime = "runc"
