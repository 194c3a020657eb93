"""What user code meets when it runs, and what becomes of its failures."""

import sys
import unittest

from pachyderm_sdk.api import pfs, pps

from harness import name as unique
from pps_case import FAILURE, KILLED, SUCCESS, UNRUNNABLE, PpsCase


class Failures(PpsCase):
    def test_datum_fails(self):
        repo = self.repo(files={"/bad": b"1", "/good": b"1"})
        name = self.pipeline(repo, "echo trying; test -f /pfs/in/good", datum_tries=2)
        down = self.pipeline(name)
        info = self.job(name)
        self.assertEqual(info.state, FAILURE)
        failed = [d for d in self.client.pps.list_datum(job=info.job)
                  if d.state == pps.DatumState.FAILED]
        self.assertEqual(len(failed), 1)
        self.assertEqual(info.reason, f"datum {failed[0].datum.id} failed")
        self.assertEqual((info.data_failed, info.data_processed), (1, 1))
        self.assertEqual(self.lines(job=info.job, datum=failed[0].datum), ["trying"] * 2)
        below = self.job(down)
        self.assertEqual(below.state, UNRUNNABLE)
        self.assertIn("unrunnable because the following upstream pipelines failed", below.reason)

    def test_good_datums_stay(self):
        repo = self.repo(files={"/bad": b"1", "/good": b"1"})
        name = self.pipeline(repo, "test ! -f /pfs/in/bad; cp /pfs/in/* /pfs/out/", datum_tries=1)
        self.assertEqual(self.job(name).state, FAILURE)
        commit = self.put(repo, {}, delete=["/bad"])
        info = self.succeeds(name, commit.id)
        self.assertEqual((info.data_processed, info.data_skipped), (0, 1))
        self.assertEqual(self.paths(name), ["/good"])

    def test_recovered(self):
        repo = self.repo(files={"/bad": b"1", "/good": b"1"})
        name = self.pipeline(repo, "cp /pfs/in/* /pfs/out/; test ! -f /pfs/in/bad", datum_tries=1,
                             transform={"err_cmd": ["true"]})
        info = self.succeeds(name)
        self.assertEqual((info.data_recovered, info.data_processed), (1, 1))
        self.assertEqual(self.paths(name), ["/good"])

    def test_accept_return_code(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "cp /pfs/in/* /pfs/out/; exit 7",
                             transform={"accept_return_code": [7]})
        self.succeeds(name)
        self.assertEqual(self.paths(name), ["/a"])

    def test_no_such_command(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, transform={"cmd": ["/no/such/program"]}, datum_tries=1)
        info = self.job(name)
        self.assertEqual(info.state, FAILURE)
        logs = list(self.client.pps.get_logs(job=info.job))
        self.assertTrue(any("/no/such/program" in line.message for line in logs), logs)

    def test_collision(self):
        repo = self.repo(files={"/a": b"1", "/b": b"2"})
        name = self.pipeline(repo, "cat /pfs/in/* > /pfs/out/same")
        info = self.job(name)
        self.assertEqual(info.state, FAILURE)
        self.assertIn("duplicate path output by different datums", info.reason)
        self.assertIn("/same", info.reason)

    def test_file_against_directory(self):
        repo = self.repo(files={"/a": b"1", "/b": b"2"})
        name = self.pipeline(repo, "test -f /pfs/in/a && echo > /pfs/out/x || "
                             "{ mkdir /pfs/out/x; echo > /pfs/out/x/y; }")
        info = self.job(name)
        self.assertEqual(info.state, FAILURE)
        self.assertIn("file / directory path collision", info.reason)

    def test_odd_outputs(self):
        repo = self.repo(files={"/a": b"1"})
        for script, word in [("python3 -c 'import socket; socket.socket(socket.AF_UNIX)"
                              ".bind(\"/pfs/out/plug\")'", "plug"),
                             ("mknod /pfs/out/null c 1 3", "null"),
                             ("ln -s /no/such/target /pfs/out/link", "link")]:
            name = self.pipeline(repo, script, datum_tries=1)
            info = self.job(name)
            self.assertEqual(info.state, FAILURE, script)
            text = "\n".join(l.message for l in self.client.pps.get_logs(job=info.job))
            self.assertIn(word, text)

    def test_fifo_is_passed_over(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "mkfifo /pfs/out/pipe; cp /pfs/in/a /pfs/out/")
        self.succeeds(name)
        self.assertEqual(self.paths(name), ["/a"])

    def test_job_timeout(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "sleep 100", job_timeout="0.3s")
        info = self.job(name)
        self.assertEqual(info.state, KILLED)
        self.assertIn("timed out", info.reason.replace("timedout", "timed out"))

    def test_datum_timeout(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "sleep 100", datum_timeout="0.3s", datum_tries=1)
        info = self.job(name)
        self.assertEqual(info.state, FAILURE)
        self.assertIn("datum", info.reason)

    def test_timeouts_beyond_any_clock(self):
        repo = self.repo(files={"/a": b"1"})
        for seconds in 3_000_000, 9_000_000_000, 315_576_000_000:  # the last is the most there is
            for what in "job_timeout", "datum_timeout":
                with self.subTest(what, seconds=seconds):
                    self.succeeds(self.pipeline(repo, "sleep 0.1", **{what: f"{seconds}s"}))

    def test_children_do_not_stay(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "sleep 1000 & echo done > /pfs/out/a")
        self.succeeds(name)


class Surroundings(PpsCase):
    def environment(self, **more):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "env > /pfs/out/env; pwd > /pfs/out/pwd; id -un > /pfs/out/user",
                             **more)
        info = self.succeeds(name)
        text = self.read(name, "/env").decode()
        return repo, name, info, dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def test_environment(self):
        repo, name, info, env = self.environment(transform={"env": {"MINE": "yes"}})
        datum = next(iter(self.client.pps.list_datum(job=info.job)))
        self.assertEqual(env["PACH_JOB_ID"], info.job.id)
        self.assertEqual(env["PACH_OUTPUT_COMMIT_ID"], info.job.id)
        self.assertEqual(env["PACH_DATUM_ID"], datum.datum.id)
        self.assertEqual(env["PPS_PIPELINE_NAME"], name)
        self.assertEqual(env["in"], "/pfs/in/a")
        self.assertIn("in_COMMIT", env)
        self.assertEqual(env["MINE"], "yes")

    @unittest.skipIf(sys.executable.startswith(("/tmp/", "/var/tmp/")), "the client is below /tmp")
    def test_the_client_finds_the_server(self):
        """As it does inside a cluster: by the variables of the service for peers."""
        repo = self.repo(files={"/a": b"1"})
        ask = ("from pachyderm_sdk import Client\nfrom pachyderm_sdk.api import pfs\n"
               f"repo = pfs.Repo.from_uri('{repo}')\n"
               "assert Client.new_in_cluster().pfs.repo_exists(repo=repo)")
        self.succeeds(self.pipeline(repo, transform={"cmd": [sys.executable, "-c", ask]}))

    def test_file_set_of_the_inputs(self):
        repo = self.repo(files={"/a": b"1", "/d/x": b"22"})
        name = self.pipeline(repo, "cp -r /pfs/in/. /pfs/out/; echo $FILESET_ID")
        info = self.succeeds(name)
        id, = set(self.lines(job=info.job))
        ids = {d.data[0].file.path: d.datum.id for d in self.client.pps.list_datum(job=info.job)}
        project = pfs.Project(name="default")
        held = pfs.Commit(repo=pfs.Repo(name="__filesets__", type="user", project=project), id=id)

        def files(commit):
            return {f.file.path: f.size_bytes for f in self.client.pfs.walk_file(
                file=pfs.File(commit=commit, path="/")) if f.file_type == pfs.FileType.FILE}

        want = {f"/pfs/{ids['/a']}/in/a": 1, f"/pfs/{ids['/d/']}/in/d/x": 2}
        self.assertEqual(files(held), want)
        copied = self.repo()
        with self.client.pfs.commit(branch=pfs.Branch.from_uri(f"{copied}@master")) as commit:
            commit.copy_file(src=pfs.File(commit=held, path=f"/pfs/{ids['/a']}"), dst="/there")
        self.assertEqual(self.read(copied, "/there/in/a"), b"1")

        commit = self.put(repo, {"/b": b"3"})  # of the next job, only what that runs
        info = self.succeeds(name, commit.id)
        held.id, = self.lines(job=info.job)
        self.assertEqual(list(files(held).values()), [1])
        self.assertIn("/in/b", list(files(held))[0])
        held.id = held.id[:-1] + ("1" if held.id[-1] == "0" else "0")
        with self.fails("UNKNOWN", "path does not exist"):
            files(held)

    def test_file_set_while_a_datum_runs(self):
        name = self.pipeline(self.repo(files={"/a": b"1"}), "echo $FILESET_ID; sleep 1000")
        job = self.until_job_runs(name)
        id, = self.lines(job=job)
        self.client.pfs.renew_file_set(file_set_id=id, ttl_seconds=600)
        more = self.client.pfs.compose_file_set(file_set_ids=[id], ttl_seconds=60).file_set_id
        file, = (f.file.path for f in self.client.pfs.walk_file(
            file=pfs.File(commit=pfs.Commit(repo=pfs.Repo(name="__filesets__"), id=more), path="/"))
            if f.file_type == pfs.FileType.FILE)
        self.assertRegex(file, "^/pfs/[0-9a-f]{64}/in/a$")
        self.client.pps.stop_job(job=job)

    def test_working_dir(self):
        _, name, _, env = self.environment(transform={"working_dir": "/tmp"})
        self.assertEqual(self.read(name, "/pwd"), b"/tmp\n")

    def test_user(self):
        _, name, _, env = self.environment(transform={"user": "nobody"})
        self.assertEqual(self.read(name, "/user"), b"nobody\n")

    def test_secrets(self):
        secret = unique("s")
        self.client.pps.create_secret(name=secret,
                                      data={"key": "hidden"})
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(
            repo, "echo $WORD > /pfs/out/env; cp /mnt/key /pfs/out/file",
            transform={"secrets": [{"name": secret, "key": "key", "env_var": "WORD"},
                                   {"name": secret, "mount_path": "/mnt"}]})
        self.succeeds(name)
        self.assertEqual(self.read(name, "/env"), b"hidden\n")
        self.assertEqual(self.read(name, "/file"), b"hidden")
        found = self.client.pps.list_secret().secret_info
        self.assertIn(secret, [s.secret.name for s in found])
        with self.fails("UNKNOWN", "missing Kubernetes secret"):
            self.pipeline(repo, transform={"secrets": [{"name": "none-such", "key": "k",
                                                        "env_var": "X"}]})
        self.client.pps.delete_secret(secret=pps.Secret(name=secret))

    def test_input_files_are_read_only_copies(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "echo 2 >> /pfs/in/a || true; cp /pfs/in/a /pfs/out/")
        self.succeeds(name)
        self.assertEqual(self.read(repo, "/a"), b"1")

    def test_links_to_inputs(self):
        repo = self.repo(files={"/a": b"12", "/d/b": b"3"})
        name = self.pipeline(repo, "ln -s /pfs/in/a /pfs/out/copy; ln -s /pfs/in/d /pfs/out/dir",
                             glob="/")
        self.succeeds(name)
        self.assertEqual(self.paths(name), ["/copy", "/dir/b"])
        self.assertEqual(self.read(name, "/copy"), b"12")

    def test_large_output(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo, "head -c 30000000 /dev/zero | tr '\\0' x > /pfs/out/big")
        self.succeeds(name)
        self.assertEqual(len(self.read(name, "/big")), 30000000)

    def test_many_datums(self):
        repo = self.repo(files={f"/{i:04}": b"%d" % i for i in range(500)})
        name = self.pipeline(repo, parallelism_spec={"constant": 4})
        info = self.succeeds(name)
        self.assertEqual(info.data_processed, 500)
        self.assertEqual(len(self.paths(name)), 500)


class Bursts(PpsCase):
    def test_one_worker_across_a_burst(self):
        """With parallelism 1 commits that come at once all meet the same worker, by its name."""
        repo = self.repo()
        name = self.pipeline(repo, "cd /pfs/in; for f in *; do echo $PPS_POD_NAME > /pfs/out/$f; done",
                             parallelism_spec={"constant": 1})
        commits = [self.put(repo, {f"/{i}": str(i).encode()}) for i in range(6)]
        self.succeeds(name, commits[-1].id)
        pods = {self.read(name, f"/{i}") for i in range(6)}
        self.assertEqual(len(pods), 1, pods)
        self.assertTrue(pods.pop().strip())

    def test_a_folder_comes_whole(self):
        """Small folders go to the worker with its order, large ones are fetched: both are complete."""
        few = {f"/few/{i:03}": str(i).encode() for i in range(64)}
        many = {f"/many/{i:03}": str(i).encode() for i in range(65)}
        large = {"/large/a": b"x" * 100_000, "/large/deep/b": b"", "/large/deep/c": b"c"}
        repo = self.repo(files={**few, **many, **large})
        name = self.pipeline(repo)
        self.succeeds(name)
        wanted = {**few, **many, **large}
        self.assertEqual(sorted(p for p in self.paths(name) if not p.endswith("/")), sorted(wanted))
        for path in ("/few/063", "/many/064", "/large/a", "/large/deep/b"):
            self.assertEqual(self.read(name, path), wanted[path])


class Datums(PpsCase):
    def test_list_inspect(self):
        repo = self.repo(files={f"/{i}": b"x" for i in range(5)})
        name = self.pipeline(repo)
        info = self.succeeds(name)
        all = list(self.client.pps.list_datum(job=info.job))
        self.assertEqual(len(all), 5)
        self.assertEqual({d.state for d in all}, {pps.DatumState.SUCCESS})
        self.assertEqual(sorted(d.data[0].file.path for d in all), [f"/{i}" for i in range(5)])
        first = list(self.client.pps.list_datum(job=info.job, number=2))
        self.assertEqual([d.datum.id for d in first], [d.datum.id for d in all[:2]])
        one = self.client.pps.inspect_datum(datum=all[3].datum)
        self.assertEqual(one.datum.id, all[3].datum.id)
        self.assertEqual(one.data[0].file.path, all[3].data[0].file.path)
        with self.fails("UNKNOWN", "not found"):
            self.client.pps.inspect_datum(datum=pps.Datum(job=info.job, id="0" * 64))

    def test_list_of_input(self):
        repo = self.repo(files={f"/{i}": b"x" for i in range(5)})
        found = list(self.client.pps.list_datum(
            input=pps.Input(pfs=pps.PfsInput(repo=repo, glob="/*", name="in"))))
        self.assertEqual(len(found), 5)

    def test_skipped(self):
        repo = self.repo(files={"/a": b"1"})
        name = self.pipeline(repo)
        self.succeeds(name)
        commit = self.put(repo, {"/b": b"2"})
        info = self.succeeds(name, commit.id)
        found = {d.data[0].file.path: d.state for d in self.client.pps.list_datum(job=info.job)}
        self.assertEqual(found["/a"], pps.DatumState.SKIPPED)

    def test_one_that_another_pipeline_ran_can_be_inspected(self):
        files = {"/" + unique(): b"1"}
        first = self.pipeline(self.repo(files=files), "true", known=True, reprocess_spec="exact")
        self.succeeds(first)
        second = self.pipeline(self.repo(files=files), "true", known=True, reprocess_spec="exact")
        info = self.succeeds(second)
        datum, = self.client.pps.list_datum(job=info.job)
        self.assertEqual((datum.state, datum.datum.job), (pps.DatumState.SKIPPED, info.job))
        again = self.client.pps.inspect_datum(datum=datum.datum)
        self.assertEqual(again.datum, datum.datum)

    def test_every_job_skips_nothing(self):
        repo = self.repo(files={"/1": b"1", "/2": b"2"})
        name = self.pipeline(repo, reprocessSpec="every_job")
        self.succeeds(name)
        self.put(repo, {"/3": b"3"})  # the other two are as they were
        info = self.succeeds(name)
        self.assertEqual((info.data_processed, info.data_skipped), (3, 0))

    def test_restart(self):
        repo, mark = self.repo(files={"/a": b"1"}), "/tmp/" + unique()
        name = self.pipeline(repo, f"echo begun; if test -f {mark}; then rm {mark}; exit; fi; "
                             f"touch {mark}; sleep 100", datum_tries=3,
                             transform={"env": {"PCV_TEST": "1"}})
        job = self.until_job_runs(name)
        self.client.pps.restart_datum(job=job, data_filters=["/a"])
        # Not a try: the datum begins anew. The sandbox has its own /tmp or not; either ends it.
        self.until(lambda: len(self.lines(job=job)) >= 2)
        self.client.pps.stop_job(job=job)
        with self.fails("UNKNOWN", "could not be found"):
            self.client.pps.restart_datum(job=job, data_filters=["/none"])


class Logs(PpsCase):
    def setUp(self):
        super().setUp()
        self.files = self.repo(files={"/a": b"1", "/b": b"2"})
        self.name = self.pipeline(self.files, "echo one $(ls /pfs/in); echo two $(ls /pfs/in) >&2")
        self.found = self.succeeds(self.name)

    def test_by_job_and_pipeline(self):
        words = ["one a", "one b", "two a", "two b"]
        self.assertEqual(sorted(self.lines(job=self.found.job)), words)
        self.assertEqual(sorted(self.lines(pipeline=pps.Pipeline(name=self.name))), words)

    def test_by_datum(self):
        for datum in self.client.pps.list_datum(job=self.found.job):
            letter = datum.data[0].file.path[1:]
            self.assertEqual(sorted(self.lines(job=self.found.job, datum=datum.datum)),
                             [f"one {letter}", f"two {letter}"])

    def test_by_file(self):
        by_path = self.lines(job=self.found.job, data_filters=["/a"])
        self.assertEqual(sorted(by_path), ["one a", "two a"])
        by_pipeline = self.lines(pipeline=pps.Pipeline(name=self.name), data_filters=["/b"])
        self.assertEqual(sorted(by_pipeline), ["one b", "two b"])
        hash = self.client.pfs.inspect_file(
            file=pfs.File.from_uri(f"{self.files}@master:/a")).hash
        self.assertEqual(sorted(self.lines(job=self.found.job, data_filters=[hash.hex()])),
                         ["one a", "two a"])
        self.assertEqual(self.lines(job=self.found.job, data_filters=["/a", "/b"]), [])
        self.assertEqual(self.lines(job=self.found.job, data_filters=["/none"]), [])

    def test_fields(self):
        line = [l for l in self.client.pps.get_logs(job=self.found.job) if l.user][0]
        self.assertEqual((line.pipeline_name, line.job_id), (self.name, self.found.job.id))
        self.assertTrue(line.worker_id and line.datum_id)
        self.assertIn(line.data[0].path, ["/a", "/b"])

    def test_tail(self):
        lines = list(self.client.pps.get_logs(job=self.found.job))
        self.assertEqual(list(self.client.pps.get_logs(job=self.found.job, tail=2)), lines[-2:])

    def test_errors(self):
        with self.fails("NOT_FOUND", "could not get pipeline information"):
            self.lines(pipeline=pps.Pipeline(name="none-such"))
        with self.fails("NOT_FOUND", "could not get job information"):
            self.lines(job=pps.Job(pipeline=pps.Pipeline(name=self.name), id="0" * 32))


if __name__ == "__main__":
    unittest.main()
