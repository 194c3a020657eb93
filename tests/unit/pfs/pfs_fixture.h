/* pfs_fixture.h - a server's versioned file system in a scratch folder, and short ways to say what
 * tests say often.
 *
 * Every helper runs in a transaction of its own and fails the test when it fails; try_x returns the
 * status instead.
 */
#pragma once

#include "pfs/pfs_priv.h"
#include "testing.h"

typedef struct Fixture {
    Ctx ctx;
    char *dir;
    const char *url; /* of the database */
    Db *db;
    StoreIndex index;
    Store *store;
    Pfs *pfs;
    Arena *keep; /* what a callback gathers: a list rewinds the ctx's own arena */
    char *seen;
} Fixture;

int fixture_setup(void **state);
int fixture_setup_on_disk(void **state); /* may be reopened */
void fixture_reopen(Fixture *fx);
int fixture_teardown(void **state);
#define PFS_TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

/* "repo", "repo@branch", "repo@ref" in project "default"; "repo.spec@branch" for another type. */
PfsV2__Repo *repo_of(Fixture *fx, const char *repo);
PfsV2__Branch *branch_of(Fixture *fx, const char *branch);
PfsV2__Commit *commit_of(Fixture *fx, const char *commit);

Status try_create_repo(Fixture *fx, const char *repo);
void create_repo(Fixture *fx, const char *repo);

/* upstream: branches separated by spaces, "" or NULL for none; head: a commit, or NULL. A branch in
 * `upstream` that begins with '!' never propagates. */
Status try_create_branch(Fixture *fx, const char *branch, const char *upstream, const char *head);
void create_branch(Fixture *fx, const char *branch, const char *upstream, const char *head);
Status try_delete_branch(Fixture *fx, const char *branch, bool force);
PfsV2__BranchInfo *inspect_branch(Fixture *fx, const char *branch);

/* The new commit's id, in the fixture's arena. */
Status try_start(Fixture *fx, const char *branch, const char **out_id);
const char *start(Fixture *fx, const char *branch);
Status try_finish(Fixture *fx, const char *commit, const char *error);
void finish(Fixture *fx, const char *commit);
const char *start_finish(Fixture *fx, const char *branch);
Status try_inspect(Fixture *fx, const char *commit, PfsV2__CommitInfo **out);
PfsV2__CommitInfo *inspect(Fixture *fx, const char *commit);

/* Puts a file of `size` bytes of `fill` into an open commit. */
void put_file(Fixture *fx, const char *commit, const char *path, char fill, size_t size);
/* Files and bytes in a commit, as readers see it. */
TreeSum sum_of(Fixture *fx, const char *commit);

/* Ids of all commits of a set, as "repo repo …" in order of creation. */
const char *set_repos(Fixture *fx, const char *set_id);

/* Runs `body` in a write transaction `tx` and commits it; `status` is what became of it. */
#define IN_TX(fx, status, body)                                                                    \
    do {                                                                                           \
        PfsTx *tx = NULL;                                                                          \
        assert_ok(pfs_begin_write(&(fx)->ctx, (fx)->pfs, NULL, &tx));                              \
        (status) = (body);                                                                         \
        if (status_ok(status))                                                                     \
            (status) = pfs_commit(&(fx)->ctx, tx);                                                 \
        else                                                                                       \
            pfs_rollback(tx);                                                                      \
    } while (0)
