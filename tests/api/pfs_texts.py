"""The tables of test_pfs_texts.py: what bad requests are told, and the small world they are made in."""

import uuid

from harness import name, shared_server
from pachyderm_sdk.api import pfs

DEFAULT = pfs.Project(name="default")
NONE = pfs.Repo(name="none-such", type="user", project=DEFAULT)
UNKNOWN_ID = "0" * 12 + "4" + "0" * 19


def branch(repo, name="master"):
    return pfs.Branch(repo=repo, name=name)


class World:
    """Two repos: `repo` with two commits on master, one with a commit; and one derived from it."""

    def __init__(self):
        self.client = shared_server().client()
        self.api = api = self.client.pfs
        self.repo, self.other, self.down = (self.make_repo() for _ in range(3))
        self.name = f"default/{self.repo.name}"
        self.first, self.second = (self.commit(self.repo, n) for n in "12")
        self.foreign = self.commit(self.other, "1")
        api.create_branch(branch=branch(self.down), provenance=[branch(self.other)])
        api.create_branch(
            branch=branch(self.repo, "follower"),
            trigger=pfs.Trigger(branch="master", size="1G"),
        )
        self.open = api.start_commit(branch=branch(self.repo, "open"))

    def make_repo(self):
        repo = pfs.Repo(name=name(), type="user", project=DEFAULT)
        self.api.create_repo(repo=repo)
        return repo

    def commit(self, repo, content):
        with self.api.commit(branch=branch(repo)) as commit:
            commit.put_file_from_bytes(path="/a", data=content.encode())
        commit.wait()
        return pfs.Commit(repo=repo, id=commit.id)

    # --- calls, as the rows of tables name them ---

    def trigger(self, **fields):
        self.api.create_branch(branch=branch(self.repo, "t"), trigger=pfs.Trigger(**fields))

    def create(self, **fields):
        self.api.create_branch(**{"branch": branch(self.repo, "c"), **fields})

    def project(self, name):
        self.api.create_project(project=pfs.Project(name=name))

    def make(self, name, type="user", project="default"):
        repo = pfs.Repo(name=name, type=type, project=pfs.Project(name=project))
        self.api.create_repo(repo=repo)

    def ref(self, ref):
        self.api.inspect_commit(commit=pfs.Commit(repo=self.repo, id=ref))

    def file(self, path="/a"):
        return pfs.File(commit=self.first, path=path)

    def modify(self, *steps, commit=None):
        first = pfs.ModifyFileRequest(set_commit=commit or self.open)
        self.api.modify_file(iter([first, *steps]))

    def add(self, path):
        self.modify(pfs.ModifyFileRequest(add_file=pfs.AddFile(path=path, raw=b"x")))

    def delete(self, path):
        self.modify(pfs.ModifyFileRequest(delete_file=pfs.DeleteFile(path=path)))

    def copy(self, dst):
        self.modify(pfs.ModifyFileRequest(copy_file=pfs.CopyFile(dst=dst, src=self.file())))


BAD_NAME = "only alphanumeric characters, underscores, and dashes are allowed"
CANNOT_OFFSET = "count offset and clean: "
FORMAT, NUMBER = CANNOT_OFFSET + "invalid ancestry format", "invalid ancestor format"

# code, text (exact, but for {…}, which are attributes of the world), call
TABLES = {
    "names": [
        ("UNKNOWN", f"name (a b) invalid: {BAD_NAME}", lambda w: w.make("a b")),
        ("UNKNOWN", f"name (/repo) invalid: {BAD_NAME}", lambda w: w.make("/repo")),
        ("UNKNOWN", f"name (l.123) invalid: {BAD_NAME}", lambda w: w.make("l.123")),
        ("UNKNOWN", f"name () invalid: {BAD_NAME}", lambda w: w.make("")),
        ("UNKNOWN", "__filesets__ is a reserved name", lambda w: w.make("__filesets__")),
        (
            "NOT_FOUND",
            'cannot find project "x": get project by name: project "x" not found',
            lambda w: w.make("r", project="x"),
        ),
        (
            "NOT_FOUND",
            "cannot create a system repo without a corresponding 'user' repo: repo (id=0, "
            "project=default, name=none-such, type=user) not found",
            lambda w: w.make("none-such", type="meta"),
        ),
        (
            "UNKNOWN",
            f"invalid project name: name (a.b) invalid: {BAD_NAME}",
            lambda w: w.project("a.b"),
        ),
        (
            "UNKNOWN",
            "invalid project name: project names must start with an alphanumeric character",
            lambda w: w.project("-p"),
        ),
        (
            "UNKNOWN",
            f'invalid project name: project name "{"p" * 52}" is 1 characters longer than the '
            "51 max",
            lambda w: w.project("p" * 52),
        ),
        (
            "NOT_FOUND",
            'error getting project "x": get project by name: project "x" not found',
            lambda w: w.api.inspect_project(project=pfs.Project(name="x")),
        ),
        (
            "NOT_FOUND",
            'could not inspect project "x": error getting project "x": get project by name: '
            'project "x" not found',
            lambda w: w.api.inspect_project_v2(project=pfs.Project(name="x")),
        ),
        (
            "UNKNOWN",
            "branch name cannot be a UUID V4",
            lambda w: w.create(branch=branch(w.repo, uuid.uuid4().hex)),
        ),
        (
            "UNKNOWN",
            f"start commit in transaction: name (a b) invalid: {BAD_NAME}",
            lambda w: w.api.start_commit(branch=branch(w.repo, "a b")),
        ),
    ],
    "branches": [
        ("UNKNOWN", "branch cannot be nil", lambda w: w.api.create_branch()),
        (
            "UNKNOWN",
            "branch and head commit must belong to the same repo",
            lambda w: w.create(head=w.foreign),
        ),
        (
            "UNKNOWN",
            "a branch cannot have both provenance and a trigger",
            lambda w: w.create(
                provenance=[branch(w.other)], trigger=pfs.Trigger(branch="master")
            ),
        ),
        (
            "UNKNOWN",
            "branch propagation spec must reference provenant branch (referenced branch: "
            "{other_key})",
            lambda w: w.create(
                branch_propagation_specs=[
                    pfs.BranchPropagationSpec(
                        branch=branch(w.other), propagation_spec=pfs.PropagationSpec(never=True)
                    )
                ]
            ),
        ),
        (
            "UNKNOWN",
            "repo {name} cannot be in the provenance of its own branch",
            lambda w: w.create(provenance=[branch(w.repo)]),
        ),
        (
            "NOT_FOUND",
            "repo (id=0, project=default, name=none-such, type=user) not found",
            lambda w: w.create(provenance=[branch(NONE)]),
        ),
        (
            "NOT_FOUND",
            "repo (id=0, project=default, name=none-such, type=user) not found",
            lambda w: w.create(provenance=[branch(NONE), branch(NONE, "b")]),
        ),
        (
            "NOT_FOUND",
            "unable to inspect {name}@" + UNKNOWN_ID + ": pick commit tx: commit {name}@"
            + UNKNOWN_ID + " not found\ncommit {name}@" + UNKNOWN_ID + " not found",
            lambda w: w.create(head=pfs.Commit(repo=w.repo, id=UNKNOWN_ID)),
        ),
        (
            "UNKNOWN",
            'branch "{other_master}" cannot be deleted because it\'s in the direct provenance '
            "of [{down_master}]",
            lambda w: w.api.delete_branch(branch=branch(w.other)),
        ),
        (
            "UNKNOWN",
            'branch "{name}@master" cannot be deleted because it is triggered by branches '
            "[{name}@follower]",
            lambda w: w.api.delete_branch(branch=branch(w.repo)),
        ),
        (
            "UNKNOWN",
            'branch "{name}@follower" cannot be deleted because it triggers branches '
            "[{name}@master]",
            lambda w: w.api.delete_branch(branch=branch(w.repo, "follower")),
        ),
        (
            "UNKNOWN",
            "delete repo: delete branch {other_master}: branch \"{other_master}\" cannot be "
            "deleted because it's in the direct provenance of [{down_master}]",
            lambda w: w.api.delete_repo(repo=w.other),
        ),
        (
            "NOT_FOUND",
            "repo default/none-such not found",
            lambda w: list(w.api.list_branch(repo=NONE)),
        ),
        (
            "UNKNOWN",
            "walk branch provenance: branch picker cannot be nil",
            lambda w: list(w.api.walk_branch_provenance(start=[pfs.BranchPicker()])),
        ),
    ],
    "triggers": [
        ("UNKNOWN", "triggers must specify a branch to trigger on", lambda w: w.trigger(size="1")),
        ("UNKNOWN", f"name (a b) invalid: {BAD_NAME}", lambda w: w.trigger(branch="a b")),
        ("UNKNOWN", "triggers cannot form a loop", lambda w: w.trigger(branch="t")),
        (
            "UNKNOWN",
            "triggers cannot form a loop",
            lambda w: w.create(branch=branch(w.repo), trigger=pfs.Trigger(branch="follower")),
        ),
        (
            "UNKNOWN",
            "invalid trigger size: invalid suffix: 'ki'",
            lambda w: w.trigger(branch="master", size="1Ki"),
        ),
        (
            "UNKNOWN",
            "invalid trigger size: invalid size: '-1'",
            lambda w: w.trigger(branch="master", size="-1"),
        ),
        (
            "UNKNOWN",
            "can't trigger on a negative number of commits",
            lambda w: w.trigger(branch="master", commits=-1),
        ),
        (
            "UNKNOWN",
            "invalid trigger cron spec: Expected exactly 5 fields, found 1: x",
            lambda w: w.trigger(branch="master", cron_spec="x"),
        ),
        (
            "UNKNOWN",
            "invalid trigger rate limit spec: Expected exactly 5 fields, found 1: x",
            lambda w: w.trigger(branch="master", rate_limit_spec="x"),
        ),
    ],
    "commits": [
        ("UNKNOWN", "branch must be specified", lambda w: w.api.start_commit()),
        (
            "NOT_FOUND",
            "start commit in transaction: repo default/none-such not found",
            lambda w: w.api.start_commit(branch=branch(NONE)),
        ),
        ("UNKNOWN", "cannot clear finished commit", lambda w: w.api.clear_commit(commit=w.first)),
        (
            "UNKNOWN",
            "cannot squash commit ({foreign_name}) with subvenance without recursive",
            lambda w: w.api.squash_commit(commit=w.foreign),
        ),
        (
            "UNKNOWN",
            "cannot drop commit ({foreign_name}) with subvenance without recursive",
            lambda w: w.api.drop_commit(commit=w.foreign),
        ),
        ("UNKNOWN", "commitset cannot be nil", lambda w: w.api.squash_commit_set()),
        ("UNKNOWN", "commitset cannot be nil", lambda w: list(w.api.inspect_commit_set())),
        (
            "UNKNOWN",
            "cannot use `from` commit without `to` commit",
            lambda w: list(w.api.list_commit(repo=w.repo, from_=w.first)),
        ),
        (
            "UNKNOWN",
            "cannot use 'Reverse' while also using 'From' or 'To'",
            lambda w: list(w.api.list_commit(repo=w.repo, to=w.first, reverse=True)),
        ),
        (
            "UNKNOWN",
            "`from` and `to` commits need to be from repo {name}",
            lambda w: list(w.api.list_commit(repo=w.repo, to=w.foreign)),
        ),
        (
            "NOT_FOUND",
            "ensure repo exists: repo default/none-such not found",
            lambda w: list(w.api.list_commit(repo=NONE)),
        ),
        (
            "NOT_FOUND",
            "get repo ID: repo (id=0, project=default, name=none-such, type=user) not found",
            lambda w: list(w.api.subscribe_commit(repo=NONE)),
        ),
        (
            "UNKNOWN",
            "the `from` commit needs to be from repo {name}",
            lambda w: list(w.api.subscribe_commit(repo=w.repo, from_=w.foreign)),
        ),
        (
            "UNKNOWN",
            "walk commit provenance: picking commit: commit picker cannot be nil",
            lambda w: list(w.api.walk_commit_provenance(start=[pfs.CommitPicker()])),
        ),
    ],
    "references": [
        *(
            ("UNKNOWN", f"pick commit tx: calculate offset {{name}}@{ref}: {text}",
             lambda w, ref=ref: w.ref(ref))
            for ref, text in {
                "master^^3": FORMAT,
                "master^~": FORMAT,
                "master^-1": FORMAT,
                "master.-1": FORMAT,
                "master.": FORMAT,
                "master^1^": FORMAT,
                "master^99999999999999999999": CANNOT_OFFSET + NUMBER,
                "master.0": CANNOT_OFFSET + "there should be less ancestors than descendants",
                "master.1^1": CANNOT_OFFSET + "there should be less ancestors than descendants",
                UNKNOWN_ID + ".1": CANNOT_OFFSET
                + "invalid branch picker: name refers to a commit, not a branch",
            }.items()
        ),
        (
            "UNKNOWN",
            "pick commit tx: picking commit: invalid offset for ancestor of commit: "
            "{second_key}, offset requested: 3, offset traversable: 1",
            lambda w: w.ref("master^3"),
        ),
        (
            "UNKNOWN",
            "pick commit tx: picking commit: invalid offset from branch root for head commit: "
            "{second_key}, offset: 2, maximum depth: 1",
            lambda w: w.ref("master.3"),
        ),
        (
            "NOT_FOUND",
            "pick commit tx: commit {name}@abc123 not found\nbranch \"abc123\" not found in repo "
            "{name}",
            lambda w: w.ref("abc123"),
        ),
        (
            "NOT_FOUND",
            'pick commit tx: project "x" not found',
            lambda w: w.api.inspect_commit(
                commit=pfs.Commit(
                    repo=pfs.Repo(name="r", type="user", project=pfs.Project(name="x")), id="b"
                )
            ),
        ),
    ],
    "reads": [
        ("UNKNOWN", "file cannot be nil", lambda w: w.api.inspect_file()),
        ("UNKNOWN", "commit cannot be nil", lambda w: w.api.inspect_file(file=pfs.File(path="/"))),
        ("UNKNOWN", "file cannot be nil", lambda w: list(w.api.diff_file())),
        (
            "UNKNOWN",
            "check new file commit: commit cannot be nil",
            lambda w: list(w.api.diff_file(new_file=pfs.File(path="/"))),
        ),
        (
            "UNKNOWN",
            "check old file commit: commit cannot be nil",
            lambda w: list(w.api.diff_file(new_file=w.file(), old_file=pfs.File(path="/"))),
        ),
        (
            "UNKNOWN",
            "number must be > 0 when reverse is true",
            lambda w: list(w.api.list_file(file=w.file("/"), reverse=True)),
        ),
        (
            "UNKNOWN",
            "cannot return more than 100000 files at a time",
            lambda w: list(w.api.walk_file(file=w.file("/"), number=100001)),
        ),
        (
            "INVALID_ARGUMENT",
            "number must not be negative, it is -1",
            lambda w: list(w.api.list_file(file=w.file("/"), number=-1)),
        ),
        (
            "INVALID_ARGUMENT",
            "offset must not be negative, it is -1",
            lambda w: list(w.api.get_file(file=w.file(), offset=-1)),
        ),
        (
            "UNKNOWN",
            "path does not exist",
            lambda w: list(
                w.api.list_file(
                    file=pfs.File(
                        commit=pfs.Commit(repo=pfs.Repo.from_uri("__filesets__"), id="0" * 32),
                        path="/",
                    )
                )
            ),
        ),
    ],
    "writes": [
        ("UNKNOWN", "EOF", lambda w: w.api.modify_file(iter([]))),
        (
            "UNKNOWN",
            "first message must be a commit",
            lambda w: w.api.modify_file(
                iter([pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/a"))])
            ),
        ),
        (
            "UNKNOWN",
            "cannot set commit",
            lambda w: w.modify(pfs.ModifyFileRequest(set_commit=w.open)),
        ),
        ("UNKNOWN", "unrecognized message type", lambda w: w.modify(pfs.ModifyFileRequest())),
        (
            "NOT_FOUND",
            "repo default/none-such not found",
            lambda w: w.modify(commit=pfs.Commit(repo=NONE, id="master")),
        ),
        (
            "UNKNOWN",
            "path (/a*b) invalid: globbing character (*) not allowed in path",
            lambda w: w.add("/a*b"),
        ),
        (
            "UNKNOWN",
            "path (../x) invalid: relative file paths are not allowed",
            lambda w: w.add("../x"),
        ),
        (
            "UNKNOWN",
            "path (foo/../bar) invalid: relative file paths are not allowed",
            lambda w: w.add("foo/../bar"),
        ),
        *(
            (
                "UNKNOWN",
                f"path ({ascii(bad)[1:-1]}) invalid: only printable ASCII characters allowed",
                lambda w, bad=bad: w.add(bad),
            )
            for bad in ("", "/\x1f", "/\x7f", "/\x0b")
        ),
        (
            "UNKNOWN",
            "path (/*) invalid: globbing character (*) not allowed in path",
            lambda w: w.delete("/*"),
        ),
        (
            "UNKNOWN",
            "cannot set commit",
            lambda w: w.api.create_file_set(iter([pfs.ModifyFileRequest(set_commit=w.open)])),
        ),
        (
            "UNKNOWN",
            "add file set: path does not exist",
            lambda w: w.api.add_file_set(commit=w.open, file_set_id="0" * 32),
        ),
        (
            "UNKNOWN",
            "dangling reference: file set " + "0" * 32 + " does not exist",
            lambda w: w.api.compose_file_set(file_set_ids=["0" * 32]),
        ),
    ],
}
