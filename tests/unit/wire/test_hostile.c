/* test_hostile.c - peers that mean harm: each is dropped or held to a bound, and the others are
 * served on. */
#include "testing.h"

#include <nghttp2/nghttp2.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo.h"
#include "wire/address_priv.h"

typedef struct Fixture {
    Ctx ctx;
    WireServer *server;
    int fd;
} Fixture;

static int setup(void **state)
{
    Fixture *fx = *state = calloc(1, sizeof(*fx));
    ctx_init(&fx->ctx);
    const WireConfig config = { .listen = "127.0.0.1:0", .handle = echo_handle };
    assert_ok(wire_server_start(&fx->ctx, &config, &fx->server));
    assert_ok(address_connect(&fx->ctx, wire_server_address(fx->server), &fx->fd));
    fcntl(fx->fd, F_SETFL, 0);
    return 0;
}

static int teardown(void **state)
{
    Fixture *fx = *state;
    fd_closep(&fx->fd);
    wire_server_stop(fx->server, 0);
    ctx_done(&fx->ctx);
    free(fx);
    return 0;
}

static void add_frame(Buf *out, uint8_t type, uint8_t flags, uint32_t stream, Bytes payload)
{
    uint8_t head[9] = { (uint8_t)(payload.size >> 16), (uint8_t)(payload.size >> 8),
                        (uint8_t)payload.size, type, flags };
    store_be32(head + 5, stream);
    buf_add(out, head, sizeof(head));
    buf_add_bytes(out, payload);
}

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, CONTINUATION = 9 };
enum { END_STREAM = 1, END_HEADERS = 4 };

/* POST http /echo.Echo/Each, its HPACK without any table. */
#define REQUEST                                                                                    \
    STR("\x83\x86\x04\x0f/echo.Echo/Each\x01\x01h\x0f\x10\x10"                                     \
        "application/grpc")

static void add_preface(Buf *out)
{
    buf_add_str(out, STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    add_frame(out, SETTINGS, 0, 0, (Bytes){ 0 });
}

/* Sends; false once the server has closed. */
static bool say(Fixture *fx, Buf *buf)
{
    bool open = true;
    for (size_t at = 0; at < buf->size && open;) {
        ssize_t n = send(fx->fd, buf->data + at, buf->size - at, MSG_NOSIGNAL);
        open = n > 0;
        at += open ? (size_t)n : 0;
    }
    buf_clear(buf);
    return open;
}

/* Reads until the server closes. */
static void hear_close(Fixture *fx)
{
    char data[4096];
    while (recv(fx->fd, data, sizeof(data), 0) > 0)
        continue;
}

static void others_are_served(Fixture *fx)
{
    CLEANUP(wire_client_closep) WireClient *client = NULL;
    CLEANUP(buf_done) Buf answer = { 0 };
    assert_ok(wire_client_open(&fx->ctx, wire_server_address(fx->server), &client));
    assert_ok(
        wire_call_unary(&fx->ctx, client, "/echo.Echo/Each", str_bytes(STR("hello")), &answer));
    assert_int_equal(answer.size, 5);
}

static void one_honest_call_is_answered(void **state)
{
    Fixture *fx = *state;
    CLEANUP(buf_done) Buf out = { 0 };
    CLEANUP(buf_done) Buf in = { 0 };
    add_preface(&out);
    add_frame(&out, HEADERS, END_HEADERS, 1, str_bytes(REQUEST));
    add_frame(&out, DATA, END_STREAM, 1, bytes("\0\0\0\0\5hello", 10));
    assert_true(say(fx, &out));
    while (!in.size || !memmem(in.data, in.size, "\0\0\0\0\5hello", 10)) {
        buf_reserve(&in, 4096);
        ssize_t n = recv(fx->fd, in.data + in.size, 4096, 0);
        assert_true(n > 0);
        in.size += (size_t)n;
    }
}

/* CVE-2023-44487: streams opened and reset as fast as can be. */
static void rapid_resets_end_the_connection(void **state)
{
    Fixture *fx = *state;
    CLEANUP(buf_done) Buf out = { 0 };
    bool open = true;
    add_preface(&out);
    for (uint32_t id = 1; id < 200000 && open; id += 2) {
        add_frame(&out, HEADERS, END_HEADERS, id, str_bytes(REQUEST));
        add_frame(&out, RST_STREAM, 0, id, bytes("\0\0\0\x08", 4));
        if (out.size > 16384)
            open = say(fx, &out);
    }
    if (open)
        hear_close(fx);
    others_are_served(fx);
}

/* Questions whose answers are never read. */
static void pings_that_are_not_heard_end_the_connection(void **state)
{
    Fixture *fx = *state;
    CLEANUP(buf_done) Buf out = { 0 };
    add_preface(&out);
    bool open = true;
    size_t sent = 0;
    for (; open && sent < 1 * GiB; sent += 17 * 1000) {
        for (int i = 0; i < 1000; i++)
            add_frame(&out, PING, 0, 0, bytes("12345678", 8));
        open = say(fx, &out);
    }
    assert_false(open);
    others_are_served(fx);
}

/* CVE-2024-28182: a header block that never ends. */
static void endless_headers_end_the_connection(void **state)
{
    Fixture *fx = *state;
    CLEANUP(buf_done) Buf out = { 0 };
    add_preface(&out);
    add_frame(&out, HEADERS, 0, 1, str_bytes(REQUEST));
    bool open = true;
    for (int i = 0; i < 100000 && open; i++) {
        add_frame(&out, CONTINUATION, 0, 1, str_bytes(STR("\0\1a\1b")));
        if (out.size > 16384)
            open = say(fx, &out);
    }
    if (open)
        hear_close(fx);
    others_are_served(fx);
}

static void hear_bytes(Fixture *fx, void *out, size_t size)
{
    if (size)
        assert_int_equal(recv(fx->fd, out, size, MSG_WAITALL), size);
}

/* The payload of the next HEADERS frame. */
static void hear_headers(Fixture *fx, Buf *out)
{
    for (uint8_t head[9] = { 0xff }; head[3] != HEADERS || head[0] == 0xff;) {
        hear_bytes(fx, head, sizeof(head));
        buf_clear(out);
        out->size = load_be32(head) >> 8;
        buf_reserve(out, 1);
        hear_bytes(fx, out->data, out->size);
    }
}

/* The value of a field of a header block; "" when it is not there. */
static char *find_field(Fixture *fx, const Buf *block, const char *name)
{
    nghttp2_hd_inflater *inflater;
    char *value = arena_strdup(fx->ctx.arena, "");
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    for (size_t at = 0; at < block->size;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t n =
            nghttp2_hd_inflate_hd2(inflater, &nv, &flags, block->data + at, block->size - at, 1);
        assert_true(n >= 0);
        at += (size_t)n;
        if (flags & NGHTTP2_HD_INFLATE_EMIT && str_eq_c((Str){ (char *)nv.name, nv.namelen }, name))
            value = arena_strndup(fx->ctx.arena, (char *)nv.value, nv.valuelen);
    }
    nghttp2_hd_inflate_del(inflater);
    return value;
}

/* Headers over the limit refuse the call, and only that. */
static void large_headers_refuse_the_call(void **state)
{
    Fixture *fx = *state;
    CLEANUP(buf_done) Buf out = { 0 };
    CLEANUP(buf_done) Buf block = { 0 };
    add_preface(&out);
    buf_add_str(&block, REQUEST);
    for (int i = 0; i < 100; i++) {
        enum { VALUE_BYTES = 1008 };
        buf_add_str(&block, STR("\0\1a\x7f\xf1\x06")); /* 127 + 113 + 6 * 128 bytes of value */
        buf_reserve(&block, VALUE_BYTES);
        memset(block.data + block.size, 'v', VALUE_BYTES);
        block.size += VALUE_BYTES;
    }
    for (uint32_t id = 1; id < 5; id += 2) {
        add_frame(&out, HEADERS, 0, id, bytes(block.data, 16000));
        for (size_t at = 16000; at < block.size; at += 16000) {
            size_t size = MIN(block.size - at, (size_t)16000);
            add_frame(&out, CONTINUATION, at + size == block.size ? END_HEADERS : 0, id,
                      bytes(block.data + at, size));
        }
        add_frame(&out, DATA, END_STREAM, id, (Bytes){ 0 });
    }
    assert_true(say(fx, &out));
    CLEANUP(buf_done) Buf answer = { 0 };
    hear_headers(fx, &answer);
    assert_string_equal(find_field(fx, &answer, "grpc-status"), "8");
    assert_non_null(strstr(find_field(fx, &answer, "grpc-message"),
                           "request headers are larger than 65536 bytes"));
    hear_headers(fx, &answer); /* the connection goes on; the table of headers has gone on, too */
    others_are_served(fx);
}

static void random_bytes_do_no_harm(void **state)
{
    Fixture *fx = *state;
    uint64_t seed = 77;
    for (int round = 0; round < 100; round++) {
        CLEANUP(buf_done) Buf out = { 0 };
        AUTO_FD fd = -1;
        assert_ok(address_connect(&fx->ctx, wire_server_address(fx->server), &fd));
        if (round % 2)
            add_preface(&out);
        for (uint64_t n = next_rand(&seed) % 3000; n; n--)
            buf_add_u8(&out, (uint8_t)next_rand(&seed));
        (void)!send(fd, out.data, out.size, MSG_NOSIGNAL);
    }
    others_are_served(fx);
}

int main(void)
{
#define ON(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        ON(one_honest_call_is_answered),
        ON(rapid_resets_end_the_connection),
        ON(pings_that_are_not_heard_end_the_connection),
        ON(endless_headers_end_the_connection),
        ON(large_headers_refuse_the_call),
        ON(random_bytes_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
