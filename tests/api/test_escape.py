"""User code that tries to get out: each script is run in datums of a real server, as root and as
somebody without rights, and must fail.

What the sandbox itself denies is tried more finely in tests/unit/worker/test_sandbox.c; here it is
what only a whole server has: its folder, its socket, its process, other datums, its disk.
"""

import os
import unittest

from harness import Server
from pps_case import FAILURE, PpsCase

NOBODY = 65534

# {data} is the server's folder, {pid} its process.
SCRIPTS = {
    "writes an input": "echo x > /pfs/in/*",
    "appends to an input through a link": "ln -s /pfs/in/* /tmp/l && echo x >> /tmp/l",
    "makes an input writable": "chmod u+w /pfs/in/*",
    "removes an input": "rm -f /pfs/in/*",
    "adds an input": "echo x > /pfs/in/c",
    "lists the store": "ls {data}/pcv/packs | grep pack",
    "reads the database": "cat {data}/pcv/pcv.db | grep .",
    "reads the log": "grep . {data}/log",
    "makes a file in the server's folder": "echo x > {data}/pcv/x",
    "speaks to the workers' socket": "python3 -c \"import socket; "
                                     "socket.socket(socket.AF_UNIX).connect('{data}/pcv/worker.sock')\"",
    "goes up from its folder": "ls -a /pfs/../../../../{data}/pcv | grep db",
    "sees the server": "grep -l pcvd /proc/[0-9]*/comm",
    "signals the server": "kill -0 {pid} && kill -9 {pid}",
    "reads the server's environment": "tr '\\0' '\\n' < /proc/{pid}/environ | grep PCV_TEST_SECRET",
    "has the server's environment": "env | grep PCV_TEST_SECRET",
    "looks through the server's root": "ls /proc/{pid}/root/",
    "traces": "python3 -c 'import ctypes, os, sys; "
              "sys.exit(ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) != 0)'",
    "mounts": "mkdir -p /tmp/m && mount -t proc proc /tmp/m",
    "mounts in a new namespace": "unshare -Urm true",
    "makes a device": "mknod /tmp/null c 1 3 && head -c1 /tmp/null",
    "reads a disk": "for d in /dev/vd? /dev/sd? /dev/nvme?n? /dev/mem; do head -c1 $d | grep -q . "
                    "&& exit 0; done; false",
    "has another datum's input": "test $(ls /pfs/in | wc -l) != 1",
    "finds another datum": "ls {data}/pcv/work/*/*",
    "leaves something for the next": "test -e /tmp/left || test -e /dev/shm/left || "
                                     "{{ touch /tmp/left /dev/shm/left; false; }}",
}


class AsRoot(PpsCase):
    user = None

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0 and cls.user is not None:
            raise unittest.SkipTest("only root can be somebody else")
        cls.own = Server(env={"PCV_TEST_SECRET": "secret"}, user=cls.user)

    @classmethod
    def tearDownClass(cls):
        code, log = cls.own.stop(), cls.own.read_log()
        cls.own.clean()
        assert code == 0, log

    def setUp(self):
        self.server = self.own
        self.client = self.server.client()
        self.addCleanup(self.client._channel.close)
        if "worker joined" not in self.server.read_log():
            self.attempt({})
        if "sandbox=none" in self.server.read_log():
            self.skipTest("this machine gives no sandbox")

    def attempt(self, scripts):
        """What those print that come through. There are two datums, one after the other."""
        repo = self.repo(files={"/a": b"1", "/b": b"2"})
        tries = [f"( {script} ) >/dev/null 2>&1 && echo \"escaped: {what}\""
                 for what, script in scripts.items()]
        name = self.pipeline(repo, "set +e\n" + "\n".join(tries) + "\necho tried",
                             parallelism_spec={"constant": 1})
        info = self.succeeds(name)
        self.assertEqual((self.read(repo, "/a"), self.read(repo, "/b")), (b"1", b"2"))
        return self.lines(job=info.job)

    def test_scripts(self):
        place = {"data": self.server.data, "pid": self.server.process.pid}
        scripts = {what: script.format(**place) for what, script in SCRIPTS.items()}
        self.assertEqual(self.attempt(scripts), ["tried"] * 2)
        self.assertEqual(self.attempt({"this works": "true"})[0], "escaped: this works")
        self.assertIsNone(self.server.process.poll())

    @unittest.skipUnless(os.environ.get("PCV_TEST_LONG"), "thousands of processes: a long test")
    def test_fork_bomb(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "bomb() { bomb | bomb & }; bomb; sleep 2; exit 3",
                             datum_tries=1)
        self.assertEqual(self.job(name).state, FAILURE)
        self.succeeds(self.pipeline(repo))  # and the machine is still there

    def test_a_process_that_stays(self):
        """It left its group and session, and ends with its datum all the same."""
        repo = self.repo(files={"/a": b"1"})
        mark = f"pcv-stays-{os.getpid()}-{self.user}"
        name = self.pipeline(repo, "setsid sh -c 'while :; do sleep 1; done' "
                                   f"{mark} </dev/null >/dev/null 2>&1 & echo 1 > /pfs/out/a")
        self.succeeds(name)
        self.until(lambda: not running(mark))

    def test_memory(self):
        """What a limit gives is all there is, and the server is not what pays for it."""
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "head -c 400M /dev/zero | tail -c 399M > /dev/null",
                             resource_limits={"memory": "64M"}, datum_tries=1)
        info = self.job(name)
        self.assertEqual(info.state, FAILURE, info.reason)
        self.assertIsNone(self.server.process.poll())


@unittest.skipIf(os.environ.get("PCV_SANITIZED") == "thread",
                 "a process with the sanitizer's own thread may not enter a user namespace")
class AsNobody(AsRoot):
    user = NOBODY


def running(mark):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if mark.encode() in file.read() and int(pid) != os.getpid():
                    return True
        except (FileNotFoundError, ProcessLookupError):
            pass
    return False


if __name__ == "__main__":
    unittest.main()
