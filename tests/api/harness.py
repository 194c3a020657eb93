"""One server on a scratch folder for all tests of a run, and clients of it.

The client is the real one, from PyPI (run.sh installs it), so that what is tested is what users
have. PCVD names the program to test.
"""

import atexit
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import uuid
from contextlib import contextmanager
from types import SimpleNamespace

import grpc
from pachyderm_sdk import Client

READY_SECONDS_MAX = 20


def copy_programs(folder):
    """Our programs in a folder of their own: where they were built, others may not come by."""
    shutil.copytree(os.path.dirname(os.environ["PCVD"]), folder, ignore=shutil.ignore_patterns("*.p"))


def lacks_runtime(runtime):
    """Why containers of that OCI runtime cannot be tested; None: they can. "own" is no runtime."""
    if runtime == "own":
        return None
    if not shutil.which(runtime):
        return f"{runtime} is not installed"
    init = os.path.join(os.path.dirname(os.environ["PCVD"]), "pcv-init")  # sanitized builds have none
    return None if os.path.exists(init) else "this build has no pcv-init"


def skip_without_runtime(runtime):
    if lacks_runtime(runtime):
        raise unittest.SkipTest(lacks_runtime(runtime))


class Server:
    """A running pcvd; its folder outlives it until clean()."""

    def __init__(self, data=None, env=None, args=(), user=None, prefix=()):
        """user: a number, when not as who runs the tests; the programs are copied to where he may
        run them."""
        self.data = data or tempfile.mkdtemp(prefix="pcv-api-")
        self.program, self.user = os.environ["PCVD"], user
        if user is not None:
            self.program = os.path.join(self.data, "bin", "pcvd")
            copy_programs(os.path.dirname(self.program))
            os.chmod(self.data, 0o755)
            os.chown(self.data, user, user)
        self.env = dict(os.environ, **(env or {}))
        self.prefix = list(prefix)  # a command that becomes the server
        self.args = ["--pull", "never", *args]  # tests do not leave this machine
        self.start()

    def start(self):
        port_file = os.path.join(self.data, "port")
        if os.path.exists(port_file):
            os.unlink(port_file)
        self.log = open(os.path.join(self.data, "log"), "ab")
        command = self.prefix + [self.program, "--data", os.path.join(self.data, "pcv")]
        command += ["--listen", "127.0.0.1:0", "--port-file", port_file] + self.args
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=self.env,
                                        user=self.user, group=self.user)
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not os.path.exists(port_file):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("pcvd did not start: " + self.read_log())
            time.sleep(0.005)
        with open(port_file, encoding="utf-8") as file:
            self.port = int(file.read())

    def read_log(self):
        with open(os.path.join(self.data, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def client(self):
        return Client(host="127.0.0.1", port=self.port)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.log.close()
        return code

    def clean(self):
        shutil.rmtree(self.data, ignore_errors=True)


_shared = []


def shared_server():
    if not _shared:
        _shared.append(Server())
        atexit.register(_end_shared)
    return _shared[0]


def _end_shared():
    server = _shared.pop()
    code = server.stop()
    if code != 0:
        print("pcvd ended with", code, "\n", server.read_log())
        os._exit(1)
    server.clean()


class ApiTest(unittest.TestCase):
    """Tests against the shared server. Each uses names of its own, so none needs it to be empty."""

    def setUp(self):
        self.server = shared_server()
        self.client = self.server.client()
        self.addCleanup(self.client._channel.close)

    @contextmanager
    def fails(self, code, text="", exact=False):
        """The body must end with this gRPC code, and a message that has `text` (or a pattern) in
        it. What it gives has the error and its message afterwards."""
        told = SimpleNamespace(error=None, text=None)
        with self.assertRaises(grpc.RpcError) as caught:
            yield told
        error = told.error = caught.exception
        told.text = error.details()
        self.assertEqual((error.code().name, error.details()), (code, error.details()))
        if exact:
            self.assertEqual(error.details(), text)
        elif isinstance(text, re.Pattern):
            self.assertRegex(error.details(), text)
        else:
            self.assertIn(text, error.details())

    def assert_text(self, pattern, text):
        self.assertIsNotNone(re.search(pattern, text), f"{pattern!r} is not in {text!r}")


def name(prefix="r"):
    return prefix + "-" + uuid.uuid4().hex[:10]


def raw_call(client, path, request=b"", metadata=None, timeout=30):
    """A unary call of bytes over a plain channel, for what the client cannot say or changes."""
    with grpc.insecure_channel(client.address) as channel:
        call = channel.unary_unary(
            path, request_serializer=lambda m: m, response_deserializer=lambda b: b
        )
        return call(request, metadata=metadata, timeout=timeout)
