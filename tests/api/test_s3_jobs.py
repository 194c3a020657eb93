"""S3 inputs and s3_out: what user code reaches through its job's own endpoint, and what it does not."""

import json
import sys
import unittest

import boto3
from botocore.client import Config
from botocore.exceptions import ClientError

from harness import name as unique
from pachyderm_sdk.api import pfs
from pps_case import FAILURE, KILLED, SUCCESS, PpsCase

PRELUDE = """
import json, os, sys, time
import boto3
from botocore import UNSIGNED
from botocore.client import Config
from botocore.exceptions import ClientError

def client(key=None, **config):
    key = key or os.environ["AWS_ACCESS_KEY_ID"]
    return boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"], region_name="us-east-1",
                        aws_access_key_id=key, aws_secret_access_key=key,
                        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0},
                                      **config))

def code(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "OK"

s3 = client()
"""


# User code has a /tmp of its own, so a client installed below ours is not there for it.
@unittest.skipIf(sys.executable.startswith(("/tmp/", "/var/tmp/")), "boto3 is installed below /tmp")
class S3JobTest(PpsCase):
    def s3_pipeline(self, code, input=None, **more):
        transform = {"cmd": [sys.executable, "-B", "-c", PRELUDE + code + "\n# " + unique()],
                     "image": "host"}
        name = unique("p")
        self.create_json({"pipeline": {"name": name}, "transform": transform,
                          **({"input": input} if input else {}), **more})
        return name

    @staticmethod
    def leaf(repo, name, **more):
        return {"pfs": {"repo": repo, "name": name, "glob": "/", "s3": True, **more}}

    def test_an_input_is_a_bucket(self):
        repo = self.repo(files={"/a": b"hello", "/d/b": b"x" * 3_000_000})
        pipeline = self.s3_pipeline("""
assert os.listdir("/pfs/data") == [], os.listdir("/pfs/data")
out = {
    "buckets": [b["Name"] for b in s3.list_buckets()["Buckets"]],
    "keys": [c["Key"] for c in s3.list_objects_v2(Bucket="data")["Contents"]],
    "a": s3.get_object(Bucket="data", Key="a")["Body"].read().decode(),
    "b": s3.head_object(Bucket="data", Key="d/b")["ContentLength"],
    "status": s3.get_bucket_versioning(Bucket="data").get("Status"),
    "put": code(s3.put_object, Bucket="data", Key="x", Body=b""),
    "delete": code(s3.delete_object, Bucket="data", Key="a"),
    "make": code(s3.create_bucket, Bucket="new"),
    "remove": code(s3.delete_bucket, Bucket="data"),
    "version": code(s3.get_object, Bucket="data", Key="a", VersionId="0" * 32),
    "out": code(s3.list_objects, Bucket="out"),
    "other": code(s3.list_objects, Bucket=sys.argv[0] or "master.images"),
    "unsigned": code(client(signature_version=UNSIGNED).list_buckets),
    "default": code(client("default").list_buckets),
}
json.dump(out, open("/pfs/out/result", "w"))
""", self.leaf(repo, "data"))
        self.succeeds(pipeline)
        self.assertEqual(json.loads(self.read(pipeline, "/result")), {
            "buckets": ["data"], "keys": ["a", "d/b"], "a": "hello", "b": 3_000_000, "status": None,
            "put": "NotImplemented", "delete": "NotImplemented", "make": "NotImplemented",
            "remove": "NotImplemented", "version": "NotImplemented", "out": "NoSuchBucket",
            "other": "NoSuchBucket", "unsigned": "AccessDenied", "default": "InvalidAccessKeyId"})
        # The next commit is another datum; a job reads the commit that it is of.
        self.put(repo, {"/a": b"again"})
        self.succeeds(pipeline)
        self.assertEqual(json.loads(self.read(pipeline, "/result"))["a"], "again")

    def test_beside_files(self):
        files, bucket = self.repo(files={"/1": b"1", "/2": b"2"}), self.repo(files={"/x": b"s3"})
        pipeline = self.s3_pipeline("""
name = os.path.basename(os.environ["files"])
open("/pfs/out/" + name, "wb").write(s3.get_object(Bucket="b", Key="x")["Body"].read()
                                     + open(os.environ["files"], "rb").read())
""", {"cross": [{"pfs": {"repo": files, "name": "files", "glob": "/*"}}, self.leaf(bucket, "b")]})
        self.succeeds(pipeline)
        self.assertEqual((self.read(pipeline, "/1"), self.read(pipeline, "/2")), (b"s31", b"s32"))

    def test_out_takes_what_is_put(self):
        repo = self.repo(files={"/a": b"1", "/b": b"2"})
        pipeline = self.s3_pipeline("""
import io
from boto3.s3.transfer import TransferConfig
assert not os.path.exists("/pfs/out")
name = os.path.basename(os.environ["in"])
s3.put_object(Bucket="out", Key="put/" + name, Body=open(os.environ["in"], "rb"))
big = os.urandom(1000) * 12000
s3.upload_fileobj(io.BytesIO(big), "out", "big/" + name,
                  Config=TransferConfig(multipart_threshold=6 << 20, multipart_chunksize=6 << 20))
s3.put_object(Bucket="out", Key="gone/" + name, Body=b"x")
s3.delete_object(Bucket="out", Key="gone/" + name)
left = s3.create_multipart_upload(Bucket="out", Key="left")
s3.upload_part(Bucket="out", Key="left", UploadId=left["UploadId"], PartNumber=1, Body=b"x")
assert code(s3.get_object, Bucket="out", Key="put/" + name) == "NoSuchKey"
assert "Contents" not in s3.list_objects(Bucket="out")
assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["out"]
""", {"pfs": {"repo": repo, "name": "in", "glob": "/*"}}, s3_out=True)
        info = self.succeeds(pipeline)
        self.assertEqual(self.paths(pipeline), ["/big/a", "/big/b", "/put/a", "/put/b"])
        self.assertEqual((self.read(pipeline, "/put/a"), len(self.read(pipeline, "/big/b"))),
                         (b"1", 12_000_000))
        self.assertEqual(info.data_processed, 2)
        self.assertEqual(list(self.client.pfs.fsck(zombie_target=pfs.Commit.from_uri(
            pipeline + "@master"))), [])
        # Each job begins with nothing, and skips nothing.
        self.put(repo, {"/c": b"3"}, delete=["/a"])
        info = self.succeeds(pipeline)
        self.assertEqual((info.data_processed, info.data_skipped), (2, 0))
        self.assertEqual(self.paths(pipeline), ["/big/b", "/big/c", "/put/b", "/put/c"])

    def test_in_and_out(self):
        repo = self.repo(files={"/a": b"1" * 100_000})
        pipeline = self.s3_pipeline("""
s3.copy_object(Bucket="out", Key="copy", CopySource={"Bucket": "data", "Key": "a"})
s3.put_object(Bucket="out", Key="twice", Body=s3.get_object(Bucket="data", Key="a")["Body"].read() * 2)
""", self.leaf(repo, "data"), s3_out=True)
        self.succeeds(pipeline)
        self.assertEqual(self.read(pipeline, "/copy"), b"1" * 100_000)
        self.assertEqual(len(self.read(pipeline, "/twice")), 200_000)
        downstream = self.pipeline(pipeline, glob="/twice")
        self.succeeds(downstream)
        self.assertEqual(self.paths(downstream), ["/twice"])

    def test_bad_calls_fail_the_code_alone(self):
        repo = self.repo(files={"/a": b"1"})
        pipeline = self.s3_pipeline("s3.list_objects(Bucket='nosuch')", self.leaf(repo, "data"),
                                    datumTries=1)
        self.assertEqual(self.job(pipeline).state, FAILURE)
        other = self.s3_pipeline("s3.list_objects(Bucket='data')", self.leaf(repo, "data"))
        self.succeeds(other)

    def test_a_key_ends_with_its_job(self):
        repo, keys = self.repo(files={"/a": b"1"}), self.repo(files={})
        first = self.s3_pipeline("print(os.environ['S3_ENDPOINT'], os.environ['AWS_ACCESS_KEY_ID'], flush=True)"
                                 "; time.sleep(3600)", self.leaf(repo, "data"))
        job = self.until_job_runs(first)
        endpoint, key = self.lines(job=job)[0].split()
        s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1",
                          aws_access_key_id=key, aws_secret_access_key=key,
                          config=Config(s3={"addressing_style": "path"}))
        self.assertEqual([b["Name"] for b in s3.list_buckets()["Buckets"]], ["data"])
        # Another job's code knows the port, and not the key.
        second = self.s3_pipeline("assert [b['Name'] for b in s3.list_buckets()['Buckets']] == ['k']\n"
                                  "assert code(s3.list_objects, Bucket='data') == 'NoSuchBucket'",
                                  self.leaf(self.repo(files={"/x": b""}), "k"))
        self.succeeds(second)
        self.client.pps.stop_job(job=job)
        self.assertEqual(self.job(first).state, KILLED)

        def is_closed():
            try:
                s3.list_buckets()
            except ClientError as error:
                return error.response["Error"]["Code"]
        self.assertEqual(self.until(is_closed), "InvalidAccessKeyId")
