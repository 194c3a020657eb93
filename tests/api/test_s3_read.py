"""Reading through S3: buckets, listings, objects, ranges, conditions, signatures; by boto3."""

import http.client
import urllib.error
import urllib.request
from datetime import datetime, timezone

from botocore import UNSIGNED

from harness import name as unique
from pachyderm_sdk.api import pfs
from s3_case import S3Case

TREE = {"/rootfile": b"r", "/rootdir/a": b"a", "/rootdir/subdir/1": b"1",
        "/rootdir/subdir/2": b"22", "/rootdir/subdir/20": b"20", "/z": b"z"}


class BucketTest(S3Case):
    def test_each_branch_is_a_bucket(self):
        repo = self.repo({"/a": b"1"})
        self.put(repo, {"/b": b"2"}, branch="dev")
        buckets = {b["Name"]: b["CreationDate"] for b in self.s3.list_buckets()["Buckets"]}
        self.assertIn(f"master.{repo}.default", buckets)
        self.assertIn(f"dev.{repo}.default", buckets)
        self.assertEqual(self.read(f"dev.{repo}", "b"), b"2")
        self.assertEqual(self.read(repo, "a"), b"1")
        self.assertEqual(self.read(f"master.{repo}.default", "a"), b"1")
        self.assertEqual(self.s3.list_buckets()["Owner"]["DisplayName"], "pachyderm")

    def test_a_commit_is_a_bucket(self):
        repo = self.repo({"/a": b"1"})
        first = self.client.pfs.inspect_commit(commit=pfs.Commit.from_uri(f"{repo}@master"))
        self.put(repo, {"/a": b"2"})
        id = first.commit.id
        for bucket in (f"{id}.{repo}", f"{id}.master.{repo}", f"{id}.master.{repo}.default"):
            answer = self.s3.get_object(Bucket=bucket, Key="a")
            self.assertEqual((answer["Body"].read(), answer["VersionId"]), (b"1", id))
        self.assertNotIn("VersionId", self.s3.head_object(Bucket=repo, Key="a"))
        answer = self.s3.get_object(Bucket=repo, Key="a", VersionId=id)
        self.assertEqual((answer["Body"].read(), answer["VersionId"]), (b"1", id))
        self.refuses("NoSuchVersion", 404, self.s3.get_object, Bucket=repo, Key="a",
                     VersionId="0123456789ab4def8123456789abcdef")
        self.refuses("NoSuchBucket", 404, self.s3.list_objects,
                     Bucket="0123456789ab4def8123456789abcdef." + repo)

    def test_a_commit_is_not_made_or_deleted(self):
        repo = self.repo({})
        empty = self.client.pfs.inspect_commit(commit=pfs.Commit.from_uri(f"{repo}@master"))
        self.put(repo, {"/a": b"1"})
        for call in (self.s3.create_bucket, self.s3.delete_bucket):
            self.refuses("InvalidBucketName", 400, call, Bucket=f"{empty.commit.id}.{repo}")
        self.assertEqual(self.keys(repo), ["a"])

    def test_other_projects_need_all_three_parts(self):
        project, repo = unique("p"), unique("s3")
        self.client.pfs.create_project(project=pfs.Project(name=project))
        self.s3.create_bucket(Bucket=f"master.{repo}.{project}")
        self.s3.head_bucket(Bucket=f"master.{repo}.{project}")
        self.refuses("404", 404, self.s3.head_bucket, Bucket=f"master.{repo}")
        self.refuses("NoSuchBucket", 404, self.s3.list_objects, Bucket=repo)

    def test_make_and_delete(self):
        repo = unique("s3")
        self.s3.create_bucket(Bucket=repo)
        message = self.refuses("BucketAlreadyOwnedByYou", 409, self.s3.create_bucket, Bucket=repo)
        self.assertEqual(message, "The bucket you tried to create already exists, and you own it.")
        self.s3.create_bucket(Bucket="dev." + repo)
        self.assertEqual(self.s3.get_bucket_location(Bucket=repo)["LocationConstraint"], "PACHYDERM")
        self.assertEqual(self.s3.get_bucket_versioning(Bucket=repo)["Status"], "Enabled")
        self.put(repo, {"/a": b"1"}, branch="dev")
        self.refuses("BucketNotEmpty", 409, self.s3.delete_bucket, Bucket="dev." + repo)
        self.s3.delete_bucket(Bucket=repo)
        self.refuses("NoSuchBucket", 404, self.s3.delete_bucket, Bucket=repo)
        self.put(repo, {"/b": b"1"}, branch="dev2")
        self.assertTrue(self.client.pfs.repo_exists(repo=pfs.Repo.from_uri(repo)))

    def test_the_last_branch_takes_its_repo(self):
        repo = unique("s3")
        self.s3.create_bucket(Bucket=repo)
        self.s3.delete_bucket(Bucket=repo)
        self.assertFalse(self.client.pfs.repo_exists(repo=pfs.Repo.from_uri(repo)))

    def test_bad_names(self):
        make = self.s3.create_bucket
        for bucket, text in (
                ("a.b.c.d", 'invalid bucket name: "a.b.c.d"'),
                ("master.x.nosuch", 'cannot find project "nosuch": get project by name: project '
                 '"nosuch" not found')):
            self.assertEqual(self.refuses("InternalError", 500, make, Bucket=bucket), text)
        for bucket in ("x.", "0123456789ab4def0123456789abcdef.x"):
            self.refuses("InvalidBucketName", 400, make, Bucket=bucket)
        reserved = self.refuses("InvalidBucketName", 400, make, Bucket="__filesets__")
        self.assertEqual(reserved, "The specified bucket is not valid.")
        self.refuses("NoSuchBucket", 404, self.s3.list_objects, Bucket="no-such-repo")
        self.refuses("NoSuchBucket", 404, self.s3.get_object, Bucket="nosuch." + self.repo({}),
                     Key="a")

    def test_what_is_not_there_says_so(self):
        repo = self.repo({"/a": b""})
        for call in (self.s3.get_bucket_acl, self.s3.get_bucket_policy, self.s3.get_bucket_tagging,
                     self.s3.get_bucket_lifecycle_configuration, self.s3.get_bucket_cors):
            self.refuses("NotImplemented", 501, call, Bucket=repo)
        self.refuses("NotImplemented", 501, self.s3.get_object_tagging, Bucket=repo, Key="a")


class ListTest(S3Case):
    @classmethod
    def setUpClass(cls):
        case = cls("setUp")
        case.setUp()
        files = {f"/{i}": str(i).encode() for i in range(1001)}
        files["/dir/x"] = b"x"
        cls.many = case.repo(files)
        cls.tree = case.repo(TREE)
        case.doCleanups()

    def pages(self, version, **more):
        call = self.s3.get_paginator("list_objects" + version).paginate
        pages = list(call(**more))
        keys = [c["Key"] for p in pages for c in p.get("Contents", [])]
        prefixes = [c["Prefix"] for p in pages for c in p.get("CommonPrefixes", [])]
        return len(pages), keys, prefixes

    def test_pages(self):
        wanted = sorted([str(i) for i in range(1001)] + ["dir/x"])
        for version in ("", "_v2"):
            count, keys, _ = self.pages(version, Bucket=self.many)
            self.assertEqual((count, keys), (2, wanted))
            count, keys, prefixes = self.pages(version, Bucket=self.many, Delimiter="/",
                                               PaginationConfig={"PageSize": 7})
            self.assertEqual((count, keys, prefixes), (144, wanted[:-1], ["dir/"]))
            _, keys, _ = self.pages(version, Bucket=self.many, Prefix="1",
                                    PaginationConfig={"PageSize": 10})
            self.assertEqual(keys, [k for k in wanted if k.startswith("1")])
            _, keys, _ = self.pages(version, Bucket=self.many, Prefix="dir/")
            self.assertEqual(keys, ["dir/x"])

    def test_prefixes(self):
        every = sorted(k[1:] for k in TREE)
        for prefix in ("", "r", "rootdir", "rootdir/", "rootdir/s", "rootdir/subdir/2", "/r", "q",
                       "rootdir//", "..", "z", "zz"):
            self.assertEqual(self.keys(self.tree, Prefix=prefix),
                             [k for k in every if k.startswith(prefix.removeprefix("/"))], prefix)
        answer = self.s3.list_objects(Bucket=self.tree, Delimiter="/", Prefix="root")
        self.assertEqual([c["Key"] for c in answer["Contents"]], ["rootfile"])
        self.assertEqual([c["Prefix"] for c in answer["CommonPrefixes"]], ["rootdir/"])
        answer = self.s3.list_objects(Bucket=self.tree, Delimiter="/", Prefix="rootdir/")
        self.assertEqual([c["Key"] for c in answer["Contents"]], ["rootdir/a"])
        self.assertEqual([c["Prefix"] for c in answer["CommonPrefixes"]], ["rootdir/subdir/"])

    def test_markers(self):
        every = sorted(k[1:] for k in TREE)
        for marker in ("", "a", "rootdir", "rootdir/a", "rootdir/subdir/1", "rootfile", "z"):
            self.assertEqual(self.keys(self.tree, Marker=marker), [k for k in every if k > marker])
            answer = self.s3.list_objects_v2(Bucket=self.tree, StartAfter=marker)
            self.assertEqual([c["Key"] for c in answer.get("Contents", [])],
                             [k for k in every if k > marker])
        answer = self.s3.list_objects(Bucket=self.tree, Delimiter="/", Marker="rootdir")
        self.assertEqual([c["Prefix"] for c in answer["CommonPrefixes"]], ["rootdir/"])
        answer = self.s3.list_objects(Bucket=self.tree, Delimiter="/", Marker="rootdir/")
        self.assertNotIn("CommonPrefixes", answer)

    def test_details(self):
        item = self.s3.list_objects(Bucket=self.tree, Prefix="z")["Contents"][0]
        head = self.s3.head_object(Bucket=self.tree, Key="z")
        self.assertEqual((item["Size"], item["ETag"], item["LastModified"]),
                         (1, head["ETag"], head["LastModified"]))
        self.assertEqual(item["Owner"]["ID"], "0" * 32)
        age = datetime.now(timezone.utc) - item["LastModified"]
        self.assertLess(abs(age.total_seconds()), 600)
        item = self.s3.list_objects_v2(Bucket=self.tree, Prefix="z")
        self.assertEqual(item["KeyCount"], 1)
        self.assertNotIn("Owner", item["Contents"][0])

    def test_limits(self):
        answer = self.s3.list_objects(Bucket=self.tree, MaxKeys=0)
        self.assertEqual((answer["IsTruncated"], answer.get("Contents")), (False, None))
        answer = self.s3.list_objects(Bucket=self.tree, MaxKeys=2)
        self.assertEqual((answer["IsTruncated"], answer["NextMarker"]), (True, "rootdir/subdir/1"))
        self.refuses("InvalidArgument", 400, self.s3.list_objects, Bucket=self.tree, MaxKeys=5001)
        self.refuses("InvalidArgument", 400, self.s3.list_objects, Bucket=self.tree, MaxKeys=-1)
        self.assertIn("It must be '' or '/'", self.refuses(
            "InvalidDelimiter", 400, self.s3.list_objects, Bucket=self.tree, Delimiter="|"))
        self.refuses("InvalidArgument", 400, self.s3.list_objects_v2, Bucket=self.tree,
                     ContinuationToken="!!")

    def test_empty(self):
        bucket = self.made()
        self.assertEqual(self.keys(bucket), [])
        self.assertEqual(self.s3.list_objects_v2(Bucket=bucket)["KeyCount"], 0)
        self.refuses("NoSuchKey", 404, self.s3.get_object, Bucket=bucket, Key="a")

    def test_strange_keys(self):
        names = ["a b", "a&b<c>", "a'\"b", "a%20b", "a;b=c,d", "a#b$c|d"]
        repo = self.repo({"/" + n: n.encode() for n in names})
        self.assertEqual(self.keys(repo), sorted(names))
        for n in names:
            self.assertEqual(self.read(repo, n), n.encode())


class ObjectTest(S3Case):
    @classmethod
    def setUpClass(cls):
        case = cls("setUp")
        case.setUp()
        cls.big = bytes(i * 7 % 251 for i in range(3_000_000))
        cls.digits = bytes(range(48, 58))
        cls.repo_name = case.repo({"/big": cls.big, "/digits": cls.digits, "/d/x.json": b"{}",
                                   "/empty": b"", "/bin": b"\0\1\2", "/0": b"text",
                                   "/p": b"\x89PNG\r\n\x1a\n..."})
        case.doCleanups()

    def get(self, key="digits", **more):
        return self.s3.get_object(Bucket=self.repo_name, Key=key, **more)

    def test_whole(self):
        self.assertEqual(self.get("big")["Body"].read(), self.big)
        self.assertEqual(self.get("empty")["Body"].read(), b"")
        head = self.s3.head_object(Bucket=self.repo_name, Key="big")
        self.assertEqual(head["ContentLength"], len(self.big))
        self.assertRegex(head["ETag"], '^"[0-9a-f]{64}"$')

    def test_types(self):
        for key, wanted in (("0", "text/plain; charset=utf-8"), ("bin", "application/octet-stream"),
                            ("d/x.json", "application/json"), ("p", "image/png"),
                            ("empty", "text/plain; charset=utf-8")):
            self.assertEqual(self.s3.head_object(Bucket=self.repo_name, Key=key)["ContentType"],
                             wanted, key)
        self.assertEqual(self.get(ResponseContentType="x/y", ResponseCacheControl="no-store")
                         ["ResponseMetadata"]["HTTPHeaders"]["content-type"], "x/y")

    def test_what_is_no_file(self):
        for key in ("nosuch", "d", "d/", "d/x.json/y", "digits//", "../digits", "d/./x.json"):
            self.refuses("NoSuchKey", 404, self.s3.get_object, Bucket=self.repo_name, Key=key)
        self.assertEqual(self.get("digits/")["Body"].read(), self.digits)

    def test_ranges(self):
        for header, wanted in (("bytes=0-3", b"0123"), ("bytes=4-", b"456789"), ("bytes=-2", b"89"),
                               ("bytes=9-99", b"9"), ("bytes=-99", b"0123456789")):
            answer = self.get(Range=header)
            self.assertEqual((answer["Body"].read(), answer["ResponseMetadata"]["HTTPStatusCode"]),
                             (wanted, 206))
        self.assertEqual(self.get(Range="bytes=2-4")["ContentRange"], "bytes 2-4/10")
        for header in ("bytes=5-2", "bits=0-1", "bytes=x-1", "bytes=-"):
            self.assertEqual(self.get(Range=header)["Body"].read(), self.digits)
        self.refuses("InvalidRange", 416, self.get, Range="bytes=10-")
        part = self.get("big", Range="bytes=1234567-2345678")["Body"].read()
        self.assertEqual(part, self.big[1234567:2345679])

    def test_many_ranges(self):
        answer = self.get(Range="bytes=0-1,5-6")
        kind = answer["ContentType"]
        self.assertTrue(kind.startswith("multipart/byteranges; boundary="), kind)
        boundary = kind.split("=")[1].encode()
        parts = answer["Body"].read().split(b"--" + boundary)
        self.assertEqual([p.split(b"\r\n\r\n")[1].rstrip(b"\r\n") for p in parts[1:3]],
                         [b"01", b"56"])
        self.assertIn(b"Content-Range: bytes 5-6/10", parts[2])

    def test_conditions(self):
        head = self.s3.head_object(Bucket=self.repo_name, Key="digits")
        etag, when = head["ETag"], head["LastModified"]
        past, future = datetime(2001, 1, 1), datetime(2101, 1, 1)
        for good in ({"IfMatch": etag}, {"IfMatch": etag.strip('"')}, {"IfMatch": "*"},
                     {"IfNoneMatch": '"x"'}, {"IfModifiedSince": past},
                     {"IfUnmodifiedSince": future}, {"IfMatch": etag, "IfUnmodifiedSince": past},
                     {"IfNoneMatch": "x", "IfModifiedSince": future}):
            self.assertEqual(self.get(**good)["Body"].read(), self.digits, good)
        for bad in ({"IfMatch": '"x"'}, {"IfUnmodifiedSince": past}):
            self.refuses("PreconditionFailed", 412, self.get, **bad)
        for same in ({"IfNoneMatch": etag}, {"IfNoneMatch": etag.strip('"')},
                     {"IfModifiedSince": when}, {"IfNoneMatch": "*"}):
            self.refuses("304", 304, self.get, **same)


class AuthTest(S3Case):
    def setUp(self):
        super().setUp()
        self.name = self.repo({"/a b/c.txt": b"hello"})

    def test_signatures(self):
        for signature in ("s3v4", "s3"):
            s3 = self.server.s3(signature=signature)
            self.assertEqual(s3.get_object(Bucket=self.name, Key="a b/c.txt")["Body"].read(),
                             b"hello")
            listed = s3.list_objects(Bucket=self.name, Prefix="a b/")["Contents"]
            self.assertEqual([c["Key"] for c in listed], ["a b/c.txt"])

    def test_wrong_secret(self):
        bad = self.server.s3(secret="other")
        self.refuses("SignatureDoesNotMatch", 403, bad.list_buckets)
        bad = self.server.s3(secret="other", signature="s3")
        self.refuses("AccessDenied", 403, bad.list_buckets)

    def test_anonymous(self):
        s3 = self.server.s3(signature=UNSIGNED)
        self.assertEqual(s3.get_object(Bucket=self.name, Key="a b/c.txt")["Body"].read(), b"hello")

    def test_presigned(self):
        for signature in ("s3v4", "s3"):
            s3 = self.server.s3(signature=signature)
            url = s3.generate_presigned_url(
                "get_object", Params={"Bucket": self.name, "Key": "a b/c.txt",
                                      "ResponseContentDisposition": "attachment"}, ExpiresIn=60)
            with urllib.request.urlopen(url) as answer:
                self.assertEqual((answer.read(), answer.headers["content-disposition"]),
                                 (b"hello", "attachment"))
            for spoiled in (url.replace("c.txt", "d.txt"), url.replace("attachment", "inline")):
                with self.assertRaises(urllib.error.HTTPError) as caught:
                    urllib.request.urlopen(spoiled)
                self.assertEqual(caught.exception.code, 403)

    def test_on_the_port_of_all(self):
        s3 = self.server.s3(port=self.server.port)
        self.assertEqual(s3.get_object(Bucket=self.name, Key="a b/c.txt")["Body"].read(), b"hello")
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port)
        self.addCleanup(connection.close)
        connection.request("GET", f"/{self.name}/a%20b/c.txt")
        self.assertEqual(connection.getresponse().status, 404)

    def ask(self, headers, method="GET", target="/"):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.s3_port)
        self.addCleanup(connection.close)
        connection.request(method, target, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers

    def test_refusals(self):
        now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        v4 = ("AWS4-HMAC-SHA256 Credential=k/20200101/us-east-1/{}/aws4_request, "
              "SignedHeaders=host, Signature=" + "0" * 64)
        for headers, status, code in (
                ({"Authorization": "AWS4-HMAC-SHA256 nonsense"}, 400, "AuthorizationHeaderMalformed"),
                ({"Authorization": v4.format("ec2"), "x-amz-date": now}, 400,
                 "AuthorizationHeaderMalformed"),
                ({"Authorization": v4.format("s3")}, 403, "AccessDenied"),
                ({"Authorization": v4.format("s3"), "x-amz-date": "20200101T000000Z"}, 403,
                 "RequestTimeTooSkewed"),
                ({"Authorization": v4.format("s3"), "x-amz-date": now}, 403,
                 "SignatureDoesNotMatch"),
                ({"Authorization": "AWS nocolon"}, 400, "InvalidArgument"),
        ):
            got, body, answer = self.ask(headers)
            self.assertEqual(got, status, body)
            self.assertIn(f"<Code>{code}</Code>", body)
            self.assertEqual(answer["content-type"], "application/xml")
            self.assertIn(f"<RequestId>{answer['x-amz-request-id']}</RequestId>", body)

    def test_malformed_requests(self):
        for method, target, status, code in (
                ("PATCH", "/x", 405, "MethodNotAllowed"), ("POST", "/", 405, "MethodNotAllowed"),
                ("GET", "/b%20d/x", 400, "InvalidBucketName"), ("GET", "/%00", 400, "InvalidBucketName"),
                ("GET", "/%zz", 400, "InvalidBucketName"), ("GET", "//x", 400, "InvalidBucketName"),
                ("GET", f"/{self.name}?prefix=%", 400, "InvalidArgument"),
                ("GET", f"/{self.name}/%2e%2e/x", 404, "NoSuchKey"),
        ):
            got, body, _ = self.ask({}, method, target)
            self.assertEqual((got, f"<Code>{code}</Code>" in body), (status, True), (target, body))
