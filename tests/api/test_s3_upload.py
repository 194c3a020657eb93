"""Objects in parts through S3: by hand, by boto3's transfer manager, and over a kill of the server."""

import hashlib
import io
import random

from boto3.s3.transfer import TransferConfig

from harness import name as unique
from s3_case import S3Case, S3Server

MIB = 1 << 20


def data_of(size, seed=1):
    return random.Random(seed).randbytes(size)


class UploadTest(S3Case):
    def setUp(self):
        super().setUp()
        self.bucket = self.made()

    def create(self, key="d/k"):
        answer = self.s3.create_multipart_upload(Bucket=self.bucket, Key=key)
        self.assertRegex(answer["UploadId"], "^[0-9a-f]{32}$")
        return {"Bucket": self.bucket, "Key": key, "UploadId": answer["UploadId"]}

    def part(self, upload, number, body):
        return self.s3.upload_part(PartNumber=number, Body=body, **upload)["ETag"]

    def complete(self, upload, numbers):
        parts = [{"PartNumber": n, "ETag": "any"} for n in numbers]
        return self.s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **upload)

    def test_parts_in_any_order(self):
        upload = self.create()
        pieces = {1: data_of(5 * MIB, 1), 2: data_of(6 * MIB + 1, 2), 7: b"the end"}
        self.part(upload, 2, b"is replaced")
        for number in (7, 1, 2):
            self.part(upload, number, pieces[number])
        self.assertEqual(self.keys(self.bucket), [])
        answer = self.complete(upload, (1, 2, 7))
        self.assertEqual(answer["Location"], "PACHYDERM")
        whole = pieces[1] + pieces[2] + pieces[7]
        got = self.s3.get_object(Bucket=self.bucket, Key="d/k")
        self.assertEqual((got["Body"].read(), got["ETag"]), (whole, answer["ETag"]))
        self.assertEqual(self.read(self.bucket, "d/k", VersionId=answer["VersionId"]), whole)
        # The same bytes put at once have the same name: no way of writing can be told from another.
        put = self.s3.put_object(Bucket=self.bucket, Key="same", Body=whole)
        self.assertEqual(put["ETag"], answer["ETag"])
        self.refuses("NoSuchUpload", 404, self.complete, upload=upload, numbers=(1,))

    def test_many_small_last_parts(self):
        upload = self.create()
        self.part(upload, 0, b"only")
        self.complete(upload, (0,))
        self.assertEqual(self.read(self.bucket, "d/k"), b"only")

    def test_what_complete_refuses(self):
        upload = self.create()
        for number in (1, 2, 3):
            self.part(upload, number, b"small")
        for numbers, code in (((), "InvalidPartOrder"), ((2, 1), "InvalidPartOrder"),
                              ((1, 1), "InvalidPartOrder"), ((1, 4), "InvalidPart"),
                              ((1, 2), "EntityTooSmall")):
            if numbers:
                self.refuses(code, 400, self.complete, upload=upload, numbers=numbers)
        self.complete(upload, (3,))
        self.assertEqual(self.read(self.bucket, "d/k"), b"small")

    def test_a_part_below_a_file(self):
        self.s3.put_object(Bucket=self.bucket, Key="f", Body=b"")
        upload = self.create("f/x")
        self.part(upload, 1, b"1")
        self.refuses("InvalidFilePath", 400, self.complete, upload=upload, numbers=(1,))
        self.assertEqual(self.keys(self.bucket), ["f"])

    def test_list_parts(self):
        upload = self.create()
        etags = {n: self.part(upload, n, b"x" * n) for n in (1, 5, 10000)}
        answer = self.s3.list_parts(**upload)
        self.assertEqual([(p["PartNumber"], p["Size"], p["ETag"]) for p in answer["Parts"]],
                         [(n, n, etags[n]) for n in (1, 5, 10000)])
        pages = list(self.s3.get_paginator("list_parts").paginate(
            PaginationConfig={"PageSize": 1}, **upload))
        self.assertEqual([p["PartNumber"] for page in pages for p in page["Parts"]], [1, 5, 10000])
        for number in (-1, 10001):
            self.refuses("InvalidArgument", 400, self.s3.upload_part, PartNumber=number, Body=b"",
                         **upload)

    def test_list_uploads(self):
        keys = ["a", "a/b", "b", "c/d/e"]
        uploads = [self.create(k) for k in keys] + [self.create("b")]
        listed = lambda **more: [(u["Key"], u["UploadId"]) for page in self.s3.get_paginator(
            "list_multipart_uploads").paginate(Bucket=self.bucket, **more)
            for u in page.get("Uploads", [])]
        wanted = sorted((u["Key"], u["UploadId"]) for u in uploads)
        self.assertEqual(listed(), wanted)
        self.assertEqual(listed(PaginationConfig={"PageSize": 2}), wanted)
        self.assertEqual(listed(Prefix="a"), wanted[:2])
        # A bucket by another of its names is the same.
        other = self.s3.list_multipart_uploads(Bucket=self.bucket + ".default")
        self.assertEqual(len(other["Uploads"]), 5)
        self.s3.abort_multipart_upload(**uploads[0])
        self.assertEqual(listed(), wanted[1:])
        self.assertEqual(listed(Prefix="zzz"), [])

    def test_unknown_uploads(self):
        upload = self.create()
        self.s3.abort_multipart_upload(**upload)
        for wrong in (upload, dict(upload, Key="other"), dict(upload, UploadId="nosuch")):
            self.refuses("NoSuchUpload", 404, self.s3.abort_multipart_upload, **wrong)
            self.refuses("NoSuchUpload", 404, self.s3.list_parts, **wrong)
            self.refuses("NoSuchUpload", 404, self.s3.upload_part, PartNumber=1, Body=b"", **wrong)
        upload = self.create()
        other = dict(upload, Bucket=self.made())
        self.refuses("NoSuchUpload", 404, self.s3.upload_part, PartNumber=1, Body=b"", **other)

    def test_copied_parts(self):
        source = data_of(7 * MIB)
        self.s3.put_object(Bucket=self.bucket, Key="source", Body=source)
        upload, origin = self.create("copy"), {"Bucket": self.bucket, "Key": "source"}
        self.s3.upload_part_copy(PartNumber=1, CopySource=origin, **upload)
        self.s3.upload_part_copy(PartNumber=2, CopySource=origin,
                                 CopySourceRange="bytes=1000-2000", **upload)
        self.refuses("InvalidArgument", 400, self.s3.upload_part_copy, PartNumber=3,
                     CopySource=origin, CopySourceRange="bytes=99999999-", **upload)
        self.complete(upload, (1, 2))
        self.assertEqual(self.read(self.bucket, "copy"), source + source[1000:2001])


class TransferTest(S3Case):
    SIZE = 100 * MIB

    def test_large_files_by_the_transfer_manager(self):
        bucket, data = self.made(), data_of(self.SIZE)
        config = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB,
                                max_concurrency=4)
        self.s3.upload_fileobj(io.BytesIO(data), bucket, "big/file", Config=config)
        got = io.BytesIO()
        self.s3.download_fileobj(bucket, "big/file", got, Config=config)
        self.assertEqual(hashlib.sha256(got.getvalue()).digest(), hashlib.sha256(data).digest())
        self.s3.copy({"Bucket": bucket, "Key": "big/file"}, bucket, "big/copy", Config=config)
        self.assertEqual(self.s3.head_object(Bucket=bucket, Key="big/copy")["ETag"],
                         self.s3.head_object(Bucket=bucket, Key="big/file")["ETag"])


class DurableTest(S3Case):
    def test_parts_outlive_the_server(self):
        server = S3Server()
        try:
            s3, bucket, data = server.s3(), unique("s3"), data_of(5 * MIB)
            s3.create_bucket(Bucket=bucket)
            s3.put_object(Bucket=bucket, Key="whole", Body=data)
            upload = {"Bucket": bucket, "Key": "k", "UploadId": s3.create_multipart_upload(
                Bucket=bucket, Key="k")["UploadId"]}
            s3.upload_part(PartNumber=1, Body=data, **upload)
            server.kill()
            server.start()
            s3 = server.s3()
            self.assertEqual(s3.get_object(Bucket=bucket, Key="whole")["Body"].read(), data)
            s3.upload_part(PartNumber=2, Body=b"end", **upload)
            s3.complete_multipart_upload(MultipartUpload={"Parts": [
                {"PartNumber": 1, "ETag": "x"}, {"PartNumber": 2, "ETag": "x"}]}, **upload)
            self.assertEqual(s3.get_object(Bucket=bucket, Key="k")["Body"].read(), data + b"end")
            self.assertEqual(server.stop(), 0)
        finally:
            if server.process.poll() is None:
                server.kill()
            server.clean()
