/* log_rows.c - segments of logs: their rows and blobs, and what limits them.
 *
 * pps_log_use has the sum of a pipeline's segment bytes, changed in the transaction that adds or
 * deletes them: to know whether there is too much costs one lookup.
 */
#include "pps/log_priv.h"

#define SWEEP_ROWS_MAX                                                                             \
    256 /* deleted in one transaction: writers that wait behind it wait briefly */

/* --- making ----------------------------------------------------------------------------------- */

static Status keep_lines(Ctx *ctx, Pps *pps, LogSegment *segment, Bytes lines)
{
    if (lines.size > LOG_INLINE_BYTES)
        return store_put(ctx, pfs_store(pps->pfs), lines, NULL, &segment->blob);
    segment->body = bytes(arena_memdup(ctx->arena, lines.data, lines.size), lines.size);
    return OK;
}

/* From *at to where the segment is large enough; moves *at. */
static Status make_one(Ctx *ctx, Pps *pps, Bytes lines, size_t *at, LogSegment *out)
{
    *out = (LogSegment){ .set_id = "" };
    size_t begin = *at;
    LogLine line;
    while (*at < lines.size && *at - begin < LOG_SEGMENT_BYTES) {
        if (!log_line_read(lines, at, &line))
            return FAIL(ctx, INTERNAL, "gathered log lines are damaged");
        out->first_ts_ns = out->lines++ ? MIN(out->first_ts_ns, line.ts_ns) : line.ts_ns;
        out->last_ts_ns = MAX(out->last_ts_ns, line.ts_ns);
    }
    out->bytes = *at - begin;
    return keep_lines(ctx, pps, out, bytes(lines.data + begin, *at - begin));
}

Status log_segments_make(Ctx *ctx, Pps *pps, Bytes lines, LogSegment **out, size_t *out_n)
{
    size_t n = 0, capacity = lines.size / LOG_SEGMENT_BYTES + 1;
    LogSegment *segments = ARENA_NEW(ctx->arena, LogSegment, capacity);
    if (!segments)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t at = 0; at < lines.size; n++)
        TRY(make_one(ctx, pps, lines, &at, &segments[n]));
    *out = segments;
    *out_n = n;
    return OK;
}

/* --- what a pipeline uses --------------------------------------------------------------------- */

static Status add_use(Ctx *ctx, DbTx *db, int64_t pipeline, int64_t bytes)
{
    return db_exec(
        ctx, db, NULL,
        "INSERT INTO pps_log_use (pipeline, bytes) VALUES (?, ?) "
        "ON CONFLICT (pipeline) DO UPDATE SET bytes = pps_log_use.bytes + excluded.bytes",
        "ii", pipeline, bytes);
}

static Status delete_segment(Ctx *ctx, DbTx *db, int64_t id, int64_t pipeline, int64_t bytes)
{
    TRY(db_exec(ctx, db, NULL, "DELETE FROM pps_log_segment WHERE id = ?", "i", id));
    return add_use(ctx, db, pipeline, -bytes);
}

/* Deletes the pipeline's oldest segment but never its only one. */
static Status delete_oldest(Ctx *ctx, DbTx *db, int64_t pipeline, int64_t *out_bytes)
{
    *out_bytes = 0;
    int64_t ids[2], sizes[2];
    size_t n = 0;
    {
        CLEANUP(db_rows_done) DbRows rows = { 0 };
        TRY(db_query(ctx, db, &rows,
                     "SELECT id, bytes FROM pps_log_segment WHERE pipeline = ? ORDER BY id LIMIT 2",
                     "i", pipeline));
        for (bool more = true; n < ARRAY_LEN(ids); n++) {
            TRY(db_next(ctx, &rows, &more));
            if (!more)
                return OK;
            ids[n] = db_int(&rows, 0);
            sizes[n] = db_int(&rows, 1);
        }
    }
    *out_bytes = sizes[0];
    return delete_segment(ctx, db, ids[0], pipeline, sizes[0]);
}

static Status trim(Ctx *ctx, DbTx *db, int64_t pipeline, int64_t bytes_max)
{
    if (!bytes_max)
        return OK;
    int64_t used, freed = 1;
    Status s = db_query_int(ctx, db, &used, "SELECT bytes FROM pps_log_use WHERE pipeline = ?", "i",
                            pipeline);
    if (s.code == STATUS_NOT_FOUND)
        return OK;
    TRY(s);
    for (; used > bytes_max && freed > 0; used -= freed)
        TRY(delete_oldest(ctx, db, pipeline, &freed));
    return OK;
}

/* --- adding ----------------------------------------------------------------------------------- */

static Status add_segment(Ctx *ctx, DbTx *db, const LogSegment *segment)
{
    int64_t id;
    TRY(db_next_id(ctx, db, "log_segment", &id));
    TRY(db_exec(ctx, db, NULL,
                "INSERT INTO pps_log_segment (id, pipeline, job, begin_at, bytes, lines, first_ts, "
                "last_ts, body, blob) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                "iiiiiiiibh", id, segment->pipeline, segment->job, (int64_t)segment->begin,
                (int64_t)segment->bytes, segment->lines, segment->first_ts_ns, segment->last_ts_ns,
                segment->body, &segment->blob));
    return add_use(ctx, db, segment->pipeline, (int64_t)segment->bytes);
}

/* A job or pipeline that was deleted while it ran has no log. */
static Status is_there(Ctx *ctx, DbTx *db, const LogSegment *segment, bool *out)
{
    int64_t one;
    Status s = segment->job ? db_query_int(ctx, db, &one, "SELECT 1 FROM pps_job WHERE id = ?", "i",
                                           segment->job)
                            : db_query_int(ctx, db, &one, "SELECT 1 FROM pps_pipeline WHERE id = ?",
                                           "i", segment->pipeline);
    *out = status_ok(s);
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

Status log_segments_add(Ctx *ctx, PfsTx *tx, const PpsLogLimits *limits, const LogSegment *segments,
                        size_t n)
{
    DbTx *db = pfs_tx_db(tx);
    bool there = false;
    if (n)
        TRY(is_there(ctx, db, segments, &there));
    for (size_t i = 0; there && i < n; i++) {
        TRY(add_segment(ctx, db, &segments[i]));
        TRY(trim(ctx, db, segments[i].pipeline, limits->pipeline_bytes));
    }
    return OK;
}

Status log_stream_end(Ctx *ctx, PfsTx *tx, int64_t job, int64_t pipeline, uint64_t *out)
{
    int64_t end = 0;
    Status s = db_query_int(ctx, pfs_tx_db(tx), &end,
                            "SELECT begin_at + bytes FROM pps_log_segment "
                            "WHERE pipeline = ? AND job = ? ORDER BY id DESC LIMIT 1",
                            "ii", pipeline, job);
    *out = (uint64_t)end;
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

/* --- deleting --------------------------------------------------------------------------------- */

Status log_delete_job(Ctx *ctx, PfsTx *tx, int64_t job)
{
    DbTx *db = pfs_tx_db(tx);
    TRY(db_exec(ctx, db, NULL,
                "UPDATE pps_log_use SET bytes = bytes - (SELECT COALESCE(SUM(s.bytes), 0) "
                "FROM pps_log_segment s WHERE s.job = ?) "
                "WHERE pipeline = (SELECT pipeline FROM pps_job WHERE id = ?)",
                "ii", job, job));
    return db_exec(ctx, db, NULL, "DELETE FROM pps_log_segment WHERE job = ?", "i", job);
}

Status log_delete_pipeline(Ctx *ctx, PfsTx *tx, int64_t pipeline)
{
    DbTx *db = pfs_tx_db(tx);
    TRY(db_exec(ctx, db, NULL, "DELETE FROM pps_log_use WHERE pipeline = ?", "i", pipeline));
    return db_exec(ctx, db, NULL, "DELETE FROM pps_log_segment WHERE pipeline = ?", "i", pipeline);
}

typedef struct OldSegment {
    int64_t id, pipeline, bytes;
} OldSegment;

static Status find_old(Ctx *ctx, DbTx *db, int64_t before_ns, OldSegment *out, size_t *out_n)
{
    *out_n = 0;
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, db, &rows,
                 "SELECT id, pipeline, bytes FROM pps_log_segment WHERE last_ts < ? "
                 "ORDER BY last_ts LIMIT ?",
                 "ii", before_ns, (int64_t)SWEEP_ROWS_MAX));
    DB_EACH (ctx, &rows)
        out[(*out_n)++] = (OldSegment){ db_int(&rows, 0), db_int(&rows, 1), db_int(&rows, 2) };
    return OK;
}

static Status oldest_ts(Ctx *ctx, Pps *pps, int64_t *out)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pps->pfs, &tx));
    Status s = db_query_int(ctx, pfs_tx_db(tx), out,
                            "SELECT last_ts FROM pps_log_segment ORDER BY last_ts LIMIT 1", "");
    if (s.code == STATUS_NOT_FOUND)
        *out = INT64_MAX;
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

static Status delete_old(Ctx *ctx, Pps *pps, int64_t before_ns)
{
    OldSegment old[SWEEP_ROWS_MAX];
    size_t n;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pps->pfs, NULL, &tx));
    TRY(find_old(ctx, pfs_tx_db(tx), before_ns, old, &n));
    for (size_t i = 0; i < n; i++)
        TRY(delete_segment(ctx, pfs_tx_db(tx), old[i].id, old[i].pipeline, old[i].bytes));
    return pfs_commit(ctx, STEAL(tx));
}

Status pps_log_sweep(Ctx *ctx, Pps *pps, int64_t now_ns, int64_t *out_due_ns)
{
    int64_t age_ns = logbook_limits(pps->log).age_ns, oldest_ns;
    *out_due_ns = INT64_MAX;
    if (!age_ns)
        return OK;
    TRY(oldest_ts(ctx, pps, &oldest_ns));
    if (oldest_ns < now_ns - age_ns) {
        TRY(delete_old(ctx, pps, now_ns - age_ns));
        TRY(oldest_ts(ctx, pps, &oldest_ns));
    }
    /* What comes later is due later than what would be due if it came now. */
    *out_due_ns = MIN(oldest_ns, now_ns) + age_ns + 1;
    return OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

#define SELECT_SEGMENTS                                                                            \
    "SELECT s.id, s.pipeline, s.job, s.begin_at, s.bytes, s.lines, s.first_ts, s.last_ts, "        \
    "s.body, "                                                                                     \
    "s.blob, COALESCE(j.set_id, ''), j.plan "                                                      \
    "FROM pps_log_segment s LEFT JOIN pps_job j ON j.id = s.job "

Status log_first_since(Ctx *ctx, PfsTx *tx, const LogTarget *target, int64_t since_ns,
                       int64_t *out_id)
{
    *out_id = 0;
    if (target->job >= 0 || since_ns <= 0) /* a job's own segments are few */
        return OK;
    return db_query_int(ctx, pfs_tx_db(tx), out_id,
                        "SELECT COALESCE(MIN(id), ?) FROM pps_log_segment "
                        "WHERE pipeline = ? AND last_ts >= ?",
                        "iii", INT64_MAX, target->pipeline, since_ns);
}

Status log_newest(Ctx *ctx, PfsTx *tx, const LogTarget *target, int64_t *out_id)
{
    return db_query_int(ctx, pfs_tx_db(tx), out_id,
                        "SELECT COALESCE(MAX(id), 0) FROM pps_log_segment "
                        "WHERE pipeline = ? AND (? < 0 OR job = ?)",
                        "iii", target->pipeline, target->job, target->job);
}

static void read_row(Ctx *ctx, const DbRows *rows, LogSegment *out)
{
    *out = (LogSegment){ .id = db_int(rows, 0),
                         .pipeline = db_int(rows, 1),
                         .job = db_int(rows, 2),
                         .begin = (uint64_t)db_int(rows, 3),
                         .bytes = (uint64_t)db_int(rows, 4),
                         .lines = db_int(rows, 5),
                         .first_ts_ns = db_int(rows, 6),
                         .last_ts_ns = db_int(rows, 7),
                         .body = db_bytes(ctx, rows, 8),
                         .blob = db_hash(rows, 9),
                         .set_id = db_text(ctx, rows, 10),
                         .plan = db_hash(rows, 11) };
}

static Status read_rows(Ctx *ctx, DbRows *rows, size_t max, LogSegment **out, size_t *out_n)
{
    LogSegment *segments = ARENA_NEW(ctx->arena, LogSegment, max);
    if (!segments)
        return STATUS(RESOURCE_EXHAUSTED);
    size_t n = 0;
    for (bool more; n < max; n++) {
        TRY(db_next(ctx, rows, &more));
        if (!more)
            break;
        read_row(ctx, rows, &segments[n]);
    }
    *out = segments;
    *out_n = n;
    return OK;
}

/* A page of what a target has: of a pipeline, or of one job of it. */
typedef struct PageSql {
    const char *pipeline, *job;
} PageSql;
#define PAGE_SQL(rest)                                                                             \
    {                                                                                              \
        SELECT_SEGMENTS "WHERE s.pipeline = ? AND " rest,                                          \
            SELECT_SEGMENTS "WHERE s.pipeline = ? AND s.job = ? AND " rest                         \
    }

static const PageSql after_sql = PAGE_SQL("s.id > ? AND s.last_ts >= ? ORDER BY s.id LIMIT ?");
static const PageSql before_sql =
    PAGE_SQL("s.id < ? AND s.last_ts >= ? ORDER BY s.id DESC LIMIT ?");

static Status read_page(Ctx *ctx, PfsTx *tx, const LogTarget *target, const PageSql *sql,
                        int64_t edge, int64_t since_ns, size_t max, LogSegment **out, size_t *out_n)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    if (target->job < 0)
        TRY(db_query(ctx, pfs_tx_db(tx), &rows, sql->pipeline, "iiii", target->pipeline, edge,
                     since_ns, (int64_t)max));
    else
        TRY(db_query(ctx, pfs_tx_db(tx), &rows, sql->job, "iiiii", target->pipeline, target->job,
                     edge, since_ns, (int64_t)max));
    return read_rows(ctx, &rows, max, out, out_n);
}

Status log_segments_after(Ctx *ctx, PfsTx *tx, const LogTarget *target, int64_t since_ns,
                          int64_t after, size_t max, LogSegment **out, size_t *out_n)
{
    return read_page(ctx, tx, target, &after_sql, after, since_ns, max, out, out_n);
}

Status log_segments_before(Ctx *ctx, PfsTx *tx, const LogTarget *target, int64_t since_ns,
                           int64_t before, size_t max, LogSegment **out, size_t *out_n)
{
    return read_page(ctx, tx, target, &before_sql, before, since_ns, max, out, out_n);
}

Status log_segment_lines(Ctx *ctx, Pps *pps, const LogSegment *segment, Buf *buf, Bytes *out)
{
    if (hash_is_zero(&segment->blob)) {
        *out = segment->body;
        return OK;
    }
    buf_clear(buf);
    TRY_WRAP(ctx, store_get(ctx, pfs_store(pps->pfs), &segment->blob, buf),
             "could not read a log segment of job '%s'", segment->set_id);
    *out = buf_bytes(buf);
    return OK;
}
