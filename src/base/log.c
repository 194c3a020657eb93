/* log.c - see log.h. A line is built whole and written with one call, so that lines never mix. */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

static _Atomic int current_level = LOG_LEVEL_INFO;
static _Atomic bool as_json;
static LogTail *_Atomic current_tail;

static const char *const level_names[] = { "debug", "info", "warn", "error", "off" };

void log_set_level(LogLevel level)
{
    atomic_store(&current_level, (int)level);
}

LogLevel log_level(void)
{
    return (LogLevel)atomic_load_explicit(&current_level, memory_order_relaxed);
}

bool log_parse_level(const char *name, LogLevel *out)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *out = (LogLevel)i;
            return true;
        }
    }
    return false;
}

void log_set_json(bool json)
{
    atomic_store(&as_json, json);
}

void log_set_tail(LogTail *tail)
{
    atomic_store(&current_tail, tail);
}

static void add_time(Buf *line, int64_t now)
{
    time_t seconds = (time_t)(now / NS_PER_SEC);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    char text[32];
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    buf_printf(line, "%s.%03dZ", text, (int)(now % NS_PER_SEC / NS_PER_MS));
}

static void add_scopes_json(Buf *line, Arena *arena, const LogScope *scope)
{
    for (; scope; scope = scope->outer)
        buf_printf(line, ",\"%s\":%s", scope->key, text_quote(arena, str(scope->value)));
}

void log_line(const Ctx *ctx, LogLevel level, const char *message, const char *fields, ...)
{
    va_list args;
    va_start(args, fields);
    CLEANUP(arena_freep) Arena *arena = arena_new(1 * MiB);
    char *more = text_vprintf(arena, fields, args);
    va_end(args);
    const LogScope *scope = ctx ? ctx->log : NULL;

    const int64_t now_ns = clock_wall_ns();
    Buf line = { 0 };
    if (atomic_load(&as_json)) {
        buf_printf(&line, "{\"ts\":\"");
        add_time(&line, now_ns);
        buf_printf(&line, "\",\"severity\":\"%s\",\"message\":%s,\"fields\":%s", level_names[level],
                   text_quote(arena, str(message)), text_quote(arena, str(more)));
        add_scopes_json(&line, arena, scope);
        buf_add_str(&line, STR("}\n"));
    } else {
        add_time(&line, now_ns);
        buf_printf(&line, " %-5s %s%s%s", level_names[level], message, *more ? " " : "", more);
        for (; scope; scope = scope->outer)
            buf_printf(&line, " %s=%s", scope->key, scope->value);
        buf_add_u8(&line, '\n');
    }
    ssize_t ignored = write(STDERR_FILENO, line.data, line.size);
    (void)ignored;
    LogTail *tail = atomic_load(&current_tail);
    if (tail)
        log_tail_add(tail, now_ns, str_sub(buf_str(&line), 0, line.size - 1));
    buf_done(&line);
}
