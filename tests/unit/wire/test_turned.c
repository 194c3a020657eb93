/* test_turned.c - a server without threads: the tests turn it themselves. */
#include "testing.h"

#include <poll.h>
#include <stdatomic.h>

#include "base/file.h"
#include "base/thread.h"
#include "echo.h"

#define HELD_MAX 4

typedef struct Fixture {
    Ctx ctx;
    WireServer *server;
    WireClient *client;
    WireCall *held[HELD_MAX];
    size_t held_count;
    Buf buf;
} Fixture;

static Status handle(void *self, Ctx *ctx, WireCall *call)
{
    Fixture *fx = self;
    if (strcmp(wire_call_path(call), "/echo.Echo/Held") != 0)
        return echo_handle(NULL, ctx, call);
    fx->held[fx->held_count++] = call;
    wire_call_hold(call);
    return OK;
}

static int setup(void **state)
{
    Fixture *fx = *state = calloc(1, sizeof(*fx));
    ctx_init(&fx->ctx);
    const WireConfig config = {
        .listen = "127.0.0.1:0", .calls_max = HELD_MAX, .handle = handle, .self = fx, .turned = true
    };
    assert_ok(wire_server_start(&fx->ctx, &config, &fx->server));
    assert_ok(wire_client_open(&fx->ctx, wire_server_address(fx->server), &fx->client));
    return 0;
}

static int teardown(void **state)
{
    Fixture *fx = *state;
    while (fx->held_count)
        wire_call_end(fx->held[--fx->held_count], STATUS(CANCELLED));
    wire_client_close(fx->client);
    wire_server_stop(fx->server, 0);
    buf_done(&fx->buf);
    ctx_done(&fx->ctx);
    free(fx);
    return 0;
}

/* Turns until the descriptor says that there is nothing more to do. */
static void turn_until_quiet(Fixture *fx)
{
    struct pollfd ready = { .fd = wire_server_fd(fx->server), .events = POLLIN };
    while (poll(&ready, 1, 20) > 0)
        wire_server_turn(fx->server);
}

static WireStream *ask(Fixture *fx, const char *path, const char *request)
{
    WireStream *stream;
    assert_ok(wire_stream_open(&fx->ctx, fx->client, path, &stream));
    assert_ok(wire_stream_send(&fx->ctx, stream, str_bytes(str(request))));
    assert_ok(wire_stream_close_send(&fx->ctx, stream));
    turn_until_quiet(fx);
    return stream;
}

static Status end_of(Fixture *fx, WireStream *stream)
{
    bool end = false;
    Status s = OK;
    while (status_ok(s) && !end)
        s = wire_stream_recv(&fx->ctx, stream, &fx->buf, &end);
    wire_stream_close(stream);
    return s;
}

static void expect_answer(Fixture *fx, WireStream *stream, const char *answer)
{
    bool end;
    assert_ok(wire_stream_recv(&fx->ctx, stream, &fx->buf, &end));
    assert_false(end);
    assert_true(str_eq(buf_str(&fx->buf), str(answer)));
    assert_ok(end_of(fx, stream));
}

static void a_call_waits_for_the_whole_request(void **state)
{
    Fixture *fx = *state;
    WireStream *stream;
    assert_ok(wire_stream_open(&fx->ctx, fx->client, "/echo.Echo/Held", &stream));
    assert_ok(wire_stream_send(&fx->ctx, stream, str_bytes(STR("x"))));
    assert_ok(wire_stream_flush(&fx->ctx, stream));
    turn_until_quiet(fx);
    assert_int_equal(fx->held_count, 0);
    assert_ok(wire_stream_close_send(&fx->ctx, stream));
    turn_until_quiet(fx);
    assert_int_equal(fx->held_count, 1);
    wire_stream_close(stream);
}

static void held_calls_are_answered_later(void **state)
{
    Fixture *fx = *state;
    WireStream *first = ask(fx, "/echo.Echo/Held", "1"), *second = ask(fx, "/echo.Echo/Held", "2");
    assert_int_equal(fx->held_count, 2);
    bool ready, end;
    assert_ok(wire_stream_poll(&fx->ctx, first, &fx->buf, &ready, &end));
    assert_false(ready);
    assert_ok(wire_send(&fx->ctx, fx->held[1], str_bytes(STR("for the second"))));
    wire_call_end(fx->held[1], OK);
    wire_call_end(fx->held[0], FAIL(&fx->ctx, NOT_FOUND, "nothing for the first"));
    fx->held_count = 0;
    wire_server_turn(fx->server);
    expect_answer(fx, second, "for the second");
    assert_fails(end_of(fx, first), NOT_FOUND, "nothing for the first");
}

/* Its owner learns of it when he wants to answer, and ends it as any other. */
static void a_held_call_may_be_given_up(void **state)
{
    Fixture *fx = *state;
    wire_stream_close(ask(fx, "/echo.Echo/Held", "1"));
    WireStream *other = ask(fx, "/echo.Echo/Held", "2"); /* takes the reset along */
    assert_int_equal(fx->held_count, 2);
    assert_int_equal(wire_send(&fx->ctx, fx->held[0], str_bytes(STR("late"))).code,
                     STATUS_CANCELLED);
    assert_ok(wire_send(&fx->ctx, fx->held[1], str_bytes(STR("in time"))));
    wire_call_end(fx->held[0], OK);
    wire_call_end(fx->held[1], OK);
    fx->held_count = 0;
    wire_server_turn(fx->server);
    expect_answer(fx, other, "in time");
}

static void too_many_are_turned_away(void **state)
{
    Fixture *fx = *state;
    WireStream *streams[HELD_MAX];
    for (size_t i = 0; i < HELD_MAX; i++)
        streams[i] = ask(fx, "/echo.Echo/Held", "x");
    assert_fails(end_of(fx, ask(fx, "/echo.Echo/Held", "x")), RESOURCE_EXHAUSTED, "too many calls");
    for (size_t i = 0; i < HELD_MAX; i++)
        wire_call_end(fx->held[i], OK);
    fx->held_count = 0;
    wire_server_turn(fx->server);
    for (size_t i = 0; i < HELD_MAX; i++)
        assert_ok(end_of(fx, streams[i]));
    expect_answer(fx, ask(fx, "/echo.Echo/Each", "again"), "again");
}

/* --- with a client that waits ----------------------------------------------------------------- */

typedef struct Caller {
    const char *address;
    _Atomic bool done;
} Caller;

static void *call_much(void *arg)
{
    static const size_t sizes[] = { 0, 1, 5000, 300 * KiB, 9 * MiB };
    Caller *caller = arg;
    CLEANUP(ctx_done) Ctx ctx;
    CLEANUP(buf_done) Buf answer = { 0 };
    WireClient *client;
    ctx_init(&ctx);
    assert_ok(wire_client_open(&ctx, caller->address, &client));
    for (size_t i = 0; i < 100; i++) {
        size_t size = sizes[i % ARRAY_LEN(sizes)];
        Bytes request = bytes(arena_must(ctx.arena, size + 1), size);
        memset((uint8_t *)(uintptr_t)request.data, (int)i, size);
        assert_ok(wire_call_unary(&ctx, client, "/echo.Echo/Each", request, &answer));
        assert_true(bytes_eq(buf_bytes(&answer), request));
    }
    wire_client_close(client);
    atomic_store(&caller->done, true);
    return NULL;
}

/* Also such as are larger than a window. */
static void messages_of_all_sizes(void **state)
{
    Fixture *fx = *state;
    Caller caller = { .address = wire_server_address(fx->server) };
    pthread_t thread;
    assert_ok(thread_start(&fx->ctx, "caller", call_much, &caller, &thread));
    while (!atomic_load(&caller.done))
        turn_until_quiet(fx);
    pthread_join(thread, NULL);
}

#define ON(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(a_call_waits_for_the_whole_request),
        ON(held_calls_are_answered_later),
        ON(a_held_call_may_be_given_up),
        ON(too_many_are_turned_away),
        ON(messages_of_all_sizes),
    };
    return cmocka_run_group_tests_name("wire_turned", tests, NULL, NULL);
}
