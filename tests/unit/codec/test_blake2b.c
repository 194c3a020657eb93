/* BLAKE2b-256 gives what others' implementations give, around the borders of its blocks. */
#include "testing.h"

#include "codec/blake2b.h"

/* The first `size` bytes of 0, 1, 2 … 250, 0, 1 … */
static void known_answers(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        const char *hex;
    } cases[] = {
        { 0, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8" },
        { 1, "03170a2e7597b7b7e3d84c05391d139a62b157e78786d8c082f29dcf4c111314" },
        { 64, "10d8e6d534b00939843fe9dcc4dae48cdf008f6b8b2b82b156f5404d874887f5" },
        { 127, "f2fe67ff342e21b8f45e8f2e0bcd1d9243245d50ee6c78042e9c491388791c72" },
        { 128, "c3582f71ebb2be66fa5dd750f80baae97554f3b015663c8be377cfcb2488c1d1" },
        { 129, "f7f3c46ba2564ff4c4c162da1f5b605f9f1c4aa6a20652a9f9a337c1a2f5b9c9" },
        { 255, "d9ef0fc521b4266d16df662bec231bc2ec3989e7adeaf63169c295dc239dbbea" },
        { 256, "582f782226018ec33076bd8d1c42413530ac7e1126260ffc0f306ba3befc3f24" },
        { 257, "227e15ed64ee8e93eb7bc53828f76eed974f2c4ab1408c3d08f212b7f8d69904" },
        { 1000, "b372d0608f720c8c3dd41e9c8eecb10143b41abe520b616607e754bf79c08331" },
    };
    uint8_t data[1000], out[BLAKE2B_256_SIZE];
    char hex[2 * BLAKE2B_256_SIZE + 1];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i % 251);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%zu bytes", cases[i].size);
        blake2b_256(bytes(data, cases[i].size), out);
        hex_encode(out, sizeof(out), hex);
        hex[2 * BLAKE2B_256_SIZE] = '\0';
        assert_string_equal(hex, cases[i].hex);
    }
    blake2b_256(bytes(NULL, 0), out);
    hex_encode(out, sizeof(out), hex);
    assert_string_equal(hex, cases[0].hex);
}

static void pieces_are_one(void **state)
{
    (void)state;
    uint8_t data[1000], whole[BLAKE2B_256_SIZE], out[BLAKE2B_256_SIZE];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i % 251);
    for (size_t size = 0; size < sizeof(data); size += 31) {
        blake2b_256(bytes(data, size), whole);
        for (size_t step = 1; step < 300; step += 63) {
            Blake2b b;
            blake2b_begin(&b);
            for (size_t at = 0; at < size; at += step)
                blake2b_add(&b, bytes(data + at, MIN(step, size - at)));
            blake2b_end(&b, out);
            assert_memory_equal(out, whole, sizeof(out));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(known_answers),
                                        cmocka_unit_test(pieces_are_one) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
