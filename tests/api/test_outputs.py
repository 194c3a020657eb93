"""What user code may leave in /pfs/out, and how much of it: memory stays bounded.

PCV_TEST_LONG=1 makes it a million files and a gibibyte; PCV_TEST_OUTPUT_GIB says how many instead.
"""

import hashlib
import os
import threading
import unittest

from harness import Server
from pachyderm_sdk.api import pfs, pps
from pps_case import FAILURE, PpsCase

LONG = bool(os.environ.get("PCV_TEST_LONG"))
SANITIZED = "PCV_SANITIZED" in os.environ
FILES = 1_000_000 if LONG else 20_000
BYTES = int(os.environ.get("PCV_TEST_OUTPUT_GIB", 1)) << 30 if LONG else 64 << 20
RSS_MIB_MAX = 300 if LONG else 48


class Memory(threading.Thread):
    """The most that processes used so far, looked at when they may have grown."""

    def __init__(self, pids):
        super().__init__(daemon=True)
        self.pids, self.most, self.over = pids, {}, threading.Event()

    def run(self):
        while not self.over.wait(0.2):
            for pid in self.pids():
                self.most[pid] = max(self.most.get(pid, 0), peak_mib(pid))

    def end(self):
        self.over.set()
        self.join()
        return self.most


def peak_mib(pid):
    """Resident memory that is not merely the page cache's, at its highest."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            fields = dict(line.split(":", 1) for line in file)
        return int(fields["RssAnon"].split()[0]) / 1024
    except (FileNotFoundError, ProcessLookupError, KeyError):
        return 0


def descendants(pid):
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                for child in file.read().split():
                    found += [int(child)] + descendants(int(child))
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


class Kinds(PpsCase):
    def fails_with(self, script, *words):
        name = self.pipeline(self.repo(files={"/a": b"1"}), script, datum_tries=1)
        info = self.job(name)
        self.assertEqual(info.state, FAILURE, script)
        text = "\n".join(line.message for line in self.client.pps.get_logs(job=info.job))
        for word in words:
            self.assertIn(word, text)
        self.assertEqual(self.paths(name), [])
        return info

    def test_links_to_inputs_move_no_bytes(self):
        data = os.urandom(3 << 20)
        repo = self.repo(files={"/d/a": data, "/d/b": b"small"})
        name = self.pipeline(repo, "ln -s /pfs/in/d /pfs/out/all; ln -s /pfs/in/d/a /pfs/out/one",
                             glob="/")
        info = self.succeeds(name)
        self.assertEqual(self.paths(name), ["/all/a", "/all/b", "/one"])
        self.assertEqual(self.read(name, "/one"), data)
        datum = next(iter(self.client.pps.list_datum(job=info.job)))
        self.assertEqual(datum.stats.upload_bytes, 0)

    def test_names_that_are_not_text(self):
        self.fails_with("printf x > \"$(printf '/pfs/out/a\\377b')\"",
                        "only printable ASCII characters allowed")
        self.fails_with("printf x > \"$(printf '/pfs/out/a\\nb')\"",
                        "only printable ASCII characters allowed")
        self.fails_with("printf x > '/pfs/out/a*b'", "globbing character (*) not allowed")

    def test_links_that_lead_outside(self):
        name = self.pipeline(self.repo(files={"/a": b"1"}),
                             "cp /etc/hostname /tmp/h; ln -s /etc/hostname /pfs/out/name")
        self.succeeds(name)
        with open("/etc/hostname", "rb") as file:
            self.assertEqual(self.read(name, "/name"), file.read())
        data = os.path.join(self.server.data, "pcv")
        for target in (data, data + "/pcv.db", data + "/packs/0000000001.pack"):
            self.fails_with(f"ln -s {target} /pfs/out/stolen", "/stolen")
        self.fails_with("ln -s ../../../.. /pfs/out/up", "/up")
        self.fails_with("ln -s /etc /pfs/out/etc", "/etc")
        self.fails_with("ln -s loop /pfs/out/loop", "/loop")


class Amounts(PpsCase):
    def setUp(self):
        self.server = Server(args=["--workers", "1"])
        self.addCleanup(self.end)
        self.client = self.server.client()
        self.repo_name = self.repo(files={"/a": b"1"})
        pid = self.server.process.pid
        self.memory = Memory(lambda: [pid] + descendants(pid))
        self.memory.start()

    def end(self):
        self.memory.end()
        code = self.server.stop()
        self.server.clean()
        self.assertEqual(code, 0)

    def run_bounded(self, script):
        name = self.pipeline(self.repo_name, script, datum_tries=1)
        self.succeeds(name)
        most = self.memory.end()
        print(f"at most {max(most.values()):.0f} MiB of one process")
        if not SANITIZED:
            self.assertLess(max(most.values()), RSS_MIB_MAX, most)
        return name

    def test_many_files(self):
        name = self.run_bounded(
            "cd /pfs/out; python3 -c 'import os\n"
            f"for i in range({FILES}):\n"
            "    if i % 1000 == 0: os.mkdir(str(i // 1000))\n"
            "    with open(f\"{i // 1000}/{i}\", \"w\") as file: file.write(str(i))'")
        found = self.client.pfs.inspect_commit(
            commit=pfs.Commit.from_uri(f"{name}@master"), wait=pfs.CommitState.FINISHED)
        self.assertEqual(found.error, "")
        listed = list(self.client.pfs.list_file(file=pfs.File.from_uri(f"{name}@master:/0/")))
        self.assertEqual(len(listed), 1000)
        tops = list(self.client.pfs.list_file(file=pfs.File.from_uri(f"{name}@master:/")))
        self.assertEqual(len(tops), FILES // 1000)
        self.assertEqual(self.read(name, f"/{(FILES - 1) // 1000}/{FILES - 1}"),
                         b"%d" % (FILES - 1))

    def test_large_file(self):
        name = self.run_bounded(
            f"head -c {BYTES} /dev/urandom | tee /pfs/out/big | sha256sum > /pfs/out/sum")
        digest, size = hashlib.sha256(), 0
        with self.client.pfs.pfs_file(file=pfs.File.from_uri(f"{name}@master:/big")) as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
                size += len(piece)
        self.assertEqual(size, BYTES)
        self.assertEqual(self.read(name, "/sum").split()[0].decode(), digest.hexdigest())


if __name__ == "__main__":
    unittest.main()
