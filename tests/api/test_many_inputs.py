"""Datums of many files: more than come with an order, fetched many at once; and larger than a message."""

import hashlib
import random
import unittest

from pachyderm_sdk.api import pps

from pps_case import PpsCase

# "<hash>  ./<path>" of each file, as its datum found it.
LIST = "cd /pfs/in && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum > /pfs/out/list"


def content(n, size):
    return random.Random(n).randbytes(size)


class ManyInputs(PpsCase):
    def expected(self, files):
        lines = (f"{hashlib.sha256(text).hexdigest()}  .{path}\n" for path, text in sorted(files.items()))
        return "".join(lines).encode()

    def test_a_large_directory(self):
        """Empty files, large ones, the same content twice; then one change."""
        files = {f"/d{i % 7}/e/{i:04}": content(i % 400, (i * 37) % 900) for i in range(900)}
        files.update({"/empty": b"", "/z/large": content(1, 5 << 20), "/b": content(2, 70_000)})
        repo = self.repo(files=files)
        made = self.pipeline(repo, LIST, glob="/")
        self.succeeds(made)
        self.assertEqual(self.read(made, "/list"), self.expected(files))
        files["/d3/e/0003"] = b"changed"
        del files["/b"]
        commit = self.put(repo, {"/d3/e/0003": b"changed"}, delete=["/b"])
        self.succeeds(made, commit.id)
        self.assertEqual(self.read(made, "/list"), self.expected(files))

    def group(self, files, glob="/(a)*"):
        """One datum of all files, each an input of its own."""
        repo = self.repo(files=files)
        input = {"group": [{"pfs": {"repo": repo, "name": "in", "glob": glob, "groupBy": "$1"}}]}
        made = self.pipeline(input=input, script=LIST)
        self.assertEqual(self.succeeds(made).data_total, 1)
        self.assertEqual(self.read(made, "/list"), self.expected(files))
        return made

    def test_files_of_a_group(self):
        """Some come with the order, some are fetched, one is empty, two are the same."""
        sizes = (10, 20_000, 0, 17_000, 300_000)
        self.group({f"/a{i:03}": content(i % 90, sizes[i % 5]) for i in range(300)})

    def test_an_order_in_parts(self):
        folder = "/".join(["", *[letter * 240 for letter in "abcde"]])
        made = self.group({f"{folder}/{i}": b"%d" % i for i in range(1100)}, "/(a)*/*/*/*/*/*")
        lines = list(self.client.pps.get_logs(pipeline=pps.Pipeline(name=made),
                                              data_filters=[f"{folder}/999"]))
        self.assertTrue(lines)  # of all its files, but not all are told
        self.assertEqual({len(line.data) for line in lines}, {1000})


if __name__ == "__main__":
    unittest.main()
