/* The life of a commit: started, filled, closed, finished; failures; children before parents
 * (§9). */
#include "base/clock.h"
#include "pfs_fixture.h"

static void start_put_finish(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    const char *id = start(fx, "in@master");
    put_file(fx, "in@master", "/a", 'x', 10);
    PfsV2__CommitInfo *open = inspect(fx, "in@master");
    assert_null(open->finishing);
    assert_int_equal(open->origin->kind, PFS_V2__ORIGIN_KIND__USER);
    assert_int_equal(open->details->size_bytes, 0);
    assert_int_equal(sum_of(fx, "in@master").bytes, 10);

    finish(fx, "in@master");
    PfsV2__CommitInfo *done = inspect(fx, "in@master");
    assert_string_equal(done->commit->id, id);
    assert_null(done->commit->branch);
    assert_non_null(done->finished);
    assert_int_equal(done->details->size_bytes, 10);
    assert_non_null(done->details->compacting_time);
    assert_string_equal(done->error, "");
    assert_fails(try_finish(fx, "in@master", NULL), UNKNOWN, "has already finished");
}

static void layers_add_up_over_commits(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    for (int i = 0; i < 3; i++) {
        start(fx, "in@master");
        put_file(fx, "in@master", text_printf(fx->ctx.arena, "/f%d", i), 'x', 5000);
        put_file(fx, "in@master", "/same", (char)('a' + i), 7);
        finish(fx, "in@master");
    }
    assert_int_equal(sum_of(fx, "in@master").files, 4);
    assert_int_equal(sum_of(fx, "in@master").bytes, 3 * 5000 + 7);
    assert_int_equal(sum_of(fx, "in@master^").files, 3);
    assert_int_equal(inspect(fx, "in@master")->details->size_bytes, 3 * 5000 + 7);
}

static void many_layers_are_kept_as_a_view(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    start(fx, "in@master");
    for (int i = 0; i < 40; i++) {
        put_file(fx, "in@master", text_printf(fx->ctx.arena, "/f%02d", i), 'x', 3);
        if (i % 13 == 0)
            assert_int_equal(sum_of(fx, "in@master").files, i + 1);
    }
    assert_int_equal(sum_of(fx, "in@master").files, 40);
    PfsTx *tx;
    PfsCommitRow row;
    assert_ok(pfs_begin_read(&fx->ctx, fx->pfs, &tx));
    assert_ok(pfs_pick(&fx->ctx, tx, commit_of(fx, "in@master"), &row));
    pfs_rollback(tx);
    assert_int_equal(row.layer_count, 40);
    assert_true(row.view_layers > 16);
    finish(fx, "in@master");
    assert_int_equal(inspect(fx, "in@master")->details->size_bytes, 120);
}

static void collision_fails_the_commit(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    start(fx, "in@master");
    put_file(fx, "in@master", "/a", 'x', 1);
    finish(fx, "in@master");
    start(fx, "in@master");
    put_file(fx, "in@master", "/a/b", 'x', 2);
    finish(fx, "in@master");
    PfsV2__CommitInfo *bad = inspect(fx, "in@master");
    assert_non_null(strstr(bad->error, "file / directory path collision (/a/b)"));
    assert_int_equal(bad->details->size_bytes, 3);
    assert_int_equal(sum_of(fx, "in@master").files, 2);

    /* Its child does without it. */
    start(fx, "in@master");
    put_file(fx, "in@master", "/c", 'x', 4);
    finish(fx, "in@master");
    assert_string_equal(inspect(fx, "in@master")->error, "");
    assert_int_equal(sum_of(fx, "in@master").bytes, 5);
}

static void failed_commits_are_passed_over(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    start(fx, "in@master");
    put_file(fx, "in@master", "/a", 'x', 1);
    finish(fx, "in@master");
    for (int i = 0; i < 3; i++) {
        start(fx, "in@master");
        put_file(fx, "in@master", "/bad", 'x', 100);
        assert_ok(try_finish(fx, "in@master", "no good"));
    }
    PfsV2__CommitInfo *bad = inspect(fx, "in@master");
    assert_string_equal(bad->error, "no good");
    assert_int_equal(bad->details->size_bytes, 0);
    assert_null(bad->details->compacting_time);
    assert_int_equal(sum_of(fx, "in@master").bytes, 101); /* its ruins can be read */
    start(fx, "in@master");
    assert_int_equal(sum_of(fx, "in@master").bytes, 1);
}

/* Output commits are open in a chain; their jobs end in any order. */
static void children_wait_for_their_base(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    create_repo(fx, "out");
    create_branch(fx, "out@master", "in@master", NULL);
    const char *ids[3];
    for (int i = 0; i < 3; i++)
        ids[i] = start_finish(fx, "in@master");
    for (int i = 2; i >= 0; i--)
        put_file(fx, text_printf(fx->ctx.arena, "out@%s", ids[i]),
                 text_printf(fx->ctx.arena, "/%d", i), 'x', 1);
    char *first = text_printf(fx->ctx.arena, "out@%s", ids[0]);
    char *second = text_printf(fx->ctx.arena, "out@%s", ids[1]);
    char *third = text_printf(fx->ctx.arena, "out@%s", ids[2]);

    finish(fx, third);
    assert_ok(try_finish(fx, second, "failed before its base"));
    assert_non_null(inspect(fx, second)->finished);
    assert_non_null(inspect(fx, third)->finishing);
    assert_null(inspect(fx, third)->finished);
    Hash root;
    PfsTx *tx;
    PfsCommitRow row;
    assert_ok(pfs_begin_read(&fx->ctx, fx->pfs, &tx));
    assert_ok(pfs_pick(&fx->ctx, tx, commit_of(fx, first), &row));
    pfs_rollback(tx);
    assert_fails(pfs_commit_view(&fx->ctx, fx->pfs, row.id, &root), UNKNOWN, "unfinished");

    finish(fx, "out@master.1"); /* the empty one that came with the branch */
    assert_null(inspect(fx, third)->finished);
    finish(fx, first);
    assert_non_null(inspect(fx, third)->finished);
    assert_int_equal(sum_of(fx, third).files, 2); /* the failed one in between is passed over */
    assert_int_equal(sum_of(fx, second).files, 2);
}

static void clear_drops_what_was_written(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    start(fx, "in@master");
    put_file(fx, "in@master", "/a", 'x', 10);
    Status s;
    IN_TX(fx, s, pfs_clear_commit(&fx->ctx, tx, commit_of(fx, "in@master")));
    assert_ok(s);
    assert_int_equal(sum_of(fx, "in@master").files, 0);
    put_file(fx, "in@master", "/b", 'x', 3);
    finish(fx, "in@master");
    assert_int_equal(inspect(fx, "in@master")->details->size_bytes, 3);
    IN_TX(fx, s, pfs_clear_commit(&fx->ctx, tx, commit_of(fx, "in@master")));
    assert_fails(s, UNKNOWN, "cannot clear finished commit");
}

static void start_needs_a_closed_parent(void **state)
{
    Fixture *fx = *state;
    const char *id;
    create_repo(fx, "in");
    start(fx, "in@master");
    assert_fails(try_start(fx, "in@master", &id), UNKNOWN,
                 "start commit in transaction: create commit: parent commit default/in@");
    assert_fails(try_start(fx, "in@master", &id), UNKNOWN, "has not been finished");
    assert_fails(try_start(fx, "nope@master", &id), NOT_FOUND, "repo default/nope not found");
    assert_fails(try_start(fx, "in@a b", &id), UNKNOWN, "name (a b) invalid");
    assert_fails(try_start(fx, "in@", &id), UNKNOWN, "branch must be specified");
    create_repo(fx, "out");
    create_branch(fx, "out@master", "in@master", NULL);
    finish(fx, "out@master");
    assert_fails(try_start(fx, "out@master", &id), UNKNOWN,
                 "cannot start a commit on an output branch: default/out@master");
}

static void start_forks_from_a_parent(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    create_repo(fx, "other");
    const char *first = start_finish(fx, "in@master");
    const char *second = start_finish(fx, "in@master");
    start_finish(fx, "other@master");
    PfsV2__StartCommitRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__start_commit_request, PfsV2__StartCommitRequest);
    request->branch = branch_of(fx, "in@master");
    request->parent = commit_of(fx, "in@master^");
    PfsV2__Commit *commit;
    Status s;
    IN_TX(fx, s, pfs_start_commit(&fx->ctx, tx, request, &commit));
    assert_ok(s);
    PfsV2__CommitInfo *parent = inspect(fx, text_printf(fx->ctx.arena, "in@%s", first));
    assert_int_equal(parent->n_child_commits, 2);
    assert_string_equal(parent->child_commits[0]->id, second);
    assert_string_equal(parent->child_commits[1]->id, commit->id);
    assert_string_equal(parent->child_commits[1]->branch->name, "master");

    request->parent = commit_of(fx, "other@master");
    IN_TX(fx, s, pfs_start_commit(&fx->ctx, tx, request, &commit));
    assert_fails(s, INVALID_ARGUMENT, "is not in repo default/in");
    request->parent = commit_of(fx, "in@nope");
    IN_TX(fx, s, pfs_start_commit(&fx->ctx, tx, request, &commit));
    assert_fails(s, NOT_FOUND, "parent commit not found: pick commit tx: commit default/in@nope");
}

static Status start_twice(Fixture *fx, PfsTx *tx)
{
    PfsV2__StartCommitRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__start_commit_request, PfsV2__StartCommitRequest);
    PfsV2__Commit *commit;
    request->branch = branch_of(fx, "in@master");
    TRY(pfs_start_commit(&fx->ctx, tx, request, &commit));
    request->branch = branch_of(fx, "in@other");
    return pfs_start_commit(&fx->ctx, tx, request, &commit);
}

static void one_commit_of_a_repo_in_a_set(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    Status s;
    IN_TX(fx, s, start_twice(fx, tx));
    assert_fails(s, ALREADY_EXISTS, "already has a commit in this transaction");
}

/* A commit too big to be merged under the writer's lock is finished all the same when the call
 * returns. */
static void big_commits_finish_too(void **state)
{
    Fixture *fx = *state;
    Ctx *ctx = &fx->ctx;
    create_repo(fx, "in");
    start(fx, "in@master");
    TreeBuilder *builder = tree_builder_new(&fx->pfs->content.io);
    for (int i = 0; i < 6000; i++) {
        TreeEntry entry = { .path = str(text_printf(ctx->arena, "/%05d", i)),
                            .tag = STR("default") };
        entry.record.hash = hash_of(bytes("", 0));
        assert_ok(tree_builder_add(ctx, builder, &entry));
    }
    Hash layer;
    assert_ok(tree_builder_finish(ctx, builder, &layer));
    tree_builder_free(builder);
    PfsCommitRow row;
    Status s;
    IN_TX(fx, s, pfs_pick(ctx, tx, commit_of(fx, "in@master"), &row));
    IN_TX(fx, s, pfs_attach_layer(ctx, tx, row.id, &layer));
    assert_ok(s);
    finish(fx, "in@master");
    assert_non_null(inspect(fx, "in@master")->finished);
    assert_int_equal(sum_of(fx, "in@master").files, 6000);
}

/* A process that stops between closing and finishing leaves the rest to the next one. */
static void a_restart_takes_up_what_was_left(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    start(fx, "in@master");
    put_file(fx, "in@master", "/a", 'x', 3);
    fx->pfs = pfs_close(fx->pfs);
    DbTx *tx;
    assert_ok(db_begin_write(&fx->ctx, fx->db, &tx));
    assert_ok(db_exec(&fx->ctx, tx, NULL, "UPDATE pfs_commit SET state = 3, finishing_ns = 1", ""));
    assert_ok(db_commit(&fx->ctx, tx));

    assert_ok(pfs_open(&fx->ctx, fx->db, fx->store, &fx->pfs));
    assert_ok(pfs_start(&fx->ctx, fx->pfs));
    PfsV2__InspectCommitRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__inspect_commit_request, PfsV2__InspectCommitRequest);
    PfsV2__CommitInfo *info;
    request->commit = commit_of(fx, "in@master");
    request->wait = PFS_V2__COMMIT_STATE__FINISHED;
    fx->ctx.deadline_ns = clock_mono_ns() + 20 * NS_PER_SEC;
    assert_ok(pfs_inspect_commit(&fx->ctx, fx->pfs, request, &info));
    fx->ctx.deadline_ns = DEADLINE_NONE;
    assert_int_equal(info->details->size_bytes, 3);
}

/* --- many at once ----------------------------------------------------------------------------- */

#define WRITERS 8
#define WRITES  5

typedef struct Writer {
    Fixture *fx;
    pthread_t thread;
    int number;
    size_t failed;
} Writer;

/* What a one-off write is: a commit that starts, gets a layer and ends in one transaction. */
static Status write_once(Ctx *ctx, Pfs *pfs, const char *path)
{
    TreeEntry entry = { .path = str(path), .tag = STR("default") };
    entry.record.hash = hash_of(bytes("", 0));
    CLEANUP(tree_builder_freep) TreeBuilder *builder = tree_builder_new(&pfs->content.io);
    Hash layer;
    TRY(tree_builder_add(ctx, builder, &entry));
    TRY(tree_builder_finish(ctx, builder, &layer));
    TRY(store_sync(ctx, pfs->store));

    PfsV2__StartCommitRequest *start =
        PB_NEW(ctx, pfs_v2__start_commit_request, PfsV2__StartCommitRequest);
    PfsV2__FinishCommitRequest *finish =
        PB_NEW(ctx, pfs_v2__finish_commit_request, PfsV2__FinishCommitRequest);
    start->branch = pfs_branch_ref(ctx, "default", "in", "master");
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    PfsCommitRow row;
    TRY(pfs_begin_write(ctx, pfs, NULL, &tx));
    TRY(pfs_start_commit(ctx, tx, start, &finish->commit));
    TRY(pfs_pick(ctx, tx, finish->commit, &row));
    TRY(pfs_attach_layer(ctx, tx, row.id, &layer));
    TRY(pfs_finish_commit(ctx, tx, finish, false));
    return pfs_commit(ctx, STEAL(tx));
}

static void *writer_run(void *arg)
{
    Writer *writer = arg;
    for (int i = 0; i < WRITES; i++) {
        CLEANUP(ctx_done) Ctx ctx;
        ctx_init(&ctx);
        const char *path = text_printf(ctx.arena, "/%d-%d", writer->number, i);
        writer->failed += !status_ok(write_once(&ctx, writer->fx->pfs, path));
    }
    return NULL;
}

static void writers_keep_each_others_files(void **state)
{
    Fixture *fx = *state;
    Writer writers[WRITERS];
    create_repo(fx, "in");
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (Writer){ .fx = fx, .number = i };
        assert_int_equal(pthread_create(&writers[i].thread, NULL, writer_run, &writers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
        assert_int_equal(writers[i].failed, 0);
    }
    assert_int_equal(sum_of(fx, "in@master").files, WRITERS * WRITES);
    assert_int_equal(sum_of(fx, "in@master.1").files, 1);
    assert_non_null(inspect(fx, text_printf(fx->ctx.arena, "in@master.%d", WRITERS * WRITES)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PFS_TEST(start_put_finish),
        PFS_TEST(layers_add_up_over_commits),
        PFS_TEST(many_layers_are_kept_as_a_view),
        PFS_TEST(collision_fails_the_commit),
        PFS_TEST(failed_commits_are_passed_over),
        PFS_TEST(children_wait_for_their_base),
        PFS_TEST(clear_drops_what_was_written),
        PFS_TEST(start_needs_a_closed_parent),
        PFS_TEST(start_forks_from_a_parent),
        PFS_TEST(one_commit_of_a_repo_in_a_set),
        PFS_TEST(big_commits_finish_too),
        PFS_TEST(a_restart_takes_up_what_was_left),
        PFS_TEST(writers_keep_each_others_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
