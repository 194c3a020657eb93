/* echo.h - handlers that the tests of wire call: they echo, stream, fail and wait. */
#pragma once

#include "base/clock.h"
#include "base/text.h"
#include "wire/wire.h"

typedef struct EchoMethod {
    const char *path;
    Status (*run)(Ctx *ctx, WireCall *call);
} EchoMethod;

/* Every message comes back as it is read. */
static inline Status echo_each(Ctx *ctx, WireCall *call)
{
    CLEANUP(buf_done) Buf buf = { 0 };
    for (bool end;;) {
        TRY(wire_recv(ctx, call, &buf, &end));
        if (end)
            return OK;
        TRY(wire_send(ctx, call, buf_bytes(&buf)));
    }
}

/* "<messages> <bytes>" of all that was sent. */
static inline Status echo_count(Ctx *ctx, WireCall *call)
{
    CLEANUP(buf_done) Buf buf = { 0 };
    size_t messages = 0, total = 0;
    for (bool end;; messages++, total += buf.size) {
        TRY(wire_recv(ctx, call, &buf, &end));
        if (end)
            break;
    }
    return wire_send(ctx, call,
                     str_bytes(str(text_printf(ctx->arena, "%zu %zu", messages, total))));
}

/* The request is "<messages> <bytes of each>". */
static inline Status echo_stream(Ctx *ctx, WireCall *call)
{
    CLEANUP(buf_done) Buf buf = { 0 };
    bool end;
    size_t messages, size;
    TRY(wire_recv(ctx, call, &buf, &end));
    buf_add_u8(&buf, 0);
    if (sscanf((char *)buf.data, "%zu %zu", &messages, &size) != 2)
        return FAIL(ctx, INVALID_ARGUMENT, "want '<messages> <bytes>'");
    char *data = arena_must(ctx->arena, size + 1);
    memset(data, 'x', size);
    for (size_t i = 0; i < messages; i++)
        TRY(wire_send(ctx, call, bytes(data, size)));
    return OK;
}

/* A status with a message that needs encoding, details, and a trailer. */
static inline Status echo_fail(Ctx *ctx, WireCall *call)
{
    wire_set_trailer(call, "echo-trailer", "after");
    wire_set_trailer(call, "echo-bin", "\x01\x02");
    Status s = FAIL(ctx, NOT_FOUND, "file 'ä%%' not found\nin 100%% of the cases ");
    return status_with_any(ctx, s, "type.googleapis.com/google.rpc.ResourceInfo",
                           str_bytes(STR("\x0a\x0apfs:commit")));
}

/* The request metadata "echo-key" and all of "echo-bin", one message each, in a stream. */
static inline Status echo_metadata(Ctx *ctx, WireCall *call)
{
    static const char *const keys[] = { "echo-key", "echo-bin" };
    for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
        const char *value;
        for (size_t i = 0; (value = wire_call_metadata(call, keys[k], i)); i++)
            TRY(wire_send(ctx, call, str_bytes(str(value))));
    }
    return OK;
}

/* Sends "waiting" and then waits for a message that may never come. */
static inline Status echo_wait(Ctx *ctx, WireCall *call)
{
    CLEANUP(buf_done) Buf buf = { 0 };
    bool end;
    TRY(wire_recv(ctx, call, &buf, &end));
    TRY(wire_send(ctx, call, str_bytes(STR("waiting"))));
    TRY(wire_recv(ctx, call, &buf, &end));
    return OK;
}

/* How many nanoseconds the call has left. */
static inline Status echo_deadline(Ctx *ctx, WireCall *call)
{
    int64_t left_ns = ctx->deadline_ns == DEADLINE_NONE ? -1 : ctx->deadline_ns - clock_mono_ns();
    return wire_send(ctx, call,
                     str_bytes(str(text_printf(ctx->arena, "%lld", (long long)left_ns))));
}

/* Answers without having read anything. */
static inline Status echo_early(Ctx *ctx, WireCall *call)
{
    TRY(wire_send(ctx, call, str_bytes(STR("early"))));
    return FAIL(ctx, FAILED_PRECONDITION, "enough");
}

static const EchoMethod echo_methods[] = {
    { "/echo.Echo/Each", echo_each },         { "/echo.Echo/Count", echo_count },
    { "/echo.Echo/Stream", echo_stream },     { "/echo.Echo/Fail", echo_fail },
    { "/echo.Echo/Metadata", echo_metadata }, { "/echo.Echo/Wait", echo_wait },
    { "/echo.Echo/Deadline", echo_deadline }, { "/echo.Echo/Early", echo_early },
};

static inline Status echo_handle(void *self, Ctx *ctx, WireCall *call)
{
    (void)self;
    for (size_t i = 0; i < ARRAY_LEN(echo_methods); i++) {
        if (strcmp(echo_methods[i].path, wire_call_path(call)) == 0)
            return echo_methods[i].run(ctx, call);
    }
    return FAIL(ctx, UNIMPLEMENTED, "unknown method %s", wire_call_path(call));
}
