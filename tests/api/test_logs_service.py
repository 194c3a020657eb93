"""logs.API: lines of pipelines and of the server, by what is asked and in order of time."""

import json
import unittest

import grpc
from betterproto import parse_fields
from pachyderm_sdk.api import logs

from harness import name as unique
from pps_case import PpsCase


def of(**user):
    return logs.LogQuery(user=logs.UserLogQuery(**user))


def admin(**query):
    return logs.LogQuery(admin=logs.AdminLogQuery(**query))


def part(message, number):
    """The bytes of a message's message: the client would keep microseconds of its times only."""
    for field in parse_fields(message):
        if field.number == number:
            return field.value
    return b""


class LogsService(PpsCase):
    def setUp(self):
        super().setUp()
        self.api = logs.ApiStub(self.client._channel)
        self.first, self.done = self.ran({"/a": b"1", "/b": b"1"})
        self.named = logs.PipelineLogQuery(project="default", pipeline=self.first)

    def ran(self, files, repo=None):
        name = self.pipeline(repo or self.repo(files=files), "echo out $(basename /pfs/in/*); exit 0")
        return name, self.succeeds(name)

    def get(self, query=None, **request):
        return list(self.api.get_logs(query=query, **request))

    def raw(self, request):
        with grpc.insecure_channel(self.client.address) as channel:
            call = channel.unary_stream("/logs.API/GetLogs", request_serializer=lambda m: m,
                                        response_deserializer=lambda b: b)
            return list(call(request, timeout=30))

    def said(self, query, **filter):
        answers = self.get(query, filter=logs.LogFilter(**filter))
        return [a.log.pps_log_message.message for a in answers]

    def test_who_is_asked(self):
        other, job = self.ran({"/c": b"1"})
        datums = {d.data[0].file.path: d.datum.id
                  for d in self.client.pps.list_datum(job=self.done.job)}
        id, b = self.done.job.id, datums["/b"]
        pipeline = logs.PipelineLogQuery(project="default", pipeline=other)
        both = {"out a", "out b"}
        for query, want in [
            (of(pipeline=self.named), both),
            (of(job=id), both),
            (of(datum=b), {"out b"}),
            (of(pipeline_job=logs.PipelineJobLogQuery(pipeline=self.named, job=id)), both),
            (of(pipeline_job=logs.PipelineJobLogQuery(pipeline=pipeline, job=id)), set()),
            (of(job_datum=logs.JobDatumLogQuery(job=id, datum=b)), {"out b"}),
            (of(pipeline_datum=logs.PipelineDatumLogQuery(pipeline=self.named, datum=b)), {"out b"}),
            (of(pipeline=logs.PipelineLogQuery(project="default", pipeline="none-such")), set()),
            (of(project="none-such"), set()),
            (admin(user=logs.UserLogQuery(job=job.job.id)), {"out c"}),
            (admin(logql='{pipelineProject="default", pipelineName="%s"}' % other), {"out c"}),
            (admin(storage=pipeline), set()),
        ]:
            with self.subTest(query.to_json()):
                said = self.said(query, user_logs_only=True)
                self.assertEqual((set(said), len(said)), (want, len(want)))
        for query in of(project="default"), admin(logql='{suite="pachyderm"}'), None:
            said = self.said(query, user_logs_only=True)
            self.assertLessEqual(both | {"out c"}, set(said))
        master = self.said(admin(master=self.named))
        self.assertIn("updating job info, state: JOB_RUNNING", master)
        self.assertNotIn("out a", master)

    def test_what_a_line_says(self):
        for answer in self.get(of(pipeline=self.named)):
            line = answer.log
            verbatim = json.loads(line.verbatim.line)
            self.assertEqual(verbatim["message"], line.pps_log_message.message)
            self.assertEqual((verbatim["pipelineName"], verbatim["severity"]), (self.first, "info"))
            self.assertEqual(line.object.fields["message"].string_value, verbatim["message"])
            self.assertEqual(set(line.object.fields), set(verbatim))
            self.assertTrue(line.native_timestamp == line.verbatim.timestamp == line.pps_log_message.ts)

    def test_the_server(self):
        for query in admin(app="pachd"), admin(pod="pachd"), admin(logql='{app="pachd"}'):
            lines = [a.log.verbatim.line.decode() for a in self.get(query)]
            self.assertRegex(lines[0], "info .*server ready")
        self.assertEqual(self.get(admin(pod="nobody")), [])

    def test_filters(self):
        query = of(pipeline=self.named)
        everything = self.said(query)
        self.assertIn("beginning to run user code", everything)
        matching = lambda pattern, **more: self.said(
            query, regex=logs.RegexLogFilter(pattern=pattern, **more))
        self.assertEqual(sorted(matching("^out [ab]$")), ["out a", "out b"])
        self.assertEqual(sorted(matching("^out ", negate=True) + ["out a", "out b"]), sorted(everything))
        self.assertEqual(self.said(query, level=logs.LogLevel.LOG_LEVEL_ERROR), [])
        failing = self.pipeline(self.repo(files={"/a": b"1"}), "exit 3", datum_tries=2)
        self.job(failing)
        error, again = self.said(of(pipeline=logs.PipelineLogQuery(
            project="default", pipeline=failing)), level=logs.LogLevel.LOG_LEVEL_ERROR)
        self.assertRegex(error, "^errored running user code after .*: exit status 3$")
        self.assertEqual(self.said(query, limit=2), everything[:2])
        with self.fails("UNKNOWN", "error parsing regexp"):
            matching("(")

    def test_time_and_pages(self):
        self.ran({"/c": b"1"})
        query = of(job=self.done.job.id)
        whole = self.get(query)
        times = [a.log.native_timestamp for a in whole]
        self.assertEqual(times, sorted(times))
        line = lambda answer: answer.log.verbatim.line

        def pages(way, **filter):
            found = []
            request = bytes(logs.GetLogsRequest(query=query, want_paging_hint=True,
                                                filter=logs.LogFilter(limit=2, **filter)))
            while True:
                *page, hint = self.raw(request)
                if not page:
                    return found
                self.assertLessEqual(len(page), 2)
                found += [line(logs.GetLogsResponse().parse(answer)) for answer in page]
                request = part(part(hint, 1), way)

        self.assertEqual(pages(2), list(map(line, whole)))
        end = logs.TimeRangeLogFilter(until=times[-1].replace(year=times[-1].year + 1))
        self.assertEqual(pages(1, time_range=end), list(map(line, whole))[::-1])

    def test_refused(self):
        for query, text in [
            (of(pipeline=logs.PipelineLogQuery(project="default")),
             "UserLogQuery request requires a pipeline argument"),
            (of(pipeline=logs.PipelineLogQuery(pipeline=unique())), "requires a project argument"),
            (of(job_datum=logs.JobDatumLogQuery(job="x")), "requires a datum argument"),
            (admin(logql='{app="pachd"} |= "x"'), "only labels are understood of LogQL"),
            (admin(logql='{color="red"}'), "only labels are understood of LogQL"),
        ]:
            with self.subTest(text), self.fails("INVALID_ARGUMENT", text):
                self.get(query)


if __name__ == "__main__":
    unittest.main()
