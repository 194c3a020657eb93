/* test_log.c - logs of jobs: lines as bytes, and a model of many jobs, readers that follow and
 * readers that ask for the end, whatever is flushed when. */
#include "floors.h"

#include "pps/log_priv.h"

#define JOBS             4 /* of pipeline 1: jobs 1 to 3; of pipeline 2: job 4 */
#define PIPELINE_OF(job) ((job) == 4 ? 2 : 1)
#define T0               INT64_C(1000000000)

typedef struct Fixture {
    Ctx ctx;
    char *dir;
    Floors floors;
    size_t logged[JOBS + 1]; /* lines of each job */
    int64_t clock_ns;
    uint64_t seed;
} Fixture;

static Status no_image(void *self, Ctx *ctx, const char *image, const char **out_digest)
{
    (void)self;
    (void)image;
    (void)ctx;
    *out_digest = "host:test";
    return OK;
}

static void open_all(Fixture *fx)
{
    floors_open(&fx->ctx, fx->dir, no_image, &fx->floors);
}

static void close_all(Fixture *fx)
{
    floors_close(&fx->floors);
}

static void exec(Fixture *fx, const char *sql, int64_t id, int64_t other)
{
    PfsTx *tx = NULL;
    assert_ok(pfs_begin_write(&fx->ctx, fx->floors.pfs, NULL, &tx));
    assert_ok(db_exec(&fx->ctx, pfs_tx_db(tx), NULL, sql, "ii", id, other));
    assert_ok(pfs_commit(&fx->ctx, tx));
}

static int setup(void **state)
{
    Fixture *fx = test_calloc(1, sizeof(*fx));
    ctx_init(&fx->ctx);
    fx->dir = scratch_dir(&fx->ctx);
    fx->clock_ns = T0;
    fx->seed = 88172645463325252u;
    open_all(fx);
    for (int64_t id = 1; id <= 2; id++)
        exec(fx,
             "INSERT INTO pps_pipeline (id, project, name, version, state, reason, stopped, "
             "workers_started) VALUES (?, 'default', 'p' || ?, 1, 3, '', 0, 0)",
             id, id);
    for (int64_t job = 1; job <= JOBS; job++)
        exec(fx,
             "INSERT INTO pps_job (id, pipeline, project, name, set_id, version, output_commit, "
             "meta_commit, state, reason, created, started, finished) VALUES (?1, ?2, 'default', "
             "'p' || ?2, printf('%032x', ?1), 1, 0, 0, 3, '', 0, 0, 0)",
             job, PIPELINE_OF(job));
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fx = *state;
    close_all(fx);
    assert_ok(file_remove_tree(&fx->ctx, fx->dir));
    ctx_done(&fx->ctx);
    test_free(fx);
    return 0;
}

/* --- lines ------------------------------------------------------------------------------------ */

static void a_line_comes_back_as_it_was(void **state)
{
    (void)state;
    const LogLine lines[] = {
        { .user = true, .ts_ns = 1, .worker = STR("w"), .message = STR("hello") },
        { .is_stderr = true, .ts_ns = INT64_MAX, .worker = STR(""), .message = STR("") },
        { .master = true,
          .has_datum = true,
          .datum_index = UINT64_MAX,
          .datum = { { 7 } },
          .worker = STR("a worker"),
          .message = STR("x") },
    };
    Buf buf = { 0 };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        log_line_add(&buf, &lines[i]);
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        LogLine got;
        assert_true(log_line_read(buf_bytes(&buf), &at, &got));
        assert_int_equal(got.user, lines[i].user);
        assert_int_equal(got.is_stderr, lines[i].is_stderr);
        assert_int_equal(got.master, lines[i].master);
        assert_int_equal(got.has_datum, lines[i].has_datum);
        assert_true(got.ts_ns == lines[i].ts_ns && got.datum_index == lines[i].datum_index);
        assert_true(hash_eq(&got.datum, &lines[i].datum));
        assert_true(str_eq(got.worker, lines[i].worker) && str_eq(got.message, lines[i].message));
    }
    assert_int_equal(at, buf.size);
    buf_done(&buf);
}

/* Every shorter piece of a line is refused, and none reads past its end (valgrind, asan). */
static void a_damaged_line_is_refused(void **state)
{
    (void)state;
    Buf buf = { 0 };
    const LogLine line = { .has_datum = true, .worker = STR("worker"), .message = STR("m") };
    log_line_add(&buf, &line);
    for (size_t size = 0; size < buf.size; size++) {
        LogLine got;
        size_t at = 0;
        uint8_t *cut = malloc(size + 1);
        memcpy(cut, buf.data, size);
        assert_false(log_line_read(bytes(cut, size), &at, &got));
        if (size) { /* a line that says it is that short */
            cut[0] = (uint8_t)(size - 1);
            at = 0;
            if (log_line_read(bytes(cut, size), &at, &got))
                assert_true(size >= 1 + 1 + 8 + HASH_SIZE + 1 + 1 + 6);
        }
        free(cut);
    }
    buf_done(&buf);
}

/* --- the model -------------------------------------------------------------------------------- */

/* The nth line of a job says so; some are long. */
static void log_some(Fixture *fx, int64_t job, size_t n, size_t long_bytes)
{
    for (size_t i = 0; i < n; i++) {
        char *text = text_printf(fx->ctx.arena, "%lld:%zu:%0*d", (long long)job, fx->logged[job]++,
                                 (int)long_bytes, 0);
        const PpsLogLine line = { .pipeline = PIPELINE_OF(job),
                                  .job = job,
                                  .datum_id = "",
                                  .worker_id = "w",
                                  .ts_ns = fx->clock_ns++,
                                  .user = true,
                                  .message = str(text) };
        pps_log(&fx->ctx, fx->floors.pps, &line, 1);
    }
}

static void flush(Fixture *fx, int64_t job)
{
    assert_ok(pps_log_flush(&fx->ctx, fx->floors.pps, PIPELINE_OF(job), job));
}

typedef struct Reader {
    LogTarget target;
    LogCursor cursor;
    size_t next[JOBS + 1]; /* the line of each job that must come next */
    Buf order;             /* of all lines: u64 job << 32 | line */
} Reader;

static Status see(void *arg, Ctx *ctx, const LogJob *job, const LogLine *line)
{
    (void)ctx;
    Reader *reader = arg;
    long long id;
    size_t number;
    assert_int_equal(sscanf(line->message.data, "%lld:%zu:", &id, &number), 2);
    assert_int_equal(id, job->id);
    assert_int_equal(number, reader->next[id]);
    reader->next[id]++;
    uint64_t key = (uint64_t)id << 32 | number;
    buf_add(&reader->order, &key, sizeof(key));
    return OK;
}

static void read_on(Fixture *fx, Reader *reader)
{
    assert_ok(log_walk(&fx->ctx, fx->floors.pps, &reader->target, 0, &reader->cursor, see, reader));
}

static void check_all_seen(const Fixture *fx, const Reader *reader)
{
    for (int64_t job = 1; job <= JOBS; job++) {
        bool wanted = PIPELINE_OF(job) == reader->target.pipeline &&
                      (reader->target.job < 0 || reader->target.job == job);
        assert_int_equal(reader->next[job], wanted ? fx->logged[job] : 0);
    }
}

static void reader_done(Reader *reader)
{
    log_cursor_done(&reader->cursor);
    buf_done(&reader->order);
}

static Status any_passes(void *arg, Ctx *ctx, const LogJob *job, const LogLine *line, bool *out)
{
    (void)arg;
    (void)ctx;
    (void)job;
    (void)line;
    *out = true;
    return OK;
}

static Status keep_order(void *arg, Ctx *ctx, const LogJob *job, const LogLine *line)
{
    (void)ctx;
    long long id;
    size_t number;
    assert_int_equal(sscanf(line->message.data, "%lld:%zu:", &id, &number), 2);
    assert_int_equal(id, job->id);
    uint64_t key = (uint64_t)id << 32 | number;
    buf_add(arg, &key, sizeof(key));
    return OK;
}

/* The last n lines are the end of what a reader of all sees. */
static void check_tail(Fixture *fx, const LogTarget *target, uint64_t n)
{
    Reader all = { .target = *target };
    read_on(fx, &all);
    LogCursor cursor = { 0 };
    Buf got = { 0 };
    assert_ok(log_seek_tail(&fx->ctx, fx->floors.pps, target, 0, n, any_passes, NULL, &cursor));
    assert_ok(log_walk(&fx->ctx, fx->floors.pps, target, 0, &cursor, keep_order, &got));
    size_t size = MIN((size_t)n * sizeof(uint64_t), all.order.size);
    assert_int_equal(got.size, size);
    assert_memory_equal(got.data, all.order.data + all.order.size - size, size);
    buf_done(&got);
    log_cursor_done(&cursor);
    reader_done(&all);
}

static void readers_see_each_line_once(void **state)
{
    Fixture *fx = *state;
    Reader readers[] = { { .target = { 1, -1 } },
                         { .target = { 1, 2 } },
                         { .target = { 2, 4 } },
                         { .target = { 1, 1 } } };
    for (int turn = 0; turn < 3000; turn++) {
        ArenaMark mark = arena_mark(fx->ctx.arena);
        uint64_t dice = next_rand(&fx->seed);
        int64_t job = 1 + (int64_t)(dice >> 8) % JOBS;
        if (dice % 16 < 8)
            log_some(fx, job, 1 + (dice >> 16) % 5, (dice >> 24) % 50 ? 1 : 200000);
        else if (dice % 16 < 11)
            flush(fx, job);
        else
            read_on(fx, &readers[(dice >> 32) % ARRAY_LEN(readers)]);
        if (turn % 100 == 0)
            check_tail(fx, &readers[(dice >> 40) % ARRAY_LEN(readers)].target, (dice >> 48) % 300);
        arena_rewind(fx->ctx.arena, mark);
    }
    for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
        read_on(fx, &readers[i]);
        check_all_seen(fx, &readers[i]);
        reader_done(&readers[i]);
    }
}

/* What a follower did not see of a job whose log is flushed, gone and begun anew. */
static void a_follower_costs_what_is_new(void **state)
{
    Fixture *fx = *state;
    Reader reader = { .target = { 1, -1 } };
    for (int round = 0; round < 50; round++) {
        log_some(fx, 1, 3, 1);
        log_some(fx, 3, 1, 1);
        read_on(fx, &reader);
        assert_true(reader.cursor.count <= 2); /* open jobs only */
        flush(fx, 1 + 2 * (round % 2));
    }
    flush(fx, 1);
    flush(fx, 3);
    read_on(fx, &reader);
    assert_int_equal(reader.cursor.count, 0);
    check_all_seen(fx, &reader);
    reader_done(&reader);
}

static void lines_survive_closing(void **state)
{
    Fixture *fx = *state;
    log_some(fx, 1, 10, 1);
    close_all(fx);
    open_all(fx);
    log_some(fx, 1, 5, 1);
    Reader reader = { .target = { 1, 1 } };
    read_on(fx, &reader);
    check_all_seen(fx, &reader);
    reader_done(&reader);
}

/* --- limits ----------------------------------------------------------------------------------- */

static int64_t number(Fixture *fx, const char *sql)
{
    PfsTx *tx = NULL;
    int64_t value = -1;
    assert_ok(pfs_begin_read(&fx->ctx, fx->floors.pfs, &tx));
    assert_ok(db_query_int(&fx->ctx, pfs_tx_db(tx), &value, sql, ""));
    pfs_rollback(tx);
    return value;
}

#define SUM_1 "SELECT COALESCE(SUM(bytes), 0) FROM pps_log_segment WHERE pipeline = 1"
#define USE_1 "SELECT COALESCE(SUM(bytes), 0) FROM pps_log_use WHERE pipeline = 1"

static void the_oldest_go_when_there_is_too_much(void **state)
{
    Fixture *fx = *state;
    const PpsLogLimits limits = { .pipeline_bytes = 20000 };
    pps_log_limit(fx->floors.pps, &limits);
    for (int round = 0; round < 40; round++) {
        log_some(fx, 1 + round % 3, 5, 400);
        log_some(fx, 4, 1, 400);
        flush(fx, 1 + round % 3);
        flush(fx, 4);
        assert_true(number(fx, SUM_1) <= 20000);
        assert_int_equal(number(fx, SUM_1), number(fx, USE_1));
    }
    assert_true(number(fx, SUM_1) > 17000);
    assert_true(number(fx, "SELECT COUNT(*) FROM pps_log_segment WHERE pipeline = 2") == 40);
    log_some(fx, 1, 1, 100000); /* one that is larger than all may be stays alone */
    flush(fx, 1);
    assert_int_equal(number(fx, "SELECT COUNT(*) FROM pps_log_segment WHERE pipeline = 1"), 1);
}

static void what_is_too_old_is_swept(void **state)
{
    Fixture *fx = *state;
    const PpsLogLimits limits = { .age_ns = 1000 };
    pps_log_limit(fx->floors.pps, &limits);
    int64_t due_ns;
    for (int round = 0; round < 300; round++) {
        log_some(fx, 1, 1, 1);
        flush(fx, 1);
    }
    assert_ok(pps_log_sweep(&fx->ctx, fx->floors.pps, T0 + 1000, &due_ns));
    assert_int_equal(number(fx, "SELECT COUNT(*) FROM pps_log_segment"), 300);
    assert_true(due_ns == T0 + 1001);
    assert_ok(pps_log_sweep(&fx->ctx, fx->floors.pps, due_ns, &due_ns));
    assert_int_equal(number(fx, "SELECT COUNT(*) FROM pps_log_segment"), 299);
    assert_true(due_ns == T0 + 1002);
    for (int round = 0; due_ns <= T0 + 1290; round++) {
        assert_true(round < 10);
        assert_ok(pps_log_sweep(&fx->ctx, fx->floors.pps, T0 + 1290, &due_ns));
    }
    assert_int_equal(number(fx, "SELECT COUNT(*) FROM pps_log_segment"), 10);
    assert_int_equal(number(fx, SUM_1), number(fx, USE_1));
}

static void a_deleted_job_takes_its_log_along(void **state)
{
    Fixture *fx = *state;
    log_some(fx, 1, 10, 1);
    log_some(fx, 2, 10, 1);
    flush(fx, 1);
    flush(fx, 2);
    log_some(fx, 1, 10, 1);
    PfsTx *tx = NULL;
    assert_ok(pfs_begin_write(&fx->ctx, fx->floors.pfs, NULL, &tx));
    assert_ok(log_delete_job(&fx->ctx, tx, 1));
    assert_ok(db_exec(&fx->ctx, pfs_tx_db(tx), NULL, "DELETE FROM pps_job WHERE id = 1", ""));
    assert_ok(pfs_commit(&fx->ctx, tx));
    flush(fx, 1); /* what came late has nowhere to go */
    assert_int_equal(number(fx, "SELECT COUNT(*) FROM pps_log_segment WHERE job = 1"), 0);
    assert_int_equal(number(fx, SUM_1), number(fx, USE_1));
    fx->logged[1] = 0;
    Reader reader = { .target = { 1, -1 } };
    read_on(fx, &reader);
    check_all_seen(fx, &reader);
    reader_done(&reader);
}

static void what_the_database_refuses_stays_gathered(void **state)
{
    Fixture *fx = *state;
    log_some(fx, 1, 5, 1);
    PpsLogBatch *batch;
    assert_ok(pps_log_take(&fx->ctx, fx->floors.pps, 1, 1, &batch));
    log_some(fx, 1, 5, 1);
    pps_log_settle(fx->floors.pps, batch, false);
    Reader reader = { .target = { 1, 1 } };
    read_on(fx, &reader);
    check_all_seen(fx, &reader);
    flush(fx, 1);
    read_on(fx, &reader);
    check_all_seen(fx, &reader);
    reader_done(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_comes_back_as_it_was),
        cmocka_unit_test(a_damaged_line_is_refused),
        cmocka_unit_test_setup_teardown(readers_see_each_line_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_follower_costs_what_is_new, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_survive_closing, setup, teardown),
        cmocka_unit_test_setup_teardown(the_oldest_go_when_there_is_too_much, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_too_old_is_swept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_deleted_job_takes_its_log_along, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_database_refuses_stays_gathered, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
