"""Autoscaling pipelines idle in standby and leave it only while they have work."""

import unittest

from pachyderm_sdk.api import pps

from pps_case import PpsCase

RUNNING = pps.PipelineState.PIPELINE_RUNNING
STANDBY = pps.PipelineState.PIPELINE_STANDBY
PAUSED = pps.PipelineState.PIPELINE_PAUSED

CHAIN = 10


class Standby(PpsCase):
    def test_at_most_two_of_a_chain_are_awake(self):
        repo = self.repo()
        names = []
        for _ in range(CHAIN):
            names.append(self.pipeline(names[-1] if names else repo, glob="/", autoscaling=True))
        for name in names:
            self.until_state(name, STANDBY)
        commit = self.put(repo, {"/a": b"1"})
        last = pps.Job(pipeline=pps.Pipeline(name=names[-1]), id=commit.id)
        while self.client.pps.inspect_job(job=last).state != pps.JobState.JOB_SUCCESS:
            states = {i.pipeline.name: i.state for i in self.client.pps.list_pipeline()}
            awake = [name for name in names if states[name] != STANDBY]
            self.assertLessEqual(len(awake), 2)
        states = {i.pipeline.name: i.state for i in self.client.pps.list_pipeline()}
        self.assertEqual({states[name] for name in names}, {STANDBY})
        self.assertEqual(self.paths(names[-1]), ["/a"])

    def test_standby_is_back_with_the_last_job(self):
        repo = self.repo()
        name = self.pipeline(repo, "echo ran >>/pfs/out/log", glob="/", autoscaling=True)
        self.until_state(name, STANDBY)
        for i in range(20):
            commit = self.put(repo, {f"/{i}": b"x"})
        self.succeeds(name, commit.id)
        self.assertEqual(self.info(name).state, STANDBY)

    def test_awake_while_user_code_runs(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "echo up; sleep 60", autoscaling=True)
        job = self.until_job_runs(name)
        info = self.info(name)
        self.assertEqual(info.state, RUNNING)
        self.assertTrue(info.details.workers_started_at)
        self.client.pps.stop_job(job=job)
        self.assertEqual(self.info(name).state, STANDBY)

    def test_stop_and_start(self):
        name = self.pipeline(self.repo(), autoscaling=True)
        self.until_state(name, STANDBY)
        self.client.pps.stop_pipeline(pipeline=pps.Pipeline(name=name))
        self.until_state(name, PAUSED)
        self.client.pps.start_pipeline(pipeline=pps.Pipeline(name=name))
        self.until_state(name, STANDBY)

    def test_fixed_pipelines_never_stand_by(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo)
        self.succeeds(name)
        self.assertEqual(self.info(name).state, RUNNING)


if __name__ == "__main__":
    unittest.main()
