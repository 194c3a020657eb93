/* The cache of blobs: within its bound, the least recently used goes first. */
#include "store/cache.h"

#include "fixture.h"

static bool is_cached(BlobCache *cache, uint64_t n)
{
    Buf out = { 0 };
    Hash hash = blob_hash(n);
    bool found = blob_cache_get(cache, &hash, &out);
    buf_done(&out);
    return found;
}

/* Each 1000 bytes, whatever they are; about eight fit into a shard. */
static void add(BlobCache *cache, uint64_t n)
{
    static const uint8_t zeros[1000];
    Hash hash = blob_hash(n);
    blob_cache_put(cache, &hash, bytes(zeros, sizeof(zeros)));
}

static void what_is_used_stays(void **state)
{
    (void)state;
    BlobCache *cache = blob_cache_new(64 * KiB);
    int kept = 0;
    for (uint64_t n = 0; n < 500; n++) {
        add(cache, n);
        assert_true(is_cached(cache, 0));
        assert_true(is_cached(cache, n));
    }
    for (uint64_t n = 0; n < 500; n++)
        kept += is_cached(cache, n);
    assert_in_range(kept, 40, 64);
    Hash hash = blob_hash(0);
    blob_cache_drop(cache, &hash);
    blob_cache_drop(cache, &hash);
    assert_false(is_cached(cache, 0));
    blob_cache_free(cache);
}

static void what_does_not_fit_is_not_kept(void **state)
{
    (void)state;
    static const uint8_t zeros[8 * KiB + 1]; /* more than one of eight shards */
    BlobCache *cache = blob_cache_new(64 * KiB), *tiny = blob_cache_new(0);
    Hash hash = { { 1 } };
    Buf out = { 0 };
    blob_cache_put(cache, &hash, bytes(zeros, sizeof(zeros)));
    assert_false(blob_cache_get(cache, &hash, &out));
    blob_cache_put(cache, &hash, bytes(zeros, sizeof(zeros) / 2));
    assert_true(blob_cache_get(cache, &hash, &out));
    blob_cache_put(tiny, &hash, bytes(zeros, 1));
    assert_false(blob_cache_get(tiny, &hash, &out));
    buf_done(&out);
    blob_cache_free(cache);
    blob_cache_free(tiny);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_used_stays),
        cmocka_unit_test(what_does_not_fit_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
