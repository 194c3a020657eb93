/* The nth allocation, read, write or sync fails, once or for good; and the process is killed at any
 * moment. What was acknowledged is there afterwards, and whatever else is there is whole. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "crash.h"
#include "fixture.h"

/* --- faults ----------------------------------------------------------------------------------- */

enum { SWEEP_BLOBS = 24 };

/* Puts, with a sync after every fourth, over several packs; *acked counts what a sync covered. */
static Status use_store(Fixture *fx, uint64_t *acked)
{
    Ctx *ctx = &fx->ctx;
    CLEANUP(store_closep) Store *store = NULL;
    Buf out = { 0 };
    TRY(store_open(ctx, &fx->config, &fx->index, &store));
    for (uint64_t n = 0; n < SWEEP_BLOBS; n++) {
        TRY(put_blob(ctx, store, n));
        if (n % 4 != 3)
            continue;
        TRY(store_sync(ctx, store));
        *acked = n + 1;
    }
    Hash hash = blob_hash(0);
    Status s = store_get(ctx, store, &hash, &out);
    buf_done(&out);
    TRY(s);
    return store_flush_index(ctx, store);
}

static void no_fault_loses_what_was_acknowledged(void **state)
{
    (void)state;
    int runs = 0;
    FAULT_SWEEP (fs, FAULT_ALLOC | FAULT_IO) {
        fault_pause();
        void *fixture;
        fixture_setup(&fixture);
        Fixture *fx = fixture;
        fx->store = store_close(fx->store);
        fx->config.pack_bytes_max = 8 * KiB;
        fx->config.dir = text_printf(fx->ctx.arena, "%s/new", fx->dir);
        fault_resume();

        uint64_t acked = 0;
        Status s = use_store(fx, &acked);
        fault_sweep_stop(&fs);
        assert_true(status_ok(s) || fs.fired > 0);
        assert_true(!status_ok(s) || acked == SWEEP_BLOBS);

        assert_ok(store_open(&fx->ctx, &fx->config, &fx->index, &fx->store));
        assert_has_blobs(fx, 0, acked);
        put_blobs(fx, 0, SWEEP_BLOBS);
        assert_has_blobs(fx, 0, SWEEP_BLOBS);
        Health health = scrub(fx);
        assert_true(health.damaged == 0 || hash_is_zero(&health.last_damaged));
        fixture_teardown(&fixture);
        runs++;
    }
    say_case("%d runs", runs);
}

static void a_failed_sync_is_final(void **state)
{
    Fixture *fx = *state;
    put_blobs(fx, 0, 5);
    assert_ok(store_sync(&fx->ctx, fx->store));
    put_blobs(fx, 5, 10);
    fault_arm(FAULT_SYNC, 0, false);
    assert_fails(store_sync(&fx->ctx, fx->store), INTERNAL, "until it is reopened");
    fault_disarm();
    assert_fails(store_sync(&fx->ctx, fx->store), INTERNAL, "could not sync");
    assert_fails(put_blob(&fx->ctx, fx->store, 10), INTERNAL, "until it is reopened");
    assert_has_blobs(fx, 0, 10);
    fixture_reopen(fx);
    put_blobs(fx, 0, 11);
    assert_ok(store_sync(&fx->ctx, fx->store));
    assert_has_blobs(fx, 0, 11);
}

static void a_full_disk_is_no_damage(void **state)
{
    Fixture *fx = *state;
    put_blobs(fx, 0, 5);
    fx->store = store_close(fx->store);
    assert_ok(store_open(&fx->ctx, &fx->config, &fx->index, &fx->store));
    fault_arm(FAULT_WRITE, 0, false); /* the first thing that could fail is to reserve space */
    assert_fails(put_blob(&fx->ctx, fx->store, 5), RESOURCE_EXHAUSTED, "could not make room");
    fault_disarm();
    put_blobs(fx, 0, 10);
    assert_ok(store_sync(&fx->ctx, fx->store));
    assert_has_blobs(fx, 0, 10);
}

/* --- kill -9 ---------------------------------------------------------------------------------- */

/* What the child says after each sync: all blobs below `next` are acknowledged, and the pack ended
 * there. */
typedef struct Ack {
    uint64_t next, end;
} Ack;

static void put_and_sync(void *arg, int pipe_fd)
{
    Fixture *fx = arg;
    uint64_t n = fx->next, seed = n + 1;
    StoreStats stats;
    if (!status_ok(store_open(&fx->ctx, &fx->config, &fx->index, &fx->store)))
        return;
    for (;;) {
        for (uint64_t more = 1 + next_rand(&seed) % 6; more; more--) {
            if (!status_ok(put_blob(&fx->ctx, fx->store, n++)))
                return;
        }
        if (!status_ok(store_sync(&fx->ctx, fx->store)))
            return;
        store_stats(fx->store, &stats);
        crash_ack(pipe_fd, &(Ack){ n, stats.stored_bytes }, sizeof(Ack));
    }
}

/* A power cut may do anything to what was not synced. */
static void tear(Fixture *fx, uint64_t synced, uint64_t *seed)
{
    struct stat st;
    AUTO_FD fd = open(pack_path(fx, 1), O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || (uint64_t)st.st_size <= synced)
        return;
    uint64_t loose = (uint64_t)st.st_size - synced, at = synced + next_rand(seed) % loose;
    uint8_t page[4096];
    memset(page, next_rand(seed) & 1 ? 0 : 0xa5, sizeof(page));
    if (next_rand(seed) & 1)
        assert_int_equal(ftruncate(fd, (off_t)at), 0);
    else
        assert_ok(file_pwrite_all(&fx->ctx, fd, page,
                                  (size_t)MIN(sizeof(page), (uint64_t)st.st_size - at), at));
}

/* One life of the child, and what the parent does to the store and its index afterwards. */
static void live_and_die(Fixture *fx, Ack *last, bool is_power_cut, uint64_t *seed)
{
    fx->next = last->next;
    crash_child(put_and_sync, fx, (int64_t)(next_rand(seed) % 20) * NS_PER_MS, last, sizeof(*last));
    if (!is_power_cut)
        return;
    tear(fx, last->end, seed);
    store_index_mem_free(&fx->index);
    fx->index = store_index_mem_new();
}

static void kill_again_and_again(Fixture *fx, bool is_power_cut)
{
    int rounds = getenv("PCV_TEST_LONG") ? 500 : 30;
    uint64_t seed = 99;
    Ack last = { 0 };
    fx->store = store_close(fx->store);
    for (int round = 0; round < rounds; round++) {
        live_and_die(fx, &last, is_power_cut, &seed);
        assert_ok(store_open(&fx->ctx, &fx->config, &fx->index, &fx->store));
        assert_has_blobs(fx, last.next > 100 ? last.next - 100 : 0, last.next);
        fx->store = store_close(fx->store);
    }
    say_case("%d kills, %d blobs", rounds, (int)last.next);
    assert_ok(store_open(&fx->ctx, &fx->config, &fx->index, &fx->store));
    assert_has_blobs(fx, 0, last.next);
}

/* Many small packs, and an index that is as old as the last clean close. */
static void kill_9_loses_nothing_acknowledged(void **state)
{
    Fixture *fx = *state;
    fx->config.pack_bytes_max = 32 * KiB;
    kill_again_and_again(fx, false);
}

/* One pack, whose unsynced end is torn; and no index at all. */
static void a_power_cut_loses_nothing_acknowledged(void **state)
{
    kill_again_and_again(*state, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        cmocka_unit_test(no_fault_loses_what_was_acknowledged),
        TEST(a_failed_sync_is_final),
        TEST(a_full_disk_is_no_damage),
        TEST(kill_9_loses_nothing_acknowledged),
        TEST(a_power_cut_loses_nothing_acknowledged),
    };
    log_set_level(LOG_LEVEL_OFF); /* warnings are what it is all about */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
