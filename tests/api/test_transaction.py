"""transaction_v2.API, and requests that join a transaction (services.md 10, pfs.md 22)."""

import json

from harness import ApiTest, name, raw_call, unittest
from pachyderm_sdk.api import pfs, pps, transaction as tx


def create_repo(repo, **more):
    return tx.TransactionRequest(create_repo=pfs.CreateRepoRequest(repo=repo, **more))


class TransactionTest(ApiTest):
    def repo(self, create=False):
        repo = pfs.Repo(name=name(), project=pfs.Project(name="default"), type="user")
        if create:
            self.client.pfs.create_repo(repo=repo)
        return repo

    def tearDown(self):
        self.client.transaction_id = ""

    def test_start_inspect_list_delete(self):
        transaction = self.client.transaction.start_transaction()
        self.assertRegex(transaction.id, "^[0-9a-f]{32}$")
        info = self.client.transaction.inspect_transaction(transaction=transaction)
        self.assertEqual((info.transaction.id, info.version), (transaction.id, 0))
        self.assertIsNotNone(info.started)
        listed = self.client.transaction.list_transaction().transaction_info
        self.assertIn(transaction.id, [i.transaction.id for i in listed])
        self.client.transaction.delete_transaction(transaction=transaction)
        self.assertFalse(self.client.transaction.transaction_exists(transaction))

    def test_unknown(self):
        unknown = tx.Transaction(id="0" * 32)
        text = "transactions " + "0" * 32 + " not found"
        api = self.client.transaction
        for call in (api.inspect_transaction, api.delete_transaction, api.finish_transaction):
            with self.fails("NOT_FOUND", text, exact=True):
                call(transaction=unknown)
        self.client.transaction_id = "0" * 32
        with self.fails("NOT_FOUND", text, exact=True):
            self.client.pfs.create_repo(repo=self.repo())

    def test_transaction_is_required(self):
        for method in ("Inspect", "Delete", "Finish"):
            with self.fails(
                "INVALID_ARGUMENT",
                f"validate request: invalid {method}TransactionRequest.Transaction: "
                "value is required",
            ):
                raw_call(self.client, f"/transaction_v2.API/{method}Transaction")

    def test_context_manager(self):
        repo = self.repo()
        branch = pfs.Branch(repo=repo, name="master")
        with self.client.transaction.transaction() as transaction:
            self.client.pfs.create_repo(repo=repo)
            commit = self.client.pfs.start_commit(branch=branch)
            self.assertEqual(commit.id, transaction.id)
            self.assertEqual(commit.branch.name, "")
            self.client.transaction_id = ""
            self.assertFalse(self.client.pfs.repo_exists(repo))
            self.client.transaction_id = transaction.id
            self.client.pfs.finish_commit(commit=commit)
        info = self.client.pfs.wait_commit(pfs.Commit(repo=repo, id=transaction.id))
        self.assertIsNotNone(info.finished)
        self.assertFalse(self.client.transaction.transaction_exists(transaction))

    def test_failing_body_deletes(self):
        repo = self.repo()
        with self.assertRaises(ZeroDivisionError):
            with self.client.transaction.transaction() as transaction:
                self.client.pfs.create_repo(repo=repo)
                _ = 1 / 0
        self.assertFalse(self.client.transaction.transaction_exists(transaction))
        self.assertFalse(self.client.pfs.repo_exists(repo))

    def test_failed_append_changes_nothing(self):
        repo = self.repo()
        transaction = self.client.transaction.start_transaction()
        self.client.pfs.create_repo(repo=repo)
        with self.fails(
            "ALREADY_EXISTS", "error running request 2 of 2: repo default/%s already" % repo.name
        ):
            self.client.pfs.create_repo(repo=repo)
        info = self.client.transaction.inspect_transaction(transaction=transaction)
        self.assertEqual((len(info.requests), len(info.responses), info.version), (1, 1, 1))
        self.assertEqual(info.requests[0].create_repo.repo.name, repo.name)
        info = self.client.transaction.finish_transaction(transaction=transaction)
        self.assertEqual(len(info.responses), 1)
        self.assertTrue(self.client.pfs.repo_exists(repo))

    def test_invalidated(self):
        repo = self.repo()
        transaction = self.client.transaction.start_transaction()
        self.client.pfs.create_repo(repo=repo)
        self.client.transaction_id = ""
        self.client.pfs.create_repo(repo=repo)
        with self.fails("ALREADY_EXISTS", "error running request 1 of 1: "):
            self.client.transaction.finish_transaction(transaction=transaction)
        self.assertTrue(self.client.transaction.transaction_exists(transaction))
        self.client.transaction.delete_transaction(transaction=transaction)

    def test_delete_repo(self):
        repo = self.repo(create=True)
        transaction = self.client.transaction.start_transaction()
        answer = self.client.pfs.delete_repo(repo=repo)
        self.assertTrue(answer.deleted)
        with self.fails("INVALID_ARGUMENT", "no repo specified", exact=True):
            raw_call(self.client, "/pfs_v2.API/DeleteRepo")
        self.client.transaction.finish_transaction(transaction=transaction)
        self.assertFalse(self.client.pfs.repo_exists(repo))

    def test_create_and_delete_within(self):
        repo = self.repo()
        transaction = self.client.transaction.start_transaction()
        self.client.pfs.create_repo(repo=repo)
        self.client.pfs.delete_repo(repo=repo)
        self.client.pfs.delete_repo(repo=self.repo(), force=True)
        self.client.transaction.finish_transaction(transaction=transaction)
        self.assertFalse(self.client.pfs.repo_exists(repo))

    def test_second_commit_of_a_repo(self):
        repo = self.repo(create=True)
        self.client.transaction.start_transaction()
        self.client.pfs.start_commit(branch=pfs.Branch(repo=repo, name="a"))
        with self.fails("ALREADY_EXISTS", "already has a commit in this transaction"):
            self.client.pfs.start_commit(branch=pfs.Branch(repo=repo, name="b"))
        with self.fails("UNKNOWN", "parent commit"):
            self.client.pfs.start_commit(branch=pfs.Branch(repo=repo, name="a"))

    def test_propagates_once(self):
        one, two, out = self.repo(True), self.repo(True), self.repo(True)
        inputs = [pfs.Branch(repo=r, name="master") for r in (one, two)]
        for branch in inputs:
            self.client.pfs.create_branch(branch=branch)
        self.client.pfs.create_branch(
            branch=pfs.Branch(repo=out, name="master"), provenance=inputs
        )
        before = len(list(self.client.pfs.list_commit(repo=out)))
        transaction = self.client.transaction.start_transaction()
        for branch in inputs:
            self.client.pfs.start_commit(branch=branch)
        self.client.transaction.finish_transaction(transaction=transaction)
        commits = list(self.client.pfs.list_commit(repo=out))
        self.assertEqual(len(commits), before + 1)
        self.assertEqual(commits[0].commit.id, transaction.id)
        self.assertEqual(len(commits[0].direct_provenance), 2)

    def test_dag_in_one_transaction(self):
        repos = [self.repo() for _ in range(5)]
        masters = [pfs.Branch(repo=r, name="master") for r in repos]
        transaction = self.client.transaction.start_transaction()
        for repo in repos:
            self.client.pfs.create_repo(repo=repo)
        self.client.pfs.start_commit(branch=masters[0])
        for i in range(1, 5):
            self.client.pfs.create_branch(branch=masters[i], provenance=[masters[i - 1]])
        self.client.transaction.finish_transaction(transaction=transaction)
        for repo in repos:
            commits = list(self.client.pfs.list_commit(repo=repo))
            self.assertEqual([c.commit.id for c in commits], [transaction.id])

    def test_batch(self):
        repo = pfs.Repo(name=name())  # no project: the handlers fill it in
        branch = pfs.Branch(repo=repo, name="master")
        info = self.client.transaction.batch_transaction(
            requests=[
                create_repo(repo),
                tx.TransactionRequest(start_commit=pfs.StartCommitRequest(branch=branch)),
                tx.TransactionRequest(
                    finish_commit=pfs.FinishCommitRequest(commit=pfs.Commit(repo=repo, branch=branch))
                ),
            ]
        )
        self.assertEqual(len(info.responses), 3)
        started = info.responses[1].commit
        self.assertEqual(started.id, info.transaction.id)
        # The one place where a commit says on which branch it was started (pfs.md 1.3).
        self.assertEqual((started.branch.name, started.branch.repo.name), ("master", repo.name))
        self.assertEqual(info.version, 0)
        self.assertFalse(self.client.transaction.transaction_exists(info.transaction))

    def test_batch_is_all_or_nothing(self):
        repo = self.repo()
        with self.fails("ALREADY_EXISTS", "error running request 2 of 2: "):
            self.client.transaction.batch_transaction(
                requests=[create_repo(repo), create_repo(repo)]
            )
        self.assertFalse(self.client.pfs.repo_exists(repo))
        with self.fails("UNKNOWN", "unrecognized transaction request type"):
            self.client.transaction.batch_transaction(requests=[tx.TransactionRequest()])
        self.assertEqual(self.client.transaction.batch_transaction(requests=[]).responses, [])

    def test_others_ignore_the_transaction(self):
        project = pfs.Project(name=name("p"))
        self.client.transaction.start_transaction()
        self.client.pfs.create_project(project=project)
        self.client.transaction_id = ""
        self.assertTrue(self.client.pfs.project_exists(project))

    def test_two_header_values(self):
        with self.fails("UNKNOWN", "multiple active transactions found in context"):
            raw_call(
                self.client,
                "/pfs_v2.API/CreateRepo",
                metadata=[("pach-transaction", "a"), ("pach-transaction", "b")],
            )

    def test_squash_and_delete_branch(self):
        repo = self.repo(create=True)
        branch = pfs.Branch(repo=repo, name="master")
        first = self.client.pfs.start_commit(branch=branch)
        self.client.pfs.finish_commit(commit=first)
        second = self.client.pfs.start_commit(branch=branch)
        self.client.pfs.finish_commit(commit=second)
        self.client.pfs.wait_commit(second)
        transaction = self.client.transaction.start_transaction()
        self.client.pfs.squash_commit_set(commit_set=pfs.CommitSet(id=first.id))
        self.client.pfs.delete_branch(branch=branch)
        self.client.transaction.finish_transaction(transaction=transaction)
        self.assertFalse(self.client.pfs.branch_exists(branch))
        ids = [c.commit.id for c in self.client.pfs.list_commit(repo=repo)]
        self.assertEqual(ids, [second.id])

    def test_a_dry_run_does_not_join(self):
        spec = {
            "pipeline": {"name": name("p")},
            "transform": {"image": "host", "cmd": ["true"]},
            "input": {"pfs": {"repo": self.repo(create=True).name, "glob": "/*"}},
        }
        with self.client.transaction.transaction() as transaction:
            answer = self.client.pps.create_pipeline_v2(
                create_pipeline_request_json=json.dumps(spec), dry_run=True
            )
            effective = json.loads(answer.effective_create_pipeline_request_json)
            self.assertEqual(effective["pipeline"]["name"], spec["pipeline"]["name"])
            info = self.client.transaction.inspect_transaction(transaction=transaction)
            self.assertEqual((info.requests, info.version), ([], 0))
        self.assertFalse(
            self.client.pps.pipeline_exists(pps.Pipeline(name=spec["pipeline"]["name"]))
        )

    def test_z_delete_all(self):
        self.client.transaction.start_transaction()
        self.client.transaction.delete_all()
        self.assertEqual(self.client.transaction.list_transaction().transaction_info, [])


if __name__ == "__main__":
    unittest.main()
