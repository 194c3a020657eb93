"""What the pipeline suites share: short words for what their tests do often."""

import json
import time

from pachyderm_sdk.api import pfs, pps

from harness import ApiTest, name as unique

WAIT_SECONDS = 30

SUCCESS = pps.JobState.JOB_SUCCESS
FAILURE = pps.JobState.JOB_FAILURE
KILLED = pps.JobState.JOB_KILLED
UNRUNNABLE = pps.JobState.JOB_UNRUNNABLE


class PpsCase(ApiTest):
    # --- making ---

    def repo(self, stem="in", files=None):
        """A new repo's name; with files, in one commit on master."""
        name = unique(stem)
        self.client.pfs.create_repo(repo=pfs.Repo.from_uri(name))
        if files is not None:
            self.put(name, files)
        return name

    def put(self, repo, files, branch="master", delete=()):
        with self.client.pfs.commit(branch=pfs.Branch.from_uri(f"{repo}@{branch}")) as commit:
            for path in delete:
                commit.delete_file(path=path)
            for path, data in files.items():
                commit.put_file_from_bytes(path=path, data=data)
        return commit

    def create_json(self, spec, update=False, reprocess=False):
        return self.client.pps.create_pipeline_v2(
            create_pipeline_request_json=json.dumps(spec), update=update, reprocess=reprocess)

    def pipeline(self, repo=None, script="cp -r /pfs/in/. /pfs/out/", *, glob="/*", input=None,
                 name=None, update=False, reprocess=False, known=False, **more):
        """Creates a pipeline that runs a shell script; gives its name. With repo, one input "in".
        No datum of it ran before, unless the script may be a known one."""
        name = name or unique("p")
        if input is None and repo:
            input = {"pfs": {"repo": repo, "glob": glob, "name": "in"}}
        lines = [script] if known else [script, ": " + unique()]
        transform = {"cmd": ["sh", "-e"], "stdin": lines, "image": "host",
                     **more.pop("transform", {})}
        spec = {"pipeline": {"name": name}, "transform": transform, **more}
        if input:
            spec["input"] = input
        self.create_json(spec, update, reprocess)
        return name

    # --- waiting and looking ---

    def job(self, pipeline, id=None):
        """The newest (or one) job's info once it is over."""
        if id is None:
            id = self.jobs(pipeline)[0].job.id
        return self.client.pps.inspect_job(
            job=pps.Job(pipeline=pps.Pipeline(name=pipeline), id=id), wait=True, details=True)

    def jobs(self, pipeline):
        return list(self.client.pps.list_job(pipeline=pps.Pipeline(name=pipeline)))

    def info(self, pipeline, details=True):
        return self.client.pps.inspect_pipeline(pipeline=pps.Pipeline(name=pipeline),
                                                details=details)

    def until(self, what, seconds=WAIT_SECONDS):
        """Looks until what() is true, and gives what it gave."""
        end = time.monotonic() + seconds
        while True:
            result = what()
            if result:
                return result
            self.assertLess(time.monotonic(), end, "waited in vain")
            time.sleep(0.01)

    def until_state(self, pipeline, state):
        return self.until(lambda: (i := self.info(pipeline)).state == state and i)

    def until_job_runs(self, pipeline):
        """A job whose user code has logged something."""
        self.until(lambda: self.jobs(pipeline))
        job = self.jobs(pipeline)[0].job
        self.until(lambda: self.lines(job=job))
        return job

    def lines(self, **request):
        return [line.message for line in self.client.pps.get_logs(**request) if line.user]

    def read(self, pipeline, path, branch="master"):
        with self.client.pfs.pfs_file(
                file=pfs.File.from_uri(f"{pipeline}@{branch}:{path}")) as file:
            return file.read()

    def paths(self, pipeline, branch="master"):
        """All files of a head, sorted."""
        files = self.client.pfs.walk_file(
            file=pfs.File.from_uri(f"{pipeline}@{branch}:/"))
        return sorted(f.file.path for f in files if f.file_type == pfs.FileType.FILE)

    def succeeds(self, pipeline, id=None):
        info = self.job(pipeline, id)
        self.assertEqual(info.state, SUCCESS, f"{info.state} {info.reason}\n"
                         + "\n".join(self.lines(job=info.job)))
        return info

    def refused(self, code, text):
        return self.fails(code.name, text)
