"""jq filters of lists, and templates: users' programs, which the server runs apart from itself."""

import http.server
import threading
import time
import unittest

from grpc import StatusCode
from pachyderm_sdk.api import pps

from harness import name as unique
from pps_case import PpsCase

ENDLESS = "until(. == 0; 1)"


class Filters(PpsCase):
    """Other suites share the server, so every filter first asks for the pipelines made here."""

    def setUp(self):
        super().setUp()
        self.tag = unique("filtered")
        repo = self.repo(files={"/a": b"1"})
        self.good = self.pipeline(repo, name="good-" + self.tag)
        self.bad = self.pipeline(repo, "exit 1", name="bad-" + self.tag, datum_tries=1)
        self.job(self.good)
        self.job(self.bad)

    def names(self, filter, **more):
        mine = f'select(.pipeline.name | endswith("{self.tag}")) | '
        return [i.pipeline.name
                for i in self.client.pps.list_pipeline(jq_filter=mine + filter, **more)]

    def states(self, filter, **more):
        mine = f'select(.job.pipeline.name | endswith("{self.tag}")) | '
        return [pps.JobState(j.state).name
                for j in self.client.pps.list_job(jq_filter=mine + filter, **more)]

    def test_pipelines(self):
        self.assertEqual(self.names(f'select(.pipeline.name == "{self.good}")'), [self.good])
        self.assertEqual(self.names('.pipeline.name | startswith("good-")'), [self.good])
        self.assertEqual(self.names('select(.state == "PIPELINE_PAUSED")'), [])
        self.assertEqual(len(self.names(".details.transform.cmd | length > 0", details=True)), 2)
        self.assertEqual(self.names("empty"), [])
        self.assertEqual(len(self.names("0")), 2)         # neither false nor null

    def test_pages_are_of_what_the_filter_keeps(self):
        self.pipeline(self.repo())  # newer than both, and not kept

        def page(size, index):
            return self.names(".", page=pps.PipelinePage(page_size=size, page_index=index))

        whole = [self.bad, self.good]
        self.assertEqual([page(2, 0), page(1, 0), page(1, 1), page(1, 2), page(1, -1), page(-1, 9)],
                         [whole, whole[:1], whole[1:], [], whole[:1], whole])
        self.assertEqual(page(3, 2**62), [])

    def test_jobs(self):
        self.assertEqual(self.states('select(.state == "JOB_FAILURE" or .state == "JOB_KILLED")'),
                         ["JOB_FAILURE"])
        self.assertEqual(self.states('.job.pipeline.project.name == "default"', number=1),
                         ["JOB_FAILURE"])
        self.assertEqual(self.states('.state == "JOB_SUCCESS"', number=1), ["JOB_SUCCESS"])
        self.assertEqual(self.states('.data_processed == "1"'), ["JOB_SUCCESS"])

    def test_job_sets(self):
        sets = self.client.pps.list_job_set(
            jq_filter=f'.job.pipeline.name == "{self.bad}"', number=1)
        self.assertEqual([[j.job.pipeline.name for j in s.jobs] for s in sets], [[self.bad]])

    def test_wrong_programs(self):
        for program, text in [
            (".a ==", "error creating message filter function: error parsing jq filter: "),
            ("foo(1)", "error creating message filter function: error compiling jq filter: "
                       "function not defined: foo/1"),
            ("$x", "error compiling jq filter: variable not defined: $x"),
            (".state.x", "could not list pipeline info: apply function to list row element: error "
                         "filtering pipeline: error applying jq filter on proto message: "),
        ]:
            with self.subTest(program), self.refused(StatusCode.UNKNOWN, text):
                self.names(program)
        with self.refused(StatusCode.UNKNOWN, "apply function to list row element: error "
                          "filtering job: error applying jq filter on proto message: no!"):
            self.states('error("no!")')

    def test_files_of_the_server_are_out_of_reach(self):
        for program in ['import "passwd" as $x {search: "/etc"}; $x',
                        'include "a" {search: "/tmp"}; .']:
            with self.subTest(program), self.refused(StatusCode.UNKNOWN, "jq filter"):
                list(self.client.pps.list_pipeline(jq_filter=program))
        self.assertEqual(self.names("env | length > 0"), [])

    def test_endless_programs_are_cut_off(self):
        """All three at once, as each takes the whole time that it is allowed."""
        calls = [lambda: list(self.client.pps.list_pipeline(jq_filter=ENDLESS)),
                 lambda: list(self.client.pps.list_job(jq_filter=ENDLESS)),
                 lambda: list(self.client.pps.list_job_set(jq_filter=ENDLESS))]
        errors = []

        def run(call):
            try:
                call()
            except Exception as error:
                errors.append(error)

        began = time.monotonic()
        threads = [threading.Thread(target=run, args=[call]) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([e.code() for e in errors], [StatusCode.DEADLINE_EXCEEDED] * 3)
        self.assertLess(time.monotonic() - began, 15)


class Imported(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        found = self.path == "/lib.libsonnet"
        self.send_response(200 if found else 404)
        self.end_headers()
        if found:
            self.wfile.write(b'{ image: "alpine" }')

    def log_message(self, *args):
        pass


class Templates(PpsCase):
    def render(self, template, **args):
        return self.client.pps.render_template(template=template, args=args)

    def test_arguments(self):
        answer = self.render('function(name, n="2") { pipeline: { name: name }, datumTries: n }',
                             name="p")
        self.assertEqual(answer.specs[0].pipeline.name, "p")
        self.assertEqual(answer.specs[0].datum_tries, 2)
        self.assertIn('"name": "p"', answer.json)

    def test_lists(self):
        answer = self.render('[{ pipeline: { name: "p%d" % i }, other: 1 } for i in [1, 2]]')
        self.assertEqual([s.pipeline.name for s in answer.specs], ["p1", "p2"])

    def test_imports(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Imported)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        url = f"http://127.0.0.1:{server.server_port}"
        answer = self.render(f'local lib = import "{url}/lib.libsonnet"; {{ transform: lib }}')
        self.assertEqual(answer.specs[0].transform.image, "alpine")
        with self.refused(StatusCode.UNKNOWN, "404"):
            self.render(f'import "{url}/other"')

    def test_what_is_refused(self):
        for template, args, text in [
            ('import "/etc/passwd"', {},
             "template err: RUNTIME ERROR: import not available /etc/passwd"),
            ('importstr "file:///etc/passwd"', {},
             "template err: RUNTIME ERROR: import not available file:///etc/passwd"),
            ("function(n) { }", {}, "Missing argument: n"),
            ("function() { }", {"m": "1"}, "function has no parameter m"),
            ("1", {}, "not a json object or list: 1"),
            ("{", {}, "template err: "),
            ("{ foo: 1 }", {}, 'unknown field "foo"'),
            ("local f(x) = f(x + 1); f(0)", {}, "template err: "),
        ]:
            with self.subTest(template), self.refused(StatusCode.UNKNOWN, text):
                self.render(template, **args)
        self.assertEqual(self.render("{ }", a="1").json.split(), ["{", "}"])


if __name__ == "__main__":
    unittest.main()
