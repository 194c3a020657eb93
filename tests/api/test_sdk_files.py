"""The client's methods of pfs on files."""

import io
import os
import pathlib
import tarfile

from harness import unittest
from pachyderm_sdk.api import pfs
from sdk_case import SdkCase


def paths(infos):
    return [info.file.path for info in infos]


class WriteMethods(SdkCase):
    service = "pfs"

    def setUp(self):
        super().setUp()
        self.commit = self.client.pfs.start_commit(branch=self.branch())

    def test_modify_file(self):
        steps = [
            pfs.ModifyFileRequest(set_commit=self.commit),
            pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/a", raw=b"1")),
            pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/a", raw=b"2")),
            pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/b", raw=b"x")),
            pfs.ModifyFileRequest(delete_file=pfs.DeleteFile(path="/b")),
        ]
        self.api.modify_file(iter(steps))
        self.assertEqual(self.files(self.commit), {"/a": b"12"})

    def test_put_file_from_bytes(self):
        for data, append in ((b"1", False), (b"2", True), (b"3", True)):
            self.api.put_file_from_bytes(
                commit=self.commit, path="/a", data=data, append=append
            )
        self.assertEqual(self.files(self.commit), {"/a": b"123"})
        self.api.put_file_from_bytes(commit=self.commit, path="/a", data=b"new")
        self.assertEqual(self.files(self.commit), {"/a": b"new"})

    def test_put_file_from_file(self):
        data = os.urandom(2**16) * 16 * 25  # more than one message
        self.api.put_file_from_file(commit=self.commit, path="/big", file=io.BytesIO(data))
        self.assertEqual(self.files(self.commit), {"/big": data})

    def test_put_file_from_url(self):
        self.use_own_server("--allow-file-urls", "1")
        self.commit = self.client.pfs.start_commit(branch=self.branch())
        source = pathlib.Path(self.folder()) / "source"
        source.write_bytes(b"from a url")
        self.api.put_file_from_url(commit=self.commit, path="/f", url=source.as_uri())
        self.assertEqual(self.files(self.commit), {"/f": b"from a url"})

    def test_put_files(self):
        folder = pathlib.Path(self.folder())
        (folder / "d").mkdir()
        (folder / "a").write_bytes(b"1")
        (folder / "d" / "b").write_bytes(b"2")
        self.api.put_files(commit=self.commit, source=folder, path="/to")
        self.assertEqual(self.files(self.commit), {"/to/a": b"1", "/to/d/b": b"2"})

    def test_copy_file(self):
        source = self.put(self.branch(), {"/d/a": b"1", "/d/b": b"2"})
        copy = lambda **more: self.api.copy_file(commit=self.commit, **more)
        copy(src=pfs.File(commit=source, path="/d"), dst="/e")
        copy(src=pfs.File(commit=source, path="/d/a"), dst="/e/b", append=True)
        self.assertEqual(self.files(self.commit), {"/e/a": b"1", "/e/b": b"21"})

    def test_delete_file(self):
        for path in ("/a", "/d/b", "/d/c"):
            self.client.pfs.put_file_from_bytes(commit=self.commit, path=path, data=b"x")
        self.api.delete_file(commit=self.commit, path="/d/")
        self.assertEqual(list(self.files(self.commit)), ["/a"])


class ReadMethods(SdkCase):
    service = "pfs"
    content = {"/a": b"1", "/d/b": b"22", "/d/c": b"333", "/e": b""}

    def setUp(self):
        super().setUp()
        self.master = self.branch()
        self.commit = self.put(self.master, self.content)

    def file(self, path):
        return pfs.File(commit=self.commit, path=path)

    def test_get_file(self):
        get = lambda path, **more: b"".join(
            piece.value for piece in self.api.get_file(file=self.file(path), **more)
        )
        self.assertEqual(get("/d/c"), b"333")
        self.assertEqual(get("/d/c", offset=1), b"33")
        self.assertEqual(get("/d/c", offset=99), b"")
        self.assertEqual(get("/e"), b"")
        self.assertEqual(get("/*/b"), b"22")

    def test_get_file_tar(self):
        stream = b"".join(p.value for p in self.api.get_file_tar(file=self.file("/d")))
        with tarfile.open(fileobj=io.BytesIO(stream)) as tar:
            members = {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}
        self.assertEqual(members, {"/d/b": b"22", "/d/c": b"333"})

    def test_pfs_file(self):
        with self.api.pfs_file(file=self.file("/d/c")) as file:
            self.assertEqual((file.read(2), file.read()), (b"33", b"3"))

    def test_pfs_tar_file(self):
        with self.api.pfs_tar_file(file=self.file("/")) as tar:
            names = {member.name for member in tar if member.isfile()}
        self.assertEqual(names, {path.lstrip("/") for path in self.content})

    def test_inspect_file(self):
        info = self.api.inspect_file(file=self.file("/d"))
        self.assertEqual((info.file.path, info.size_bytes), ("/d/", 5))
        self.assertEqual((info.file_type, len(info.hash)), (pfs.FileType.DIR, 32))
        self.assertEqual(self.api.inspect_file(file=self.file("/a")).file.datum, "default")

    def test_path_exists(self):
        for path, there in {"/a": True, "/d": True, "/d/": True, "/none": False}.items():
            self.assertEqual(self.api.path_exists(self.file(path)), there)

    def test_list_file(self):
        listed = lambda **more: paths(self.api.list_file(file=self.file("/"), **more))
        self.assertEqual(listed(), ["/a", "/d/", "/e"])
        after = self.file("/a")
        self.assertEqual(listed(pagination_marker=after, number=1), ["/d/"])
        self.assertEqual(listed(number=2, reverse=True), ["/e", "/d/"])
        before = self.file("/d/")
        self.assertEqual(listed(pagination_marker=before, number=5, reverse=True), ["/a"])

    def test_walk_file(self):
        walked = lambda path, **more: paths(self.api.walk_file(file=self.file(path), **more))
        self.assertEqual(walked("/"), ["/", "/a", "/d/", "/d/b", "/d/c", "/e"])
        self.assertEqual(walked("/d", number=2), ["/d/", "/d/b"])
        self.assertEqual(walked("/d", number=2, reverse=True), ["/d/c", "/d/b"])

    def test_glob_file(self):
        glob = lambda pattern, **more: paths(
            self.api.glob_file(commit=self.commit, pattern=pattern, **more)
        )
        self.assertEqual(glob("*"), ["/a", "/d/", "/e"])
        self.assertEqual(glob("/d/[!c]"), ["/d/b"])
        self.assertEqual(glob("**c"), ["/d/c"])
        upper = pfs.PathRange(lower="/b", upper="/d/c")
        self.assertEqual(glob("**", path_range=upper), ["/d/", "/d/b"])

    def test_diff_file(self):
        new = self.put(self.master, {"/d/b": b"other", "/z": b"9"}, delete=["/a"])
        diff = list(self.api.diff_file(new_file=pfs.File(commit=new, path="/")))
        told = [(d.new_file and d.new_file.file.path, d.old_file and d.old_file.file.path)
                for d in diff]
        self.assertEqual(
            [(new or None, old or None) for new, old in told],
            [("/", "/"), (None, "/a"), ("/d/", "/d/"), ("/d/b", "/d/b"), ("/z", None)],
        )
        same = self.api.diff_file(
            new_file=pfs.File(commit=new, path="/d/c"), old_file=self.file("/d/c")
        )
        self.assertEqual(list(same), [])


if __name__ == "__main__":
    unittest.main()
