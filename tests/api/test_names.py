"""Names of files: what may stand in one arrives as it is wherever it goes, also where it could be
taken for syntax; what may not is refused by name.

A '\\\\' is what patterns escape with, and nothing else of theirs may stand in a name. So a file /a\\b
must not be taken for /ab, nor the other way round.
"""

from pachyderm_sdk.api import pfs

from pps_case import FAILURE, PpsCase
from s3_case import S3Case

FILES = {
    "/ab": b"no escape", "/a\\b": b"one", "/a\\\\b": b"two", "/d\\e/f": b"below", "/de/f": b"not",
    "/end\\": b"last", "/ a  b ": b"blanks", "/-r": b"dash", "/~": b"tilde", "/'\"`": b"quotes",
    "/$HOME": b"dollar", "/%2F%": b"percent", "/a#b": b"hash", "/a:b": b"colon",
    "/<a>|;&,=_": b"rest", "/...": b"dots",
}
PATTERN_CHARACTERS = "*?[]{}!()@+^"


class Through(PpsCase):
    """Pipelines get and give them."""

    def copied(self, **input):
        repo = self.repo(files=FILES)
        input = {"repo": repo, "name": "in", "glob": "/", **input}
        script = "cd /pfs/in; find . ! -type d | while IFS= read -r f; do\n" \
                 "mkdir -p \"/pfs/out/$(dirname \"$f\")\"; cat \"$f\" > \"/pfs/out/$f\"; done"
        name = self.pipeline(None, script, input={"pfs": input})
        self.succeeds(name)
        self.assertEqual({path: self.read(name, path) for path in self.paths(name)}, FILES)
        return name

    def test_one_by_one(self):
        self.copied(glob="/*")

    def test_all_at_once(self):
        self.copied()

    def test_lazy(self):
        self.copied(lazy=True, glob="/*")

    def test_links(self):
        files = {path: data for path, data in FILES.items() if path != "/..."}
        repo = self.repo(files=files)
        for input in {}, {"lazy": True}, {"empty_files": True}:
            with self.subTest(input):
                name = self.pipeline(
                    None, "cd /pfs/in; for f in *; do ln -s \"/pfs/in/$f\" \"/pfs/out/$f\"; done",
                    input={"pfs": {"repo": repo, "name": "in", "glob": "/", **input}})
                self.succeeds(name)
                self.assertEqual({path: self.read(name, path) for path in self.paths(name)}, files)

    def test_one_datum_of_many(self):
        """A datum's files are asked for by name."""
        repo = self.repo(files=FILES)
        name = self.pipeline(repo, "cp -r /pfs/in/. /pfs/out", glob="/a\\\\\\\\b")
        self.succeeds(name)
        self.assertEqual(self.paths(name), ["/a\\\\b"])
        self.assertEqual(self.read(name, "/a\\\\b"), b"two")

    def test_refused(self):
        """What patterns are made of: by the API before anything is written, and in outputs."""
        repo = self.repo()
        for character in PATTERN_CHARACTERS:
            told = f"path (/x{character}y) invalid: globbing character ({character}) not allowed"
            with self.subTest(character), self.fails("UNKNOWN", told):
                self.put(repo, {f"/x{character}y": b"1"})
        for path in "/x*y", "/a[b]":
            name = self.pipeline(self.repo(files={"/1": b"1"}), f"echo 1 > '/pfs/out{path}'",
                                 datum_tries=1)
            self.assertEqual(self.job(name).state, FAILURE)
            said = [line.message for line in self.client.pps.get_logs(job=self.jobs(name)[0].job)]
            self.assertTrue(any(f"path ({path}) invalid: globbing character" in line
                                for line in said), said)


class Asked(S3Case, PpsCase):
    """Whoever asks for a name gets that file."""

    def setUp(self):
        super().setUp()
        self.name = self.repo(FILES)

    def file(self, path):
        return pfs.File.from_uri(f"{self.name}@master:{path}")

    def test_by_get_file(self):
        for path, data in FILES.items():
            with self.subTest(path):
                self.assertEqual(self.client.pfs.pfs_file(self.file(path)).read(), data)

    def test_by_get_file_tar(self):
        for path, data in FILES.items():
            with self.subTest(path):
                with self.client.pfs.pfs_tar_file(self.file(path)) as tar:
                    self.assertEqual([(m.name, tar.extractfile(m).read()) for m in tar],
                                     [(path[1:], data)])

    def test_by_patterns(self):
        """A pattern that names nothing is a pattern."""
        for pattern, data in {"/a\\\\b": b"two", "/[a]\\\\b": b"one", "/d\\\\e/f": b"below",
                              "/end\\\\": b"last", "/\\$HOME": b"dollar"}.items():
            with self.subTest(pattern):
                self.assertEqual(self.client.pfs.pfs_file(self.file(pattern)).read(), data)

    def test_by_s3(self):
        bucket = f"master.{self.name}"
        listed = self.s3.list_objects_v2(Bucket=bucket)["Contents"]
        self.assertCountEqual(["/" + one["Key"] for one in listed], FILES)
        for path, data in FILES.items():
            with self.subTest(path):
                answer = self.s3.get_object(Bucket=bucket, Key=path[1:])
                self.assertEqual(answer["Body"].read(), data)
