/* What a store finds when it opens: torn ends, rotten bytes, lost indexes. A crash is a copy of the
 * folder. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "fixture.h"

static uint64_t size_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (uint64_t)st.st_size;
}

static void overwrite(Fixture *fx, const char *path, uint64_t offset, Bytes data)
{
    AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_ok(file_pwrite_all(&fx->ctx, fd, data.data, data.size, offset));
}

/* Flips one bit. */
static void rot(Fixture *fx, const char *path, uint64_t offset)
{
    AUTO_FD fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t byte;
    assert_true(fd >= 0);
    assert_ok(file_pread_all(&fx->ctx, fd, &byte, 1, offset));
    byte ^= 0x10;
    assert_ok(file_pwrite_all(&fx->ctx, fd, &byte, 1, offset));
}

/* A copy of pack 1 in a folder of its own, as a crash at this moment would leave it, and an empty
 * index. */
static Fixture *crashed_copy(Fixture *fx)
{
    Fixture *copy = calloc(1, sizeof(*copy));
    assert_non_null(copy);
    ctx_init(&copy->ctx);
    copy->dir = scratch_dir(&copy->ctx);
    copy->config = (StoreConfig){ .dir = copy->dir };
    copy->index = store_index_mem_new();
    Buf pack = { 0 };
    assert_ok(file_make_dirs(&fx->ctx, text_printf(copy->ctx.arena, "%s/packs", copy->dir), 0700));
    assert_ok(file_read_path(&fx->ctx, pack_path(fx, 1), &pack));
    assert_ok(file_replace(&fx->ctx, pack_path(copy, 1), buf_bytes(&pack), 0600));
    buf_done(&pack);
    return copy;
}

static void open_copy(Fixture *copy)
{
    assert_ok(store_open(&copy->ctx, &copy->config, &copy->index, &copy->store));
}

static void free_copy(Fixture *copy)
{
    void *state = copy;
    fixture_teardown(&state);
}

/* What was synced survives whatever happens to the bytes after it; the rest is whole or gone. */
static void check_torn(Fixture *copy)
{
    open_copy(copy);
    assert_has_blobs(copy, 0, 20);
    for (uint64_t n = 20; n < 40; n++)
        has_blob(&copy->ctx, copy->store, n);
    put_blobs(copy, 20, 40);
    assert_has_blobs(copy, 0, 40);
    fixture_reopen(copy);
    assert_has_blobs(copy, 0, 40);
    free_copy(copy);
}

static void a_torn_end_is_cut_off(void **state)
{
    Fixture *fx = *state;
    put_blobs(fx, 0, 20);
    assert_ok(store_sync(&fx->ctx, fx->store));
    uint64_t synced = size_of(pack_path(fx, 1));
    put_blobs(fx, 20, 40);
    assert_ok(store_sync(&fx->ctx, fx->store));
    uint64_t size = size_of(pack_path(fx, 1)), seed = 11;
    static const uint8_t zeros[4096];
    for (int round = 0; round < 60; round++) {
        uint64_t at = synced + next_rand(&seed) % (size - synced);
        Fixture *copy = crashed_copy(fx);
        if (round % 3 == 0)
            assert_int_equal(truncate(pack_path(copy, 1), (off_t)at), 0);
        else if (round % 3 == 1)
            overwrite(copy, pack_path(copy, 1), at, bytes(zeros, sizeof(zeros)));
        else
            rot(copy, pack_path(copy, 1), at);
        check_torn(copy);
    }
}

static void rot_before_the_index_costs_one_blob(void **state)
{
    Fixture *fx = *state;
    put_blobs(fx, 0, 20);
    assert_ok(store_sync(&fx->ctx, fx->store));
    uint64_t size = size_of(pack_path(fx, 1)), seed = 12;
    for (int round = 0; round < 20; round++) {
        Fixture *copy = crashed_copy(fx);
        rot(copy, pack_path(copy, 1), 32 + next_rand(&seed) % (size - 32));
        open_copy(copy);
        int lost = 0;
        for (uint64_t n = 0; n < 20; n++)
            lost += !has_blob(&copy->ctx, copy->store, n);
        assert_int_equal(lost, 1);
        put_blobs(copy, 0, 20);
        assert_has_blobs(copy, 0, 20);
        free_copy(copy);
    }
}

/* A power cut right after a pack was made: its name is there, its header is not. */
static void an_empty_pack_is_used(void **state)
{
    Fixture *fx = *state;
    put_blobs(fx, 0, 1);
    assert_ok(store_sync(&fx->ctx, fx->store));
    for (off_t size = 0; size <= 40; size += 8) {
        Fixture *copy = crashed_copy(fx);
        assert_int_equal(truncate(pack_path(copy, 1), size), 0);
        open_copy(copy);
        put_blobs(copy, 0, 5);
        fixture_reopen_without_index(copy);
        assert_has_blobs(copy, 0, 5);
        free_copy(copy);
    }
}

/* --- sealed packs ----------------------------------------------------------------------------- */

static void fill_packs(Fixture *fx)
{
    fx->config.pack_bytes_max = 100 * KiB;
    fixture_reopen(fx);
    put_blobs(fx, 0, 100);
    fx->store = store_close(fx->store);
}

static void reopen_with_new_index(Fixture *fx)
{
    store_index_mem_free(&fx->index);
    fx->index = store_index_mem_new();
    assert_ok(store_open(&fx->ctx, &fx->config, &fx->index, &fx->store));
}

static void a_full_pack_without_index_is_sealed_again(void **state)
{
    Fixture *fx = *state;
    fill_packs(fx);
    const char *path = pack_path(fx, 1);
    Buf before = { 0 }, after = { 0 };
    assert_ok(file_read_path(&fx->ctx, path, &before));
    assert_int_equal(truncate(path, (off_t)before.size - 200), 0);
    reopen_with_new_index(fx);
    assert_has_blobs(fx, 0, 100);
    assert_ok(file_read_path(&fx->ctx, path, &after));
    assert_true(bytes_eq(buf_bytes(&before), buf_bytes(&after)));
    fx->store = store_close(fx->store);
    rot(fx, path, before.size - 200); /* in the index */
    reopen_with_new_index(fx);
    assert_has_blobs(fx, 0, 100);
    buf_done(&before);
    buf_done(&after);
}

static void rot_is_found_named_and_healed(void **state)
{
    Fixture *fx = *state;
    fill_packs(fx);
    rot(fx, pack_path(fx, 1), 32 + 56 + 100);
    assert_ok(store_open(&fx->ctx, &fx->config, &fx->index, &fx->store));
    Health health = scrub(fx);
    assert_int_equal(health.damaged, 1);
    assert_int_equal(health.good, 99);
    Hash first = blob_hash(0);
    assert_true(hash_eq(&health.last_damaged, &first));
    Buf out = { 0 };
    char hex[HASH_HEX_SIZE];
    assert_fails(store_get(&fx->ctx, fx->store, &first, &out), DATA_LOSS, hash_hex(&first, hex));
    assert_fails(store_get(&fx->ctx, fx->store, &first, &out), DATA_LOSS, "0000000001.pack");
    assert_int_equal(out.size, 0);
    buf_done(&out);
    assert_ok(store_forget(&fx->ctx, fx->store, &first, 1));
    assert_false(has_blob(&fx->ctx, fx->store, 0));
    put_blobs(fx, 0, 1);
    assert_has_blobs(fx, 0, 100);
    fixture_reopen(fx);
    assert_has_blobs(fx, 0, 100);
}

static void a_scrub_goes_on_without_the_index(void **state)
{
    Fixture *fx = *state;
    fill_packs(fx);
    const char *path = pack_path(fx, 1);
    rot(fx, path, size_of(path) - 100);
    rot(fx, path, 32 + 56 + 100);
    assert_ok(store_open(&fx->ctx, &fx->config, &fx->index, &fx->store));
    Health health = scrub(fx);
    assert_int_equal(health.good, 99);
    assert_int_equal(health.damaged,
                     3); /* the index, the first blob, and the index's bytes among the blobs */
    assert_true(hash_is_zero(&health.last_damaged));
}

/* --- what cannot be opened -------------------------------------------------------------------- */

static void missing_bytes_are_not_passed_over(void **state)
{
    Fixture *fx = *state;
    put_blobs(fx, 0, 20);
    fx->store = store_close(fx->store);
    const char *path = pack_path(fx, 1);
    uint64_t size = size_of(path);
    assert_int_equal(truncate(path, (off_t)size - 1), 0);
    assert_fails(store_open(&fx->ctx, &fx->config, &fx->index, &fx->store), DATA_LOSS,
                 "0000000001.pack");
    assert_int_equal(unlink(path), 0);
    assert_fails(store_open(&fx->ctx, &fx->config, &fx->index, &fx->store), DATA_LOSS,
                 "is missing");
}

static void a_missing_sealed_pack_is_named(void **state)
{
    Fixture *fx = *state;
    fill_packs(fx);
    assert_int_equal(unlink(pack_path(fx, 1)), 0);
    assert_ok(store_open(&fx->ctx, &fx->config, &fx->index, &fx->store));
    Buf out = { 0 };
    Hash hash = blob_hash(0);
    assert_fails(store_get(&fx->ctx, fx->store, &hash, &out), DATA_LOSS,
                 "0000000001.pack' is missing");
    buf_done(&out);
}

static void a_newer_pack_is_refused(void **state)
{
    Fixture *fx = *state;
    put_blobs(fx, 0, 1);
    fx->store = store_close(fx->store);
    uint8_t header[32] = "PCVPACK\0\2\0\0\0\0\0\0\0\1";
    Hash check = hash_of(bytes(header, 24));
    memcpy(header + 24, check.bytes, 8);
    overwrite(fx, pack_path(fx, 1), 0, bytes(header, sizeof(header)));
    assert_fails(store_open(&fx->ctx, &fx->config, &fx->index, &fx->store), FAILED_PRECONDITION,
                 "newer version");
}

static void other_files_are_left_alone(void **state)
{
    Fixture *fx = *state;
    static const char *const names[] = { "1.pack", "0000000000.pack", "0000000007.pack.tmp",
                                         "-000000001.pack" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_ok(file_replace(&fx->ctx,
                               text_printf(fx->ctx.arena, "%s/packs/%s", fx->dir, names[i]),
                               str_bytes(STR("?")), 0600));
    put_blobs(fx, 0, 3);
    fixture_reopen_without_index(fx);
    assert_has_blobs(fx, 0, 3);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(size_of(text_printf(fx->ctx.arena, "%s/packs/%s", fx->dir, names[i])), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        TEST(a_torn_end_is_cut_off),
        TEST(rot_before_the_index_costs_one_blob),
        TEST(an_empty_pack_is_used),
        TEST(a_full_pack_without_index_is_sealed_again),
        TEST(rot_is_found_named_and_healed),
        TEST(a_scrub_goes_on_without_the_index),
        TEST(missing_bytes_are_not_passed_over),
        TEST(a_missing_sealed_pack_is_named),
        TEST(a_newer_pack_is_refused),
        TEST(other_files_are_left_alone),
    };
    log_set_level(LOG_LEVEL_OFF); /* warnings are what it is all about */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
