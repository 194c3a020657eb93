/* test_digest.c - checksums of "123456789", as their definitions have them, cut in all ways; and
 * chunked bodies. */
#include "testing.h"

#include "s3/chunks.h"
#include "s3/digest.h"

static void checksums_are_those_published(void **state)
{
    (void)state;
    static const struct {
        const char *name, *wanted;
    } cases[] = {
        { "crc32", "cbf43926" },
        { "crc32c", "e3069283" },
        { "crc64nvme", "ae8b14860a799888" },
        { "md5", "25f9e794323b453885f5181f1b624d0b" },
        { "sha1", "f7c3bc1d808e04732adf679965ccc34ca7ae3441" },
        { "sha256", "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225" },
    };
    static const uint8_t text[] = "123456789";
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        DigestKind kind;
        uint8_t out[DIGEST_BYTES_MAX];
        char hex[2 * DIGEST_BYTES_MAX + 1];
        assert_true(digest_kind_of(str(cases[i].name), &kind));
        Digest *digest = digest_new(kind);
        for (size_t cut = 0; cut <= 9; cut++) {
            digest_add(digest, bytes(text, cut));
            digest_add(digest, bytes(text + cut, 9 - cut));
            digest_finish(digest, out);
            hex_encode(out, digest_size(kind), hex);
            assert_string_equal(hex, cases[i].wanted);
        }
        digest_free(digest);
    }
    DigestKind kind;
    assert_false(digest_kind_of(STR("crc16"), &kind));
    assert_false(digest_kind_of(STR(""), &kind));
}

#define SIGNATURE "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"

static void chunks_come_apart(void **state)
{
    (void)state;
    static const char text[] = "5;chunk-signature=" SIGNATURE "\r\nhello\r\n0\r\n"
                               "X-Amz-Checksum-CRC32: NhCmhg== \r\n"
                               "x-amz-trailer-signature:" SIGNATURE "\r\n\r\n";
    static const ChunksEvent wanted[] = { CHUNKS_DATA, CHUNKS_CHUNK, CHUNKS_CHUNK, CHUNKS_OVER };
    CLEANUP(chunks_done) Chunks chunks = { 0 };
    CLEANUP(arena_freep) Arena *arena = arena_new(0);
    Bytes in = bytes(text, sizeof(text) - 1), data;
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        assert_int_equal(chunks_next(&chunks, &in, &data), wanted[i]);
        assert_string_equal(chunks.signature, i < 2 ? SIGNATURE : "");
    }
    assert_int_equal(in.size, 0);
    assert_string_equal(chunks.trailer_signature, SIGNATURE);
    assert_true(str_eq_c(buf_str(&chunks.trailers), "x-amz-checksum-crc32:NhCmhg==\n"));
    assert_string_equal(chunks_trailer(&chunks, arena, "x-amz-checksum-crc32"), "NhCmhg==");
    assert_null(chunks_trailer(&chunks, arena, "x-amz"));
}

static void bad_chunks_are_told(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "\r\n",
        ";x\r\n",
        "g\r\n",
        "1;x=y\r\na\r\n",
        "1\r\nab\r\n",
        "1\r\na\n",
        "1\n",
        "0\r\nx\r\n",
        "0\r\n:y\r\n",
        "1111111111111111\r\n",
        "0\r\n\r\nx",
        "1;chunk-signature=00\r\n",
        "0\r\nx-amz-trailer-signature:z\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(chunks_done) Chunks chunks = { 0 };
        Bytes in = str_bytes(str(cases[i])), data;
        ChunksEvent event = CHUNKS_MORE;
        say_case("%s", cases[i]);
        while (in.size && event != CHUNKS_BAD)
            event = chunks_next(&chunks, &in, &data);
        assert_int_equal(event, CHUNKS_BAD);
        assert_int_equal(chunks_next(&chunks, &in, &data), CHUNKS_BAD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums_are_those_published),
        cmocka_unit_test(chunks_come_apart),
        cmocka_unit_test(bad_chunks_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
