/* job.c - jobs as rows: made when output commits are, moved from state to state, ended with their
 * commits (§9). */
#include <stdio.h>

#include "base/text.h"
#include "pps/log_priv.h"

/* --- rows ------------------------------------------------------------------------------------- */

void pps_read_job(Ctx *ctx, const DbRows *rows, PpsJobRow *out)
{
    *out = (PpsJobRow){ .id = db_int(rows, 0),
                        .pipeline_id = db_int(rows, 1),
                        .project = db_text(ctx, rows, 2),
                        .pipeline = db_text(ctx, rows, 3),
                        .version = (uint64_t)db_int(rows, 5),
                        .output_commit = db_int(rows, 6),
                        .meta_commit = db_int(rows, 7),
                        .state = (PpsV2__JobState)db_int(rows, 8),
                        .reason = db_text(ctx, rows, 9),
                        .created_ns = db_int(rows, 10),
                        .started_ns = db_int(rows, 11),
                        .finished_ns = db_int(rows, 12),
                        .counters = { .total = db_int(rows, 13),
                                      .processed = db_int(rows, 14),
                                      .skipped = db_int(rows, 15),
                                      .failed = db_int(rows, 16),
                                      .recovered = db_int(rows, 17),
                                      .download_ns = db_int(rows, 18),
                                      .process_ns = db_int(rows, 19),
                                      .upload_ns = db_int(rows, 20),
                                      .download_bytes = db_int(rows, 21),
                                      .upload_bytes = db_int(rows, 22) },
                        .plan = db_hash(rows, 23),
                        .basis = db_hash(rows, 24),
                        .restart = (uint64_t)db_int(rows, 25) };
    snprintf(out->set_id, sizeof(out->set_id), "%s", db_text(ctx, rows, 4));
}

/* The one row a query gives, or NOT_FOUND (bare). */
static Status one_job(Ctx *ctx, DbRows *rows, PpsJobRow *out)
{
    bool more;
    TRY(db_next(ctx, rows, &more));
    if (!more)
        return STATUS(NOT_FOUND);
    pps_read_job(ctx, rows, out);
    return OK;
}

Status pps_job_row(Ctx *ctx, PfsTx *tx, int64_t id, PpsJobRow *out)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT " PPS_JOB_COLUMNS " FROM pps_job j WHERE j.id = ?", "i", id));
    return one_job(ctx, &rows, out);
}

Status pps_find_job(Ctx *ctx, PfsTx *tx, const PpsV2__Job *job, PpsJobRow *out)
{
    const char *project = pps_pipeline_project(job->pipeline);
    const char *name = job->pipeline ? job->pipeline->name : "";
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT " PPS_JOB_COLUMNS
                 " FROM pps_job j WHERE j.project = ? AND j.name = ? AND j.set_id = ?",
                 "sss", project, name, job->id));
    Status s = one_job(ctx, &rows, out);
    if (s.code == STATUS_NOT_FOUND)
        return FAIL(ctx, NOT_FOUND, "jobs %s not found", pps_job_text(ctx, project, name, job->id));
    return s;
}

static Status job_of_commit(Ctx *ctx, PfsTx *tx, int64_t commit, PpsJobRow *out)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT " PPS_JOB_COLUMNS " FROM pps_job j WHERE j.output_commit = ?", "i",
                 commit));
    return one_job(ctx, &rows, out);
}

Status pps_each_open_job(Ctx *ctx, PfsTx *tx,
                         Status (*fn)(void *arg, Ctx *ctx, const PpsJobRow *row), void *arg)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(
        ctx, pfs_tx_db(tx), &rows,
        "SELECT " PPS_JOB_COLUMNS " FROM pps_job j WHERE j." JOB_IS_OPEN_SQL " ORDER BY j.id", ""));
    DB_EACH (ctx, &rows) {
        PpsJobRow row;
        pps_read_job(ctx, &rows, &row);
        TRY(fn(arg, ctx, &row));
    }
    return OK;
}

Status pps_oldest_open_job(Ctx *ctx, PfsTx *tx, int64_t pipeline, int64_t *out)
{
    return db_query_int(ctx, pfs_tx_db(tx), out,
                        "SELECT id FROM pps_job WHERE pipeline = ? AND " JOB_IS_OPEN_SQL
                        " ORDER BY id LIMIT 1",
                        "i", pipeline);
}

Status pps_job_spec(Ctx *ctx, PfsTx *tx, const PpsJobRow *job, PpsPipelineRow *out)
{
    return pps_pipeline_version(ctx, tx, job->pipeline_id, job->version, out);
}

/* Up the output branch's history: the first commit of the system's making, without an error, that a
 * job made and that is finished. A plan is kept with the job, so the meta commit need not be
 * read. */
Status pps_job_base(Ctx *ctx, PfsTx *tx, const PpsJobRow *job, PpsJobRow *out)
{
    *out = (PpsJobRow){ 0 };
    PfsCommitRow commit;
    TRY(pfs_commit_row(ctx, tx, job->output_commit, &commit));
    while (commit.parent_id) {
        TRY(pfs_commit_row(ctx, tx, commit.parent_id, &commit));
        if (commit.origin != PFS_V2__ORIGIN_KIND__AUTO || *commit.error ||
            commit.state != PFS_FINISHED || commit.forgotten)
            continue;
        Status s = job_of_commit(ctx, tx, commit.id, out);
        if (s.code != STATUS_NOT_FOUND)
            return s;
    }
    return OK;
}

/* --- moving ----------------------------------------------------------------------------------- */

static Status refuse_finished(Ctx *ctx, const PpsJobRow *row)
{
    if (!job_is_terminal(row->state))
        return OK;
    return FAIL(ctx, UNKNOWN, "job %s has already finished",
                pps_job_text(ctx, row->project, row->pipeline, row->set_id));
}

static Status write_state(Ctx *ctx, PfsTx *tx, const PpsJobRow *row, PpsV2__JobState state,
                          const char *reason)
{
    int64_t now = pfs_tx_time_ns(tx);
    bool terminal = job_is_terminal(state);
    bool starts = terminal || state == PPS_V2__JOB_STATE__JOB_RUNNING;
    TRY(db_exec(ctx, pfs_tx_db(tx), NULL,
                "UPDATE pps_job SET state = ?, reason = ?, started = CASE WHEN started = 0 AND ? = "
                "1 THEN ? ELSE started "
                "END, finished = CASE WHEN ? = 1 THEN ? ELSE finished END WHERE id = ?",
                "isiiiii", (int64_t)state, reason, (int64_t)starts, now, (int64_t)terminal, now,
                row->id));
    pps_note_job(tx, row->id);
    pps_note_pipeline(tx, row->pipeline_id, row->project, row->pipeline);
    return terminal ? pps_pipeline_settle(ctx, tx, row->pipeline_id) : OK;
}

Status pps_job_to(Ctx *ctx, PfsTx *tx, int64_t job, PpsV2__JobState state, const char *reason)
{
    PpsJobRow row;
    TRY(pps_job_row(ctx, tx, job, &row));
    TRY(refuse_finished(ctx, &row));
    return write_state(ctx, tx, &row, state, reason);
}

Status pps_job_progress(Ctx *ctx, PfsTx *tx, int64_t job, const JobCounters *c, const Hash *plan,
                        const Hash *basis)
{
    pps_note_job(tx, job);
    return db_exec(
        ctx, pfs_tx_db(tx), NULL,
        "UPDATE pps_job SET total = ?, processed = ?, skipped = ?, failed = ?, recovered = ?, "
        "download_ns = ?, "
        "process_ns = ?, upload_ns = ?, download_bytes = ?, upload_bytes = ?, plan = ?, basis = ? "
        "WHERE id = ?",
        "iiiiiiiiiihhi", c->total, c->processed, c->skipped, c->failed, c->recovered,
        c->download_ns, c->process_ns, c->upload_ns, c->download_bytes, c->upload_bytes, plan,
        basis, job);
}

static Status finish_row(Ctx *ctx, PfsTx *tx, int64_t commit, const char *error)
{
    PfsCommitRow row;
    Status s = pfs_commit_row(ctx, tx, commit, &row);
    if (s.code == STATUS_NOT_FOUND || (status_ok(s) && row.state != PFS_OPEN))
        return OK;
    TRY(s);
    PfsV2__FinishCommitRequest request;
    pfs_v2__finish_commit_request__init(&request);
    request.commit = PB_NEW(ctx, pfs_v2__commit, PfsV2__Commit);
    request.commit->repo = pfs_repo_ref(ctx, row.project, row.repo, row.repo_type);
    request.commit->id = arena_strdup(ctx->arena, row.set_id);
    request.error = arena_strdup(ctx->arena, error);
    return pfs_finish_commit(ctx, tx, &request, true);
}

static Status finish_commits(Ctx *ctx, PfsTx *tx, const PpsJobRow *row, const char *error)
{
    if (row->meta_commit)
        TRY(finish_row(ctx, tx, row->meta_commit, error));
    return finish_row(ctx, tx, row->output_commit, error);
}

Status pps_job_finish(Ctx *ctx, PfsTx *tx, int64_t job, const Hash *output_layer, const char *error,
                      PpsV2__JobState failed)
{
    PpsJobRow row;
    TRY(pps_job_row(ctx, tx, job, &row));
    TRY(refuse_finished(ctx, &row));
    if (output_layer && !hash_is_zero(output_layer))
        TRY(pfs_attach_layer(ctx, tx, row.output_commit, output_layer));
    bool ok = *error == '\0';
    TRY(write_state(ctx, tx, &row, ok ? PPS_V2__JOB_STATE__JOB_FINISHING : failed, error));
    return finish_commits(ctx, tx, &row, error);
}

/* Ends a job and its commits from outside: stop, update, deletion. */
static Status kill_job(Ctx *ctx, PfsTx *tx, const PpsJobRow *row, const char *reason)
{
    TRY(write_state(ctx, tx, row, PPS_V2__JOB_STATE__JOB_KILLED, reason));
    return finish_commits(ctx, tx, row, reason);
}

typedef struct OpenJobs {
    int64_t *ids;
    size_t n, capacity;
} OpenJobs;

static Status open_jobs_of(Ctx *ctx, PfsTx *tx, int64_t pipeline, OpenJobs *out)
{
    int64_t count;
    TRY(db_query_int(ctx, pfs_tx_db(tx), &count,
                     "SELECT COUNT(*) FROM pps_job WHERE pipeline = ? AND " JOB_IS_OPEN_SQL, "i",
                     pipeline));
    *out = (OpenJobs){ ARENA_NEW(ctx->arena, int64_t, (size_t)count + 1), 0, (size_t)count };
    if (!out->ids)
        return STATUS(RESOURCE_EXHAUSTED);
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT id FROM pps_job WHERE pipeline = ? AND " JOB_IS_OPEN_SQL " ORDER BY id",
                 "i", pipeline));
    DB_EACH (ctx, &rows) {
        if (out->n == out->capacity)
            break;
        out->ids[out->n++] = db_int(&rows, 0);
    }
    return OK;
}

Status pps_kill_jobs(Ctx *ctx, PfsTx *tx, int64_t pipeline, const char *reason)
{
    OpenJobs open;
    TRY(open_jobs_of(ctx, tx, pipeline, &open));
    for (size_t i = 0; i < open.n; i++) {
        PpsJobRow row;
        TRY(pps_job_row(ctx, tx, open.ids[i], &row));
        TRY(kill_job(ctx, tx, &row, reason));
    }
    return OK;
}

Status pps_stop_job(Ctx *ctx, PfsTx *tx, const PpsV2__StopJobRequest *request)
{
    if (!request->job)
        return FAIL(ctx, UNKNOWN, "Job must be specified");
    PpsJobRow row;
    TRY(pps_find_job(ctx, tx, request->job, &row));
    if (job_is_terminal(row.state))
        return OK;
    return kill_job(ctx, tx, &row, *request->reason ? request->reason : JOB_REASON_STOPPED);
}

static Status delete_job_row(Ctx *ctx, PfsTx *tx, int64_t job)
{
    TRY(log_delete_job(ctx, tx, job));
    TRY(db_exec(ctx, pfs_tx_db(tx), NULL, "DELETE FROM pps_job WHERE id = ?", "i", job));
    pps_note_job(tx, job);
    return OK;
}

Status pps_delete_job(Ctx *ctx, PfsTx *tx, const PpsV2__Job *job)
{
    if (!job)
        return FAIL(ctx, UNKNOWN, "job cannot be nil");
    PpsJobRow row;
    TRY(pps_find_job(ctx, tx, job, &row));
    if (!job_is_terminal(row.state))
        TRY(kill_job(ctx, tx, &row, JOB_REASON_DELETED));
    return delete_job_row(ctx, tx, row.id);
}

Status pps_update_job_state(Ctx *ctx, PfsTx *tx, const PpsV2__UpdateJobStateRequest *request)
{
    PpsJobRow row;
    TRY(pps_find_job(ctx, tx, request->job, &row));
    TRY(refuse_finished(ctx, &row));
    int number = (int)request->state;
    if (!protobuf_c_enum_descriptor_get_value(&pps_v2__job_state__descriptor, number))
        return FAIL(ctx, INVALID_ARGUMENT, "unknown job state %d", number);
    JobCounters counters = { .total = request->data_total,
                             .processed = request->data_processed,
                             .skipped = request->data_skipped,
                             .failed = request->data_failed,
                             .recovered = request->data_recovered };
    if (request->stats) {
        counters.download_ns = pb_duration_ns(request->stats->download_time);
        counters.process_ns = pb_duration_ns(request->stats->process_time);
        counters.upload_ns = pb_duration_ns(request->stats->upload_time);
        counters.download_bytes = request->stats->download_bytes;
        counters.upload_bytes = request->stats->upload_bytes;
    }
    TRY(pps_job_progress(ctx, tx, row.id, &counters, &row.plan, &row.basis));
    TRY(db_exec(ctx, pfs_tx_db(tx), NULL, "UPDATE pps_job SET restart = ? WHERE id = ?", "ii",
                (int64_t)request->restart, row.id));
    TRY(write_state(ctx, tx, &row, request->state, request->reason));
    if (!job_is_terminal(request->state))
        return OK;
    bool ok = request->state == PPS_V2__JOB_STATE__JOB_SUCCESS;
    const char *why = *request->reason ? request->reason : JOB_REASON_STOPPED;
    return finish_commits(ctx, tx, &row, ok ? "" : why);
}

/* --- hooks into pfs --------------------------------------------------------------------------- */

static bool is_output(const PpsPipelineRow *pipeline, const PfsCommitRow *commit)
{
    return strcmp(pipeline->info->details->output_branch, commit->branch) == 0;
}

/* Pages of lists go on behind the time that the last job on them was made. So no two jobs have the
 * same, and it is one that clients keep as it is: some know no less than a microsecond. */
static Status created_at(Ctx *ctx, PfsTx *tx, int64_t *out_ns)
{
    int64_t last = 0;
    Status s = db_query_int(ctx, pfs_tx_db(tx), &last,
                            "SELECT created FROM pps_job ORDER BY id DESC LIMIT 1", "");
    int64_t now = pfs_tx_time_ns(tx);
    *out_ns = MAX(now - now % NS_PER_US, last + NS_PER_US);
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

static Status insert_job(Ctx *ctx, PfsTx *tx, const PpsPipelineRow *pipeline,
                         const PfsCommitRow *commit)
{
    int64_t id, meta, created;
    TRY(db_next_id(ctx, pfs_tx_db(tx), "job", &id));
    TRY(created_at(ctx, tx, &created));
    TRY(pfs_commit_in_set(ctx, tx, pfs_repo_ref(ctx, commit->project, commit->repo, "meta"),
                          commit->set_id, &meta));
    TRY(db_exec(
        ctx, pfs_tx_db(tx), NULL,
        "INSERT INTO pps_job (id, pipeline, project, name, set_id, version, output_commit, "
        "meta_commit, state, "
        "reason, created, started, finished) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, '', ?, 0, 0) "
        "ON CONFLICT (project, name, set_id) DO NOTHING",
        "iisssiiii", id, pipeline->id, pipeline->project, pipeline->name, commit->set_id,
        (int64_t)pipeline->version, commit->id, meta, created));
    pps_note_job(tx, id);
    pps_note_pipeline(tx, pipeline->id, pipeline->project, pipeline->name);
    return OK;
}

/* §9.1: each open commit on a pipeline's output branch gets its job. A spout has none: what its
 * inputs cause ends at once (§34). */
Status pps_commits_created(void *self, Ctx *ctx, PfsTx *tx, const int64_t *commits, size_t n)
{
    (void)self;
    for (size_t i = 0; i < n; i++) {
        PfsCommitRow commit;
        bool found;
        int64_t id;
        TRY(pfs_commit_row(ctx, tx, commits[i], &commit));
        if (commit.state == PFS_FINISHED)
            TRY(pps_stir_below(ctx, tx, commits[i]));
        if (commit.state != PFS_OPEN || strcmp(commit.repo_type, "user") != 0)
            continue;
        TRY(pps_has_pipeline(ctx, tx, commit.project, commit.repo, &found, &id));
        if (!found)
            continue;
        PpsPipelineRow pipeline;
        TRY(pps_pipeline_row(ctx, tx, id, &pipeline));
        if (!is_output(&pipeline, &commit))
            continue;
        if (!pps_is_spout(pipeline.info))
            TRY(insert_job(ctx, tx, &pipeline, &commit));
        else if (commit.origin == PFS_V2__ORIGIN_KIND__AUTO)
            TRY(finish_row(ctx, tx, commit.id, ""));
    }
    return OK;
}

/* §9.5: the output commit is finished and checked, so the job is over. */
Status pps_commit_finished(void *self, Ctx *ctx, PfsTx *tx, int64_t commit, const char *error)
{
    (void)self;
    TRY(pps_stir_below(ctx, tx, commit));
    PpsJobRow row;
    Status s = job_of_commit(ctx, tx, commit, &row);
    if (s.code == STATUS_NOT_FOUND || (status_ok(s) && job_is_terminal(row.state)))
        return OK;
    TRY(s);
    return write_state(ctx, tx, &row,
                       *error ? PPS_V2__JOB_STATE__JOB_FAILURE : PPS_V2__JOB_STATE__JOB_SUCCESS,
                       error);
}

/* §29: a job that is over stays, one that is not is killed and goes with its commit. */
Status pps_commit_deleting(void *self, Ctx *ctx, PfsTx *tx, int64_t commit)
{
    (void)self;
    PpsJobRow row;
    Status s = job_of_commit(ctx, tx, commit, &row);
    if (s.code == STATUS_NOT_FOUND || (status_ok(s) && job_is_terminal(row.state)))
        return OK;
    TRY(s);
    TRY(write_state(ctx, tx, &row, PPS_V2__JOB_STATE__JOB_KILLED, JOB_REASON_COMMIT_REMOVED));
    return delete_job_row(ctx, tx, row.id);
}

Status pps_repo_delete_check(void *self, Ctx *ctx, PfsTx *tx, const PfsV2__Repo *repo)
{
    (void)self;
    bool found;
    int64_t id;
    TRY(pps_has_pipeline(ctx, tx, pps_project_of(repo->project), repo->name, &found, &id));
    if (found)
        return FAIL(
            ctx, UNKNOWN,
            "cannot delete a repo associated with a pipeline - delete the pipeline instead");
    return OK;
}

Status pps_user_finish_check(void *self, Ctx *ctx, PfsTx *tx, const PfsV2__Repo *repo)
{
    (void)self;
    bool found;
    int64_t id;
    TRY(pps_has_pipeline(ctx, tx, pps_project_of(repo->project), repo->name, &found, &id));
    if (!found)
        return OK;
    PpsPipelineRow row;
    TRY(pps_pipeline_row(ctx, tx, id, &row));
    if (row.info->type == PPS_V2__PIPELINE_INFO__PIPELINE_TYPE__PIPELINE_TYPE_TRANSFORM)
        return FAIL(ctx, UNKNOWN,
                    "cannot finish a pipeline output or meta commit, use 'stop job' instead");
    return OK;
}
