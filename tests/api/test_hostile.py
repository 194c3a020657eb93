"""Clients that mean harm, or that die: the server serves the others meanwhile, and afterwards it has
no more descriptors, threads and memory than before.

They speak by hand over sockets, as no client library would. PCV_TEST_LONG=1 makes there be more.
"""

import os
import resource
import socket
import struct
import unittest

import grpc
from harness import Server
from pachyderm_sdk.api import pfs
from pps_case import PpsCase

LONG = bool(os.environ.get("PCV_TEST_LONG"))
MIB = 1 << 20
RSS_GROWTH_MIB_MAX = 48  # 32 of them are the store's cache
THREADS_MAX = 12  # without calls
FDS_MORE_MAX = 64  # what is kept open on purpose: packs
SANITIZED = "PCV_SANITIZED" in os.environ

DATA, HEADERS, RST_STREAM, SETTINGS, CONTINUATION = 0, 1, 3, 4, 9
END_STREAM, END_HEADERS = 1, 4
CANCEL = struct.pack(">I", 8)


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(key, value):
    """A header field that touches no table; both below 127 bytes."""
    return b"\0" + bytes([len(key)]) + key + bytes([len(value)]) + value


def head(method):
    return (b"\x83\x86" + literal(b":path", b"/" + method) + literal(b":authority", b"h")
            + literal(b"content-type", b"application/grpc") + literal(b"te", b"trailers"))


def message(data):
    return struct.pack(">BI", 0, len(data)) + bytes(data)


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0)


class Peer:
    """A connection that says what it likes."""

    def __init__(self, port, first=PREFACE):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.say(first)

    def say(self, data):
        """False once the server has hung up."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def hear(self, size):
        heard = b""
        while len(heard) < size:
            piece = self.socket.recv(size - len(heard))
            if not piece:
                raise AssertionError("the server hung up")
            heard += piece
        return heard

    def hear_trailers(self):
        """The header block that ends a stream."""
        while True:
            high, low, kind, flags, _ = struct.unpack(">BHBBI", self.hear(9))
            payload = self.hear(high << 16 | low)
            if kind == HEADERS and flags & END_STREAM:
                return payload

    def open(self, stream, method, flags=END_HEADERS):
        return frame(HEADERS, flags, stream, head(method))

    def vanish(self):
        """As a machine that loses power and is back: a reset in the middle of everything."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class HostileTest(PpsCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.clean)
        self.client = self.server.client()
        self.addCleanup(self.client._channel.close)
        self.pid = self.server.process.pid

    # --- what the server uses ---

    def rss_mib(self):
        with open(f"/proc/{self.pid}/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024

    def fds(self):
        """Descriptors: of sockets, and of all but the database. Of that SQLite keeps as many as it
        had readers at once, until nobody reads, as closing one would drop the locks of all."""
        links = [self.link(fd) for fd in os.listdir(f"/proc/{self.pid}/fd")]
        links = [link for link in links if link and not link.endswith("pcv.db")]
        return sum(link.startswith("socket:") for link in links), len(links)

    def link(self, fd):
        try:
            return os.readlink(f"/proc/{self.pid}/fd/{fd}")
        except FileNotFoundError:
            return None

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def others_are_served(self):
        repo = self.repo(files={"/a": b"1"})
        self.assertEqual(self.read(repo, "/a"), b"1")

    def nothing_is_left(self, sockets, fds, rss_mib):
        self.until(lambda: self.fds()[0] <= sockets)
        self.until(lambda: self.threads() <= THREADS_MAX)
        self.assertLessEqual(self.fds()[1], fds + FDS_MORE_MAX)
        if not SANITIZED:  # the last threads of a burst give its memory back as they leave
            self.until(lambda: self.rss_mib() <= rss_mib + RSS_GROWTH_MIB_MAX)

    def test_attacks(self):
        self.others_are_served()
        before = (*self.fds(), self.rss_mib())
        self.sockets = before[0]
        for attack in (self.slowloris, self.half_open, self.many_streams, self.one_after_another,
                       self.rapid_reset, self.huge_headers, self.oversized_messages,
                       self.vanish_in_modify_file, self.vanish_in_get_file,
                       self.vanish_while_waiting):
            with self.subTest(attack.__doc__.split(".")[0]):
                for _ in range(5 if LONG else 2):
                    attack()
                    self.others_are_served()
                if LONG:
                    self.nothing_is_left(*before)
        self.nothing_is_left(*before)
        self.assertEqual(self.server.stop(), 0)

    def test_no_descriptors_left(self):
        """More connections than the server may have: some are turned away, and it goes on."""
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (64, 64))
        self.others_are_served()
        sockets = self.fds()[0]
        peers = [Peer(self.server.port) for _ in range(100)]
        for peer in peers:
            peer.socket.close()
        self.until(lambda: self.fds()[0] <= sockets)
        self.others_are_served()
        self.succeeds(self.pipeline(self.repo(files={"/a": b"1"})))
        self.assertEqual(self.server.stop(), 0)

    # --- attacks ---

    def slowloris(self):
        """HTTP/1.1 a byte at a time."""
        peers = [Peer(self.server.port, b"GET / HT") for _ in range(400)]
        for byte in b"TP/1.1\r\nX: a":
            for peer in peers:
                peer.say(bytes([byte]))
        self.others_are_served()
        for peer in peers:
            peer.socket.close()

    def half_open(self):
        """HTTP/2 that stops in the middle of its preface, of a frame, of a header block."""
        beginnings = [PREFACE[:10], PREFACE[:-4], PREFACE + b"\0\0\x08",
                      PREFACE + frame(HEADERS, 0, 1, head(b"pfs_v2.API/ListRepo")),
                      PREFACE + frame(HEADERS, END_HEADERS, 1, head(b"pfs_v2.API/ListRepo"))]
        peers = [Peer(self.server.port, beginnings[i % len(beginnings)]) for i in range(400)]
        self.others_are_served()
        for peer in peers:
            peer.vanish()

    def many_streams(self):
        """10,000 calls at once that never end, over ten connections: those above the cap are shed."""
        peers = [Peer(self.server.port) for _ in range(10)]
        for peer in peers:
            peer.say(b"".join(peer.open(2 * i + 1, b"pfs_v2.API/CreateFileSet")
                              for i in range(1000)))
        for peer in peers:
            peer.vanish()
        self.until(lambda: self.fds()[0] <= self.sockets)  # all is read and known to be over
        self.until(self.serves)

    def serves(self):
        try:
            self.others_are_served()
            return True
        except grpc.RpcError as error:
            self.assertEqual(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED, error.details())
            return False

    def one_after_another(self):
        """10,000 streams over one connection, more than may be open: the excess is refused."""
        peer = Peer(self.server.port)
        for first in range(0, 10000, 100):
            if not peer.say(b"".join(peer.open(2 * i + 1, b"pfs_v2.API/CreateFileSet")
                                     for i in range(first, first + 100))):
                break
        peer.vanish()

    def rapid_reset(self):
        """CVE-2023-44487, with real methods."""
        peer = Peer(self.server.port)
        body = frame(DATA, END_STREAM, 1, message(b""))
        for first in range(0, 100000 if LONG else 20000, 100):
            out = b""
            for i in range(first, first + 100):
                out += peer.open(2 * i + 1, b"pfs_v2.API/ListRepo")
                out += body[:5] + struct.pack(">I", 2 * i + 1) + body[9:]
                out += frame(RST_STREAM, 0, 2 * i + 1, CANCEL)
            if not peer.say(out):
                break
        peer.vanish()

    def huge_headers(self):
        """A megabyte of header fields, whole; and a block that never ends."""
        field = literal(b"x-large", b"v" * 120)
        for ends in (True, False):
            peer = Peer(self.server.port)
            peer.say(frame(HEADERS, 0, 1, head(b"pfs_v2.API/ListRepo")))
            for _ in range(64):
                peer.say(frame(CONTINUATION, 0, 1, field * 120))
            if ends:
                peer.say(frame(CONTINUATION, END_HEADERS, 1))
            self.others_are_served()
            peer.vanish()

    def oversized_messages(self):
        """A message that says it has 4 GiB is refused at once; one of 19 MiB whose end never comes is
        forgotten with its client."""
        peer = Peer(self.server.port)
        peer.say(peer.open(1, b"pfs_v2.API/ModifyFile"))
        peer.say(frame(DATA, 0, 1, b"\0\xff\xff\xff\xff" + bytes(1000)))
        self.assertTrue(peer.hear_trailers())
        peer.socket.close()
        peers = [Peer(self.server.port) for _ in range(8)]
        for peer in peers:
            peer.say(peer.open(1, b"pfs_v2.API/ModifyFile"))
            peer.say(frame(DATA, 0, 1, struct.pack(">BI", 0, 19 * MIB) + bytes(16000)))
            for _ in range(3):
                peer.say(frame(DATA, 0, 1, bytes(16384)))  # the window has no room for more
        self.others_are_served()
        for peer in peers:
            peer.vanish()

    def vanish_in_modify_file(self):
        """Nothing of a put that was not finished is seen."""
        repo = self.repo(files={"/kept": b"kept"})
        branch = pfs.Branch.from_uri(f"{repo}@master")
        commit = pfs.Commit(repo=branch.repo, branch=branch)
        for size in (0, 100, 9000) * 8:
            peer = Peer(self.server.port)
            peer.say(peer.open(1, b"pfs_v2.API/ModifyFile"))
            target = bytes(pfs.ModifyFileRequest(set_commit=commit))
            file = pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/lost", raw=b"x" * 8000))
            data = message(target) + message(bytes(file)) * 3
            peer.say(frame(DATA, 0, 1, data[:len(target) + 5 + size]))
            peer.vanish()
        self.assertEqual(self.paths(repo), ["/kept"])
        self.put(repo, {"/more": b"1"})
        self.assertEqual(self.paths(repo), ["/kept", "/more"])

    def vanish_in_get_file(self):
        """Readers that never read, or that go in the middle."""
        repo = self.repo(files={"/big": os.urandom(8 * MIB)})
        file = pfs.File.from_uri(f"{repo}@master:/big")
        for reads in (False, True) * 10:
            peer = Peer(self.server.port)
            peer.say(peer.open(1, b"pfs_v2.API/GetFile"))
            peer.say(frame(DATA, END_STREAM, 1, message(bytes(pfs.GetFileRequest(file=file)))))
            if reads:
                peer.socket.recv(20000)
            peer.vanish()

    def vanish_while_waiting(self):
        """Subscriptions whose clients die."""
        repo = self.repo(files={"/a": b"1"})
        request = pfs.SubscribeCommitRequest(repo=pfs.Repo.from_uri(repo), branch="master")
        for _ in range(5):
            peer = Peer(self.server.port)
            for stream in range(1, 200, 2):
                peer.say(peer.open(stream, b"pfs_v2.API/SubscribeCommit"))
                peer.say(frame(DATA, END_STREAM, stream, message(bytes(request))))
            peer.socket.recv(20000)
            peer.vanish()


if __name__ == "__main__":
    unittest.main()
