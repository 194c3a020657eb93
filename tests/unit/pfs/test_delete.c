/* Squash, drop and forget (§11). */
#include "pfs_fixture.h"

static Status try_set(Fixture *fx, const char *id,
                      Status (*fn)(Ctx *ctx, PfsTx *tx, const PfsV2__CommitSet *set))
{
    PfsV2__CommitSet *set = PB_NEW(&fx->ctx, pfs_v2__commit_set, PfsV2__CommitSet);
    set->id = arena_strdup(fx->ctx.arena, id);
    Status s;
    IN_TX(fx, s, fn(&fx->ctx, tx, set));
    return s;
}

static char *at(Fixture *fx, const char *repo, const char *id)
{
    return text_printf(fx->ctx.arena, "%s@%s", repo, id);
}

/* Commits that each put one file: "/0", "/1" … */
static void commit_files(Fixture *fx, const char *branch, const char **ids, int n)
{
    for (int i = 0; i < n; i++) {
        ids[i] = start(fx, branch);
        put_file(fx, branch, text_printf(fx->ctx.arena, "/%d", i), 'x', 1);
        finish(fx, branch);
    }
}

static void squash_keeps_the_content(void **state)
{
    Fixture *fx = *state;
    const char *ids[3];
    create_repo(fx, "in");
    commit_files(fx, "in@m", ids, 3);
    assert_fails(
        try_set(fx, ids[2], pfs_squash_set), UNKNOWN,
        "cannot squash a commit that has no children as that would cause data loss, use the "
        "drop operation instead: default/in@");
    assert_ok(try_set(fx, ids[1], pfs_squash_set));
    assert_int_equal(sum_of(fx, "in@m").files, 3);
    PfsV2__CommitInfo *head = inspect(fx, "in@m");
    assert_string_equal(head->parent_commit->id, ids[0]);
    assert_string_equal(inspect(fx, at(fx, "in", ids[0]))->child_commits[0]->id, ids[2]);
    PfsV2__CommitInfo *info;
    assert_fails(try_inspect(fx, at(fx, "in", ids[1]), &info), NOT_FOUND, "not found");
    assert_ok(try_set(fx, ids[0], pfs_squash_set));
    assert_null(inspect(fx, "in@m")->parent_commit);
    assert_ok(try_set(fx, "abcdef0123454789abcdef0123456789", pfs_squash_set));
    assert_fails(try_set(fx, "", pfs_squash_set), INVALID_ARGUMENT, "empty");
}

/* A failed child must not lose what the squashed commit gave it. */
static void squash_under_a_failed_child(void **state)
{
    Fixture *fx = *state;
    const char *ids[1];
    create_repo(fx, "in");
    commit_files(fx, "in@m", ids, 1);
    start(fx, "in@m");
    assert_ok(try_finish(fx, "in@m", "bad"));
    assert_ok(try_set(fx, ids[0], pfs_squash_set));
    assert_int_equal(sum_of(fx, "in@m").files, 1);
    start_finish(fx, "in@m");
    assert_int_equal(sum_of(fx, "in@m").files, 1);
}

static void drop_moves_heads(void **state)
{
    Fixture *fx = *state;
    const char *ids[2];
    create_repo(fx, "in");
    commit_files(fx, "in@m", ids, 2);
    create_branch(fx, "in@n", NULL, "in@m");
    assert_fails(try_set(fx, ids[0], pfs_drop_set), UNKNOWN,
                 "cannot drop a commit that has children: default/in@");
    assert_ok(try_set(fx, ids[1], pfs_drop_set));
    assert_string_equal(inspect(fx, "in@m")->commit->id, ids[0]);
    assert_string_equal(inspect(fx, "in@n")->commit->id, ids[0]);
    assert_ok(try_set(fx, ids[0], pfs_drop_set));
    PfsV2__CommitInfo *fresh = inspect(fx, "in@m");
    assert_null(fresh->parent_commit);
    assert_non_null(fresh->finished);
    assert_int_equal(fresh->origin->kind, PFS_V2__ORIGIN_KIND__AUTO);
    assert_string_equal(inspect(fx, "in@n")->commit->id, fresh->commit->id);
}

static void an_open_commit_can_be_dropped(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    create_repo(fx, "out");
    create_branch(fx, "out@m", "in@m", NULL);
    const char *id = start(fx, "in@m");
    assert_ok(try_set(fx, id, pfs_drop_set));
    assert_string_equal(set_repos(fx, id), "");
    start(fx, "in@m");
}

static void children_must_be_finished(void **state)
{
    Fixture *fx = *state;
    const char *ids[1];
    create_repo(fx, "in");
    commit_files(fx, "in@m", ids, 1);
    start(fx, "in@m");
    assert_fails(try_set(fx, ids[0], pfs_squash_set), UNKNOWN,
                 "cannot squash until child commit default/in@");
}

static Status start_both(Fixture *fx, PfsTx *tx)
{
    PfsV2__StartCommitRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__start_commit_request, PfsV2__StartCommitRequest);
    PfsV2__Commit *commit;
    request->branch = branch_of(fx, "a@m");
    TRY(pfs_start_commit(&fx->ctx, tx, request, &commit));
    request->branch = branch_of(fx, "b@m");
    return pfs_start_commit(&fx->ctx, tx, request, &commit);
}

static void later_sets_protect_earlier_ones(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "a");
    create_repo(fx, "b");
    create_repo(fx, "c");
    create_branch(fx, "c@m", "a@m b@m", NULL);
    finish(fx, "c@m");
    const char *a = start_finish(fx, "a@m");
    finish(fx, "c@m");
    const char *b = start_finish(fx, "b@m");
    finish(fx, "c@m");
    Status s = try_set(fx, a, pfs_squash_set);
    assert_string_equal(status_message(s),
                        text_printf(fx->ctx.arena,
                                    "commit set \"id:\\\"%s\\\"\" cannot be dropped because it has "
                                    "subvenant commit sets: [id:\"%s\"]",
                                    a, b));
    /* A set over both inputs depends on neither of the older ones. */
    IN_TX(fx, s, start_both(fx, tx));
    assert_ok(s);
    finish(fx, "a@m");
    finish(fx, "b@m");
    finish(fx, "c@m");
    assert_ok(try_set(fx, b, pfs_squash_set));
    assert_ok(try_set(fx, a, pfs_squash_set));
    assert_string_equal(inspect(fx, "c@m")->commit->id, inspect(fx, "a@m")->commit->id);
}

static Status try_one(Fixture *fx, const char *commit, bool recursive,
                      Status (*fn)(Ctx *ctx, PfsTx *tx, const PfsV2__Commit *commit,
                                   bool recursive))
{
    Status s;
    IN_TX(fx, s, fn(&fx->ctx, tx, commit_of(fx, commit), recursive));
    return s;
}

static void one_commit_with_what_depends_on_it(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "a");
    create_repo(fx, "b");
    create_branch(fx, "b@m", "a@m", NULL);
    finish(fx, "b@m");
    const char *id = start_finish(fx, "a@m");
    finish(fx, "b@m");
    assert_fails(try_one(fx, "a@m", false, pfs_drop_commit), UNKNOWN,
                 "cannot drop commit (default/a@");
    assert_ok(try_one(fx, "a@m", true, pfs_drop_commit));
    assert_string_equal(set_repos(fx, id), "");
    start_finish(fx, "a@m");
    finish(fx, "b@m");
    assert_fails(try_one(fx, "a@m^", false, pfs_squash_commit), UNKNOWN,
                 "cannot squash commit (default/a@");
    assert_ok(try_one(fx, "a@m^", true, pfs_squash_commit));
    assert_null(inspect(fx, "a@m")->parent_commit);
    assert_null(inspect(fx, "b@m")->parent_commit);
}

static void a_pipelines_record_stays(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "p");
    create_repo(fx, "p.spec");
    const char *id = start_finish(fx, "p.spec@m");
    assert_fails(try_set(fx, id, pfs_squash_set), UNKNOWN, "because it updated a pipeline");
    assert_fails(try_set(fx, id, pfs_drop_set), UNKNOWN, "because it updated a pipeline");
}

/* --- forget ----------------------------------------------------------------------------------- */

static PfsV2__CommitPicker *id_picker(Fixture *fx, const char *repo, const char *id)
{
    Ctx *ctx = &fx->ctx;
    PfsV2__CommitPicker *picker = PB_NEW(ctx, pfs_v2__commit_picker, PfsV2__CommitPicker);
    PfsV2__RepoPicker *in = PB_NEW(ctx, pfs_v2__repo_picker, PfsV2__RepoPicker);
    picker->picker_case = PFS_V2__COMMIT_PICKER__PICKER_ID;
    picker->id = PB_NEW(ctx, pfs_v2__commit_picker__commit_by_global_id,
                        PfsV2__CommitPicker__CommitByGlobalId);
    picker->id->id = arena_strdup(ctx->arena, id);
    picker->id->repo = in;
    in->picker_case = PFS_V2__REPO_PICKER__PICKER_NAME;
    in->name = PB_NEW(ctx, pfs_v2__repo_picker__repo_name, PfsV2__RepoPicker__RepoName);
    in->name->name = arena_strdup(ctx->arena, repo);
    in->name->project = PB_NEW(ctx, pfs_v2__project_picker, PfsV2__ProjectPicker);
    in->name->project->picker_case = PFS_V2__PROJECT_PICKER__PICKER_NAME;
    in->name->project->name = arena_strdup(ctx->arena, "default");
    return picker;
}

static Status try_forget(Fixture *fx, const char *repo, const char *id)
{
    Status s;
    IN_TX(fx, s, pfs_forget_commit(&fx->ctx, tx, id_picker(fx, repo, id)));
    return s;
}

static void forgotten_commits_keep_their_row(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "a");
    create_repo(fx, "b");
    create_branch(fx, "b@m", "a@m", NULL);
    finish(fx, "b@m");
    const char *old = start_finish(fx, "a@m");
    put_file(fx, "b@m", "/f", 'x', 9);
    finish(fx, "b@m");
    Status s = try_forget(fx, "a", old);
    assert_string_equal(status_message(s),
                        "Forget Commit: the commit to be forgotten must be in an output repo");
    s = try_forget(fx, "b", old);
    assert_string_equal(
        status_message(s),
        "Forget Commit: list branch in transaction: for each branch: the branch head "
        "cannot be a forgotten commit");
    start_finish(fx, "a@m");
    s = try_forget(fx, "b", old);
    assert_string_equal(status_message(s), "Forget Commit: direct descendants must be closed");
    finish(fx, "b@m");
    assert_ok(try_forget(fx, "b", old));
    PfsV2__CommitInfo *info = inspect(fx, at(fx, "b", old));
    assert_int_equal(info->details->size_bytes, 9);
    assert_int_equal(sum_of(fx, "b@m").bytes, 9);

    PfsTx *tx;
    PfsCommitRow row;
    Hash root;
    assert_ok(pfs_begin_read(&fx->ctx, fx->pfs, &tx));
    assert_ok(pfs_pick(&fx->ctx, tx, commit_of(fx, at(fx, "b", old)), &row));
    pfs_rollback(tx);
    assert_fails(pfs_commit_view(&fx->ctx, fx->pfs, row.id, &root), UNKNOWN,
                 "the commit is forgotten");
    s = try_create_branch(fx, "b@m", "a@m", at(fx, "b", old));
    assert_string_equal(status_message(s),
                        "list branch in transaction: for each branch: the branch head cannot be a "
                        "forgotten commit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PFS_TEST(squash_keeps_the_content),
        PFS_TEST(squash_under_a_failed_child),
        PFS_TEST(drop_moves_heads),
        PFS_TEST(an_open_commit_can_be_dropped),
        PFS_TEST(children_must_be_finished),
        PFS_TEST(later_sets_protect_earlier_ones),
        PFS_TEST(one_commit_with_what_depends_on_it),
        PFS_TEST(a_pipelines_record_stays),
        PFS_TEST(forgotten_commits_keep_their_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
