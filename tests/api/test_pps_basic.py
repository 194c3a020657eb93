"""Pipelines from creation to deletion, their jobs and their output."""

import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from pachyderm_sdk.api import pfs, pps

from harness import name as unique
from pps_case import KILLED, SUCCESS, PpsCase

RUNNING = pps.PipelineState.PIPELINE_RUNNING


class Basic(PpsCase):
    def test_from_messages(self):
        repo, name = self.repo(files={"/a": b"1", "/b": b"2"}), unique("p")
        self.client.pps.create_pipeline(
            pipeline=pps.Pipeline(name=name),
            transform=pps.Transform(image="host", cmd=["sh"], stdin=["cp /pfs/in/* /pfs/out/"]),
            input=pps.Input(pfs=pps.PfsInput(repo=repo, glob="/*", name="in")))
        info = self.succeeds(name)
        self.assertEqual((info.data_total, info.data_processed), (2, 2))
        self.assertEqual(self.paths(name), ["/a", "/b"])
        self.assertEqual(self.read(name, "/b"), b"2")
        self.assertEqual(self.until_state(name, RUNNING).version, 1)

    def test_one_commit_one_job(self):
        repo = self.repo()
        name = self.pipeline(repo)
        self.assertEqual(len(self.jobs(name)), 1)   # of the empty head
        commit = self.put(repo, {"/a": b"1"})
        info = self.succeeds(name, commit.id)
        self.assertEqual(info.data_processed, 1)
        commit = self.put(repo, {"/b": b"2"})
        info = self.succeeds(name, commit.id)
        self.assertEqual((info.data_processed, info.data_skipped), (1, 1))
        self.assertEqual(self.paths(name), ["/a", "/b"])

    def test_files_go_with_their_datum(self):
        repo = self.repo(files={"/a": b"1", "/b": b"2"})
        name = self.pipeline(repo)
        self.succeeds(name)
        commit = self.put(repo, {}, delete=["/a"])
        self.succeeds(name, commit.id)
        self.assertEqual(self.paths(name), ["/b"])

    def test_list_and_inspect(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, description="what it is for")
        self.pipeline(repo, "true", name=name, update=True)
        found = [i for i in self.client.pps.list_pipeline() if i.pipeline.name == name]
        self.assertEqual([i.version for i in found], [2])
        versions = self.client.pps.list_pipeline(pipeline=pps.Pipeline(name=name), history=-1)
        self.assertEqual([i.version for i in versions], [2, 1])
        versions = self.client.pps.list_pipeline(pipeline=pps.Pipeline(name=name), history=-1,
                                                 details=True)
        self.assertEqual([i.details.description for i in versions], ["", "what it is for"])
        old = self.client.pps.inspect_pipeline(pipeline=pps.Pipeline(name=name + "^"),
                                               details=True)
        self.assertEqual((old.version, old.details.description), (1, "what it is for"))
        self.assertIsNone(self.info(name, details=False).details.transform or None)

    def test_list_job(self):
        repo = self.repo(files={"/a": b"1"})
        first, second = self.pipeline(repo), self.pipeline(repo)
        ids = [self.succeeds(first).job.id]
        for i in range(3):
            ids.insert(0, self.put(repo, {f"/{i}": b"x"}).id)
            self.succeeds(first, ids[0])
        self.assertEqual([j.job.id for j in self.jobs(first)], ids)
        one = list(self.client.pps.list_job(pipeline=pps.Pipeline(name=first), number=2))
        self.assertEqual([j.job.id for j in one], ids[:2])
        oldest = list(self.client.pps.list_job(pipeline=pps.Pipeline(name=first), number=2,
                                               reverse=True))
        self.assertEqual([j.job.id for j in oldest], ids[:-3:-1])
        commit = pfs.Commit(repo=pfs.Repo.from_uri(repo), id=ids[0])
        by_input = list(self.client.pps.list_job(input_commit=[commit],
                                                 pipeline=pps.Pipeline(name=second)))
        self.assertEqual([j.job.id for j in by_input], ids[:1])
        sets = {s.job_set.id: s for s in self.client.pps.list_job_set()}
        self.assertEqual(len(sets[ids[0]].jobs), 2)

    def test_list_job_of_a_commit_that_is_not_there(self):
        repo = self.repo(files={"/a": b"1"})
        job, = self.jobs(self.pipeline(repo))
        for name, id, found in (repo, job.job.id, [job.job.id]), (repo, "0" * 32, []), \
                ("none-such", job.job.id, []):
            commit = pfs.Commit(repo=pfs.Repo.from_uri(name), id=id)
            listed = self.client.pps.list_job(pipeline=job.job.pipeline, input_commit=[commit])
            self.assertEqual([i.job.id for i in listed], found)

    def test_pages_of_jobs(self):
        first = self.pipeline(self.repo(files={"/a": b"1"}))
        second = self.pipeline(first)
        third = self.pipeline(second)
        self.pipeline(self.repo(files={"/a": b"2"}), name=first, update=True)  # one set of three
        names = {first, second, third}
        self.succeeds(third)

        def pages(number, reverse):
            ids, marker = [], {}
            while True:
                page = list(self.client.pps.list_job(number=number, reverse=reverse, history=-1,
                                                     **marker))
                ids += [(i.job.pipeline.name, i.job.id) for i in page]
                if not page:
                    return [id for id in ids if id[0] in names]
                marker = {"pagination_marker": page[-1].created}

        whole = [(i.job.pipeline.name, i.job.id) for i in self.client.pps.list_job(history=-1)
                 if i.job.pipeline.name in names]
        self.assertEqual(len(whole), 6)
        for number in 1, 2, 5:
            self.assertEqual(pages(number, False), whole)
            self.assertEqual(pages(number, True), whole[::-1])

    def test_a_dry_run_makes_nothing(self):
        name = unique("p")
        self.client.pps.create_pipeline(
            pipeline=pps.Pipeline(name=name), dry_run=True,
            transform=pps.Transform(cmd=["true"], image="host"))
        self.assertFalse(self.client.pps.pipeline_exists(pps.Pipeline(name=name)))
        self.assertFalse(self.client.pfs.repo_exists(pfs.Repo.from_uri(name)))

    def waited_for(self, job, end):
        """What who waits for the job is told as end(), called meanwhile, ends it."""
        with ThreadPoolExecutor() as pool:
            waiter = self.server.client()
            self.addCleanup(waiter._channel.close)
            waiting = pool.submit(waiter.pps.inspect_job, job=job, wait=True)
            time.sleep(0.2)
            end()
            return waiting.result(timeout=30)

    def test_a_job_is_deleted_while_waited_for(self):
        name = self.pipeline(self.repo(files={"/a": b"1"}), "echo on; sleep 1000")
        job = self.until_job_runs(name)
        info = self.waited_for(job, lambda: self.client.pps.delete_job(job=job))
        self.assertEqual((info.state, info.reason), (KILLED, "job deleted"))
        self.assertEqual(info.job.id, job.id)
        self.assertGreaterEqual(info.finished, info.started)

    def test_an_unfinished_job_goes_with_its_commit(self):
        repo = self.repo()
        done, name = self.pipeline(repo), self.pipeline(repo, "echo on; ! ls /pfs/in/a || sleep 1000")
        self.succeeds(name)
        commit = self.put(repo, {"/a": b"1"})
        self.succeeds(done)
        job = self.until_job_runs(name)
        self.assertEqual(job.id, commit.id)
        drop = pfs.CommitSet(id=commit.id)
        info = self.waited_for(job, lambda: self.client.pfs.drop_commit_set(commit_set=drop))
        self.assertEqual((info.state, info.reason), (KILLED, "output commit removed"))
        with self.fails("NOT_FOUND", f"jobs default/{name}@{job.id} not found", exact=True):
            self.client.pps.inspect_job(job=job)
        self.assertNotIn(job.id, [i.job.id for i in self.jobs(name)])
        self.assertEqual(self.info(name).last_job_state, SUCCESS)
        # One that was over stays.
        left = self.client.pps.inspect_job_set(job_set=pps.JobSet(id=job.id))
        self.assertEqual([(i.job.pipeline.name, i.state) for i in left], [(done, SUCCESS)])

    def test_job_set_waits(self):
        repo = self.repo()
        first = self.pipeline(repo, "sleep 0.2; cp /pfs/in/* /pfs/out/")
        second = self.pipeline(first)
        commit = self.put(repo, {"/a": b"1"})
        jobs = list(self.client.pps.inspect_job_set(job_set=pps.JobSet(id=commit.id), wait=True))
        self.assertEqual({j.job.pipeline.name for j in jobs}, {first, second})
        self.assertEqual({j.state for j in jobs}, {SUCCESS})

    def test_update(self):
        repo = self.repo(files={"/a": b"1", "/b": b"2"})
        name = self.pipeline(repo, "for f in /pfs/in/*; do echo one > /pfs/out/${f##*/}; done")
        self.succeeds(name)
        self.pipeline(repo, "for f in /pfs/in/*; do echo two > /pfs/out/${f##*/}; done", name=name,
                      update=True)
        info = self.succeeds(name)
        self.assertEqual((info.data_processed, info.pipeline_version), (2, 2))
        self.assertEqual(self.read(name, "/a"), b"two\n")
        with self.fails("ALREADY_EXISTS", "already exists"):
            self.pipeline(repo, name=name)

    def test_update_nothing_runs_nothing(self):
        repo = self.repo(files={"/a": b"1", "/b": b"2"})
        script = "cp /pfs/in/* /pfs/out/; : " + unique()
        name = self.pipeline(repo, script, known=True)
        self.succeeds(name)
        self.pipeline(repo, script, known=True, name=name, update=True, description="only words")
        info = self.succeeds(name)
        self.assertEqual((info.data_processed, info.data_skipped), (0, 2))
        self.pipeline(repo, script, known=True, name=name, update=True, reprocess=True)
        info = self.succeeds(name)
        self.assertEqual((info.data_processed, info.data_skipped), (2, 0))

    def test_output_goes_to_another_branch(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo)
        self.succeeds(name)
        self.pipeline(repo, name=name, update=True, output_branch="other")
        info = self.succeeds(name)
        self.assertEqual((info.output_commit.branch.name, info.data_processed), ("other", 1))
        derived = {b.branch.name: len(b.direct_provenance)
                   for b in self.client.pfs.list_branch(repo=pfs.Repo.from_uri(name))}
        self.assertEqual(derived, {"master": 0, "other": 2})
        commit = self.put(repo, {"/b": b"2"})
        self.succeeds(name, commit.id)
        self.assertEqual((self.paths(name), self.paths(name, "other")), (["/a"], ["/a", "/b"]))
        self.put(name, {"/mine": b"3"})  # the branch it left is an ordinary one
        self.pipeline(repo, name=name, update=True)
        self.succeeds(name)
        self.assertEqual(self.paths(name), ["/a", "/b", "/mine"])
        self.client.pps.stop_pipeline(pipeline=pps.Pipeline(name=name))
        self.pipeline(repo, name=name, update=True, output_branch="other")
        self.client.pps.start_pipeline(pipeline=pps.Pipeline(name=name))
        self.assertEqual(self.succeeds(name).output_commit.branch.name, "other")
        self.assertEqual(list(self.client.pfs.fsck()), [])

    def test_a_version_without_inputs_runs_once(self):
        name = self.pipeline()
        first = self.succeeds(name)
        self.pipeline(name=name, update=True)
        second = self.succeeds(name)
        self.client.pps.rerun_pipeline(pipeline=pps.Pipeline(name=name))
        third = self.succeeds(name)
        self.assertEqual([i.pipeline_version for i in (first, second, third)], [1, 2, 3])
        self.assertEqual(len({i.job.id for i in (first, second, third)}), 3)
        self.client.pps.stop_pipeline(pipeline=pps.Pipeline(name=name))
        self.pipeline(name=name, update=True)
        self.assertEqual(self.jobs(name), [])
        self.client.pps.start_pipeline(pipeline=pps.Pipeline(name=name))
        self.assertEqual(self.succeeds(name).pipeline_version, 4)

    def test_exact_remembers(self):
        repo = self.repo(files={"/a": b"1", "/b": b"2"})
        script = "cp /pfs/in/* /pfs/out/; : " + unique("x")
        name = self.pipeline(repo, script, known=True)
        self.assertEqual(self.succeeds(name).data_processed, 2)
        self.client.pps.delete_pipeline(pipeline=pps.Pipeline(name=name))
        self.pipeline(repo, script, known=True, name=name)
        info = self.succeeds(name)
        self.assertEqual((info.data_processed, info.data_skipped), (0, 2))
        self.assertEqual(self.paths(name), ["/a", "/b"])
        commit = self.put(repo, {"/a": b"changed"})
        self.assertEqual(self.succeeds(name, commit.id).data_processed, 1)
        commit = self.put(repo, {"/a": b"1"})
        self.assertEqual(self.succeeds(name, commit.id).data_processed, 0)
        self.assertEqual(self.read(name, "/a"), b"1")

    def test_stop_start(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo)
        self.succeeds(name)
        self.client.pps.stop_pipeline(pipeline=pps.Pipeline(name=name))
        info = self.until_state(name, pps.PipelineState.PIPELINE_PAUSED)
        self.assertTrue(info.stopped)
        count = len(self.jobs(name))
        self.put(repo, {"/b": b"2"})
        self.assertEqual(len(self.jobs(name)), count)
        self.client.pps.start_pipeline(pipeline=pps.Pipeline(name=name))
        self.until_state(name, RUNNING)
        self.until(lambda: len(self.jobs(name)) == count + 1)
        self.succeeds(name)
        self.assertEqual(self.paths(name), ["/a", "/b"])

    def test_stop_kills(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "echo begun; sleep 100")
        job = self.until_job_runs(name)
        self.client.pps.stop_pipeline(pipeline=pps.Pipeline(name=name))
        info = self.job(name, job.id)
        self.assertEqual(info.state, KILLED)
        self.assertIn("all jobs killed because pipeline was stopped", info.reason)

    def test_update_kills(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "echo begun; sleep 100")
        job = self.until_job_runs(name)
        self.pipeline(repo, name=name, update=True)
        info = self.job(name, job.id)
        self.assertEqual(info.state, KILLED)
        self.assertIn("all jobs killed because pipeline was updated", info.reason)
        self.succeeds(name)

    def test_stop_job(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "echo begun; sleep 100")
        down = self.pipeline(name)
        job = self.until_job_runs(name)
        self.client.pps.stop_job(job=job, reason="enough")
        info = self.job(name, job.id)
        self.assertEqual((info.state, info.reason), (KILLED, "enough"))
        self.job(down)
        # The next datum gets its worker at once.
        self.pipeline(repo, name=name, update=True)
        self.succeeds(name)

    def test_rerun(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo)
        self.succeeds(name)
        self.client.pps.rerun_pipeline(pipeline=pps.Pipeline(name=name), reprocess=True)
        self.assertEqual(self.info(name).version, 2)
        self.assertEqual(self.succeeds(name).data_processed, 1)
        self.client.pps.rerun_pipeline(pipeline=pps.Pipeline(name=name), reprocess=False)
        self.assertEqual(self.info(name).version, 3)
        self.assertEqual(self.succeeds(name).data_processed, 0)
        self.assertEqual(len(self.jobs(name)), 1)
        self.assertEqual(len(list(self.client.pps.list_job(
            pipeline=pps.Pipeline(name=name), history=-1))), 3)

    def test_rerun_keeps_its_spec(self):
        project, cron = pfs.Project(name=unique("project")), {"name": "tick", "spec": "@never"}
        self.client.pfs.create_project(project=project)
        pipeline = pps.Pipeline(name=unique("p"), project=project)
        self.create_json({"pipeline": {"name": pipeline.name, "project": {"name": project.name}},
                          "transform": {"cmd": ["true"]}, "input": {"cron": cron}})
        self.client.pps.set_project_defaults(project=project, project_defaults_json=(
            '{"createPipelineRequest": {"description": "of later", "autoscaling": true}}'))
        self.client.pps.rerun_pipeline(pipeline=pipeline)
        info = self.client.pps.inspect_pipeline(pipeline=pipeline, details=True)
        self.assertEqual((info.version, info.details.description, info.details.autoscaling),
                         (2, "", False))
        self.assertNotIn("of later", info.effective_spec_json)

    def test_delete(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo)
        self.succeeds(name)
        with self.fails("UNKNOWN", "cannot delete a repo associated with a pipeline"):
            self.client.pfs.delete_repo(repo=pfs.Repo.from_uri(name))
        self.client.pps.delete_pipeline(pipeline=pps.Pipeline(name=name))
        with self.fails("NOT_FOUND", "not found"):
            self.info(name)
        self.assertFalse(self.client.pfs.repo_exists(pfs.Repo.from_uri(name)))

    def test_delete_all_of_old_deletes_nothing(self):
        name = self.pipeline(self.repo())
        self.client.pps.delete_pipeline(pipeline=pps.Pipeline(name=name), all=True)
        self.assertEqual(self.info(name).version, 1)

    def test_delete_keeps_repo(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo)
        self.succeeds(name)
        self.client.pps.delete_pipeline(pipeline=pps.Pipeline(name=name), keep_repo=True)
        self.assertEqual(self.read(name, "/a"), b"1")

    def test_delete_while_it_runs(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "echo begun; sleep 100")
        self.until_job_runs(name)
        self.client.pps.delete_pipeline(pipeline=pps.Pipeline(name=name), force=True)
        self.pipeline(repo, name=name)
        self.succeeds(name)

    def test_nothing_to_run(self):
        repo, name = self.repo(files={"/a": b"1"}), unique("p")
        self.create_json({"pipeline": {"name": name}, "transform": {"image": "host"},
                          "input": {"pfs": {"repo": repo, "glob": "/"}}})
        info = self.until_state(name, pps.PipelineState.PIPELINE_FAILURE)
        self.assertEqual(info.reason, "nothing to run: no transform.cmd")
        self.assertEqual(self.job(name).state, KILLED)

    def test_unknown_image(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, transform={"image": "no-such-image:1"})
        info = self.until_state(name, pps.PipelineState.PIPELINE_CRASHING)
        self.assertIn("no-such-image:1", info.reason)
        self.assertEqual((info.details.workers_requested, info.details.workers_available), (1, 0))
        self.pipeline(repo, name=name, update=True)
        self.succeeds(name)
        info = self.info(name)
        self.assertEqual((info.details.workers_requested, info.details.workers_available), (1, 1))

    def test_started_when_it_cannot_run(self):
        repo = self.repo(files={"/a": b"1"})
        for transform, state, reason in [
                ({"image": "host"}, "FAILURE", "nothing to run: no transform.cmd"),
                ({"image": "no-such-image:1", "cmd": ["true"]}, "CRASHING", "no-such-image:1")]:
            with self.subTest(state):
                name = self.pipeline(repo)
                self.succeeds(name)
                self.client.pps.stop_pipeline(pipeline=pps.Pipeline(name=name))
                self.create_json({"pipeline": {"name": name}, "transform": transform,
                                  "input": {"pfs": {"repo": repo, "glob": "/"}}}, update=True)
                self.until_state(name, pps.PipelineState.PIPELINE_PAUSED)
                self.client.pps.start_pipeline(pipeline=pps.Pipeline(name=name))
                info = self.until_state(name, pps.PipelineState["PIPELINE_" + state])
                self.assertIn(reason, info.reason)

    def test_chain(self):
        repo = self.repo()
        chain = [self.pipeline(repo, "sed s/$/1/ /pfs/in/a > /pfs/out/a")]
        for i in range(4):
            chain.append(self.pipeline(chain[-1], "sed s/$/1/ /pfs/in/a > /pfs/out/a"))
        commit = self.put(repo, {"/a": b"x\n"})
        for name in chain:
            self.assertEqual(self.succeeds(name, commit.id).job.id, commit.id)
        self.assertEqual(self.read(chain[-1], "/a"), b"x11111\n")

    def test_fan_out(self):
        repo = self.repo()
        names = [self.pipeline(repo) for _ in range(20)]
        commit = self.put(repo, {"/a": b"x"})
        jobs = list(self.client.pps.inspect_job_set(job_set=pps.JobSet(id=commit.id), wait=True))
        self.assertEqual({j.job.pipeline.name for j in jobs}, set(names))
        self.assertEqual({j.state for j in jobs}, {SUCCESS})


if __name__ == "__main__":
    unittest.main()
