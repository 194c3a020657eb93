"""Images from a real registry: docker-registry on a free port, filled by umoci and skopeo."""

import base64
import json
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
import unittest

from harness import Server, name
from pachyderm_sdk.api import pps
from pps_case import PpsCase
from test_image import write_root

PCV = os.path.join(os.path.dirname(os.environ["PCVD"]), "pcv")
TOOLS = ("docker-registry", "skopeo", "umoci")
MISSING = [tool for tool in TOOLS if not shutil.which(tool)]
READY_SECONDS = 20
# htpasswd's line for user "me" with the password "secret"
LOGIN = "me:$2y$05$PcuEHj57kMAuW25se0fT0.zKfWN6UIB5II76i9QqalNhno9I5ww0i\n"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def content(path):
    with open(path, "rb") as file:
        return file.read()


# What skopeo says of a wrong password, by its version.
REFUSED = "[Uu]nauthorized|authentication required"


class Registry:
    """A docker-registry on a folder; with a login when asked for."""

    def __init__(self, folder, login=False):
        self.folder, self.host = folder, f"127.0.0.1:{free_port()}"
        config = os.path.join(folder, "registry.json")
        settings = {"version": 0.1, "log": {"level": "error", "accesslog": {"disabled": True}},
                    "storage": {"filesystem": {"rootdirectory": os.path.join(folder, "registry")},
                                "delete": {"enabled": True}},
                    "http": {"addr": self.host}}
        if login:
            passwords = os.path.join(folder, "htpasswd")
            with open(passwords, "w", encoding="utf-8") as file:
                file.write(LOGIN)
            settings["auth"] = {"htpasswd": {"realm": "test", "path": passwords}}
        with open(config, "w", encoding="utf-8") as file:
            json.dump(settings, file)  # which is YAML too
        self.process = None
        self.config = config
        self.start()

    def start(self):
        self.process = subprocess.Popen(["docker-registry", "serve", self.config],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        host, port = self.host.split(":")
        end = time.monotonic() + READY_SECONDS
        while True:
            try:
                socket.create_connection((host, int(port))).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("docker-registry did not start") from None
                time.sleep(0.01)

    def stop(self):
        self.process.terminate()
        self.process.wait()


@unittest.skipIf(MISSING, f"not installed: {', '.join(MISSING)}")
class RegistryTest(PpsCase):
    def setUp(self):
        super().setUp()
        self.dir = tempfile.mkdtemp(prefix="pcv-registry-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def registry(self, login=False):
        registry = Registry(self.dir, login)
        self.addCleanup(registry.stop)
        return registry

    def serve(self, *args):
        """A server of the test's own."""
        self.server = Server(args=["--workers", "1", *args])
        self.addCleanup(self.server.clean)
        self.addCleanup(self.server.stop)
        self.client = self.server.client()

    def run_tool(self, *words):
        subprocess.run(words, check=True, capture_output=True)

    def push(self, registry, image, marker, *credentials):
        """An image with a shell, whose /marker says which it is."""
        layout, bundle = (os.path.join(self.dir, name(what)) for what in ("layout", "bundle"))
        root = os.path.join(self.dir, "root.tar")
        write_root(root, marker)
        self.run_tool("umoci", "init", "--layout", layout)
        self.run_tool("umoci", "new", "--image", layout + ":t")
        self.run_tool("umoci", "unpack", "--rootless", "--image", layout + ":t", bundle)
        with tarfile.open(root) as tar:
            tar.extractall(os.path.join(bundle, "rootfs"))
        self.run_tool("umoci", "repack", "--image", layout + ":t", bundle)
        self.run_tool("skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", *credentials,
                      f"oci:{layout}:t", f"docker://{registry.host}/{image}")

    def pcv(self, *words, stdin="", code=0):
        run = subprocess.run([PCV, *words, "--address", f"127.0.0.1:{self.server.port}"],
                             input=stdin, capture_output=True, text=True)
        self.assertEqual(run.returncode, code, run.stderr)
        return run.stdout if code == 0 else run.stderr

    def digest(self, image):
        rows = [line.split() for line in self.pcv("image", "list").splitlines()]
        return {row[0]: row[1] for row in rows}.get(image)

    def marker_pipeline(self, image, repo, transform=None, **more):
        script = "cat /marker /pfs/in/* > /pfs/out/made"
        return self.pipeline(repo, script, known=True,
                             transform={"image": image, "cmd": ["/bin/sh", "-e"],
                                        **(transform or {})}, **more)

    def login_secret(self, host, password, secret=None, apart=False, old=False):
        """A secret as kubectl create secret docker-registry makes it."""
        secret = secret or name("login")
        login = {"username": "me", "password": password}
        if not apart:
            login["auth"] = base64.b64encode(f"me:{password}".encode()).decode()
        logins = {host: login} if old else {"auths": {host: login}}
        kind = "dockercfg" if old else "dockerconfigjson"
        self.pcv("create", "secret", stdin=json.dumps({
            "kind": "Secret", "metadata": {"name": secret}, "type": "kubernetes.io/" + kind,
            "stringData": {"." + kind: json.dumps(logins)}}))
        return secret

    def crashes(self, pipeline, *texts):
        return self.until(lambda: (i := self.info(pipeline)).state
                          == pps.PipelineState.PIPELINE_CRASHING
                          and all(text in i.reason for text in texts) and i)

    def leaves_no_login(self):
        left = [entry for entry in os.listdir(os.path.join(self.server.data, "pcv", "images"))
                if "login" in entry or entry.startswith("pull-")]
        self.assertEqual(left, [])

    def test_secrets_of_a_spec(self):
        """Each form of a secret; what the server's own logins cannot do."""
        registry = self.registry(login=True)
        repo = None
        for tag, form in enumerate([{}, {"apart": True}, {"old": True}]):
            image = f"{registry.host}/private/cat:{tag}"
            self.push(registry, f"private/cat:{tag}", f"{tag} ", "--dest-creds", "me:secret")
            if not repo:
                self.serve("--pull", "missing", "--registry-insecure", registry.host)
                repo = self.repo(files={"/a": b"x"})
            with self.subTest(form):
                secret = self.login_secret(registry.host, "secret", **form)
                made = self.marker_pipeline(image, repo, {"imagePullSecrets": [secret]})
                self.succeeds(made)
                self.assertEqual(self.read(made, "/made"), f"{tag} x".encode())
        self.leaves_no_login()

    def test_a_secret_that_is_wrong(self):
        """The pipeline says so, and goes on once the secret is right; the others' are not used."""
        registry = self.registry(login=True)
        self.push(registry, "private/cat:1", "private ", "--dest-creds", "me:secret")
        self.serve("--pull", "missing", "--registry-insecure", registry.host)
        image, repo = f"{registry.host}/private/cat:1", self.repo(files={"/a": b"x"})
        wrong = self.login_secret(registry.host, "guess")
        made = self.marker_pipeline(image, repo, {"imagePullSecrets": [wrong]})
        info = self.crashes(made, f'image "{image}" was not found: could not pull image')
        self.assertRegex(info.reason, REFUSED)
        self.assertNotIn("guess", info.reason)
        none = self.marker_pipeline(image, repo, {"imagePullSecrets": ["none-such"]})
        self.crashes(none, "could not pull image",
                     'there is no image pull secret "none-such" with logins')
        public = self.marker_pipeline(image, repo)
        self.crashes(public, "could not pull image")
        self.pcv("delete", "secret", wrong)
        self.login_secret(registry.host, "secret", wrong)
        self.succeeds(made)
        self.assertEqual(self.read(made, "/made"), b"private x")
        self.assertNotIn("guess", self.server.read_log())
        self.assertNotIn("bWU6", self.server.read_log())

    def test_a_tag_that_moves(self):
        """What a pipeline was created with stays, until it is updated; then the old result is found."""
        registry = self.registry()
        self.push(registry, "tools/cat:1", "first ")
        self.serve()
        image = f"{registry.host}/tools/cat:1"
        self.pcv("image", "pull", image, "--tls-verify", "false")
        first = self.digest(image)
        repo = self.repo(files={"/a": b"x"})
        made = self.marker_pipeline(image, repo)
        self.succeeds(made)
        self.assertEqual(self.read(made, "/made"), b"first x")

        self.push(registry, "tools/cat:1", "second ")
        self.put(repo, {"/a": b"y"})
        self.succeeds(made)
        self.assertEqual(self.read(made, "/made"), b"first y")
        self.pcv("image", "pull", image, "--tls-verify", "false")
        second = self.digest(image)
        self.assertNotEqual(first, second)
        self.put(repo, {"/a": b"z"})
        self.succeeds(made)
        self.assertEqual(self.read(made, "/made"), b"first z")
        datum = next(iter(self.client.pps.list_datum(job=self.jobs(made)[0].job)))
        self.assertEqual(self.client.pps.inspect_datum(datum=datum.datum).image_id, first)

        self.marker_pipeline(image, repo, name=made, update=True)
        self.succeeds(made)
        self.assertEqual(self.read(made, "/made"), b"second z")
        self.assertEqual(self.jobs(made)[0].data_processed, 1)

        self.pcv("image", "pull", image, "--tls-verify", "false")  # the same again: nothing is new
        self.assertEqual(self.digest(image), second)
        self.marker_pipeline(image, repo, name=made, update=True)
        self.succeeds(made)
        self.assertEqual(self.jobs(made)[0].data_processed, 0)
        self.assertEqual(self.jobs(made)[0].data_skipped, 1)

    def test_logins(self):
        registry = self.registry(login=True)
        self.push(registry, "private/cat:1", "private ", "--dest-creds", "me:secret")
        self.serve()
        image = f"{registry.host}/private/cat:1"
        pull = ("image", "pull", image, "--tls-verify", "false")
        self.assertIn("could not pull image", self.pcv(*pull, code=1))
        wrong = self.pcv(*pull, "--username", "me", stdin="guess\n", code=1)
        self.assertRegex(wrong, REFUSED)
        self.assertNotIn("guess", wrong)
        self.assertIsNone(self.digest(image))
        self.pcv(*pull, "--username", "me", stdin="secret\n")
        self.assertIsNotNone(self.digest(image))
        self.leaves_no_login()

    def test_a_server_with_a_login_pulls_what_pipelines_name(self):
        registry = self.registry(login=True)
        self.push(registry, "private/cat:2", "pulled ", "--dest-creds", "me:secret")
        logins = os.path.join(self.dir, "auth.json")
        self.run_tool("skopeo", "login", "--tls-verify=false", "--authfile", logins, "-u", "me", "-p", "secret",
                      registry.host)
        self.serve("--pull", "missing", "--registry-auth", logins, "--registry-insecure", registry.host)
        repo = self.repo(files={"/a": b"x"})
        made = self.marker_pipeline(f"{registry.host}/private/cat:2", repo)
        self.succeeds(made)
        self.assertEqual(self.read(made, "/made"), b"pulled x")
        self.until_state(made, pps.PipelineState.PIPELINE_RUNNING)

    def test_an_image_that_is_nowhere(self):
        """The pipeline says what the registry said, and goes on once the image is imported."""
        registry = self.registry()
        self.serve("--pull", "missing", "--registry-insecure", registry.host)
        repo = self.repo(files={"/a": b"x"})
        image = f"{registry.host}/no/such:1"
        made = self.marker_pipeline(image, repo)
        info = self.until(lambda: (i := self.info(made)).state == pps.PipelineState.PIPELINE_CRASHING
                          and "manifest unknown" in i.reason and i)
        self.assertIn(f'image "{image}" was not found', info.reason)
        root = os.path.join(self.dir, "late.tar")
        write_root(root, "late ")
        self.pcv("image", "import", root, image)
        self.succeeds(made)
        self.assertEqual(self.read(made, "/made"), b"late x")

    def test_nothing_is_pulled_unasked_when_told_so(self):
        registry = self.registry()
        self.push(registry, "tools/cat:1", "there ")
        self.serve("--registry-insecure", registry.host, "--pull", "never")
        image = f"{registry.host}/tools/cat:1"
        made = self.marker_pipeline(image, self.repo(files={"/a": b"x"}))
        info = self.until_state(made, pps.PipelineState.PIPELINE_CRASHING)
        self.assertEqual(info.reason, f'image "{image}" was not found')
        self.pcv("image", "pull", image)
        self.succeeds(made)

    def test_a_pull_goes_on_where_it_broke_off(self):
        """A blob is gone from the registry, then back: only what is missing is fetched again."""
        registry = self.registry()
        self.push(registry, "tools/cat:1", "whole ")
        self.serve()
        blobs = os.path.join(self.dir, "registry", "docker", "registry", "v2", "blobs", "sha256")
        files = [os.path.join(at, "data") for at, _, names in os.walk(blobs) if "data" in names]
        layer = max(files, key=os.path.getsize)
        config = next(file for file in files if b'"rootfs"' in content(file) and file != layer)
        os.rename(config, config + ".away")
        pull = ("image", "pull", f"{registry.host}/tools/cat:1", "--tls-verify", "false")
        self.assertIn("could not pull image", self.pcv(*pull, code=1))
        images = os.path.join(self.server.data, "pcv", "images")
        kept = [os.path.join(at, f) for at, _, names in os.walk(images) for f in names]
        digest = layer.split(os.sep)[-2]
        self.assertTrue(any(file.endswith("sha256/" + digest) for file in kept), kept)
        os.rename(config + ".away", config)
        os.rename(layer, layer + ".away")  # which is not asked for again
        self.pcv(*pull)
        self.assertFalse([e for e in os.listdir(images) if e.startswith(("pull-", "work-"))])

    def test_a_blob_that_is_not_what_it_says(self):
        registry = self.registry()
        self.push(registry, "tools/cat:1", "whole ")
        self.serve()
        blobs = os.path.join(self.dir, "registry", "docker", "registry", "v2", "blobs", "sha256")
        files = [os.path.join(at, "data") for at, _, names in os.walk(blobs) if "data" in names]
        layer = max(files, key=os.path.getsize)
        with open(layer, "r+b") as file:
            file.seek(os.path.getsize(layer) // 2)
            file.write(b"damage")
        self.assertIn("could not pull image",
                      self.pcv("image", "pull", f"{registry.host}/tools/cat:1", "--tls-verify", "false", code=1))
        self.assertEqual(self.pcv("image", "list", "--raw"), "")


if __name__ == "__main__":
    unittest.main()
