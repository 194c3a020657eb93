/* log_book.c - lines that are gathered in memory until they become segments.
 *
 * book->lock guards the list of open logs and their lines; it is never held during I/O. A log's
 * lines are taken out for a segment into `flushing`, where readers still see them, and go when
 * their row is durable; meanwhile new ones gather in `lines`. begin ≤ end of flushing = begin of
 * lines: both are parts of one stream. A log without lines is not in the list.
 */
#include <stdlib.h>

#include "base/event.h"
#include "base/log.h"
#include "base/thread.h"
#include "pps/log_priv.h"

typedef struct OpenLog {
    int64_t pipeline, job;
    uint64_t begin; /* of flushing, else of lines, in the job's stream */
    Buf flushing;   /* being written; empty when no flush runs */
    Buf lines;      /* being gathered */
    struct OpenLog *next;
} OpenLog;

struct LogBook {
    Pps *pps;
    PpsLogLimits limits;
    pthread_mutex_t lock;
    pthread_cond_t flushed;
    OpenLog *open;
    uint64_t end_max; /* of any stream: what begins anew begins after all that anyone has seen */
};

struct PpsLogBatch {
    OpenLog *log; /* stays while it has lines in flushing */
    PpsLogLimits limits;
    LogSegment *segments;
    size_t count;
    Arena *arena; /* holds segments */
};

static void free_open(OpenLog *log)
{
    buf_done(&log->flushing);
    buf_done(&log->lines);
    free(log);
}

LogBook *logbook_new(Pps *pps)
{
    LogBook *book = calloc(1, sizeof(*book));
    if (!book)
        abort();
    book->pps = pps;
    pthread_mutex_init(&book->lock, NULL);
    pthread_cond_init(&book->flushed, NULL);
    return book;
}

static OpenLog *find_open(LogBook *book, int64_t pipeline, int64_t job)
{
    for (OpenLog *log = book->open; log; log = log->next) {
        if (log->job == job && log->pipeline == pipeline)
            return log;
    }
    return NULL;
}

static void unlink_open(LogBook *book, OpenLog *log)
{
    OpenLog **at = &book->open;
    while (*at != log)
        at = &(*at)->next;
    *at = log->next;
    free_open(log);
}

LogBook *logbook_free(LogBook *book)
{
    if (!book)
        return NULL;
    while (book->open) {
        CLEANUP(ctx_done) Ctx ctx;
        ctx_init(&ctx);
        int64_t pipeline = book->open->pipeline, job = book->open->job;
        Status s = pps_log_flush(&ctx, book->pps, pipeline, job);
        if (status_ok(s))
            continue;
        LOG_WARN(&ctx, "lost log lines", "job=%lld reason=%s", (long long)job, status_message(s));
        OpenLog *log = find_open(book, pipeline, job);
        if (log)
            unlink_open(book, log);
    }
    pthread_cond_destroy(&book->flushed);
    pthread_mutex_destroy(&book->lock);
    free(book);
    return NULL;
}

void pps_log_limit(Pps *pps, const PpsLogLimits *limits)
{
    LOCKED(&pps->log->lock);
    pps->log->limits = *limits;
}

PpsLogLimits logbook_limits(LogBook *book)
{
    LOCKED(&book->lock);
    return book->limits;
}

/* --- taking lines in -------------------------------------------------------------------------- */

static OpenLog *link_open(LogBook *book, const PpsLogLine *line, uint64_t stored_end)
{
    OpenLog *log = calloc(1, sizeof(*log));
    if (!log)
        abort();
    log->pipeline = line->pipeline;
    log->job = line->job;
    log->begin = MAX(stored_end, book->end_max);
    log->next = book->open;
    book->open = log;
    return log;
}

static Status stored_end_of(Ctx *ctx, LogBook *book, const PpsLogLine *line, uint64_t *out)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, book->pps->pfs, &tx));
    return log_stream_end(ctx, tx, line->job, line->pipeline, out);
}

static bool is_open(LogBook *book, const PpsLogLine *line)
{
    LOCKED(&book->lock);
    return find_open(book, line->pipeline, line->job) != NULL;
}

/* Gathers lines[n] of one job; true when it has enough for a segment. */
static bool gather(LogBook *book, const PpsLogLine *lines, size_t n, uint64_t stored_end)
{
    LOCKED(&book->lock);
    OpenLog *log = find_open(book, lines->pipeline, lines->job);
    if (!log)
        log = link_open(book, lines, stored_end);
    for (size_t i = 0; i < n; i++) {
        const LogLine line = log_line_of(&lines[i]);
        log_line_add(&log->lines, &line);
    }
    book->end_max = MAX(book->end_max, log->begin + log->flushing.size + log->lines.size);
    return log->lines.size >= LOG_SEGMENT_BYTES;
}

static Status take_in(Ctx *ctx, Pps *pps, const PpsLogLine *lines, size_t n)
{
    uint64_t stored_end = 0;
    if (!is_open(pps->log, lines))
        TRY(stored_end_of(ctx, pps->log, lines, &stored_end));
    bool is_full = gather(pps->log, lines, n, stored_end);
    EventBus *bus = db_events(pfs_db(pps->pfs));
    event_publish(bus, pps_topic_logs(lines->job));
    event_publish(bus, pps_topic_pipeline_logs(lines->pipeline));
    return is_full ? pps_log_flush(ctx, pps, lines->pipeline, lines->job) : OK;
}

void pps_log(Ctx *ctx, Pps *pps, const PpsLogLine *lines, size_t n)
{
    for (size_t at = 0, end; at < n; at = end) {
        for (end = at + 1; end < n && lines[end].job == lines[at].job &&
                           lines[end].pipeline == lines[at].pipeline;)
            end++;
        ArenaMark mark = arena_mark(ctx->arena);
        Status s = take_in(ctx, pps, lines + at, end - at);
        if (!status_ok(s))
            LOG_WARN(ctx, "could not store log lines", "job=%lld reason=%s",
                     (long long)lines[at].job, status_message(s));
        arena_rewind(ctx->arena, mark);
    }
}

/* --- flushing --------------------------------------------------------------------------------- */

/* Takes what was gathered into `flushing`, after any flush that runs has ended; NULL when there is
 * nothing. */
static OpenLog *take_lines(LogBook *book, int64_t pipeline, int64_t job)
{
    LOCKED(&book->lock);
    OpenLog *log = find_open(book, pipeline, job);
    while (log && log->flushing.size) {
        pthread_cond_wait(&book->flushed, &book->lock);
        log = find_open(book, pipeline, job);
    }
    if (!log)
        return NULL;
    log->flushing = log->lines;
    log->lines = (Buf){ 0 };
    return log;
}

static Status make_segments(PpsLogBatch *batch, Pps *pps, const Ctx *of)
{
    Ctx into = *of;
    into.arena = batch->arena;
    /* Who took them is the only one to change flushing. */
    TRY(log_segments_make(&into, pps, buf_bytes(&batch->log->flushing), &batch->segments,
                          &batch->count));
    uint64_t begin = batch->log->begin;
    for (size_t i = 0; i < batch->count; i++) {
        batch->segments[i].pipeline = batch->log->pipeline;
        batch->segments[i].job = batch->log->job;
        batch->segments[i].begin = begin;
        begin += batch->segments[i].bytes;
    }
    return OK;
}

Status pps_log_take(Ctx *ctx, Pps *pps, int64_t pipeline, int64_t job, PpsLogBatch **out)
{
    *out = NULL;
    OpenLog *log = take_lines(pps->log, pipeline, job);
    if (!log)
        return OK;
    PpsLogBatch *batch = calloc(1, sizeof(*batch));
    if (!batch)
        abort();
    batch->log = log;
    batch->arena = arena_new(0);
    batch->limits = logbook_limits(pps->log);
    Status s = make_segments(batch, pps, ctx);
    if (!status_ok(s)) {
        s = status_copy(ctx, s);
        pps_log_settle(pps, batch, false);
        return s;
    }
    *out = batch;
    return OK;
}

Status pps_log_write(Ctx *ctx, PfsTx *tx, const PpsLogBatch *batch)
{
    return batch ? log_segments_add(ctx, tx, &batch->limits, batch->segments, batch->count) : OK;
}

/* What could not be written is gathered again, unless that would be too much. */
static void take_back(OpenLog *log)
{
    if (log->flushing.size + log->lines.size > LOG_GATHERED_MAX) {
        log->begin += log->flushing.size;
        buf_done(&log->flushing);
        return;
    }
    buf_add_bytes(&log->flushing, buf_bytes(&log->lines));
    buf_done(&log->lines);
    log->lines = log->flushing;
    log->flushing = (Buf){ 0 };
}

void pps_log_settle(Pps *pps, PpsLogBatch *batch, bool written)
{
    if (!batch)
        return;
    LogBook *book = pps->log;
    OpenLog *log = batch->log;
    {
        LOCKED(&book->lock);
        if (written) {
            log->begin += log->flushing.size;
            buf_done(&log->flushing);
        } else {
            take_back(log);
        }
        if (!log->lines.size)
            unlink_open(book, log);
        pthread_cond_broadcast(&book->flushed);
    }
    arena_free(batch->arena);
    free(batch);
}

static bool has_blobs(const PpsLogBatch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (!hash_is_zero(&batch->segments[i].blob))
            return true;
    }
    return false;
}

static Status write_batch(Ctx *ctx, Pps *pps, const PpsLogBatch *batch)
{
    if (has_blobs(batch))
        TRY(store_sync(ctx, pfs_store(pps->pfs)));
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pps->pfs, NULL, &tx));
    TRY(pps_log_write(ctx, tx, batch));
    return pfs_commit(ctx, STEAL(tx));
}

Status pps_log_flush(Ctx *ctx, Pps *pps, int64_t pipeline, int64_t job)
{
    PpsLogBatch *batch;
    TRY(pps_log_take(ctx, pps, pipeline, job, &batch));
    if (!batch)
        return OK;
    Status s = write_batch(ctx, pps, batch);
    pps_log_settle(pps, batch, status_ok(s));
    return s;
}

/* --- reading ---------------------------------------------------------------------------------- */

void log_gathered_done(LogGatheredList *list)
{
    for (size_t i = 0; i < list->count; i++)
        buf_done(&list->items[i].lines);
    free(list->items);
    *list = (LogGatheredList){ 0 };
}

/* The part of a stream's piece, which begins at `begin`, from `seen` on. */
static Bytes unseen(Bytes piece, uint64_t begin, uint64_t seen)
{
    size_t skip = seen <= begin ? 0 : (size_t)MIN(seen - begin, (uint64_t)piece.size);
    return bytes(piece.data + skip, piece.size - skip);
}

static void copy_log(const OpenLog *log, uint64_t seen, LogGatheredList *out)
{
    uint64_t lines_begin = log->begin + log->flushing.size;
    LogGathered *items = realloc(out->items, (out->count + 1) * sizeof(*items));
    if (!items)
        abort();
    out->items = items;
    LogGathered *copy = &items[out->count++];
    *copy = (LogGathered){ .job = log->job };
    copy->begin = MIN(MAX(seen, log->begin), lines_begin + log->lines.size);
    if (log->flushing.size)
        buf_add_bytes(&copy->lines, unseen(buf_bytes(&log->flushing), log->begin, seen));
    if (log->lines.size)
        buf_add_bytes(&copy->lines, unseen(buf_bytes(&log->lines), lines_begin, seen));
}

void log_book_copy(LogBook *book, const LogTarget *target, const LogCursor *cursor,
                   LogGatheredList *out)
{
    *out = (LogGatheredList){ 0 };
    LOCKED(&book->lock);
    for (const OpenLog *log = book->open; log; log = log->next) {
        if (log->pipeline == target->pipeline && (target->job < 0 || log->job == target->job))
            copy_log(log, log_cursor_get(cursor, log->job), out);
    }
}
