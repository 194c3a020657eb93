"""What asks and changes nothing: datums of an input without a pipeline, tasks, a cluster's logs."""

import queue
import unittest

from grpc import StatusCode
from pachyderm_sdk.api import pfs, pps
from pachyderm_sdk.api.taskapi import Group
from pachyderm_sdk.errors import AuthServiceNotActivated

from pps_case import PpsCase


class Questions:
    """Requests of a two-way stream, sent one at a time."""

    def __init__(self):
        self.waiting = queue.Queue()

    def __iter__(self):
        return self

    def __next__(self):
        request = self.waiting.get()
        if request is None:
            raise StopIteration
        return request

    def start(self, input, number=0):
        self.waiting.put(pps.CreateDatumRequest(
            start=pps.StartCreateDatumRequest(input=input, number=number)))

    def more(self, number=0):
        self.waiting.put(pps.CreateDatumRequest(
            continue_=pps.ContinueCreateDatumRequest(number=number)))

    def end(self):
        self.waiting.put(None)


def leaf(repo, glob="/*", name="in"):
    return pps.Input(pfs=pps.PfsInput(repo=repo, glob=glob, name=name))


class CreateDatum(PpsCase):
    def setUp(self):
        super().setUp()
        self.files = self.repo(files={f"/{i}": b"x" for i in range(5)})
        self.questions = Questions()
        self.addCleanup(self.questions.end)

    def answers(self):
        return self.client.pps.create_datum(self.questions)

    def test_pages(self):
        self.questions.start(leaf(self.files), 2)
        answers = self.answers()
        ids = [next(answers).datum.id, next(answers).datum.id]
        self.questions.more(3)
        ids += [info.datum.id for info in answers]   # ends by itself
        self.assertEqual(ids, sorted(set(ids)))
        self.assertEqual(len(ids), 5)

    def test_hanging_up(self):
        self.questions.start(leaf(self.files), 2)
        self.questions.end()
        self.assertEqual(len(list(self.answers())), 2)

    def test_union_keeps_the_order_of_its_children(self):
        other = self.repo(files={"/z": b"x"})
        union = pps.Input(union=[leaf(self.files, name="a"), leaf(other, name="b")])
        self.questions.start(union)
        repos = [info.data[0].file.commit.repo.name for info in self.answers()]
        self.assertEqual(repos, [self.files] * 5 + [other])

    def test_what_is_refused(self):
        for ask, code, text in [
            (lambda q: q.more(), StatusCode.UNKNOWN,
             "first message must be a StartCreateDatumRequest message"),
            (lambda q: q.end(), StatusCode.UNKNOWN, "server receive: EOF"),
            (lambda q: q.start(leaf(self.files), -1), StatusCode.INVALID_ARGUMENT,
             "server receive: rpc error: code = InvalidArgument desc = validate recv: "),
            (lambda q: q.start(pps.Input(cron=pps.CronInput(name="c", spec="@daily"))),
             StatusCode.UNKNOWN, "getting streaming iterator: can't create datums with a cron "
             "input, there will be no datums until the pipeline is created"),
            (lambda q: q.start(leaf("none-such")), StatusCode.UNKNOWN,
             "streaming iterate: pick commit tx: commit default/none-such@ not found\n"
             "repo default/none-such not found"),
            (lambda q: q.start(leaf(self.files, "/[")), StatusCode.UNKNOWN,
             "streaming iterate: unexpected end of input"),
            (lambda q: (q.start(leaf(self.files), 1), q.start(leaf(self.files))),
             StatusCode.UNKNOWN,
             "subsequent messages must be a ContinueCreateDatumRequest message"),
        ]:
            with self.subTest(text), self.refused(code, text):
                self.questions = Questions()
                ask(self.questions)
                try:
                    list(self.answers())
                finally:
                    self.questions.end()


class Others(PpsCase):
    def test_tasks(self):
        self.assertEqual(list(self.client.pps.list_task(group=Group(namespace="processing"))), [])
        with self.refused(StatusCode.INVALID_ARGUMENT, "invalid ListTaskRequest.Group: "
                          "value is required"):
            list(self.client.pps.list_task())

    def test_no_cluster_behind(self):
        with self.refused(StatusCode.UNKNOWN, "loki not configured"):
            list(self.client.pps.query_loki(query="{}"))
        with self.refused(StatusCode.UNKNOWN, "loki not configured"):
            list(self.client.pps.get_kube_events())

    def test_auth_is_off(self):
        with self.assertRaisesRegex(AuthServiceNotActivated, "auth service is not activated"):
            self.client.pps.activate_auth()


if __name__ == "__main__":
    unittest.main()
