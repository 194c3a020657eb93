"""What the S3 suites share: a server with a port for S3, and boto3 clients of it."""

import atexit
import os

import boto3
from botocore.client import Config
from botocore.exceptions import ClientError

from harness import ApiTest, Server, name as unique
from pachyderm_sdk.api import pfs

_shared = []


class S3Server(Server):
    """A server whose S3 port is in s3_port."""

    def __init__(self, **more):
        super().__init__(**more)

    def start(self):
        self.s3_port_file = os.path.join(self.data, "s3-port")
        self.args = ["--s3-listen", "127.0.0.1:0", "--s3-port-file", self.s3_port_file]
        super().start()
        with open(self.s3_port_file, encoding="utf-8") as file:
            self.s3_port = int(file.read())

    def s3(self, key="1234", secret=None, port=None, signature="s3v4", **config):
        return boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{port or self.s3_port}",
            aws_access_key_id=key, aws_secret_access_key=secret or key, region_name="us-east-1",
            config=Config(signature_version=signature, s3={"addressing_style": "path"},
                          retries={"max_attempts": 0}, **config))


def shared_s3_server():
    if not _shared:
        _shared.append(S3Server())
        atexit.register(_end_shared)
    return _shared[0]


def _end_shared():
    server = _shared.pop()
    if server.stop() != 0:
        print("pcvd failed\n", server.read_log())
        os._exit(1)
    server.clean()


class S3Case(ApiTest):
    def setUp(self):
        self.server = shared_s3_server()
        self.client = self.server.client()
        self.addCleanup(self.client._channel.close)
        self.s3 = self.server.s3()

    def repo(self, files=None, branch="master"):
        """A new repo's name; with files, in one commit."""
        repo = unique("s3")
        self.client.pfs.create_repo(repo=pfs.Repo.from_uri(repo))
        if files is not None:
            self.put(repo, files, branch)
        return repo

    def put(self, repo, files, branch="master"):
        with self.client.pfs.commit(branch=pfs.Branch.from_uri(f"{repo}@{branch}")) as commit:
            for path, data in files.items():
                commit.put_file_from_bytes(path=path, data=data)
        return commit

    def made(self):
        """An empty bucket made through S3."""
        bucket = "master." + unique("s3")
        self.s3.create_bucket(Bucket=bucket)
        return bucket

    def keys(self, bucket, **more):
        answer = self.s3.list_objects(Bucket=bucket, **more)
        return [c["Key"] for c in answer.get("Contents", [])]

    def read(self, bucket, key, **more):
        return self.s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read()

    def refuses(self, code, http, call, **arguments):
        """The call fails so; gives the message."""
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        answer = caught.exception.response
        self.assertEqual((answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]),
                         (code, http), answer)
        return answer["Error"].get("Message", "")
