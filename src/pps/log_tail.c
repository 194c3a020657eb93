/* log_tail.c - the position of the last n lines: backwards over what is gathered, then over
 * segments, until there are enough. */
#include "pps/log_priv.h"

#define PAGE_SEGMENTS 8

typedef struct Tail {
    Pps *pps;
    const LogTarget *target;
    int64_t since_ns;
    uint64_t wanted; /* lines still to be found */
    LogPassesFn passes;
    void *arg;
    LogCursor *cursor;
} Tail;

/* Where in a piece of a stream its last `wanted` lines that count begin; all of it when it has no
 * more. */
static Status find_in(Ctx *ctx, Tail *tail, const LogJob *job, Bytes lines, size_t *out_at)
{
    CLEANUP(buf_done) Buf found = { 0 };
    for (size_t at = 0; at < lines.size;) {
        ArenaMark mark = arena_mark(ctx->arena);
        const size_t begin = at;
        LogLine line;
        if (!log_line_read(lines, &at, &line))
            return FAIL(ctx, DATA_LOSS, "a log segment of job '%s' is damaged", job->set_id);
        bool counts = line.ts_ns >= tail->since_ns;
        if (counts)
            TRY(tail->passes(tail->arg, ctx, job, &line, &counts));
        if (counts)
            buf_add(&found, &begin, sizeof(begin));
        arena_rewind(ctx->arena, mark);
    }
    size_t count = found.size / sizeof(size_t);
    *out_at = 0;
    if (count >= tail->wanted)
        memcpy(out_at, found.data + (count - tail->wanted) * sizeof(size_t), sizeof(*out_at));
    tail->wanted -= MIN(tail->wanted, (uint64_t)count);
    return OK;
}

/* Gathered lines, the last log first: logs before the one where the tail begins were seen whole. */
static Status look_gathered(Ctx *ctx, Tail *tail, const LogGatheredList *open)
{
    for (size_t i = open->count; i-- > 0;) {
        const LogGathered *gathered = &open->items[i];
        uint64_t end = gathered->begin + gathered->lines.size;
        LogJob job;
        Status s = log_job_of(ctx, tail->pps, gathered->job, &job);
        if (s.code == STATUS_NOT_FOUND)
            continue;
        TRY(s);
        if (!tail->wanted) {
            log_cursor_set(tail->cursor, job.id, end);
            continue;
        }
        size_t at;
        TRY(find_in(ctx, tail, &job, buf_bytes(&gathered->lines), &at));
        if (!tail->wanted)
            log_cursor_set(tail->cursor, job.id, gathered->begin + at);
    }
    return OK;
}

/* Where the job's gathered lines begin: what a segment has from there on was counted already. */
static uint64_t gathered_begin(const LogGatheredList *open, int64_t job)
{
    for (size_t i = 0; i < open->count; i++) {
        if (open->items[i].job == job)
            return open->items[i].begin;
    }
    return UINT64_MAX;
}

static Status look_segment(Ctx *ctx, Tail *tail, const LogSegment *segment,
                           const LogGatheredList *open, Buf *buf)
{
    uint64_t until = gathered_begin(open, segment->job);
    if (until <= segment->begin)
        return OK;
    const LogJob job = { segment->job, segment->set_id, segment->plan };
    Bytes lines;
    TRY(log_segment_lines(ctx, tail->pps, segment, buf, &lines));
    lines.size = (size_t)MIN((uint64_t)lines.size, until - segment->begin);
    size_t at;
    TRY(find_in(ctx, tail, &job, lines, &at));
    tail->cursor->segment = segment->id - 1;
    if (!tail->wanted && at)
        log_cursor_set(tail->cursor, job.id, segment->begin + at);
    return OK;
}

static Status look_page(Ctx *ctx, Tail *tail, const LogGatheredList *open, int64_t *before,
                        Buf *buf, bool *out_more)
{
    LogSegment *segments;
    size_t n;
    {
        CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
        TRY(pfs_begin_read(ctx, tail->pps->pfs, &tx));
        TRY(log_segments_before(ctx, tx, tail->target, tail->since_ns, *before, PAGE_SEGMENTS,
                                &segments, &n));
    }
    for (size_t i = 0; i < n && tail->wanted; i++) {
        TRY(look_segment(ctx, tail, &segments[i], open, buf));
        *before = segments[i].id;
    }
    *out_more = n == PAGE_SEGMENTS && tail->wanted;
    return OK;
}

static Status look_back(Ctx *ctx, Tail *tail, const LogGatheredList *open)
{
    CLEANUP(buf_done) Buf buf = { 0 };
    TRY(look_gathered(ctx, tail, open));
    int64_t before = tail->cursor->segment + 1;
    for (bool more = tail->wanted > 0; more;) {
        ArenaMark mark = arena_mark(ctx->arena);
        TRY(look_page(ctx, tail, open, &before, &buf, &more));
        arena_rewind(ctx->arena, mark);
    }
    if (tail->wanted)
        tail->cursor->segment = 0;
    return OK;
}

/* Segments newer than the newest of before are not counted but read: they came meanwhile. */
Status log_seek_tail(Ctx *ctx, Pps *pps, const LogTarget *target, int64_t since_ns, uint64_t n,
                     LogPassesFn passes, void *arg, LogCursor *out)
{
    Tail tail = { pps, target, since_ns, n, passes, arg, out };
    {
        CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
        TRY(pfs_begin_read(ctx, pps->pfs, &tx));
        TRY(log_newest(ctx, tx, target, &out->segment));
    }
    CLEANUP(log_gathered_done) LogGatheredList open;
    const LogCursor nothing = { 0 };
    log_book_copy(pps->log, target, &nothing, &open);
    return look_back(ctx, &tail, &open);
}
