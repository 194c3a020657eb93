/* job_list.c - jobs and job sets as the API shows them (§26.1-26.5). */
#include "base/clock.h"
#include "base/text.h"
#include "codec/pb.h"
#include "pps/pps_priv.h"

static PpsV2__ProcessStats *stats_of(Ctx *ctx, const JobCounters *c)
{
    PpsV2__ProcessStats *stats = PB_NEW(ctx, pps_v2__process_stats, PpsV2__ProcessStats);
    stats->download_time = pb_duration(ctx, c->download_ns);
    stats->process_time = pb_duration(ctx, c->process_ns);
    stats->upload_time = pb_duration(ctx, c->upload_ns);
    stats->download_bytes = c->download_bytes;
    stats->upload_bytes = c->upload_bytes;
    return stats;
}

static PpsV2__JobInfo__Details *details_of(Ctx *ctx, const PpsV2__PipelineInfo__Details *spec,
                                           const char *set_id)
{
    PpsV2__JobInfo__Details *details =
        PB_NEW(ctx, pps_v2__job_info__details, PpsV2__JobInfo__Details);
    details->transform = spec->transform;
    details->parallelism_spec = spec->parallelism_spec;
    details->egress = spec->egress;
    details->service = spec->service;
    details->spout = spec->spout;
    details->resource_requests = spec->resource_requests;
    details->resource_limits = spec->resource_limits;
    details->sidecar_resource_limits = spec->sidecar_resource_limits;
    details->sidecar_resource_requests = spec->sidecar_resource_requests;
    details->input = input_with_commit(ctx, spec->input, set_id);
    details->salt = spec->salt;
    details->datum_set_spec = spec->datum_set_spec;
    details->datum_timeout = spec->datum_timeout;
    details->job_timeout = spec->job_timeout;
    details->datum_tries = spec->datum_tries;
    details->scheduling_spec = spec->scheduling_spec;
    details->pod_spec = spec->pod_spec;
    details->pod_patch = spec->pod_patch;
    return details;
}

Status pps_job_info(Ctx *ctx, PfsTx *tx, const PpsJobRow *row, bool details, PpsV2__JobInfo **out)
{
    PpsPipelineRow spec;
    TRY(pps_job_spec(ctx, tx, row, &spec));
    PpsV2__JobInfo *info = PB_NEW(ctx, pps_v2__job_info, PpsV2__JobInfo);
    info->job = pps_job_ref(ctx, row->project, row->pipeline, row->set_id);
    info->pipeline_version = row->version;
    info->output_commit = pfs_commit_ref(ctx, row->project, row->pipeline, row->set_id);
    info->output_commit->branch =
        pfs_branch_ref(ctx, row->project, row->pipeline, spec.info->details->output_branch);
    info->restart = row->restart;
    info->data_total = row->counters.total;
    info->data_processed = row->counters.processed;
    info->data_skipped = row->counters.skipped;
    info->data_failed = row->counters.failed;
    info->data_recovered = row->counters.recovered;
    info->stats = stats_of(ctx, &row->counters);
    info->state = row->state;
    info->reason = arena_strdup(ctx->arena, row->reason);
    info->created = pb_timestamp(ctx, row->created_ns);
    info->started = pb_timestamp(ctx, row->started_ns);
    info->finished = pb_timestamp(ctx, row->finished_ns);
    if (details)
        info->details = details_of(ctx, spec.info->details, row->set_id);
    *out = info;
    return OK;
}

/* --- one job ---------------------------------------------------------------------------------- */

static Status look_at_job(Ctx *ctx, Pps *pps, const PpsV2__InspectJobRequest *request,
                          PpsV2__JobInfo **out, uint64_t *out_topic)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pps->pfs, &tx));
    PpsJobRow row;
    TRY(pps_find_job(ctx, tx, request->job, &row));
    *out_topic = pps_topic_job(row.id);
    return pps_job_info(ctx, tx, &row, request->details, out);
}

/* Its commit went, if that is not there and the pipeline still is. */
static Status why_deleted(Ctx *ctx, Pps *pps, const PpsV2__JobInfo *info, const char **out)
{
    const PpsV2__Pipeline *pipeline = info->job->pipeline;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    bool found;
    int64_t id, commit;
    TRY(pfs_begin_read(ctx, pps->pfs, &tx));
    TRY(pps_has_pipeline(ctx, tx, pps_pipeline_project(pipeline), pipeline->name, &found, &id));
    TRY(pfs_commit_in_set(ctx, tx, info->output_commit->repo, info->job->id, &commit));
    *out = found && !commit ? JOB_REASON_COMMIT_REMOVED : JOB_REASON_DELETED;
    return OK;
}

/* A job that went while it was waited for: whoever deletes one kills it first. */
static Status deleted_job(Ctx *ctx, Pps *pps, const Buf *last, PpsV2__JobInfo **out)
{
    PpsV2__JobInfo *info;
    const char *reason;
    TRY(PB_UNPACK(ctx, pps_v2__job_info, buf_bytes(last), &info));
    TRY(why_deleted(ctx, pps, info, &reason));
    info->state = PPS_V2__JOB_STATE__JOB_KILLED;
    info->reason = arena_strdup(ctx->arena, reason);
    info->finished = pb_timestamp(ctx, clock_wall_ns());
    if (!info->started)
        info->started = info->finished;
    *out = info;
    return OK;
}

Status pps_inspect_job(Ctx *ctx, Pps *pps, const PpsV2__InspectJobRequest *request,
                       PpsV2__JobInfo **out)
{
    if (!request->job)
        return FAIL(ctx, UNKNOWN, "must specify a job");
    EventBus *bus = db_events(pfs_db(pps->pfs));
    CLEANUP(buf_done) Buf last = { 0 };
    for (;;) {
        ArenaMark mark = arena_mark(ctx->arena);
        uint64_t topic, epoch = event_epoch(bus);
        Status s = look_at_job(ctx, pps, request, out, &topic);
        if (s.code == STATUS_NOT_FOUND && last.size)
            return deleted_job(ctx, pps, &last, out);
        TRY(s);
        if (!request->wait || job_is_terminal((*out)->state))
            return OK;
        buf_clear(&last);
        buf_add_bytes(&last, pb_pack_bytes(ctx, &(*out)->base));
        arena_rewind(ctx->arena, mark);
        TRY(event_wait(ctx, bus, &topic, 1, epoch));
    }
}

/* --- a job set -------------------------------------------------------------------------------- */

typedef struct SetWalk {
    Pps *pps;
    const char *id;
    bool details, wait;
    PpsJobFn fn;
    void *arg;
    size_t commits;
} SetWalk;

static Status send_job(SetWalk *walk, Ctx *ctx, const char *project, const char *name,
                       const char *id)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, walk->pps->pfs, &tx));
    PpsJobRow row;
    PpsV2__JobInfo *info;
    Status s = pps_find_job(ctx, tx, pps_job_ref(ctx, project, name, id), &row);
    if (s.code == STATUS_NOT_FOUND)
        return OK;
    TRY(s);
    TRY(pps_job_info(ctx, tx, &row, walk->details, &info));
    return walk->fn(walk->arg, ctx, info);
}

/* A commit of the set, in dependency order: its job, if its repo made one with this id. */
static Status set_commit(void *arg, Ctx *ctx, const PfsV2__CommitInfo *info)
{
    SetWalk *walk = arg;
    const PfsV2__Repo *repo = info->commit->repo;
    walk->commits++;
    if (strcmp(repo->type, "user") != 0 || strcmp(info->commit->id, walk->id) != 0)
        return OK;
    return send_job(walk, ctx, pps_project_of(repo->project), repo->name, walk->id);
}

/* Jobs whose commits are gone are still in their table. */
static Status set_from_rows(Ctx *ctx, SetWalk *walk)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, walk->pps->pfs, &tx));
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT " PPS_JOB_COLUMNS " FROM pps_job j WHERE j.set_id = ? ORDER BY j.id", "s",
                 walk->id));
    DB_EACH (ctx, &rows) {
        PpsJobRow row;
        PpsV2__JobInfo *info;
        pps_read_job(ctx, &rows, &row);
        TRY(pps_job_info(ctx, tx, &row, walk->details, &info));
        TRY(walk->fn(walk->arg, ctx, info));
    }
    return OK;
}

Status pps_inspect_job_set(Ctx *ctx, Pps *pps, const PpsV2__InspectJobSetRequest *request,
                           PpsJobFn fn, void *arg)
{
    SetWalk walk = {
        .pps = pps, .id = request->job_set->id, .details = request->details, .fn = fn, .arg = arg
    };
    PfsV2__CommitSet set;
    pfs_v2__commit_set__init(&set);
    set.id = request->job_set->id;
    PfsV2__InspectCommitSetRequest commits;
    pfs_v2__inspect_commit_set_request__init(&commits);
    commits.commit_set = &set;
    commits.wait = request->wait;
    Status s = pfs_inspect_set(ctx, pps->pfs, &commits, set_commit, &walk);
    if (s.code == STATUS_NOT_FOUND && walk.commits == 0)
        return set_from_rows(ctx, &walk);
    return s;
}

/* --- lists ------------------------------------------------------------------------------------ */

/* Is `commit` ("project/repo@id") among the direct provenance of the set's commits? */
static Status set_reads(Ctx *ctx, PfsTx *tx, const char *set_id, const PfsCommitRow *input,
                        bool *out)
{
    int64_t ignored;
    Status s = db_query_int(
        ctx, pfs_tx_db(tx), &ignored,
        "SELECT 1 FROM pfs_commit_prov e JOIN pfs_commit c ON c.id = e.down_id WHERE c.set_id = ? "
        "AND e.up_id = ? LIMIT 1",
        "si", set_id, input->id);
    *out = status_ok(s);
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

static Status reads_all_inputs(Ctx *ctx, PfsTx *tx, const PpsV2__ListJobRequest *request,
                               const char *set_id, bool *out)
{
    *out = true;
    for (size_t i = 0; *out && i < request->n_input_commit; i++) {
        PfsCommitRow input;
        Status s = pfs_pick(ctx, tx, request->input_commit[i], &input);
        if (s.code == STATUS_NOT_FOUND) {
            *out = false; /* nobody reads what is not there */
            return OK;
        }
        TRY(s);
        TRY(set_reads(ctx, tx, set_id, &input, out));
    }
    return OK;
}

/* Of one pipeline, or of all. Its own statement each, so that the one costs what the pipeline has.
 */
#define LIST_OF(which, newer, order)                                                               \
    "SELECT " PPS_JOB_COLUMNS " FROM pps_job j JOIN pps_pipeline p ON p.id = j.pipeline "          \
    "WHERE " which " AND (? < 0 OR j.version >= p.version - ?) AND (? = 0 OR j.created " newer     \
    " ?) ORDER BY j.id" order
#define OF_PIPELINE "j.pipeline = ?"
#define OF_ALL      "? = 0"
static const char *const list_sql[2][2] = {
    /* [reverse][of one] */
    { LIST_OF(OF_ALL, "<", " DESC"), LIST_OF(OF_PIPELINE, "<", " DESC") },
    { LIST_OF(OF_ALL, ">", ""), LIST_OF(OF_PIPELINE, ">", "") },
};

Status pps_list_job(Ctx *ctx, PfsTx *tx, const PpsV2__ListJobRequest *request, PpsJobFn fn,
                    void *arg)
{
    int64_t pipeline = 0, marker = pb_timestamp_ns(request->paginationmarker),
            left = request->number;
    if (request->pipeline && *request->pipeline->name)
        TRY(pps_find_pipeline(ctx, tx, pps_pipeline_project(request->pipeline),
                              request->pipeline->name, &pipeline));
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows, list_sql[request->reverse != 0][pipeline != 0], "iiiii",
                 pipeline, request->history, request->history, marker, marker));
    DB_EACH (ctx, &rows) {
        ArenaMark mark = arena_mark(ctx->arena);
        bool reads;
        PpsJobRow row;
        PpsV2__JobInfo *info;
        pps_read_job(ctx, &rows, &row);
        TRY(reads_all_inputs(ctx, tx, request, row.set_id, &reads));
        if (reads && pps_in_projects(request->projects, request->n_projects, row.project)) {
            TRY(pps_job_info(ctx, tx, &row, request->details, &info));
            TRY(fn(arg, ctx, info));
            if (left > 0 && --left == 0)
                return OK;
        }
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}

/* --- job sets --------------------------------------------------------------------------------- */

typedef struct SetJobs {
    const PpsV2__ListJobSetRequest *request;
    PpsV2__JobInfo **jobs;
    size_t n, capacity;
} SetJobs;

static Status collect_job(SetJobs *set, Ctx *ctx, PpsV2__JobInfo *info)
{
    if (set->n == set->capacity) {
        set->capacity = MAX(set->capacity * 2, (size_t)8);
        PpsV2__JobInfo **jobs = ARENA_NEW(ctx->arena, PpsV2__JobInfo *, set->capacity);
        if (!jobs)
            return STATUS(RESOURCE_EXHAUSTED);
        if (set->n)
            memcpy(jobs, set->jobs, set->n * sizeof(*jobs));
        set->jobs = jobs;
    }
    set->jobs[set->n++] = info;
    return OK;
}

/* Jobs of one set, upstream before downstream: their rows were made in the order of their
 * commits. */
static Status jobs_of_set(Ctx *ctx, PfsTx *tx, const char *set_id, SetJobs *out)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT " PPS_JOB_COLUMNS
                 " FROM pps_job j WHERE j.set_id = ? ORDER BY j.output_commit",
                 "s", set_id));
    DB_EACH (ctx, &rows) {
        PpsJobRow row;
        PpsV2__JobInfo *info;
        pps_read_job(ctx, &rows, &row);
        if (!pps_in_projects(out->request->projects, out->request->n_projects, row.project))
            continue;
        TRY(pps_job_info(ctx, tx, &row, out->request->details, &info));
        TRY(collect_job(out, ctx, info));
    }
    return OK;
}

static const char sets_sql[] = "SELECT set_id, MAX(id), MAX(created) FROM pps_job GROUP BY set_id "
                               "HAVING (? = 0 OR MAX(created) < ?) ORDER BY 2 DESC";
static const char sets_reverse_sql[] =
    "SELECT set_id, MIN(id), MIN(created) FROM pps_job GROUP BY set_id "
    "HAVING (? = 0 OR MIN(created) > ?) ORDER BY 2";

Status pps_list_job_set(Ctx *ctx, PfsTx *tx, const PpsV2__ListJobSetRequest *request,
                        PpsJobSetFn fn, void *arg)
{
    if (request->number < 0)
        return FAIL(ctx, UNKNOWN, "number must be non-negative");
    int64_t marker = pb_timestamp_ns(request->paginationmarker), left = request->number;
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows, request->reverse ? sets_reverse_sql : sets_sql, "ii",
                 marker, marker));
    DB_EACH (ctx, &rows) {
        ArenaMark mark = arena_mark(ctx->arena);
        SetJobs jobs = { .request = request };
        const char *set_id = db_text(ctx, &rows, 0);
        TRY(jobs_of_set(ctx, tx, set_id, &jobs));
        if (jobs.n) {
            PpsV2__JobSet handle;
            pps_v2__job_set__init(&handle);
            handle.id = arena_strdup(ctx->arena, set_id);
            PpsV2__JobSetInfo info;
            pps_v2__job_set_info__init(&info);
            info.job_set = &handle;
            info.jobs = jobs.jobs;
            info.n_jobs = jobs.n;
            TRY(fn(arg, ctx, &info));
            if (left > 0 && --left == 0)
                return OK;
        }
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}

/* --- subscribing (§26.5) ---------------------------------------------------------------------- */

/* Sends the jobs after *last that are not over, oldest first, and moves *last. */
static Status send_newer(Ctx *ctx, Pps *pps, const PpsV2__SubscribeJobRequest *request,
                         int64_t *last, PpsJobFn fn, void *arg)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pps->pfs, &tx));
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT " PPS_JOB_COLUMNS
                 " FROM pps_pipeline p JOIN pps_job j ON j.pipeline = p.id "
                 "WHERE p.project = ? AND p.name = ? AND j.id > ? ORDER BY j.id",
                 "ssi", pps_pipeline_project(request->pipeline), request->pipeline->name, *last));
    DB_EACH (ctx, &rows) {
        PpsJobRow row;
        PpsV2__JobInfo *info;
        pps_read_job(ctx, &rows, &row);
        *last = row.id;
        if (job_is_terminal(row.state))
            continue;
        TRY(pps_job_info(ctx, tx, &row, request->details, &info));
        TRY(fn(arg, ctx, info));
    }
    return OK;
}

Status pps_subscribe_job(Ctx *ctx, Pps *pps, const PpsV2__SubscribeJobRequest *request, PpsJobFn fn,
                         void *arg)
{
    if (!request->pipeline || !*request->pipeline->name)
        return FAIL(ctx, UNKNOWN, "pipeline must be specified");
    EventBus *bus = db_events(pfs_db(pps->pfs));
    uint64_t topic =
        pps_topic_pipeline(pps_pipeline_project(request->pipeline), request->pipeline->name);
    for (int64_t last = 0;;) {
        ArenaMark mark = arena_mark(ctx->arena);
        uint64_t epoch = event_epoch(bus);
        TRY(send_newer(ctx, pps, request, &last, fn, arg));
        arena_rewind(ctx->arena, mark);
        TRY(event_wait(ctx, bus, &topic, 1, epoch));
    }
}
