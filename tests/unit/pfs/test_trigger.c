/* Branches that follow others: conditions, chains, schedules (§10). */
#include "base/clock.h"
#include "pfs_fixture.h"

static PfsV2__Trigger *trigger_on(Fixture *fx, const char *branch)
{
    PfsV2__Trigger *trigger = PB_NEW(&fx->ctx, pfs_v2__trigger, PfsV2__Trigger);
    trigger->branch = arena_strdup(fx->ctx.arena, branch);
    return trigger;
}

static Status try_trigger(Fixture *fx, const char *branch, PfsV2__Trigger *trigger)
{
    PfsV2__CreateBranchRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__create_branch_request, PfsV2__CreateBranchRequest);
    request->branch = branch_of(fx, branch);
    request->trigger = trigger;
    Status s;
    IN_TX(fx, s, pfs_create_branch(&fx->ctx, tx, request));
    return s;
}

static char *text(Fixture *fx, const char *s)
{
    return arena_strdup(fx->ctx.arena, s);
}

static void commit_bytes(Fixture *fx, const char *branch, const char *path, size_t size)
{
    start(fx, branch);
    put_file(fx, branch, path, 'x', size);
    finish(fx, branch);
}

static bool same_head(Fixture *fx, const char *a, const char *b)
{
    return strcmp(inspect(fx, a)->commit->id, inspect(fx, b)->commit->id) == 0;
}

static void triggers_are_checked(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    create_branch(fx, "in@a", NULL, NULL);
    static const struct {
        const char *branch, *size, *rate, *cron, *error;
        int64_t commits;
    } cases[] = {
        {"",     "",                   "",     "",     "triggers must specify a branch to trigger on",  1 },
        { "a b", "",                   "",     "",     "name (a b) invalid",                            1 },
        { "a",   "this is not a size", "",     "",     "invalid trigger size: ",                        0 },
        { "a",   "",                   "nope", "",     "invalid trigger rate limit spec: ",             0 },
        { "a",   "",                   "",     "",     "can't trigger on a negative number of commits", -1},
        { "a",   "",                   "",     "nope", "invalid trigger cron spec: ",                   0 },
        { "b",   "",                   "",     "",     "triggers cannot form a loop",                   1 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        PfsV2__Trigger *trigger = trigger_on(fx, cases[i].branch);
        trigger->size = text(fx, cases[i].size);
        trigger->rate_limit_spec = text(fx, cases[i].rate);
        trigger->cron_spec = text(fx, cases[i].cron);
        trigger->commits = cases[i].commits;
        assert_fails(try_trigger(fx, "in@b", trigger), UNKNOWN, cases[i].error);
    }
    assert_fails(try_trigger(fx, "in@b", trigger_on(fx, "none")), NOT_FOUND,
                 "create branch: update head: updating branch trigger: branch (id=0, "
                 "branch=default/in@none) not found");
    assert_ok(try_trigger(fx, "in@b", trigger_on(fx, "a")));
    assert_fails(try_trigger(fx, "in@a", trigger_on(fx, "b")), UNKNOWN,
                 "triggers cannot form a loop");
    assert_string_equal(inspect_branch(fx, "in@b")->trigger->branch, "a");
    assert_fails(try_delete_branch(fx, "in@a", false), UNKNOWN,
                 "cannot be deleted because it is triggered by branches [default/in@b]");
    assert_fails(try_delete_branch(fx, "in@b", false), UNKNOWN,
                 "cannot be deleted because it triggers branches [default/in@a]");
    assert_ok(try_delete_branch(fx, "in@a", true));
    assert_null(inspect_branch(fx, "in@b")->trigger);
}

static void size_fires(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    create_repo(fx, "out");
    create_branch(fx, "in@a", NULL, NULL);
    PfsV2__Trigger *trigger = trigger_on(fx, "a");
    trigger->size = text(fx, "1K");
    assert_ok(try_trigger(fx, "in@b", trigger));
    create_branch(fx, "out@m", "in@b", NULL);
    commit_bytes(fx, "in@a", "/1", 600);
    assert_false(same_head(fx, "in@a", "in@b"));
    commit_bytes(fx, "in@a", "/2", 600);
    assert_true(same_head(fx, "in@a", "in@b"));
    /* Downstream commits are a set of their own, which depends on the commit that fired. */
    PfsV2__CommitInfo *out = inspect(fx, "out@m");
    assert_string_equal(out->direct_provenance[0]->id, inspect(fx, "in@a")->commit->id);
    assert_string_not_equal(out->commit->id, inspect(fx, "in@a")->commit->id);
    const char *fired = inspect(fx, "in@b")->commit->id;
    commit_bytes(fx, "in@a", "/3", 600);
    assert_string_equal(inspect(fx, "in@b")->commit->id, fired);
}

static void commits_fire(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    create_branch(fx, "in@a", NULL, NULL);
    PfsV2__Trigger *trigger = trigger_on(fx, "a");
    trigger->commits = 2;
    assert_ok(try_trigger(fx, "in@b", trigger));
    for (int i = 1; i <= 6; i++) {
        start_finish(fx, "in@a");
        assert_int_equal(same_head(fx, "in@a", "in@b"), i % 2 == 0);
    }
    /* Failed commits fire nothing. */
    start_finish(fx, "in@a");
    start(fx, "in@a");
    assert_ok(try_finish(fx, "in@a", "bad"));
    assert_false(same_head(fx, "in@a", "in@b"));
}

static void all_wants_all(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    create_branch(fx, "in@a", NULL, NULL);
    PfsV2__Trigger *trigger = trigger_on(fx, "a");
    trigger->all = true;
    trigger->commits = 2;
    trigger->size = text(fx, "100");
    assert_ok(try_trigger(fx, "in@b", trigger));
    assert_ok(try_trigger(fx, "in@none", trigger_on(fx, "a")));
    PfsV2__Trigger *always = trigger_on(fx, "a");
    always->all = true;
    assert_ok(try_trigger(fx, "in@always", always));
    commit_bytes(fx, "in@a", "/1", 200);
    assert_false(same_head(fx, "in@a", "in@b"));
    assert_true(same_head(fx, "in@a", "in@always"));
    commit_bytes(fx, "in@a", "/2", 1);
    assert_true(same_head(fx, "in@a", "in@b"));
    assert_false(same_head(fx, "in@a", "in@none"));
}

static void chains_fire_at_once(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    create_branch(fx, "in@a", NULL, NULL);
    for (int i = 0; i < 2; i++) {
        PfsV2__Trigger *trigger = trigger_on(fx, i ? "b" : "a");
        trigger->commits = 1 + i;
        assert_ok(try_trigger(fx, i ? "in@c" : "in@b", trigger));
    }
    start_finish(fx, "in@a");
    assert_true(same_head(fx, "in@b", "in@a"));
    assert_false(same_head(fx, "in@c", "in@a"));
    start_finish(fx, "in@a");
    assert_true(same_head(fx, "in@b", "in@a"));
    assert_true(same_head(fx, "in@c", "in@a"));
}

static void rate_limits_fire(void **state)
{
    Fixture *fx = *state;
    int64_t now_ns = INT64_C(1700000000) * NS_PER_SEC;
    clock_set_wall(now_ns);
    create_repo(fx, "in");
    create_branch(fx, "in@a", NULL, NULL);
    PfsV2__Trigger *trigger = trigger_on(fx, "a");
    trigger->rate_limit_spec = text(fx, "@every 10s");
    assert_ok(try_trigger(fx, "in@b", trigger));
    clock_set_wall(now_ns + 5 * NS_PER_SEC);
    start_finish(fx, "in@a");
    assert_false(same_head(fx, "in@a", "in@b"));
    clock_set_wall(now_ns + 11 * NS_PER_SEC);
    start_finish(fx, "in@a");
    assert_true(same_head(fx, "in@a", "in@b"));
    clock_set_wall(0);
}

static void schedules_tick(void **state)
{
    Fixture *fx = *state;
    int64_t now_ns = INT64_C(1700000000) * NS_PER_SEC;
    clock_set_wall(now_ns);
    create_repo(fx, "in");
    create_repo(fx, "out");
    create_branch(fx, "in@a", NULL, NULL);
    PfsV2__Trigger *trigger = trigger_on(fx, "a");
    trigger->cron_spec = text(fx, "@every 3s");
    assert_ok(try_trigger(fx, "in@b", trigger));
    create_branch(fx, "out@m", "in@b", NULL);
    start(fx, "in@a");

    int64_t next_ns;
    assert_ok(cron_tick(&fx->ctx, fx->pfs, now_ns + 2 * NS_PER_SEC, &next_ns));
    assert_int_equal(next_ns, now_ns + 3 * NS_PER_SEC);
    assert_false(same_head(fx, "in@a", "in@b"));
    assert_ok(cron_tick(&fx->ctx, fx->pfs, now_ns + 3 * NS_PER_SEC, &next_ns));
    assert_int_equal(next_ns, now_ns + 6 * NS_PER_SEC);
    assert_true(same_head(fx, "in@a", "in@b")); /* whatever its state */
    const char *first = inspect(fx, "out@m")->commit->id;

    /* Each tick makes a set downstream; ticks that were missed make one. */
    assert_ok(cron_tick(&fx->ctx, fx->pfs, now_ns + 60 * NS_PER_SEC, &next_ns));
    assert_int_equal(next_ns, now_ns + 63 * NS_PER_SEC);
    assert_string_equal(inspect(fx, "out@m")->parent_commit->id, first);
    assert_ok(try_delete_branch(fx, "in@b", true));
    assert_ok(cron_tick(&fx->ctx, fx->pfs, now_ns + 99 * NS_PER_SEC, &next_ns));
    assert_int_equal(next_ns, INT64_MAX);
    clock_set_wall(0);
}

/* The timer's thread does the same by itself. */
static void the_timer_ticks(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    create_branch(fx, "in@a", NULL, NULL);
    PfsV2__Trigger *trigger = trigger_on(fx, "a");
    trigger->cron_spec = text(fx, "@every 1s");
    assert_ok(try_trigger(fx, "in@b", trigger));
    create_repo(fx, "out");
    create_branch(fx, "out@m", "in@b", NULL);
    PfsCommitRow head;
    PfsTx *tx;
    uint64_t since = event_epoch(db_events(fx->db));
    assert_ok(pfs_begin_read(&fx->ctx, fx->pfs, &tx));
    assert_ok(pfs_pick(&fx->ctx, tx, commit_of(fx, "out@m"), &head));
    pfs_rollback(tx);
    uint64_t topic = pfs_topic_repo(head.repo_id);
    fx->ctx.deadline_ns = clock_mono_ns() + 10 * NS_PER_SEC;
    assert_ok(event_wait(&fx->ctx, db_events(fx->db), &topic, 1, since));
    fx->ctx.deadline_ns = DEADLINE_NONE;
    assert_true(same_head(fx, "in@a", "in@b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PFS_TEST(triggers_are_checked), PFS_TEST(size_fires),          PFS_TEST(commits_fire),
        PFS_TEST(all_wants_all),        PFS_TEST(chains_fire_at_once), PFS_TEST(rate_limits_fire),
        PFS_TEST(schedules_tick),       PFS_TEST(the_timer_ticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
