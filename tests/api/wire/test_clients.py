"""The wire by clients that others wrote: grpcio, http.client, and curl and h2load where they are installed.

PCVD names the program to test: here it is wire_echo_server, whose methods are those of tests/unit/wire/echo.h.
"""

import http.client
import os
import shutil
import subprocess
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor

import grpc

MIB = 1 << 20
LIMITS = [("grpc.max_receive_message_length", 20 * MIB), ("grpc.max_send_message_length", 32 * MIB)]


class WireTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = subprocess.Popen([os.environ["PCVD"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        cls.address = cls.server.stdout.readline().strip()
        cls.channel = grpc.insecure_channel(cls.address, options=LIMITS)

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        cls.server.stdin.close()
        code = cls.server.wait(timeout=20)
        cls.server.stdout.close()
        assert code == 0, code

    def unary(self, method):
        return self.channel.unary_unary("/echo.Echo/" + method)

    def fails(self, code, call, *args, **more):
        with self.assertRaises(grpc.RpcError) as caught:
            call(*args, **more)
        self.assertEqual(caught.exception.code(), code)
        return caught.exception


class Grpc(WireTest):
    def test_unary_of_all_sizes(self):
        for size in (0, 1, 16383, 16384, 70000, 5 * MIB, 20 * MIB):
            request = os.urandom(1000) * (size // 1000) + b"x" * (size % 1000)
            self.assertEqual(self.unary("Each")(request), request)

    def test_too_large(self):
        error = self.fails(grpc.StatusCode.RESOURCE_EXHAUSTED, self.unary("Each"), bytes(20 * MIB + 1))
        self.assertIn("received message larger than max (20971521 vs. 20971520)", error.details())
        self.assertEqual(self.unary("Each")(b"still there"), b"still there")

    def test_client_streaming(self):
        call = self.channel.stream_unary("/echo.Echo/Count")
        self.assertEqual(call(iter([b"x" * 1000] * 5000)), b"5000 5000000")
        self.assertEqual(call(iter([bytes(19 * MIB)] * 5)), b"5 %d" % (5 * 19 * MIB))
        self.assertEqual(call(iter([])), b"0 0")

    def test_server_streaming(self):
        call = self.channel.unary_stream("/echo.Echo/Stream")
        self.assertEqual([len(m) for m in call(b"3000 100")], [100] * 3000)
        self.assertEqual([len(m) for m in call(b"5 19000000")], [19000000] * 5)
        self.assertEqual(list(call(b"0 0")), [])

    def test_both_ways(self):
        call = self.channel.stream_stream("/echo.Echo/Each")
        sent = [os.urandom(i * 97 % 30000) for i in range(500)]
        self.assertEqual(list(call(iter(sent))), sent)

    def test_errors(self):
        error = self.fails(grpc.StatusCode.NOT_FOUND, self.unary("Fail"), b"")
        self.assertEqual(error.details(), "file 'ä%' not found\nin 100% of the cases ")
        trailers = dict(error.trailing_metadata())
        self.assertEqual(trailers["echo-trailer"], "after")
        self.assertEqual(trailers["echo-bin"], b"\x01\x02")
        details = trailers["grpc-status-details-bin"]
        self.assertTrue(details.startswith(b"\x08\x05\x12"))
        self.assertIn(b"type.googleapis.com/google.rpc.ResourceInfo", details)
        error = self.fails(grpc.StatusCode.UNIMPLEMENTED, self.unary("Nothing"), b"")
        self.assertEqual(error.details(), "unknown method /echo.Echo/Nothing")

    def test_metadata(self):
        call = self.channel.unary_stream("/echo.Echo/Metadata")
        sent = (("echo-key", "one"), ("echo-key", "two"), ("echo-bin", b"\xff\x01"), ("echo-bin", b""))
        self.assertEqual(list(call(b"", metadata=sent)), [b"one", b"two", b"\xff\x01", b""])

    def test_gzip(self):
        for compression in (grpc.Compression.Gzip, grpc.Compression.NoCompression):
            call = self.channel.unary_unary("/echo.Echo/Each")
            for request in (b"", b"a" * 100000, bytes(20 * MIB)):
                self.assertEqual(call(request, compression=compression), request)
        error = self.fails(grpc.StatusCode.UNIMPLEMENTED, self.unary("Each"), b"a" * 100000,
                           compression=grpc.Compression.Deflate)
        self.assertIn("deflate", error.details())

    def test_deadline(self):
        self.assertEqual(self.unary("Deadline")(b""), b"-1")
        left = int(self.unary("Deadline")(b"", timeout=20))
        self.assertTrue(15e9 < left <= 20.1e9, left)
        call = self.channel.stream_stream("/echo.Echo/Wait")
        self.fails(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: list(call(self.one_and_no_end(), timeout=0.1)))

    def one_and_no_end(self):
        """Requests: one empty message, and then the client neither sends nor ends."""
        never = threading.Event()
        self.addCleanup(never.set)

        def requests():
            yield b""
            never.wait()

        return requests()

    def test_cancel(self):
        call = self.channel.stream_stream("/echo.Echo/Wait")(self.one_and_no_end())
        self.assertEqual(next(call), b"waiting")
        call.cancel()
        self.fails(grpc.StatusCode.CANCELLED, lambda: next(call))
        self.assertEqual(self.unary("Each")(b"still there"), b"still there")

    def test_an_early_answer(self):
        call = self.channel.stream_stream("/echo.Echo/Early")(iter([bytes(MIB)] * 50))
        self.assertEqual(next(call), b"early")
        error = self.fails(grpc.StatusCode.FAILED_PRECONDITION, lambda: list(call))
        self.assertEqual(error.details(), "enough")

    def test_200_at_once(self):
        with ThreadPoolExecutor(200) as pool:
            answers = list(pool.map(self.unary("Each"), [b"%d" % i for i in range(2000)]))
        self.assertEqual(answers, [b"%d" % i for i in range(2000)])


class Http(WireTest):
    def connect(self):
        connection = http.client.HTTPConnection(self.address, timeout=20)
        self.addCleanup(connection.close)
        return connection

    def test_requests_on_one_connection(self):
        connection = self.connect()
        for body in (b"", b"small", bytes(3 * MIB)):
            connection.request("POST", "/a%20b?c=d", body)
            answer = connection.getresponse()
            self.assertEqual(answer.getheader("echo-target"), "/a%20b?c=d")
            self.assertEqual(answer.getheader("content-length"), str(len(body)))
            self.assertEqual(answer.read(), body)

    def test_chunks(self):
        connection = self.connect()
        chunks = [b"x" * n for n in (1, 1000, 300000)]
        connection.request("PUT", "/", iter(chunks), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        answer = connection.getresponse()
        self.assertEqual(answer.getheader("transfer-encoding"), "chunked")
        self.assertEqual(answer.read(), b"".join(chunks))

    def curl(self, *args):
        return subprocess.run(["curl", "-sS", "--max-time", "20", *args], capture_output=True, check=True).stdout

    @unittest.skipUnless(shutil.which("curl"), "curl is not installed")
    def test_curl(self):
        url = f"http://{self.address}/up"
        with open(__file__, "rb") as file:
            large = file.read()
        for protocol in ("--http1.1", "--http2-prior-knowledge"):
            self.assertEqual(self.curl(protocol, "-d", "body", url), b"body")
            self.assertIn(b"echo-host: " + self.address.encode(), self.curl(protocol, "-I", url))
            # Larger than curl sends without being told to continue.
            self.assertEqual(self.curl(protocol, "--data-binary", "@" + __file__, url), large)

    @unittest.skipUnless(shutil.which("h2load"), "h2load is not installed")
    def test_h2load(self):
        run = subprocess.run(["h2load", "-n2000", "-c4", "-m50", f"http://{self.address}/"], capture_output=True,
                             check=True, text=True)
        self.assertIn("2000 succeeded, 0 failed, 0 errored", run.stdout)


if __name__ == "__main__":
    unittest.main()
