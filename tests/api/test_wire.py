"""The rules of pfs.md 1 that touch every call, and the choices of 26 that a client can see."""

import http.client
import uuid

import grpc
from harness import ApiTest, name, unittest
from pachyderm_sdk.api import pfs

MIB = 2**20


class WireTest(ApiTest):
    def setUp(self):
        super().setUp()
        self.pfs = self.client.pfs
        self.repo = pfs.Repo(name=name(), type="user", project=pfs.Project(name="default"))
        self.pfs.create_repo(repo=self.repo)
        self.master = pfs.Branch(repo=self.repo, name="master")

    def commit(self, files=(), branch=None):
        with self.pfs.commit(branch=branch or self.master) as commit:
            for path, data in dict(files).items():
                commit.put_file_from_bytes(path=path, data=data)
        commit.wait()
        return commit

    def channel(self):
        options = [("grpc.max_receive_message_length", 20 * MIB)]
        channel = grpc.insecure_channel(self.client.address, options=options)
        self.addCleanup(channel.close)
        return channel

    def get_pieces(self, commit, path, **more):
        call = self.channel().unary_stream(
            "/pfs_v2.API/GetFile",
            request_serializer=bytes,
            response_deserializer=lambda b: b,
        )
        request = pfs.GetFileRequest(file=pfs.File(commit=commit, path=path), **more)
        return list(call(request, timeout=30))

    def test_commits_name_no_branch(self):
        commit = self.pfs.start_commit(branch=self.master)
        self.assertFalse(commit.branch and commit.branch.name)
        self.pfs.put_file_from_bytes(commit=commit, path="/f", data=b"1")
        self.pfs.finish_commit(commit=commit)
        second = self.commit({"/f": b"2"})
        info = self.pfs.inspect_commit(commit=second)
        found = [info.commit, info.parent_commit]
        found += [i.commit for i in self.pfs.list_commit(repo=self.repo)]
        found.append(self.pfs.inspect_branch(branch=self.master).head)
        file = pfs.File(commit=second, path="/f")
        found.append(self.pfs.inspect_file(file=file).file.commit)
        for answer in self.pfs.diff_file(new_file=file):
            found += [answer.new_file.file.commit, answer.old_file.file.commit]
        for answer in self.pfs.find_commits(start=second, file_path="/f"):
            found += [answer.found_commit, answer.last_searched_commit]
        for answer in self.pfs.list_commit_set():
            found += [i.commit for i in answer.commits]
        for commit in found:
            self.assertEqual((commit.branch.name if commit.branch else ""), "")

    def test_messages_of_19_mib(self):
        data = uuid.uuid4().bytes * (19 * MIB // 16)
        commit = self.pfs.start_commit(branch=self.master)
        self.pfs.put_file_from_bytes(commit=commit, path="/big", data=data)
        self.pfs.finish_commit(commit=commit)
        self.pfs.wait_commit(commit)
        file = pfs.File(commit=commit, path="/big")
        self.assertEqual(self.pfs.pfs_file(file).read(), data)
        self.assertLess(max(map(len, self.get_pieces(commit, "/big"))), 20 * MIB)

    def test_message_over_20_mib_is_refused(self):
        call = self.channel().stream_unary(
            "/pfs_v2.API/ModifyFile", request_serializer=bytes, response_deserializer=bytes
        )
        add = pfs.ModifyFileRequest(
            add_file=pfs.AddFile(path="/x", raw=bytes(20 * MIB + 1))
        )
        target = pfs.ModifyFileRequest(
            set_commit=pfs.Commit(repo=self.repo, branch=self.master)
        )
        with self.fails("RESOURCE_EXHAUSTED"):
            call(iter([bytes(target), bytes(add)]), timeout=30)

    def test_empty_file_gives_no_messages(self):
        commit = self.commit({"/empty": b""})
        self.assertEqual(self.get_pieces(commit, "/empty"), [])
        info = self.pfs.inspect_file(file=pfs.File(commit=commit, path="/empty"))
        self.assertEqual(info.size_bytes, 0)

    def test_offset(self):
        commit = self.commit({"/f": b"0123456789"})
        self.assertEqual(self.get_pieces(commit, "/f", offset=7), [b"\x0a\x03789"])
        self.assertEqual(self.get_pieces(commit, "/f", offset=10), [])
        with self.fails("INVALID_ARGUMENT", "offset must not be negative"):
            self.get_pieces(commit, "/f", offset=-1)

    def test_gzip(self):
        options = [("grpc.default_compression_algorithm", 2)]
        with grpc.insecure_channel(self.client.address, options=options) as channel:
            call = channel.unary_unary(
                "/pfs_v2.API/InspectRepo",
                request_serializer=bytes,
                response_deserializer=pfs.RepoInfo().parse,
            )
            request = pfs.InspectRepoRequest(repo=self.repo)
            self.assertEqual(call(request, timeout=10).repo.name, self.repo.name)

    def test_deadline(self):
        commit = self.pfs.start_commit(branch=self.master)
        call = self.channel().unary_unary(
            "/pfs_v2.API/InspectCommit", request_serializer=bytes, response_deserializer=bytes
        )
        request = pfs.InspectCommitRequest(commit=commit, wait=pfs.CommitState.FINISHED)
        with self.fails("DEADLINE_EXCEEDED"):
            call(request, timeout=0.1)

    def test_first_message_names_the_commit(self):
        call = self.channel().stream_unary(
            "/pfs_v2.API/ModifyFile", request_serializer=bytes, response_deserializer=bytes
        )
        add = pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/x", raw=b"1"))
        with self.fails("UNKNOWN", "first message must be a commit"):
            call(iter([bytes(add)]), timeout=10)

    def test_health(self):
        call = self.channel().unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=bytes,
            response_deserializer=bytes,
        )
        self.assertEqual(call(b"", timeout=10), b"\x08\x01")

    def test_health_over_http(self):
        """For probes that do not speak gRPC: any method will do."""
        for method, target, body in (("GET", "/healthz", b"healthy\n"),
                                     ("POST", "/healthz?a=b", b"healthy\n"),
                                     ("HEAD", "/healthz", b"")):
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port)
            self.addCleanup(connection.close)
            connection.request(method, target)
            answer = connection.getresponse()
            self.assertEqual((answer.status, answer.read()), (200, body), (method, target))

    def test_late_parents_rebuild_children(self):
        """26.29: commits finish in whatever order they are ready."""
        first = self.pfs.start_commit(branch=self.master)
        self.pfs.put_file_from_bytes(commit=first, path="/a", data=b"1")
        self.pfs.finish_commit(commit=first)
        second = self.commit({"/b": b"2"})
        listed = self.pfs.list_file(file=pfs.File(commit=second, path="/"))
        self.assertEqual([i.file.path for i in listed], ["/a", "/b"])

    def test_a_deletion_does_not_end_a_subscription(self):
        """26.31."""
        first = self.commit()
        stream = self.pfs.subscribe_commit(repo=self.repo, state=pfs.CommitState.STARTED)
        self.assertEqual(next(stream).commit.id, first.id)
        other = pfs.Branch(repo=self.repo, name="other")
        gone = self.commit(branch=other)
        self.assertEqual(next(stream).commit.id, gone.id)
        self.pfs.drop_commit_set(commit_set=pfs.CommitSet(id=gone.id))
        last = self.commit()
        # the branch got an empty head in place of the one that went
        self.assertIn(last.id, [next(stream).commit.id for _ in range(2)])
        stream.close()

    def test_a_file_named_slash(self):
        """26.30."""
        commit = self.pfs.start_commit(branch=self.master)
        with self.fails("INVALID_ARGUMENT"):
            self.pfs.put_file_from_bytes(commit=commit, path="/", data=b"1")

    def test_equal_bytes_hash_alike_in_any_pieces(self):
        """26.20, and appending in pieces."""
        with self.pfs.commit(branch=self.master) as commit:
            commit.put_file_from_bytes(path="/one", data=b"ab")
            commit.put_file_from_bytes(path="/two", data=b"a")
            commit.put_file_from_bytes(path="/two", data=b"b", append=True)
        commit.wait()
        hashes = {
            self.pfs.inspect_file(file=pfs.File(commit=commit, path=p)).hash
            for p in ("/one", "/two")
        }
        self.assertEqual(len(hashes), 1)


if __name__ == "__main__":
    unittest.main()
