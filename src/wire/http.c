/* http.c - see http.h: the handler's side of an HTTP request, whichever protocol carries it. */
#include "wire/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "wire/call_priv.h"

const char *wire_http_method(const WireHttp *http)
{
    return http->method;
}

const char *wire_http_target(const WireHttp *http)
{
    return http->path;
}

const char *wire_http_host(const WireHttp *http)
{
    return http->authority;
}

const char *wire_http_peer(const WireHttp *http)
{
    return http->peer;
}

const char *wire_http_header(const WireHttp *http, const char *name, size_t nth)
{
    return fields_get(&http->headers, name, nth);
}

bool wire_http_header_at(const WireHttp *http, size_t index, const char **out_name,
                         const char **out_value)
{
    const Field *field = http->headers.head;
    while (field && index--)
        field = field->next;
    if (!field)
        return false;
    *out_name = field->name;
    *out_value = field->value;
    return true;
}

int64_t wire_http_body_size(const WireHttp *http)
{
    return http->body_size;
}

Status wire_http_read(Ctx *ctx, WireHttp *http, void *out, size_t capacity, size_t *out_size)
{
    *out_size = 0;
    if (!http->current)
        TRY(call_next_block(ctx, http));
    InBlock *block = http->current;
    if (!block)
        return OK;
    *out_size = MIN(capacity, block->bytes.size - block->at);
    memcpy(out, block->bytes.data + block->at, *out_size);
    block->at += *out_size;
    if (block->at == block->bytes.size)
        call_retire_block(http);
    return OK;
}

/* A line break in a value would begin another header. */
static char *one_line(Arena *arena, const char *value)
{
    char *line = arena_strdup(arena, value);
    for (char *c = line; *c; c++) {
        if (*c == '\r' || *c == '\n')
            *c = ' ';
    }
    return line;
}

static char *lower(Arena *arena, const char *name)
{
    char *text = arena_strdup(arena, name);
    for (char *c = text; *c; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
    return text;
}

void wire_http_set_header(WireHttp *http, const char *name, const char *value)
{
    Arena *arena = http->ctx.arena;
    fields_add(arena, &http->trailers, str(lower(arena, name)), str(one_line(arena, value)));
}

bool call_has_answer(WireCall *call)
{
    LOCKED(&call->lock);
    return call->answered;
}

static char *http_date(Arena *arena)
{
    time_t now = (time_t)(clock_wall_ns() / NS_PER_SEC);
    struct tm utc;
    char *text = arena_must(arena, 32);
    strftime(text, 32, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &utc));
    return text;
}

/* Status line, length, then what was set: the answer's head, in http->answer. */
static void make_head(WireHttp *http, int status, int64_t body_size)
{
    Arena *arena = http->ctx.arena;
    fields_add(arena, &http->answer, STR(":status"), str(text_printf(arena, "%d", status)));
    if (body_size >= 0 && status != 204)
        fields_add(arena, &http->answer, STR("content-length"),
                   str(text_printf(arena, "%lld", (long long)body_size)));
    if (!fields_get(&http->trailers, "date", 0))
        fields_add(arena, &http->answer, STR("date"), str(http_date(arena)));
    fields_join(&http->answer, &http->trailers);
    http->answer_left = body_size;
    http->no_body = strcmp(http->method, "HEAD") == 0 || status == 204 || status == 304;
}

Status wire_http_respond(Ctx *ctx, WireHttp *http, int status, int64_t body_size)
{
    assert(!http->answer.head);
    make_head(http, status, body_size);
    TRY(ctx_check(ctx));
    LOCKED(&http->lock);
    http->answered = true;
    /* A body that is known comes at once, and takes the head with it. */
    if (body_size <= 0 || http->no_body)
        call_post(http);
    return OK;
}

bool wire_http_answered(const WireHttp *http)
{
    return http->answer.head != NULL;
}

Status wire_http_write(Ctx *ctx, WireHttp *http, Bytes body)
{
    assert(http->answer.head);
    if (http->no_body || !body.size)
        return ctx_check(ctx);
    if (http->answer_left >= 0) {
        if (body.size > (uint64_t)http->answer_left)
            return FAIL(ctx, INTERNAL, "answer to %s %s is longer than it said", http->method,
                        http->path);
        http->answer_left -= (int64_t)body.size;
    }
    return call_write(ctx, http, (Bytes){ 0 }, body);
}

Status wire_http_answer(Ctx *ctx, WireHttp *http, int status, const char *content_type, Bytes body)
{
    if (content_type)
        wire_http_set_header(http, "content-type", content_type);
    TRY(wire_http_respond(ctx, http, status, (int64_t)body.size));
    return wire_http_write(ctx, http, body);
}

static void make_error(WireHttp *http, Status why, Bytes *out_body)
{
    char *text = text_printf(http->ctx.arena, "%s\n", status_message(why));
    http->trailers = (Fields){ 0 };
    wire_http_set_header(http, "content-type", "text/plain; charset=utf-8");
    *out_body = str_bytes(str(text));
}

void http_refuse(WireHttp *http, Status why)
{
    Bytes body;
    make_error(http, why, &body);
    make_head(http, status_info(why.code)->http, (int64_t)body.size);
    LOCKED(&http->lock);
    http->answered = true;
    if (!http->no_body)
        out_queue_add(&http->out.queue, body);
}

Status http_run(Ctx *ctx, WireHttp *http, const WireHttpHandler *handler)
{
    Status s =
        handler ? handler->handle(handler->self, ctx, http) : FAIL(ctx, NOT_FOUND, "not found");
    if (status_ok(s) && !http->answer.head)
        s = FAIL(ctx, INTERNAL, "no answer to %s %s", http->method, http->path);
    if (status_ok(s) && http->answer_left > 0 && !http->no_body)
        s = FAIL(ctx, INTERNAL, "answer to %s %s is shorter than it said", http->method,
                 http->path);
    if (status_ok(s) || http->answer.head)
        return s;
    http_refuse(http, s);
    return OK;
}
