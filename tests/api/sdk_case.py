"""Tests of the client's methods, one each: test_<method> of a subclass must call that method of the
class's service, and it must have returned. test_sdk_methods.py holds all of them against what the
client has.
"""

import functools
import tempfile
import types

from harness import ApiTest, Server, name
from pachyderm_sdk.api import pfs

DEFAULT = pfs.Project(name="default")


class Recorder:
    """A service of the client that notes which of its methods have returned."""

    def __init__(self, stub):
        self._stub = stub
        self.returned = set()

    def __getattr__(self, method):
        call = getattr(self._stub, method)
        if not callable(call):
            return call

        @functools.wraps(call)
        def noted(*args, **kwargs):
            result = call(*args, **kwargs)
            # A stream's call is made when its first message is asked for.
            if isinstance(result, types.GeneratorType):
                return self._each(method, result)
            self.returned.add(method)
            return result

        return noted

    def _each(self, method, stream):
        yield from stream
        self.returned.add(method)


class SdkCase(ApiTest):
    service = None  # the client's attribute
    always_fail = frozenset()  # methods that can only fail here: their tests look at how

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for test, body in list(vars(cls).items()):
            if test.startswith("test_"):
                setattr(cls, test, cls._must_return(test.removeprefix("test_"), body))

    @staticmethod
    def _must_return(method, body):
        @functools.wraps(body)
        def test(self):
            body(self)
            if method not in self.always_fail:
                self.assertIn(method, self.api.returned, "it was not called, or has not returned")

        return test

    def setUp(self):
        super().setUp()
        self.use(self.client)

    def use(self, client):
        self.client = client
        self.api = Recorder(getattr(client, self.service))

    def use_own_server(self, *args):
        """For what touches everything on a server, or needs settings."""
        server = Server(args=args)
        self.addCleanup(server.clean)
        self.addCleanup(server.stop)
        client = server.client()
        self.addCleanup(client._channel.close)
        self.use(client)
        return server

    def folder(self):
        folder = tempfile.TemporaryDirectory(prefix="pcv-sdk-")
        self.addCleanup(folder.cleanup)
        return folder.name

    # --- what most tests need ---

    def repo(self, project=DEFAULT):
        repo = pfs.Repo(name=name(), type="user", project=project)
        self.client.pfs.create_repo(repo=repo)
        return repo

    def branch(self, name="master"):
        return pfs.Branch(repo=self.repo(), name=name)

    def put(self, branch, files=None, delete=()):
        """A finished commit with these files."""
        with self.client.pfs.commit(branch=branch) as commit:
            for path in delete:
                commit.delete_file(path=path)
            for path, data in (files or {}).items():
                commit.put_file_from_bytes(path=path, data=data)
        commit.wait()
        return pfs.Commit(repo=branch.repo, id=commit.id)

    def files(self, commit):
        """All files of a commit, with their bytes."""
        api = self.client.pfs
        root = pfs.File(commit=commit, path="/")
        found = {}
        for info in api.walk_file(file=root):
            if info.file_type == pfs.FileType.FILE:
                with api.pfs_file(file=info.file) as file:
                    found[info.file.path] = file.read()
        return found

    def picker_of(self, commit):
        by_id = pfs.CommitPickerCommitByGlobalId(repo=commit.repo.as_picker(), id=commit.id)
        return pfs.CommitPicker(id=by_id)

    def derived(self):
        """A branch with a commit, and another derived from it, whose head is finished."""
        up, down = self.branch(), self.branch()
        self.put(up, {"/a": b"1"})
        self.client.pfs.create_branch(branch=down, provenance=[up])
        head = self.client.pfs.inspect_branch(branch=down).head
        self.client.pfs.finish_commit(commit=head)
        self.client.pfs.wait_commit(head)
        return up, down
