/* The bytes of a pack: frozen, told from others, and read back. */
#include "store/format.h"

#include "fixture.h"

static const PackRecord sample = {
    .hash.bytes = { 1, 2, 3, 4 }, .stored_size = 5, .plain_size = 9, .is_zstd = true
};

/* A later version must still read these. */
static void headers_are_frozen(void **state)
{
    (void)state;
    uint8_t record[PACK_RECORD_SIZE], header[PACK_HEADER_SIZE];
    char hex[2 * PACK_RECORD_SIZE + 1];
    pack_record_encode(&sample, record);
    hex_encode(record, sizeof(record), hex);
    assert_string_equal(hex, "505652310100000005000000090000000102030400000000000000000000000000000"
                             "000000000000000000000000000ef3047e28b14d0a4");
    pack_header_encode(7, header);
    hex_encode(header, sizeof(header), hex);
    assert_string_equal(hex, "5043565041434b0001000000000000000700000000000000e8f0711bdb843400");
}

static void the_index_is_frozen(void **state)
{
    (void)state;
    Buf out = { 0 };
    char hex[HASH_HEX_SIZE];
    BlobRow rows[] = { { { { 2 } }, { 3, 32, 10, 20 } }, { { { 1 } }, { 3, 98, 30, 30 } } };
    pack_index_encode(3, 184, rows, ARRAY_LEN(rows), &out);
    assert_int_equal(out.size, 2 * PACK_ENTRY_SIZE + PACK_FOOTER_SIZE);
    Hash hash = hash_of(buf_bytes(&out));
    assert_string_equal(hash_hex(&hash, hex),
                        "b4eec58459bcdd00e72a4a151d36300622b1a1fc66e86788c315a87273a8e015");
    buf_done(&out);
}

static void each_bit_of_a_header_counts(void **state)
{
    (void)state;
    uint8_t record[PACK_RECORD_SIZE], header[PACK_HEADER_SIZE];
    PackRecord back;
    pack_record_encode(&sample, record);
    assert_true(pack_record_decode(record, &back));
    assert_memory_equal(back.hash.bytes, sample.hash.bytes, HASH_SIZE);
    assert_int_equal(back.stored_size, 5);
    assert_int_equal(back.plain_size, 9);
    assert_true(back.is_zstd);
    for (size_t bit = 0; bit < 8 * sizeof(record); bit++) {
        record[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(pack_record_decode(record, &back));
        record[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    pack_header_encode(7, header);
    assert_int_equal(pack_header_check(header, 7), PACK_HEADER_GOOD);
    assert_int_equal(pack_header_check(header, 8), PACK_HEADER_BAD);
    for (size_t bit = 0; bit < 8 * sizeof(header); bit++) {
        header[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(pack_header_check(header, 7), PACK_HEADER_BAD);
        header[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

/* Headers whose check is right, but which cannot be. */
static void nonsense_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        PackRecord record;
    } cases[] = {
        { "raw, of two sizes", { .stored_size = 1, .plain_size = 2 } },
        { "zstd, no smaller", { .stored_size = 2, .plain_size = 2, .is_zstd = true } },
        { "too large", { .stored_size = 4 * MiB + 1, .plain_size = 4 * MiB + 1 } },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].label);
        uint8_t record[PACK_RECORD_SIZE];
        PackRecord back;
        pack_record_encode(&cases[i].record, record);
        assert_false(pack_record_decode(record, &back));
    }
}

static void an_index_comes_back_sorted(void **state)
{
    Fixture *fx = *state;
    enum { N = 100 };
    BlobRow rows[N], *back;
    Buf out = { 0 };
    for (uint32_t i = 0; i < N; i++)
        rows[i] = (BlobRow){ blob_hash(i), { 3, 32 + 100 * i, 44, 44 } };
    pack_index_encode(3, 32 + 100 * N, rows, N, &out);
    PackFooter footer;
    const uint8_t *tail = out.data + out.size - PACK_FOOTER_SIZE;
    uint64_t file_size = 32 + 100 * N + out.size;
    assert_true(pack_footer_decode(tail, file_size, &footer));
    assert_false(pack_footer_decode(tail, file_size - 1, &footer));
    assert_true(pack_footer_decode(tail, file_size, &footer));
    Bytes entries = bytes(out.data, N * PACK_ENTRY_SIZE);
    assert_ok(pack_index_decode(&fx->ctx, &footer, entries, &back));
    for (size_t i = 0; i < N; i++) {
        assert_memory_equal(&back[i], &rows[i], sizeof(rows[i]));
        assert_true(i == 0 || hash_cmp(&back[i - 1].hash, &back[i].hash) < 0);
    }
    out.data[77] ^= 1;
    assert_fails(pack_index_decode(&fx->ctx, &footer, entries, &back), DATA_LOSS, "checksum");
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_frozen),
        cmocka_unit_test(the_index_is_frozen),
        cmocka_unit_test(each_bit_of_a_header_counts),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test_setup_teardown(an_index_comes_back_sorted, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
