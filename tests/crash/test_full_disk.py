"""The disk fills up while clients put and jobs write: each gets a clear error, what was there stays,
and when there is room again the same server goes on.

The server's folder is a small file system of its own, which takes root to mount.
"""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

import grpc
from harness import Server, name as unique
from pachyderm_sdk.api import pfs, pps
from pps_case import FAILURE, PpsCase

MIB = 1 << 20
DISK_BYTES = 420 * MIB
RESERVE_BYTES = 256 * MIB  # user code is ended when less is left


class FullDisk(PpsCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="pcv-full-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "pcv-full", self.dir],
            capture_output=True, check=False)
        if mounted.returncode != 0:
            self.skipTest("cannot mount: " + mounted.stderr.decode().strip())
        self.addCleanup(subprocess.run, ["umount", "-l", self.dir], check=False)
        self.workers = tempfile.mkdtemp(prefix="pcv-full-workers-")
        self.addCleanup(shutil.rmtree, self.workers, ignore_errors=True)
        if self._testMethodName == "test_no_room_for_outputs":
            os.mkdir(os.path.join(self.dir, "pcv"))
            os.symlink(self.workers, os.path.join(self.dir, "pcv", "work"))
        self.server = Server(data=self.dir)
        self.addCleanup(self.server.kill)
        self.client = self.server.client()

    # --- room ---

    def free(self):
        room = os.statvfs(self.dir)
        return room.f_bavail * room.f_frsize

    def leave(self, size):
        """Fills the disk but for `size` bytes."""
        with open(os.path.join(self.dir, "filler"), "wb") as file:
            os.posix_fallocate(file.fileno(), 0, self.free() - size)

    def make_room(self):
        os.unlink(os.path.join(self.dir, "filler"))

    def full(self):
        return self.fails("RESOURCE_EXHAUSTED", self.FULL)

    FULL = re.compile("no space left on device|database or disk is full")

    # --- puts ---

    def test_puts(self):
        kept = os.urandom(MIB)
        repo = self.repo(files={"/kept": kept})
        for left in (2 * MIB, 0):  # room for rows, and not even that
            self.leave(left)
            with self.full():
                self.put(repo, {"/new": os.urandom(40 * MIB)})
            self.assertEqual(self.read(repo, "/kept"), kept)
            self.make_room()
            self.end_open_commit(repo)
            self.put(repo, {"/new": kept})
        self.assertEqual(self.read(repo, "/new"), kept)
        self.assertEqual(list(self.client.pfs.fsck()), [])

    def test_rows(self):
        """Calls that write nothing but rows, until the database has no room either."""
        self.leave(2 * MIB)
        made = []
        with self.full():
            for _ in range(2000):
                made.append(self.repo())
        self.make_room()
        made.append(self.repo())
        there = {info.repo.name for info in self.client.pfs.list_repo()}
        self.assertLessEqual(set(made), there)
        self.assertEqual(list(self.client.pfs.fsck()), [])

    def test_kill_while_full(self):
        kept = os.urandom(MIB)
        repo = self.repo(files={"/kept": kept})
        self.leave(0)
        with self.full():
            self.put(repo, {"/new": os.urandom(40 * MIB)})
        self.server.kill()
        self.leave_more(64 << 10)
        self.server.start()
        self.client = self.server.client()
        self.assertEqual(self.read(repo, "/kept"), kept)
        self.make_room()
        self.end_open_commit(repo)
        self.put(repo, {"/again": kept})
        self.assertEqual(list(self.client.pfs.fsck()), [])

    def leave_more(self, size):
        """Gives back a little: a server needs some to start."""
        with open(os.path.join(self.dir, "filler"), "r+b") as file:
            file.truncate(os.fstat(file.fileno()).st_size - size)

    def end_open_commit(self, repo):
        """What the client began when the disk was full."""
        head = pfs.Commit(repo=pfs.Repo.from_uri(repo),
                          branch=pfs.Branch.from_uri(f"{repo}@master"))
        try:
            self.client.pfs.finish_commit(commit=head)
        except grpc.RpcError as error:
            self.assertIn("has already finished", error.details())

    # --- jobs ---

    def test_user_code_fills_the_disk(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "head -c 400M /dev/urandom > /pfs/out/big", datum_tries=1)
        info = self.job(name)
        self.assertEqual(info.state, FAILURE)
        log = "\n".join(line.message for line in self.client.pps.get_logs(job=info.job))
        self.assertIn("disk", log)
        self.assertGreater(self.free(), 100 * MIB)
        self.goes_on(repo)

    def test_no_room_for_outputs(self):
        """Workers have another disk here, so that it is the store that is full."""
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "head -c 40M /dev/urandom > /pfs/out/big; echo begun; sleep 1",
                             datum_tries=1)
        job = self.until_job_runs(name)
        self.leave(2 * MIB)
        info = self.job(name, job.id)
        self.assertEqual(info.state, FAILURE)
        self.assertRegex(info.reason, "no space left on device|disk is full")
        self.make_room()
        self.goes_on(repo)

    def goes_on(self, repo):
        name = self.pipeline(repo, "cp /pfs/in/* /pfs/out/")
        self.succeeds(name)
        self.assertEqual(self.read(name, "/a"), b"1")


if __name__ == "__main__":
    unittest.main()
