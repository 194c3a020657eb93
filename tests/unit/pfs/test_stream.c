/* Lists, sets, walks and subscriptions (§18.3), and waiting for states (§5.5). */
#include "base/clock.h"
#include "pfs_fixture.h"

static Status keep_commit(void *arg, Ctx *ctx, const PfsV2__CommitInfo *info)
{
    Fixture *fx = arg;
    (void)ctx;
    fx->seen =
        text_printf(fx->keep, "%s %s@%.4s", fx->seen, info->commit->repo->name, info->commit->id);
    return OK;
}

/* What keep_commit shows of these commits: "repo@id" each. */
static const char *shown(Fixture *fx, const char *repo, const char *const *ids, int from, int to)
{
    const char *text = "";
    for (int i = from; i != to; i += from < to ? 1 : -1)
        text = text_printf(fx->keep, "%s %s@%.4s", text, repo, ids[i]);
    return text;
}

static PfsV2__ListCommitRequest *list_request(Fixture *fx, const char *repo)
{
    PfsV2__ListCommitRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__list_commit_request, PfsV2__ListCommitRequest);
    request->repo = repo_of(fx, repo);
    return request;
}

static const char *list(Fixture *fx, const PfsV2__ListCommitRequest *request)
{
    fx->seen = arena_strdup(fx->keep, "");
    assert_ok(pfs_list_commit(&fx->ctx, fx->pfs, request, keep_commit, fx));
    return fx->seen;
}

#define MANY 150 /* more than two pages */

static void lists_are_newest_first(void **state)
{
    Fixture *fx = *state;
    const char *ids[MANY];
    create_repo(fx, "in");
    for (int i = 0; i < MANY; i++) {
        clock_set_wall((1000 + i) * NS_PER_SEC);
        ids[i] = arena_strdup(fx->keep, start_finish(fx, "in@m"));
    }
    clock_set_wall(0);
    PfsV2__ListCommitRequest *request = list_request(fx, "in");
    assert_string_equal(list(fx, request), shown(fx, "in", ids, MANY - 1, -1));
    request->number = 3;
    assert_string_equal(list(fx, request), shown(fx, "in", ids, MANY - 1, MANY - 4));
    request->reverse = true;
    assert_string_equal(list(fx, request), shown(fx, "in", ids, 0, 3));

    /* By time, the way pages go on. */
    request->started_time = time_message(&fx->ctx, 1010 * NS_PER_SEC);
    assert_string_equal(list(fx, request), shown(fx, "in", ids, 11, 14));
    request->reverse = false;
    assert_string_equal(list(fx, request), shown(fx, "in", ids, 9, 6));
    request->started_time = time_message(&fx->ctx, 1000 * NS_PER_SEC);
    assert_string_equal(list(fx, request), "");
    request->repo->name = arena_strdup(fx->keep, "");
    request->started_time = time_message(&fx->ctx, 1002 * NS_PER_SEC);
    assert_string_equal(list(fx, request), shown(fx, "in", ids, 1, -1));
}

static void lists_have_bounds(void **state)
{
    Fixture *fx = *state;
    const char *ids[5];
    create_repo(fx, "in");
    create_repo(fx, "on");
    for (int i = 0; i < 5; i++)
        ids[i] = start_finish(fx, "in@m");
    PfsV2__ListCommitRequest *request = list_request(fx, "in");
    request->to = commit_of(fx, "in@m^");
    assert_string_equal(list(fx, request), shown(fx, "in", ids, 3, -1));
    request->from = commit_of(fx, "in@m.2");
    assert_string_equal(list(fx, request), shown(fx, "in", ids, 3, 1));
    request->number = 1;
    assert_string_equal(list(fx, request), shown(fx, "in", ids, 3, 2));
    request->reverse = true;
    assert_fails(pfs_list_commit(&fx->ctx, fx->pfs, request, keep_commit, fx), UNKNOWN,
                 "cannot use 'Reverse' while also using 'From' or 'To'");
    request->reverse = false;
    request->to = NULL;
    assert_fails(pfs_list_commit(&fx->ctx, fx->pfs, request, keep_commit, fx), UNKNOWN,
                 "cannot use `from` commit without `to` commit");
    request->from = commit_of(fx, "on@m");
    assert_fails(pfs_list_commit(&fx->ctx, fx->pfs, request, keep_commit, fx), UNKNOWN,
                 "`from` and `to` commits need to be from repo default/in");
    assert_fails(pfs_list_commit(&fx->ctx, fx->pfs, list_request(fx, "nope"), keep_commit, fx),
                 NOT_FOUND, "ensure repo exists: repo default/nope not found");
}

static void lists_filter_by_origin(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    create_branch(fx, "in@m", NULL, NULL);
    const char *ids[2] = { inspect(fx, "in@m")->commit->id, start_finish(fx, "in@m") };
    PfsV2__ListCommitRequest *request = list_request(fx, "in");
    assert_string_equal(list(fx, request), shown(fx, "in", ids, 1, -1));
    request->origin_kind = PFS_V2__ORIGIN_KIND__AUTO;
    assert_string_equal(list(fx, request), shown(fx, "in", ids, 0, 1));
    request->all = true;
    assert_string_equal(list(fx, request), shown(fx, "in", ids, 1, -1));
}

/* --- sets and walks --------------------------------------------------------------------------- */

static Status inspect_set(Fixture *fx, const char *id, bool wait)
{
    PfsV2__InspectCommitSetRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__inspect_commit_set_request, PfsV2__InspectCommitSetRequest);
    request->commit_set = PB_NEW(&fx->ctx, pfs_v2__commit_set, PfsV2__CommitSet);
    request->commit_set->id = arena_strdup(fx->ctx.arena, id);
    request->wait = wait;
    fx->seen = arena_strdup(fx->keep, "");
    return pfs_inspect_set(&fx->ctx, fx->pfs, request, keep_commit, fx);
}

static Status keep_set(void *arg, Ctx *ctx, const PfsV2__CommitSetInfo *info)
{
    Fixture *fx = arg;
    (void)ctx;
    fx->seen =
        text_printf(fx->keep, "%s %.4s:%zu", fx->seen, info->commit_set->id, info->n_commits);
    return OK;
}

static void sets_have_members_and_aliases(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "a");
    create_repo(fx, "b");
    create_repo(fx, "c");
    const char *b = start_finish(fx, "b@m");
    create_branch(fx, "c@m", "a@m b@m", NULL);
    finish(fx, "c@m");
    const char *set = start_finish(fx, "a@m");
    assert_ok(inspect_set(fx, set, false));
    assert_string_equal(fx->seen, text_printf(fx->keep, " a@%.4s b@%.4s c@%.4s", set, b, set));
    finish(fx, "c@m");
    assert_ok(inspect_set(fx, set, true));
    assert_fails(inspect_set(fx, "nope", false), NOT_FOUND, "no commits found for commitset nope");
    assert_fails(inspect_set(fx, "", false), INVALID_ARGUMENT, "no commits found for commitset");

    fx->seen = arena_strdup(fx->keep, "");
    assert_ok(pfs_list_set(&fx->ctx, fx->pfs, NULL, keep_set, fx));
    const char *middle = inspect(fx, "c@m^")->commit->id;
    assert_string_equal(fx->seen, text_printf(fx->keep, " %.4s:3 %.4s:3 %.4s:1", set, middle, b));
    PfsV2__Project *project = PB_NEW(&fx->ctx, pfs_v2__project, PfsV2__Project);
    fx->seen = arena_strdup(fx->keep, "");
    assert_ok(pfs_list_set(&fx->ctx, fx->pfs, project, keep_set, fx));
    assert_string_equal(fx->seen, "");
}

static PfsV2__CommitPicker *head_picker(Fixture *fx, const char *repo)
{
    Ctx *ctx = &fx->ctx;
    PfsV2__CommitPicker *picker = PB_NEW(ctx, pfs_v2__commit_picker, PfsV2__CommitPicker);
    PfsV2__RepoPicker *in = PB_NEW(ctx, pfs_v2__repo_picker, PfsV2__RepoPicker);
    picker->picker_case = PFS_V2__COMMIT_PICKER__PICKER_BRANCH_HEAD;
    picker->branch_head = PB_NEW(ctx, pfs_v2__branch_picker, PfsV2__BranchPicker);
    picker->branch_head->picker_case = PFS_V2__BRANCH_PICKER__PICKER_NAME;
    picker->branch_head->name =
        PB_NEW(ctx, pfs_v2__branch_picker__branch_name, PfsV2__BranchPicker__BranchName);
    picker->branch_head->name->name = arena_strdup(ctx->arena, "m");
    picker->branch_head->name->repo = in;
    in->picker_case = PFS_V2__REPO_PICKER__PICKER_NAME;
    in->name = PB_NEW(ctx, pfs_v2__repo_picker__repo_name, PfsV2__RepoPicker__RepoName);
    in->name->name = arena_strdup(ctx->arena, repo);
    in->name->project = PB_NEW(ctx, pfs_v2__project_picker, PfsV2__ProjectPicker);
    in->name->project->picker_case = PFS_V2__PROJECT_PICKER__PICKER_NAME;
    in->name->project->name = arena_strdup(ctx->arena, "default");
    return picker;
}

static const char *walk(Fixture *fx, const char *repo, bool down, uint64_t commits, uint64_t depth)
{
    PfsV2__CommitPicker *start = head_picker(fx, repo);
    fx->seen = arena_strdup(fx->keep, "");
    assert_ok(
        pfs_walk_commits(&fx->ctx, fx->pfs, &start, 1, down, commits, depth, keep_commit, fx));
    return fx->seen;
}

static void walks_go_nearest_first(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "a");
    create_repo(fx, "b");
    create_repo(fx, "c");
    create_branch(fx, "b@m", "a@m", NULL);
    create_branch(fx, "c@m", "b@m", NULL);
    const char *id = start(fx, "a@m");
    assert_string_equal(walk(fx, "c", false, 0, 0),
                        text_printf(fx->keep, " b@%.4s a@%.4s", id, id));
    assert_string_equal(walk(fx, "c", false, 1, 0), text_printf(fx->keep, " b@%.4s", id));
    assert_string_equal(walk(fx, "c", false, 0, 1), text_printf(fx->keep, " b@%.4s", id));
    assert_string_equal(walk(fx, "a", true, 0, 0), text_printf(fx->keep, " b@%.4s c@%.4s", id, id));
}

/* --- waiting ---------------------------------------------------------------------------------- */

/* Runs a waiting call on a thread of its own, with a ctx of its own. */
typedef struct Waiter {
    Fixture *fx;
    pthread_t thread;
    Ctx ctx;
    PfsV2__SubscribeCommitRequest *subscribe;
    PfsV2__InspectCommitRequest *inspect;
    PfsV2__CommitInfo *info;
    Status status;
    size_t stop_after;
    char text[400];
} Waiter;

static Status note(void *arg, Ctx *ctx, const PfsV2__CommitInfo *info)
{
    Waiter *waiter = arg;
    size_t used = strlen(waiter->text);
    snprintf(waiter->text + used, sizeof(waiter->text) - used, " %.4s%s", info->commit->id,
             info->finished ? "!" : "");
    return --waiter->stop_after ? OK : FAIL(ctx, ABORTED, "enough");
}

static void *waiter_run(void *arg)
{
    Waiter *waiter = arg;
    Pfs *pfs = waiter->fx->pfs;
    if (waiter->subscribe)
        waiter->status = pfs_subscribe_commit(&waiter->ctx, pfs, waiter->subscribe, note, waiter);
    else
        waiter->status = pfs_inspect_commit(&waiter->ctx, pfs, waiter->inspect, &waiter->info);
    return NULL;
}

static void waiter_start(Fixture *fx, Waiter *waiter)
{
    waiter->fx = fx;
    ctx_init(&waiter->ctx);
    waiter->ctx.deadline_ns = clock_mono_ns() + 20 * NS_PER_SEC;
    assert_int_equal(pthread_create(&waiter->thread, NULL, waiter_run, waiter), 0);
}

static void waiter_join(Waiter *waiter)
{
    assert_int_equal(pthread_join(waiter->thread, NULL), 0);
}

static PfsV2__SubscribeCommitRequest *subscribe_request(Fixture *fx, const char *repo,
                                                        PfsV2__CommitState state)
{
    PfsV2__SubscribeCommitRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__subscribe_commit_request, PfsV2__SubscribeCommitRequest);
    request->repo = repo_of(fx, repo);
    request->state = state;
    return request;
}

static void subscriptions_follow_the_repo(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    const char *ids[4];
    ids[0] = start_finish(fx, "in@m");
    ids[1] = start_finish(fx, "in@other");
    Waiter waiter = { .stop_after = 3,
                      .subscribe = subscribe_request(fx, "in", PFS_V2__COMMIT_STATE__FINISHED) };
    waiter.subscribe->branch = arena_strdup(fx->ctx.arena, "m");
    waiter_start(fx, &waiter);
    ids[2] = start_finish(fx, "in@m");
    ids[3] = start(fx, "in@m");
    finish(fx, "in@m");
    waiter_join(&waiter);
    assert_int_equal(waiter.status.code, STATUS_ABORTED);
    assert_string_equal(waiter.text,
                        text_printf(fx->keep, " %.4s! %.4s! %.4s!", ids[0], ids[2], ids[3]));
    ctx_done(&waiter.ctx);
}

static void drop(Fixture *fx, const char *commit)
{
    Status s;
    IN_TX(fx, s, pfs_drop_commit(&fx->ctx, tx, commit_of(fx, commit), true));
    assert_ok(s);
}

static void subscriptions_pass_over_deleted_commits(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    const char *ids[2];
    ids[0] = start_finish(fx, "in@m");
    start(fx, "in@m");
    Waiter waiter = { .stop_after = 2,
                      .subscribe = subscribe_request(fx, "in", PFS_V2__COMMIT_STATE__FINISHED) };
    waiter_start(fx, &waiter);
    drop(fx, "in@m");
    ids[1] = start_finish(fx, "in@m");
    waiter_join(&waiter);
    assert_string_equal(waiter.text, text_printf(fx->keep, " %.4s! %.4s!", ids[0], ids[1]));
    ctx_done(&waiter.ctx);
}

static void subscriptions_end_with_the_repo(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    Waiter waiter = { .stop_after = 9,
                      .subscribe = subscribe_request(fx, "in", PFS_V2__COMMIT_STATE__STARTED) };
    waiter_start(fx, &waiter);
    PfsV2__DeleteRepoRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__delete_repo_request, PfsV2__DeleteRepoRequest);
    request->repo = repo_of(fx, "in");
    bool deleted;
    Status s;
    IN_TX(fx, s, pfs_delete_repo(&fx->ctx, tx, request, &deleted));
    assert_ok(s);
    waiter_join(&waiter);
    assert_fails(waiter.status, NOT_FOUND, "repo (id=0, project=default, name=in, type=user)");
    ctx_done(&waiter.ctx);
}

static PfsV2__InspectCommitRequest *wait_request(Fixture *fx, const char *commit,
                                                 PfsV2__CommitState state)
{
    PfsV2__InspectCommitRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__inspect_commit_request, PfsV2__InspectCommitRequest);
    request->commit = commit_of(fx, commit);
    request->wait = state;
    return request;
}

static void inspect_waits(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    create_repo(fx, "out");
    create_branch(fx, "out@m", "in@m", NULL);
    finish(fx, "out@m");
    start(fx, "in@m");
    Waiter finished = { .inspect = wait_request(fx, "in@m", PFS_V2__COMMIT_STATE__FINISHED) };
    Waiter ready = { .inspect = wait_request(fx, "out@m", PFS_V2__COMMIT_STATE__READY) };
    waiter_start(fx, &finished);
    waiter_start(fx, &ready);
    finish(fx, "in@m");
    waiter_join(&finished);
    waiter_join(&ready);
    assert_ok(finished.status);
    assert_non_null(finished.info->finished);
    assert_ok(ready.status);
    assert_null(ready.info->finishing);
    ctx_done(&finished.ctx);
    ctx_done(&ready.ctx);

    Waiter gone = { .inspect = wait_request(fx, "out@m", PFS_V2__COMMIT_STATE__FINISHED) };
    waiter_start(fx, &gone);
    /* Dropped before or while it is waited for: both ends are fine, and told apart. */
    drop(fx, "out@m");
    waiter_join(&gone);
    assert_false(status_ok(gone.status) && gone.info->finished == NULL);
    ctx_done(&gone.ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PFS_TEST(lists_are_newest_first),
        PFS_TEST(lists_have_bounds),
        PFS_TEST(lists_filter_by_origin),
        PFS_TEST(sets_have_members_and_aliases),
        PFS_TEST(walks_go_nearest_first),
        PFS_TEST(subscriptions_follow_the_repo),
        PFS_TEST(subscriptions_pass_over_deleted_commits),
        PFS_TEST(subscriptions_end_with_the_repo),
        PFS_TEST(inspect_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
