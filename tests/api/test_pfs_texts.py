"""What bad requests of pfs are told, beyond the table of errors: names, paths, references, branches,
triggers, streams (pfs.md 2.3 to 17). Clients match on these texts."""

from harness import ApiTest, unittest
from pachyderm_sdk.api import pfs
from pfs_texts import NONE, TABLES, World


class TextTest(ApiTest):
    def run_table(self, table):
        world = World()
        self.addCleanup(world.client._channel.close)
        world.other_master = f"default/{world.other.name}@master"
        world.other_key = f"default/{world.other.name}.user@master"
        world.down_master = f"default/{world.down.name}@master"
        world.foreign_name = f"default/{world.other.name}@{world.foreign.id}"
        world.second_key = f"{world.name}.user@{world.second.id}"
        for code, text, call in TABLES[table]:
            with self.subTest(text):
                with self.fails(code, text.format(**vars(world)), exact=True):
                    call(world)

    def test_names(self):
        self.run_table("names")

    def test_branches(self):
        self.run_table("branches")

    def test_triggers(self):
        self.run_table("triggers")

    def test_commits(self):
        self.run_table("commits")

    def test_references(self):
        self.run_table("references")

    def test_reads(self):
        self.run_table("reads")

    def test_writes(self):
        self.run_table("writes")

    def test_user_is_not_named(self):
        """The default type of repos is not shown where people look."""
        calls = [
            lambda api: api.inspect_repo(repo=NONE),
            lambda api: api.inspect_commit(commit=pfs.Commit(repo=NONE, id="master")),
        ]
        for call in calls:
            with self.fails("NOT_FOUND", "repo default/none-such not found") as told:
                call(self.client.pfs)
            self.assertNotIn("user", told.text)


if __name__ == "__main__":
    unittest.main()
