/* fixture.h - a store in a scratch folder over an index in memory, and blobs made from numbers. */
#pragma once

#include "store/store.h"
#include "testing.h"

typedef struct Fixture {
    Ctx ctx;
    char *dir;
    StoreConfig config;
    StoreIndex index;
    Store *store;
    uint64_t next; /* blob that a crash loop goes on with */
} Fixture;

static inline int fixture_setup(void **state)
{
    Fixture *fx = calloc(1, sizeof(*fx));
    assert_non_null(fx);
    ctx_init(&fx->ctx);
    fx->dir = scratch_dir(&fx->ctx);
    fx->config = (StoreConfig){ .dir = fx->dir };
    fx->index = store_index_mem_new();
    assert_ok(store_open(&fx->ctx, &fx->config, &fx->index, &fx->store));
    *state = fx;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    Fixture *fx = *state;
    store_close(fx->store);
    store_index_mem_free(&fx->index);
    assert_ok(file_remove_tree(&fx->ctx, fx->dir));
    ctx_done(&fx->ctx);
    free(fx);
    return 0;
}

static inline void fixture_reopen(Fixture *fx)
{
    fx->store = store_close(fx->store);
    assert_ok(store_open(&fx->ctx, &fx->config, &fx->index, &fx->store));
}

/* As if the index had been lost: all of it must come back from the packs. */
static inline void fixture_reopen_without_index(Fixture *fx)
{
    fx->store = store_close(fx->store);
    store_index_mem_free(&fx->index);
    fx->index = store_index_mem_new();
    assert_ok(store_open(&fx->ctx, &fx->config, &fx->index, &fx->store));
}

/* Appends blob number n to out: of 1 to 100,000 bytes; every other one does not compress. */
static inline void make_blob(uint64_t n, Buf *out)
{
    uint64_t state = n * UINT64_C(0x9e3779b97f4a7c15) + 1;
    size_t size = 1 + (size_t)(next_rand(&state) % (n % 8 ? 3000 : 100000));
    for (size_t i = 0; i < size; i++)
        buf_add_u8(out, n % 2 ? (uint8_t)next_rand(&state)
                              : (uint8_t)('a' + i % 7 + (next_rand(&state) & 1)));
}

static inline Hash blob_hash(uint64_t n)
{
    Buf blob = { 0 };
    make_blob(n, &blob);
    Hash hash = hash_of(buf_bytes(&blob));
    buf_done(&blob);
    return hash;
}

static inline Status put_blob(Ctx *ctx, Store *store, uint64_t n)
{
    Buf blob = { 0 };
    make_blob(n, &blob);
    Status s = store_put(ctx, store, buf_bytes(&blob), NULL, NULL);
    buf_done(&blob);
    return s;
}

static inline void put_blobs(Fixture *fx, uint64_t from, uint64_t to)
{
    for (uint64_t n = from; n < to; n++)
        assert_ok(put_blob(&fx->ctx, fx->store, n));
}

/* Is the blob there, whole? Fails the test when it is there but not whole. */
static inline bool has_blob(Ctx *ctx, Store *store, uint64_t n)
{
    Buf blob = { 0 }, got = { 0 };
    make_blob(n, &blob);
    Hash hash = hash_of(buf_bytes(&blob));
    Status s = store_get(ctx, store, &hash, &got);
    if (s.code != STATUS_NOT_FOUND) {
        assert_ok(s);
        assert_true(bytes_eq(buf_bytes(&blob), buf_bytes(&got)));
    }
    buf_done(&blob);
    buf_done(&got);
    return status_ok(s);
}

static inline void assert_has_blobs(Fixture *fx, uint64_t from, uint64_t to)
{
    for (uint64_t n = from; n < to; n++) {
        if (!has_blob(&fx->ctx, fx->store, n))
            fail_msg("blob %d is lost", (int)n);
    }
}

static inline char *pack_path(Fixture *fx, int number)
{
    return text_printf(fx->ctx.arena, "%s/packs/%010d.pack", fx->dir, number);
}

/* What a scrub found. */
typedef struct Health {
    int good, damaged;
    Hash last_damaged;
} Health;

static inline Status note_health(void *arg, Ctx *ctx, const Hash *hash, const BlobPlace *place,
                                 Status health)
{
    (void)ctx;
    (void)place;
    Health *sum = arg;
    if (status_ok(health)) {
        sum->good++;
    } else {
        sum->damaged++;
        sum->last_damaged = *hash;
    }
    return OK;
}

static inline Health scrub(Fixture *fx)
{
    Health sum = { 0 };
    assert_ok(store_scrub(&fx->ctx, fx->store, note_health, &sum));
    return sum;
}
