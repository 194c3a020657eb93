/* test_control.c - jobs moved along by the real controller, their datums run by a worker that the
 * test plays: it takes orders and reports, so that every way a worker can behave is at hand without
 * a process. */
#include "control_fixture.h"

/* --- the tests -------------------------------------------------------------------------------- */

static void assert_job(PpsV2__JobInfo *info, PpsV2__JobState state, int64_t processed,
                       int64_t skipped)
{
    assert_int_equal(info->state, state);
    assert_int_equal(info->data_processed, processed);
    assert_int_equal(info->data_skipped, skipped);
}

static void only_what_changed_is_run(void **state)
{
    Fixture *fx = *state;
    make_repo(fx, "in");
    put(fx, "in", "/a", "1");
    put(fx, "in", "/b", "2");
    join(fx);
    create(fx, PIPELINE("p", "in", "/*", ""), false);
    run_datums(fx, 2);
    assert_job(finished_job(fx, "p"), PPS_V2__JOB_STATE__JOB_SUCCESS, 2, 0);
    put(fx, "in", "/c", "3");
    run_datums(fx, 1);
    assert_job(finished_job(fx, "p"), PPS_V2__JOB_STATE__JOB_SUCCESS, 1, 2);
    assert_file(fx, "p", "/a", "1");
    assert_file(fx, "p", "/c", "3");
}

static void squash(Fixture *fx, const char *set_id,
                   Status (*way)(Ctx *ctx, PfsTx *tx, const PfsV2__CommitSet *set))
{
    PfsTx *tx;
    PfsV2__CommitSet set;
    pfs_v2__commit_set__init(&set);
    set.id = arena_strdup(fx->ctx.arena, set_id);
    assert_ok(pfs_begin_write(&fx->ctx, fx->floors.pfs, NULL, &tx));
    assert_ok(way(&fx->ctx, tx, &set));
    assert_ok(pfs_commit(&fx->ctx, tx));
}

/* What a job builds on may go away with all that it read, in the middle of history or at its end.
 */
static void a_base_that_was_squashed_is_not_missed(void **state)
{
    Fixture *fx = *state;
    make_repo(fx, "in");
    join(fx);
    create(fx, PIPELINE("p", "in", "/*", ""), false);
    const char *sets[3];
    for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
        put(fx, "in", text_printf(fx->ctx.arena, "/%zu", i), text_printf(fx->ctx.arena, "%zu", i));
        run_datums(fx, 1);
        sets[i] = finished_job(fx, "p")->job->id;
    }
    squash(fx, sets[1], pfs_squash_set);
    squash(fx, sets[2], pfs_drop_set);
    put(fx, "in", "/3", "3");
    run_datums(fx, 1);
    assert_job(finished_job(fx, "p"), PPS_V2__JOB_STATE__JOB_SUCCESS, 1, 1);
    assert_file(fx, "p", "/0", "0");
    assert_file(fx, "p", "/3", "3");
}

static void what_is_known_is_not_run_again(void **state)
{
    Fixture *fx = *state;
    make_repo(fx, "in");
    put(fx, "in", "/a", "good");
    join(fx);
    create(fx, PIPELINE("p", "in", "/*", ""), false);
    run_datums(fx, 1);
    put(fx, "in", "/a", "bad");
    run_datums(fx, 1);
    assert_job(finished_job(fx, "p"), PPS_V2__JOB_STATE__JOB_SUCCESS, 1, 0);
    put(fx, "in", "/a", "good"); /* seen before, by its content */
    assert_job(finished_job(fx, "p"), PPS_V2__JOB_STATE__JOB_SUCCESS, 0, 1);
    assert_file(fx, "p", "/a", "good");
    create(fx, PIPELINE("twin", "in", "/*", ""), false); /* the same step under another name */
    assert_job(finished_job(fx, "twin"), PPS_V2__JOB_STATE__JOB_SUCCESS, 0, 1);
    create(fx, PIPELINE("p", "in", "/*", ",\"env\":{\"X\":\"1\"}"), true);
    run_datums(fx, 1); /* other code: run, without being told to reprocess */
    assert_job(finished_job(fx, "p"), PPS_V2__JOB_STATE__JOB_SUCCESS, 1, 0);
}

static void a_failed_datum_fails_its_job_and_what_is_below_cannot_run(void **state)
{
    Fixture *fx = *state;
    make_repo(fx, "in");
    put(fx, "in", "/a", "1");
    put(fx, "in", "/b", "2");
    create(fx, PIPELINE("p", "in", "/*", ""), false);
    create(fx, PIPELINE("q", "p", "/*", ""), false);
    join(fx);
    const char *failed = NULL;
    for (int left = 2; left;) {
        Procavia__Work__WorkSet *set = next_set(fx);
        for (size_t i = 0; i < set->n_datums; i++, left--) {
            failed = left == 1 ? set->datums[i]->id : failed;
            report(fx, set, i,
                   left == 1 ? PROCAVIA__WORK__WORK_RESULT__STATE__FAILED
                             : PROCAVIA__WORK__WORK_RESULT__STATE__PROCESSED);
        }
        done(fx, set);
    }
    PpsV2__JobInfo *info = finished_job(fx, "p");
    assert_job(info, PPS_V2__JOB_STATE__JOB_FAILURE, 1, 0);
    assert_string_equal(info->reason, text_printf(fx->ctx.arena, "datum %s failed", failed));
    info = finished_job(fx, "q");
    assert_int_equal(info->state, PPS_V2__JOB_STATE__JOB_UNRUNNABLE);
    assert_string_equal(info->reason,
                        "unrunnable because the following upstream pipelines failed: p");
}

static void a_lost_worker_costs_only_what_it_had(void **state)
{
    Fixture *fx = *state;
    make_repo(fx, "in");
    put(fx, "in", "/a", "1");
    create(fx, PIPELINE("p", "in", "/*", ""), false);
    join(fx);
    next_set(fx);
    fx->session = control_leave(fx->session);
    join(fx);
    run_datums(fx, 1);
    assert_job(finished_job(fx, "p"), PPS_V2__JOB_STATE__JOB_SUCCESS, 1, 0);
}

static void a_restart_goes_on_where_it_was(void **state)
{
    Fixture *fx = *state;
    make_repo(fx, "in");
    put(fx, "in", "/a", "1");
    put(fx, "in", "/b", "2");
    create(fx,
           "{\"pipeline\":{\"name\":\"p\"},\"input\":{\"pfs\":{\"repo\":\"in\",\"glob\":\"/*\"}},"
           "\"transform\":{\"cmd\":[\"run\"]},\"datumSetSpec\":{\"number\":\"1\"}}",
           false);
    join(fx);
    Procavia__Work__WorkSet *set = next_set(fx);
    assert_int_equal(set->n_datums, 1);
    report(fx, set, 0, PROCAVIA__WORK__WORK_RESULT__STATE__PROCESSED);
    done(fx, set);
    close_all(fx);
    open_all(fx);
    join(fx);
    run_datums(fx, 1); /* the other one */
    PpsV2__JobInfo *info = finished_job(fx, "p");
    assert_job(info, PPS_V2__JOB_STATE__JOB_SUCCESS, 2, 0);
    assert_file(fx, "p", "/a", "1");
    assert_file(fx, "p", "/b", "2");
}

static void a_lost_worker_takes_back_only_what_it_did_not_report(void **state)
{
    Fixture *fx = *state;
    make_repo(fx, "in");
    put(fx, "in", "/a", "1");
    put(fx, "in", "/b", "2");
    put(fx, "in", "/c", "3");
    create(fx,
           "{\"pipeline\":{\"name\":\"p\"},\"input\":{\"pfs\":{\"repo\":\"in\",\"glob\":\"/*\"}},"
           "\"transform\":{\"cmd\":[\"run\"]},\"datumSetSpec\":{\"number\":\"3\"}}",
           false);
    for (size_t left = 3; left; left--) {
        join(fx);
        Procavia__Work__WorkSet *set = next_set(fx);
        assert_int_equal(set->n_datums, left);
        report(fx, set, 0, PROCAVIA__WORK__WORK_RESULT__STATE__PROCESSED);
        fx->session = control_leave(fx->session); /* it never says that the set is done */
    }
    assert_job(finished_job(fx, "p"), PPS_V2__JOB_STATE__JOB_SUCCESS, 3, 0);
    assert_file(fx, "p", "/c", "3");
}

#define SERVICE(name, glob)                                                                        \
    "{\"pipeline\":{\"name\":\"" name "\"},\"input\":{\"pfs\":{\"repo\":\"in\",\"glob\":\"" glob   \
    "\"}},\"transform\":{\"cmd\":[\"run\"]},\"service\":{\"internalPort\":80,\"externalPort\":"    \
    "8080}}"

static void serving(Fixture *fx, const Procavia__Work__WorkSet *set, const char *error)
{
    Procavia__Work__WorkReport report;
    procavia__work__work_report__init(&report);
    Procavia__Work__WorkReport__Serving word;
    procavia__work__work_report__serving__init(&word);
    report.body_case = PROCAVIA__WORK__WORK_REPORT__BODY_SERVING;
    report.serving = &word;
    word.lease = set->lease;
    word.error = arena_strdup(fx->ctx.arena, error);
    assert_ok(control_report(&fx->ctx, fx->session, &report));
}

static void until_told_to_stop(Fixture *fx, const Procavia__Work__WorkSet *set)
{
    Procavia__Work__WorkOrder *order;
    assert_ok(control_next_order(&fx->ctx, fx->session, &order));
    assert_int_equal(order->body_case, PROCAVIA__WORK__WORK_ORDER__BODY_CANCEL);
    assert_int_equal(order->cancel->lease, set->lease);
    done(fx, set);
}

static void a_service_lasts_until_its_next_input(void **state)
{
    Fixture *fx = *state;
    make_repo(fx, "in");
    put(fx, "in", "/a", "1");
    create(fx, SERVICE("s", "/"), false);
    join(fx);
    Procavia__Work__WorkSet *set = next_set(fx);
    assert_non_null(set->serve);
    assert_int_equal(set->serve->internal_port, 80);
    assert_int_equal(set->serve->external_port, 8080);
    assert_int_equal(set->n_datums, 1);
    serving(fx, set, "");
    const char *first = set->job->id;
    put(fx, "in", "/a", "2");
    until_told_to_stop(fx, set);
    set = next_set(fx);
    assert_string_not_equal(set->job->id, first);
    /* A worker that is lost, however often, is no reason to give up. */
    for (int i = 0; i < 10; i++) {
        fx->session = control_leave(fx->session);
        join(fx);
        set = next_set(fx);
    }
}

static PpsV2__PipelineInfo *pipeline_in(Fixture *fx, const char *name, PpsV2__PipelineState state)
{
    EventBus *bus = db_events(fx->floors.db);
    const uint64_t topic = pps_topic_pipeline("default", name);
    for (;;) {
        uint64_t epoch = event_epoch(bus);
        PfsTx *tx = NULL;
        PpsV2__InspectPipelineRequest request;
        pps_v2__inspect_pipeline_request__init(&request);
        PpsV2__Pipeline pipeline;
        pps_v2__pipeline__init(&pipeline);
        pipeline.name = arena_strdup(fx->ctx.arena, name);
        request.pipeline = &pipeline;
        PpsV2__PipelineInfo *info;
        assert_ok(pfs_begin_read(&fx->ctx, fx->floors.pfs, &tx));
        assert_ok(pps_inspect_pipeline(&fx->ctx, tx, &request, &info));
        pfs_rollback(tx);
        if (info->state == state)
            return info;
        assert_ok(event_wait(&fx->ctx, bus, &topic, 1, epoch));
    }
}

static void a_service_that_cannot_run_crashes_with_the_reason(void **state)
{
    Fixture *fx = *state;
    make_repo(fx, "in");
    put(fx, "in", "/a", "1");
    create(fx, SERVICE("s", "/"), false);
    join(fx);
    Procavia__Work__WorkSet *set = next_set(fx);
    serving(fx, set, "port 80 is taken");
    assert_string_equal(pipeline_in(fx, "s", PPS_V2__PIPELINE_STATE__PIPELINE_CRASHING)->reason,
                        "port 80 is taken");
    serving(fx, set, "");
    assert_string_equal(pipeline_in(fx, "s", PPS_V2__PIPELINE_STATE__PIPELINE_RUNNING)->reason, "");
}

static void a_service_needs_one_datum(void **state)
{
    Fixture *fx = *state;
    make_repo(fx, "in");
    put(fx, "in", "/a", "1");
    put(fx, "in", "/b", "2");
    create(fx, SERVICE("s", "/*"), false);
    PpsV2__JobInfo *info = finished_job(fx, "s");
    assert_int_equal(info->state, PPS_V2__JOB_STATE__JOB_FAILURE);
    assert_string_equal(info->reason, "services must have a single datum");
}

static void a_spout_runs_without_a_job(void **state)
{
    Fixture *fx = *state;
    create(fx, "{\"pipeline\":{\"name\":\"s\"},\"spout\":{},\"transform\":{\"cmd\":[\"run\"]}}",
           false);
    join(fx);
    Procavia__Work__WorkSet *set = next_set(fx);
    assert_non_null(set->serve);
    assert_int_equal(set->n_datums, 0);
    assert_string_equal(set->job->id, "");
    create(fx, "{\"pipeline\":{\"name\":\"s\"},\"spout\":{},\"transform\":{\"cmd\":[\"other\"]}}",
           true);
    until_told_to_stop(fx, set);
    assert_string_equal(next_set(fx)->transform->cmd[0], "other");
}

static void a_stopped_job_recalls_its_worker(void **state)
{
    Fixture *fx = *state;
    make_repo(fx, "in");
    put(fx, "in", "/a", "1");
    create(fx, PIPELINE("p", "in", "/*", ""), false);
    join(fx);
    Procavia__Work__WorkSet *set = next_set(fx);
    PfsTx *tx = NULL;
    PpsV2__StopJobRequest request;
    pps_v2__stop_job_request__init(&request);
    request.job = set->job;
    assert_ok(pfs_begin_write(&fx->ctx, fx->floors.pfs, NULL, &tx));
    assert_ok(pps_stop_job(&fx->ctx, tx, &request));
    assert_ok(pfs_commit(&fx->ctx, tx));
    Procavia__Work__WorkOrder *order;
    assert_ok(control_next_order(&fx->ctx, fx->session, &order));
    assert_int_equal(order->body_case, PROCAVIA__WORK__WORK_ORDER__BODY_CANCEL);
    assert_int_equal(order->cancel->lease, set->lease);
    done(fx, set);
    PpsV2__JobInfo *info = finished_job(fx, "p");
    assert_int_equal(info->state, PPS_V2__JOB_STATE__JOB_KILLED);
    assert_string_equal(info->reason, "job stopped");
    put(fx, "in", "/b", "2"); /* the next job runs all that the killed one did not */
    run_datums(fx, 2);
    assert_job(finished_job(fx, "p"), PPS_V2__JOB_STATE__JOB_SUCCESS, 2, 0);
}

static void outputs_follow_their_inputs_away(void **state)
{
    Fixture *fx = *state;
    make_repo(fx, "in");
    put(fx, "in", "/a", "1");
    put(fx, "in", "/b", "2");
    create(fx, PIPELINE("p", "in", "/*", ""), false);
    join(fx);
    run_datums(fx, 2);
    finished_job(fx, "p");
    CLEANUP(pfs_writer_freep) PfsWriter *writer = pfs_writer_new(fx->floors.pfs);
    PfsV2__Commit *target = pfs_commit_ref(&fx->ctx, "default", "in", "");
    target->branch = pfs_branch_ref(&fx->ctx, "default", "in", "master");
    assert_ok(pfs_writer_target(&fx->ctx, writer, target));
    assert_ok(pfs_writer_delete(&fx->ctx, writer, STR("/a"), STR("")));
    assert_ok(pfs_writer_commit(&fx->ctx, writer));
    assert_job(finished_job(fx, "p"), PPS_V2__JOB_STATE__JOB_SUCCESS, 0, 1);
    assert_file(fx, "p", "/a", NULL);
    assert_file(fx, "p", "/b", "2");
}

static Status see_state(void *arg, Ctx *ctx, const PpsPipelineRow *row)
{
    (void)ctx;
    *(PpsV2__PipelineState *)arg = row->state;
    return OK;
}

/* Waits until the only pipeline, p, is in this state. */
static void await_state(Fixture *fx, PpsV2__PipelineState wanted)
{
    EventBus *bus = db_events(fx->floors.db);
    const uint64_t topic = pps_topic_pipeline("default", "p");
    PpsV2__PipelineState now = PPS_V2__PIPELINE_STATE__PIPELINE_STATE_UNKNOWN;
    while (now != wanted) {
        uint64_t epoch = event_epoch(bus);
        PfsTx *tx = NULL;
        assert_ok(pfs_begin_read(&fx->ctx, fx->floors.pfs, &tx));
        assert_ok(pps_each_pipeline(&fx->ctx, tx, see_state, &now));
        pfs_rollback(tx);
        if (now != wanted)
            assert_ok(event_wait(&fx->ctx, bus, &topic, 1, epoch));
    }
}

static void a_pipeline_without_its_image_crashes_with_the_reason(void **state)
{
    Fixture *fx = *state;
    make_repo(fx, "in");
    create(fx, PIPELINE("p", "in", "/*", ",\"image\":\"missing\""), false);
    await_state(fx, PPS_V2__PIPELINE_STATE__PIPELINE_CRASHING);
}

static void a_pipeline_stopped_before_it_ran_is_paused(void **state)
{
    Fixture *fx = *state;
    make_repo(fx, "in");
    PfsTx *tx = NULL;
    PpsV2__StopPipelineRequest request;
    pps_v2__stop_pipeline_request__init(&request);
    request.pipeline = PB_NEW(&fx->ctx, pps_v2__pipeline, PpsV2__Pipeline);
    request.pipeline->name = arena_strdup(fx->ctx.arena, "p");
    assert_ok(pfs_begin_write(&fx->ctx, fx->floors.pfs, NULL, &tx));
    create_in(fx, tx, PIPELINE("p", "in", "/*", ""), false);
    assert_ok(pps_stop_pipeline(&fx->ctx, tx, &request));
    assert_ok(pfs_commit(&fx->ctx, tx));
    await_state(fx, PPS_V2__PIPELINE_STATE__PIPELINE_PAUSED);
}

#define CONTROL_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

/* --- what meta commits show ------------------------------------------------------------------- */

typedef struct Paths {
    char *items[256];
    size_t n;
} Paths;

static void open_meta(Fixture *fx, const char *pipeline, PfsView *out)
{
    PfsV2__Commit *commit = pfs_commit_ref(&fx->ctx, "default", pipeline, "");
    commit->repo->type = arena_strdup(fx->ctx.arena, "meta");
    commit->branch = pfs_branch_ref(&fx->ctx, "default", pipeline, "master");
    commit->branch->repo = commit->repo;
    assert_ok(pfs_view_open(&fx->ctx, fx->floors.pfs, commit, out));
    assert_non_null(out->content->io.source);
}

static void assert_at(const TreeCursor *cursor, const Paths *paths, size_t i)
{
    const TreeEntry *entry = tree_cursor_entry(cursor);
    if (i >= paths->n)
        assert_null(entry);
    else
        assert_true(entry && str_eq_c(entry->path, paths->items[i]));
}

/* Where the paths go on that are not before `path`. */
static size_t first_from(const Paths *paths, Str path)
{
    size_t i = 0;
    while (i < paths->n && str_cmp(str(paths->items[i]), path) < 0)
        i++;
    return i;
}

static void check_seeks(Fixture *fx, TreeCursor *cursor, const Paths *paths, Str path)
{
    size_t i = first_from(paths, path);
    assert_ok(tree_cursor_seek(&fx->ctx, cursor, path, STR("")));
    assert_at(cursor, paths, i);
    assert_ok(tree_cursor_next(&fx->ctx, cursor));
    assert_at(cursor, paths, i + 1);
    assert_ok(tree_cursor_seek_before(&fx->ctx, cursor, path, STR("")));
    assert_at(cursor, paths, i - 1); /* i 0: wraps to none */
}

/* Forward, backward, and from anywhere: every path, and what is just beside it. */
static void a_meta_commit_reads_like_a_tree(void **state)
{
    Fixture *fx = *state;
    make_repo(fx, "in");
    make_repo(fx, "more");
    put(fx, "in", "/a", "1");
    put(fx, "in", "/dir/x", "2");
    put(fx, "in", "/dir/sub/y", "3");
    put(fx, "more", "/m", "4");
    put(fx, "more", "/d/n", "5");
    join(fx);
    create(fx,
           "{\"pipeline\":{\"name\":\"p\"},\"transform\":{\"cmd\":[\"run\"]},\"input\":{\"cross\":["
           "{\"pfs\":{\"repo\":\"in\",\"glob\":\"/*\"}},{\"pfs\":{\"repo\":\"more\",\"glob\":\"/"
           "\"}}]}}",
           false);
    run_datums(fx, 2);
    assert_job(finished_job(fx, "p"), PPS_V2__JOB_STATE__JOB_SUCCESS, 2, 0);
    PfsView view;
    open_meta(fx, "p", &view);
    CLEANUP(tree_cursor_freep)
    TreeCursor *cursor = tree_cursor_new(&view.content->io, &view.root);
    Paths paths = { .n = 0 };
    assert_ok(tree_cursor_next(&fx->ctx, cursor));
    for (const TreeEntry *entry; (entry = tree_cursor_entry(cursor)); paths.n++) {
        paths.items[paths.n] = str_z(fx->ctx.arena, entry->path);
        assert_true(!paths.n || strcmp(paths.items[paths.n - 1], paths.items[paths.n]) < 0);
        assert_ok(tree_cursor_next(&fx->ctx, cursor));
    }
    /* a meta each, an .env each, inputs 1 + 2 and 2 + 2, an output each (a directory's has none) */
    assert_int_equal(paths.n, 2 + 2 + 3 + 4 + 2);
    for (size_t i = paths.n; i-- > 0;) {
        assert_ok(tree_cursor_prev(&fx->ctx, cursor));
        assert_at(cursor, &paths, i);
    }
    for (size_t i = 0; i < paths.n; i++) {
        char *path = paths.items[i];
        for (size_t size = 1; size <= strlen(path); size++)
            check_seeks(fx, cursor, &paths, (Str){ path, size });
        check_seeks(fx, cursor, &paths, str(text_printf(fx->ctx.arena, "%s0", path)));
        check_seeks(fx, cursor, &paths, str(text_printf(fx->ctx.arena, "%s-", path)));
        char *slash = strrchr(path, '/');
        check_seeks(fx, cursor, &paths,
                    str(text_printf(fx->ctx.arena, "%.*s-", (int)(slash - path), path)));
        TreeRecord record;
        assert_ok(tree_get(&fx->ctx, &view.content->io, &view.root, str(path),
                           str_sub(str(path), str_find(str_sub(str(path), 1, 99), '/') + 2,
                                   str_find(str_sub(str(path), 1, 99), '/') + 66),
                           &record));
    }
    TreeSum all, sum, meta;
    Hash hash;
    assert_ok(tree_sum(&fx->ctx, &view.content->io, &view.root, STR(""), STR(""), &all));
    assert_ok(tree_dir(&fx->ctx, &view.content->io, &view.root, STR("/pfs/"), &hash, &sum));
    assert_ok(tree_dir(&fx->ctx, &view.content->io, &view.root, STR("/meta/"), &hash, &meta));
    assert_int_equal(all.files, paths.n);
    assert_int_equal(sum.files + meta.files, all.files);
    assert_int_equal(sum.bytes + meta.bytes, all.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTROL_TEST(only_what_changed_is_run),
        CONTROL_TEST(a_base_that_was_squashed_is_not_missed),
        CONTROL_TEST(what_is_known_is_not_run_again),
        CONTROL_TEST(a_failed_datum_fails_its_job_and_what_is_below_cannot_run),
        CONTROL_TEST(a_lost_worker_costs_only_what_it_had),
        CONTROL_TEST(a_restart_goes_on_where_it_was),
        CONTROL_TEST(a_lost_worker_takes_back_only_what_it_did_not_report),
        CONTROL_TEST(a_service_lasts_until_its_next_input),
        CONTROL_TEST(a_service_that_cannot_run_crashes_with_the_reason),
        CONTROL_TEST(a_service_needs_one_datum),
        CONTROL_TEST(a_spout_runs_without_a_job),
        CONTROL_TEST(a_stopped_job_recalls_its_worker),
        CONTROL_TEST(outputs_follow_their_inputs_away),
        CONTROL_TEST(a_pipeline_without_its_image_crashes_with_the_reason),
        CONTROL_TEST(a_pipeline_stopped_before_it_ran_is_paused),
        cmocka_unit_test_setup_teardown(a_meta_commit_reads_like_a_tree, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
