"""storage.Fileset, and what pfs_v2.API has beside files: checks, the cache, tasks, egress."""

import os

import requests

from harness import ApiTest, Server, name, raw_call, unittest
from pachyderm_sdk.api import pfs, storage, taskapi


def append(path, data=None):
    return storage.CreateFilesetRequest(append_file=storage.AppendFile(path=path, data=data))


def delete(path):
    return storage.CreateFilesetRequest(delete_file=storage.DeleteFile(path=path))


def copy(fileset, src, dst=""):
    return storage.CreateFilesetRequest(
        copy_file=storage.CopyFile(fileset_id=fileset, src=src, dst=dst)
    )


class FilesetTest(ApiTest):
    def make(self, *steps):
        return self.client.storage.create_fileset(iter(steps)).fileset_id

    def read(self, fileset, filters=(), **more):
        files = {}
        for piece in self.client.storage.read_fileset(
            fileset_id=fileset, filters=list(filters), **more
        ):
            files[piece.path] = files.get(piece.path, b"") + (piece.data or b"")
        return files

    def test_append_delete_copy(self):
        one = self.make(append("/a", b"1"), append("/a", b"2"), append("/b", b"x"), delete("/b"))
        self.assertRegex(one, r"^[0-9a-f]{32}\.[0-9a-f]{64}$")
        self.assertEqual(self.read(one), {"/a": b"12"})
        two = self.make(copy(one, "/a", "/c/d"), copy(one, "/a"), copy(one, "/none"))
        self.assertEqual(self.read(two), {"/a": b"12", "/c/d": b"12"})
        self.assertEqual(self.read(one[:32]), {"/a": b"12"})

    def test_empty(self):
        self.assertEqual(self.read(self.make()), {})
        fileset = self.make(append("/e"), append("/f", b""))
        self.assertEqual(self.read(fileset), {})
        self.assertEqual(self.read(fileset, empty_files=True), {"/e": b"", "/f": b""})

    def test_filters(self):
        fileset = self.make(*(append("/%s" % c, c.encode()) for c in "abcde"))
        ranged = storage.FileFilter(path_range=storage.PathRange(lower="/b", upper="/d"))
        open_end = storage.FileFilter(path_range=storage.PathRange(lower="/c"))
        regex = storage.FileFilter(path_regex="[ce]$")
        everything = storage.FileFilter(path_regex="/")
        perl = storage.FileFilter(path_regex=r"(?i)^/[B-D]$")
        self.assertEqual(list(self.read(fileset, [ranged])), ["/b", "/c"])
        self.assertEqual(list(self.read(fileset, [ranged, open_end])), ["/c"])
        self.assertEqual(list(self.read(fileset, [open_end, ranged])), ["/c"])
        self.assertEqual(list(self.read(fileset, [regex])), ["/c", "/e"])
        self.assertEqual(len(self.read(fileset, [everything])), 5)
        self.assertEqual(list(self.read(fileset, [perl])), ["/b", "/c", "/d"])
        self.assertEqual(list(self.read(fileset, [perl, regex])), ["/c"])
        self.assertEqual(list(self.read(fileset, [storage.FileFilter(path_regex=r"\d")])), [])
        with self.fails("UNKNOWN", "error parsing regexp: "):
            self.read(fileset, [storage.FileFilter(path_regex="(")])

    def test_big_file(self):
        data = bytes(range(256)) * (30 * 1024 * 4)  # 30 MiB
        pieces = [data[i : i + 4 * 2**20] for i in range(0, len(data), 4 * 2**20)]
        fileset = self.make(*(append("/big", piece) for piece in pieces))
        self.assertEqual(self.read(fileset)["/big"], data)

    def test_errors(self):
        with self.fails(
            "UNKNOWN", "path (/a*) invalid: globbing character (*) not allowed in path"
        ):
            self.make(append("/a*", b""))
        with self.fails("UNKNOWN", "parsing fileset.Token: too short to be Token len=2"):
            self.read("ab")
        with self.fails("UNKNOWN", "path does not exist"):
            self.read("0" * 32)

    def test_renew(self):
        fileset = self.make(append("/a", b"1"))
        api = self.client.storage
        api.renew_fileset(fileset_id=fileset, ttl_seconds=60)
        with self.fails("UNKNOWN", "ttl (0) must be at least one second", exact=True):
            api.renew_fileset(fileset_id=fileset, ttl_seconds=0)
        with self.fails("UNKNOWN", "ttl (1801s) exceeds max ttl (1800s)", exact=True):
            api.renew_fileset(fileset_id=fileset, ttl_seconds=1801)
        with self.fails("NOT_FOUND", "tracker does not contain item: (fileset/" + "0" * 32):
            api.renew_fileset(fileset_id="0" * 32, ttl_seconds=60)

    def test_compose_and_shard(self):
        one = self.make(append("/a", b"1"), append("/b", b"1"))
        two = self.make(append("/c", b"3"), delete("/b"))
        both = self.client.storage.compose_fileset(fileset_ids=[one, two]).fileset_id
        self.assertEqual(self.read(both), {"/a": b"1", "/c": b"3"})
        none = self.client.storage.compose_fileset(fileset_ids=[]).fileset_id
        self.assertEqual(self.read(none), {})
        shards = self.client.storage.shard_fileset(fileset_id=both, num_files=1).shards
        self.assertGreaterEqual(len(shards), 1)
        self.assertEqual((shards[0].lower, shards[-1].upper), ("", ""))

    def test_is_the_same_fileset_everywhere(self):
        repo = pfs.Repo(name=name())
        self.client.pfs.create_repo(repo=repo)
        branch = pfs.Branch(repo=repo, name="master")
        with self.client.pfs.commit(branch=branch) as commit:
            commit.put_file_from_bytes(path="/f", data=b"hello")
        commit.wait()
        fileset = self.client.pfs.get_file_set(
            commit=commit, type=pfs.GetFileSetRequestFileSetType.TOTAL
        ).file_set_id
        self.assertEqual(self.read(fileset), {"/f": b"hello"})
        with self.client.pfs.commit(branch=branch) as second:
            self.client.pfs.add_file_set(
                commit=second, file_set_id=self.make(append("/g", b"from storage"))
            )
        second.wait()
        file = pfs.File(commit=second, path="/g")
        self.assertEqual(self.client.pfs.pfs_file(file).read(), b"from storage")


    def test_urls_are_ours(self):
        """A URL with anything changed, or without a file behind it, gives nothing."""
        (recipe,) = self.client.storage.read_fileset_cdr(fileset_id=self.make(append("/a", b"secret")))
        url = recipe.ref.concat.refs[0].content_hash.inner.http.url
        self.assertEqual(requests.get(url, timeout=20).content, b"secret")
        self.assertEqual(requests.head(url, timeout=20).headers["content-length"], "6")
        self.assertEqual(requests.post(url, timeout=20).status_code, 501)
        base, _, path = url.partition("/cdr/")
        parts = path.split("/")
        for at, other in enumerate(["ffffffff", "0" * 64, "0-7", "0" * 64, "other", "b"]):
            changed = "/".join(parts[:at] + [other] + parts[at + 1 :])
            self.assertEqual(requests.get(f"{base}/cdr/{changed}", timeout=20).status_code, 403)
        for odd in ("", "x", "////", "1/2/3-4/5/6/7", "-1/0/-1-2/", "%00/%"):
            self.assertEqual(requests.get(f"{base}/cdr/{odd}", timeout=20).status_code, 403)

    def test_urls_outlive_the_server(self):
        """They are good for a day, whatever restarts meanwhile: only the port is another one."""
        server = Server()
        self.addCleanup(server.clean)
        made = server.client().storage.create_fileset(iter([append("/a", b"kept")])).fileset_id
        (recipe,) = server.client().storage.read_fileset_cdr(fileset_id=made)
        path = recipe.ref.concat.refs[0].content_hash.inner.http.url.partition("/cdr/")[2]
        for end in server.kill, server.stop:
            end()
            server.start()
            answer = requests.get(f"http://127.0.0.1:{server.port}/cdr/{path}", timeout=20)
            self.assertEqual((answer.status_code, answer.content), (200, b"kept"))
        server.stop()
        self.assertEqual(os.stat(os.path.join(server.data, "pcv", "url-key")).st_mode & 0o777,
                         0o600)


class AdminOfFilesTest(ApiTest):
    def test_check_storage(self):
        repo = pfs.Repo(name=name())
        self.client.pfs.create_repo(repo=repo)
        with self.client.pfs.commit(branch=pfs.Branch(repo=repo, name="m")) as commit:
            commit.put_file_from_bytes(path="/f", data=name().encode() * 1000)
        api = self.client.pfs
        count = api.check_storage(
            read_chunk_data=False, chunk_begin=b"", chunk_end=b""
        ).chunk_object_count
        read = api.check_storage(
            read_chunk_data=True, chunk_begin=b"", chunk_end=b""
        ).chunk_object_count
        self.assertGreater(count, 0)
        self.assertGreaterEqual(read, count)
        half = api.check_storage(
            read_chunk_data=False, chunk_begin=b"", chunk_end=b"\x80"
        ).chunk_object_count
        rest = api.check_storage(
            read_chunk_data=False, chunk_begin=b"\x80", chunk_end=b""
        ).chunk_object_count
        self.assertEqual(half + rest, count)

    def test_fsck_is_clean(self):
        self.assertEqual(list(self.client.pfs.fsck()), [])

    def test_cache(self):
        from betterproto.lib.google.protobuf import Any

        key, tag = name("key"), name("tag") + "%"
        value = Any(type_url="type.googleapis.com/x", value=b"1")
        api = self.client.pfs
        with self.fails("UNKNOWN", "sql: no rows in result set"):
            api.get_cache(key=key)
        api.put_cache(key=key, value=value, file_set_ids=[], tag=tag)
        api.put_cache(key=key, value=Any(type_url="y"), file_set_ids=[], tag=tag)
        self.assertEqual(api.get_cache(key=key).value, value)
        with self.fails("UNKNOWN", "a different object exists at that id"):
            api.put_cache(key=key, value=value, file_set_ids=["0" * 32], tag=tag)
        api.clear_cache(tag_prefix="%")
        self.assertEqual(api.get_cache(key=key).value, value)
        api.clear_cache(tag_prefix=tag[:6])
        with self.fails("UNKNOWN", "sql: no rows in result set"):
            api.get_cache(key=key)

    def test_cache_with_filesets(self):
        from betterproto.lib.google.protobuf import Any

        key, api = name("key"), self.client.pfs
        kept = self.client.storage.create_fileset(iter([append("/a", b"1")])).fileset_id
        with self.fails("UNKNOWN", "dangling reference: file set " + "0" * 32):
            api.put_cache(key=key, value=Any(), file_set_ids=[kept, "0" * 32], tag="t-" + key)
        with self.fails("UNKNOWN", "sql: no rows in result set"):
            api.get_cache(key=key)
        for _ in range(2):
            api.put_cache(key=key, value=Any(type_url="x"), file_set_ids=[kept], tag="t-" + key)
        with self.fails("UNKNOWN", "a different object exists at that id"):
            api.put_cache(key=key, value=Any(type_url="x"), file_set_ids=[], tag="t-" + key)
        self.assertEqual(api.get_cache(key=key).value.type_url, "x")
        api.clear_cache(tag_prefix="t-" + key)

    def test_list_task(self):
        for api in (self.client.pfs, self.client.pps):
            self.assertEqual(list(api.list_task(group=taskapi.Group(namespace="storage"))), [])
        with self.fails("UNKNOWN", "must provide a task namespace to list a group"):
            list(self.client.pfs.list_task(group=taskapi.Group(group="g")))

    def test_egress_checks(self):
        repo = pfs.Repo(name=name())
        self.client.pfs.create_repo(repo=repo)
        with self.client.pfs.commit(branch=pfs.Branch(repo=repo, name="m")) as commit:
            pass
        commit.wait()
        api = self.client.pfs
        with self.fails("UNKNOWN", "egress failed"):
            api.egress(commit=commit)
        with self.fails("UNKNOWN", "unrecognized object store: nope"):
            api.egress(commit=commit, object_storage=pfs.ObjectStorageEgress(url="nope://x/y"))
        secret = pfs.SqlDatabaseEgressSecret(name="s")
        with self.fails("UNKNOWN", "egress.sql_database.secret.name and egress.sql_database."):
            api.egress(
                commit=commit, sql_database=pfs.SqlDatabaseEgress(url="x", secret=secret)
            )

    def test_inspect_project_v2(self):
        project = pfs.Project(name=name("p"))
        self.client.pfs.create_project(project=project)
        answer = self.client.pfs.inspect_project_v2(project=project)
        self.assertEqual((answer.info.project.name, answer.defaults_json), (project.name, "{}"))
        with self.fails("NOT_FOUND", 'project "none-such" not found'):
            self.client.pfs.inspect_project_v2(project=pfs.Project(name="none-such"))

    def test_auth_is_off(self):
        text = "the auth service is not activated"
        for path in (
            "/pfs_v2.API/ActivateAuth",
            "/pps_v2.API/ActivateAuth",
            "/auth_v2.API/WhoAmI",
            "/auth_v2.API/Authorize",
            "/identity_v2.API/ListIDPConnectors",
        ):
            with self.fails("UNIMPLEMENTED", text, exact=True):
                raw_call(self.client, path)

    def test_unknown_methods(self):
        with self.fails("UNIMPLEMENTED", "unknown service nope.API", exact=True):
            raw_call(self.client, "/nope.API/X")
        with self.fails("UNIMPLEMENTED", "unknown method X for service pfs_v2.API", exact=True):
            raw_call(self.client, "/pfs_v2.API/X")
        with self.fails("UNIMPLEMENTED", "unknown method CreateJob for service pjs.API"):
            raw_call(self.client, "/pjs.API/CreateJob")

    def test_enterprise_and_restart(self):
        self.assertEqual(self.client.enterprise.get_state().state, 1)
        self.assertFalse(self.client.admin.inspect_cluster().restart_info)
        self.client.admin.restart_pachyderm(reason="test")
        info = self.client.admin.inspect_cluster()
        self.assertTrue(info.pending_restart)
        self.assertEqual(info.restart_info, "test by <unknown>")


if __name__ == "__main__":
    unittest.main()
