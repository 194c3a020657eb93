/* log.c - lines of jobs: buffered, kept as segments in the store, read back in order, followed
 * (§25).
 *
 * A segment is a blob: for each line, varint length and a packed pps_v2.LogMessage. Lines of a job
 * gather in memory and become a segment when they are SEGMENT_BYTES, when the job ends
 * (pps_log_flush), or when the book is closed. A reader sees the segments and then what is still
 * gathered, without a gap: both are read under the book's lock.
 *
 * book->lock guards the list of open jobs and their lines; it is never held during I/O: a full
 * buffer is taken out first, stands in `flushing` while it is written (so readers still see it),
 * and goes when its row is durable.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/log.h"
#include "base/text.h"
#include "base/thread.h"
#include "codec/base64.h"
#include "pfs/content.h"
#include "pps/pps_priv.h"

#define SEGMENT_BYTES (256 * KiB)

typedef struct OpenLog {
    int64_t job, pipeline;
    Buf lines;    /* being gathered */
    Buf flushing; /* being written; empty when no flush runs */
    size_t count, flushing_count;
    int64_t first_ts, last_ts;
    struct OpenLog *next;
} OpenLog;

struct LogBook {
    Pps *pps;
    pthread_mutex_t lock;
    pthread_cond_t flushed;
    OpenLog *open;
};

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

static void open_log_free(OpenLog *log)
{
    buf_done(&log->lines);
    buf_done(&log->flushing);
    free(log);
}

LogBook *logbook_free(LogBook *book)
{
    if (!book)
        return NULL;
    while (book->open) {
        CLEANUP(ctx_done) Ctx ctx;
        ctx_init(&ctx);
        int64_t job = book->open->job;
        Status s = pps_log_flush(&ctx, book->pps, job);
        if (!status_ok(s))
            LOG_WARN(&ctx, "lost log lines", "job=%lld reason=%s", (long long)job,
                     status_message(s));
        if (book->open && book->open->job == job) {
            OpenLog *log = book->open;
            book->open = log->next;
            open_log_free(log);
        }
    }
    pthread_cond_destroy(&book->flushed);
    pthread_mutex_destroy(&book->lock);
    free(book);
    return NULL;
}

static OpenLog *find_open(LogBook *book, int64_t job)
{
    for (OpenLog *log = book->open; log; log = log->next) {
        if (log->job == job)
            return log;
    }
    return NULL;
}

static PpsV2__LogMessage *message_of(Ctx *ctx, const PpsLogLine *line)
{
    PpsV2__LogMessage *message = PB_NEW(ctx, pps_v2__log_message, PpsV2__LogMessage);
    message->worker_id = arena_strdup(ctx->arena, line->worker_id);
    message->datum_id = arena_strdup(ctx->arena, line->datum_id);
    message->user = line->user;
    message->master = line->master;
    message->ts = pb_timestamp(ctx, line->ts_ns);
    message->message = str_z(ctx->arena, line->message);
    return message;
}

static Status pipeline_of(Ctx *ctx, Pps *pps, int64_t job, int64_t *out)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pps->pfs, &tx));
    return db_query_int(ctx, pfs_tx_db(tx), out, "SELECT pipeline FROM pps_job WHERE id = ?", "i",
                        job);
}

/* The job's open log, made when it is its first line. A job that is gone has no log: *out is NULL.
 */
static Status open_log(Ctx *ctx, LogBook *book, int64_t job)
{
    {
        LOCKED(&book->lock);
        if (find_open(book, job))
            return OK;
    }
    int64_t pipeline;
    Status s = pipeline_of(ctx, book->pps, job, &pipeline);
    if (!status_ok(s))
        return s.code == STATUS_NOT_FOUND ? OK : s;
    LOCKED(&book->lock);
    if (find_open(book, job))
        return OK;
    OpenLog *log = calloc(1, sizeof(*log));
    if (!log)
        return STATUS(RESOURCE_EXHAUSTED);
    log->job = job;
    log->pipeline = pipeline;
    log->next = book->open;
    book->open = log;
    return OK;
}

Status pps_log(Ctx *ctx, Pps *pps, const PpsLogLine *line)
{
    LogBook *book = pps->log;
    TRY(open_log(ctx, book, line->job));
    Bytes packed = pb_pack_bytes(ctx, &message_of(ctx, line)->base);
    bool full = false;
    {
        LOCKED(&book->lock);
        OpenLog *log = find_open(book, line->job);
        if (!log)
            return OK;
        buf_add_varint(&log->lines, packed.size);
        buf_add_bytes(&log->lines, packed);
        log->first_ts = log->count++ ? log->first_ts : line->ts_ns;
        log->last_ts = line->ts_ns;
        full = log->lines.size >= SEGMENT_BYTES;
    }
    event_publish(db_events(pfs_db(pps->pfs)), pps_topic_logs(line->job));
    return full ? pps_log_flush(ctx, pps, line->job) : OK;
}

/* Writes one gathered buffer as blobs of at most a chunk and their rows. Lines are never split. */
static Status write_segment(Ctx *ctx, Pps *pps, const OpenLog *log)
{
    Hash blob;
    TRY(store_put(ctx, pfs_store(pps->pfs), buf_bytes(&log->flushing), NULL, &blob));
    TRY(store_sync(ctx, pfs_store(pps->pfs)));
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pps->pfs, NULL, &tx));
    int64_t id;
    TRY(db_next_id(ctx, pfs_tx_db(tx), "log_segment", &id));
    TRY(db_exec(ctx, pfs_tx_db(tx), NULL,
                "INSERT INTO pps_log_segment (id, job, pipeline, first_ts, last_ts, lines, blob) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                "iiiiiih", id, log->job, log->pipeline, log->first_ts, log->last_ts,
                (int64_t)log->flushing_count, &blob));
    return pfs_commit(ctx, STEAL(tx));
}

/* With the lock held: takes what was gathered into `flushing`; NULL when there is nothing to write.
 */
static OpenLog *take_lines(LogBook *book, int64_t job)
{
    OpenLog *log = find_open(book, job);
    while (log && log->flushing.size) {
        pthread_cond_wait(&book->flushed, &book->lock);
        log = find_open(book, job);
    }
    if (!log || !log->lines.size)
        return NULL;
    log->flushing = log->lines;
    log->flushing_count = log->count;
    log->lines = (Buf){ 0 };
    log->count = 0;
    return log;
}

static void unlink_if_empty(LogBook *book, OpenLog *log)
{
    if (log->lines.size)
        return;
    OpenLog **at = &book->open;
    while (*at != log)
        at = &(*at)->next;
    *at = log->next;
    open_log_free(log);
}

Status pps_log_flush(Ctx *ctx, Pps *pps, int64_t job)
{
    LogBook *book = pps->log;
    pthread_mutex_lock(&book->lock);
    OpenLog *log = take_lines(book, job);
    pthread_mutex_unlock(&book->lock);
    if (!log)
        return OK;
    Status s = write_segment(ctx, pps, log);
    pthread_mutex_lock(&book->lock);
    buf_done(&log->flushing);
    log->flushing_count = 0;
    unlink_if_empty(book, log);
    pthread_cond_broadcast(&book->flushed);
    pthread_mutex_unlock(&book->lock);
    return s;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* A job whose lines are read. */
typedef struct LogJob {
    const char *set_id;
    Hash plan; /* of the datums that are done */
} LogJob;

/* What the datum of the last line read: lines of one datum mostly follow each other. */
typedef struct LogData {
    Arena *arena; /* holds files */
    char job[33], datum[HASH_HEX_SIZE];
    PpsV2__InputFile **files;
    size_t n;
} LogData;

typedef struct LogReader {
    Pps *pps;
    const PpsV2__GetLogsRequest *request;
    int64_t job, pipeline; /* rows; 0: any */
    const char *project, *name;
    int64_t since_ns;
    Status (*fn)(void *arg, Ctx *ctx, const PpsV2__LogMessage *line);
    void *arg;
    int64_t skip; /* lines to leave out before the tail */
    int64_t seen; /* lines that passed */
    bool counting;
    Content content;
    LogData data;
} LogReader;

static PpsV2__InputFile *input_file(Ctx *ctx, const DatumInput *input)
{
    PpsV2__InputFile *file = PB_NEW(ctx, pps_v2__input_file, PpsV2__InputFile);
    file->path = str_z(ctx->arena, input->path);
    file->hash.data = arena_memdup(ctx->arena, input->hash.bytes, HASH_SIZE);
    file->hash.len = HASH_SIZE;
    return file;
}

static Status read_data(Ctx *ctx, LogReader *reader, const LogJob *job, const Hash *id)
{
    LogData *data = &reader->data;
    DatumRecord record;
    Status s = plan_get(ctx, &reader->content.io, &job->plan, id, &record);
    if (s.code == STATUS_NOT_FOUND)
        return OK;
    TRY(s);
    Ctx into = { .arena = data->arena, .deadline_ns = DEADLINE_NONE, .user = "" };
    data->files = ARENA_NEW(data->arena, PpsV2__InputFile *, record.datum.input_count + 1);
    if (!data->files)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < record.datum.input_count; i++)
        data->files[data->n++] = input_file(&into, record.datum.inputs[i]);
    return OK;
}

/* Says what the line's datum read. Nothing is known of a datum that still runs. */
static Status fill_data(Ctx *ctx, LogReader *reader, const LogJob *job, PpsV2__LogMessage *line)
{
    LogData *data = &reader->data;
    Hash id;
    if (!hash_parse(str(line->datum_id), &id))
        return OK;
    if (strcmp(data->datum, line->datum_id) != 0 || strcmp(data->job, job->set_id) != 0) {
        arena_free(data->arena);
        *data = (LogData){ .arena = arena_new(0) };
        TRY(read_data(ctx, reader, job, &id));
        if (data->n) {
            snprintf(data->job, sizeof(data->job), "%s", job->set_id);
            snprintf(data->datum, sizeof(data->datum), "%s", line->datum_id);
        }
    }
    line->data = data->files;
    line->n_data = data->n;
    return OK;
}

static bool names_file(const char *filter, const PpsV2__InputFile *file)
{
    char hex[HASH_HEX_SIZE];
    Hash hash;
    memcpy(hash.bytes, file->hash.data, HASH_SIZE);
    if (strcmp(filter, file->path) == 0 || strcmp(filter, hash_hex(&hash, hex)) == 0)
        return true;
    Buf base64 = { 0 };
    base64_encode(bytes(file->hash.data, file->hash.len), &base64);
    bool same = str_eq_c(buf_str(&base64), filter);
    buf_done(&base64);
    return same;
}

/* Is each filter a path or hash of the line's data? */
static bool data_match(const PpsV2__GetLogsRequest *request, const PpsV2__LogMessage *line)
{
    for (size_t f = 0; f < request->n_data_filters; f++) {
        bool found = false;
        for (size_t i = 0; !found && i < line->n_data; i++)
            found = names_file(request->data_filters[f], line->data[i]);
        if (!found)
            return false;
    }
    return true;
}

/* What can be told without the datum. */
static bool passes(const LogReader *reader, const PpsV2__LogMessage *line)
{
    const PpsV2__GetLogsRequest *r = reader->request;
    if (line->master != r->master || pb_timestamp_ns(line->ts) < reader->since_ns)
        return false;
    return !r->datum || !*r->datum->id || strcmp(r->datum->id, line->datum_id) == 0;
}

static Status take_line(Ctx *ctx, LogReader *reader, const LogJob *job, PpsV2__LogMessage *line)
{
    if (!passes(reader, line))
        return OK;
    TRY(fill_data(ctx, reader, job, line));
    if (!data_match(reader->request, line) || reader->seen++ < reader->skip || reader->counting)
        return OK;
    line->project_name = arena_strdup(ctx->arena, reader->project);
    line->pipeline_name = arena_strdup(ctx->arena, reader->name);
    line->job_id = arena_strdup(ctx->arena, job->set_id);
    return reader->fn(reader->arg, ctx, line);
}

static Status read_lines(Ctx *ctx, LogReader *reader, Bytes segment, const LogJob *job)
{
    for (size_t at = 0; at < segment.size;) {
        ArenaMark mark = arena_mark(ctx->arena);
        uint64_t size;
        PpsV2__LogMessage *line;
        if (!bytes_read_varint(segment, &at, &size) || size > segment.size - at)
            return FAIL(ctx, DATA_LOSS, "a log segment of job %s is cut short", job->set_id);
        TRY(PB_UNPACK(ctx, pps_v2__log_message, bytes(segment.data + at, (size_t)size), &line));
        at += (size_t)size;
        TRY(take_line(ctx, reader, job, line));
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}

/* Stored segments after *last, in order; *last moves along. */
static Status read_segments(Ctx *ctx, LogReader *reader, PfsTx *tx, int64_t *last)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(
        ctx, pfs_tx_db(tx), &rows,
        "SELECT s.id, s.blob, j.set_id, j.plan FROM pps_log_segment s JOIN pps_job j ON j.id = s.job "
        "WHERE s.pipeline = ? AND (? = 0 OR s.job = ?) AND s.last_ts >= ? AND s.id > ? ORDER BY "
        "s.id",
        "iiiii", reader->pipeline, reader->job, reader->job, reader->since_ns, *last));
    Buf segment = { 0 };
    Status s = OK;
    for (bool more = true; status_ok(s) && more;) {
        s = db_next(ctx, &rows, &more);
        if (!status_ok(s) || !more)
            break;
        const Hash blob = db_hash(&rows, 1);
        buf_clear(&segment);
        s = store_get(ctx, pfs_store(reader->pps->pfs), &blob, &segment);
        const LogJob job = { db_text(ctx, &rows, 2), db_hash(&rows, 3) };
        if (status_ok(s))
            s = read_lines(ctx, reader, buf_bytes(&segment), &job);
        *last = db_int(&rows, 0);
    }
    buf_done(&segment);
    return s;
}

/* What is gathered and not yet a segment, copied out so that nothing is sent under the lock. */
typedef struct Gathered {
    Buf lines;
    int64_t job;
} Gathered;

static size_t copy_gathered(LogBook *book, const LogReader *reader, Gathered *out, size_t max)
{
    size_t n = 0;
    for (OpenLog *log = book->open; log && n < max; log = log->next) {
        if (log->pipeline != reader->pipeline || (reader->job && log->job != reader->job))
            continue;
        out[n] = (Gathered){ .job = log->job };
        buf_add_bytes(&out[n].lines, buf_bytes(&log->flushing));
        buf_add_bytes(&out[n].lines, buf_bytes(&log->lines));
        n++;
    }
    return n;
}

#define OPEN_JOBS_MAX 256

static Status read_gathered(Ctx *ctx, LogReader *reader, PfsTx *tx, const Gathered *gathered,
                            size_t n)
{
    for (size_t i = 0; i < n; i++) {
        PpsJobRow job;
        Status s = pps_job_row(ctx, tx, gathered[i].job, &job);
        if (s.code == STATUS_NOT_FOUND)
            continue;
        TRY(s);
        const LogJob open = { job.set_id, job.plan };
        TRY(read_lines(ctx, reader, buf_bytes(&gathered[i].lines), &open));
    }
    return OK;
}

/* All there is now. Segments and gathered lines are taken at one moment: a flush between the two
 * would show a line twice or not at all, so the snapshot of rows begins while the book is locked
 * and no flush is in its last step. */
static Status read_all(Ctx *ctx, LogReader *reader)
{
    LogBook *book = reader->pps->log;
    Gathered *gathered = ARENA_NEW(ctx->arena, Gathered, OPEN_JOBS_MAX);
    if (!gathered)
        return STATUS(RESOURCE_EXHAUSTED);
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    size_t n = 0;
    Status s;
    {
        LOCKED(&book->lock);
        for (OpenLog *log = book->open; log;) {
            bool waits = log->pipeline == reader->pipeline && log->flushing.size;
            if (waits)
                pthread_cond_wait(&book->flushed, &book->lock);
            log = waits ? book->open : log->next;
        }
        s = pfs_begin_read(ctx, reader->pps->pfs, &tx);
        if (status_ok(s))
            n = copy_gathered(book, reader, gathered, OPEN_JOBS_MAX);
    }
    int64_t last = 0;
    if (status_ok(s))
        s = read_segments(ctx, reader, tx, &last);
    if (status_ok(s))
        s = read_gathered(ctx, reader, tx, gathered, n);
    for (size_t i = 0; i < n; i++)
        buf_done(&gathered[i].lines);
    return s;
}

static Status follow(Ctx *ctx, LogReader *reader)
{
    EventBus *bus = db_events(pfs_db(reader->pps->pfs));
    const uint64_t topics[] = { pps_topic_logs(reader->job), pps_topic_job(reader->job),
                                pps_topic_pipeline(reader->project, reader->name) };
    for (int64_t shown = reader->skip;;) {
        ArenaMark mark = arena_mark(ctx->arena);
        uint64_t epoch = event_epoch(bus);
        reader->skip = shown;
        reader->seen = 0;
        TRY(read_all(ctx, reader));
        shown = MAX(shown, reader->seen);
        arena_rewind(ctx->arena, mark);
        TRY(event_wait(ctx, bus, topics, ARRAY_LEN(topics), epoch));
    }
}

static Status find_target(Ctx *ctx, LogReader *reader)
{
    const PpsV2__GetLogsRequest *r = reader->request;
    const PpsV2__Pipeline *pipeline = r->pipeline ? r->pipeline : r->job ? r->job->pipeline : NULL;
    if (!r->pipeline && !r->job)
        return r->n_data_filters || r->datum
                   ? FAIL(ctx, UNKNOWN,
                          "must specify the Job or Pipeline that the datum is from to get logs for "
                          "it")
                   : FAIL(ctx, UNIMPLEMENTED, "the server's own log is on its standard error");
    if (!pipeline || !*pipeline->name)
        return FAIL(ctx, UNKNOWN, "pipeline must be specified for the given job");
    if (r->pipeline && r->job && r->job->pipeline &&
        strcmp(r->pipeline->name, r->job->pipeline->name) != 0)
        return FAIL(ctx, UNKNOWN, "job is from the wrong pipeline");
    reader->project = pps_pipeline_project(pipeline);
    reader->name = pipeline->name;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, reader->pps->pfs, &tx));
    if (!r->job) {
        TRY_WRAP(ctx, pps_find_pipeline(ctx, tx, reader->project, reader->name, &reader->pipeline),
                 "could not get pipeline information for %s", reader->name);
        return OK;
    }
    PpsJobRow job;
    TRY_WRAP(ctx, pps_find_job(ctx, tx, r->job, &job), "could not get job information for \"%s\"",
             r->job->id);
    reader->job = job.id;
    reader->pipeline = job.pipeline_id;
    return OK;
}

#define SINCE_DEFAULT_NS (24 * 3600 * NS_PER_SEC)

static Status read_asked(Ctx *ctx, LogReader *reader)
{
    if (reader->request->tail > 0) {
        reader->counting = true;
        TRY(read_all(ctx, reader));
        reader->skip = MAX(reader->seen - reader->request->tail, INT64_C(0));
        reader->seen = 0;
        reader->counting = false;
    }
    return reader->request->follow ? follow(ctx, reader) : read_all(ctx, reader);
}

Status pps_get_logs(Ctx *ctx, Pps *pps, const PpsV2__GetLogsRequest *request,
                    Status (*fn)(void *arg, Ctx *ctx, const PpsV2__LogMessage *line), void *arg)
{
    LogReader reader = { .pps = pps, .request = request, .fn = fn, .arg = arg };
    content_init(&reader.content, pfs_store(pps->pfs));
    TRY(find_target(ctx, &reader));
    if (request->since)
        reader.since_ns = clock_wall_ns() - pb_duration_ns(request->since);
    else if (!request->job)
        reader.since_ns = clock_wall_ns() - SINCE_DEFAULT_NS;
    Status s = read_asked(ctx, &reader);
    arena_free(reader.data.arena);
    return s;
}
