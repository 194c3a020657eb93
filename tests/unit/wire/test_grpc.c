/* test_grpc.c - the pure parts: timeouts, metadata, statuses as trailers, messages out of
 * pieces. */
#include "testing.h"

#include <zlib.h>

#include "wire/grpc_priv.h"
#include "wire/in_priv.h"
#include "wire/wire.h"

static int setup(void **state)
{
    Ctx *ctx = *state = calloc(1, sizeof(*ctx));
    ctx_init(ctx);
    return 0;
}

static int teardown(void **state)
{
    ctx_done(*state);
    free(*state);
    return 0;
}

static void timeouts_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns; /* -1: malformed */
    } cases[] = {
        { "1n", 1 },
        { "5u", 5000 },
        { "20m", 20 * NS_PER_MS },
        { "0S", 0 },
        { "1M", 60 * NS_PER_SEC },
        { "99999999S", 99999999 * NS_PER_SEC },
        { "99999999H", INT64_MAX },
        { "", -1 },
        { "S", -1 },
        { "1", -1 },
        { "1x", -1 },
        { "-1S", -1 },
        { "123456789S", -1 },
        { "1 S", -1 },
        { "1.5S", -1 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ns = -1;
        say_case("'%s'", cases[i].text);
        assert_int_equal(grpc_timeout_parse(str(cases[i].text), &ns), cases[i].ns >= 0);
        if (cases[i].ns >= 0)
            assert_int_equal(ns, cases[i].ns);
    }
}

static void timeouts_come_back_no_shorter(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (int i = 0; i < 1000; i++) {
        int64_t ns = (int64_t)(next_rand(&seed) >> (1 + next_rand(&seed) % 62)), back;
        char text[GRPC_TIMEOUT_SIZE];
        grpc_timeout_format(ns, text);
        assert_true(grpc_timeout_parse(str(text), &back));
        assert_true(back >= ns && back - ns <= ns / 99999 + 1);
    }
}

static void statuses_come_back(void **state)
{
    Ctx *ctx = *state;
    static const char *const messages[] = {
        "", "plain", " blanks ", "100% \x01\n\t", "ä€😀", "%41"
    };
    for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
        Fields trailers = { 0 };
        Status s = status_new(ctx, STATUS_ABORTED, "%s", messages[i]);
        s = status_with_any(ctx, s, "type.googleapis.com/a.B", bytes("\0\xff", 2));
        grpc_trailers_add(ctx->arena, &trailers, s);
        Status back = grpc_trailers_status(ctx, &trailers, 200);
        assert_int_equal(back.code, STATUS_ABORTED);
        assert_string_equal(status_message(back), messages[i]);
        assert_string_equal(back.detail->any->type_url, "type.googleapis.com/a.B");
        assert_true(bytes_eq(back.detail->any->value, bytes("\0\xff", 2)));
    }
}

/* Clients refuse large trailers: a long message is cut between characters, and its details are left
 * out. */
static void long_messages_are_cut(void **state)
{
    Ctx *ctx = *state;
    Fields trailers = { 0 };
    char *text = arena_must(ctx->arena, 20002);
    for (size_t i = 0; i < 20000; i += 2)
        memcpy(text + i, "ä", 2);
    Status s = status_with_any(ctx, status_new(ctx, STATUS_UNKNOWN, "%s", text), "x", (Bytes){ 0 });
    grpc_trailers_add(ctx->arena, &trailers, s);
    assert_true(trailers.size < 8 * KiB);
    Status back = grpc_trailers_status(ctx, &trailers, 200);
    assert_true(text_is_utf8(str(status_message(back))));
    assert_int_equal(strncmp(status_message(back), text, strlen(status_message(back))), 0);
    assert_true(strlen(status_message(back)) > 2000);
    assert_null(back.detail->any);

    Fields blank_at_cut = { 0 };
    memset(text, 'x', 20000);
    memset(text + GRPC_TRAILERS_BYTES_MAX - 3, ' ', 3);
    grpc_trailers_add(ctx->arena, &blank_at_cut, status_new(ctx, STATUS_UNKNOWN, "%s", text));
    const char *message = fields_get(&blank_at_cut, "grpc-message", 0);
    assert_int_equal(strlen(message), GRPC_TRAILERS_BYTES_MAX - 3);
}

static void without_a_status_http_counts(void **state)
{
    Ctx *ctx = *state;
    static const struct {
        int http;
        StatusCode code;
    } cases[] = { { 404, STATUS_UNIMPLEMENTED },
                  { 503, STATUS_UNAVAILABLE },
                  { 401, STATUS_UNAUTHENTICATED },
                  { 200, STATUS_UNKNOWN } };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(grpc_trailers_status(ctx, &(Fields){ 0 }, cases[i].http).code,
                         cases[i].code);
}

static void binary_metadata_is_split_and_decoded(void **state)
{
    Ctx *ctx = *state;
    Fields fields = { 0 };
    assert_true(fields_add_metadata(ctx, &fields, STR("a-bin"), STR("YQ==,YmI,")));
    assert_string_equal(fields_get(&fields, "a-bin", 0), "a");
    assert_string_equal(fields_get(&fields, "a-bin", 1), "bb");
    assert_string_equal(fields_get(&fields, "a-bin", 2), "");
    assert_null(fields_get(&fields, "a-bin", 3));
    assert_false(fields_add_metadata(ctx, &fields, STR("a-bin"), STR("!")));
    assert_true(fields_add_metadata(ctx, &fields, STR("plain"), STR("a,b")));
    assert_string_equal(fields_get(&fields, "plain", 0), "a,b");
}

static void add_frame(Buf *out, uint8_t flags, Bytes payload)
{
    uint8_t head[MESSAGE_HEAD_BYTES];
    message_head(head, payload.size);
    head[0] = flags;
    buf_add(out, head, sizeof(head));
    buf_add_bytes(out, payload);
}

static Buf frames(Ctx *ctx, const size_t *sizes, size_t n)
{
    Buf wire = { 0 };
    for (size_t i = 0; i < n; i++) {
        uint8_t *data = arena_must(ctx->arena, sizes[i] + 1);
        memset(data, (int)i + 1, sizes[i]);
        add_frame(&wire, 0, bytes(data, sizes[i]));
    }
    return wire;
}

static void expect_messages(Ctx *ctx, InQueue *queue, const size_t *sizes, size_t n)
{
    CLEANUP(buf_done) Buf buf = { 0 };
    size_t credit = 0, at = 0, total = 0;
    for (InBlock *block; (block = in_queue_pop(queue)); in_block_free(block)) {
        credit += block->credit;
        for (bool empty = false; !empty; at++) {
            assert_true(at < n);
            assert_ok(in_block_take(ctx, block, &buf, &empty));
            assert_int_equal(buf.size, sizes[at]);
            for (size_t i = 0; i < buf.size; i++)
                assert_int_equal(buf.data[i], at + 1);
            total += MESSAGE_HEAD_BYTES + buf.size;
        }
    }
    assert_int_equal(at, n);
    assert_int_equal(credit, total); /* the whole window is given back, and no more */
}

/* However the bytes are cut, the same messages come out. */
static void messages_come_whole_from_any_pieces(void **state)
{
    Ctx *ctx = *state;
    static const size_t sizes[] = { 0, 1, 100, 0, 8192, 8193, 3, 70000, 2, 0 };
    static const size_t pieces[] = { 1, 2, 4, 5, 6, 7, 100, 4096, 16384, 1 << 20 };
    CLEANUP(buf_done) Buf wire = frames(ctx, sizes, ARRAY_LEN(sizes));
    for (size_t p = 0; p < ARRAY_LEN(pieces); p++) {
        MessageReader reader = { 0 };
        InQueue queue = { 0 };
        for (size_t at = 0; at < wire.size; at += pieces[p])
            message_reader_feed(&reader, bytes(wire.data + at, MIN(pieces[p], wire.size - at)),
                                &queue);
        message_reader_end(&reader);
        assert_int_equal(reader.fault, IN_FAULT_NONE);
        expect_messages(ctx, &queue, sizes, ARRAY_LEN(sizes));
        message_reader_done(&reader);
    }
}

static void bad_frames_are_faults(void **state)
{
    Ctx *ctx = *state;
    static const struct {
        const char *wire;
        size_t size;
        bool gzip;
        StatusCode code;
        const char *text;
    } cases[] = {
        { "\2\0\0\0\0", 5, true, STATUS_INTERNAL, "flags" },
        { "\1\0\0\0\0", 5, false, STATUS_INTERNAL, "without grpc-encoding" },
        { "\0\1\100\0\1", 5, false, STATUS_RESOURCE_EXHAUSTED,
          "larger than max (20971521 vs. 20971520)" },
        { "\0\377\377\377\377", 5, false, STATUS_RESOURCE_EXHAUSTED, "larger" },
        { "\0\0\0\0\5abc", 8, false, STATUS_INTERNAL, "inside a message" },
        { "\0\0", 2, false, STATUS_INTERNAL, "inside a message" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        MessageReader reader = { .gzip = cases[i].gzip };
        InQueue queue = { 0 };
        message_reader_feed(&reader, bytes(cases[i].wire, cases[i].size), &queue);
        message_reader_end(&reader);
        Status s = message_fault_status(ctx, reader.fault, reader.size);
        assert_int_equal(s.code, cases[i].code);
        assert_non_null(strstr(status_message(s), cases[i].text));
        in_queue_done(&queue);
        message_reader_done(&reader);
    }
}

static Buf gzip(Bytes data)
{
    Buf out = { 0 };
    buf_reserve(&out, data.size + 1000);
    z_stream z = { .next_out = out.data, .avail_out = (uInt)out.capacity };
    uint8_t *in = malloc(data.size + 1);
    memcpy(in, data.data, data.size);
    z.next_in = in;
    z.avail_in = (uInt)data.size;
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out.size = out.capacity - z.avail_out;
    deflateEnd(&z);
    free(in);
    return out;
}

static Status take_gzip(Ctx *ctx, Bytes payload, Buf *out)
{
    MessageReader reader = { .gzip = true };
    InQueue queue = { 0 };
    CLEANUP(buf_done) Buf wire = { 0 };
    add_frame(&wire, 1, payload);
    message_reader_feed(&reader, buf_bytes(&wire), &queue);
    InBlock *block = in_queue_pop(&queue);
    bool empty;
    Status s = in_block_take(ctx, block, out, &empty);
    in_block_free(block);
    message_reader_done(&reader);
    return s;
}

static void gzip_is_inflated(void **state)
{
    Ctx *ctx = *state;
    CLEANUP(buf_done) Buf out = { 0 };
    static const size_t sizes[] = { 0, 1, 70000, WIRE_MESSAGE_BYTES_MAX };
    uint8_t *data = arena_must(ctx->arena, WIRE_MESSAGE_BYTES_MAX + 1);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        CLEANUP(buf_done) Buf small = gzip(bytes(data, sizes[i]));
        assert_ok(take_gzip(ctx, buf_bytes(&small), &out));
        assert_true(bytes_eq(buf_bytes(&out), bytes(data, sizes[i])));
        small.size /= 2;
        assert_fails(take_gzip(ctx, buf_bytes(&small), &out), INTERNAL, "not valid gzip");
    }
    CLEANUP(buf_done) Buf bomb = gzip(bytes(data, WIRE_MESSAGE_BYTES_MAX + 1));
    assert_fails(take_gzip(ctx, buf_bytes(&bomb), &out), RESOURCE_EXHAUSTED, "after decompression");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timeouts_are_read),
        cmocka_unit_test(timeouts_come_back_no_shorter),
        cmocka_unit_test_setup_teardown(statuses_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(long_messages_are_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_status_http_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(binary_metadata_is_split_and_decoded, setup, teardown),
        cmocka_unit_test_setup_teardown(messages_come_whole_from_any_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_frames_are_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(gzip_is_inflated, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
