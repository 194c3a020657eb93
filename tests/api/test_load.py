"""Load tests: commits of random files, what they find, where they go on; and through pipelines."""

import threading

from pachyderm_sdk.api import pfs, pps
from pachyderm_sdk.api.debug import RunPfsLoadTestRequest, RunPfsLoadTestResponse

from pps_case import FAILURE, SUCCESS, PpsCase

SPEC = """
count: {commits}
modifications:
  - count: 2
    putFile:
      count: 3
      source: small
  - putFile:
      source: large
fileSources:
  - name: small
    random:
      directory: {{depth: {{min: 0, max: 2}}, run: 2}}
      sizes: [{{min: 0, max: 1000}}]
  - name: large
    random:
      incrementPath: true
      sizes: [{{min: 2000000, max: 3000000}}]
validator: {{frequency: {{count: {every}}}}}
"""
FILES = 2 * 3 + 1  # of a commit


def spec(commits=2, every=1):
    return SPEC.format(commits=commits, every=every)


class LoadCase(PpsCase):
    def pfs_test(self, timeout=60, default=False, **request):
        name = "RunPFSLoadTest" + ("Default" if default else "")
        call = self.client._channel.unary_unary(
            f"/debug_v2.Debug/{name}", request_serializer=bytes,
            response_deserializer=RunPfsLoadTestResponse.FromString)
        return call(RunPfsLoadTestRequest(**request), timeout=timeout)

    def branch(self, repo=None):
        return pfs.Branch.from_uri(f"{repo or self.repo()}@master")

    def commits(self, repo):
        return list(self.client.pfs.list_commit(repo=pfs.Repo.from_uri(repo)))

    def content(self, repo):
        return {path: self.read(repo, path) for path in self.paths(repo)}


class OverFiles(LoadCase):
    def test_what_it_tells(self):
        branch = self.branch()
        answer = self.pfs_test(spec=spec(), branch=branch, seed=7)
        self.assertEqual((answer.error, answer.spec, answer.seed), ("", spec(), 7))
        self.assertEqual((answer.branch.name, answer.branch.repo.name), ("master", branch.repo.name))
        self.assertGreater(answer.duration.total_seconds(), 0)
        self.assertRegex(answer.state_id, "^[0-9a-f]{32}")

    def test_what_it_writes(self):
        branch = self.branch()
        self.pfs_test(spec=spec(), branch=branch, seed=7)
        self.assertEqual(len(self.commits(branch.repo.name)), 2)
        files = self.content(branch.repo.name)
        self.assertEqual(len(files), 2 * FILES)
        large = [data for path, data in files.items() if path.startswith("/file-")]
        self.assertEqual(len(large), 2)
        self.assertTrue(all(2_000_000 <= len(data) <= 3_000_000 for data in large))
        self.assertTrue(all(len(data) <= 1000 for data in files.values() if data not in large))
        again, other = self.branch(), self.branch()
        self.pfs_test(spec=spec(), branch=again, seed=7)
        self.assertEqual(self.content(again.repo.name), files)
        self.pfs_test(spec=spec(), branch=other, seed=8)
        self.assertNotEqual(self.content(other.repo.name), files)

    def test_over_what_is_there(self):
        """Other files stay; its own of an earlier test with this seed are replaced."""
        branch = self.branch()
        self.put(branch.repo.name, {"/mine": b"kept"})
        for _ in range(2):
            self.assertEqual(self.pfs_test(spec=spec(), branch=branch, seed=7).error, "")
        self.assertEqual(self.read(branch.repo.name, "/mine"), b"kept")
        self.assertEqual(len(self.paths(branch.repo.name)), 2 * FILES + 1)

    def test_it_goes_on(self):
        branch = self.branch()
        first = self.pfs_test(spec=spec(), branch=branch, seed=7)
        second = self.pfs_test(spec=spec(1), seed=7, state_id=first.state_id)
        self.assertEqual((second.error, second.branch), ("", first.branch))
        self.assertEqual(len(self.paths(branch.repo.name)), 3 * FILES)
        third = self.pfs_test(spec=spec(1), state_id=second.state_id)
        self.assertEqual(third.error, "")
        self.assertEqual(len(self.paths(branch.repo.name)), 4 * FILES)
        # Its file set is one like all others.
        state = pfs.File(commit=pfs.Commit(repo=pfs.Repo(name="__filesets__"), id=third.state_id),
                         path="/state")
        self.assertIn(self.commits(branch.repo.name)[0].commit.id.encode(),
                      self.client.pfs.pfs_file(state).read())

    def test_a_branch_that_moved(self):
        branch = self.branch()
        first = self.pfs_test(spec=spec(), branch=branch)
        moved = self.put(branch.repo.name, {"/mine": b""})
        answer = self.pfs_test(spec=spec(), state_id=first.state_id)
        self.assertEqual(answer.error, f"branch 'master' has moved: its head is '{moved.id}', the "
                         f"state's newest commit is '{self.commits(branch.repo.name)[1].commit.id}'")
        self.assertEqual(answer.state_id, "")

    def test_by_itself(self):
        """The default, on a repo of its own."""
        answer = self.pfs_test(default=True)
        self.assertEqual(answer.error, "")
        self.assertNotEqual(answer.seed, 0)
        self.assertRegex(answer.branch.repo.name, "^load-test-[0-9a-f]{5}$")
        self.assertEqual(len(self.commits(answer.branch.repo.name)), 3)
        self.assertEqual(len(self.paths(answer.branch.repo.name)), 3 * 25)
        again = self.branch()
        self.pfs_test(spec=answer.spec, seed=answer.seed, branch=again)
        self.assertEqual(self.paths(again.repo.name), self.paths(answer.branch.repo.name))

    def test_what_goes_wrong_is_in_the_answer(self):
        repo = self.repo()
        self.client.pfs.start_commit(branch=self.branch(repo))
        unfinished = self.branch(repo)
        cases = [(dict(spec="count: -1"), "count must be from 1"),
                 (dict(spec="count: ["), "could not read the spec of the load test"),
                 (dict(spec=spec(), branch=self.branch("none-such")), "none-such not found"),
                 (dict(spec=spec(), branch=unfinished), "has not been finished"),
                 (dict(spec=spec(), state_id="0" * 32), "could not read state"),
                 (dict(spec=spec(), state_id="x"), "could not read state 'x'")]
        for request, text in cases:
            with self.subTest(text):
                answer = self.pfs_test(timeout=20, **request)
                self.assertIn(text, answer.error)
                self.assertEqual(answer.state_id, "")

    def test_a_commit_that_is_spoilt(self):
        """A file that someone else adds to the test's own commit is one too many."""
        branch = self.branch()
        slow = spec().replace("2000000", "200000000") \
            .replace("3000000", "200000000")
        answers = []
        thread = threading.Thread(target=lambda: answers.append(
            self.pfs_test(spec=slow, branch=branch, seed=1)))
        thread.start()
        commit = self.until(lambda: self.commits(branch.repo.name))[0].commit
        self.client.pfs.modify_file(iter([
            pfs.ModifyFileRequest(set_commit=commit),
            pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/intruder", raw=b"12345"))]))
        thread.join()
        self.assertIn(f"commit '{commit.id}' does not hold what was written to it: it has "
                      f"{FILES + 1} files of", answers[0].error)

    def test_a_call_that_is_given_up(self):
        branch = self.branch()
        with self.fails("DEADLINE_EXCEEDED"):
            self.pfs_test(timeout=1, spec=spec(commits=100_000), branch=branch)


class OverPipelines(LoadCase):
    def test_a_dag(self):
        before = {info.pipeline.name for info in self.client.pps.list_pipeline()}
        answer = self.client.pps.run_load_test(
            dag_spec="one:\ntwo:\n# both\nboth: one, two\nlast: both\n", load_spec=spec(), seed=3,
            parallelism=2)
        self.assertEqual(answer.error, "")
        self.assertNotEqual(answer.state_id, "")
        made = {info.pipeline.name for info in self.client.pps.list_pipeline()} - before
        suffix = next(iter(made))[-6:]
        self.assertRegex(suffix, "^-[0-9a-f]{5}$")
        self.assertEqual(made, {"both" + suffix, "last" + suffix})
        source = self.content("one" + suffix)
        self.assertEqual(len(source), 2 * FILES)
        self.assertEqual(self.content("last" + suffix), source)
        self.assertEqual({job.state for job in self.jobs("last" + suffix)}, {SUCCESS})
        details = self.info("both" + suffix).details
        self.assertEqual(details.parallelism_spec.constant, 2)
        self.assertEqual([(leaf.pfs.name, leaf.pfs.glob, leaf.pfs.join_on, leaf.pfs.outer_join)
                          for leaf in details.input.join],
                         [("input-0", "/(*)", "$1", True), ("input-1", "/(*)", "$1", True)])
        again = self.client.pps.run_load_test(load_spec=spec(1), state_id=answer.state_id)
        self.assertEqual(again.error, "")
        self.assertEqual(len(self.content("last" + suffix)), 3 * FILES)

    def test_what_goes_wrong_is_in_the_answer(self):
        before = {info.repo.name for info in self.client.pfs.list_repo()}
        for request, text in [
                (dict(dag_spec="a: b"), "line 1 of the DAG: input 'b' is not defined above it"),
                (dict(dag_spec="a b:"), "could not create 'a b-"),
                (dict(load_spec="count: 0"), "count must be from 1"),
                (dict(parallelism=-1), "parallelism must not be negative"),
                (dict(pod_patch="no json", load_spec=spec()), "could not create"),
                (dict(state_id="none"), "could not read state 'none'")]:
            with self.subTest(text):
                self.assertIn(text, self.client.pps.run_load_test(**request).error)
        self.assertEqual({info.repo.name for info in self.client.pfs.list_repo()}, before)

    def test_a_job_that_fails(self):
        """A pipeline of someone else's behind the source: its failure is the test's."""
        answer = self.client.pps.run_load_test(dag_spec="src:", load_spec=spec(1))
        self.assertEqual(answer.error, "")
        repo = next(info.repo.name for info in self.client.pfs.list_repo()
                    if info.repo.name.startswith("src-"))
        name = self.pipeline(repo, "exit 1", glob="/", datum_tries=1)
        self.assertEqual(self.job(name).state, FAILURE)
        answer = self.client.pps.run_load_test(load_spec=spec(1), state_id=answer.state_id)
        self.assertRegex(answer.error, f"^commit 'default/{name}@[0-9a-f]{{32}}' finished with an "
                                       "error: ")
        self.client.pps.delete_pipeline(pipeline=pps.Pipeline(name=name))
