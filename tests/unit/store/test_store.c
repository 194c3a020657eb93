/* Blobs in and out, from memory, from packs, through many threads and across packs. */
#include "base/thread.h"
#include "fixture.h"

static void a_blob_comes_back(void **state)
{
    Fixture *fx = *state;
    put_blobs(fx, 0, 40);
    assert_has_blobs(fx, 0, 40); /* from the buffer */
    assert_ok(store_sync(&fx->ctx, fx->store));
    assert_has_blobs(fx, 0, 40); /* from the pack, or the cache */
    assert_false(has_blob(&fx->ctx, fx->store, 40));
    fixture_reopen(fx);
    assert_has_blobs(fx, 0, 40);
    fixture_reopen_without_index(fx);
    assert_has_blobs(fx, 0, 40);
}

static void sizes_at_the_edges(void **state)
{
    Fixture *fx = *state;
    Ctx *ctx = &fx->ctx;
    static const size_t sizes[] = { 0,       1,           64 * KiB - 1, 64 * KiB, 64 * KiB + 1,
                                    1 * MiB, 4 * MiB - 1, 4 * MiB };
    uint64_t seed = 7;
    Buf data = { 0 }, got = { 0 };
    Hash hashes[ARRAY_LEN(sizes)];
    for (size_t i = 0; i < 4 * MiB + 1; i++)
        buf_add_u8(&data, (uint8_t)next_rand(&seed));
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        assert_ok(store_put(ctx, fx->store, bytes(data.data, sizes[i]), NULL, &hashes[i]));
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            buf_clear(&got);
            assert_ok(store_get(ctx, fx->store, &hashes[i], &got));
            assert_true(bytes_eq(buf_bytes(&got), bytes(data.data, sizes[i])));
        }
        fixture_reopen_without_index(fx);
    }
    assert_fails(store_put(ctx, fx->store, buf_bytes(&data), NULL, NULL), INVALID_ARGUMENT,
                 "over the limit");
    buf_done(&data);
    buf_done(&got);
}

static void get_appends(void **state)
{
    Fixture *fx = *state;
    Buf out = { 0 };
    Hash hash;
    buf_add_str(&out, STR("before "));
    assert_ok(store_put(&fx->ctx, fx->store, str_bytes(STR("after")), NULL, &hash));
    assert_ok(store_get(&fx->ctx, fx->store, &hash, &out));
    assert_ok(store_get(&fx->ctx, fx->store, &hash, &out));
    assert_true(str_eq(buf_str(&out), STR("before afterafter")));
    buf_done(&out);
}

static void a_known_blob_is_stored_once(void **state)
{
    Fixture *fx = *state;
    StoreStats stats;
    bool has = true;
    Hash hash = blob_hash(1);
    assert_ok(store_has(&fx->ctx, fx->store, &hash, &has));
    assert_false(has);
    put_blobs(fx, 0, 10);
    put_blobs(fx, 0, 10);
    fixture_reopen(fx);
    put_blobs(fx, 0, 11);
    assert_ok(store_has(&fx->ctx, fx->store, &hash, &has));
    assert_true(has);
    store_stats(fx->store, &stats);
    assert_int_equal(stats.blobs_put, 1);
    assert_int_equal(stats.blobs_known, 10);
    assert_int_equal(scrub(fx).good, 11);
}

static void a_trusted_hash_is_taken(void **state)
{
    Fixture *fx = *state;
    Hash hash = hash_of(str_bytes(STR("x"))), got;
    assert_ok(store_put(&fx->ctx, fx->store, str_bytes(STR("x")), &hash, &got));
    assert_true(hash_eq(&hash, &got));
}

static void packs_are_sealed_and_followed_by_new_ones(void **state)
{
    Fixture *fx = *state;
    fx->config.pack_bytes_max = 100 * KiB;
    fixture_reopen(fx);
    put_blobs(fx, 0, 200);
    StoreStats stats;
    store_stats(fx->store, &stats);
    assert_true(stats.packs > 3);
    assert_has_blobs(fx, 0, 200);
    assert_ok(store_flush_index(&fx->ctx, fx->store));
    assert_has_blobs(fx, 0, 200);
    fixture_reopen_without_index(fx);
    assert_has_blobs(fx, 0, 200);
    put_blobs(fx, 200, 300);
    fixture_reopen(fx);
    assert_has_blobs(fx, 0, 300);
    Health health = scrub(fx);
    assert_int_equal(health.good, 300);
    assert_int_equal(health.damaged, 0);
}

/* More packs than descriptors are kept, read in an order that never fits. */
static void many_packs_are_read_with_few_descriptors(void **state)
{
    Fixture *fx = *state;
    fx->config.pack_bytes_max = 1;
    fixture_reopen(fx);
    for (int round = 0; round < 3; round++) {
        put_blobs(fx, 0, 100);
        assert_has_blobs(fx, 0, 100);
        fixture_reopen(fx);
    }
}

static void one_process_owns_a_store(void **state)
{
    Fixture *fx = *state;
    Store *second = NULL;
    assert_fails(store_open(&fx->ctx, &fx->config, &fx->index, &second), FAILED_PRECONDITION,
                 "in use");
    assert_null(second);
}

/* --- threads ---------------------------------------------------------------------------------- */

enum { THREADS = 6, BLOBS = 150 };

typedef struct Putter {
    Store *store;
    uint64_t first;
    Status status;
} Putter;

/* Half of each one's blobs are the next one's too. */
static void *put_and_read(void *arg)
{
    Putter *putter = arg;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    for (uint64_t n = putter->first; n < putter->first + BLOBS && status_ok(putter->status); n++) {
        putter->status.code = put_blob(&ctx, putter->store, n).code;
        if (n % 16 == 0)
            putter->status.code |= store_sync(&ctx, putter->store).code;
        if (!has_blob(&ctx, putter->store,
                      putter->first + (n * 7 % BLOBS) % (n - putter->first + 1)))
            putter->status.code = STATUS_NOT_FOUND;
    }
    return NULL;
}

static void many_threads_put_at_once(void **state)
{
    Fixture *fx = *state;
    fx->config.pack_bytes_max = 1 * MiB;
    fixture_reopen(fx);
    Putter putters[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        putters[i] = (Putter){ fx->store, (uint64_t)i * BLOBS / 2, OK };
        assert_ok(thread_start(&fx->ctx, "putter", put_and_read, &putters[i], &threads[i]));
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_ok(putters[i].status);
    }
    assert_has_blobs(fx, 0, (THREADS + 1) * BLOBS / 2);
    fixture_reopen_without_index(fx);
    assert_has_blobs(fx, 0, (THREADS + 1) * BLOBS / 2);
    assert_int_equal(scrub(fx).damaged, 0);
}

/* The index gets its rows without anybody asking, and puts do not wait for it. */
static void the_index_is_fed_in_the_background(void **state)
{
    Fixture *fx = *state;
    enum { MANY = 40000 };
    for (uint64_t n = 0; n < MANY; n++)
        assert_ok(store_put(&fx->ctx, fx->store, bytes(&n, sizeof(n)), NULL, NULL));
    fx->store = store_close(fx->store);
    uint64_t sealed, tail;
    assert_ok(fx->index.progress(fx->index.self, &fx->ctx, &sealed, &tail));
    assert_int_equal(sealed, 0);
    assert_int_equal(tail, 32 + MANY * (56 + 8));
    assert_ok(store_open(&fx->ctx, &fx->config, &fx->index, &fx->store));
    for (uint64_t n = 0; n < MANY; n += 1000) {
        Hash hash = hash_of(bytes(&n, sizeof(n)));
        bool has = false;
        assert_ok(store_has(&fx->ctx, fx->store, &hash, &has));
        assert_true(has);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        TEST(a_blob_comes_back),
        TEST(sizes_at_the_edges),
        TEST(get_appends),
        TEST(a_known_blob_is_stored_once),
        TEST(a_trusted_hash_is_taken),
        TEST(packs_are_sealed_and_followed_by_new_ones),
        TEST(many_packs_are_read_with_few_descriptors),
        TEST(one_process_owns_a_store),
        TEST(many_threads_put_at_once),
        TEST(the_index_is_fed_in_the_background),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
