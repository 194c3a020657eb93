/* test_hash.c - names of blobs: known values, text and back, streaming equals one-shot. */
#include "testing.h"

#include "chunk/chunk.h"

/* FIPS 180-2's examples. */
static void known_values(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hex;
    } cases[] = {
        { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"                                                             },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char hex[HASH_HEX_SIZE];
        Hash hash = hash_of(str_bytes(str(cases[i].text)));
        assert_string_equal(hash_hex(&hash, hex), cases[i].hex);
    }
}

static void text_and_back(void **state)
{
    (void)state;
    char hex[HASH_HEX_SIZE];
    Hash hash = hash_of(str_bytes(STR("x"))), parsed;
    assert_true(hash_parse(str(hash_hex(&hash, hex)), &parsed));
    assert_true(hash_eq(&hash, &parsed));
    assert_false(hash_parse(str_sub(str(hex), 0, 63), &parsed));
    hex[10] = 'g';
    assert_false(hash_parse(str(hex), &parsed));
    assert_true(hash_eq(&hash, &parsed)); /* untouched when it fails */
}

static void order_and_zero(void **state)
{
    (void)state;
    Hash zero = { { 0 } }, one = { { [31] = 1 } }, big = { { [0] = 1 } };
    assert_true(hash_is_zero(&zero));
    assert_false(hash_is_zero(&one));
    assert_true(hash_cmp(&zero, &one) < 0 && hash_cmp(&one, &big) < 0 && hash_cmp(&big, &big) == 0);
}

static void streaming_equals_one_shot(void **state)
{
    (void)state;
    uint64_t seed = 7;
    uint8_t data[1000];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)next_rand(&seed);
    CLEANUP(hasher_freep) Hasher *hasher = hasher_new();
    for (int round = 0; round < 20; round++) { /* a finished hasher starts anew */
        for (size_t at = 0, n; at < sizeof(data); at += n) {
            n = 1 + next_rand(&seed) % 200;
            n = MIN(n, sizeof(data) - at);
            hasher_add(hasher, bytes(data + at, n));
        }
        Hash streamed = hasher_finish(hasher), whole = hash_of(bytes(data, sizeof(data)));
        assert_true(hash_eq(&streamed, &whole));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(text_and_back),
        cmocka_unit_test(order_and_zero),
        cmocka_unit_test(streaming_equals_one_shot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
