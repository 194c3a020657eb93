/* log.h - one line an event, key=value or JSON, on standard error.
 *
 * Levels mean an action: ERROR someone must look, WARN we coped, INFO state changed, DEBUG
 * anything. Log once, at the border that handles the error. Any thread.
 *
 *   LOG_INFO(ctx, "server ready", "listen=%s", address);
 */
#pragma once

#include "base/ctx.h"
#include "base/log_tail.h"

typedef enum LogLevel {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARN,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_OFF
} LogLevel;

/* Fields every line of a request carries, innermost first. */
struct LogScope {
    const char *key;
    const char *value;
    const LogScope *outer;
};

void log_set_level(LogLevel level);
LogLevel log_level(void);
bool log_parse_level(const char *name, LogLevel *out);
void log_set_json(bool json);
/* Lines are kept there, too. NULL: nowhere; then no other thread may be logging. */
void log_set_tail(LogTail *tail);
void log_line(const Ctx *ctx, LogLevel level, const char *message, const char *fields, ...)
    PRINTF_LIKE(4, 5);

#define LOG_AT(ctx, level, message, ...)                                                           \
    do {                                                                                           \
        if ((level) >= log_level())                                                                \
            log_line((ctx), (level), (message), "" __VA_ARGS__);                                   \
    } while (0)
#define LOG_DEBUG(ctx, message, ...) LOG_AT(ctx, LOG_LEVEL_DEBUG, message, __VA_ARGS__)
#define LOG_INFO(ctx, message, ...)  LOG_AT(ctx, LOG_LEVEL_INFO, message, __VA_ARGS__)
#define LOG_WARN(ctx, message, ...)  LOG_AT(ctx, LOG_LEVEL_WARN, message, __VA_ARGS__)
#define LOG_ERROR(ctx, message, ...) LOG_AT(ctx, LOG_LEVEL_ERROR, message, __VA_ARGS__)
