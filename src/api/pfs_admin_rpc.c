/* pfs_admin_rpc.c - pfs_v2.API: checks, tasks, egress. */
#include "api/api_priv.h"

#include "base/text.h"
#include "codec/pb.h"
#include "pfs/url.h"
#include "pfs/view.h"

/* --- projects --------------------------------------------------------------------------------- */

static Status inspect_project_v2(Call *call, PfsTx *tx, const void *request, void **response)
{
    const PfsV2__InspectProjectV2Request *r = request;
    PfsV2__InspectProjectV2Response *answer =
        CALL_NEW(call, PfsV2__InspectProjectV2Response, pfs_v2__inspect_project_v2_response__init);
    PpsV2__GetProjectDefaultsResponse *defaults;
    Status s = pfs_inspect_project(call->ctx, tx, r->project, &answer->info);
    if (status_ok(s))
        s = pps_get_project_defaults(call->ctx, tx, r->project, &defaults);
    TRY_WRAP(call->ctx, s, "could not inspect project %s",
             text_quote(call->ctx->arena, str(r->project->name)));
    answer->defaults_json = defaults->project_defaults_json;
    *response = answer;
    return OK;
}

/* --- checks ----------------------------------------------------------------------------------- */

static Status send_fault(void *call, Ctx *ctx, const char *error)
{
    PfsV2__FsckResponse answer;
    pfs_v2__fsck_response__init(&answer);
    answer.error = arena_strdup(ctx->arena, error);
    return call_send(call, &answer.base);
}

static Status check_rows(Call *call)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(call->ctx, call->api->config.pfs, &tx));
    return pfs_fsck(call->ctx, tx, send_fault, call);
}

static Status fsck(Call *call, const void *request)
{
    const PfsV2__FsckRequest *r = request;
    bool one = r->zombie_check_case == PFS_V2__FSCK_REQUEST__ZOMBIE_CHECK_ZOMBIE_TARGET;
    bool all = r->zombie_check_case == PFS_V2__FSCK_REQUEST__ZOMBIE_CHECK_ZOMBIE_ALL &&
               r->zombie_all;
    TRY(check_rows(call));
    if (!one && !all)
        return OK;
    return pps_zombies(call->ctx, call->api->config.pps, one ? r->zombie_target : NULL, send_fault,
                       call);
}

typedef struct Scrub {
    Bytes begin, end; /* an empty end is open */
    int64_t blobs;
} Scrub;

static Status scrub_blob(void *arg, Ctx *ctx, const Hash *hash, const BlobPlace *place,
                         Status health)
{
    (void)place;
    Scrub *scrub = arg;
    Bytes name = bytes(hash, sizeof(*hash));
    if (bytes_cmp(name, scrub->begin) < 0)
        return OK;
    if (scrub->end.size && bytes_cmp(name, scrub->end) >= 0)
        return OK;
    scrub->blobs++;
    return status_ok(health) ? OK : status_wrap(ctx, health, "check storage");
}

static Status check_storage(Call *call, const void *request, void **response)
{
    const PfsV2__CheckStorageRequest *r = request;
    Pfs *pfs = call->api->config.pfs;
    Scrub scrub = { .begin = bytes(r->chunk_begin.data, r->chunk_begin.len),
                    .end = bytes(r->chunk_end.data, r->chunk_end.len) };
    TRY(store_flush_index(call->ctx, pfs_store(pfs)));
    if (r->read_chunk_data)
        TRY(store_scrub(call->ctx, pfs_store(pfs), scrub_blob, &scrub));
    else
        TRY(db_store_count(call->ctx, pfs_db(pfs), scrub.begin, scrub.end, &scrub.blobs));
    PfsV2__CheckStorageResponse *answer =
        CALL_NEW(call, PfsV2__CheckStorageResponse, pfs_v2__check_storage_response__init);
    answer->chunk_object_count = scrub.blobs;
    *response = answer;
    return OK;
}

/* --- what other servers have ------------------------------------------------------------------ */

/* Work is not distributed as tasks here, so there are none to list. */
static Status list_task(Call *call, const void *request)
{
    const Taskapi__Group *group = ((const Taskapi__ListTaskRequest *)request)->group;
    if (*group->group && !*group->namespace_)
        return FAIL(call->ctx, UNKNOWN, "must provide a task namespace to list a group");
    return OK;
}

static Status activate_auth(Call *call, const void *request, void **response)
{
    (void)request;
    (void)response;
    return auth_off(call->ctx);
}

static PfsV2__EgressResponse *egress_answer(Call *call, void **response)
{
    PfsV2__EgressResponse *answer =
        CALL_NEW(call, PfsV2__EgressResponse, pfs_v2__egress_response__init);
    *response = answer;
    return answer;
}

static Status egress_objects(Call *call, const PfsView *view, const char *url, void **response)
{
    PfsV2__EgressResponse__ObjectStorageResult *result =
        CALL_NEW(call, PfsV2__EgressResponse__ObjectStorageResult,
                 pfs_v2__egress_response__object_storage_result__init);
    PfsV2__EgressResponse *answer = egress_answer(call, response);
    answer->result_case = PFS_V2__EGRESS_RESPONSE__RESULT_OBJECT_STORAGE;
    answer->object_storage = result;
    return pfs_url_export_tree(call->ctx, view->pfs, &view->root, url, &result->bytes_written);
}

typedef struct Rows {
    Call *call;
    PfsV2__EgressResponse__SQLDatabaseResult *result;
} Rows;

static Status add_rows(void *arg, Ctx *ctx, Str table, int64_t n)
{
    const Rows *rows = arg;
    PfsV2__EgressResponse__SQLDatabaseResult *result = rows->result;
    size_t count = result->n_rows_written;
    PfsV2__EgressResponse__SQLDatabaseResult__RowsWrittenEntry **all =
        ARENA_NEW(ctx->arena, PfsV2__EgressResponse__SQLDatabaseResult__RowsWrittenEntry *,
                  count + 1);
    if (!all)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < count; i++)
        all[i] = result->rows_written[i];
    all[count] = CALL_NEW(
        rows->call, PfsV2__EgressResponse__SQLDatabaseResult__RowsWrittenEntry,
        pfs_v2__egress_response__sqldatabase_result__rows_written_entry__init);
    all[count]->key = str_z(ctx->arena, table);
    all[count]->value = n;
    result->rows_written = all;
    result->n_rows_written = count + 1;
    return OK;
}

static Status egress_rows(Call *call, const PfsView *view, const PfsV2__SQLDatabaseEgress *target,
                          void **response)
{
    const char *password;
    TRY(pps_egress_password(call->ctx, call->api->config.pps, target, &password));
    Rows rows = { call, CALL_NEW(call, PfsV2__EgressResponse__SQLDatabaseResult,
                                 pfs_v2__egress_response__sqldatabase_result__init) };
    PfsV2__EgressResponse *answer = egress_answer(call, response);
    answer->result_case = PFS_V2__EGRESS_RESPONSE__RESULT_SQL_DATABASE;
    answer->sql_database = rows.result;
    return pfs_url_load_tree(call->ctx, view->pfs, &view->root, target, password, add_rows, &rows);
}

static Status egress(Call *call, const void *request, void **response)
{
    const PfsV2__EgressRequest *r = request;
    Ctx *ctx = call->ctx;
    bool to_sql = r->target_case == PFS_V2__EGRESS_REQUEST__TARGET_SQL_DATABASE;
    if (to_sql)
        TRY(pfs_url_check_secret(ctx, r->sql_database));
    PfsView view;
    TRY_WRAP(ctx, pfs_view_open(ctx, call->api->config.pfs, r->commit, &view), "get file url");
    if (to_sql)
        return egress_rows(call, &view, r->sql_database, response);
    if (r->target_case == PFS_V2__EGRESS_REQUEST__TARGET_OBJECT_STORAGE)
        return egress_objects(call, &view, r->object_storage->url, response);
    return FAIL(ctx, UNKNOWN, "egress failed");
}

static const ApiMethod methods[] = {
    { .path = "/pfs_v2.API/InspectProjectV2", .read = inspect_project_v2 },
    { .path = "/pfs_v2.API/Fsck", .stream = fsck },
    { .path = "/pfs_v2.API/CheckStorage", .unary = check_storage },
    { .path = "/pfs_v2.API/ListTask", .stream = list_task },
    { .path = "/pfs_v2.API/ActivateAuth", .unary = activate_auth },
    { .path = "/pfs_v2.API/Egress", .unary = egress },
};

const ApiTable api_pfs_admin_table = { methods, ARRAY_LEN(methods) };
