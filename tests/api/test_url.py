"""Files that the server fetches: over HTTP through all kinds of trouble, from object stores, from its own disk."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

from grpc import StatusCode
from pachyderm_sdk.api import pfs

from harness import ApiTest, Server, name
from peers import (Azure, Moto, Web, answer, broken, content, in_turn, ranged, status)

DATA = bytes(range(256)) * 8192  # 2 MiB


class UrlCase(ApiTest):
    """Tests against a server of the class's own: `args` and `env()`."""

    args = ()

    @classmethod
    def env(cls):
        return {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.own = Server(args=cls.args, env=cls.env())
        cls.addClassCleanup(cls.own.clean)
        cls.addClassCleanup(cls.own.stop)

    def setUp(self):
        super().setUp()
        self.server, self.client = self.own, self.own.client()
        self.addCleanup(self.client._channel.close)
        self.repo = name()
        self.client.pfs.create_repo(repo=pfs.Repo.from_uri(self.repo))

    @property
    def modify(self):
        """ModifyFile as gRPC has it: with a timeout, and as a call that can be cancelled."""
        return self.client._channel.stream_unary(
            "/pfs_v2.API/ModifyFile", request_serializer=bytes, response_deserializer=bytes)

    def messages(self, url, path="/f", **source):
        """Those of a stream that makes a commit of its own on master."""
        branch = pfs.Branch.from_uri(f"{self.repo}@master")
        yield pfs.ModifyFileRequest(set_commit=pfs.Commit(repo=branch.repo, branch=branch))
        yield pfs.ModifyFileRequest(add_file=pfs.AddFile(
            path=path, url=pfs.AddFileUrlSource(url=url, **source)))

    def put(self, url, path="/f", timeout=60, **source):
        self.modify(self.messages(url, path, **source), timeout=timeout)

    def read(self, path="/f"):
        with self.client.pfs.pfs_file(
                file=pfs.File.from_uri(f"{self.repo}@master:{path}")) as file:
            return file.read()

    def paths(self):
        files = self.client.pfs.walk_file(file=pfs.File.from_uri(f"{self.repo}@master:/"))
        return sorted(f.file.path for f in files if f.file_type == pfs.FileType.FILE)

    def refused(self, code, text):
        return self.fails(code.name, text)


class WebCase(UrlCase):
    def setUp(self):
        super().setUp()
        self.web = Web()
        self.addCleanup(self.web.stop)


class Http(WebCase):
    args = ("--url-stall-seconds", "30", "--url-tries", "3")

    def test_content_arrives(self):
        self.put(self.web.on("/a", content(DATA)))
        self.assertEqual(self.read(), DATA)

    def test_an_empty_body_makes_an_empty_file(self):
        self.put(self.web.on("/a", content(b"")))
        self.assertEqual((self.paths(), self.read()), (["/f"], b""))

    def test_content_is_appended(self):
        url = self.web.on("/a", in_turn(content(b"one"), content(b"two")))
        self.put(url)
        self.put(url)
        self.assertEqual(self.read(), b"onetwo")

    def test_a_missing_page_undoes_all(self):
        url = f"http://{self.web.address}/none?token=x"
        shown = f"http://{self.web.address}/none"
        with self.refused(StatusCode.NOT_FOUND,
                          f'error retrieving content from "{shown}": 404 Not Found'):
            with self.client.pfs.commit(
                    branch=pfs.Branch.from_uri(f"{self.repo}@master")) as commit:
                commit.put_file_from_bytes(path="/kept", data=b"1")
                commit.put_file_from_url(path="/f", url=url)
        self.assertEqual(self.web.count("/none"), 1)
        self.assertNotIn("token", self.server.read_log())

    def test_passing_failures_are_tried_again(self):
        self.put(self.web.on("/a", in_turn(status(503), status(429, [("Retry-After", "0")]),
                                           content(b"at last"))))
        self.assertEqual((self.read(), self.web.count("/a")), (b"at last", 3))

    def test_lasting_ones_end(self):
        with self.refused(StatusCode.UNAVAILABLE, "503 Service Unavailable"):
            self.put(self.web.on("/a", status(503)))
        self.assertEqual(self.web.count("/a"), 3)

    def test_nobody_there(self):
        url = self.web.on("/a", content(b""))
        self.web.stop()
        with self.refused(StatusCode.UNAVAILABLE, f'error retrieving content from "{url}"'):
            self.put(url)

    def test_what_broke_off_is_resumed(self):
        tag = [("ETag", '"v1"')]
        self.put(self.web.on("/a", in_turn(broken(DATA, 300_000, tag), ranged(DATA, '"v1"'))))
        self.assertEqual(self.read(), DATA)
        first, second = (headers for path, headers in self.web.seen if path == "/a")
        self.assertNotIn("Range", first)
        self.assertEqual((second["Range"], second["If-Range"]), ("bytes=300000-", '"v1"'))

    def test_a_server_without_ranges_begins_again(self):
        tag = [("ETag", '"v1"')]
        self.put(self.web.on("/a", in_turn(broken(DATA, 300_000, tag), content(DATA, tag))))
        self.assertEqual(self.read(), DATA)

    def test_what_changed_meanwhile_is_not_mixed(self):
        for later in ranged(DATA, '"v2"'), content(DATA, [("ETag", '"v2"')]), content(DATA):
            url = self.web.on("/a", in_turn(broken(DATA, 300_000, [("ETag", '"v1"')]), later))
            with self.refused(StatusCode.ABORTED, "it changed while it was read"):
                self.put(url)

    def test_without_a_name_for_its_bytes_it_cannot_be_resumed(self):
        for tag in [], [("ETag", 'W/"weak"')]:
            with self.refused(StatusCode.UNAVAILABLE, "broke off after 300000 bytes"):
                self.put(self.web.on("/a", broken(DATA, 300_000, tag)))

    def test_redirects(self):
        self.web.on("/there", content(b"here"))
        self.put(self.web.on("/a", status(302, [("Location", "/there")])))
        self.assertEqual(self.read(), b"here")
        for target, text in (("file:///etc/passwd", "file"), ("/loop", "redirects")):
            url = self.web.on("/loop", status(302, [("Location", target)]))
            with self.refused(StatusCode.UNAVAILABLE, text):
                self.put(url)

    def test_a_deadline_ends_what_hangs(self):
        entered = threading.Event()

        def hang(request):
            entered.set()
            self.web.gone.wait()

        url = self.web.on("/a", hang)
        with self.refused(StatusCode.DEADLINE_EXCEEDED, ""):
            self.put(url, timeout=1)
        self.assertTrue(entered.is_set())
        self.until_no_couriers()

    def test_a_call_that_is_cancelled_ends(self):
        entered = threading.Event()

        def hang(request):
            entered.set()
            self.web.gone.wait()

        url = self.web.on("/a", hang)
        call = self.modify.future(self.messages(url))
        self.assertTrue(entered.wait(20))
        self.assertEqual(len(self.couriers()), 1)
        call.cancel()
        self.until_no_couriers()

    def test_a_helper_that_dies_is_told_of(self):
        def kill(request):
            for pid in self.couriers():
                os.kill(pid, signal.SIGKILL)
            self.web.gone.wait()

        with self.refused(StatusCode.UNAVAILABLE, "its process ended"):
            self.put(self.web.on("/a", kill))
        self.put(self.web.on("/b", content(b"fine")))
        self.assertEqual(self.read(), b"fine")

    def test_what_is_no_url(self):
        for url, code, text in (
                ("nowhere://a/b", StatusCode.UNKNOWN, "unrecognized object store: nowhere"),
                ("a/b", StatusCode.UNKNOWN, "unrecognized object store: "),
                ("s3:///key", StatusCode.INVALID_ARGUMENT, "names no valid bucket"),
                ("s3://b/%zz", StatusCode.INVALID_ARGUMENT, "bad percent-escape"),
                ("s3://b/k?endpoint=evil", StatusCode.INVALID_ARGUMENT, "'endpoint' is not known"),
                ("http://", StatusCode.INVALID_ARGUMENT, "names no host"),
                ("file:///etc/passwd", StatusCode.UNIMPLEMENTED, "not enabled on this server")):
            with self.subTest(url), self.refused(code, text):
                self.put(url)

    def test_a_path_is_checked_before_anything_is_asked(self):
        url = self.web.on("/a", content(b""))
        with self.refused(StatusCode.UNKNOWN, "globbing character"):
            self.put(url, path="/a*")
        self.assertEqual(self.web.seen, [])

    def test_clouds_keep_their_secrets(self):
        with self.refused(StatusCode.PERMISSION_DENIED,
                          "address 169.254.169.254 may not be reached from this server"):
            self.put("http://169.254.169.254/latest/meta-data/")
        with self.refused(StatusCode.PERMISSION_DENIED, "may not be reached"):
            self.put(self.web.on("/a", status(302, [("Location", "http://169.254.169.254/")])))

    # --- what the tests above share ---

    def couriers(self):
        """The helpers of the server that run."""
        found = []
        for task in pathlib.Path(f"/proc/{self.server.process.pid}/task").iterdir():
            for pid in (task / "children").read_text().split():
                if "pcv-courier" in pathlib.Path(f"/proc/{pid}/comm").read_text():
                    found.append(int(pid))
        return found

    def until_no_couriers(self):
        for _ in range(3000):
            if not self.couriers():
                return
            threading.Event().wait(0.01)
        self.fail("a helper still runs")


class Impatient(WebCase):
    args = ("--url-stall-seconds", "1", "--url-tries", "2")

    def test_what_moves_nothing_is_tried_again(self):
        def stall(request):
            answer(request, 200, DATA[:1000], [("ETag", '"v1"')], length=len(DATA))
            request.wfile.flush()
            self.web.gone.wait()

        self.put(self.web.on("/a", in_turn(stall, ranged(DATA, '"v1"'))))
        self.assertEqual(self.read(), DATA)

    def test_not_for_ever(self):
        with self.refused(StatusCode.UNAVAILABLE, "nothing came for 1 seconds"):
            self.put(self.web.on("/a", lambda request: self.web.gone.wait() and None))


class Hosts(WebCase):
    args = ("--url-hosts", "localhost, 192.0.2.0/24")

    def test_only_listed_hosts_are_reached(self):
        url = self.web.on("/a", content(b"1"))
        with self.refused(StatusCode.PERMISSION_DENIED, "127.0.0.1 may not be reached"):
            self.put(url)
        by_name = url.replace("127.0.0.1", "localhost")
        self.put(by_name)
        self.assertEqual(self.read(), b"1")
        self.web.on("/b", status(302, [("Location", url)]))
        with self.refused(StatusCode.PERMISSION_DENIED, "127.0.0.1 may not be reached"):
            self.put(by_name.replace("/a", "/b"))


class Files(UrlCase):
    args = ("--allow-file-urls", "1")

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="pcv-url-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_one(self):
        (self.folder / "a b").write_bytes(DATA)
        self.put(f"file://{self.folder}/a%20b")
        self.assertEqual(self.read(), DATA)

    def test_a_folder(self):
        (self.folder / "d/e").mkdir(parents=True)
        for path in ("d/1", "d/e/2", "other"):
            (self.folder / path).write_text(path)
        (self.folder / "d/link").symlink_to("/etc/passwd")
        self.put(f"file://{self.folder}/d/", path="/in", recursive=True)
        self.assertEqual(self.paths(), ["/in/1", "/in/e/2"])
        self.assertEqual(self.read("/in/e/2"), b"d/e/2")

    def test_what_is_no_file(self):
        os.mkfifo(self.folder / "pipe")
        with self.refused(StatusCode.INVALID_ARGUMENT, "is no regular file"):
            self.put(f"file://{self.folder}/pipe")
        with self.refused(StatusCode.NOT_FOUND, "could not open file"):
            self.put(f"file://{self.folder}/none")


class AtOnce(UrlCase):
    """How many objects are fetched at the same time: each waits until enough others were asked for."""

    OBJECT_BYTES = 100_000

    @classmethod
    def env(cls):
        cls.web = Web()
        cls.addClassCleanup(cls.web.stop)
        return {"AWS_ENDPOINT_URL": f"http://{cls.web.address}", "AWS_ACCESS_KEY_ID": "x",
                "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}

    def fetch(self, n, held, **source):
        """Of n objects, none is answered before `held` were asked for at once. Gives how many were
        at most."""
        here = threading.Condition()
        state = {"now": 0, "most": 0}
        keys = [f"{i:05}" for i in range(n)]
        bucket = name("b")
        listing = "".join(f"<Contents><Key>{key}</Key><Size>{self.OBJECT_BYTES}</Size></Contents>"
                          for key in keys)
        listed = content(f"<ListBucketResult><IsTruncated>false</IsTruncated>{listing}"
                         "</ListBucketResult>".encode())

        def give(request):
            with here:
                state["now"] += 1
                state["most"] = max(state["most"], state["now"])
                here.notify_all()
                enough = here.wait_for(lambda: state["most"] >= held, timeout=60)
            with here:
                state["now"] -= 1
            answer(request, 200 if enough else 500, b"x" * self.OBJECT_BYTES)

        for path in f"/{bucket}", f"/{bucket}/":
            self.web.on(path, listed)
        for key in keys:
            self.web.on(f"/{bucket}/{key}", give)
        self.put(f"s3://{bucket}/", path="/", recursive=True, timeout=120, **source)
        self.assertEqual(self.paths(), ["/" + key for key in keys])
        return state["most"]

    def test_fifty_unless_said(self):
        self.assertEqual(self.fetch(60, 50), 50)

    def test_as_many_as_are_asked_for(self):
        self.assertEqual(self.fetch(5, 1, concurrency=1), 1)
        self.assertEqual(self.fetch(130, 120, concurrency=120), 120)

    def test_a_thousand_at_most(self):
        before = self.memory("VmRSS")
        self.assertEqual(self.fetch(1010, 1000, concurrency=1_000_000), 1000)
        self.assertLess(self.memory("VmHWM") - before, 64 << 20)

    def memory(self, field):
        text = pathlib.Path(f"/proc/{self.server.process.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) << 10 for line in text.splitlines()
                    if line.startswith(field))


class S3(UrlCase):
    """Signed requests to an S3 that checks them."""

    @classmethod
    def env(cls):
        cls.moto = Moto()
        cls.addClassCleanup(cls.moto.stop)
        cls.moto.check_signatures()
        cls.env_of = cls.moto.env(MINIO_ID=cls.moto.keys[0], MINIO_SECRET=cls.moto.keys[1],
                            GS_ACCESS_KEY_ID=cls.moto.keys[0],
                            GS_SECRET_ACCESS_KEY=cls.moto.keys[1], GS_ENDPOINT_URL=cls.moto.url)
        return cls.env_of

    def setUp(self):
        super().setUp()
        self.s3 = self.moto.client()
        self.bucket = name("b")
        self.s3.create_bucket(Bucket=self.bucket)

    def store(self, **objects):
        for key, data in objects.items():
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=data)

    def stored(self):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return {key: self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
                for key in keys}

    def export(self, url, path="/", tar=True):
        file = pfs.File.from_uri(f"{self.repo}@master:{path}")
        call = self.client.pfs.get_file_tar if tar else self.client.pfs.get_file
        self.assertEqual(list(call(file=file, url=url)), [])

    def commit(self, files):
        with self.client.pfs.commit(branch=pfs.Branch.from_uri(f"{self.repo}@master")) as commit:
            for path, data in files.items():
                commit.put_file_from_bytes(path=path, data=data)
        return commit

    def test_one_object(self):
        self.store(**{"a/b c+d&e=f~'(!)": DATA})
        self.put(f"s3://{self.bucket}/a/b c+d&e=f~'(!)")
        self.assertEqual(self.read(), DATA)

    def test_by_other_names(self):
        self.store(k=b"1")
        for url in (f"gs://{self.bucket}/k", f"minio://{self.moto.address}/{self.bucket}/k",
                    f"test-minio://{self.moto.address}/{self.bucket}/k/"):
            self.put(url, path="/" + url.split(":")[0])
        self.assertEqual(self.paths(), ["/gs", "/minio", "/test-minio"])

    def test_what_is_not_there(self):
        with self.refused(StatusCode.NOT_FOUND,
                          f'error retrieving content from "s3://{self.bucket}/none": '
                          "404 Not Found: NoSuchKey"):
            self.put(f"s3://{self.bucket}/none")
        with self.refused(StatusCode.NOT_FOUND, "404 Not Found: NoSuchBucket"):
            self.put("s3://no-such-bucket-here/", recursive=True)

    def test_a_prefix(self):
        self.store(**{"dir/1": b"a", "dir/x/2": b"b", "dir2/3": b"c", "dir/empty/": b"",
                      "other": b"d"})
        self.put(f"s3://{self.bucket}/dir", path="/in", recursive=True)
        self.assertEqual(self.paths(), ["/in/1", "/in/2/3", "/in/x/2"])
        self.put(f"s3://{self.bucket}/", path="/", recursive=True, concurrency=2)
        self.assertEqual(self.read("/other"), b"d")

    def test_a_key_that_is_no_path_undoes_all(self):
        self.store(**{"d/1": b"a", "d/../2": b"b"})
        with self.refused(StatusCode.UNKNOWN, "relative file paths are not allowed"):
            self.put(f"s3://{self.bucket}/d", path="/in", recursive=True)

    def test_many_objects(self):
        n = 5 * self.moto.page + 1
        self.store(**{f"many/{i:04}": b"%d" % i for i in range(n)})
        self.put(f"s3://{self.bucket}/many", path="/", recursive=True)
        self.assertEqual(self.paths(), [f"/{i:04}" for i in range(n)])
        self.assertEqual(self.read("/0077"), b"77")

    def test_export(self):
        big = os.urandom(20_000_000)  # in three parts
        self.commit({"/a": b"1", "/d/e": b"", "/d/big": big, "/f g&h=%~": b"2"})
        self.store(**{"out/a": b"old", "out/kept": b"3"})
        self.export(f"s3://{self.bucket}/out/")
        self.assertEqual(self.stored(), {"out/a": b"1", "out/d/e": b"", "out/d/big": big,
                                         "out/f g&h=%~": b"2", "out/kept": b"3"})

    def test_export_of_what_matches(self):
        self.commit({"/a.txt": b"1", "/b.md": b"2", "/c.txt": b"3"})
        self.export(f"s3://{self.bucket}", path="/*.txt", tar=False)
        self.assertEqual(self.stored(), {"a.txt": b"1", "c.txt": b"3"})
        with self.refused(StatusCode.NOT_FOUND, "file /none not found in repo"):
            self.export(f"s3://{self.bucket}", path="/none")
        with self.refused(StatusCode.UNKNOWN, "unrecognized object store: http"):
            self.export("http://a/b")

    def test_egress(self):
        commit = self.commit({"/a": b"123", "/d/b": b"45"})
        result = self.client.pfs.egress(
            commit=commit, object_storage=pfs.ObjectStorageEgress(url=f"s3://{self.bucket}/e"))
        self.assertEqual(result.object_storage.bytes_written, 5)
        self.assertEqual(self.stored(), {"e/a": b"123", "e/d/b": b"45"})

    def courier(self, **request):
        """One request to the helper itself, and all it answers: what no call of the API asks for."""
        path = os.path.join(os.path.dirname(os.environ["PCVD"]), "pcv-courier")
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2)]
        ours, theirs = zip(*pairs)
        process = subprocess.Popen([path], stdin=theirs[0], env=dict(os.environ, **self.env_of))
        text = json.dumps({"key": None, "hosts": "", "files": False, "tries": 1,
                           "stall_seconds": 30, **request})
        socket.send_fds(ours[0], [text.encode()], [theirs[1].fileno()])
        for end in theirs:
            end.close()
        answer = []
        while not answer or answer[-1][:1] not in b"kf":
            answer.append(ours[1].recv(65536))
        for end in ours:
            end.close()
        self.assertEqual(process.wait(), 0)
        return b"".join(answer)

    def test_ranges_and_deletes(self):
        self.store(k=b"0123456789", other=b"1")
        url = f"s3://{self.bucket}/"
        for offset, size, data in (3, 4, b"d3456"), (8, 5, b"d89"), (4, -1, b"d456789"), (10, 5, b""):
            self.assertEqual(self.courier(op="get", url=url, key="k", offset=offset, size=size),
                             data + b"k{}")
        self.assertEqual(self.courier(op="delete", url=url, key="k"), b"k{}")
        self.assertEqual(self.courier(op="delete", url=url, key="k"), b"k{}")
        self.assertEqual(list(self.stored()), ["other"])
        self.assertIn(b"is not possible for 'http://' URLs", self.courier(op="delete", url="http://a"))

    def test_a_failed_export_leaves_no_parts(self):
        self.commit({"/big": os.urandom(9_000_000)})
        with self.refused(StatusCode.NOT_FOUND, "could not export file '/big'"):
            self.export("s3://no-such-bucket-here/x")
        self.assertEqual(self.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", []), [])


class S3Refused(UrlCase):
    """A wrong secret."""

    @classmethod
    def env(cls):
        cls.moto = Moto()
        cls.addClassCleanup(cls.moto.stop)
        cls.moto.client().create_bucket(Bucket="private")
        cls.moto.check_signatures()
        return cls.moto.env(AWS_SECRET_ACCESS_KEY="wrong", MINIO_ENDPOINT="127.0.0.1:1")

    def test_the_store_says_why(self):
        with self.refused(StatusCode.PERMISSION_DENIED, "403 Forbidden: SignatureDoesNotMatch"):
            self.put("s3://private/k")

    def test_credentials_go_to_their_own_server_only(self):
        with self.refused(StatusCode.PERMISSION_DENIED, "is not this server's MINIO_ENDPOINT"):
            self.put(f"minio://{self.moto.address}/private/k")


class AzureBlobs(UrlCase):
    @classmethod
    def env(cls):
        cls.azure = Azure()
        cls.addClassCleanup(cls.azure.stop)
        return cls.azure.env()

    def test_there_and_back(self):
        big = os.urandom(9_000_000)
        files = {"/a b&c=%d;": b"1", "/d/big": big, "/d/empty": b"", "/e/f": b"2"}
        with self.client.pfs.commit(branch=pfs.Branch.from_uri(f"{self.repo}@master")) as commit:
            for path, data in files.items():
                commit.put_file_from_bytes(path=path, data=data)
        result = self.client.pfs.egress(
            commit=commit, object_storage=pfs.ObjectStorageEgress(url="azblob://box/out"))
        self.assertEqual(result.object_storage.bytes_written, 9_000_002)
        self.assertEqual(self.azure.blobs, {"/box/out" + path: data for path, data in files.items()})
        self.put("wasb://box@tester.blob.core.windows.net/out", path="/again", recursive=True)
        self.put("az://box/out/a b&c=%25d;", path="/one")
        self.assertEqual(self.paths()[1:], sorted(["/again" + path for path in files]
                                                  + ["/one"] + list(files))[1:])
        self.assertEqual((self.read("/again/d/big"), self.read("/one")), (big, b"1"))
        self.assertEqual(self.azure.refused, [])

    def test_what_is_not_there(self):
        with self.refused(StatusCode.NOT_FOUND, "BlobNotFound: The blob does not exist."):
            self.put("az://box/none")


if __name__ == "__main__":
    unittest.main()
