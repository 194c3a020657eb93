"""What is wrong is refused with its reason, and leaves nothing behind."""

import json
import unittest

from pachyderm_sdk.api import pfs, pps

from harness import name as unique, raw_call
from pps_case import FAILURE, PpsCase


class Refused(PpsCase):
    def spec(self, name, **more):
        return {"pipeline": {"name": name}, "transform": {"cmd": ["true"], "image": "host"}, **more}

    def assert_nothing(self, name):
        with self.fails("NOT_FOUND", "not found"):
            self.info(name)
        self.assertFalse(self.client.pfs.repo_exists(pfs.Repo.from_uri(name)))

    def refuses(self, code, text, spec):
        with self.fails(code, text):
            self.create_json(spec)
        self.assert_nothing(spec["pipeline"]["name"])

    def test_unknown_repo(self):
        name = unique()
        self.refuses("NOT_FOUND", "not found",
                     self.spec(name, input={"pfs": {"repo": "none-such", "glob": "/"}}))

    def test_input_rules(self):
        repo, name = self.repo(), unique()
        for text, input in [("must specify a glob", {"pfs": {"repo": repo}}),
                            ("must specify a repo", {"pfs": {"glob": "/", "name": "x"}}),
                            ("cannot be named out", {"pfs": {"repo": repo, "glob": "/",
                                                             "name": "out"}}),
                            ("no input set", {"cross": [{}]}),
                            ("was used more than once", {"cross": [
                                {"pfs": {"repo": repo, "glob": "/", "name": "x"}},
                                {"pfs": {"repo": repo, "glob": "/*", "name": "x"}}]}),
                            ("error parsing cron-spec", {"cron": {"name": "t", "spec": "soon"}})]:
            with self.subTest(text):
                self.refuses("UNKNOWN", text, self.spec(name, input=input))

    def test_bad_glob(self):
        name = self.pipeline(self.repo(files={"/a": b"1"}), glob="/[a")
        info = self.job(name)
        self.assertEqual(info.state, FAILURE)
        self.assertIn("/[a", info.reason)

    def test_json(self):
        for text, json_text in [("unknown field", '{"pipeline": {"name": "p"}, "typo": 1}'),
                                ("", '{"pipeline": {"name": "p"},\n"transform": }'),
                                ("", '{"pipeline": {"name": 7}}')]:
            with self.subTest(json_text):
                with self.assertRaises(Exception) as caught:
                    self.client.pps.create_pipeline_v2(create_pipeline_request_json=json_text)
                self.assertIn(text, caught.exception.details())

    def test_names(self):
        repo = self.repo()
        for name, text in [("a b", "only alphanumeric"), ("-a", "must start with"),
                           ("a" * 64, "longer than the")]:
            with self.subTest(name):
                with self.fails("UNKNOWN", text):
                    self.create_json(self.spec(name, input={"pfs": {"repo": repo, "glob": "/"}}))

    def test_update_that_fails_changes_nothing(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo)
        self.succeeds(name)
        with self.fails("UNKNOWN", "must specify a glob"):
            self.create_json(self.spec(name, input={"pfs": {"repo": repo}}), update=True)
        self.assertEqual(self.info(name).version, 1)
        self.assertEqual(len(self.jobs(name)), 1)

    def test_name_of_a_repo(self):
        repo, taken = self.repo(), self.repo()
        with self.fails("UNKNOWN", "a repo with the same name already exists"):
            self.create_json(self.spec(taken, input={"pfs": {"repo": repo, "glob": "/"}}))

    def test_names_that_climb(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "mkdir -p '/pfs/out/a..'; touch '/pfs/out/a../..b'",
                             datum_tries=1)
        self.succeeds(name)
        self.assertEqual(self.paths(name), ["/a../..b"])

    def test_what_is_no_secret(self):
        named = {"metadata": {"name": unique("s")}}
        for file in b"", b"{", b"[]", {"data": {"a": "!"}}, {"data": "x"}, {"stringData": ["x"]}:
            text = file if isinstance(file, bytes) else json.dumps(named | file).encode()
            request = bytes(pps.CreateSecretRequest(file=text))
            with self.subTest(text), self.fails("UNKNOWN", "failed to unmarshal secret: "):
                raw_call(self.client, "/pps_v2.API/CreateSecret", request)

    def test_unknown_job(self):
        job = pps.Job(pipeline=pps.Pipeline(name="none-such"), id="0" * 32)
        for call in [self.client.pps.inspect_job, self.client.pps.stop_job,
                     self.client.pps.delete_job]:
            with self.fails("NOT_FOUND", "not found"):
                call(job=job)

    def test_unknown_pipeline_in_three_lines(self):
        api, pipeline = self.client.pps, pps.Pipeline(name="none-such")
        inspected = ("pipeline was not inspected: couldn't find up to date spec for pipeline "
                     "\"default/none-such\": pick commit tx: commit default/none-such.spec@ not "
                     "found\nrepo default/none-such.spec not found\n"
                     "pipeline \"default/none-such\" not found")
        for before, call in [
            ("", lambda: api.start_pipeline(pipeline=pipeline)),
            ("", lambda: api.stop_pipeline(pipeline=pipeline, must_exist=True)),
            ("", lambda: api.run_cron(pipeline=pipeline)),
            ("error stopping pipeline default/none-such: ",
             lambda: api.delete_pipeline(pipeline=pipeline, must_exist=True)),
            ("could not get pipeline information for default/none-such: ",
             lambda: list(api.get_logs(pipeline=pipeline))),
        ]:
            with self.fails("NOT_FOUND", before + inspected, exact=True):
                call()
        api.stop_pipeline(pipeline=pipeline)
        api.delete_pipeline(pipeline=pipeline)

    def test_spec_commit_that_is_not_there(self):
        name = unique()
        spec = self.spec(name, input={"pfs": {"repo": self.repo(), "glob": "/"}},
                         specCommit={"id": "a" * 32})
        self.refuses("UNKNOWN", "error inspecting spec commit: pick commit tx: cannot pick commit "
                     "with no repo", spec)
        spec["specCommit"]["repo"] = {"name": unique(), "project": {"name": "default"}}
        self.refuses("NOT_FOUND", "error inspecting spec commit: ", spec)

    def test_defaults_that_a_pipeline_cannot_have(self):
        project = pfs.Project(name=unique("project"))
        self.client.pfs.create_project(project=project)
        self.create_json({"pipeline": {"name": unique("p"), "project": {"name": project.name}},
                          "transform": {"cmd": ["true"], "image": "host"}})
        json = '{"createPipelineRequest": {"input": {"pfs": {"repo": "none-such", "glob": "/"}}}}'
        with self.fails("UNKNOWN", "unknown error: could not write project defaults",
                        exact=True) as caught:
            self.client.pps.set_project_defaults(project=project, project_defaults_json=json,
                                                 regenerate=True)
        details = dict(caught.error.trailing_metadata())["grpc-status-details-bin"]
        self.assertIn(b"type.googleapis.com/google.rpc.DebugInfo", details)
        self.assertIn(f"repo {project.name}/none-such not found".encode(), details)
        stored = self.client.pps.get_project_defaults(project=project).project_defaults_json
        self.assertEqual(stored, "{}")

    def test_unknown_pipeline(self):
        pipeline = pps.Pipeline(name="none-such")
        for call in [self.client.pps.inspect_pipeline, self.client.pps.start_pipeline, self.client.pps.rerun_pipeline,
                     self.client.pps.run_cron]:
            with self.subTest(call.__name__):
                with self.fails("NOT_FOUND", "not found"):
                    call(pipeline=pipeline)


if __name__ == "__main__":
    unittest.main()
