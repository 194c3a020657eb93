"""The power fails at any moment while clients write: what was acknowledged is there afterwards.

One server is traced (disk_trace.c); then many disks are made that could have been left at some
moment (power_cut.py), and a server is started on each. PCV_TEST_LONG=1 makes it 200.
"""

import os
import random
import subprocess
import tempfile
import time
import unittest

import grpc
from harness import Server, name
from pachyderm_sdk.api import pfs, pps
from pps_case import SUCCESS, PpsCase
import test_kill
from power_cut import Trace

ROUNDS = 200 if os.environ.get("PCV_TEST_LONG") else 8
SECONDS = 2.0


class Acknowledged(list):
    """Remembers at which place of the trace each thing was known to be done."""

    def __init__(self, trace):
        super().__init__()
        self.trace = trace

    def append(self, item):
        super().append((os.path.getsize(self.trace), item))


@unittest.skipIf("PCV_SANITIZED" in os.environ, "sanitizers want to be loaded first themselves")
class PowerTest(PpsCase):
    def setUp(self):
        self.known = []
        self.base = tempfile.mkdtemp(prefix="pcv-power-")
        self.addCleanup(subprocess.run, ["rm", "-rf", self.base], check=False)
        self.trace = os.path.join(self.base, "trace")
        library = os.path.join(self.base, "disk_trace.so")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "disk_trace.c")
        subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-O1", "-Wall", "-o", library,
                        source, "-ldl"], check=True)
        data = os.path.join(self.base, "one")
        os.mkdir(data)
        self.server = Server(data=data, env={
            "LD_PRELOAD": library, "DISK_TRACE_DIR": os.path.join(data, "pcv"),
            "DISK_TRACE_OUT": self.trace})
        self.client = self.server.client()

    def write(self):
        """Clients that put and commit, and a pipeline that has something to do now and then."""
        repo = pfs.Repo(name=name(), type="user", project=pfs.Project(name="default"))
        self.client.pfs.create_repo(repo=repo)
        self.inputs = self.repo()
        self.pipe = self.pipeline(self.inputs, "cp /pfs/in/* /pfs/out/")
        writers = [test_kill.Writer(self.server.client(), repo, i) for i in range(test_kill.CLIENTS)]
        self.begin = os.path.getsize(self.trace)
        for writer in writers:
            writer.acknowledged = Acknowledged(self.trace)
            writer.start()
        end, puts = time.monotonic() + SECONDS, Acknowledged(self.trace)
        while time.monotonic() < end:
            path = f"/{len(puts)}"
            self.put(self.inputs, {path: path.encode()})
            puts.append(path)
        self.server.kill()
        for writer in writers:
            writer.join()
            self.assertIsNone(writer.unexpected)
            self.known += writer.acknowledged
        return repo, puts

    def jobs_go_on(self, paths):
        """The pipeline finishes what it was doing, and has each input that was acknowledged."""
        commit = self.put(self.inputs, {"/last": b"/last"})
        jobs = self.client.pps.inspect_job_set(job_set=pps.JobSet(id=commit.id), wait=True)
        self.assertEqual([job.state for job in jobs], [SUCCESS])
        self.assertLessEqual(set(paths), set(self.paths(self.pipe)))
        self.assertEqual(self.paths(self.pipe), self.paths(self.inputs))

    def check(self, cut, repo, puts, disk):
        server = Server(data=disk)
        try:
            self.server, self.client = server, server.client()
            test_kill.KillTest.check(self, self.client, repo,
                           [item for at, item in self.known if at <= cut])
            test_kill.KillTest.end_open_commits(self, self.client, pfs.Repo.from_uri(self.inputs))
            self.jobs_go_on([path for at, path in puts if at <= cut])
            self.check_storage()
            self.assertEqual(server.stop(), 0)
        except BaseException:
            server.kill()
            raise

    def check_storage(self):
        """Every blob is whole. A put that was never acknowledged may have left a gap before others
        that came to the disk out of order; that is told, and nobody misses what was there."""
        try:
            self.client.pfs.check_storage(read_chunk_data=True, chunk_begin=b"", chunk_end=b"")
        except grpc.RpcError as error:
            self.assertRegex(error.details(), r"^check storage: \d+ bytes are no blob$")

    end_open_commits = test_kill.KillTest.end_open_commits

    def test_power_cut(self):
        repo, puts = self.write()
        trace = Trace(self.trace, os.path.join(self.base, "one", "pcv"))
        seed = random.randrange(1 << 32)
        print(f"{len(self.known)} files and {len(puts)} inputs acknowledged, "
              f"{len(trace.raw) >> 20} MiB traced, seed {seed}")
        chance = random.Random(seed)
        for number in range(ROUNDS):
            cut = chance.randrange(self.begin, len(trace.raw))
            if number % 2:  # right after something was acknowledged
                cut = chance.choice(self.known)[0]
            disk = os.path.join(self.base, f"disk-{number}")
            trace.disk(cut, chance, os.path.join(disk, "pcv"))
            with self.subTest(number=number, cut=cut, seed=seed):
                self.check(cut, repo, puts, disk)
            subprocess.run(["rm", "-rf", disk], check=False)
        print(f"{ROUNDS} power cuts")


if __name__ == "__main__":
    unittest.main()
