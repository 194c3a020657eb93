/* test_wire.c - server and client over loopback: every shape of call, large messages, errors with details, back-pressure,
 * cancellation. */
#include "testing.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "wire/wire.h"

typedef struct Fixture {
    Ctx ctx;
    WireServer *server;
    WireClient *client;
    _Atomic int cancelled;
    _Atomic bool hold;
} Fixture;

static Status echo(Ctx *ctx, WireCall *call)
{
    Buf buf = { 0 };
    Status s;
    for (bool end = false;;) {
        s = wire_recv(ctx, call, &buf, &end);
        if (!status_ok(s) || end)
            break;
        s = wire_send(ctx, call, buf_bytes(&buf));
        if (!status_ok(s))
            break;
    }
    buf_done(&buf);
    return s;
}

/* Counts the bytes of a client stream and answers with the sum. */
static Status count_bytes(Ctx *ctx, WireCall *call, Fixture *fx)
{
    Buf buf = { 0 };
    uint64_t sum = 0;
    Status s = OK;
    while (atomic_load(&fx->hold))
        usleep(1000);
    for (bool end = false; status_ok(s) && !end;) {
        s = wire_recv(ctx, call, &buf, &end);
        sum += buf.size;
    }
    buf_done(&buf);
    TRY(s);
    char *text = text_printf(ctx->arena, "%llu", (unsigned long long)sum);
    return wire_send(ctx, call, str_bytes(str(text)));
}

static Status wait_for_cancel(Ctx *ctx, Fixture *fx)
{
    EventBus *bus = event_bus_new();
    uint64_t topic = event_topic("never", STR(""));
    Status s = event_wait(ctx, bus, &topic, 1, event_epoch(bus));
    atomic_fetch_add(&fx->cancelled, s.code == STATUS_CANCELLED);
    event_bus_free(bus);
    return s;
}

static Status handle(void *self, Ctx *ctx, WireCall *call)
{
    const char *path = wire_call_path(call);
    if (strcmp(path, "/t.T/Echo") == 0)
        return echo(ctx, call);
    if (strcmp(path, "/t.T/Count") == 0)
        return count_bytes(ctx, call, self);
    if (strcmp(path, "/t.T/Wait") == 0)
        return wait_for_cancel(ctx, self);
    if (strcmp(path, "/t.T/Meta") == 0)
        return wire_send(ctx, call, str_bytes(str(wire_call_metadata(call, "authn-token", 0))));
    Status s = FAIL(ctx, NOT_FOUND, "repo \"ä\" is 100%% not found\nsecond line");
    return status_with_any(ctx, s, "type.googleapis.com/x.Y", str_bytes(STR("detail")));
}

static int setup(void **state)
{
    Fixture *fx = calloc(1, sizeof(*fx));
    ctx_init(&fx->ctx);
    const WireConfig config = { .listen = "127.0.0.1:0", .handle = handle, .self = fx };
    assert_ok(wire_server_start(&fx->ctx, &config, &fx->server));
    assert_ok(wire_client_open(&fx->ctx, wire_server_address(fx->server), &fx->client));
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fx = *state;
    wire_client_close(fx->client);
    wire_server_stop(fx->server, 100);
    ctx_done(&fx->ctx);
    free(fx);
    return 0;
}

static void unary_answers(void **state)
{
    Fixture *fx = *state;
    Buf out = { 0 };
    for (int i = 0; i < 100; i++) {
        buf_clear(&out);
        assert_ok(wire_call_unary(&fx->ctx, fx->client, "/t.T/Echo", str_bytes(STR("hello")), &out));
        assert_int_equal(out.size, 5);
    }
    buf_clear(&out);
    wire_client_metadata(fx->client, "authn-token", "secret");
    assert_ok(wire_call_unary(&fx->ctx, fx->client, "/t.T/Meta", str_bytes(STR("")), &out));
    assert_true(str_eq(buf_str(&out), STR("secret")));
    buf_done(&out);
}

static void errors_keep_text_and_details(void **state)
{
    Fixture *fx = *state;
    Buf out = { 0 };
    Status s = wire_call_unary(&fx->ctx, fx->client, "/t.T/Nope", str_bytes(STR("")), &out);
    assert_int_equal(s.code, STATUS_NOT_FOUND);
    assert_string_equal(status_message(s), "repo \"ä\" is 100% not found\nsecond line");
    assert_non_null(s.detail->any);
    assert_string_equal(s.detail->any->type_url, "type.googleapis.com/x.Y");
    assert_true(str_eq(bytes_str(s.detail->any->value), STR("detail")));
    buf_done(&out);
}

static void many_small_messages_go_both_ways(void **state)
{
    Fixture *fx = *state;
    WireStream *stream;
    assert_ok(wire_stream_open(&fx->ctx, fx->client, "/t.T/Count", &stream));
    char message[1000] = { 1 };
    for (int i = 0; i < 100000; i++)
        assert_ok(wire_stream_send(&fx->ctx, stream, bytes(message, sizeof(message))));
    assert_ok(wire_stream_close_send(&fx->ctx, stream));
    Buf out = { 0 };
    bool end;
    assert_ok(wire_stream_recv(&fx->ctx, stream, &out, &end));
    assert_true(str_eq(buf_str(&out), STR("100000000")));
    assert_ok(wire_stream_recv(&fx->ctx, stream, &out, &end));
    assert_true(end);
    wire_stream_close(stream);
    buf_done(&out);
}

static void largest_messages_pass(void **state)
{
    Fixture *fx = *state;
    Buf big = { 0 }, out = { 0 };
    buf_reserve(&big, WIRE_MESSAGE_BYTES_MAX);
    big.size = WIRE_MESSAGE_BYTES_MAX;
    memset(big.data, 'x', big.size);
    assert_ok(wire_call_unary(&fx->ctx, fx->client, "/t.T/Echo", buf_bytes(&big), &out));
    assert_int_equal(out.size, big.size);
    assert_memory_equal(out.data, big.data, big.size);
    buf_add_u8(&big, 'y');
    assert_fails(wire_call_unary(&fx->ctx, fx->client, "/t.T/Echo", buf_bytes(&big), &out), RESOURCE_EXHAUSTED, "larger");
    buf_done(&big);
    buf_done(&out);
}

/* A handler that does not read holds back its client; nothing is lost when it goes on. */
static void a_slow_reader_holds_back_its_client(void **state)
{
    Fixture *fx = *state;
    WireStream *stream;
    atomic_store(&fx->hold, true);
    assert_ok(wire_stream_open(&fx->ctx, fx->client, "/t.T/Count", &stream));
    Buf megabyte = { 0 };
    buf_reserve(&megabyte, MiB);
    megabyte.size = MiB;
    fx->ctx.deadline_ns = clock_mono_ns() + 300 * NS_PER_MS;
    int sent = 0;
    Status s = OK;
    while (sent < 64 && status_ok(s)) {
        s = wire_stream_send(&fx->ctx, stream, buf_bytes(&megabyte));
        sent++;
    }
    assert_int_equal(s.code, STATUS_DEADLINE_EXCEEDED);
    assert_true(sent < 16);
    fx->ctx.deadline_ns = DEADLINE_NONE;
    atomic_store(&fx->hold, false);
    assert_ok(wire_stream_close_send(&fx->ctx, stream));
    Buf out = { 0 };
    bool end;
    assert_ok(wire_stream_recv(&fx->ctx, stream, &out, &end));
    char expected[32];
    snprintf(expected, sizeof(expected), "%llu", (unsigned long long)sent * MiB);
    assert_true(str_eq(buf_str(&out), str(expected)));
    wire_stream_close(stream);
    buf_done(&megabyte);
    buf_done(&out);
}

static void leaving_cancels_the_call(void **state)
{
    Fixture *fx = *state;
    WireStream *stream;
    assert_ok(wire_stream_open(&fx->ctx, fx->client, "/t.T/Wait", &stream));
    assert_ok(wire_stream_close_send(&fx->ctx, stream));
    wire_stream_close(stream);
    assert_ok(wire_stream_open(&fx->ctx, fx->client, "/t.T/Wait", &stream));
    assert_ok(wire_stream_close_send(&fx->ctx, stream));
    fx->client = wire_client_close(fx->client);
    for (int i = 0; i < 2000 && atomic_load(&fx->cancelled) < 2; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&fx->cancelled), 2);
}

static void a_deadline_ends_the_call(void **state)
{
    Fixture *fx = *state;
    Buf out = { 0 };
    fx->ctx.deadline_ns = clock_mono_ns() + 50 * NS_PER_MS;
    Status s = wire_call_unary(&fx->ctx, fx->client, "/t.T/Wait", str_bytes(STR("")), &out);
    assert_int_equal(s.code, STATUS_DEADLINE_EXCEEDED);
    fx->ctx.deadline_ns = DEADLINE_NONE;
    buf_done(&out);
}

static void nobody_there_is_said_with_the_address(void **state)
{
    Fixture *fx = *state;
    WireClient *client;
    assert_fails(wire_client_open(&fx->ctx, "127.0.0.1:1", &client), UNAVAILABLE, "127.0.0.1:1");
}

static void *call_a_lot(void *arg)
{
    Fixture *fx = arg;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    WireClient *client;
    assert_ok(wire_client_open(&ctx, wire_server_address(fx->server), &client));
    Buf out = { 0 };
    for (int i = 0; i < 200; i++) {
        buf_clear(&out);
        assert_ok(wire_call_unary(&ctx, client, "/t.T/Echo", str_bytes(STR("x")), &out));
    }
    buf_done(&out);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unary_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_keep_text_and_details, setup, teardown),
        cmocka_unit_test_setup_teardown(many_small_messages_go_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(largest_messages_pass, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slow_reader_holds_back_its_client, setup, teardown),
        cmocka_unit_test_setup_teardown(leaving_cancels_the_call, setup, teardown),
        cmocka_unit_test_setup_teardown(a_deadline_ends_the_call, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_there_is_said_with_the_address, setup, teardown),
        cmocka_unit_test_setup_teardown(many_connections_at_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
