/* log_get.c - GetLogs (§25.2). */
#include "base/clock.h"
#include "base/event.h"
#include "base/text.h"
#include "pps/log_priv.h"

/* Of the files that a line's datum reads, so many are told with it: it must fit a message. Filters
 * know all. */
#define LINE_FILES_MAX 1000

#define SPOUT_JOB        "spout" /* what the lines of one say for a job, as it has none */
#define SINCE_DEFAULT_NS (24 * 3600 * NS_PER_SEC)

typedef struct Getter {
    Pps *pps;
    const char *project, *name;
    LogTarget target;
    LogFilter filter;
    LogCursor cursor;
    PpsLogFn fn;
    void *arg;
} Getter;

static Status send_line(void *arg, Ctx *ctx, const LogJob *job, const LogLine *line)
{
    Getter *getter = arg;
    bool passes;
    TRY(log_filter_passes(&getter->filter, ctx, job, line, &passes));
    if (!passes)
        return OK;
    PpsV2__LogMessage *message = PB_NEW(ctx, pps_v2__log_message, PpsV2__LogMessage);
    message->project_name = arena_strdup(ctx->arena, getter->project);
    message->pipeline_name = arena_strdup(ctx->arena, getter->name);
    message->job_id = arena_strdup(ctx->arena, job->id ? job->set_id : SPOUT_JOB);
    message->worker_id = str_z(ctx->arena, line->worker);
    message->master = line->master;
    message->user = line->user;
    message->ts = pb_timestamp(ctx, line->ts_ns);
    message->message = str_z(ctx->arena, line->message);
    if (line->has_datum)
        message->datum_id = hash_hex(&line->datum, arena_must(ctx->arena, HASH_HEX_SIZE));
    message->data = getter->filter.files;
    message->n_data = MIN(getter->filter.file_count, LINE_FILES_MAX);
    return getter->fn(getter->arg, ctx, message);
}

static Status walk(Ctx *ctx, Getter *getter)
{
    ArenaMark mark = arena_mark(ctx->arena);
    TRY(log_walk(ctx, getter->pps, &getter->target, getter->filter.since_ns, &getter->cursor,
                 send_line, getter));
    arena_rewind(ctx->arena, mark);
    return OK;
}

static Status follow(Ctx *ctx, Getter *getter)
{
    EventBus *bus = db_events(pfs_db(getter->pps->pfs));
    const uint64_t topic = getter->target.job < 0 ? pps_topic_pipeline_logs(getter->target.pipeline)
                                                  : pps_topic_logs(getter->target.job);
    for (;;) {
        uint64_t epoch = event_epoch(bus);
        TRY(walk(ctx, getter));
        TRY(event_wait(ctx, bus, &topic, 1, epoch));
    }
}

/* --- what is asked for ------------------------------------------------------------------------ */

static bool is_same_pipeline(const PpsV2__Pipeline *a, const PpsV2__Pipeline *b)
{
    return strcmp(a->name, b->name) == 0 &&
           strcmp(pps_pipeline_project(a), pps_pipeline_project(b)) == 0;
}

static Status check_request(Ctx *ctx, const PpsV2__GetLogsRequest *r)
{
    assert(r->pipeline || r->job);
    if (r->job && !r->pipeline && (!r->job->pipeline || !*r->job->pipeline->name))
        return FAIL(ctx, UNKNOWN, "pipeline must be specified for the given job");
    if (r->pipeline && r->job && r->job->pipeline &&
        !is_same_pipeline(r->pipeline, r->job->pipeline))
        return FAIL(ctx, UNKNOWN, "job is from the wrong pipeline");
    if (r->since && pb_duration_ns(r->since) < 0)
        return FAIL(ctx, INVALID_ARGUMENT, "since must not be negative");
    return r->tail < 0 ? FAIL(ctx, INVALID_ARGUMENT, "tail must not be negative") : OK;
}

static Status find_job(Ctx *ctx, PfsTx *tx, Getter *getter, const PpsV2__Job *asked)
{
    const PpsV2__Job *job = pps_job_ref(ctx, getter->project, getter->name, asked->id);
    PpsJobRow row;
    TRY_WRAP(ctx, pps_find_job(ctx, tx, job, &row), "could not get job information for \"%s\"",
             asked->id);
    getter->target = (LogTarget){ row.pipeline_id, row.id };
    return OK;
}

static Status find_target(Ctx *ctx, Getter *getter, const PpsV2__GetLogsRequest *r)
{
    const PpsV2__Pipeline *pipeline = r->pipeline ? r->pipeline : r->job->pipeline;
    getter->project = pps_pipeline_project(pipeline);
    getter->name = pipeline->name;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, getter->pps->pfs, &tx));
    if (r->job)
        return find_job(ctx, tx, getter, r->job);
    getter->target.job = -1;
    TRY_WRAP(ctx, pps_find_inspected(ctx, tx, pipeline, &getter->target.pipeline),
             "could not get pipeline information for %s",
             pps_pipeline_text(ctx, getter->project, getter->name));
    return OK;
}

/* Nothing older than the limit is shown, whether it was deleted already or not. */
static int64_t since_of(const Getter *getter, const PpsV2__GetLogsRequest *r)
{
    int64_t now_ns = clock_wall_ns(), since_ns = 0;
    int64_t age_ns = logbook_limits(getter->pps->log).age_ns;
    if (r->since)
        since_ns = now_ns - MIN(pb_duration_ns(r->since), now_ns);
    else if (!r->job)
        since_ns = now_ns - SINCE_DEFAULT_NS;
    return age_ns ? MAX(since_ns, now_ns - age_ns) : since_ns;
}

static Status seek(Ctx *ctx, Getter *getter, const PpsV2__GetLogsRequest *r)
{
    if (r->tail)
        return log_seek_tail(ctx, getter->pps, &getter->target, getter->filter.since_ns,
                             (uint64_t)r->tail, log_filter_passes, &getter->filter,
                             &getter->cursor);
    int64_t first;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, getter->pps->pfs, &tx));
    TRY(log_first_since(ctx, tx, &getter->target, getter->filter.since_ns, &first));
    /* None: what there is now is too old, what comes later has higher numbers than that. */
    if (first == INT64_MAX)
        TRY(log_newest(ctx, tx, &getter->target, &first));
    getter->cursor.segment = MAX(first - 1, INT64_C(0));
    return OK;
}

static Status get(Ctx *ctx, Getter *getter, const PpsV2__GetLogsRequest *request)
{
    TRY(seek(ctx, getter, request));
    return request->follow ? follow(ctx, getter) : walk(ctx, getter);
}

Status pps_get_logs(Ctx *ctx, Pps *pps, const PpsV2__GetLogsRequest *request,
                    const PpsPending *pending, PpsLogFn fn, void *arg)
{
    Getter getter = { .pps = pps, .fn = fn, .arg = arg };
    TRY(check_request(ctx, request));
    TRY(find_target(ctx, &getter, request));
    log_filter_init(&getter.filter, pps, request, pending, since_of(&getter, request));
    Status s = get(ctx, &getter, request);
    log_cursor_done(&getter.cursor);
    log_filter_done(&getter.filter);
    return s;
}
