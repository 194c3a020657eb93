/* test_compress.c - round trips, what is not worth it, and damage. */
#include "testing.h"

#include "chunk/chunk.h"

typedef struct Fixture {
    Ctx ctx;
    Buf packed, plain;
    uint8_t *data;
} Fixture;

static int fixture_new(void **state)
{
    Fixture *fx = test_calloc(1, sizeof(*fx));
    ctx_init(&fx->ctx);
    fx->data = test_malloc(CHUNK_BYTES_MAX);
    *state = fx;
    return 0;
}

static int fixture_free(void **state)
{
    Fixture *fx = *state;
    ctx_done(&fx->ctx);
    buf_done(&fx->packed);
    buf_done(&fx->plain);
    test_free(fx->data);
    test_free(fx);
    return 0;
}

static void fill_text(uint8_t *data, size_t size, uint64_t seed)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)("0123456789,\n\"abc"[next_rand(&seed) % 16]);
}

static void fill_noise(uint8_t *data, size_t size, uint64_t seed)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(next_rand(&seed) >> 24);
}

static void text_comes_back(void **state)
{
    Fixture *fx = *state;
    static const size_t sizes[] = { 200, 5000, 70000, 1024 * 1024, CHUNK_BYTES_MAX };
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        fill_text(fx->data, sizes[i], i + 1);
        buf_clear(&fx->packed);
        buf_clear(&fx->plain);
        buf_add_str(&fx->packed, STR("head"));
        buf_add_str(&fx->plain, STR("head"));
        assert_true(chunk_compress(bytes(fx->data, sizes[i]), &fx->packed));
        assert_true(fx->packed.size - 4 <= sizes[i] - sizes[i] / 16);
        Bytes packed = bytes(fx->packed.data + 4, fx->packed.size - 4);
        assert_ok(chunk_decompress(&fx->ctx, packed, sizes[i], &fx->plain));
        assert_int_equal(fx->plain.size, sizes[i] + 4);
        assert_memory_equal(fx->plain.data, "head", 4);
        assert_memory_equal(fx->plain.data + 4, fx->data, sizes[i]);
    }
}

static void noise_is_left_alone(void **state)
{
    Fixture *fx = *state;
    static const size_t sizes[] = { 0, 1, 15, 16, 17, 1000, 100 * 1000, CHUNK_BYTES_MAX };
    fill_noise(fx->data, CHUNK_BYTES_MAX, 9);
    buf_add_str(&fx->packed, STR("head"));
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        assert_false(chunk_compress(bytes(fx->data, sizes[i]), &fx->packed));
        assert_int_equal(fx->packed.size, 4);
    }
}

static void damage_is_found(void **state)
{
    Fixture *fx = *state;
    size_t size = 10000;
    fill_text(fx->data, size, 3);
    assert_true(chunk_compress(bytes(fx->data, size), &fx->packed));
    Bytes packed = buf_bytes(&fx->packed), half = bytes(packed.data, packed.size / 2);
    assert_fails(chunk_decompress(&fx->ctx, packed, size + 1, &fx->plain), DATA_LOSS,
                 "not a zstd frame of 10001");
    assert_fails(chunk_decompress(&fx->ctx, half, size, &fx->plain), DATA_LOSS,
                 "could not decompress");
    assert_fails(chunk_decompress(&fx->ctx, bytes("", 0), size, &fx->plain), DATA_LOSS,
                 "not a zstd frame");
    assert_fails(chunk_decompress(&fx->ctx, packed, CHUNK_BYTES_MAX + 1, &fx->plain), DATA_LOSS,
                 "over the limit");
    assert_int_equal(fx->plain.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(text_comes_back, fixture_new, fixture_free),
        cmocka_unit_test_setup_teardown(noise_is_left_alone, fixture_new, fixture_free),
        cmocka_unit_test_setup_teardown(damage_is_found, fixture_new, fixture_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
