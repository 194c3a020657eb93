/* log_walk.c - reads logs from a position on, and finds the position of the last n lines.
 *
 * A page of rows is read in a transaction of its own, so that a slow reader holds no snapshot. The
 * order of things: what is gathered is copied first; then segments are read until there are no
 * more; then the copy, as far as its lines were not among the segments.
 */
#include <stdlib.h>

#include "pps/log_priv.h"

#define PAGE_SEGMENTS 32

/* --- cursors ---------------------------------------------------------------------------------- */

static LogSeen *find_seen(const LogCursor *cursor, int64_t job)
{
    for (size_t i = 0; i < cursor->count; i++) {
        if (cursor->seen[i].job == job)
            return &cursor->seen[i];
    }
    return NULL;
}

uint64_t log_cursor_get(const LogCursor *cursor, int64_t job)
{
    const LogSeen *seen = find_seen(cursor, job);
    return seen ? seen->end : 0;
}

void log_cursor_set(LogCursor *cursor, int64_t job, uint64_t end)
{
    LogSeen *seen = find_seen(cursor, job);
    if (seen) {
        seen->end = MAX(seen->end, end);
        return;
    }
    if (cursor->count == cursor->capacity) {
        cursor->capacity = MAX(cursor->capacity * 2, (size_t)8);
        cursor->seen = realloc(cursor->seen, cursor->capacity * sizeof(*cursor->seen));
        if (!cursor->seen)
            abort();
    }
    cursor->seen[cursor->count++] = (LogSeen){ job, end };
}

void log_cursor_done(LogCursor *cursor)
{
    free(cursor->seen);
    *cursor = (LogCursor){ 0 };
}

/* --- forwards --------------------------------------------------------------------------------- */

typedef struct Walk {
    Pps *pps;
    const LogTarget *target;
    int64_t since_ns;
    LogCursor *cursor;
    LogWalkFn fn;
    void *arg;
} Walk;

/* Lines of a piece of a job's stream that were not seen yet. */
static Status walk_lines(Ctx *ctx, Walk *walk, const LogJob *job, Bytes lines, uint64_t begin)
{
    uint64_t seen = log_cursor_get(walk->cursor, job->id);
    for (size_t at = 0; at < lines.size;) {
        ArenaMark mark = arena_mark(ctx->arena);
        bool is_new = begin + at >= seen;
        LogLine line;
        if (!log_line_read(lines, &at, &line))
            return FAIL(ctx, DATA_LOSS, "a log segment of job '%s' is damaged", job->set_id);
        if (is_new && line.ts_ns >= walk->since_ns)
            TRY(walk->fn(walk->arg, ctx, job, &line));
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}

static Status walk_segment(Ctx *ctx, Walk *walk, const LogSegment *segment, Buf *buf)
{
    const LogJob job = { segment->job, segment->set_id, segment->plan };
    uint64_t end = segment->begin + segment->bytes;
    if (log_cursor_get(walk->cursor, job.id) < end) {
        Bytes lines;
        TRY(log_segment_lines(ctx, walk->pps, segment, buf, &lines));
        TRY(walk_lines(ctx, walk, &job, lines, segment->begin));
    }
    walk->cursor->segment = segment->id;
    /* A job with gathered lines too is in the cursor; that of others would only grow it. */
    if (find_seen(walk->cursor, job.id))
        log_cursor_set(walk->cursor, job.id, end);
    return OK;
}

static Status walk_page(Ctx *ctx, Walk *walk, Buf *buf, bool *out_more)
{
    LogSegment *segments;
    size_t n;
    {
        CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
        TRY(pfs_begin_read(ctx, walk->pps->pfs, &tx));
        TRY(log_segments_after(ctx, tx, walk->target, walk->since_ns, walk->cursor->segment,
                               PAGE_SEGMENTS, &segments, &n));
    }
    for (size_t i = 0; i < n; i++)
        TRY(walk_segment(ctx, walk, &segments[i], buf));
    *out_more = n == PAGE_SEGMENTS;
    return OK;
}

static Status walk_segments(Ctx *ctx, Walk *walk)
{
    CLEANUP(buf_done) Buf buf = { 0 };
    for (bool more = true; more;) {
        ArenaMark mark = arena_mark(ctx->arena);
        TRY(walk_page(ctx, walk, &buf, &more));
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}

Status log_job_of(Ctx *ctx, Pps *pps, int64_t id, LogJob *out)
{
    *out = (LogJob){ .id = id, .set_id = "" };
    if (!id)
        return OK;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pps->pfs, &tx));
    PpsJobRow row;
    TRY(pps_job_row(ctx, tx, id, &row));
    out->set_id = arena_strdup(ctx->arena, row.set_id);
    out->plan = row.plan;
    return OK;
}

static Status walk_gathered(Ctx *ctx, Walk *walk, const LogGathered *gathered)
{
    LogJob job;
    Status s = log_job_of(ctx, walk->pps, gathered->job, &job);
    if (s.code == STATUS_NOT_FOUND) /* it was deleted */
        return OK;
    TRY(s);
    TRY(walk_lines(ctx, walk, &job, buf_bytes(&gathered->lines), gathered->begin));
    log_cursor_set(walk->cursor, job.id, gathered->begin + gathered->lines.size);
    return OK;
}

/* Only jobs with gathered lines stay in the cursor: of all others everything was in segments before
 * these were read. */
static void keep_open_jobs(LogCursor *cursor, const LogGatheredList *open)
{
    size_t kept = 0;
    for (size_t i = 0; i < cursor->count; i++) {
        for (size_t o = 0; o < open->count; o++) {
            if (open->items[o].job == cursor->seen[i].job) {
                cursor->seen[kept++] = cursor->seen[i];
                break;
            }
        }
    }
    cursor->count = kept;
}

Status log_walk(Ctx *ctx, Pps *pps, const LogTarget *target, int64_t since_ns, LogCursor *cursor,
                LogWalkFn fn, void *arg)
{
    Walk walk = { pps, target, since_ns, cursor, fn, arg };
    CLEANUP(log_gathered_done) LogGatheredList open;
    log_book_copy(pps->log, target, cursor, &open);
    for (size_t i = 0; i < open.count; i++)
        log_cursor_set(cursor, open.items[i].job, 0);
    TRY(walk_segments(ctx, &walk));
    keep_open_jobs(cursor, &open);
    for (size_t i = 0; i < open.count; i++) {
        ArenaMark mark = arena_mark(ctx->arena);
        TRY(walk_gathered(ctx, &walk, &open.items[i]));
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}
