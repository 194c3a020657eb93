"""Writing through S3: puts, copies, deletes, checksums, framings; by boto3 and by hand."""

import base64
import hashlib
import hmac
import http.client
import socket
import zlib
from datetime import datetime, timezone

from harness import name as unique
from pachyderm_sdk.api import pfs, pps
from s3_case import S3Case


class PutTest(S3Case):
    def setUp(self):
        super().setUp()
        self.bucket = self.made()

    def put_object(self, key="k", body=b"x", **more):
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **more)

    def commits(self):
        repo = self.bucket.split(".")[1]
        return list(self.client.pfs.list_commit(repo=pfs.Repo.from_uri(repo)))

    def test_put_and_get(self):
        answer = self.put_object("d/k", b"hello")
        got = self.s3.get_object(Bucket=self.bucket, Key="d/k")
        self.assertEqual((got["Body"].read(), got["ETag"]), (b"hello", answer["ETag"]))
        self.assertEqual(self.commits()[0].commit.id, answer["VersionId"])
        again = self.put_object("d/k", b"other")
        self.assertEqual(self.read(self.bucket, "d/k"), b"other")
        self.assertEqual(self.read(self.bucket, "d/k", VersionId=answer["VersionId"]), b"hello")
        self.assertNotEqual(answer["ETag"], again["ETag"])

    def test_sizes(self):
        for size in (0, 1, 2047, 2049, 100_000, 9_000_000):
            data = bytes(i * 31 % 253 for i in range(min(size, 1000))) * (size // 1000 + 1)
            data = data[:size]
            self.put_object("k", data)
            self.assertEqual(self.read(self.bucket, "k"), data)
            self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="k")["ContentLength"], size)

    def test_a_folder_is_an_empty_file(self):
        self.put_object("folder/", b"")
        self.assertEqual(self.keys(self.bucket), ["folder"])

    def test_bad_keys(self):
        for key in ("a*b", "a//b", "../a", "a/./b", "gr\u00fc\u00df", "a\tb", "//"):
            message = self.refuses("InvalidFilePath", 400, self.put_object, key=key)
            self.assertEqual(message, "Invalid file path")
        self.assertEqual(self.keys(self.bucket), [])

    def test_a_file_is_no_folder(self):
        self.put_object("a", b"1")
        before = len(self.commits())
        for key in ("a/x", "a/x/y"):
            self.assertIn("non-directory parent", self.refuses("InvalidFilePath", 400,
                                                               self.put_object, key=key))
        self.put_object("d/x", b"1")
        self.refuses("InvalidFilePath", 400, self.put_object, key="d")
        self.assertEqual(len(self.commits()), before + 1)
        self.assertEqual(self.keys(self.bucket), ["a", "d/x"])

    def test_an_open_commit_is_written_to(self):
        repo = self.bucket.split(".")[1]
        open_commit = self.client.pfs.start_commit(branch=pfs.Branch.from_uri(f"{repo}@master"))
        answer = self.put_object("k", b"1")
        self.assertEqual(answer["VersionId"], open_commit.id)
        self.put_object("l", b"2")
        self.refuses("InvalidFilePath", 400, self.put_object, key="k/x")
        self.assertEqual(self.keys(self.bucket), ["k", "l"])
        self.client.pfs.finish_commit(commit=open_commit)
        self.assertEqual(self.keys(self.bucket), ["k", "l"])
        self.refuses("InternalError", 500, self.s3.put_object,
                     Bucket=f"{open_commit.id}.{repo}", Key="x", Body=b"")

    def test_output_branches_refuse(self):
        pipeline = unique("p")
        self.client.pps.create_pipeline(
            pipeline=pps.Pipeline(name=pipeline), transform=pps.Transform(cmd=["true"], image="host"),
            input=pps.Input(pfs=pps.PfsInput(repo=self.bucket.split(".")[1], glob="/*")))
        for call, more in ((self.s3.put_object, {"Body": b""}), (self.s3.delete_object, {})):
            message = self.refuses("WriteToOutputBranch", 400, call, Bucket="master." + pipeline,
                                   Key="x", **more)
            self.assertEqual(message, "You cannot write to an output branch")

    def test_no_such_bucket(self):
        self.refuses("NoSuchBucket", 404, self.s3.put_object, Bucket="no-such", Key="k", Body=b"")

    def test_conditional_puts_are_refused(self):
        self.refuses("NotImplemented", 501, self.put_object, IfNoneMatch="*")

    def test_checksums(self):
        for algorithm in ("CRC32", "SHA1", "SHA256"):
            self.put_object("k", b"hello", ChecksumAlgorithm=algorithm)
        md5 = base64.b64encode(hashlib.md5(b"hello").digest()).decode()
        self.put_object("k", b"hello", ContentMD5=md5)
        self.refuses("BadDigest", 400, self.put_object, key="bad", ContentMD5=md5)
        self.refuses("InvalidDigest", 400, self.put_object, key="bad", ContentMD5="eA==")
        wrong = base64.b64encode(b"\0\0\0\0").decode()
        for bad in ({"ChecksumCRC32": wrong}, {"ChecksumCRC32C": wrong},
                    {"ChecksumCRC64NVME": base64.b64encode(bytes(8)).decode()}):
            self.refuses("BadDigest", 400, self.put_object, key="bad", **bad)
        self.put_object("k", b"123456789", ChecksumCRC32C="4waSgw==")
        self.put_object("k", b"123456789", ChecksumCRC64NVME="rosUhgopzZQ=".replace(
            "rosUhgopzZQ=", base64.b64encode(bytes.fromhex("ae8b14860a799888")).decode()))
        self.assertEqual(self.keys(self.bucket), ["k"])

    def test_versioning(self):
        put = self.s3.put_bucket_versioning
        put(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        self.refuses("NotImplemented", 501, put, Bucket=self.bucket,
                     VersioningConfiguration={"Status": "Suspended"})
        self.refuses("IllegalVersioningConfigurationException", 400, put, Bucket=self.bucket,
                     VersioningConfiguration={"Status": "Maybe"})


class CopyTest(S3Case):
    def test_copies(self):
        source, target = self.made(), self.made()
        put = self.s3.put_object(Bucket=source, Key="d/a b", Body=b"first")
        self.s3.put_object(Bucket=source, Key="d/a b", Body=b"second")
        copy = self.s3.copy_object
        answer = copy(Bucket=target, Key="x", CopySource={"Bucket": source, "Key": "d/a b"})
        self.assertEqual(self.read(target, "x"), b"second")
        self.assertEqual(answer["CopyObjectResult"]["ETag"],
                         self.s3.head_object(Bucket=target, Key="x")["ETag"])
        answer = copy(Bucket=source, Key="d/a b", CopySource={
            "Bucket": source, "Key": "d/a b", "VersionId": put["VersionId"]})
        self.assertEqual(answer["CopySourceVersionId"], put["VersionId"])
        self.assertEqual(self.read(source, "d/a b"), b"first")
        source_of = {"Bucket": source, "Key": "d/a b"}
        self.refuses("InvalidRequest", 400, copy, Bucket=source, Key="d/a b", CopySource=source_of)
        for key in ("d", "nosuch"):
            self.refuses("NoSuchKey", 404, copy, Bucket=target, Key="y",
                         CopySource={"Bucket": source, "Key": key})
        self.refuses("NoSuchBucket", 404, copy, Bucket=target, Key="y",
                     CopySource={"Bucket": "nosuch", "Key": "a"})
        self.refuses("PreconditionFailed", 412, copy, Bucket=target, Key="y", CopySource=source_of,
                     CopySourceIfMatch="x")
        copy(Bucket=target, Key="z", CopySource=source_of, CopySourceIfMatch=put["ETag"],
             CopySourceIfNoneMatch='"x"')
        self.assertEqual(self.keys(target), ["x", "z"])


class DeleteTest(S3Case):
    def test_one(self):
        bucket = self.made()
        put = self.s3.put_object(Bucket=bucket, Key="d/a", Body=b"1")
        for key in ("d/a", "d/a", "nosuch", "a*b", "..", "d"):
            answer = self.s3.delete_object(Bucket=bucket, Key=key)
            self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertEqual(self.keys(bucket), [])
        self.s3.put_object(Bucket=bucket, Key="d/a", Body=b"1")
        for key in ("d", "d/"):
            self.s3.delete_object(Bucket=bucket, Key=key)
        self.assertEqual(self.keys(bucket), ["d/a"])
        self.refuses("NotImplemented", 501, self.s3.delete_object, Bucket=bucket, Key="d/a",
                     VersionId=put["VersionId"])
        self.refuses("NoSuchBucket", 404, self.s3.delete_object, Bucket="nosuch", Key="a")

    def test_nothing_there_makes_no_commit(self):
        repo = self.repo({"/a": b"1"})
        commits = lambda: len(list(self.client.pfs.list_commit(repo=pfs.Repo.from_uri(repo))))
        before = commits()
        self.s3.delete_object(Bucket=repo, Key="b")
        self.assertEqual(commits(), before)

    def test_many_in_one_commit(self):
        repo = self.repo({f"/d/{i}": b"x" for i in range(1200)})
        commits = lambda: len(list(self.client.pfs.list_commit(repo=pfs.Repo.from_uri(repo))))
        before = commits()
        keys = [{"Key": f"d/{i}"} for i in range(1000)]
        answer = self.s3.delete_objects(Bucket=repo, Delete={"Objects": keys})
        self.assertEqual(len(answer["Deleted"]), 1000)
        self.assertEqual(commits(), before + 1)
        self.assertEqual(len(self.keys(repo)), 200)
        answer = self.s3.delete_objects(Bucket=repo, Delete={"Quiet": True, "Objects": [
            {"Key": "d/1000"}, {"Key": "nosuch"}, {"Key": "d/1001", "VersionId": "x"}]})
        self.assertEqual(answer.get("Deleted"), None)
        self.assertEqual([(e["Key"], e["Code"]) for e in answer["Errors"]],
                         [("d/1001", "NotImplemented")])
        self.assertEqual(len(self.keys(repo)), 199)

    def test_malformed(self):
        repo = self.repo({"/a": b"1"})
        for body in (b"", b"<Delete>", b"<Delete/>", b"<Delete><Object/></Delete>",
                     b"<!DOCTYPE d [<!ENTITY a 'b'>]><Delete><Object><Key>&a;</Key></Object></Delete>"):
            connection = http.client.HTTPConnection("127.0.0.1", self.server.s3_port)
            connection.request("POST", f"/{repo}?delete", body)
            answer = connection.getresponse()
            self.assertEqual((answer.status, b"MalformedXML" in answer.read()), (400, True), body)
            connection.close()


class FramingTest(S3Case):
    """Bodies in aws-chunked, signed and not, made by hand: boto3 makes them only over TLS."""

    KEY = "1234"

    def setUp(self):
        super().setUp()
        self.bucket = self.made()

    def send(self, payload, decoded, body, trailer=None, spoil=None, target="k", method="PUT"):
        """Signs a request of this kind of payload; body(sign) makes its bytes."""
        self.time = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        self.scope = self.time[:8] + "/r/s3/aws4_request"
        key = b"AWS4" + self.KEY.encode()
        for part in (self.time[:8], "r", "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        self.key = key
        headers = {"host": f"127.0.0.1:{self.server.s3_port}", "x-amz-content-sha256": payload,
                   "x-amz-date": self.time}
        if decoded is not None:
            headers["x-amz-decoded-content-length"] = str(decoded)
        if trailer:
            headers["x-amz-trailer"] = trailer
        names = ";".join(sorted(headers))
        path = f"/{self.bucket}/{target}"
        path, _, query = path.partition("?")
        query = "&".join(p if "=" in p else p + "=" for p in sorted(query.split("&"))) if query else ""
        canonical = "\n".join(
            [method, path, query] + [f"{n}:{headers[n]}" for n in sorted(headers)] + ["", names, payload])
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        self.previous = self.sign(f"AWS4-HMAC-SHA256\n{self.time}\n{self.scope}\n{digest}")
        headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.KEY}/{self.scope},"
                                    f"SignedHeaders={names},Signature={self.previous}")
        data = body() if callable(body) else body
        if spoil:
            data = spoil(data)
        connection = http.client.HTTPConnection("127.0.0.1", self.server.s3_port)
        self.addCleanup(connection.close)
        connection.request(method, f"/{self.bucket}/{target}", data, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        return answer.status, text.partition("<Code>")[2].partition("</Code>")[0]

    def sign(self, text):
        return hmac.new(self.key, text.encode(), "sha256").hexdigest()

    def signed_chunk(self, data):
        empty = hashlib.sha256(b"").hexdigest()
        self.previous = self.sign(
            f"AWS4-HMAC-SHA256-PAYLOAD\n{self.time}\n{self.scope}\n{self.previous}\n{empty}\n"
            + hashlib.sha256(data).hexdigest())
        return b"%x;chunk-signature=%s\r\n%s" % (len(data), self.previous.encode(), data)

    def signed(self, *chunks):
        return lambda: b"".join(self.signed_chunk(c) + b"\r\n" for c in chunks + (b"",))

    def signed_trailer(self, line, *chunks):
        def make():
            body = b"".join(self.signed_chunk(c) + b"\r\n" for c in chunks) + self.signed_chunk(b"")
            signature = self.sign(
                f"AWS4-HMAC-SHA256-TRAILER\n{self.time}\n{self.scope}\n{self.previous}\n"
                + hashlib.sha256(line.encode() + b"\n").hexdigest())
            return body + f"{line}\r\nx-amz-trailer-signature:{signature}\r\n\r\n".encode()
        return make

    @staticmethod
    def unsigned(line, *chunks):
        body = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n"
        return body + (line.encode() + b"\r\n" if line else b"") + b"\r\n"

    @staticmethod
    def crc32(data):
        return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()

    SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    UNSIGNED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

    def test_signed_chunks(self):
        first, second = b"a" * 65536, b"b" * 1000
        self.assertEqual(self.send(self.SIGNED, 66536, self.signed(first, second)), (200, ""))
        self.assertEqual(self.read(self.bucket, "k"), first + second)
        self.assertEqual(self.send(self.SIGNED, 0, self.signed(), target="empty"), (200, ""))
        self.assertEqual(self.read(self.bucket, "empty"), b"")

    def test_spoiled_chunks_are_not_written(self):
        body = self.signed(b"a" * 100)
        for spoil in (lambda d: d.replace(b"aaa", b"aba", 1), lambda d: d.replace(b"64;", b"65;"),
                      lambda d: d[:-10], lambda d: b"x" + d, lambda d: d.replace(b"\r\n", b"\n"),
                      lambda d: d.replace(b";chunk-signature=", b";other="), lambda d: d + b"more"):
            status, code = self.send(self.SIGNED, 100, body, spoil=spoil)
            self.assertIn((status, code), ((403, "SignatureDoesNotMatch"), (400, "IncompleteBody")))
        self.assertEqual(self.send(self.SIGNED, 99, body), (400, "IncompleteBody"))
        self.assertEqual(self.send(self.SIGNED, None, body)[0], 411)
        self.assertEqual(self.keys(self.bucket), [])

    def test_signed_trailer(self):
        line = "x-amz-checksum-crc32:" + self.crc32(b"hello")
        make = self.signed_trailer(line, b"hel", b"lo")
        self.assertEqual(self.send(self.TRAILER, 5, make, "x-amz-checksum-crc32"), (200, ""))
        self.assertEqual(self.read(self.bucket, "k"), b"hello")
        spoil = lambda d: d.replace(b"trailer-signature:", b"trailer-signature:0", 1)[:-5] + b"\r\n\r\n"
        self.assertEqual(self.send(self.TRAILER, 5, make, "x-amz-checksum-crc32", spoil)[0], 403)

    def test_unsigned_trailer(self):
        line = "x-amz-checksum-crc32:" + self.crc32(b"hello")
        name = "x-amz-checksum-crc32"
        self.assertEqual(self.send(self.UNSIGNED, 5, self.unsigned(line, b"hello"), name), (200, ""))
        self.assertEqual(self.read(self.bucket, "k"), b"hello")
        self.assertEqual(self.send(self.UNSIGNED, 5, self.unsigned(line, b"hallo"), name, target="b"),
                         (400, "BadDigest"))
        self.assertEqual(self.send(self.UNSIGNED, 5, self.unsigned("", b"hello"), name, target="b"),
                         (400, "InvalidRequest"))
        self.assertEqual(self.send("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", 5, b"x", target="b"),
                         (501, "NotImplemented"))
        self.assertEqual(self.keys(self.bucket), ["k"])

    def test_payload_hash(self):
        wrong = hashlib.sha256(b"other").hexdigest()
        self.assertEqual(self.send(wrong, None, b"hello"), (400, "XAmzContentSHA256Mismatch"))
        self.assertEqual(self.send("UNSIGNED-PAYLOAD", None, b"hello"), (200, ""))
        self.assertEqual(self.read(self.bucket, "k"), b"hello")

    def raw(self, head, body=b"", cut=False):
        with socket.create_connection(("127.0.0.1", self.server.s3_port), timeout=30) as connection:
            connection.sendall(head.format(bucket=self.bucket).encode()
                               + b"Connection: close\r\n\r\n" + body)
            if cut:
                connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def test_a_length_is_needed(self):
        head = "PUT /{bucket}/k HTTP/1.1\r\nHost: x\r\n"
        for more, body in (("", b""), ("Transfer-Encoding: chunked\r\n", b"1\r\nx\r\n0\r\n\r\n")):
            answer = self.raw(head + more, body)
            self.assertTrue(answer.startswith(b"HTTP/1.1 411 "), answer)
            self.assertIn(b"MissingContentLength", answer)

    def test_a_cut_body_is_not_written(self):
        self.raw("PUT /{bucket}/k HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n", b"short",
                 cut=True)
        self.assertEqual(self.keys(self.bucket), [])
        self.assertTrue(self.raw("PUT /{bucket}/k HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999"
                                 "9999999999\r\n").startswith(b"HTTP/1.1 400 "))
