/* test_wire.c - our client against our server, over loopback and over a unix socket. */
#include "testing.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/event.h"
#include "echo.h"

#define MANY 200

typedef struct Fixture {
    Ctx ctx;
    WireServer *server;
    WireClient *client;
    Buf buf;
    /* Of the calls that `gated` runs: */
    sem_t entered, leave;
    _Atomic int result; /* what wire_recv said last */
} Fixture;

/* Waits for what never happens, as a watcher of commits does. */
static Status watching(Fixture *fx, Ctx *ctx)
{
    EventBus *bus = event_bus_new();
    uint64_t topic = event_topic("never", STR(""));
    sem_post(&fx->entered);
    Status s = event_wait(ctx, bus, &topic, 1, event_epoch(bus));
    atomic_store(&fx->result, s.code);
    event_bus_free(bus);
    sem_post(&fx->entered);
    return s;
}

/* Says that it runs and waits to be let go; then reads all. */
static Status gated(Fixture *fx, Ctx *ctx, WireCall *call)
{
    CLEANUP(buf_done) Buf buf = { 0 };
    sem_post(&fx->entered);
    sem_wait(&fx->leave);
    Status s = OK;
    for (bool end = false; status_ok(s) && !end;)
        s = wire_recv(ctx, call, &buf, &end);
    atomic_store(&fx->result, s.code);
    sem_post(&fx->entered);
    return s;
}

static Status handle(void *self, Ctx *ctx, WireCall *call)
{
    if (strcmp(wire_call_path(call), "/echo.Echo/Gated") == 0)
        return gated(self, ctx, call);
    if (strcmp(wire_call_path(call), "/echo.Echo/Watch") == 0)
        return watching(self, ctx);
    return echo_handle(self, ctx, call);
}

static void start(Fixture *fx, const char *listen, size_t calls_max)
{
    WireConfig config = { .listen = listen, .handle = handle, .self = fx, .calls_max = calls_max };
    assert_ok(wire_server_start(&fx->ctx, &config, &fx->server));
    assert_ok(wire_client_open(&fx->ctx, wire_server_address(fx->server), &fx->client));
}

static Fixture *fixture_new(void)
{
    Fixture *fx = calloc(1, sizeof(*fx));
    ctx_init(&fx->ctx);
    sem_init(&fx->entered, 0, 0);
    sem_init(&fx->leave, 0, 0);
    return fx;
}

static int setup(void **state)
{
    Fixture *fx = *state = fixture_new();
    start(fx, "127.0.0.1:0", 0);
    return 0;
}

static int setup_unix(void **state)
{
    Fixture *fx = *state = fixture_new();
    start(fx, text_printf(fx->ctx.arena, "unix:%s/sock", scratch_dir(&fx->ctx)), 0);
    return 0;
}

static int setup_small(void **state)
{
    Fixture *fx = *state = fixture_new();
    start(fx, "[::1]:0", 2);
    return 0;
}

static int teardown(void **state)
{
    Fixture *fx = *state;
    wire_client_close(fx->client);
    for (int i = 0; i < MANY; i++)
        sem_post(&fx->leave); /* handlers that a failed test left waiting */
    wire_server_stop(fx->server, 0);
    buf_done(&fx->buf);
    ctx_done(&fx->ctx);
    free(fx);
    return 0;
}

static void expect_message(Fixture *fx, WireStream *stream, Bytes expected)
{
    bool end;
    assert_ok(wire_stream_recv(&fx->ctx, stream, &fx->buf, &end));
    assert_false(end);
    assert_true(bytes_eq(buf_bytes(&fx->buf), expected));
}

static void expect_end(Fixture *fx, WireStream *stream)
{
    bool end;
    assert_ok(wire_stream_recv(&fx->ctx, stream, &fx->buf, &end));
    assert_true(end);
}

static Bytes pattern(Fixture *fx, size_t size, uint64_t seed)
{
    uint8_t *data = arena_must(fx->ctx.arena, size + 8);
    for (size_t i = 0; i < size; i += 8)
        store_le64(data + i, next_rand(&seed));
    return bytes(data, size);
}

static void unary(void **state)
{
    Fixture *fx = *state;
    static const size_t sizes[] = { 0,          1,        5,
                                    4000,       8 * 1024, 8 * 1024 + 1,
                                    300 * 1024, 5 * MiB,  WIRE_MESSAGE_BYTES_MAX };
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        Bytes request = pattern(fx, sizes[i], 7 + i);
        assert_ok(wire_call_unary(&fx->ctx, fx->client, "/echo.Echo/Each", request, &fx->buf));
        assert_true(bytes_eq(buf_bytes(&fx->buf), request));
    }
}

static void too_large_is_refused_both_ways(void **state)
{
    Fixture *fx = *state;
    Bytes large = pattern(fx, WIRE_MESSAGE_BYTES_MAX + 1, 3);
    assert_fails(wire_call_unary(&fx->ctx, fx->client, "/echo.Echo/Each", large, &fx->buf),
                 RESOURCE_EXHAUSTED, "larger than max");
    const char *request = text_printf(fx->ctx.arena, "1 %zu", WIRE_MESSAGE_BYTES_MAX + 1);
    assert_fails(wire_call_unary(&fx->ctx, fx->client, "/echo.Echo/Stream", str_bytes(str(request)),
                                 &fx->buf),
                 RESOURCE_EXHAUSTED, "larger than max");
}

static void client_streaming(void **state)
{
    Fixture *fx = *state;
    WireStream *stream;
    assert_ok(wire_stream_open(&fx->ctx, fx->client, "/echo.Echo/Count", &stream));
    Bytes message = pattern(fx, 1000, 5);
    for (int i = 0; i < 20000; i++)
        assert_ok(wire_stream_send(&fx->ctx, stream, message));
    assert_ok(wire_stream_close_send(&fx->ctx, stream));
    expect_message(fx, stream, str_bytes(STR("20000 20000000")));
    expect_end(fx, stream);
    wire_stream_close(stream);
}

static void server_streaming(void **state)
{
    Fixture *fx = *state;
    static const struct {
        const char *request;
        size_t messages, size;
    } cases[] = { { "0 5", 0, 5 },
                  { "30000 100", 30000, 100 },
                  { "20 1000000", 20, 1000000 },
                  { "2 15000000", 2, 15000000 } };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        WireStream *stream;
        assert_ok(wire_stream_open(&fx->ctx, fx->client, "/echo.Echo/Stream", &stream));
        assert_ok(wire_stream_send(&fx->ctx, stream, str_bytes(str(cases[i].request))));
        assert_ok(wire_stream_close_send(&fx->ctx, stream));
        bool end = false;
        for (size_t n = 0; n < cases[i].messages; n++) {
            assert_ok(wire_stream_recv(&fx->ctx, stream, &fx->buf, &end));
            assert_int_equal(fx->buf.size, cases[i].size);
        }
        expect_end(fx, stream);
        wire_stream_close(stream);
    }
}

static void both_ways(void **state)
{
    Fixture *fx = *state;
    WireStream *one, *two;
    assert_ok(wire_stream_open(&fx->ctx, fx->client, "/echo.Echo/Each", &one));
    assert_ok(wire_stream_open(&fx->ctx, fx->client, "/echo.Echo/Each", &two));
    for (uint64_t i = 1; i < 200; i++) {
        Bytes a = pattern(fx, (i * 977) % 20000, i), b = pattern(fx, i, i + 1000);
        assert_ok(wire_stream_send(&fx->ctx, one, a));
        assert_ok(wire_stream_send(&fx->ctx, two, b));
        expect_message(fx, two, b);
        expect_message(fx, one, a);
    }
    assert_ok(wire_stream_close_send(&fx->ctx, one));
    assert_ok(wire_stream_close_send(&fx->ctx, two));
    expect_end(fx, one);
    expect_end(fx, two);
    wire_stream_close(one);
    wire_stream_close(two);
}

/* The client sends more than fits anywhere before it reads: it must go on reading while it
 * sends. */
static void sending_does_not_wait_for_ever(void **state)
{
    Fixture *fx = *state;
    WireStream *stream;
    assert_ok(wire_stream_open(&fx->ctx, fx->client, "/echo.Echo/Each", &stream));
    Bytes message = pattern(fx, 100000, 9);
    for (int i = 0; i < 60; i++)
        assert_ok(wire_stream_send(&fx->ctx, stream, message));
    assert_ok(wire_stream_close_send(&fx->ctx, stream));
    for (int i = 0; i < 60; i++)
        expect_message(fx, stream, message);
    expect_end(fx, stream);
    wire_stream_close(stream);
}

/* A process that was forked holds the server's sockets; the server must not hear of one that it closed. */
static void a_fork_keeps_no_connection_alive(void **state)
{
    Fixture *fx = *state;
    int ends[2];
    char byte = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_ok(wire_call_unary(&fx->ctx, fx->client, "/echo.Echo/Each", str_bytes(STR("a")), &fx->buf));
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        close(wire_client_fd(fx->client)); /* only the server's end lives on */
        _exit(write(ends[1], &byte, 1) == 1 && read(ends[1], &byte, 1) == 0 ? 0 : 1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    for (int i = 0; i < 3; i++) {
        fx->client = wire_client_close(fx->client);
        assert_ok(wire_client_open(&fx->ctx, wire_server_address(fx->server), &fx->client));
        assert_ok(wire_call_unary(&fx->ctx, fx->client, "/echo.Echo/Each", str_bytes(STR("b")), &fx->buf));
    }
    close(ends[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void errors_keep_message_and_details(void **state)
{
    Fixture *fx = *state;
    Status s = wire_call_unary(&fx->ctx, fx->client, "/echo.Echo/Fail", (Bytes){ 0 }, &fx->buf);
    assert_int_equal(s.code, STATUS_NOT_FOUND);
    assert_string_equal(status_message(s), "file 'ä%' not found\nin 100% of the cases ");
    assert_non_null(s.detail->any);
    assert_string_equal(s.detail->any->type_url, "type.googleapis.com/google.rpc.ResourceInfo");
    assert_true(bytes_eq(s.detail->any->value, str_bytes(STR("\x0a\x0apfs:commit"))));
    assert_fails(
        wire_call_unary(&fx->ctx, fx->client, "/echo.Echo/Nothing", (Bytes){ 0 }, &fx->buf),
        UNIMPLEMENTED, "unknown method /echo.Echo/Nothing");
}

static void metadata_arrives(void **state)
{
    Fixture *fx = *state;
    wire_client_metadata(fx->client, "echo-key", "old");
    wire_client_metadata(fx->client, "echo-key", "plain");
    wire_client_metadata(fx->client, "echo-gone", "x");
    wire_client_metadata(fx->client, "echo-gone", NULL);
    wire_client_metadata(fx->client, "echo-bin", "\xff\x01 any");
    WireStream *stream;
    assert_ok(wire_stream_open(&fx->ctx, fx->client, "/echo.Echo/Metadata", &stream));
    assert_ok(wire_stream_close_send(&fx->ctx, stream));
    expect_message(fx, stream, str_bytes(STR("plain")));
    expect_message(fx, stream, str_bytes(STR("\xff\x01 any")));
    expect_end(fx, stream);
    wire_stream_close(stream);
}

static void answers_before_all_is_read(void **state)
{
    Fixture *fx = *state;
    WireStream *stream;
    bool end;
    assert_ok(wire_stream_open(&fx->ctx, fx->client, "/echo.Echo/Early", &stream));
    assert_ok(wire_stream_send(&fx->ctx, stream, str_bytes(STR("x"))));
    assert_ok(wire_stream_flush(&fx->ctx, stream));
    expect_message(fx, stream, str_bytes(STR("early")));
    assert_fails(wire_stream_recv(&fx->ctx, stream, &fx->buf, &end), FAILED_PRECONDITION, "enough");
    assert_true(end);
    assert_fails(wire_stream_send(&fx->ctx, stream, str_bytes(STR("x"))), FAILED_PRECONDITION,
                 "enough");
    wire_stream_close(stream);
    unary(state); /* the connection still works */
}

/* A handler that does not read: the client blocks after the stream's window, the kernel's and its
 * own buffer, so that is all the memory that waits. */
static void a_slow_handler_slows_its_client(void **state)
{
    Fixture *fx = *state;
    WireStream *stream;
    assert_ok(wire_stream_open(&fx->ctx, fx->client, "/echo.Echo/Gated", &stream));
    Bytes message = pattern(fx, 64 * KiB, 11);
    assert_ok(wire_stream_send(&fx->ctx, stream, message));
    assert_ok(wire_stream_flush(&fx->ctx, stream));
    sem_wait(&fx->entered);
    Status s = OK;
    size_t sent = 0;
    for (; status_ok(s) && sent < 100 * MiB; sent += message.size) {
        fx->ctx.deadline_ns = clock_mono_ns() + NS_PER_SEC;
        s = wire_stream_send(&fx->ctx, stream, message);
    }
    assert_int_equal(s.code, STATUS_DEADLINE_EXCEEDED);
    assert_in_range(sent, 4 * MiB, 7 * MiB);
    fx->ctx.deadline_ns = DEADLINE_NONE;
    unary(state); /* other calls on the connection are not held up */
    sem_post(&fx->leave);
    assert_ok(
        wire_stream_flush(&fx->ctx, stream)); /* the handler reads now, and all of it leaves */
    wire_stream_close(stream);
    sem_wait(&fx->entered);
    assert_int_equal(atomic_load(&fx->result), STATUS_CANCELLED);
}

static void a_reset_cancels_the_handler(void **state)
{
    Fixture *fx = *state;
    WireStream *stream;
    assert_ok(wire_stream_open(&fx->ctx, fx->client, "/echo.Echo/Gated", &stream));
    assert_ok(wire_stream_flush(&fx->ctx, stream));
    sem_wait(&fx->entered);
    sem_post(&fx->leave);
    wire_stream_close(stream);
    sem_wait(&fx->entered);
    assert_int_equal(atomic_load(&fx->result), STATUS_CANCELLED);
}

static void a_lost_connection_cancels_the_handler(void **state)
{
    Fixture *fx = *state;
    WireStream *stream;
    assert_ok(wire_stream_open(&fx->ctx, fx->client, "/echo.Echo/Gated", &stream));
    assert_ok(wire_stream_flush(&fx->ctx, stream));
    sem_wait(&fx->entered);
    sem_post(&fx->leave);
    fx->client = wire_client_close(fx->client);
    sem_wait(&fx->entered);
    assert_int_equal(atomic_load(&fx->result), STATUS_CANCELLED);
}

static void a_reset_wakes_a_watcher(void **state)
{
    Fixture *fx = *state;
    WireStream *stream;
    assert_ok(wire_stream_open(&fx->ctx, fx->client, "/echo.Echo/Watch", &stream));
    assert_ok(wire_stream_close_send(&fx->ctx, stream));
    sem_wait(&fx->entered);
    wire_stream_close(stream);
    sem_wait(&fx->entered);
    assert_int_equal(atomic_load(&fx->result), STATUS_CANCELLED);
}

static void deadlines_travel(void **state)
{
    Fixture *fx = *state;
    int64_t left;
    assert_ok(wire_call_unary(&fx->ctx, fx->client, "/echo.Echo/Deadline", (Bytes){ 0 }, &fx->buf));
    assert_true(str_eq_c(buf_str(&fx->buf), "-1"));
    fx->ctx.deadline_ns = clock_mono_ns() + 30 * NS_PER_SEC;
    assert_ok(wire_call_unary(&fx->ctx, fx->client, "/echo.Echo/Deadline", (Bytes){ 0 }, &fx->buf));
    assert_true(str_to_i64(buf_str(&fx->buf), &left));
    assert_true(left > 20 * NS_PER_SEC && left <= 30 * NS_PER_SEC + NS_PER_MS);

    WireStream *stream;
    bool end;
    fx->ctx.deadline_ns = clock_mono_ns() + 50 * NS_PER_MS;
    assert_ok(wire_stream_open(&fx->ctx, fx->client, "/echo.Echo/Wait", &stream));
    assert_ok(wire_stream_send(&fx->ctx, stream, (Bytes){ 0 }));
    expect_message(fx, stream, str_bytes(STR("waiting")));
    assert_fails(wire_stream_recv(&fx->ctx, stream, &fx->buf, &end), DEADLINE_EXCEEDED, "deadline");
    wire_stream_close(stream);
}

static void *cancel_it(void *arg)
{
    cancel_set(arg);
    return NULL;
}

static void a_cancelled_client_wakes(void **state)
{
    Fixture *fx = *state;
    WireStream *stream;
    bool end;
    pthread_t thread;
    fx->ctx.cancel = cancel_new();
    assert_ok(wire_stream_open(&fx->ctx, fx->client, "/echo.Echo/Wait", &stream));
    assert_ok(wire_stream_send(&fx->ctx, stream, (Bytes){ 0 }));
    expect_message(fx, stream, str_bytes(STR("waiting")));
    pthread_create(&thread, NULL, cancel_it, fx->ctx.cancel);
    assert_fails(wire_stream_recv(&fx->ctx, stream, &fx->buf, &end), CANCELLED, "canceled");
    pthread_join(thread, NULL);
    wire_stream_close(stream);
    fx->ctx.cancel = cancel_unref(fx->ctx.cancel);
}

static void polling_does_not_block(void **state)
{
    Fixture *fx = *state;
    WireStream *stream;
    bool ready, end;
    assert_ok(wire_stream_open(&fx->ctx, fx->client, "/echo.Echo/Each", &stream));
    assert_ok(wire_stream_poll(&fx->ctx, stream, &fx->buf, &ready, &end));
    assert_false(ready);
    assert_ok(wire_stream_send(&fx->ctx, stream, str_bytes(STR("hello"))));
    assert_ok(wire_stream_close_send(&fx->ctx, stream));
    expect_message(fx, stream, str_bytes(STR("hello")));
    do {
        assert_ok(wire_stream_poll(&fx->ctx, stream, &fx->buf, &ready, &end));
    } while (!ready);
    assert_true(end);
    wire_stream_close(stream);
}

/* Many clients at once, each on a connection and a thread of its own. */
static void *call_a_lot(void *arg)
{
    Fixture *fx = arg;
    CLEANUP(ctx_done) Ctx ctx;
    CLEANUP(buf_done) Buf out = { 0 };
    WireClient *client;
    ctx_init(&ctx);
    assert_ok(wire_client_open(&ctx, wire_server_address(fx->server), &client));
    for (int i = 0; i < 200; i++)
        assert_ok(wire_call_unary(&ctx, client, "/echo.Echo/Each", str_bytes(STR("x")), &out));
    wire_client_close(client);
    return NULL;
}

static void many_connections_at_once(void **state)
{
    pthread_t threads[16];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_create(&threads[i], NULL, call_a_lot, *state);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
}

static void many_calls_at_once(void **state)
{
    Fixture *fx = *state;
    WireStream *streams[MANY];
    for (int i = 0; i < MANY; i++) {
        assert_ok(wire_stream_open(&fx->ctx, fx->client, "/echo.Echo/Gated", &streams[i]));
        assert_ok(wire_stream_close_send(&fx->ctx, streams[i]));
    }
    for (int i = 0; i < MANY; i++)
        sem_wait(&fx->entered); /* all of them run */
    for (int i = 0; i < MANY; i++)
        sem_post(&fx->leave);
    for (int i = 0; i < MANY; i++) {
        expect_end(fx, streams[i]);
        wire_stream_close(streams[i]);
    }
}

static void too_many_calls_are_turned_away(void **state)
{
    Fixture *fx = *state;
    WireStream *streams[2];
    for (int i = 0; i < 2; i++) {
        assert_ok(wire_stream_open(&fx->ctx, fx->client, "/echo.Echo/Gated", &streams[i]));
        assert_ok(wire_stream_close_send(&fx->ctx, streams[i]));
        sem_wait(&fx->entered);
    }
    assert_fails(wire_call_unary(&fx->ctx, fx->client, "/echo.Echo/Each", (Bytes){ 0 }, &fx->buf),
                 RESOURCE_EXHAUSTED, "too many calls");
    for (int i = 0; i < 2; i++) {
        sem_post(&fx->leave);
        expect_end(fx, streams[i]);
        wire_stream_close(streams[i]);
    }
}

static void *stop_it(void *arg)
{
    Fixture *fx = arg;
    fx->server = wire_server_stop(fx->server, 60000);
    return NULL;
}

/* A call that runs when the server stops is answered; later ones are not taken. */
static void stopping_drains(void **state)
{
    Fixture *fx = *state;
    WireStream *stream;
    pthread_t thread;
    bool end;
    assert_ok(wire_stream_open(&fx->ctx, fx->client, "/echo.Echo/Each", &stream));
    assert_ok(wire_stream_send(&fx->ctx, stream, str_bytes(STR("one"))));
    expect_message(fx, stream, str_bytes(STR("one")));
    pthread_create(&thread, NULL, stop_it, fx);
    assert_ok(wire_stream_send(&fx->ctx, stream, str_bytes(STR("two"))));
    expect_message(fx, stream, str_bytes(STR("two")));
    assert_ok(wire_stream_close_send(&fx->ctx, stream));
    expect_end(fx, stream);
    wire_stream_close(stream);
    pthread_join(thread, NULL);
    Status s = wire_stream_open(&fx->ctx, fx->client, "/echo.Echo/Each", &stream);
    if (status_ok(s)) {
        s = wire_stream_recv(&fx->ctx, stream, &fx->buf, &end);
        wire_stream_close(stream);
    }
    assert_int_equal(s.code, STATUS_UNAVAILABLE);
}

static void stopping_at_once_cancels(void **state)
{
    Fixture *fx = *state;
    WireStream *stream;
    bool end;
    assert_ok(wire_stream_open(&fx->ctx, fx->client, "/echo.Echo/Wait", &stream));
    assert_ok(wire_stream_send(&fx->ctx, stream, (Bytes){ 0 }));
    expect_message(fx, stream, str_bytes(STR("waiting")));
    fx->server = wire_server_stop(fx->server, 0);
    assert_fails(wire_stream_recv(&fx->ctx, stream, &fx->buf, &end), UNAVAILABLE, "shutting down");
    wire_stream_close(stream);
}

static void nobody_answers(void **state)
{
    Fixture *fx = *state;
    WireClient *client;
    const char *address = arena_strdup(fx->ctx.arena, wire_server_address(fx->server));
    fx->server = wire_server_stop(fx->server, 0);
    assert_fails(wire_client_open(&fx->ctx, address, &client), UNAVAILABLE, address);
    static const char *const bad[] = { "", "nothing", "host:", "::1:80", "unix:" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_fails(wire_client_open(&fx->ctx, bad[i], &client), INVALID_ARGUMENT, bad[i]);
}

int main(void)
{
#define ON(setup_, test) cmocka_unit_test_setup_teardown(test, setup_, teardown)
    const struct CMUnitTest tests[] = {
        ON(setup, unary),
        ON(setup_unix, unary),
        ON(setup, too_large_is_refused_both_ways),
        ON(setup, client_streaming),
        ON(setup_unix, client_streaming),
        ON(setup, server_streaming),
        ON(setup_unix, server_streaming),
        ON(setup, both_ways),
        ON(setup, sending_does_not_wait_for_ever),
        ON(setup, a_fork_keeps_no_connection_alive),
        ON(setup, errors_keep_message_and_details),
        ON(setup, metadata_arrives),
        ON(setup, answers_before_all_is_read),
        ON(setup, a_slow_handler_slows_its_client),
        ON(setup, a_reset_cancels_the_handler),
        ON(setup, a_lost_connection_cancels_the_handler),
        ON(setup, a_reset_wakes_a_watcher),
        ON(setup, deadlines_travel),
        ON(setup, a_cancelled_client_wakes),
        ON(setup, polling_does_not_block),
        ON(setup, many_connections_at_once),
        ON(setup, many_calls_at_once),
        ON(setup_small, too_many_calls_are_turned_away),
        ON(setup, stopping_drains),
        ON(setup_unix, stopping_at_once_cancels),
        ON(setup, nobody_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
