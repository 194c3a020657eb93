/* log_tail.h - the newest lines of a log, in memory, for who asks the server what it wrote.
 *
 * A ring of bytes: when it is full, the oldest lines go. A reader has a cursor of its own, from 0,
 * and sees each line once; lines that went before it came to them are skipped. All functions: any
 * thread.
 */
#pragma once

#include "base/ctx.h"

typedef struct LogTail LogTail;

LogTail *log_tail_new(size_t bytes_max);
LogTail *log_tail_free(LogTail *tail); /* nobody may use it; NULL is fine */

/* at_ns: wall clock. A line that would fill more than a quarter of the ring is cut. */
void log_tail_add(LogTail *tail, int64_t at_ns, Str line);

typedef struct LogTailLine {
    int64_t at_ns;
    Str text; /* in the ctx's arena */
} LogTailLine;

/* The first line at or after *cursor, which moves past it; false when there is none yet. */
bool log_tail_next(Ctx *ctx, LogTail *tail, uint64_t *cursor, LogTailLine *out);

/* Waits until there is one. Errors: CANCELLED, DEADLINE_EXCEEDED. */
Status log_tail_wait(Ctx *ctx, LogTail *tail, uint64_t cursor);
