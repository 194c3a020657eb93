"""debug_v2.Debug: programs, profiles and dumps of a running server."""

import datetime
import gzip
import io
import json
import os
import tarfile
import unittest

from pachyderm_sdk.api import debug

from pps_case import PpsCase

SECOND = datetime.timedelta(seconds=1)


class DebugService(PpsCase):
    def setUp(self):
        super().setUp()
        self.api = self.client.debug

    def test_binary(self):
        def program(**request):
            return b"".join(piece.value for piece in self.api.binary(**request))

        def built(name):
            with open(os.path.join(os.path.dirname(os.environ["PCVD"]), name), "rb") as file:
                return file.read()

        self.assertEqual(program(), built("pcvd"))
        self.assertEqual(program(filter=debug.Filter(pachd=True)), built("pcvd"))
        worker = debug.Filter(worker=debug.Worker(pod="any"))
        self.assertEqual(program(filter=worker), built("pcv-worker"))

    def profile(self, name, duration=None):
        pieces = self.api.profile(profile=debug.Profile(name=name, duration=duration))
        tar = tarfile.open(fileobj=io.BytesIO(b"".join(p.value for p in pieces)))
        (member,) = tar.getmembers()
        self.assertEqual(member.name, f"pachd/{name}.txt")
        return tar.extractfile(member).read().decode()

    def test_profile(self):
        before = datetime.datetime.now()
        text = self.profile("cpu", SECOND / 4)
        self.assertGreaterEqual(datetime.datetime.now() - before, SECOND / 4)
        self.assertTrue(text.startswith("processor time over 0.250 s\n"))
        names = [line.split(None, 2)[2] for line in text.splitlines()[2:]]
        self.assertIn("control", names)
        self.assertIn("control", self.profile("threads"))
        self.assertEqual(len(self.profile("goroutine").splitlines()[0].split()), 5)
        self.assertIn("VmRSS:", self.profile("heap"))
        with self.fails("UNKNOWN", 'unable to find profile "nothing"'):
            self.profile("nothing")

    def test_the_old_dump(self):
        with self.fails("UNIMPLEMENTED", "Dump gRPC is deprecated in favor of DumpV2"):
            list(super(type(self.api), self.api).dump())

    def dump(self, request):
        """Names and contents of its files, and what was told of its progress."""
        told, content = [], b""
        for n, chunk in enumerate(self.api.dump_v2(**request)):
            if n == 0:
                self.assertGreaterEqual(chunk.progress.progress, 1)
            if chunk.progress.progress:
                told.append((chunk.progress.progress, chunk.progress.total))
            content += chunk.content.content
        tar = tarfile.open(fileobj=io.BytesIO(gzip.decompress(content)))
        self.assertEqual(told, [(i + 1, len(told)) for i in range(len(told))])
        return {m.name: tar.extractfile(m).read() for m in tar.getmembers()}

    def test_everything(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "echo dumped")
        info = self.succeeds(name)
        template = self.api.get_dump_v2_template().request
        self.assertIn(name, [p.name for p in template.pipelines])
        mine = [debug.Pipeline(project="default", name=n) for n in (name, "none-such")]
        files = self.dump({"system": template.system, "pipelines": mine, "input_repos": True,
                           "defaults": template.defaults, "timeout": template.timeout})
        folder = f"pipelines/default/{name}/"
        self.assertLessEqual({"pachd/version.txt", "pachd/logs.txt", "pachd/cpu.txt", "pachd/heap.txt",
                              "pachd/threads.txt", "pachd/pcvd", "database/tables.txt",
                              "defaults/cluster.json", folder + "spec.json", folder + "jobs.json",
                              folder + "logs.txt", f"source-repos/default/{repo}.json",
                              "errors.txt"}, set(files))
        job = json.loads(files[folder + "jobs.json"])
        self.assertEqual((job["job"]["id"], job["state"]), (info.job.id, "JOB_SUCCESS"))
        self.assertEqual(json.loads(files[folder + "spec.json"])["pipeline"]["name"], name)
        self.assertIn(b'"dumped"', files[folder + "logs.txt"])
        self.assertIn(b"  pps_pipeline\n", files["database/tables.txt"])
        self.assertIn(b"pipelines/default/none-such/spec.json: ", files["errors.txt"])
        self.assertIn("createPipelineRequest", json.loads(files["defaults/cluster.json"]))

    def test_only_what_is_asked_for(self):
        template = self.api.get_dump_v2_template(filters=["version", "defaults"]).request
        self.assertTrue(template.system.version and template.defaults.cluster_defaults)
        self.assertEqual((template.system.database, template.system.logs, template.pipelines),
                         (False, [], []))
        files = self.dump({"system": template.system, "defaults": template.defaults})
        self.assertEqual(set(files), {"pachd/version.txt", "defaults/cluster.json"})
        files = self.dump({"system": debug.System(helm=True)})
        self.assertEqual(files, {"errors.txt": b"helm: this server has none\n"})


if __name__ == "__main__":
    unittest.main()
