/* Transactions: snapshots, the order of writers, what follows a commit, and commits that share a
 * sync. */
#include <sched.h>

#include "base/clock.h"
#include "base/thread.h"
#include "db/queue.h"
#include "fixture.h"

static void a_reader_keeps_its_snapshot(void **state)
{
    Fixture *fx = *state;
    Ctx *ctx = &fx->ctx;
    DbTx *early, *late, *write;
    assert_ok(db_begin_read(ctx, fx->db, &early));
    assert_ok(db_begin_write(ctx, fx->db, &write));
    assert_ok(db_exec(ctx, write, NULL, "INSERT INTO pet(id) VALUES(1)", ""));
    assert_int_equal(count_in(ctx, write), 1);
    assert_int_equal(count_in(ctx, early), 0);
    assert_int_equal(count_pets(ctx, fx->db), 0);
    assert_ok(db_commit(ctx, write));
    assert_int_equal(count_in(ctx, early), 0);
    assert_ok(db_begin_read(ctx, fx->db, &late));
    assert_int_equal(count_in(ctx, late), 1);
    assert_ok(db_commit(ctx, early));
    assert_ok(db_commit(ctx, late));
}

static void a_rolled_back_write_leaves_nothing(void **state)
{
    Fixture *fx = *state;
    Ctx *ctx = &fx->ctx;
    DbTx *tx;
    uint64_t before = event_epoch(db_events(fx->db));
    assert_ok(db_begin_write(ctx, fx->db, &tx));
    assert_ok(db_exec(ctx, tx, NULL, "INSERT INTO pet(id) VALUES(1)", ""));
    db_notify(tx, 42);
    assert_null(db_rollback(tx));
    assert_null(db_rollback(NULL));
    assert_int_equal(count_pets(ctx, fx->db), 0);
    assert_int_equal(event_epoch(db_events(fx->db)), before);
    assert_ok(add_pet(ctx, fx->db, 1, "Rex"));
}

static void note(void *arg)
{
    int *at = arg;
    at[1 + at[0]++] = 1;
}

static void note_two(void *arg)
{
    int *at = arg;
    at[1 + at[0]++] = 2;
}

static void what_follows_a_commit_happens_once_and_in_order(void **state)
{
    Fixture *fx = *state;
    Ctx *ctx = &fx->ctx;
    int order[4] = { 0 };
    uint64_t before = event_epoch(db_events(fx->db));
    DbTx *tx;
    assert_ok(db_begin_write(ctx, fx->db, &tx));
    db_notify(tx, 42);
    db_notify(tx, 43);
    db_notify(tx, 42);
    db_after_commit(tx, note, order);
    db_after_commit(tx, note_two, order);
    assert_int_equal(order[0], 0);
    assert_int_equal(event_epoch(db_events(fx->db)), before);
    assert_ok(db_commit(ctx, tx));
    assert_int_equal(event_epoch(db_events(fx->db)), before + 2);
    assert_int_equal(order[0], 2);
    assert_int_equal(order[1], 1);
    assert_int_equal(order[2], 2);
    uint64_t topic = 43;
    assert_ok(event_wait(ctx, db_events(fx->db), &topic, 1, before));
}

static void add_value(void *self, int64_t value)
{
    int64_t *sum = self;
    *sum = *sum * 10 + value;
}

static void who_may_begin_early_is_told_once_and_only_of_commits(void **state)
{
    Fixture *fx = *state;
    Ctx *ctx = &fx->ctx;
    int64_t told = 0;
    DbTx *tx;
    assert_ok(db_begin_write(ctx, fx->db, &tx));
    db_when_committed(tx, add_value, &told, 9);
    db_rollback(tx);
    assert_int_equal(told, 0);
    assert_ok(db_begin_write(ctx, fx->db, &tx));
    for (int64_t value = 1; value <= 3; value++)
        db_when_committed(tx, add_value, &told, value == 3 ? 1 : value);
    assert_ok(db_commit(ctx, tx));
    assert_int_equal(told, 12);
}

static void a_lazy_commit_is_seen_at_once_and_durable_with_the_next(void **state)
{
    Fixture *fx = *state;
    Ctx *ctx = &fx->ctx;
    DbStats before, after;
    DbTx *tx;
    db_stats(fx->db, &before);
    assert_ok(db_begin_write(ctx, fx->db, &tx));
    assert_ok(db_exec(ctx, tx, NULL, "INSERT INTO pet (id, name) VALUES (?, ?)", "is", INT64_C(7),
                      "Tom"));
    assert_ok(db_commit_lazily(ctx, tx));
    db_stats(fx->db, &after);
    assert_int_equal(count_pets(ctx, fx->db), 1);
    assert_int_equal(after.commits, before.commits + 1);
    assert_int_equal(after.syncs, before.syncs);
    assert_ok(add_pet(ctx, fx->db, 8, "Rex"));
    db_stats(fx->db, &after);
    assert_int_equal(after.syncs, before.syncs + 1);
}

/* --- the writer's turn ------------------------------------------------------------------------ */

typedef struct Racer {
    Db *db;
    int64_t first_id, commits;
    Status status;
} Racer;

static void *race(void *arg)
{
    Racer *racer = arg;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    for (int64_t i = 0; i < racer->commits && status_ok(racer->status); i++)
        racer->status.code = add_pet(&ctx, racer->db, racer->first_id + i, NULL).code;
    return NULL;
}

enum { RACERS = 8, COMMITS = 40 };

static void run_racers(Fixture *fx, Racer racers[RACERS])
{
    pthread_t threads[RACERS];
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (Racer){ fx->db, 1000 * i, COMMITS, OK };
        assert_ok(thread_start(&fx->ctx, "racer", race, &racers[i], &threads[i]));
    }
    for (int i = 0; i < RACERS; i++)
        pthread_join(threads[i], NULL);
}

static void commits_share_syncs(void **state)
{
    Fixture *fx = *state;
    Racer racers[RACERS];
    DbStats before, after;
    db_stats(fx->db, &before);
    run_racers(fx, racers);
    db_stats(fx->db, &after);
    for (int i = 0; i < RACERS; i++)
        assert_ok(racers[i].status);
    assert_int_equal(count_pets(&fx->ctx, fx->db), RACERS * COMMITS);
    assert_int_equal(after.commits - before.commits, RACERS * COMMITS);
    say_case("%d commits, %d syncs", RACERS * COMMITS, (int)(after.syncs - before.syncs));
    assert_true(after.syncs - before.syncs <= RACERS * COMMITS);
    assert_true(after.syncs > before.syncs);
}

static void a_commit_without_changes_costs_no_sync(void **state)
{
    Fixture *fx = *state;
    DbTx *tx;
    DbStats before, after;
    assert_ok(add_pet(&fx->ctx, fx->db, 1, "Rex"));
    db_stats(fx->db, &before);
    assert_ok(db_begin_write(&fx->ctx, fx->db, &tx));
    assert_int_equal(count_in(&fx->ctx, tx), 1);
    assert_ok(db_commit(&fx->ctx, tx));
    db_stats(fx->db, &after);
    assert_memory_equal(&before, &after, sizeof(before));
}

typedef struct Waiting {
    DbQueue *queue;
    Cancel *cancel;
    int64_t deadline_ns;
    int *order; /* [0] counts the rest */
    int number;
    Status status;
} Waiting;

static void *wait_for_turn(void *arg)
{
    Waiting *w = arg;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    ctx.cancel = w->cancel;
    ctx.deadline_ns = w->deadline_ns;
    w->status.code = db_queue_enter(&ctx, w->queue).code;
    if (status_ok(w->status)) {
        w->order[1 + w->order[0]++] = w->number;
        db_queue_leave(w->queue);
    }
    return NULL;
}

static bool is_queued(DbQueue *queue, const DbQueueEntry *last)
{
    LOCKED(&queue->lock);
    return queue->tail != last;
}

/* Starts one waiter and returns when it stands in the queue. */
static void start_waiting(Ctx *ctx, Waiting *w, pthread_t *out)
{
    const DbQueueEntry *last = w->queue->tail;
    assert_ok(thread_start(ctx, "waiter", wait_for_turn, w, out));
    while (!is_queued(w->queue, last))
        sched_yield();
}

/* Five stand in line; one is cancelled and one runs out of time in the middle of it. */
static void the_turn_is_given_in_order(void **state)
{
    Fixture *fx = *state;
    Ctx *ctx = &fx->ctx;
    enum { CANCELLED = 1, LATE = 3, N = 5 };
    DbQueue queue;
    int order[1 + N] = { 0 };
    pthread_t threads[N];
    Waiting waiting[N];
    Cancel *cancel = cancel_new();
    db_queue_init(&queue);
    assert_ok(db_queue_enter(ctx, &queue));
    for (int i = 0; i < N; i++) {
        waiting[i] =
            (Waiting){ &queue, i == CANCELLED ? cancel : NULL, DEADLINE_NONE, order, i, OK };
        if (i == LATE)
            waiting[i].deadline_ns = clock_mono_ns() + 20 * NS_PER_MS;
        start_waiting(ctx, &waiting[i], &threads[i]);
    }
    pthread_join(threads[LATE], NULL);
    cancel_set(cancel);
    pthread_join(threads[CANCELLED], NULL);
    db_queue_leave(&queue);
    for (int i = 0; i < N; i++) {
        if (i != CANCELLED && i != LATE)
            pthread_join(threads[i], NULL);
    }
    assert_int_equal(waiting[CANCELLED].status.code, STATUS_CANCELLED);
    assert_int_equal(waiting[LATE].status.code, STATUS_DEADLINE_EXCEEDED);
    assert_memory_equal(order, ((int[]){ 3, 0, 2, 4 }), 4 * sizeof(int));
    cancel_unref(cancel);
    db_queue_done(&queue);
}

/* More puts than make a flush of the index due, by the thread that the flush has to wait for. */
static void puts_inside_a_write_do_not_wait_for_the_index(void **state)
{
    Fixture *fx = *state;
    Ctx *ctx = &fx->ctx;
    enum { MANY = 40000 };
    StoreConfig config = { .dir = fx->dir };
    StoreIndex index = db_store_index(fx->db);
    Store *store;
    DbTx *tx;
    BlobPlace place;
    assert_ok(store_open(ctx, &config, &index, &store));
    assert_ok(db_begin_write(ctx, fx->db, &tx));
    for (uint64_t n = 0; n < MANY; n++)
        assert_ok(store_put(ctx, store, bytes(&n, sizeof(n)), NULL, NULL));
    assert_ok(store_sync(ctx, store));
    assert_ok(db_exec(ctx, tx, NULL, "INSERT INTO pet(id) VALUES(1)", ""));
    assert_ok(db_commit(ctx, tx));
    assert_ok(store_flush_index(ctx, store));
    for (uint64_t n = 0; n < MANY; n += 999) {
        Hash hash = hash_of(bytes(&n, sizeof(n)));
        assert_ok(index.lookup(index.self, ctx, &hash, &place));
    }
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        TEST(a_reader_keeps_its_snapshot),
        TEST(a_rolled_back_write_leaves_nothing),
        TEST(what_follows_a_commit_happens_once_and_in_order),
        TEST(who_may_begin_early_is_told_once_and_only_of_commits),
        TEST(a_lazy_commit_is_seen_at_once_and_durable_with_the_next),
        TEST(commits_share_syncs),
        TEST(a_commit_without_changes_costs_no_sync),
        TEST(the_turn_is_given_in_order),
        TEST(puts_inside_a_write_do_not_wait_for_the_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
