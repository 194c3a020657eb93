"""The client's methods of pfs on file sets and the rest, and those of the smaller services."""

import pathlib
import uuid

from betterproto.lib.google.protobuf import Any
from harness import name, unittest
from pachyderm_sdk.api import metadata, pfs, storage, taskapi, transaction as tx, version
from pachyderm_sdk.api.cdr.resolver import CdrResolver
from pachyderm_sdk.errors import AuthServiceNotActivated
from sdk_case import SdkCase


def add(path, data):
    return pfs.ModifyFileRequest(add_file=pfs.AddFile(path=path, raw=data))


class FileSetMethods(SdkCase):
    service = "pfs"

    def make(self, *steps):
        return self.client.pfs.create_file_set(iter(steps)).file_set_id

    def content(self, fileset):
        commit = pfs.Commit(repo=pfs.Repo.from_uri("__filesets__"), id=fileset)
        return self.files(commit)

    def test_create_file_set(self):
        made = self.api.create_file_set(iter([add("/a", b"1"), add("/a", b"2")]))
        self.assertEqual(self.content(made.file_set_id), {"/a": b"12"})

    def test_get_file_set(self):
        branch = self.branch()
        self.put(branch, {"/a": b"1"})
        commit = self.put(branch, {"/b": b"2"})
        types = pfs.GetFileSetRequestFileSetType
        total = self.api.get_file_set(commit=commit, type=types.TOTAL).file_set_id
        diff = self.api.get_file_set(commit=commit, type=types.DIFF).file_set_id
        self.assertEqual(self.content(total), {"/a": b"1", "/b": b"2"})
        self.assertEqual(self.content(diff), {"/b": b"2"})

    def test_add_file_set(self):
        commit = self.client.pfs.start_commit(branch=self.branch())
        self.api.add_file_set(commit=commit, file_set_id=self.make(add("/a", b"1")))
        self.client.pfs.finish_commit(commit=commit)
        self.client.pfs.wait_commit(commit)
        self.assertEqual(self.files(commit), {"/a": b"1"})

    def test_renew_file_set(self):
        fileset = self.make(add("/a", b"1"))
        self.api.renew_file_set(file_set_id=fileset, ttl_seconds=1800)
        with self.fails("UNKNOWN", "exceeds max ttl (1800000000000)"):
            self.api.renew_file_set(file_set_id=fileset, ttl_seconds=1801)

    def test_compose_file_set(self):
        sets = [self.make(add("/a", b"1")), self.make(add("/a", b"2"), add("/b", b"3"))]
        made = self.api.compose_file_set(file_set_ids=sets, ttl_seconds=60, compact=True)
        self.assertEqual(self.content(made.file_set_id), {"/a": b"12", "/b": b"3"})

    def test_shard_file_set(self):
        fileset = self.make(*(add(f"/{n}", b"x") for n in range(6)))
        shards = self.api.shard_file_set(file_set_id=fileset, num_files=2).shards
        self.assertEqual(len(shards), 3)
        self.assertEqual((shards[0].lower, shards[-1].upper), ("", ""))
        self.assertEqual([s.upper for s in shards[:-1]], [s.lower for s in shards[1:]])


class RestOfPfs(SdkCase):
    service = "pfs"
    always_fail = {"activate_auth"}

    def test_activate_auth(self):
        with self.assertRaisesRegex(AuthServiceNotActivated, "auth service is not activated"):
            self.api.activate_auth()

    def test_check_storage(self):
        self.put(self.branch(), {"/a": b"1"})
        count = self.api.check_storage(read_chunk_data=True).chunk_object_count
        self.assertGreater(count, 0)
        none = self.api.check_storage(chunk_begin=b"\xff" * 32).chunk_object_count
        self.assertEqual(none, 0)

    def test_fsck(self):
        self.derived()
        self.assertEqual(list(self.api.fsck()), [])

    def test_list_task(self):
        self.assertEqual(list(self.api.list_task(group=taskapi.Group(namespace="storage"))), [])

    def test_put_cache(self):
        key = name("key")
        self.api.put_cache(key=key, value=Any(type_url="t", value=b"v"), tag="sdk")
        self.assertEqual(self.client.pfs.get_cache(key=key).value.value, b"v")

    def test_get_cache(self):
        key = name("key")
        with self.fails("UNKNOWN", "sql: no rows in result set"):
            self.api.get_cache(key=key)
        self.client.pfs.put_cache(key=key, value=Any(type_url="t"), tag="sdk")
        self.assertEqual(self.api.get_cache(key=key).value.type_url, "t")

    def test_clear_cache(self):
        key, tag = name("key"), name("tag")
        self.client.pfs.put_cache(key=key, value=Any(type_url="t"), tag=tag)
        self.api.clear_cache(tag_prefix=tag)
        with self.fails("UNKNOWN", "sql: no rows in result set"):
            self.client.pfs.get_cache(key=key)

    def test_egress(self):
        self.use_own_server("--allow-file-urls", "1")
        commit = self.put(self.branch(), {"/d/a": b"12", "/b": b"3"})
        folder = pathlib.Path(self.folder())
        target = pfs.ObjectStorageEgress(url=folder.as_uri())
        answer = self.api.egress(commit=commit, object_storage=target)
        self.assertEqual(answer.object_storage.bytes_written, 3)
        self.assertEqual((folder / "d/a").read_bytes(), b"12")

    def test_delete_all(self):
        self.use_own_server()
        self.client.pfs.create_project(project=pfs.Project(name="p"))
        self.derived()
        self.api.delete_all()
        self.assertEqual(list(self.client.pfs.list_repo()), [])
        projects = [info.project.name for info in self.client.pfs.list_project()]
        self.assertEqual(projects, ["default"])


class TransactionMethods(SdkCase):
    service = "transaction"

    def tearDown(self):
        self.client.transaction_id = ""

    def started(self):
        transaction = self.client.transaction.start_transaction()
        return transaction

    def test_start_transaction(self):
        transaction = self.api.start_transaction()
        self.assertEqual(self.client.transaction_id, transaction.id)

    def test_finish_transaction(self):
        transaction = self.started()
        repo = self.repo()
        self.assertFalse(self.server.client().pfs.repo_exists(repo))
        info = self.api.finish_transaction(transaction=transaction)
        self.assertEqual((len(info.requests), len(info.responses)), (1, 1))
        self.assertTrue(self.client.pfs.repo_exists(repo))

    def test_inspect_transaction(self):
        transaction = self.started()
        repo = self.repo()
        info = self.api.inspect_transaction(transaction=transaction)
        self.assertEqual([r.create_repo.repo for r in info.requests], [repo])
        self.assertEqual(info.version, 1)

    def test_delete_transaction(self):
        transaction = self.started()
        self.api.delete_transaction(transaction=transaction)
        self.assertFalse(self.client.transaction.transaction_exists(transaction))

    def test_list_transaction(self):
        transaction = self.started()
        infos = self.api.list_transaction().transaction_info
        self.assertIn(transaction.id, [info.transaction.id for info in infos])

    def test_batch_transaction(self):
        branch = self.branch()
        start = pfs.StartCommitRequest(branch=branch)
        info = self.api.batch_transaction(requests=[tx.TransactionRequest(start_commit=start)])
        self.assertEqual(info.responses[0].commit.id, info.transaction.id)
        self.assertTrue(self.client.pfs.commit_exists(info.responses[0].commit))

    def test_delete_all(self):
        self.use_own_server()
        self.started()
        self.api.delete_all()
        self.assertEqual(self.client.transaction.list_transaction().transaction_info, [])

    def test_transaction(self):
        with self.api.transaction() as transaction:
            repo = self.repo()
            commit = self.client.pfs.start_commit(branch=pfs.Branch(repo=repo, name="m"))
        self.assertEqual(commit.id, transaction.id)
        self.assertTrue(self.client.pfs.commit_exists(commit))

    def test_transaction_exists(self):
        self.assertTrue(self.api.transaction_exists(self.started()))
        self.assertFalse(self.api.transaction_exists(tx.Transaction(id=uuid.uuid4().hex)))


class StorageMethods(SdkCase):
    service = "storage"

    def make(self, **files):
        steps = (
            storage.CreateFilesetRequest(
                append_file=storage.AppendFile(path="/" + path, data=data)
            )
            for path, data in files.items()
        )
        return self.client.storage.create_fileset(steps).fileset_id

    def content(self, fileset, *filters):
        pieces = self.client.storage.read_fileset(fileset_id=fileset, filters=list(filters))
        return {piece.path: piece.data for piece in pieces}

    def test_create_fileset(self):
        step = storage.CreateFilesetRequest(
            append_file=storage.AppendFile(path="/a", data=b"1")
        )
        made = self.api.create_fileset(iter([step]))
        self.assertEqual(self.content(made.fileset_id), {"/a": b"1"})

    def test_read_fileset(self):
        only = storage.FileFilter(path_regex="^/[ab]$")
        pieces = self.api.read_fileset(
            fileset_id=self.make(a=b"1", b=b"2", c=b"3"), filters=[only]
        )
        self.assertEqual({p.path: p.data for p in pieces}, {"/a": b"1", "/b": b"2"})

    def test_renew_fileset(self):
        self.api.renew_fileset(fileset_id=self.make(a=b"1"), ttl_seconds=60)

    def test_compose_fileset(self):
        sets = [self.make(a=b"1"), self.make(b=b"2")]
        made = self.api.compose_fileset(fileset_ids=sets, ttl_seconds=60).fileset_id
        self.assertEqual(self.content(made), {"/a": b"1", "/b": b"2"})

    def test_shard_fileset(self):
        shards = self.api.shard_fileset(fileset_id=self.make(a=b"1", b=b"2"), num_files=1)
        self.assertEqual(len(shards.shards), 2)


    # --- files by recipes ---

    def big(self):
        data = bytes(range(256)) * (30 * 1024 * 4)  # 30 MiB, in several chunks
        pieces = [data[i : i + 4 * 2**20] for i in range(0, len(data), 4 * 2**20)]
        steps = (
            storage.CreateFilesetRequest(append_file=storage.AppendFile(path="/d/big", data=p))
            for p in pieces
        )
        return data, self.client.storage.create_fileset(steps).fileset_id

    def test_read_fileset_cdr(self):
        data, fileset = self.big()
        (big,) = self.api.read_fileset_cdr(fileset_id=fileset)
        self.assertEqual(big.path, "/d/big")
        self.assertGreater(len(big.ref.concat.refs), 1)
        resolved = CdrResolver().resolve(big.ref)
        self.assertEqual(resolved, data)
        named = self.make(**{"a b#%&:;.txt": b"odd name", "empty": b""})
        odd, empty = self.api.read_fileset_cdr(fileset_id=named)
        self.assertEqual(CdrResolver().resolve(odd.ref), b"odd name")
        self.assertEqual((empty.path, empty.ref.concat.refs), ("/empty", []))
        only = storage.FileFilter(path_regex="^/e")
        chosen = self.api.read_fileset_cdr(fileset_id=named, filters=[only])
        self.assertEqual([message.path for message in chosen], ["/empty"])

    def test_assemble_fileset(self):
        data, fileset = self.big()
        folder, cache = pathlib.Path(self.folder()), pathlib.Path(self.folder())
        self.api.assemble_fileset(fileset, "/", folder, cache_location=cache)
        self.assertEqual((folder / "d/big").read_bytes(), data)
        self.assertGreater(len(list(cache.iterdir())), 1)

    def test_fetch_chunks(self):
        data, fileset = self.big()
        folder, cache = pathlib.Path(self.folder()), pathlib.Path(self.folder())
        stray = cache / "blake2b_256_0"
        stray.write_bytes(b"")
        self.api.fetch_chunks(fileset, "/d", cache_location=cache, prune=True)
        self.assertFalse(stray.exists())
        self.client.storage.assemble_fileset(
            fileset, "/d", folder, cache_location=cache, fetch_missing_chunks=False
        )
        self.assertEqual((folder / "d/big").read_bytes(), data)


class SmallServices(SdkCase):
    service = "metadata"

    def test_edit_metadata(self):
        repo = self.repo()
        edit = metadata.Edit(
            repo=repo.as_picker(), add_key=metadata.EditAddKey(key="k", value="v")
        )
        self.api.edit_metadata(edits=[edit])
        self.assertEqual(self.client.pfs.inspect_repo(repo=repo).metadata, {"k": "v"})


class AdminMethods(SdkCase):
    service = "admin"

    def test_inspect_cluster(self):
        info = self.api.inspect_cluster()
        self.assertRegex(info.id, "^[0-9a-f]{32}$")
        self.assertTrue(info.warnings_ok)
        self.assertRegex("".join(info.warnings), "^WARNING: .* is much older than the server; ")
        self.assertEqual(info.deployment_id, self.api.inspect_cluster().deployment_id)

    def test_restart_pachyderm(self):
        self.use_own_server()
        self.api.restart_pachyderm(reason="why")
        info = self.client.admin.inspect_cluster()
        self.assertEqual((info.pending_restart, info.restart_info), (True, "why by <unknown>"))


class VersionMethods(SdkCase):
    service = "version"

    def use(self, client):
        client.version = version.ApiStub(client._channel)
        super().use(client)

    def test_get_version(self):
        answer = self.api.get_version()
        self.assertEqual((answer.major, answer.minor), (2, 13))
        self.assertEqual(self.client.get_version(), answer)


if __name__ == "__main__":
    unittest.main()
