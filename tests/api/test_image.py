"""Images: import, pipelines that run in one, and pipelines whose image is not there yet."""

import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import unittest

from harness import ApiTest, Server, name
from oci_image import add_programs
from pachyderm_sdk.api import pfs, pps

PCV = os.path.join(os.path.dirname(os.environ["PCVD"]), "pcv")


def write_root(path, marker):
    """A root with a shell and cat, as a tar."""
    with tarfile.open(path, "w") as tar:
        add_programs(tar, ["sh", "cat"])
        info = tarfile.TarInfo("marker")
        info.size = len(marker)
        tar.addfile(info, io.BytesIO(marker.encode()))


class ImageTest(ApiTest):
    def setUp(self):
        super().setUp()
        self.dir = tempfile.mkdtemp(prefix="pcv-image-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def pcv(self, *words, fails=None):
        address = f"127.0.0.1:{self.server.port}"
        run = subprocess.run([PCV, *words, "--address", address], capture_output=True, text=True)
        if fails:
            self.assertNotEqual(run.returncode, 0)
            self.assertIn(fails, run.stderr)
        else:
            self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout

    def root(self, marker):
        path = os.path.join(self.dir, "root.tar")
        write_root(path, marker)
        return path

    def image(self, source, image=None, *options):
        out = self.pcv("image", "import", source, *([image] if image else []), "--raw", *options)
        return json.loads(out)

    def pipeline_in(self, image, repo, script="cat /marker /pfs/*/* > /pfs/out/made"):
        pipeline = name("p")
        self.client.pps.create_pipeline(
            pipeline=pps.Pipeline(name=pipeline, project=pfs.Project(name="default")),
            transform=pps.Transform(image=image, cmd=["/bin/sh"], stdin=[script]),
            input=pps.Input(pfs=pps.PfsInput(project="default", repo=repo, glob="/*")),
        )
        return pps.Pipeline(name=pipeline, project=pfs.Project(name="default"))

    def repo_with(self, text):
        repo = pfs.Repo(name=name("in"), type="user", project=pfs.Project(name="default"))
        self.client.pfs.create_repo(repo=repo)
        with self.client.pfs.commit(branch=pfs.Branch(repo=repo, name="master")) as commit:
            commit.put_file_from_bytes("/a", text.encode())
        return repo

    def output_of(self, pipeline):
        repo = pfs.Repo(name=pipeline.name, type="user", project=pipeline.project)
        commit = pfs.Commit(repo=repo, branch=pfs.Branch(repo=repo, name="master"))
        info = self.client.pfs.inspect_commit(commit=commit, wait=pfs.CommitState.FINISHED)
        self.assertEqual(info.error, "")
        with self.client.pfs.pfs_file(pfs.File(commit=info.commit, path="/made")) as file:
            return file.read().decode()

    def test_runs_in_an_image(self):
        image = name("img")
        info = self.image(self.root("in the image: "), image)
        self.assertEqual(info["name"], image + ":latest")
        self.assertTrue(info["digest"].startswith("sha256:"))
        pipeline = self.pipeline_in(image, self.repo_with("hello").name)
        self.assertEqual(self.output_of(pipeline), "in the image: hello")
        self.assertIn(image, self.pcv("image", "list"))

        self.pcv("image", "delete", image, fails="is used by pipeline default/" + pipeline.name)
        self.client.pps.delete_pipeline(pipeline=pipeline)
        self.pcv("image", "delete", image)
        self.pcv("image", "delete", image, fails="is not in the image store")

    def test_nothing_of_the_host_is_there(self):
        image = name("img")
        self.image(self.root(""), image)
        script = "[ -e /usr/bin/env ] && echo env; [ -e /root ] && echo root; echo /etc/* > /pfs/out/made"
        pipeline = self.pipeline_in(image, self.repo_with("x").name, script)
        self.assertNotIn("passwd", self.output_of(pipeline))

    def test_waits_for_its_image(self):
        image = name("late")
        pipeline = self.pipeline_in(image, self.repo_with("late").name)
        info = self.wait_for_state(pipeline, pps.PipelineState.PIPELINE_CRASHING)
        self.assertIn(image, info.reason)
        self.image(self.root("at last: "), image)
        self.assertEqual(self.output_of(pipeline), "at last: late")
        self.assertEqual(self.client.pps.inspect_pipeline(pipeline=pipeline).state,
                         pps.PipelineState.PIPELINE_RUNNING)

    def wait_for_state(self, pipeline, state):
        # The state is public only by asking; each request is a round trip, so this does not spin.
        for _ in range(5000):
            info = self.client.pps.inspect_pipeline(pipeline=pipeline)
            if info.state == state:
                return info
        self.fail(f"{pipeline.name} is {info.state}, not {state}")

    @unittest.skipUnless(shutil.which("umoci") and shutil.which("skopeo"), "needs umoci and skopeo")
    def test_archives_of_other_tools(self):
        layout = os.path.join(self.dir, "layout")
        bundle = os.path.join(self.dir, "bundle")
        run = lambda *words: subprocess.run(words, check=True, capture_output=True)
        run("umoci", "init", "--layout", layout)
        run("umoci", "new", "--image", layout + ":t")
        run("umoci", "unpack", "--rootless", "--image", layout + ":t", bundle)
        with tarfile.open(self.root("by umoci: ")) as tar:
            tar.extractall(os.path.join(bundle, "rootfs"))
        run("umoci", "repack", "--image", layout + ":t", bundle)
        run("umoci", "config", "--image", layout + ":t", "--config.env", "WHO=umoci",
            "--config.workingdir", "/usr")
        docker, oci = os.path.join(self.dir, "docker.tar"), os.path.join(self.dir, "oci.tar")
        run("skopeo", "--insecure-policy", "copy", f"oci:{layout}:t", f"docker-archive:{docker}:made/by:skopeo")
        run("skopeo", "--insecure-policy", "copy", f"oci:{layout}:t", f"oci-archive:{oci}:t")
        image = name("img")
        infos = [self.image(layout, image), self.image(oci, name("o"), "--format", "oci-archive"),
                 self.image(docker)]
        self.assertEqual(infos[2]["name"], "made/by:skopeo")
        self.assertEqual(infos[0]["digest"], infos[1]["digest"])
        pipeline = self.pipeline_in(image, self.repo_with("!").name,
                                    'cat /marker /pfs/*/* > /pfs/out/made; echo " $WHO $PWD" >> /pfs/out/made')
        self.assertEqual(self.output_of(pipeline), "by umoci: ! umoci /usr\n")

    def test_damage_is_told(self):
        path = os.path.join(self.dir, "text")
        with open(path, "w", encoding="utf-8") as file:
            file.write("no archive at all\n" * 100)
        self.pcv("image", "import", path, name("x"), fails="could not read archive")
        self.pcv("image", "import", self.root("r"), fails="needs a name")
        self.pcv("image", "pull", "no image", fails="cannot be the name of an image")

    def test_pull_without_skopeo(self):
        self.server = Server(env={"PATH": self.dir}, args=["--workers", "1"])
        self.addCleanup(self.server.clean)
        self.addCleanup(self.server.stop)
        self.pcv("image", "pull", "there", fails="skopeo is not installed")

    def test_survives_a_restart(self):
        server = Server()
        self.addCleanup(server.clean)
        self.server = server
        self.image(self.root("kept: "), "kept")
        server.kill()
        server.start()
        self.addCleanup(server.stop)
        self.client = server.client()
        pipeline = self.pipeline_in("kept", self.repo_with("yes").name)
        self.assertEqual(self.output_of(pipeline), "kept: yes")


if __name__ == "__main__":
    unittest.main()
