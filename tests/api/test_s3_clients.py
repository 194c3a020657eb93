"""Other clients than boto3: s3cmd, and rclone where it is installed."""

import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import unittest

from harness import name as unique
from s3_case import S3Case

BIG = 20 << 20


class ClientCase(S3Case):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="pcv-s3-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.tree = self.folder / "tree"
        (self.tree / "sub").mkdir(parents=True)
        for path, data in (("a", b"1"), ("sub/b c", b"2"), ("empty", b"")):
            (self.tree / path).write_bytes(data)
        (self.tree / "big").write_bytes(random.Random(7).randbytes(BIG))
        self.bucket = "master." + unique("s3")

    def run_tool(self, *command, env=None):
        # A proxy, or certificates of one, are nothing to a server on loopback.
        clean = {k: v for k, v in os.environ.items()
                 if not k.upper().endswith(("_PROXY", "_CA_BUNDLE"))}
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True,
                              timeout=120, env=dict(clean, **(env or {})), check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("Retrying", done.stderr)
        return done.stdout

    def assert_same(self, folder):
        files = lambda root: {p.relative_to(root): p.read_bytes()
                              for p in root.rglob("*") if p.is_file()}
        self.assertEqual(files(folder), files(self.tree))


class S3cmdTest(ClientCase):
    def s3cmd(self, *arguments):
        config = self.folder / "config"
        host = f"127.0.0.1:{self.server.s3_port}"
        config.write_text(f"[default]\naccess_key = 1234\nsecret_key = 1234\nhost_base = {host}\n"
                          f"host_bucket = {host}\nuse_https = False\n", encoding="utf-8")
        return self.run_tool("s3cmd", "-c", config, "--no-progress", *arguments)

    def test_a_day_with_it(self):
        url = f"s3://{self.bucket}"
        self.s3cmd("mb", url)
        self.s3cmd("sync", f"{self.tree}/", url + "/t/")
        self.assertEqual(self.keys(self.bucket), ["t/a", "t/big", "t/empty", "t/sub/b c"])
        (self.folder / "back").mkdir()
        self.s3cmd("get", "-r", url + "/t/", f"{self.folder}/back/")
        self.assert_same(self.folder / "back")
        self.s3cmd("cp", url + "/t/big", url + "/copy")
        self.s3cmd("mv", url + "/copy", url + "/moved")
        self.assertIn(f"{BIG}", self.s3cmd("--signature-v2", "ls", url + "/moved"))
        self.s3cmd("del", "-r", "--force", url + "/t/")
        self.assertEqual(self.keys(self.bucket), ["moved"])
        self.s3cmd("del", url + "/moved")
        self.s3cmd("rb", url)


@unittest.skipUnless(shutil.which("rclone"), "rclone is not installed")
class RcloneTest(ClientCase):
    def rclone(self, *arguments):
        options = {"CONFIG": "/dev/null", "S3_PROVIDER": "Other", "S3_FORCE_PATH_STYLE": "true",
                   "S3_ENDPOINT": f"http://127.0.0.1:{self.server.s3_port}",
                   "S3_ACCESS_KEY_ID": "k", "S3_SECRET_ACCESS_KEY": "k",
                   "S3_CHUNK_SIZE": "5M", "S3_UPLOAD_CUTOFF": "8M"}
        return self.run_tool("rclone", *arguments,
                             env={"RCLONE_" + k: v for k, v in options.items()})

    def test_a_day_with_it(self):
        remote = f":s3:{self.bucket}"
        self.rclone("mkdir", remote)
        self.rclone("copy", self.tree, remote + "/t")
        self.rclone("check", self.tree, remote + "/t", "--download")
        self.rclone("copy", remote + "/t", self.folder / "back")
        self.assert_same(self.folder / "back")
        self.rclone("sync", self.tree / "sub", remote + "/t")
        self.assertEqual(self.keys(self.bucket), ["t/b c"])
        self.rclone("delete", remote)
        self.assertEqual(self.keys(self.bucket), [])
