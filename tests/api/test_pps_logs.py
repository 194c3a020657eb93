"""Logs: every line once, whatever user code prints; who asks for what; what is hidden and kept."""

import base64
import datetime
import os

from pachyderm_sdk.api import pfs, pps

from harness import Server, name as unique
from pps_case import PpsCase

MIB = 1 << 20


class LogsOf(PpsCase):
    def messages(self, **request):
        return list(self.client.pps.get_logs(**request))

    def run_once(self, script, files=None, **more):
        """The info of a job that ran the script over /a."""
        name = self.pipeline(self.repo(files=files or {"/a": b"1"}), script, **more)
        return self.succeeds(name)


class Printed(LogsOf):
    """What user code prints, and how it comes out."""

    def printed(self, script):
        return self.lines(job=self.run_once(script).job)

    def test_streams_and_ends(self):
        self.assertEqual(self.printed("printf 'a\\n\\nb'"), ["a", "", "b"])

    def test_both_streams(self):
        self.assertCountEqual(self.printed("echo out; echo err >&2"), ["out", "err"])

    def test_bytes_that_are_no_text(self):
        self.assertEqual(self.printed("printf 'x\\377\\376y\\000z\\n'"), ["x\ufffd\ufffdy\ufffdz"])

    def test_a_very_long_line_comes_in_pieces(self):
        lines = self.printed("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end")
        self.assertEqual(lines[-1], "end")
        self.assertEqual("".join(lines[:-1]), "x" * 3000000)
        self.assertTrue(all(len(line) <= MIB for line in lines))

    def test_very_much(self):
        """100 MB as fast as it goes: all of it is there, and the server stays small."""
        memory = self.peak_memory()
        lines = self.printed("line=$(head -c 39999 /dev/zero | tr '\\0' x)\n"
                             "yes $line | head -c 100000000")
        self.assertEqual(len(lines), 2500)
        self.assertTrue(all(len(line) == 39999 for line in lines))
        if "PCV_SANITIZED" not in os.environ:
            self.assertLess(self.peak_memory() - memory, 64 * MIB)

    def peak_memory(self):
        with open(f"/proc/{self.server.process.pid}/status", encoding="utf-8") as file:
            line, = (l for l in file if l.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def test_ten_thousand_lines(self):
        self.assertEqual(self.printed("seq 10000"), [str(i + 1) for i in range(10000)])


class Asked(LogsOf):
    """What a request asks for. Two files, two datums, two lines each."""

    @classmethod
    def prepare(cls, case):
        info = case.run_once("cat /pfs/in/*; echo end", {"/a": b"one\n", "/b": b"two\n"})
        cls.its, cls.pipeline_name = info.job, info.job.pipeline.name

    def setUp(self):
        super().setUp()
        if not hasattr(type(self), "its"):
            type(self).prepare(self)

    def asked(self, **more):
        return self.lines(job=self.its, **more)

    def test_each_says_where_it_is_from(self):
        for line in self.messages(job=self.its):
            self.assertEqual((line.job_id, line.pipeline_name, line.project_name),
                             (self.its.id, self.pipeline_name, "default"))
            self.assertEqual(len(line.datum_id), 64)
            self.assertEqual(len(line.data), 1)

    def test_by_pipeline(self):
        lines = self.lines(pipeline=pps.Pipeline(name=self.pipeline_name))
        self.assertCountEqual(lines, ["one", "end", "two", "end"])

    def test_by_datum(self):
        line, = (l for l in self.messages(job=self.its) if l.message == "one")
        datum = pps.Datum(job=self.its, id=line.datum_id)
        self.assertEqual(self.asked(datum=datum), ["one", "end"])
        self.assertEqual(self.asked(datum=pps.Datum(job=self.its, id="ab" * 32)), [])
        self.assertEqual(self.asked(datum=pps.Datum(job=self.its, id="no id")), [])

    def test_by_data(self):
        self.assertEqual(self.asked(data_filters=["/a"]), ["one", "end"])
        line, = (l for l in self.messages(job=self.its) if l.message == "two")
        for text in line.data[0].hash.hex(), base64.b64encode(line.data[0].hash).decode():
            self.assertEqual(self.asked(data_filters=[text]), ["two", "end"])
            self.assertEqual(self.asked(data_filters=[text, "/b"]), ["two", "end"])
            self.assertEqual(self.asked(data_filters=[text, "/a"]), [])

    def test_master(self):
        lines = self.messages(job=self.its, master=True)
        self.assertTrue(all(line.master and not line.user for line in lines))
        self.assertEqual(lines[-1].message, "job successful, closing commits")
        self.assertFalse(any(line.master for line in self.messages(job=self.its)))

    def test_tail(self):
        lines = self.messages(job=self.its)
        for n in 1, 2, 5, len(lines), len(lines) + 1:
            self.assertEqual(self.messages(job=self.its, tail=n), lines[-n:])
        self.assertEqual(self.messages(job=self.its, tail=1, data_filters=["/a"])[0].data[0].path,
                         "/a")

    def test_since(self):
        hour, moment = datetime.timedelta(hours=1), datetime.timedelta(microseconds=1)
        self.assertEqual(len(self.asked(since=hour)), 4)
        self.assertEqual(self.asked(since=moment), [])

    def test_the_other_backend_is_this_one(self):
        self.assertEqual(len(self.asked(use_loki_backend=True)), 4)

    def test_refused(self):
        cases = [
            ("UNKNOWN", "must specify the Job or Pipeline", dict(data_filters=["/a"])),
            ("UNKNOWN", "pipeline must be specified for the given job",
             dict(job=pps.Job(id=self.its.id))),
            ("UNKNOWN", "job is from the wrong pipeline",
             dict(job=self.its, pipeline=pps.Pipeline(name="other"))),
            ("NOT_FOUND", "could not get pipeline information for",
             dict(pipeline=pps.Pipeline(name="none-such"))),
            ("NOT_FOUND", f'could not get job information for "{"0" * 32}"',
             dict(job=pps.Job(pipeline=self.its.pipeline, id="0" * 32))),
            ("INVALID_ARGUMENT", "tail must not be negative", dict(job=self.its, tail=-1)),
        ]
        for code, text, request in cases:
            with self.subTest(text), self.fails(code, text):
                self.messages(**request)


class Followed(LogsOf):
    def test_of_a_pipeline_over_jobs(self):
        repo = self.repo(files={"/a": b"one\n"})
        name = self.pipeline(repo, "cat /pfs/in/*")
        stream = self.client.pps.get_logs(pipeline=pps.Pipeline(name=name), follow=True)
        users = (line.message for line in stream if line.user)
        self.assertEqual(next(users), "one")
        for text in "two", "three":
            self.put(repo, {"/" + text: text.encode() + b"\n"})
            self.assertEqual(next(users), text)

    def test_a_datum_that_runs(self):
        name = self.pipeline(self.repo(files={"/a": b"1", "/b": b"1"}),
                             "echo here; sleep 1000", parallelism_spec={"constant": 2})
        job = self.until(lambda: self.jobs(name))[0].job
        line = self.until(lambda: [l for l in self.messages(job=job, data_filters=["/b"])
                                   if l.user])[0]
        self.assertEqual([f.path for f in line.data], ["/b"])
        stream = self.client.pps.get_logs(job=job, follow=True, tail=1)
        self.assertTrue(next(stream))
        self.client.pps.stop_job(job=job, reason="enough")


class OfTheServer(LogsOf):
    """Neither a pipeline nor a job: what the server itself logged."""

    def setUp(self):
        super().setUp()
        self.server = Server(args=["--log-level", "debug"])
        self.addCleanup(self.server.clean)
        self.addCleanup(self.server.stop)
        self.client = self.server.client()

    def plain(self, **request):
        lines = self.messages(**request)
        self.assertTrue(all(line == pps.LogMessage(message=line.message) for line in lines))
        return [line.message for line in lines]

    def test_is_what_stands_in_the_log(self):
        lines = self.plain()
        self.assertEqual(lines, self.server.read_log().splitlines()[:len(lines)])
        self.assertTrue(any("server ready" in line for line in lines), lines)
        self.assertEqual(self.plain(since=datetime.timedelta(hours=1))[:len(lines)], lines)
        self.assertEqual(self.plain(since=datetime.timedelta(microseconds=1)), [])

    def test_tail_and_follow(self):
        self.assertEqual(len(self.plain(tail=1)), 1)
        stream = self.client.pps.get_logs(follow=True, tail=1)
        self.assertTrue(next(stream).message)
        with self.fails("NOT_FOUND", "not found"):
            self.client.pfs.inspect_repo(repo=pfs.Repo.from_uri("none-such"))
        self.assertTrue(any("InspectRepo" in line.message for line in stream))

    def test_refused(self):
        with self.fails("INVALID_ARGUMENT", "tail must not be negative"):
            self.messages(tail=-1)
        with self.fails("INVALID_ARGUMENT", "since must not be negative"):
            self.messages(since=datetime.timedelta(seconds=-1))


class Hidden(LogsOf):
    def test_secrets(self):
        secret = unique("s")
        self.client.pps.create_secret(name=secret, data={
            "word": "hunter2", "lines": "first line\nsecond line\n", "pin": "123"})
        script = ("echo is $WORD; cat /mnt/lines; echo 123 $PIN\n"
                  "printf hun; printf 'ter2\\n'; printf 'xx%s' $WORD")
        name = self.pipeline(
            self.repo(files={"/a": b"1"}), script,
            transform={"secrets": [{"name": secret, "key": "word", "env_var": "WORD"},
                                   {"name": secret, "key": "pin", "env_var": "PIN"},
                                   {"name": secret, "mount_path": "/mnt"}]})
        lines = self.lines(job=self.succeeds(name).job)
        self.assertEqual(lines, ["is ***", "***", "***", "123 123", "***", "xx***"])


class Kept(LogsOf):
    """On servers of their own."""

    def setUp(self):
        super().setUp()
        self.server = Server(args=["--job-log-mib", "1"])
        self.addCleanup(self.server.clean)
        self.addCleanup(self.server.stop)
        self.client = self.server.client()

    def test_a_kill_and_a_limit(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "seq 100")
        job = self.succeeds(name).job
        self.server.kill()
        self.server.start()
        self.client = self.server.client()
        self.assertEqual(self.lines(job=job), [str(i + 1) for i in range(100)])
        self.pipeline(repo, "yes x | head -c 4000000", name=name, update=True)
        self.succeeds(name)
        self.assertEqual(self.lines(job=job), [])
        total = sum(len(line) for line in self.lines(pipeline=pps.Pipeline(name=name)))
        self.assertTrue(0 < total <= MIB, total)
