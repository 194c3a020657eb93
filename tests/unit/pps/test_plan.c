/* test_plan.c - jobs planned one after the other: what runs, what is carried over, what it costs.
 */
#include "pps/plan.h"

#include "testing.h"
#include "unit/pps/fake_source.h"
#include "unit/tree/tree_model.h"

/* Results by key, as the server keeps them. */
typedef struct FakeCache {
    struct {
        Hash key, output;
        int64_t made_at_ns;
    } items[512];
    size_t n;
    size_t asked;
} FakeCache;

static Status fake_find(void *self, Ctx *ctx UNUSED, const Hash *key, PlanResultHit *out)
{
    FakeCache *cache = self;
    cache->asked++;
    for (size_t i = cache->n; i-- > 0;) {
        if (!hash_eq(&cache->items[i].key, key))
            continue;
        *out = (PlanResultHit){ .made_at_ns = cache->items[i].made_at_ns,
                                .output_root = cache->items[i].output,
                                .output_bytes = 5,
                                .run_job = "default/before@1",
                                .image_id = "img" };
        return OK;
    }
    return STATUS(NOT_FOUND);
}

typedef struct Fixture {
    Ctx ctx;
    MemBlobs blobs;
    FakeSource fake;
    FakeCache cache;
    KeyStep step;
    PlanParams params;
    PpsV2__Input *input;
    RecordState outcome; /* of what runs */
    Buf ran;             /* datum_text of each, in processing order */
    int64_t now_ns;
} Fixture;

static KeyStep step_of(Ctx *ctx, const char *code)
{
    PpsV2__Transform *transform = ARENA_ONE(ctx->arena, PpsV2__Transform);
    pps_v2__transform__init(transform);
    return key_step(ctx, transform, &(KeyCode){ .code = code });
}

static int setup(void **state)
{
    Fixture *fx = test_calloc(1, sizeof(*fx));
    ctx_init(&fx->ctx);
    mem_blobs_init(&fx->blobs);
    fake_source_init(&fx->fake);
    fx->step = step_of(&fx->ctx, "sha256:1");
    fx->params = (PlanParams){ .io = &fx->blobs.io,
                               .rule = PLAN_UNTIL_SUCCESS,
                               .salt = "salt",
                               .step = &fx->step,
                               .cache = { fake_find, &fx->cache } };
    fx->input = input_of(&fx->ctx, "{\"pfs\":{\"repo\":\"a\",\"glob\":\"/*\"}}");
    fx->outcome = RECORD_PROCESSED;
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fx = *state;
    buf_done(&fx->ran);
    mem_blobs_done(&fx->blobs);
    ctx_done(&fx->ctx);
    test_free(fx);
    return 0;
}

static void set_file(Fixture *fx, const char *path, const char *content)
{
    fake_files_set(&fx->fake.now, "a", path, content);
}

/* --- one job ---------------------------------------------------------------------------------- */

static Plan plan_job(Fixture *fx)
{
    CLEANUP(planner_freep) Planner *planner = planner_new(&fx->params);
    if (fx->params.delta)
        assert_ok(datum_each_change(&fx->ctx, &fx->fake.source, fx->input, planner_put,
                                    planner_gone, planner));
    else
        assert_ok(datum_each(&fx->ctx, &fx->fake.source, fx->input, planner_put, planner));
    Plan plan;
    assert_ok(planner_finish(&fx->ctx, planner, &plan));
    assert_int_equal(plan.counts.total,
                     plan.counts.skipped + plan.counts.cached + plan.counts.to_run);
    return plan;
}

typedef struct Finishing {
    Fixture *fx;
    PlanResults *results;
} Finishing;

static Status run_datum(void *arg, Ctx *ctx, const DatumRecord *pending)
{
    Finishing *finishing = arg;
    Fixture *fx = finishing->fx;
    assert_int_equal(pending->head.state, RECORD_PENDING);
    buf_printf(&fx->ran, "%s\n", datum_text(ctx, &pending->datum));
    DatumRecord record = *pending;
    record.head.state = fx->outcome;
    record.head.output_root = pending->head.datum_hash;
    record.run_job = "default/p@2";
    if (fx->outcome == RECORD_PROCESSED) {
        size_t at = fx->cache.n++;
        fx->cache.items[at].key = record.head.key;
        fx->cache.items[at].output = record.head.output_root;
        fx->cache.items[at].made_at_ns = fx->now_ns;
    }
    PlanRecord encoded;
    TRY(plan_encode(ctx, &fx->blobs.io, &record, &encoded));
    return plan_results_add(ctx, finishing->results, &encoded);
}

/* Plans and runs a job upon the last one; the files of now become those of before. */
static PlanCounts run_job(Fixture *fx)
{
    Plan plan = plan_job(fx);
    buf_clear(&fx->ran);
    Finishing finishing = { fx, plan_results_new(&fx->blobs.io, NULL) };
    assert_ok(
        plan_each_todo(&fx->ctx, &fx->blobs.io, &plan.todo, 0, UINT64_MAX, run_datum, &finishing));
    assert_ok(plan_results_lay(&fx->ctx, finishing.results, &plan.done, &plan.done));
    plan_results_free(finishing.results);
    fx->params.base = plan.done;
    fx->fake.before = fx->fake.now;
    return plan.counts;
}

#define assert_counts(fx, want_skipped, want_cached, want_to_run, want_deleted)                    \
    do {                                                                                           \
        PlanCounts counts_ = run_job(fx);                                                          \
        assert_int_equal(counts_.skipped, want_skipped);                                           \
        assert_int_equal(counts_.cached, want_cached);                                             \
        assert_int_equal(counts_.to_run, want_to_run);                                             \
        assert_int_equal(counts_.deleted, want_deleted);                                           \
    } while (0)

static void assert_ran(Fixture *fx, const char *text)
{
    assert_string_equal(text_printf(fx->ctx.arena, STR_FMT, STR_ARG(buf_str(&fx->ran))), text);
}

/* --- jobs upon jobs --------------------------------------------------------------------------- */

static void only_what_changed_runs(void **state)
{
    Fixture *fx = *state;
    for (int delta = 0; delta < 2; delta++) {
        say_case("%s", delta ? "by the changes" : "by all datums");
        fx->params.delta = false;
        fx->params.base = (Hash){ 0 };
        fx->fake.now.n = fx->fake.before.n = 0;
        set_file(fx, "/x", "1");
        set_file(fx, "/y", "1");
        assert_counts(fx, 0, 0, 2, 0);
        assert_ran(fx, "a:/x\na:/y\n");
        fx->params.delta = delta;

        Hash before = fx->params.base;
        assert_counts(fx, 2, 0, 0, 0);
        assert_true(hash_eq(&before, &fx->params.base));

        set_file(fx, "/z", "1");
        assert_counts(fx, 2, 0, 1, 0);
        assert_ran(fx, "a:/z\n");

        set_file(fx, "/y", "2");
        assert_counts(fx, 2, 0, 1, 0);
        assert_ran(fx, "a:/y\n");

        set_file(fx, "/x", NULL);
        assert_counts(fx, 2, 0, 0, 1);

        /* It comes back as it was; its record is gone, so it runs again. */
        set_file(fx, "/x", "1");
        assert_counts(fx, 2, 0, 1, 0);
    }
}

static void what_did_not_succeed_runs_again(void **state)
{
    Fixture *fx = *state;
    for (int delta = 0; delta < 2; delta++) {
        fx->params.delta = false;
        fx->params.base = (Hash){ 0 };
        fx->fake.now.n = fx->fake.before.n = 0;
        set_file(fx, "/x", "1");
        run_job(fx);
        set_file(fx, "/y", "1");
        fx->outcome = RECORD_RECOVERED;
        fx->params.delta = delta;
        assert_counts(fx, 1, 0, 1, 0);
        assert_counts(fx, 1, 0, 1, 0);
        assert_ran(fx, "a:/y\n");
        fx->outcome = RECORD_PROCESSED;
        assert_counts(fx, 1, 0, 1, 0);
        assert_counts(fx, 2, 0, 0, 0);

        /* One that is gone does not come back for not having been settled. */
        fx->outcome = RECORD_RECOVERED;
        set_file(fx, "/z", "1");
        run_job(fx);
        fx->outcome = RECORD_PROCESSED;
        set_file(fx, "/z", NULL);
        assert_counts(fx, 2, 0, 0, 1);
        assert_counts(fx, 2, 0, 0, 0);
    }
}

static void rules_differ_in_what_they_look_at(void **state)
{
    Fixture *fx = *state;
    set_file(fx, "/x", "1");
    run_job(fx);

    /* The old rule does not look at the code, nor does it ask the cache. */
    KeyStep other = step_of(&fx->ctx, "sha256:2");
    fx->params.step = &other;
    assert_counts(fx, 1, 0, 0, 0);
    fx->params.salt = "another";
    assert_counts(fx, 0, 0, 1, 0);
    fx->params.salt = "salt";
    fx->cache.asked = 0;
    assert_counts(fx, 0, 0, 1, 0);
    assert_int_equal(fx->cache.asked, 0);

    /* Nothing is ever skipped. */
    fx->params.rule = PLAN_EVERY_JOB;
    assert_counts(fx, 0, 0, 1, 0);
    assert_counts(fx, 0, 0, 1, 0);

    /* The exact rule does both. */
    fx->params.rule = PLAN_EXACT;
    fx->cache.n = 0;
    assert_counts(fx, 1, 0, 0, 0);
    KeyStep third = step_of(&fx->ctx, "sha256:3");
    fx->params.step = &third;
    assert_counts(fx, 0, 0, 1, 0);
    assert_counts(fx, 1, 0, 0, 0);
}

static void results_are_found_again(void **state)
{
    Fixture *fx = *state;
    fx->params.rule = PLAN_EXACT;
    fx->now_ns = 100;
    set_file(fx, "/x", "1");
    set_file(fx, "/y", "1");
    assert_counts(fx, 0, 0, 2, 0);

    /* The content of before comes back. */
    set_file(fx, "/x", "2");
    assert_counts(fx, 1, 0, 1, 0);
    set_file(fx, "/x", "1");
    assert_counts(fx, 1, 1, 0, 0);
    Hash id = { 0 };
    DatumRecord record;
    assert_fails(plan_get(&fx->ctx, &fx->blobs.io, &fx->params.base, &id, &record), NOT_FOUND, "");

    /* A new pipeline with the same step, whatever its salt. */
    fx->params.base = (Hash){ 0 };
    fx->params.salt = "random";
    assert_counts(fx, 0, 2, 0, 0);
    assert_counts(fx, 2, 0, 0, 0);

    /* An update that reprocesses does not want what was made before it. */
    fx->params.salt = "new";
    fx->params.results_not_before_ns = fx->now_ns = 200;
    assert_counts(fx, 0, 0, 2, 0);
    fx->params.base = (Hash){ 0 };
    assert_counts(fx, 0, 2, 0, 0);
}

static Status check_reused(void *arg, Ctx *ctx UNUSED, const DatumRecord *record)
{
    ++*(size_t *)arg;
    assert_int_equal(record->head.state, RECORD_PROCESSED);
    assert_true(record->head.reused);
    assert_string_equal(record->run_job, "default/before@1");
    assert_string_equal(record->image_id, "img");
    assert_int_equal(record->output_bytes, 5);
    assert_false(hash_is_zero(&record->head.output_root));
    return OK;
}

static void reused_records_say_who_ran_them(void **state)
{
    Fixture *fx = *state;
    fx->params.rule = PLAN_EXACT;
    set_file(fx, "/x", "1");
    run_job(fx);
    fx->params.base = (Hash){ 0 };
    run_job(fx);
    size_t n = 0;
    assert_ok(plan_each(&fx->ctx, &fx->blobs.io, &fx->params.base, NULL, false, check_reused, &n));
    assert_int_equal(n, 1);
}

/* --- the same plan, however it was made ------------------------------------------------------- */

static void random_change(Fixture *fx, uint64_t *seed)
{
    static const char *const paths[] = { "/d",  "/d/x", "/d/y/z", "/e", "/e/x",
                                         "/de", "/f/g", "/f/h",   "/i" };
    static const char *const contents[] = { "1", "2", NULL };
    for (uint64_t i = next_rand(seed) % 4; i > 0; i--)
        fake_files_set(&fx->fake.now, next_rand(seed) % 2 ? "a" : "b",
                       paths[next_rand(seed) % ARRAY_LEN(paths)], contents[next_rand(seed) % 3]);
}

static Status keep_todo_id(void *arg, Ctx *ctx UNUSED, const DatumRecord *record)
{
    char hex[HASH_HEX_SIZE];
    buf_printf(arg, "%s\n", hash_hex(&record->datum.id, hex));
    return OK;
}

static char *todo_ids(Fixture *fx, const Hash *todo)
{
    CLEANUP(buf_done) Buf ids = { 0 };
    assert_ok(plan_each_todo(&fx->ctx, &fx->blobs.io, todo, 0, UINT64_MAX, keep_todo_id, &ids));
    return sorted_lines(&fx->ctx, buf_str(&ids));
}

static Status keep_done(void *arg, Ctx *ctx UNUSED, const DatumRecord *record)
{
    char id[HASH_HEX_SIZE], content[HASH_HEX_SIZE];
    buf_printf(arg, "%s %s %d\n", hash_hex(&record->datum.id, id),
               hash_hex(&record->head.datum_hash, content), (int)record->head.state);
    return OK;
}

/* All but the indexes of what the cache had: those count changes only when only changes are told.
 */
static char *done_records(Fixture *fx, const Hash *done)
{
    CLEANUP(buf_done) Buf records = { 0 };
    assert_ok(plan_each(&fx->ctx, &fx->blobs.io, done, NULL, false, keep_done, &records));
    return str_z(fx->ctx.arena, buf_str(&records));
}

#define KEYED(repo, glob, key, outer)                                                              \
    "{\"pfs\":{\"repo\":\"" repo "\",\"glob\":\"" glob "\",\"joinOn\":\"" key                      \
    "\",\"groupBy\":\"" key "\",\"outerJoin\":" outer "}}"

static void changes_give_the_plan_that_all_datums_give(void **state)
{
    Fixture *fx = *state;
    static const char *const inputs[] = {
        "{\"pfs\":{\"repo\":\"a\",\"glob\":\"/\"}}",
        "{\"pfs\":{\"repo\":\"a\",\"glob\":\"/**\"}}",
        "{\"union\":[{\"pfs\":{\"repo\":\"a\",\"glob\":\"/"
        "*\"}},{\"pfs\":{\"repo\":\"b\",\"glob\":\"/*\"}}]}",
        "{\"cross\":[{\"pfs\":{\"repo\":\"a\",\"glob\":\"/"
        "*\"}},{\"pfs\":{\"repo\":\"b\",\"glob\":\"/*\"}}]}",
        "{\"join\":[" KEYED("a", "/(?)*", "$1", "false") "," KEYED("b", "/(?)*", "$1", "true") "]}",
        "{\"join\":[" KEYED("a", "/(*)/(*)", "$2", "true") "," KEYED("b", "/(?)(**)", "$1",
                                                                     "true") "]}",
        "{\"group\":[" KEYED("a", "/(?)**", "$1", "false") "," KEYED("b", "/(*)", "$1",
                                                                     "false") "]}",
        "{\"group\":[" KEYED("a", "/(?)(**)", "$1-$2", "false") "," KEYED("b", "/(?)/(*)", "$1-/$2",
                                                                          "false") "]}",
    };
    uint64_t seed = 99;
    for (size_t k = 0; k < ARRAY_LEN(inputs); k++) {
        fx->input = input_of(&fx->ctx, inputs[k]);
        fx->params.base = (Hash){ 0 };
        fx->params.delta = false;
        fx->fake.now.n = fx->fake.before.n = fx->cache.n = 0;
        for (int round = 0; round < 60; round++) {
            random_change(fx, &seed);
            fx->params.rule = k % 2 ? PLAN_EXACT : PLAN_UNTIL_SUCCESS;
            fx->params.delta = false;
            Plan whole = plan_job(fx);
            fx->params.delta = round > 0;
            assert_true(datum_has_delta(&fx->ctx, fx->input));
            Plan by_change = plan_job(fx);
            assert_string_equal(done_records(fx, &whole.done), done_records(fx, &by_change.done));
            assert_string_equal(todo_ids(fx, &whole.todo), todo_ids(fx, &by_change.todo));
            assert_int_equal(whole.counts.total, by_change.counts.total);
            assert_int_equal(whole.counts.deleted, by_change.counts.deleted);
            assert_int_equal(whole.counts.to_run_bytes, by_change.counts.to_run_bytes);
            fx->outcome = next_rand(&seed) % 4 ? RECORD_PROCESSED : RECORD_RECOVERED;
            fx->cache.n = MIN(fx->cache.n, 400);
            run_job(fx);
        }
    }
}

/* --- many ------------------------------------------------------------------------------------- */

#define MANY 50000

static Status put_numbered(Fixture *fx, Planner *planner, size_t number, const char *content)
{
    const PpsV2__PFSInput *from = fx->input->pfs;
    char path[32];
    snprintf(path, sizeof(path), "/%zu", number);
    DatumInput input = { .from = from,
                         .path = str(path),
                         .size = 1,
                         .hash = hash_of(str_bytes(str(content))),
                         .join_on = STR(""),
                         .group_by = STR("") };
    const DatumInput *inputs[] = { &input };
    Datum datum = {
        .id = datum_id(inputs, 1), .index = number, .input_count = 1, .inputs = inputs
    };
    return planner_put(planner, &fx->ctx, &datum);
}

static Status always_there(void *self UNUSED, Ctx *ctx UNUSED, const Hash *key, PlanResultHit *out)
{
    *out = (PlanResultHit){ .output_root = *key, .run_job = "default/p@1", .image_id = "" };
    return OK;
}

/* A plan of MANY datums, all done. */
static void plan_many(Fixture *fx)
{
    fx->params.rule = PLAN_EXACT;
    fx->params.cache.find = always_there;
    CLEANUP(planner_freep) Planner *planner = planner_new(&fx->params);
    for (size_t i = 0; i < MANY; i++)
        assert_ok(put_numbered(fx, planner, i, "1"));
    Plan plan;
    assert_ok(planner_finish(&fx->ctx, planner, &plan));
    assert_int_equal(plan.counts.cached, MANY);
    fx->params.base = plan.done;
    fx->params.cache.find = fake_find;
}

static void one_change_among_many_is_cheap(void **state)
{
    Fixture *fx = *state;
    plan_many(fx);
    uint64_t n;
    assert_ok(plan_count(&fx->ctx, &fx->blobs.io, &fx->params.base, &n));
    assert_int_equal(n, MANY);

    fx->params.delta = true;
    CLEANUP(planner_freep) Planner *planner = planner_new(&fx->params);
    assert_ok(put_numbered(fx, planner, 4711, "2"));
    fx->blobs.gets = fx->blobs.puts = 0;
    Plan plan;
    assert_ok(planner_finish(&fx->ctx, planner, &plan));
    assert_int_equal(plan.counts.total, MANY);
    assert_int_equal(plan.counts.skipped, MANY - 1);
    assert_int_equal(plan.counts.to_run, 1);
    assert_in_range(fx->blobs.gets, 1, 60);
    assert_in_range(fx->blobs.puts, 1, 20);
}

/* --- reading ---------------------------------------------------------------------------------- */

typedef struct Page {
    Hash ids[8];
    size_t n, limit;
} Page;

static Status take(void *arg, Ctx *ctx UNUSED, const DatumRecord *record)
{
    Page *page = arg;
    if (page->n == page->limit)
        return STATUS(OUT_OF_RANGE);
    page->ids[page->n++] = record->datum.id;
    return OK;
}

static void pages_follow_one_another_both_ways(void **state)
{
    Fixture *fx = *state;
    static const char *const paths[] = { "/1", "/2", "/3", "/4", "/5", "/6" };
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        set_file(fx, paths[i], "1");
    fx->outcome = RECORD_RECOVERED; /* so that there are marks, which no list shows */
    run_job(fx);
    const TreeIo *io = &fx->blobs.io;
    Page all = { .limit = 8 }, back = { .limit = 8 }, unsettled = { .limit = 8 };
    assert_ok(plan_each(&fx->ctx, io, &fx->params.base, NULL, false, take, &all));
    assert_int_equal(all.n, 6);
    assert_ok(plan_each(&fx->ctx, io, &fx->params.base, NULL, true, take, &back));
    assert_int_equal(back.n, 6);
    assert_ok(plan_each_unsettled(&fx->ctx, io, &fx->params.base, take, &unsettled));
    assert_memory_equal(unsettled.ids, all.ids, sizeof(all.ids[0]) * 6);
    for (size_t i = 0; i < 6; i++)
        assert_true(hash_eq(&all.ids[i], &back.ids[5 - i]));

    for (size_t i = 0; i < 6; i++) {
        Page next = { .limit = 2 }, last = { .limit = 8 };
        Status status = plan_each(&fx->ctx, io, &fx->params.base, &all.ids[i], false, take, &next);
        assert_int_equal(status.code, i < 3 ? STATUS_OUT_OF_RANGE : STATUS_OK);
        assert_int_equal(next.n, MIN(2, 5 - i));
        assert_memory_equal(next.ids, &all.ids[i + 1], next.n * sizeof(Hash));
        assert_ok(plan_each(&fx->ctx, io, &fx->params.base, &all.ids[i], true, take, &last));
        assert_int_equal(last.n, i);
    }
}

static void todo_is_cut_by_position(void **state)
{
    Fixture *fx = *state;
    set_file(fx, "/1", "1");
    set_file(fx, "/2", "1");
    set_file(fx, "/3", "1");
    Plan plan = plan_job(fx);
    CLEANUP(buf_done) Buf first = { 0 }, rest = { 0 };
    const TreeIo *io = &fx->blobs.io;
    assert_ok(plan_each_todo(&fx->ctx, io, &plan.todo, 0, 1, keep_todo_id, &first));
    assert_ok(plan_each_todo(&fx->ctx, io, &plan.todo, 1, 3, keep_todo_id, &rest));
    assert_int_equal(first.size, HASH_HEX_SIZE);
    assert_int_equal(rest.size, 2 * HASH_HEX_SIZE);
}

static Status tell_difference(void *arg, Ctx *ctx, const DatumRecord *old_record,
                              const DatumRecord *new_record)
{
    buf_printf(arg, "%s -> %s\n", old_record ? datum_text(ctx, &old_record->datum) : "-",
               new_record ? datum_text(ctx, &new_record->datum) : "-");
    return OK;
}

static void differences_are_what_the_job_did(void **state)
{
    Fixture *fx = *state;
    set_file(fx, "/x", "1");
    set_file(fx, "/y", "1");
    set_file(fx, "/z", "1");
    run_job(fx);
    Hash base = fx->params.base;
    set_file(fx, "/x", NULL);
    set_file(fx, "/y", "2");
    set_file(fx, "/w", "1");
    run_job(fx);
    CLEANUP(buf_done) Buf text = { 0 };
    assert_ok(plan_diff(&fx->ctx, &fx->blobs.io, &base, &fx->params.base, tell_difference, &text));
    assert_string_equal(sorted_lines(&fx->ctx, buf_str(&text)),
                        "- -> a:/w\na:/x -> -\na:/y -> a:/y\n");
}

/* --- results ---------------------------------------------------------------------------------- */

/* The result of a datum that is not in any input: its id is that of the number. */
static PlanRecord result_of(Fixture *fx, uint64_t number, RecordState state)
{
    DatumRecord record = {
        .head = { .state = state }, .run_job = "default/p@2", .reason = "", .image_id = ""
    };
    record.datum.id = hash_of(bytes(&number, sizeof(number)));
    record.datum.index = number;
    PlanRecord encoded;
    assert_ok(plan_encode(&fx->ctx, &fx->blobs.io, &record, &encoded));
    return encoded;
}

/* Lays them, `at_once` together, over nothing: every second failed at first, and every third comes
 * twice. */
static Hash lay_results(Fixture *fx, size_t at_once)
{
    Hash done = { 0 };
    CLEANUP(plan_results_freep) PlanResults *results = plan_results_new(&fx->blobs.io, NULL);
    for (size_t i = 0; i < 600; i++) {
        PlanRecord record =
            result_of(fx, i % 400, i < 400 && i % 2 ? RECORD_FAILED : RECORD_PROCESSED);
        PlanRecord again = result_of(fx, i % 400, RECORD_RECOVERED);
        assert_ok(plan_results_add(&fx->ctx, results, &record));
        if (i % 3 == 0)
            assert_ok(plan_results_add(&fx->ctx, results, &again));
        if ((i + 1) % at_once == 0)
            assert_ok(plan_results_lay(&fx->ctx, results, &done, &done));
    }
    assert_ok(plan_results_lay(&fx->ctx, results, &done, &done));
    return done;
}

static Status count_record(void *arg, Ctx *ctx UNUSED, const DatumRecord *record)
{
    size_t *counts = arg;
    counts[record->head.state]++;
    return OK;
}

static void results_are_laid_together_or_one_by_one(void **state)
{
    Fixture *fx = *state;
    Hash one_by_one = lay_results(fx, 200), some = lay_results(fx, 50);
    assert_true(hash_eq(&one_by_one, &some));
    size_t all[4] = { 0 }, unsettled[4] = { 0 };
    assert_ok(plan_each(&fx->ctx, &fx->blobs.io, &some, NULL, false, count_record, all));
    assert_ok(plan_each_unsettled(&fx->ctx, &fx->blobs.io, &some, count_record, unsettled));
    /* Those from 200 came once, and every second failed. */
    assert_int_equal(all[RECORD_PROCESSED], 300);
    assert_int_equal(all[RECORD_FAILED], 100);
    assert_int_equal(unsettled[RECORD_FAILED], 100);
    assert_int_equal(
        all[RECORD_RECOVERED] + unsettled[RECORD_RECOVERED] + unsettled[RECORD_PROCESSED], 0);

    CLEANUP(plan_results_freep) PlanResults *none = plan_results_new(&fx->blobs.io, NULL);
    assert_ok(plan_results_lay(&fx->ctx, none, &some, &one_by_one));
    assert_true(hash_eq(&one_by_one, &some));
}

static void a_basis_is_what_plans_share(void **state)
{
    Fixture *fx = *state;
    Hash base = plan_basis(&fx->ctx, &fx->params, fx->input);
    PpsV2__Input *later = input_with_commit(&fx->ctx, fx->input, "4f2a");
    Hash same = plan_basis(&fx->ctx, &fx->params, later);
    assert_true(hash_eq(&base, &same));

    KeyStep step = step_of(&fx->ctx, "sha256:2");
    PlanParams others[] = { fx->params, fx->params, fx->params };
    others[0].rule = PLAN_EXACT;
    others[1].salt = "other";
    others[2].step = &step;
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        Hash other = plan_basis(&fx->ctx, &others[i], fx->input);
        assert_false(hash_eq(&base, &other));
    }
    PpsV2__Input *wider = input_of(&fx->ctx, "{\"pfs\":{\"repo\":\"a\",\"glob\":\"/**\"}}");
    Hash other = plan_basis(&fx->ctx, &fx->params, wider);
    assert_false(hash_eq(&base, &other));
    assert_int_equal(plan_rule("exact", false), PLAN_EXACT);
    assert_int_equal(plan_rule("exact", true), PLAN_EVERY_JOB);
    assert_int_equal(plan_rule("every_job", false), PLAN_EVERY_JOB);
    assert_int_equal(plan_rule("until_success", false), PLAN_UNTIL_SUCCESS);
}

/* Every read and write of a blob fails in turn: planning says so, and nothing is left behind. */
static void planning_meets_faults(void **state)
{
    Fixture *fx = *state;
    fx->params.rule = PLAN_EXACT;
    set_file(fx, "/x", "1");
    set_file(fx, "/y", "1");
    run_job(fx);
    set_file(fx, "/y", "2");
    set_file(fx, "/z", "2");
    fx->blobs.fail_after = 0;
    for (size_t after = 0;; after++) {
        fx->blobs.fail_after = after;
        CLEANUP(planner_freep) Planner *planner = planner_new(&fx->params);
        assert_ok(datum_each(&fx->ctx, &fx->fake.source, fx->input, planner_put, planner));
        Plan plan;
        Status status = planner_finish(&fx->ctx, planner, &plan);
        if (status_ok(status)) {
            assert_int_equal(plan.counts.to_run, 2);
            break;
        }
        assert_int_equal(status.code, STATUS_UNAVAILABLE);
    }
    fx->blobs.fail_after = SIZE_MAX;
}

#define PLAN_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAN_TEST(only_what_changed_runs),
        PLAN_TEST(what_did_not_succeed_runs_again),
        PLAN_TEST(rules_differ_in_what_they_look_at),
        PLAN_TEST(results_are_found_again),
        PLAN_TEST(reused_records_say_who_ran_them),
        PLAN_TEST(changes_give_the_plan_that_all_datums_give),
        PLAN_TEST(one_change_among_many_is_cheap),
        PLAN_TEST(pages_follow_one_another_both_ways),
        PLAN_TEST(todo_is_cut_by_position),
        PLAN_TEST(differences_are_what_the_job_did),
        PLAN_TEST(results_are_laid_together_or_one_by_one),
        PLAN_TEST(a_basis_is_what_plans_share),
        PLAN_TEST(planning_meets_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
