/* defaults.c - cluster and project defaults: stored as given, merged into specs, and laid over
 * existing pipelines on request (§3.5). */
#include "base/text.h"
#include "google/rpc/error_details.pb-c.h"
#include "pps/pps_priv.h"

typedef struct Stored {
    const char *json, *created_by;
    int64_t created_ns;
} Stored;

static Status read_stored(Ctx *ctx, PfsTx *tx, const char *scope, Stored *out)
{
    *out = (Stored){ "{}", "", 0 };
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT json, created_by, created FROM pps_spec_defaults WHERE scope = ?", "s",
                 scope));
    bool more;
    TRY(db_next(ctx, &rows, &more));
    if (more)
        *out = (Stored){ db_text(ctx, &rows, 0), db_text(ctx, &rows, 1), db_int(&rows, 2) };
    return OK;
}

static Status write_stored(Ctx *ctx, PfsTx *tx, const char *scope, const char *json)
{
    return db_exec(
        ctx, pfs_tx_db(tx), NULL,
        "INSERT INTO pps_spec_defaults (scope, json, created_by, created) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (scope) DO UPDATE SET json = excluded.json, created_by = excluded.created_by, "
        "created = excluded.created",
        "sssi", scope, json, ctx->user, pfs_tx_time_ns(tx));
}

Status pps_get_cluster_defaults(Ctx *ctx, PfsTx *tx, const char **out_json)
{
    Stored stored;
    TRY(read_stored(ctx, tx, "cluster", &stored));
    *out_json = stored.json;
    return OK;
}

static const char *project_scope(Ctx *ctx, const char *project)
{
    return text_printf(ctx->arena, "project:%s", project);
}

Status pps_get_project_defaults(Ctx *ctx, PfsTx *tx, const PfsV2__Project *project,
                                PpsV2__GetProjectDefaultsResponse **out)
{
    PfsV2__Project handle;
    pfs_v2__project__init(&handle);
    handle.name = arena_strdup(ctx->arena, pps_project_of(project));
    PfsV2__ProjectInfo *info;
    TRY(pfs_inspect_project(ctx, tx, &handle, &info));
    Stored stored;
    TRY(read_stored(ctx, tx, project_scope(ctx, handle.name), &stored));
    PpsV2__GetProjectDefaultsResponse *answer =
        PB_NEW(ctx, pps_v2__get_project_defaults_response, PpsV2__GetProjectDefaultsResponse);
    answer->project_defaults_json = arena_strdup(ctx->arena, stored.json);
    answer->created_by = arena_strdup(ctx->arena, stored.created_by);
    answer->created_at = pb_timestamp(ctx, stored.created_ns);
    *out = answer;
    return OK;
}

Status pps_drop_project_defaults(Ctx *ctx, PfsTx *tx, const PfsV2__Project *project)
{
    return db_exec(ctx, pfs_tx_db(tx), NULL, "DELETE FROM pps_spec_defaults WHERE scope = ?", "s",
                   project_scope(ctx, pps_project_of(project)));
}

/* --- laying new defaults over what exists ----------------------------------------------------- */

typedef struct Affected {
    const char *project; /* NULL: all */
    PfsTx *tx;
    PpsV2__CreatePipelineTransaction **again; /* [n] */
    PpsV2__Pipeline **pipelines;              /* [n] */
    size_t n, capacity;
} Affected;

static Status prepare_again(Ctx *ctx, PfsTx *tx, const PpsPipelineRow *row,
                            PpsV2__CreatePipelineTransaction **out)
{
    PpsV2__CreatePipelineV2Request request;
    pps_v2__create_pipeline_v2_request__init(&request);
    request.create_pipeline_request_json = row->info->user_spec_json;
    request.update = true;
    TRY_WRAP(ctx, pps_prepare(ctx, tx, &request, out), "could not regenerate pipeline %s/%s",
             row->project, row->name);
    (*out)->create_pipeline_request->pipeline = pps_pipeline_ref(ctx, row->project, row->name);
    return OK;
}

static Status note_if_affected(void *arg, Ctx *ctx, const PpsPipelineRow *row)
{
    Affected *affected = arg;
    if (affected->project && strcmp(affected->project, row->project) != 0)
        return OK;
    PpsV2__CreatePipelineTransaction *again;
    TRY(prepare_again(ctx, affected->tx, row, &again));
    bool same;
    TRY(spec_same(ctx, row->info->effective_spec_json, again->effective_json, &same));
    if (same || affected->n == affected->capacity)
        return OK;
    affected->again[affected->n] = again;
    affected->pipelines[affected->n++] = again->create_pipeline_request->pipeline;
    return OK;
}

static Status find_affected(Ctx *ctx, PfsTx *tx, const char *project, Affected *out)
{
    int64_t count;
    TRY(db_query_int(ctx, pfs_tx_db(tx), &count, "SELECT COUNT(*) FROM pps_pipeline", ""));
    *out = (Affected){ .project = project, .tx = tx, .capacity = (size_t)count };
    out->again = ARENA_NEW(ctx->arena, PpsV2__CreatePipelineTransaction *, (size_t)count + 1);
    out->pipelines = ARENA_NEW(ctx->arena, PpsV2__Pipeline *, (size_t)count + 1);
    if (!out->again || !out->pipelines)
        return STATUS(RESOURCE_EXHAUSTED);
    return pps_each_pipeline(ctx, tx, note_if_affected, out);
}

static Status update_affected(Ctx *ctx, PfsTx *tx, Pps *pps, const Affected *affected,
                              bool reprocess)
{
    for (size_t i = 0; i < affected->n; i++) {
        affected->again[i]->create_pipeline_request->update = true;
        affected->again[i]->create_pipeline_request->reprocess = reprocess;
        TRY(pps_create_pipeline(ctx, tx, pps, affected->again[i]));
    }
    return OK;
}

/* The new text is written first, so that what is regenerated in this transaction reads it; a dry
 * run's transaction is given up by the caller. */
static Status set_defaults(Ctx *ctx, PfsTx *tx, Pps *pps, const char *scope, const char *project,
                           const char *json, bool regenerate, bool reprocess, bool dry_run,
                           Affected *out)
{
    *out = (Affected){ 0 };
    TRY(write_stored(ctx, tx, scope, json));
    if (!regenerate)
        return OK;
    TRY(find_affected(ctx, tx, project, out));
    return dry_run ? OK : update_affected(ctx, tx, pps, out, reprocess);
}

/* What stood against it is told in a DebugInfo alone. Errors of the server rather than of the request
 * are handed on as they are. */
static Status not_written(Ctx *ctx, Status inner, const char *what)
{
    if (status_ok(inner) || !spec_is_the_requests_fault(inner.code))
        return inner;
    Google__Rpc__DebugInfo info;
    google__rpc__debug_info__init(&info);
    info.detail = arena_strdup(ctx->arena, status_message(inner));
    return status_with_any(ctx, FAIL(ctx, UNKNOWN, "unknown error: could not write %s", what),
                           "type.googleapis.com/google.rpc.DebugInfo",
                           pb_pack_bytes(ctx, &info.base));
}

Status pps_set_cluster_defaults(Ctx *ctx, PfsTx *tx, Pps *pps,
                                const PpsV2__SetClusterDefaultsRequest *r,
                                PpsV2__SetClusterDefaultsResponse **out)
{
    TRY(spec_check_cluster_defaults(ctx, r->cluster_defaults_json));
    Affected affected;
    Status s = set_defaults(ctx, tx, pps, "cluster", NULL, r->cluster_defaults_json, r->regenerate,
                            r->reprocess, r->dry_run, &affected);
    TRY(not_written(ctx, s, "cluster defaults"));
    *out = PB_NEW(ctx, pps_v2__set_cluster_defaults_response, PpsV2__SetClusterDefaultsResponse);
    (*out)->affected_pipelines = affected.pipelines;
    (*out)->n_affected_pipelines = affected.n;
    return OK;
}

Status pps_set_project_defaults(Ctx *ctx, PfsTx *tx, Pps *pps,
                                const PpsV2__SetProjectDefaultsRequest *r,
                                PpsV2__SetProjectDefaultsResponse **out)
{
    const char *project = pps_project_of(r->project), *cluster_json;
    TRY(pps_get_cluster_defaults(ctx, tx, &cluster_json));
    TRY(spec_check_project_defaults(ctx, cluster_json, r->project_defaults_json));
    Affected affected;
    Status s =
        set_defaults(ctx, tx, pps, project_scope(ctx, project), project, r->project_defaults_json,
                     r->regenerate, r->reprocess, r->dry_run, &affected);
    TRY(not_written(ctx, s, "project defaults"));
    *out = PB_NEW(ctx, pps_v2__set_project_defaults_response, PpsV2__SetProjectDefaultsResponse);
    (*out)->affected_pipelines = affected.pipelines;
    (*out)->n_affected_pipelines = affected.n;
    return OK;
}
