/* test_http.c - HTTP/1.1 on the server's port, spoken by hand, so that each byte is known. */
#include "testing.h"

#include <netinet/in.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "wire/address_priv.h"
#include "wire/http.h"
#include "wire/wire.h"

typedef struct Fixture {
    Ctx ctx;
    WireServer *server;
    Buf got;
    sem_t entered, leave;
    StatusCode result;
} Fixture;

static Status read_all(Ctx *ctx, WireHttp *http, Buf *out)
{
    for (size_t size = 1; size;) {
        buf_reserve(out, 1000);
        TRY(wire_http_read(ctx, http, out->data + out->size, 1000, &size));
        out->size += size;
    }
    return OK;
}

static Status echo(Ctx *ctx, WireHttp *http)
{
    CLEANUP(buf_done) Buf body = { 0 };
    TRY(read_all(ctx, http, &body));
    return wire_http_answer(ctx, http, 200, "text/plain", buf_bytes(&body));
}

/* The answer streams while the body is still read. */
static Status pipe_through(Ctx *ctx, WireHttp *http)
{
    uint8_t piece[5000];
    TRY(wire_http_respond(ctx, http, 200, -1));
    for (size_t size = 1; size;) {
        TRY(wire_http_read(ctx, http, piece, sizeof(piece), &size));
        TRY(wire_http_write(ctx, http, bytes(piece, size)));
    }
    return OK;
}

static Status about(Ctx *ctx, WireHttp *http)
{
    const char *name, *value;
    CLEANUP(buf_done) Buf text = { 0 };
    buf_printf(&text, "%s %s %s %lld\n", wire_http_method(http), wire_http_target(http),
               wire_http_host(http), (long long)wire_http_body_size(http));
    for (size_t i = 0; wire_http_header_at(http, i, &name, &value); i++)
        buf_printf(&text, "%s=%s\n", name, value);
    wire_http_set_header(http, "X-Two", "a\r\nb: c");
    return wire_http_answer(ctx, http, 200, NULL, buf_bytes(&text));
}

static Status half(Ctx *ctx, WireHttp *http)
{
    TRY(wire_http_respond(ctx, http, 200, 100));
    TRY(wire_http_write(ctx, http, str_bytes(STR("half"))));
    return FAIL(ctx, INTERNAL, "lost the rest");
}

static Status gated(Fixture *fx, Ctx *ctx, WireHttp *http)
{
    CLEANUP(buf_done) Buf body = { 0 };
    sem_post(&fx->entered);
    sem_wait(&fx->leave);
    Status s = read_all(ctx, http, &body);
    fx->result = s.code;
    sem_post(&fx->entered);
    TRY(s);
    return wire_http_answer(ctx, http, 200, NULL,
                            str_bytes(str(text_printf(ctx->arena, "%zu", body.size))));
}

static Status handle(void *self, Ctx *ctx, WireHttp *http)
{
    const char *target = wire_http_target(http);
    if (strcmp(target, "/echo") == 0)
        return echo(ctx, http);
    if (strcmp(target, "/pipe") == 0)
        return pipe_through(ctx, http);
    if (strncmp(target, "/about", 6) == 0)
        return about(ctx, http);
    if (strcmp(target, "/half") == 0)
        return half(ctx, http);
    if (strcmp(target, "/gated") == 0)
        return gated(self, ctx, http);
    if (strcmp(target, "/early") == 0)
        return wire_http_answer(ctx, http, 403, NULL, str_bytes(STR("no")));
    return strcmp(target, "/none") == 0 ? wire_http_answer(ctx, http, 204, NULL, (Bytes){ 0 })
                                        : FAIL(ctx, NOT_FOUND, "nothing at %s", target);
}

static Status no_grpc(void *self, Ctx *ctx, WireCall *call)
{
    (void)self;
    return FAIL(ctx, UNIMPLEMENTED, "unknown method %s", wire_call_path(call));
}

static int setup(void **state)
{
    Fixture *fx = calloc(1, sizeof(*fx));
    static WireHttpHandler handler = { .handle = handle };
    ctx_init(&fx->ctx);
    sem_init(&fx->entered, 0, 0);
    sem_init(&fx->leave, 0, 0);
    handler.self = fx;
    const WireConfig config = { .listen = "127.0.0.1:0", .handle = no_grpc, .http = &handler };
    assert_ok(wire_server_start(&fx->ctx, &config, &fx->server));
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fx = *state;
    sem_post(&fx->leave); /* a handler that a failed test left waiting */
    wire_server_stop(fx->server, 0);
    buf_done(&fx->got);
    ctx_done(&fx->ctx);
    free(fx);
    return 0;
}

static int dial(Fixture *fx)
{
    int fd;
    assert_ok(address_connect(&fx->ctx, wire_server_address(fx->server), &fd));
    fcntl(fd, F_SETFL, 0); /* blocking */
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until what came ends with `end`, or until the server closes when that is NULL. */
static const char *hear(Fixture *fx, int fd, const char *end)
{
    buf_clear(&fx->got);
    for (ssize_t n = 1; n > 0;) {
        buf_reserve(&fx->got, 4097);
        n = recv(fd, fx->got.data + fx->got.size, 4096, 0);
        fx->got.size += n > 0 ? (size_t)n : 0;
        fx->got.data[fx->got.size] = 0;
        if (end && str_ends(buf_str(&fx->got), str(end)))
            return (const char *)fx->got.data;
    }
    if (end)
        fail_msg("the server closed after: %s", fx->got.data);
    return (const char *)fx->got.data;
}

static void expect_text(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' lacks '%s'", text, part);
}

static void requests_follow_each_other(void **state)
{
    Fixture *fx = *state;
    int fd = dial(fx);
    say(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
    const char *text = hear(fx, fd, "hello");
    expect_text(text, "HTTP/1.1 200 OK\r\n");
    expect_text(text, "content-length: 5\r\n");
    expect_text(text, "date: ");
    say(fd, "\r\nPOST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
            "chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: x\r\n\r\n");
    hear(fx, fd, "abc0123456789");
    say(fd, "GET /none HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_null(strstr(hear(fx, fd, "\r\n\r\n"), "content-length"));
    say(fd, "HEAD /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    expect_text(hear(fx, fd, "\r\n\r\n"), "content-length: 0");
    say(fd, "GET /missing HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    text = hear(fx, fd, NULL);
    expect_text(text, "HTTP/1.1 404 Not Found\r\n");
    expect_text(text, "connection: close\r\n");
    expect_text(text, "\r\n\r\nnothing at /missing\n");
    close(fd);
}

static void requests_sent_ahead_are_answered_in_order(void **state)
{
    Fixture *fx = *state;
    int fd = dial(fx);
    say(fd,
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\noneGET /missing "
        "HTTP/1.1\r\nHost: h\r\n\r\n"
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nConnection: close\r\n\r\nthree");
    const char *text = hear(fx, fd, NULL);
    const char *one = strstr(text, "one"), *two = strstr(text, "nothing at"),
               *three = strstr(text, "three");
    assert_true(one && two && three && one < two && two < three);
    close(fd);
}

static void a_byte_at_a_time(void **state)
{
    Fixture *fx = *state;
    int fd = dial(fx);
    const char *text = "POST /pipe HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
                       "chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
    for (; *text; text++)
        assert_int_equal(send(fd, text, 1, MSG_NOSIGNAL), 1);
    const char *got = hear(fx, fd, "0\r\n\r\n");
    expect_text(got, "transfer-encoding: chunked\r\n");
    close(fd);
}

static void what_was_asked_is_told(void **state)
{
    Fixture *fx = *state;
    int fd = dial(fx);
    say(fd, "PUT http://other:80/about?a=b%20c HTTP/1.1\r\nHost: h\r\nX-A:  1 "
            "\r\nx-a:\t2\r\nContent-Length: 0\r\n"
            "Connection: close\r\n\r\n");
    const char *text = hear(fx, fd, NULL);
    expect_text(text, "PUT /about?a=b%20c other:80 0\n");
    expect_text(text, "host=h\nx-a=1\nx-a=2\ncontent-length=0\n");
    expect_text(text, "x-two: a  b: c\r\n");
    close(fd);
}

static void continue_is_said_when_the_body_is_wanted(void **state)
{
    Fixture *fx = *state;
    int fd = dial(fx);
    say(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    assert_string_equal(hear(fx, fd, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    say(fd, "body");
    expect_text(hear(fx, fd, "body"), "HTTP/1.1 200 OK");
    say(fd, "POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    const char *text = hear(fx, fd, NULL);
    expect_text(text, "HTTP/1.1 403 Forbidden");
    assert_null(strstr(text, "100 Continue"));
    close(fd);
}

/* The client has sent a body that nobody read, and still gets its answer. */
static void an_early_answer_is_not_lost(void **state)
{
    Fixture *fx = *state;
    int fd = dial(fx);
    say(fd, "POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000\r\n\r\nsome");
    const char *text = hear(fx, fd, NULL);
    expect_text(text, "\r\n\r\nno");
    expect_text(text, "connection: close\r\n"); /* so that the next request does not go there */
    close(fd);
}

/* Who comes in the very turn in which silent connections are dropped is not one of them. */
static void who_comes_during_a_sweep_is_served(void **state)
{
    Fixture *fx = *state;
    int silent = dial(fx);
    say(silent, "POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n"); /* swept in 1 s */
    for (int64_t until_ns = clock_mono_ns() + 1200 * NS_PER_MS; clock_mono_ns() < until_ns;) {
        int fd = dial(fx);
        say(fd, "GET /none HTTP/1.1\r\nHost: h\r\n\r\n");
        expect_text(hear(fx, fd, "\r\n\r\n"), "HTTP/1.1 204");
        close(fd);
    }
    close(silent);
}

static void a_failure_after_the_head_cuts_the_answer(void **state)
{
    Fixture *fx = *state;
    int fd = dial(fx);
    say(fd, "GET /half HTTP/1.1\r\nHost: h\r\n\r\n");
    const char *text = hear(fx, fd, NULL);
    expect_text(text, "content-length: 100\r\n");
    assert_true(str_ends(str(text), STR("\r\n\r\nhalf")));
    close(fd);
}

static void a_slow_handler_stops_its_client(void **state)
{
    Fixture *fx = *state;
    int fd = dial(fx);
    enum { SIZE = 64 * 1024 * 1024 };
    char *piece = arena_must(fx->ctx.arena, 65536);
    say(fd, text_printf(fx->ctx.arena,
                        "POST /gated HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", SIZE));
    sem_wait(&fx->entered);
    size_t sent = 0;
    struct timeval soon = { .tv_usec = 200000 };
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
    for (ssize_t n = 1; n > 0 && sent<SIZE; sent += n> 0 ? (size_t)n : 0)
        n = send(fd, piece, 65536, MSG_NOSIGNAL);
    assert_in_range(sent, MiB, SIZE / 2); /* the kernel's buffers, and ours of one */
    sem_post(&fx->leave);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){ 0 }, sizeof(soon));
    while (sent < SIZE) {
        ssize_t n = send(fd, piece, MIN((size_t)65536, SIZE - sent), MSG_NOSIGNAL);
        assert_true(n > 0);
        sent += (size_t)n;
    }
    expect_text(hear(fx, fd, "67108864"), "HTTP/1.1 200 OK");
    close(fd);
}

static void a_client_that_leaves_cancels(void **state)
{
    Fixture *fx = *state;
    int fd = dial(fx);
    say(fd, "POST /gated HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nsome");
    sem_wait(&fx->entered);
    close(fd);
    sem_post(&fx->leave);
    sem_wait(&fx->entered);
    assert_int_equal(fx->result, STATUS_CANCELLED);
}

static void bad_requests_are_refused(void **state)
{
    Fixture *fx = *state;
    static const struct {
        const char *request, *status;
    } cases[] = {
        { "garbage\r\n\r\n", "400" },
        { "\x16\x03\x01\x02\r\n\r\n", "400" }, /* TLS */
        { "GET / HTTP/1.0\r\nHost: h\r\n\r\n", "505" },
        { "GET / HTTP/2.0\r\nHost: h\r\n\r\n", "505" },
        { "GET / HTTP/1.1\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400" },
        { "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", "400" },
        { "G\x01T / HTTP/1.1\r\nHost: h\r\n\r\n", "400" },
        { "GET relative HTTP/1.1\r\nHost: h\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\nHost : h\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\nHost: h\r\nX: \x01\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
          "400" },
        { "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501" },
        { "GET / HTTP/1.1\r\nHost: h\r\nExpect: more\r\n\r\n", "417" },
        { "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "400" },
        { "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
          "400" },
        { "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
          "chunked\r\n\r\nffffffffffffffff\r\n",
          "400" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("case %zu", i);
        int fd = dial(fx);
        say(fd, cases[i].request);
        const char *text = hear(fx, fd, NULL);
        assert_int_equal(strncmp(text, "HTTP/1.1 ", 9), 0);
        assert_int_equal(strncmp(text + 9, cases[i].status, 3), 0);
        close(fd);
    }
}

static void large_heads_are_refused(void **state)
{
    Fixture *fx = *state;
    char *a = arena_must(fx->ctx.arena, 20001), *many = arena_must(fx->ctx.arena, 300 * 8 + 1);
    memset(a, 'a', 20000);
    for (int i = 0; i < 300; i++)
        memcpy(many + i * 6, "X: y\r\n", 6);
    const struct {
        const char *request, *status;
    } cases[] = {
        { text_printf(fx->ctx.arena, "GET /%s HTTP/1.1\r\nHost: h\r\n\r\n", a), "414" },
        { text_printf(fx->ctx.arena, "GET / HTTP/1.1\r\nA: %s\r\nB: %s\r\nC: %s\r\nD: %s\r\nE: %s",
                      a, a, a, a, a),
          "431" },
        { text_printf(fx->ctx.arena, "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", many), "431" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int fd = dial(fx);
        say(fd, cases[i].request);
        assert_int_equal(strncmp(hear(fx, fd, NULL) + 9, cases[i].status, 3), 0);
        close(fd);
    }
}

/* A preface cut in two is still HTTP/2: the server answers with its settings. */
static void a_preface_in_pieces_is_http2(void **state)
{
    Fixture *fx = *state;
    int fd = dial(fx);
    char head[9];
    static const char rest[] = "/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    say(fd, "PRI * HTTP");
    assert_int_equal(send(fd, rest, sizeof(rest) - 1, MSG_NOSIGNAL), sizeof(rest) - 1);
    assert_int_equal(recv(fd, head, sizeof(head), MSG_WAITALL), sizeof(head));
    assert_int_equal(head[3], 4);
    say(fd, "and now garbage, which is a frame of a million bytes");
    hear(fx, fd, NULL);
    close(fd);
}

int main(void)
{
#define ON(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        ON(requests_follow_each_other),
        ON(requests_sent_ahead_are_answered_in_order),
        ON(a_byte_at_a_time),
        ON(what_was_asked_is_told),
        ON(continue_is_said_when_the_body_is_wanted),
        ON(an_early_answer_is_not_lost),
        ON(who_comes_during_a_sweep_is_served),
        ON(a_failure_after_the_head_cuts_the_answer),
        ON(a_slow_handler_stops_its_client),
        ON(a_client_that_leaves_cancels),
        ON(bad_requests_are_refused),
        ON(large_heads_are_refused),
        ON(a_preface_in_pieces_is_http2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
