"""The pipeline service by the client's own methods, one test each (sdk_case.py)."""

import datetime
import json
import unittest

from pachyderm_sdk.api import pfs, pps
from pachyderm_sdk.api.taskapi import Group
from pachyderm_sdk.errors import AuthServiceNotActivated

from harness import name as unique
from pps_case import FAILURE, KILLED, SUCCESS, PpsCase
from sdk_case import SdkCase

DEFAULT = pfs.Project(name="default")


def started_at(worker):
    """When its datum began; None when it has none."""
    started = worker.datum_status.started
    return started if started.year > 1970 else None


class Methods(PpsCase, SdkCase):
    service = "pps"

    def ran(self, script="cp -r /pfs/in/. /pfs/out/", files=None, **more):
        """A pipeline whose first job is over: its name, and that job's info."""
        pipeline = self.pipeline(self.repo(files=files or {"/a": b"1\n"}), script, **more)
        return pipeline, self.job(pipeline)

    def running(self, **more):
        """A pipeline with a job whose only datum does not end by itself: its name, and the job."""
        pipeline = self.pipeline(self.repo(files={"/a": b"1"}), "sleep 1000", **more)

        def busy():
            job = self.jobs(pipeline)[0].job
            info = self.client.pps.inspect_job(job=job, details=True)
            return job if any(started_at(w) for w in info.details.worker_status) else None

        return pipeline, self.until(busy)

    def secret(self):
        """A secret's name; its one key has the value s3cret."""
        secret = unique("s")
        self.api.create_secret(name=secret, data={"key": "s3cret"})
        return secret


class PipelineMethods(Methods):
    def test_create_pipeline(self):
        pipeline = pps.Pipeline(name=unique("p"), project=DEFAULT)
        leaf = pps.PfsInput(repo=self.repo(files={"/a": b"abc"}), glob="/*", name="in")
        copy = pps.Transform(cmd=["sh"], stdin=["cp /pfs/in/a /pfs/out/b"], image="host")
        self.api.create_pipeline(pipeline=pipeline, transform=copy, input=pps.Input(pfs=leaf))
        info = self.job(pipeline.name)
        self.assertEqual(info.state, SUCCESS)
        self.assertEqual(self.files(info.output_commit), {"/b": b"abc"})

    def test_create_pipeline_v2(self):
        spec = {"pipeline": {"name": unique("p")}, "transform": {"cmd": ["true"]},
                "input": {"pfs": {"repo": self.repo(), "glob": "/"}}}
        answer = self.api.create_pipeline_v2(create_pipeline_request_json=json.dumps(spec))
        effective = json.loads(answer.effective_create_pipeline_request_json)
        self.assertEqual(effective["transform"]["cmd"], ["true"])
        self.assertIn("reprocessSpec", effective)  # of the defaults
        self.assertEqual(self.info(spec["pipeline"]["name"]).version, 1)

    def test_inspect_pipeline(self):
        pipeline = self.pipeline(self.repo())
        info = self.api.inspect_pipeline(pipeline=pps.Pipeline(name=pipeline), details=True)
        self.assertEqual((info.pipeline.name, info.version, info.type),
                         (pipeline, 1, pps.PipelineInfoPipelineType.PIPELINE_TYPE_TRANSFORM))
        self.assertEqual(info.details.input.pfs.glob, "/*")
        with self.fails("NOT_FOUND", "not found"):
            self.api.inspect_pipeline(pipeline=pps.Pipeline(name=unique()))

    def test_pipeline_exists(self):
        there = pps.Pipeline(name=self.pipeline(self.repo()))
        self.assertTrue(self.api.pipeline_exists(there))
        self.assertFalse(self.api.pipeline_exists(pps.Pipeline(name=unique())))

    def test_list_pipeline(self):
        project = pfs.Project(name=unique("project"))
        self.client.pfs.create_project(project=project)
        names = [unique("p") for _ in range(3)]
        cron = {"cron": {"name": "tick", "spec": "@never"}}
        for each in names:
            self.create_json({"pipeline": {"name": each, "project": {"name": project.name}},
                              "transform": {"cmd": ["true"]}, "input": cron})
        listed = [i.pipeline.name for i in self.api.list_pipeline(projects=[project])]
        self.assertEqual(listed, names[::-1])
        page = pps.PipelinePage(page_size=2, page_index=1)
        listed = [i.pipeline.name for i in self.api.list_pipeline(projects=[project], page=page)]
        self.assertEqual(listed, names[:1])

    def test_pipelines_summary(self):
        project = pfs.Project(name=unique("project"))
        self.client.pfs.create_project(project=project)
        for each, stopped in ((unique("p"), False), (unique("p"), True)):
            pipeline = pps.Pipeline(name=each, project=project)
            self.create_json({"pipeline": {"name": each, "project": {"name": project.name}},
                              "transform": {"cmd": ["true"]},
                              "input": {"cron": {"name": "tick", "spec": "@never"}}})
            if stopped:
                self.client.pps.stop_pipeline(pipeline=pipeline)
        picker = pfs.ProjectPicker(name=project.name)

        def counted():
            (summary,) = self.api.pipelines_summary(projects=[picker]).summaries
            found = (summary.active_pipelines, summary.paused_pipelines, summary.failed_pipelines)
            return summary if found == (1, 1, 0) else None

        self.assertEqual(self.until(counted).project.name, project.name)
        unknown = pfs.ProjectPicker(name=unique("project"))
        self.assertEqual(self.api.pipelines_summary(projects=[unknown]).summaries, [])

    def test_stop_pipeline(self):
        repo = self.repo()
        pipeline = pps.Pipeline(name=self.pipeline(repo))
        self.api.stop_pipeline(pipeline=pipeline)
        self.assertTrue(self.info(pipeline.name).stopped)
        before = len(self.jobs(pipeline.name))
        self.put(repo, {"/a": b"1"})
        self.assertEqual(len(self.jobs(pipeline.name)), before)
        self.api.stop_pipeline(pipeline=pps.Pipeline(name=unique()))  # none there: nothing to do
        with self.fails("NOT_FOUND"):
            self.api.stop_pipeline(pipeline=pps.Pipeline(name=unique()), must_exist=True)

    def test_start_pipeline(self):
        repo = self.repo()
        pipeline = pps.Pipeline(name=self.pipeline(repo))
        self.client.pps.stop_pipeline(pipeline=pipeline)
        self.put(repo, {"/a": b"1"})
        self.api.start_pipeline(pipeline=pipeline)
        info = self.job(pipeline.name)
        self.assertEqual(self.files(info.output_commit), {"/a": b"1"})

    def test_rerun_pipeline(self):
        name, first = self.ran()
        pipeline = pps.Pipeline(name=name, project=DEFAULT)
        self.api.rerun_pipeline(pipeline=pipeline, reprocess=True)
        again = self.job(name)
        self.assertNotEqual(again.job.id, first.job.id)
        self.assertEqual((again.state, again.data_processed, again.data_skipped), (SUCCESS, 1, 0))
        self.api.rerun_pipeline(pipeline=pipeline)
        self.assertEqual((self.job(name).data_processed, self.job(name).data_skipped), (0, 1))

    def test_run_cron(self):
        spec = {"pipeline": {"name": unique("p")},
                "transform": {"cmd": ["sh"], "stdin": ["ls /pfs/tick >/pfs/out/ticks"]},
                "input": {"cron": {"name": "tick", "spec": "@never"}}}
        self.create_json(spec)
        pipeline = spec["pipeline"]["name"]
        self.api.run_cron(pipeline=pps.Pipeline(name=pipeline))
        self.until(lambda: self.jobs(pipeline))
        (content,) = self.files(self.job(pipeline).output_commit).values()
        self.assertEqual(len(content.splitlines()), 1)

    def test_check_status(self):
        project = pfs.Project(name=unique("project"))
        self.client.pfs.create_project(project=project)
        self.create_json({"pipeline": {"name": unique("p"), "project": {"name": project.name}},
                          "transform": {"cmd": ["true"]},
                          "input": {"cron": {"name": "tick", "spec": "@never"}}})
        self.assertEqual(list(self.api.check_status(project=project)), [])  # no limit is exceeded
        pipeline, _ = self.running(autoscaling=True, maximumExpectedUptime="0.001s")
        alerts = self.until(lambda: {i.pipeline.name: i.alerts for i in
                                     self.api.check_status(all=True)}.get(pipeline))
        self.assertEqual(len(alerts), 1)
        self.assertRegex(alerts[0], rf"^default/{pipeline}: Started running at "
                         r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d*[1-9])? \+0000 UTC, "
                         r"exceeded maximum uptime by [\d.]+(ns|µs|ms|s)$")
        self.client.pps.stop_pipeline(pipeline=pps.Pipeline(name=pipeline))

    def test_delete_pipeline(self):
        pipeline, _ = self.ran()
        self.api.delete_pipeline(pipeline=pps.Pipeline(name=pipeline), keep_repo=True)
        self.assertTrue(self.client.pfs.repo_exists(repo=pfs.Repo.from_uri(pipeline)))
        with self.fails("NOT_FOUND"):
            self.info(pipeline)
        self.api.delete_pipeline(pipeline=pps.Pipeline(name=pipeline))  # gone: nothing to do
        with self.fails("NOT_FOUND"):
            self.api.delete_pipeline(pipeline=pps.Pipeline(name=pipeline), must_exist=True)

    def test_delete_pipelines(self):
        project = pfs.Project(name=unique("project"))
        self.client.pfs.create_project(project=project)
        names = {unique("p") for _ in range(2)}
        for each in names:
            self.create_json({"pipeline": {"name": each, "project": {"name": project.name}},
                              "transform": {"cmd": ["true"]},
                              "input": {"cron": {"name": "tick", "spec": "@never"}}})
        answer = self.api.delete_pipelines(projects=[project])
        self.assertEqual({p.name for p in answer.pipelines}, names)
        self.assertEqual(list(self.api.list_pipeline(projects=[project])), [])

    def test_delete_all(self):
        self.use_own_server()
        self.ran()
        self.api.delete_all()
        self.assertEqual(list(self.api.list_pipeline()), [])
        self.assertEqual(list(self.api.list_job()), [])

    def test_render_template(self):
        answer = self.api.render_template(
            template="function(n) { pipeline: { name: n }, transform: { cmd: ['true'] } }",
            args={"n": "made"})
        self.assertEqual(json.loads(answer.json)["pipeline"]["name"], "made")
        self.assertEqual([spec.pipeline.name for spec in answer.specs], ["made"])
        with self.fails("UNKNOWN", "template err"):
            self.api.render_template(template="function(n) n")


class JobMethods(Methods):
    def test_inspect_job(self):
        pipeline = self.pipeline(self.repo(files={"/a": b"1"}))
        job = pps.Job(pipeline=pps.Pipeline(name=pipeline), id=self.jobs(pipeline)[0].job.id)
        info = self.api.inspect_job(job=job, wait=True, details=True)
        self.assertEqual((info.state, info.data_total, info.data_processed), (SUCCESS, 1, 1))
        self.assertEqual(info.details.input.pfs.commit, job.id)

    def test_inspect_job_set(self):
        up, info = self.ran()
        down = self.pipeline(up, glob="/")
        self.job(down)
        self.put(info.details.input.pfs.repo, {"/b": b"2"})
        set_id = self.jobs(down)[0].job.id
        infos = list(self.api.inspect_job_set(job_set=pps.JobSet(id=set_id), wait=True))
        self.assertEqual([(i.job.pipeline.name, i.state) for i in infos],
                         [(up, SUCCESS), (down, SUCCESS)])

    def test_job_exists(self):
        _, info = self.ran()
        self.assertTrue(self.api.job_exists(info.job))
        gone = pps.Job(pipeline=info.job.pipeline, id="0" * 32)
        self.assertFalse(self.api.job_exists(gone))

    def test_list_job(self):
        pipeline, first = self.ran()
        repo = first.details.input.pfs.repo
        commit = self.put(repo, {"/b": b"2"})
        second = self.job(pipeline, commit.id)
        listed = self.api.list_job(pipeline=pps.Pipeline(name=pipeline))
        self.assertEqual([i.job.id for i in listed], [second.job.id, first.job.id])
        only = self.api.list_job(pipeline=pps.Pipeline(name=pipeline), number=1, reverse=True)
        self.assertEqual([i.job.id for i in only], [first.job.id])
        chosen = pfs.Commit(repo=pfs.Repo.from_uri(repo), id=commit.id)
        self.assertEqual([i.job.id for i in self.api.list_job(input_commit=[chosen])], [commit.id])

    def test_list_job_set(self):
        pipeline, info = self.ran()
        (newest,) = self.api.list_job_set(
            jq_filter=f'select(.job.pipeline.name == "{pipeline}")', number=1)
        self.assertEqual(newest.job_set.id, info.job.id)
        self.assertEqual([j.job.pipeline.name for j in newest.jobs], [pipeline])

    def test_subscribe_job(self):
        pipeline, job = self.running()
        stream = self.api.subscribe_job(pipeline=pps.Pipeline(name=pipeline), details=True)
        first = next(stream)
        self.assertEqual((first.job.id, first.details.transform.cmd), (job.id, ["sh", "-e"]))
        self.client.pps.stop_job(job=job)
        stream.close()
        self.api.returned.add("subscribe_job")  # it never ends by itself

    def test_stop_job(self):
        pipeline, job = self.running()
        self.api.stop_job(job=job, reason="enough")
        info = self.job(pipeline)
        self.assertEqual((info.state, info.reason), (KILLED, "enough"))
        self.api.stop_job(job=job)  # it is over: nothing to do

    def test_delete_job(self):
        pipeline, job = self.running()
        self.api.delete_job(job=job)
        self.assertEqual(self.jobs(pipeline), [])
        with self.fails("NOT_FOUND", f"jobs default/{pipeline}@{job.id} not found"):
            self.api.delete_job(job=job)

    def test_update_job_state(self):
        pipeline, job = self.running()
        self.api.update_job_state(job=job, state=FAILURE, reason="said so")
        info = self.job(pipeline)
        self.assertEqual((info.state, info.reason), (FAILURE, "said so"))
        with self.fails("UNKNOWN", "has already finished"):
            self.api.update_job_state(job=job, state=SUCCESS)
        output = self.client.pfs.inspect_commit(commit=info.output_commit)
        self.assertEqual((output.error, output.finished.year > 1970), ("said so", True))
        _, job = self.running()
        with self.fails("INVALID_ARGUMENT", "unknown job state 77"):
            self.api.update_job_state(job=job, state=77)
        self.client.pps.stop_job(job=job)


class DatumMethods(Methods):
    def test_generate_datums(self):
        leaf = pps.PfsInput(repo=self.repo(files={f"/{i}": b"1" for i in range(5)}), glob="/*")
        batches = list(self.api.generate_datums(pps.Input(pfs=leaf), 2))
        self.assertEqual([len(batch) for batch in batches], [2, 2, 1])

    def test_create_datum(self):
        leaf = pps.PfsInput(repo=self.repo(files={"/a": b"1", "/b": b"2"}), glob="/*", name="in")
        start = pps.StartCreateDatumRequest(input=pps.Input(pfs=leaf))
        infos = self.api.create_datum(iter([pps.CreateDatumRequest(start=start)]))
        self.assertEqual({i.data[0].file.path for i in infos}, {"/a", "/b"})

    def test_inspect_datum(self):
        _, info = self.ran()
        (datum,) = (i.datum for i in self.client.pps.list_datum(job=info.job))
        found = self.api.inspect_datum(datum=datum)
        self.assertEqual((found.datum.id, found.state), (datum.id, pps.DatumState.SUCCESS))
        self.assertEqual([f.file.path for f in found.data], ["/a"])
        datum.id = "0" * 64
        with self.fails("UNKNOWN", "not found in job"):
            self.api.inspect_datum(datum=datum)

    def test_list_datum(self):
        _, info = self.ran(files={f"/{i}": b"%d" % i for i in range(5)})
        ids = [i.datum.id for i in self.api.list_datum(job=info.job)]
        self.assertEqual((len(ids), ids), (5, sorted(ids)))
        page = self.api.list_datum(job=info.job, number=2, pagination_marker=ids[1])
        self.assertEqual([i.datum.id for i in page], ids[2:4])
        back = self.api.list_datum(job=info.job, number=2, reverse=True)
        self.assertEqual([i.datum.id for i in back], ids[:2:-1])

    def test_restart_datum(self):
        pipeline, job = self.running(datumTries=2)

        def started():
            info = self.client.pps.inspect_job(job=job, details=True)
            times = [started_at(w) for w in info.details.worker_status]
            return times[0] if times else None

        before = started()
        self.api.restart_datum(job=job, data_filters=["/a"])
        self.until(lambda: (started() or before) > before)
        with self.fails("UNKNOWN", "datum matching filter [/nope] could not be found"):
            self.api.restart_datum(job=job, data_filters=["/nope"])
        self.client.pps.stop_job(job=job)

    def test_list_task(self):
        _, info = self.ran()
        pipeline = info.job.pipeline
        spaces = f"processing/pipeline-{pipeline.project.name}%2F{pipeline.name}%4000000001"
        tasks = self.api.list_task(group=Group(namespace=spaces, group=info.job.id))
        self.assertEqual(list(tasks), [])  # none is outstanding

    def test_get_logs(self):
        pipeline, info = self.ran("echo said; echo loudly >&2")
        lines = self.api.get_logs(pipeline=pps.Pipeline(name=pipeline), job=info.job)
        self.assertEqual({line.message.rstrip("\n") for line in lines if line.user},
                         {"said", "loudly"})


class DefaultsMethods(Methods):
    CLUSTER = {"createPipelineRequest": {"datumTries": 7}}

    def test_set_cluster_defaults(self):
        self.use_own_server()
        before = self.client.pps.get_cluster_defaults().cluster_defaults_json
        self.api.set_cluster_defaults(cluster_defaults_json=json.dumps(self.CLUSTER), dry_run=True)
        self.assertEqual(self.client.pps.get_cluster_defaults().cluster_defaults_json, before)
        self.api.set_cluster_defaults(cluster_defaults_json=json.dumps(self.CLUSTER))
        pipeline = self.pipeline(self.repo())
        self.assertEqual(self.info(pipeline).details.datum_tries, 7)
        with self.fails("INVALID_ARGUMENT", "invalid cluster defaults JSON"):
            self.api.set_cluster_defaults(
                cluster_defaults_json='{"createPipelineRequest": {"nonsense": 1}}')

    def test_get_cluster_defaults(self):
        defaults = json.loads(self.api.get_cluster_defaults().cluster_defaults_json)
        self.assertEqual(defaults["createPipelineRequest"]["reprocessSpec"], "exact")

    def project(self, tries):
        project = pfs.Project(name=unique("project"))
        self.client.pfs.create_project(project=project)
        defaults = json.dumps({"createPipelineRequest": {"datumTries": tries}})
        self.api.set_project_defaults(project=project, project_defaults_json=defaults)
        return project, defaults

    def test_set_project_defaults(self):
        project, _ = self.project(5)
        spec = {"pipeline": {"name": unique("p"), "project": {"name": project.name}},
                "transform": {"cmd": ["true"]},
                "input": {"cron": {"name": "tick", "spec": "@never"}}}
        self.create_json(spec)
        pipeline = pps.Pipeline(name=spec["pipeline"]["name"], project=project)
        info = self.client.pps.inspect_pipeline(pipeline=pipeline, details=True)
        self.assertEqual(info.details.datum_tries, 5)
        more = json.dumps({"createPipelineRequest": {"datumTries": 6}})
        answer = self.api.set_project_defaults(project=project, project_defaults_json=more,
                                               regenerate=True)
        self.assertEqual([p.name for p in answer.affected_pipelines], [pipeline.name])

    def test_get_project_defaults(self):
        project, defaults = self.project(4)
        answer = self.api.get_project_defaults(project=project)
        self.assertEqual(json.loads(answer.project_defaults_json), json.loads(defaults))
        with self.fails("NOT_FOUND"):
            self.api.get_project_defaults(project=pfs.Project(name=unique("project")))
        self.client.pfs.delete_project(project=project)
        self.client.pfs.create_project(project=project)  # it was never set for this one
        self.assertEqual(self.api.get_project_defaults(project=project).project_defaults_json, "{}")


class SecretMethods(Methods):
    def test_create_secret(self):
        secret = self.secret()
        transform = {"secrets": [{"name": secret, "key": "key", "envVar": "SECRET"}]}
        script = 'test "$SECRET" = s3cret && touch /pfs/out/right'
        _, info = self.ran(script, transform=transform)
        self.assertEqual(list(self.files(info.output_commit)), ["/right"])

    def test_inspect_secret(self):
        secret = self.secret()
        info = self.api.inspect_secret(secret=pps.Secret(name=secret))
        self.assertEqual((info.secret.name, info.type), (secret, "Opaque"))
        self.assertLess(abs(datetime.datetime.now(datetime.timezone.utc) - info.creation_timestamp),
                        datetime.timedelta(hours=1))

    def test_list_secret(self):
        secret = self.secret()
        self.assertIn(secret, [i.secret.name for i in self.api.list_secret().secret_info])

    def test_delete_secret(self):
        secret = self.secret()
        self.api.delete_secret(secret=pps.Secret(name=secret))
        with self.fails("UNKNOWN", f'secrets "{secret}" not found'):
            self.api.delete_secret(secret=pps.Secret(name=secret))


class LoadMethods(Methods):
    def test_run_load_test(self):
        spec = ("count: 1\nmodifications: [{putFile: {source: s}}]\n"
                "fileSources: [{name: s, random: {sizes: [{max: 9}]}}]")
        answer = self.api.run_load_test(dag_spec="a:\nb: a", load_spec=spec)
        self.assertEqual(answer.error, "")
        self.assertIn("count must be", self.api.run_load_test(load_spec="count: 0").error)

    def test_run_load_test_default(self):
        answer = self.api.run_load_test_default()
        self.assertEqual(answer.error, "")
        self.assertNotEqual(answer.state_id, "")


class RefusedMethods(Methods):
    """What only a cluster with other parts has: the answers are the original's."""
    always_fail = {"activate_auth", "get_kube_events", "query_loki", "run_pipeline"}

    def test_activate_auth(self):
        with self.assertRaises(AuthServiceNotActivated):
            self.api.activate_auth()

    def test_run_pipeline(self):
        with self.fails("UNKNOWN", "unimplemented"):
            self.api.run_pipeline(pipeline=pps.Pipeline(name=self.pipeline(self.repo())))

    def test_get_kube_events(self):
        with self.fails("UNKNOWN", "loki not configured"):
            list(self.api.get_kube_events())

    def test_query_loki(self):
        with self.fails("UNKNOWN", "loki not configured"):
            list(self.api.query_loki(query="{}"))


if __name__ == "__main__":
    unittest.main()
