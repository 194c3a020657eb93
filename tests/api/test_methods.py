"""Every method of the services that must be whole is served, and no empty request does harm."""

import pathlib
import re

import grpc
from harness import ApiTest, Server, unittest

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"
WHOLE = {
    "pfs_v2.API",
    "pps_v2.API",
    "transaction_v2.API",
    "metadata.API",
    "versionpb_v2.API",
    "admin_v2.API",
    "grpc.health.v1.Health",
    "storage.Fileset",
    "procavia.v1.API",
}
MISSING = set()


def methods():
    """(path, client streams) of all methods in the API's definitions."""
    for file in PROTO.rglob("*.proto"):
        text = re.sub(r"//.*", "", file.read_text(encoding="utf-8"))
        package = re.search(r"^package ([\w.]+);", text, re.MULTILINE)
        for service, body in re.findall(r"service (\w+) \{(.*?)\n\}", text, re.DOTALL):
            for method, stream in re.findall(r"rpc (\w+)\s*\((stream )?", body):
                yield f"/{package[1]}.{service}/{method}", bool(stream)


class MethodsTest(ApiTest):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.clean)
        self.addCleanup(self.server.stop)
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.server.port}")
        self.addCleanup(self.channel.close)

    def outcome(self, path, streams):
        """How a call with one empty message ends; a stream that goes on is cut off."""
        kind = self.channel.stream_stream if streams else self.channel.unary_stream
        call = kind(path, request_serializer=bytes, response_deserializer=bytes)
        answers = call(iter([b""]) if streams else b"", timeout=1)
        try:
            for _ in answers:
                pass
            return grpc.StatusCode.OK, ""
        except grpc.RpcError as error:
            return error.code(), error.details()

    def test_every_method(self):
        every = dict(methods())
        services = {path[1:].rsplit("/", 1)[0] for path in every}
        self.assertEqual(WHOLE - services, set(), "services without a definition")
        for path, streams in sorted(every.items()):
            with self.subTest(path):
                code, text = self.outcome(path, streams)
                for bad in ("ABORTED", "UNAVAILABLE", "INTERNAL"):
                    self.assertNotEqual(code.name, bad, text)
                for bad in ("this is a bug", "transport is closing"):
                    self.assertNotIn(bad, text)
                unknown = text.startswith("unknown method ")
                if path[1:].rsplit("/", 1)[0] in WHOLE:
                    self.assertEqual(unknown, path in MISSING, text)
        self.assertIsNone(self.server.process.poll())


if __name__ == "__main__":
    unittest.main()
