/* server_log.c - GetLogs of neither a pipeline nor a job (§25.2): what the server itself logged, as
 * far as it is kept in memory. Only the message of a line is filled in, as clients know it. */
#include "api/api_priv.h"

#include "base/clock.h"
#include "codec/pbtime.h"

static Status check(Ctx *ctx, const PpsV2__GetLogsRequest *r)
{
    if (r->n_data_filters || r->datum)
        return FAIL(ctx, UNKNOWN,
                    "must specify the Job or Pipeline that the datum is from to get logs for it");
    if (r->since && pb_duration_ns(r->since) < 0)
        return FAIL(ctx, INVALID_ARGUMENT, "since must not be negative");
    return r->tail < 0 ? FAIL(ctx, INVALID_ARGUMENT, "tail must not be negative") : OK;
}

typedef struct Reading {
    Call *call;
    LogTail *log;
    uint64_t cursor;
    int64_t since_ns;
} Reading;

/* Skips all but the newest `tail` lines. */
static void seek_tail(Reading *reading, int64_t tail)
{
    Ctx *ctx = reading->call->ctx;
    ArenaMark mark = arena_mark(ctx->arena);
    LogTailLine line;
    int64_t n = 0;
    for (uint64_t at = 0; log_tail_next(ctx, reading->log, &at, &line); n++)
        arena_rewind(ctx->arena, mark);
    for (; n > tail && log_tail_next(ctx, reading->log, &reading->cursor, &line); n--)
        arena_rewind(ctx->arena, mark);
}

static Status send_lines(Reading *reading)
{
    Ctx *ctx = reading->call->ctx;
    ArenaMark mark = arena_mark(ctx->arena);
    LogTailLine line;
    while (log_tail_next(ctx, reading->log, &reading->cursor, &line)) {
        PpsV2__LogMessage message;
        pps_v2__log_message__init(&message);
        message.message = (char *)(uintptr_t)line.text.data;
        if (line.at_ns >= reading->since_ns)
            TRY(call_send(reading->call, &message.base));
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}

Status server_log(Call *call, const PpsV2__GetLogsRequest *request)
{
    Reading reading = { .call = call, .log = call->api->config.log };
    TRY(check(call->ctx, request));
    if (request->since) /* all that is kept is young: there is no other limit */
        reading.since_ns = clock_wall_ns() - pb_duration_ns(request->since);
    if (request->tail)
        seek_tail(&reading, request->tail);
    TRY(send_lines(&reading));
    while (request->follow) {
        TRY(log_tail_wait(call->ctx, reading.log, reading.cursor));
        TRY(send_lines(&reading));
    }
    return OK;
}
