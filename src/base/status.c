/* status.c - see status.h and ctx.h. */
#include "base/status.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/ctx.h"

static const StatusInfo infos[STATUS_CODE_COUNT] = {
#define X(name, grpc, http, s3, exit_code, retry) [grpc] = { #name, s3, http, exit_code, retry },
#include "base/status_codes.def"
#undef X
};

const StatusInfo *status_info(StatusCode code)
{
    return &infos[(unsigned)code < STATUS_CODE_COUNT ? code : STATUS_UNKNOWN];
}

const char *status_message(Status s)
{
    return s.detail ? s.detail->message : status_info(s.code)->name;
}

PRINTF_LIKE(2, 0) static char *format_in(Ctx *ctx, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    assert(size >= 0);
    char *text = arena_must(ctx->arena, (size_t)size + 1);
    vsnprintf(text, (size_t)size + 1, format, args);
    return text;
}

static char *join_in(Ctx *ctx, const char *outer, const char *inner)
{
    size_t outer_size = strlen(outer), inner_size = strlen(inner);
    char *text = arena_must(ctx->arena, outer_size + inner_size + 3);
    memcpy(text, outer, outer_size);
    memcpy(text + outer_size, ": ", 2);
    memcpy(text + outer_size + 2, inner, inner_size + 1);
    return text;
}

static Status with_detail(Ctx *ctx, StatusCode code, StatusDetail detail)
{
    assert(code != STATUS_OK);
    return (Status){ code, arena_memdup(ctx->arena, &detail, sizeof(detail)) };
}

Status status_new(Ctx *ctx, StatusCode code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *message = format_in(ctx, format, args);
    va_end(args);
    return with_detail(ctx, code, (StatusDetail){ .message = message });
}

static StatusCode code_of_errno(int error)
{
    switch (error) {
    case ENOENT:
        return STATUS_NOT_FOUND;
    case EEXIST:
        return STATUS_ALREADY_EXISTS;
    case EACCES:
    case EPERM:
        return STATUS_PERMISSION_DENIED;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
        return STATUS_RESOURCE_EXHAUSTED;
    case ETIMEDOUT:
        return STATUS_DEADLINE_EXCEEDED;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case EAGAIN:
        return STATUS_UNAVAILABLE;
    default:
        return STATUS_INTERNAL;
    }
}

Status status_errno(Ctx *ctx, int error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *outer = format_in(ctx, format, args);
    va_end(args);
    char room[128];
    char *reason = arena_strdup(ctx->arena, strerror_r(error, room, sizeof(room)));
    reason[0] = (char)tolower((unsigned char)reason[0]); /* messages are lower case */
    char *message = join_in(ctx, outer, reason);
    return with_detail(ctx, code_of_errno(error), (StatusDetail){ .message = message });
}

Status status_wrap(Ctx *ctx, Status inner, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *outer = format_in(ctx, format, args);
    va_end(args);
    StatusDetail detail = inner.detail ? *inner.detail : (StatusDetail){ 0 };
    detail.message = join_in(ctx, outer, status_message(inner));
    return with_detail(ctx, inner.code, detail);
}

Status status_with_hint(Ctx *ctx, Status inner, const char *hint)
{
    StatusDetail detail = inner.detail ? *inner.detail : (StatusDetail){ 0 };
    detail.message = status_message(inner);
    detail.hint = hint;
    return with_detail(ctx, inner.code, detail);
}

Status status_with_any(Ctx *ctx, Status inner, const char *type_url, Bytes value)
{
    StatusAny *any = ARENA_ONE(ctx->arena, StatusAny);
    any->type_url = type_url;
    any->value = bytes(arena_memdup(ctx->arena, value.data, value.size), value.size);
    StatusDetail detail = inner.detail ? *inner.detail : (StatusDetail){ 0 };
    detail.message = status_message(inner);
    any->next = detail.any;
    detail.any = any;
    return with_detail(ctx, inner.code, detail);
}

Status status_copy(Ctx *ctx, Status s)
{
    if (status_ok(s) || !s.detail)
        return s;
    StatusDetail detail = { .message = arena_strdup(ctx->arena, s.detail->message) };
    if (s.detail->hint)
        detail.hint = arena_strdup(ctx->arena, s.detail->hint);
    Status copy = with_detail(ctx, s.code, detail);
    for (const StatusAny *any = s.detail->any; any; any = any->next)
        copy = status_with_any(ctx, copy, arena_strdup(ctx->arena, any->type_url), any->value);
    return copy;
}
