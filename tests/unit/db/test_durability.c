/* What faults, a killed process, a torn or a long log do to what was committed: nothing. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "crash.h"
#include "fixture.h"

/* --- faults ----------------------------------------------------------------------------------- */

/* Moves weight from pet 1 to pet 2 in one transaction, and numbers it. */
static Status move(Ctx *ctx, Db *db)
{
    CLEANUP(db_rollbackp) DbTx *tx = NULL;
    int64_t id, weight;
    TRY(db_begin_write(ctx, db, &tx));
    TRY(db_query_int(ctx, tx, &weight, "SELECT CAST(weight AS BIGINT) FROM pet WHERE id = 1", ""));
    TRY(db_exec(ctx, tx, NULL, "UPDATE pet SET weight = ? WHERE id = 1", "i", weight - 1));
    TRY(db_exec(ctx, tx, NULL, "UPDATE pet SET weight = weight + 1 WHERE id = 2", ""));
    TRY(db_next_id(ctx, tx, "move", &id));
    return db_commit(ctx, STEAL(tx));
}

/* The weight of pet 1; the two together never change. */
static int64_t weigh(Fixture *fx)
{
    DbTx *tx;
    int64_t first = 0, sum = 0;
    assert_ok(db_begin_read(&fx->ctx, fx->db, &tx));
    assert_ok(db_query_int(&fx->ctx, tx, &first,
                           "SELECT CAST(weight AS BIGINT) FROM pet WHERE id = 1", ""));
    assert_ok(db_query_int(&fx->ctx, tx, &sum, "SELECT CAST(sum(weight) AS BIGINT) FROM pet", ""));
    assert_ok(db_commit(&fx->ctx, tx));
    assert_int_equal(sum, 100);
    return first;
}

static void a_fault_leaves_all_or_nothing(void **state)
{
    Fixture *fx = *state;
    Ctx *ctx = &fx->ctx;
    DbTx *tx;
    assert_ok(db_begin_write(ctx, fx->db, &tx));
    assert_ok(db_exec(ctx, tx, NULL, "INSERT INTO pet(id, weight) VALUES(1, 100), (2, 0)", ""));
    assert_ok(db_commit(ctx, tx));
    int runs = 0;
    FAULT_SWEEP (fs, FAULT_QUERY | FAULT_SYNC) {
        fault_pause();
        int64_t before = weigh(fx);
        fault_resume();
        Status s = move(ctx, fx->db);
        fault_sweep_stop(&fs);
        assert_true(status_ok(s) || fs.fired > 0);
        fixture_reopen(fx);
        int64_t after = weigh(fx);
        assert_true(after == before - 1 || (!status_ok(s) && after == before));
        runs++;
    }
    say_case("%d runs", runs);
}

static void a_failed_sync_is_final_for_writes(void **state)
{
    Fixture *fx = *state;
    Ctx *ctx = &fx->ctx;
    DbTx *tx;
    assert_ok(add_pet(ctx, fx->db, 1, "Rex"));
    uint64_t epoch = event_epoch(db_events(fx->db));
    assert_ok(db_begin_write(ctx, fx->db, &tx));
    assert_ok(db_exec(ctx, tx, NULL, "INSERT INTO pet(id) VALUES(2)", ""));
    db_notify(tx, 1);
    fault_arm(FAULT_SYNC, 0, false);
    assert_fails(db_commit(ctx, tx), INTERNAL, "could not sync");
    fault_disarm();
    assert_int_equal(event_epoch(db_events(fx->db)), epoch);
    assert_fails(add_pet(ctx, fx->db, 3, NULL), INTERNAL,
                 "takes no more writes until it is reopened");
    assert_true(has_pet(ctx, fx->db, 1));
    fixture_reopen(fx);
    assert_ok(add_pet(ctx, fx->db, 3, NULL));
    assert_true(has_pet(ctx, fx->db, 1));
}

/* --- the log ---------------------------------------------------------------------------------- */

static uint64_t log_size(Fixture *fx)
{
    struct stat st;
    assert_int_equal(stat(text_printf(fx->ctx.arena, "%s/db-wal", fx->dir), &st), 0);
    return (uint64_t)st.st_size;
}

static void grow(Fixture *fx, int64_t id)
{
    static uint8_t picture[1 * MiB];
    DbTx *tx;
    assert_ok(db_begin_write(&fx->ctx, fx->db, &tx));
    assert_ok(db_exec(&fx->ctx, tx, NULL, "INSERT INTO pet(id, picture) VALUES(?, ?)", "ib", id,
                      bytes(picture, sizeof(picture))));
    assert_ok(db_commit(&fx->ctx, tx));
}

/* 160 MiB go through the log; it is copied behind the writer's back and used again. */
static void the_log_stays_short(void **state)
{
    Fixture *fx = *state;
    for (int64_t id = 0; id < 160; id++)
        grow(fx, id);
    say_case("log of %d MiB", (int)(log_size(fx) / MiB));
    assert_true(log_size(fx) < 160 * MiB);
    assert_int_equal(count_pets(&fx->ctx, fx->db), 160);
}

static void a_long_reader_keeps_its_snapshot_through_checkpoints(void **state)
{
    Fixture *fx = *state;
    DbTx *tx;
    grow(fx, 0);
    assert_ok(db_begin_read(&fx->ctx, fx->db, &tx));
    for (int64_t id = 1; id < 40; id++)
        grow(fx, id);
    assert_int_equal(count_in(&fx->ctx, tx), 1);
    db_rollback(tx);
    assert_int_equal(count_pets(&fx->ctx, fx->db), 40);
}

/* --- kill -9 ---------------------------------------------------------------------------------- */

static Status put_number(Ctx *ctx, Store *store, int64_t n)
{
    return store_put(ctx, store, bytes(&n, sizeof(n)), NULL, NULL);
}

/* As a commit does: blobs first, then the row that names them; durable both. */
static Status commit_one(Ctx *ctx, Db *db, Store *store, int64_t id)
{
    CLEANUP(db_rollbackp) DbTx *tx = NULL;
    TRY(db_begin_write(ctx, db, &tx));
    TRY(put_number(ctx, store, id));
    TRY(db_exec(ctx, tx, NULL, "INSERT INTO pet(id) VALUES(?) ON CONFLICT(id) DO NOTHING", "i",
                id));
    TRY(store_sync(ctx, store));
    return db_commit(ctx, STEAL(tx));
}

static Status open_both(Fixture *fx, Store **out)
{
    TRY(db_open(&fx->ctx, fx->url, test_migrations, ARRAY_LEN(test_migrations), &fx->db));
    StoreConfig config = { .dir = fx->dir, .pack_bytes_max = 64 * KiB };
    StoreIndex index = db_store_index(fx->db);
    return store_open(&fx->ctx, &config, &index, out);
}

/* What the child says after each commit: ids up to here are acknowledged, and the log ended
 * there. */
typedef struct Ack {
    int64_t id;
    uint64_t log_end;
} Ack;

static void commit_on_and_on(void *arg, int pipe_fd)
{
    Fixture *fx = arg;
    Store *store;
    if (!status_ok(open_both(fx, &store)))
        return;
    for (int64_t id = fx->next_id;; id++) {
        ArenaMark mark = arena_mark(fx->ctx.arena);
        if (!status_ok(commit_one(&fx->ctx, fx->db, store, id)))
            return;
        if (id % 50 == 49 && !status_ok(store_flush_index(&fx->ctx, store)))
            return;
        crash_ack(pipe_fd, &(Ack){ id, log_size(fx) }, sizeof(Ack));
        arena_rewind(fx->ctx.arena, mark);
    }
}

/* A power cut may do anything to what was not synced: here, to the end of the log. */
static void tear(Fixture *fx, const Ack *last, uint64_t *seed)
{
    struct stat st;
    AUTO_FD fd = open(text_printf(fx->ctx.arena, "%s/db-wal", fx->dir), O_RDWR | O_CLOEXEC);
    if (fd < 0 || !last->log_end || fstat(fd, &st) < 0 || (uint64_t)st.st_size <= last->log_end)
        return;
    uint64_t loose = (uint64_t)st.st_size - last->log_end,
             at = last->log_end + next_rand(seed) % loose;
    static const uint8_t zeros[4096];
    if (next_rand(seed) & 1)
        assert_int_equal(ftruncate(fd, (off_t)at), 0);
    else
        assert_ok(file_pwrite_all(&fx->ctx, fd, zeros,
                                  (size_t)MIN(sizeof(zeros), (uint64_t)st.st_size - at), at));
}

static void check_both(Fixture *fx, int64_t last)
{
    Store *store = NULL;
    assert_ok(open_both(fx, &store));
    DbTx *tx;
    int64_t n = 0;
    assert_ok(db_begin_read(&fx->ctx, fx->db, &tx));
    assert_ok(db_query_int(&fx->ctx, tx, &n, "SELECT count(*) FROM pet WHERE id <= ?", "i", last));
    assert_int_equal(n, last + 1);
    assert_ok(db_query_int(&fx->ctx, tx, &n, "SELECT coalesce(max(id), -1) FROM pet", ""));
    db_rollback(tx);
    for (int64_t id = 0; id <= n; id++) { /* no row without its blob, acknowledged or not */
        Buf out = { 0 };
        Hash hash = hash_of(bytes(&id, sizeof(id)));
        assert_ok(store_get(&fx->ctx, store, &hash, &out));
        buf_done(&out);
    }
    store_close(store);
    fx->db = db_close(fx->db);
}

static void kill_9_loses_no_acknowledged_commit(void **state)
{
    Fixture *fx = *state;
    int rounds = getenv("PCV_TEST_LONG") ? 500 : 25;
    uint64_t seed = 5;
    Ack last = { -1, 0 };
    fx->db = db_close(fx->db);
    for (int round = 0; round < rounds; round++) {
        last.log_end = 0;
        fx->next_id = last.id + 1;
        crash_child(commit_on_and_on, fx, (int64_t)(10 + next_rand(&seed) % 30) * NS_PER_MS, &last,
                    sizeof(last));
        tear(fx, &last, &seed);
        check_both(fx, last.id);
    }
    say_case("%d kills, %d commits", rounds, (int)last.id + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        TEST(a_fault_leaves_all_or_nothing),
        TEST(a_failed_sync_is_final_for_writes),
        TEST(the_log_stays_short),
        TEST(a_long_reader_keeps_its_snapshot_through_checkpoints),
        TEST(kill_9_loses_no_acknowledged_commit),
    };
    log_set_level(LOG_LEVEL_OFF); /* warnings are what it is all about */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
