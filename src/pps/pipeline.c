/* pipeline.c - pipelines as rows: read, listed, and their state written. */
#include <ctype.h>

#include "base/clock.h"
#include "base/text.h"
#include "pps/pps_priv.h"

Status pps_has_pipeline(Ctx *ctx, PfsTx *tx, const char *project, const char *name, bool *out_found,
                        int64_t *out_id)
{
    Status s = db_query_int(ctx, pfs_tx_db(tx), out_id,
                            "SELECT id FROM pps_pipeline WHERE project = ? AND name = ?", "ss",
                            project, name);
    *out_found = status_ok(s);
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

Status pps_find_pipeline(Ctx *ctx, PfsTx *tx, const char *project, const char *name,
                         int64_t *out_id)
{
    bool found;
    TRY(pps_has_pipeline(ctx, tx, project, name, &found, out_id));
    if (!found)
        return FAIL(ctx, NOT_FOUND, "pipeline \"%s/%s\" not found", project, name);
    return OK;
}

static Status pipeline_not_inspected(Ctx *ctx, const char *project, const char *name)
{
    const char *text = pps_pipeline_text(ctx, project, name);
    return FAIL(ctx, NOT_FOUND,
                "pipeline was not inspected: couldn't find up to date spec for pipeline \"%s\": "
                "pick commit tx: commit "
                "%s.spec@ not found\nrepo %s.spec not found\npipeline \"%s\" not found",
                text, text, text, text);
}

Status pps_find_inspected(Ctx *ctx, PfsTx *tx, const PpsV2__Pipeline *pipeline, int64_t *out_id)
{
    const char *project = pps_pipeline_project(pipeline);
    bool found;
    TRY(pps_has_pipeline(ctx, tx, project, pipeline->name, &found, out_id));
    return found ? OK : pipeline_not_inspected(ctx, project, pipeline->name);
}

#define VERSION_COLUMNS                                                                            \
    "p.id, p.project, p.name, v.version, p.state, p.reason, p.stopped, v.image_digest, v.info, "   \
    "v.not_before, "                                                                               \
    "p.workers_started, p.version"

/* What changes lies beside the packed info and is laid over it here. */
static Status read_version(Ctx *ctx, const DbRows *rows, PpsPipelineRow *out)
{
    *out = (PpsPipelineRow){ .id = db_int(rows, 0),
                             .project = db_text(ctx, rows, 1),
                             .name = db_text(ctx, rows, 2),
                             .version = (uint64_t)db_int(rows, 3),
                             .state = (PpsV2__PipelineState)db_int(rows, 4),
                             .reason = db_text(ctx, rows, 5),
                             .stopped = db_int(rows, 6) != 0,
                             .image_digest = db_text(ctx, rows, 7),
                             .results_not_before_ns = db_int(rows, 9) };
    TRY_WRAP(ctx, PB_UNPACK(ctx, pps_v2__pipeline_info, db_bytes(ctx, rows, 8), &out->info),
             "could not read pipeline '%s/%s'", out->project, out->name);
    PpsV2__PipelineInfo *info = out->info;
    info->state = out->state;
    info->reason = arena_strdup(ctx->arena, out->reason);
    info->stopped = out->stopped;
    if (info->details)
        info->details->workers_started_at = pb_timestamp(ctx, db_int(rows, 10));
    return OK;
}

Status pps_pipeline_version(Ctx *ctx, PfsTx *tx, int64_t id, uint64_t version, PpsPipelineRow *out)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT " VERSION_COLUMNS
                 " FROM pps_pipeline p JOIN pps_pipeline_version v ON v.pipeline = p.id "
                 "WHERE p.id = ? AND v.version = CASE WHEN ? = 0 THEN p.version ELSE ? END",
                 "iii", id, (int64_t)version, (int64_t)version));
    bool more;
    TRY(db_next(ctx, &rows, &more));
    if (!more)
        return FAIL(ctx, NOT_FOUND, "pipelines %lld version %llu not found", (long long)id,
                    (unsigned long long)version);
    return read_version(ctx, &rows, out);
}

Status pps_pipeline_row(Ctx *ctx, PfsTx *tx, int64_t id, PpsPipelineRow *out)
{
    return pps_pipeline_version(ctx, tx, id, 0, out);
}

#define CURRENT_VERSIONS                                                                           \
    "SELECT " VERSION_COLUMNS " FROM pps_pipeline p JOIN pps_pipeline_version v "                  \
    "ON v.pipeline = p.id AND v.version = p.version WHERE "

static Status each_row(Ctx *ctx, PfsTx *tx, const char *sql, PpsPipelineRowFn fn, void *arg)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows, sql, ""));
    DB_EACH (ctx, &rows) {
        PpsPipelineRow row;
        TRY(read_version(ctx, &rows, &row));
        TRY(fn(arg, ctx, &row));
    }
    return OK;
}

Status pps_each_pipeline(Ctx *ctx, PfsTx *tx, PpsPipelineRowFn fn, void *arg)
{
    return each_row(ctx, tx, CURRENT_VERSIONS "0 = 0 ORDER BY p.id", fn, arg);
}

/* Each of the three is a range of the index by state: STARTING, RESTARTING and CRASHING are on
 * their way; PAUSED that was started; RUNNING and STANDBY that were stopped. */
Status pps_each_moving_pipeline(Ctx *ctx, PfsTx *tx, PpsPipelineRowFn fn, void *arg)
{
    return each_row(ctx, tx,
                    CURRENT_VERSIONS "p.state IN (0, 1, 3, 7) OR (p.state = 5 AND p.stopped = 0) "
                                     "OR (p.state IN (2, 6) AND p.stopped = 1) ORDER BY p.id",
                    fn, arg);
}

Status pps_each_cron_pipeline(Ctx *ctx, PfsTx *tx, PpsPipelineRowFn fn, void *arg)
{
    return each_row(ctx, tx, CURRENT_VERSIONS "p.has_cron = 1 AND p.state IN (2, 6) ORDER BY p.id",
                    fn, arg);
}

Status pps_any_live(Ctx *ctx, PfsTx *tx, bool *out)
{
    int64_t any;
    TRY(db_query_int(
        ctx, pfs_tx_db(tx), &any,
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM pps_pipeline WHERE state IN (1, 2, 6)) "
        "THEN 1 ELSE 0 END",
        ""));
    *out = any != 0;
    return OK;
}

Status pps_set_pipeline_state(Ctx *ctx, PfsTx *tx, int64_t id, PpsV2__PipelineState state,
                              const char *reason)
{
    PpsPipelineRow row;
    TRY(pps_pipeline_row(ctx, tx, id, &row));
    TRY(db_exec(ctx, pfs_tx_db(tx), NULL,
                "UPDATE pps_pipeline SET state = ?, reason = ?, workers_started = ? WHERE id = ?",
                "isii", (int64_t)state, reason,
                pipeline_has_workers(state) ? clock_wall_ns() : INT64_C(0), id));
    pps_note_pipeline(tx, id, row.project, row.name);
    return OK;
}

/* Is there an open job that nothing but workers keeps waiting? */
static Status has_work(Ctx *ctx, PfsTx *tx, int64_t pipeline, bool *out)
{
    int64_t ignored;
    Status s = db_query_int(
        ctx, pfs_tx_db(tx), &ignored,
        "SELECT 1 FROM pps_job j WHERE j.pipeline = ? AND j." JOB_IS_OPEN_SQL
        " AND NOT EXISTS (SELECT 1 FROM pfs_commit_prov e JOIN pfs_commit c ON c.id = e.up_id "
        "WHERE e.down_id = j.output_commit AND c.state <> ?) LIMIT 1",
        "ii", pipeline, (int64_t)PFS_FINISHED);
    *out = status_ok(s);
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

static Status tell_pipeline(Ctx *ctx, PfsTx *tx, int64_t id, PipelineEvent event)
{
    PpsPipelineRow row;
    Status s = pps_pipeline_row(ctx, tx, id, &row);
    if (s.code == STATUS_NOT_FOUND)
        return OK; /* its jobs end as it is deleted */
    TRY(s);
    const PipelineFacts facts = { row.state, row.stopped, row.info->details->autoscaling };
    if (!facts.autoscaling)
        return OK;
    PipelineStep step = pipeline_step(&facts, event);
    return step.changed ? pps_set_pipeline_state(ctx, tx, id, step.state, "") : OK;
}

Status pps_pipeline_busy(Ctx *ctx, PfsTx *tx, int64_t id)
{
    return tell_pipeline(ctx, tx, id, PIPELINE_EV_WORK);
}

Status pps_pipeline_settle(Ctx *ctx, PfsTx *tx, int64_t id)
{
    bool busy;
    TRY(has_work(ctx, tx, id, &busy));
    return busy ? OK : tell_pipeline(ctx, tx, id, PIPELINE_EV_IDLE);
}

Status pps_retry_image(Ctx *ctx, PfsTx *tx, Pps *pps, int64_t id, bool *out_found)
{
    PpsPipelineRow row;
    TRY(pps_pipeline_row(ctx, tx, id, &row));
    const char *digest = "";
    Status s =
        pps->host.resolve_image(pps->host.self, ctx, row.info->details->transform->image, &digest);
    *out_found = status_ok(s);
    if (!status_ok(s))
        return s.code == STATUS_NOT_FOUND ? OK : s;
    return db_exec(
        ctx, pfs_tx_db(tx), NULL,
        "UPDATE pps_pipeline_version SET image_digest = ? WHERE pipeline = ? AND version = ?",
        "sii", digest, id, (int64_t)row.version);
}

Status pps_image_user(Ctx *ctx, PfsTx *tx, const char *digest, const char **out)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    bool more;
    TRY(db_query(
        ctx, pfs_tx_db(tx), &rows,
        "SELECT p.project, p.name FROM pps_pipeline_version v JOIN pps_pipeline p "
        "ON p.id = v.pipeline WHERE v.image_digest = ? AND (v.version = p.version OR EXISTS "
        "(SELECT 1 FROM pps_job j WHERE j.pipeline = v.pipeline AND j.version = v.version "
        "AND j." JOB_IS_OPEN_SQL ")) LIMIT 1",
        "s", digest));
    TRY(db_next(ctx, &rows, &more));
    *out = more ? text_printf(ctx->arena, "%s/%s", db_text(ctx, &rows, 0), db_text(ctx, &rows, 1))
                : NULL;
    return OK;
}

/* --- what the API shows ----------------------------------------------------------------------- */

/* State of the newest job that ran version <= version. */
static Status last_job_state(Ctx *ctx, PfsTx *tx, int64_t pipeline, uint64_t version,
                             PpsV2__JobState *out)
{
    int64_t state = 0;
    Status s = db_query_int(
        ctx, pfs_tx_db(tx), &state,
        "SELECT state FROM pps_job WHERE pipeline = ? AND version <= ? ORDER BY id DESC LIMIT 1",
        "ii", pipeline, (int64_t)version);
    *out = (PpsV2__JobState)state;
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

/* A name with its ancestry ("foo^2"): how many versions back, or an error (§26.14). */
static Status parse_ancestry(Ctx *ctx, Str full, Str *out_name, uint64_t *out_back)
{
    size_t end = str_find_any(full, "^~.");
    *out_name = str_sub(full, 0, end);
    *out_back = 0;
    if (end == full.size)
        return OK;
    char mark = full.data[end];
    Str rest = str_sub(full, end, full.size);
    size_t marks = 0;
    while (marks < rest.size && rest.data[marks] == mark)
        marks++;
    Str number = str_sub(rest, marks, rest.size);
    int64_t count = 0;
    for (size_t i = 0; i < number.size; i++) {
        if (!isdigit((unsigned char)number.data[i]))
            return FAIL(ctx, UNKNOWN,
                        "invalid ancestry syntax \"" STR_FMT "\", cannot mix %c and %c characters",
                        STR_ARG(full), mark, number.data[i]);
    }
    if (mark == '.')
        return FAIL(ctx, UNKNOWN, "cannot inspect future pipelines");
    if (number.size && !str_to_i64(number, &count))
        return FAIL(ctx, UNKNOWN, "invalid ancestry syntax \"" STR_FMT "\"", STR_ARG(full));
    *out_back = number.size ? (uint64_t)count : marks;
    return OK;
}

static Status read_metadata(Ctx *ctx, PfsTx *tx, PpsPipelineRow *row)
{
    return pfs_metadata_read(ctx, tx, PFS_PIPELINE, row->id,
                             &pps_v2__pipeline_info__metadata_entry__descriptor,
                             (void ***)&row->info->metadata, &row->info->n_metadata);
}

/* None that is asked for can run while the pipeline is crashing. */
static void show_workers(const PpsPipelineRow *row)
{
    PpsV2__PipelineInfo__Details *details = row->info->details;
    bool crashing = row->state == PPS_V2__PIPELINE_STATE__PIPELINE_CRASHING;
    uint64_t asked =
        pipeline_has_workers(row->state) ? MAX(row->info->parallelism, (uint64_t)1) : 0;
    details->workers_requested = (int64_t)MIN(asked, (uint64_t)INT64_MAX);
    details->workers_available = crashing ? 0 : details->workers_requested;
}

Status pps_inspect_pipeline(Ctx *ctx, PfsTx *tx, const PpsV2__InspectPipelineRequest *request,
                            PpsV2__PipelineInfo **out)
{
    const char *project = pps_pipeline_project(request->pipeline);
    Str name;
    uint64_t back;
    TRY(parse_ancestry(ctx, str(request->pipeline->name), &name, &back));
    const char *plain = str_z(ctx->arena, name);
    bool found;
    int64_t id;
    TRY(pps_has_pipeline(ctx, tx, project, plain, &found, &id));
    if (!found)
        return pipeline_not_inspected(ctx, project, plain);
    PpsPipelineRow row;
    TRY(pps_pipeline_row(ctx, tx, id, &row));
    if (back >= row.version)
        return FAIL(ctx, UNKNOWN,
                    "pipeline \"%s/%s\" has only %llu versions, not enough to find ancestor %llu",
                    project, plain, (unsigned long long)row.version, (unsigned long long)back);
    if (back)
        TRY(pps_pipeline_version(ctx, tx, id, row.version - back, &row));
    TRY(last_job_state(ctx, tx, id, row.info->version + back, &row.info->last_job_state));
    TRY(read_metadata(ctx, tx, &row));
    if (request->details)
        show_workers(&row);
    else
        row.info->details = NULL;
    *out = row.info;
    return OK;
}

static bool wanted(const PpsV2__ListPipelineRequest *request, const PpsPipelineRow *row)
{
    const PpsV2__Pipeline *only = request->pipeline;
    if (only && *only->name &&
        (strcmp(only->name, row->name) != 0 ||
         strcmp(pps_pipeline_project(only), row->project) != 0))
        return false;
    return pps_in_projects(request->projects, request->n_projects, row->project);
}

/* Versions newest created first; of each pipeline the current one and `history` older ones (-1:
 * all). With a commit set, each pipeline as of the newest spec commit that was made up to that
 * set. */
static const char list_sql[] =
    "SELECT " VERSION_COLUMNS
    " FROM pps_pipeline p JOIN pps_pipeline_version v ON v.pipeline = p.id "
    "WHERE (? < 0 OR v.version >= p.version - ?) ORDER BY v.seq DESC";
static const char list_at_sql[] =
    "SELECT " VERSION_COLUMNS
    " FROM pps_pipeline p JOIN pps_pipeline_version v ON v.pipeline = p.id "
    "WHERE v.version = (SELECT MAX(w.version) FROM pps_pipeline_version w WHERE w.pipeline = p.id "
    "AND w.spec_commit <= "
    "(SELECT MAX(c.id) FROM pfs_commit c WHERE c.set_id = ?)) ORDER BY v.seq DESC";

Status pps_list_pipeline(Ctx *ctx, PfsTx *tx, const PpsV2__ListPipelineRequest *request,
                         PpsPipelineFn fn, void *arg)
{
    if (request->pipeline && *request->pipeline->name) {
        int64_t id;
        TRY_WRAP(ctx,
                 pps_find_pipeline(ctx, tx, pps_pipeline_project(request->pipeline),
                                   request->pipeline->name, &id),
                 "could not list pipeline info");
    }
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    if (request->commit_set && *request->commit_set->id)
        TRY(db_query(ctx, pfs_tx_db(tx), &rows, list_at_sql, "s", request->commit_set->id));
    else
        TRY(db_query(ctx, pfs_tx_db(tx), &rows, list_sql, "ii", request->history,
                     request->history));
    DB_EACH (ctx, &rows) {
        ArenaMark mark = arena_mark(ctx->arena);
        PpsPipelineRow row;
        TRY(read_version(ctx, &rows, &row));
        if (wanted(request, &row)) {
            TRY(last_job_state(ctx, tx, row.id, row.version, &row.info->last_job_state));
            TRY(read_metadata(ctx, tx, &row));
            TRY(fn(arg, ctx, row.info));
        }
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}
