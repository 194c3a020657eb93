/* misc_rpc.c - version, cluster, health, and our own questions about the record. */

#include "api/api_priv.h"
#include "base/text.h"
#include "codec/pb.h"
#include "grpc/health/v1/health.pb-c.h"
#include "version/versionpb/version.pb-c.h"

/* The API generation that we speak; clients compare major and minor. */
#define API_MAJOR 2
#define API_MINOR 13

/* How long a wish for a restart is remembered: 90 days. */
#define RESTARTS_KEPT_NS (90 * 24 * 3600 * NS_PER_SEC)

static Status get_version(Call *call, const void *request, void **response)
{
    (void)request;
    VersionpbV2__Version *version =
        CALL_NEW(call, VersionpbV2__Version, versionpb_v2__version__init);
    version->major = API_MAJOR;
    version->minor = API_MINOR;
    version->platform = arena_strdup(call->ctx->arena, "procavia " PCV_VERSION);
    *response = version;
    return OK;
}

static const char *skew_warning(const VersionpbV2__Version *client)
{
    if (!client)
        return "WARNING: The client used to connect to Pachyderm did not send its version, which "
               "means that it is likely "
               "too old.  Please upgrade it.";
    if (!client->major && !client->minor && !client->micro)
        return NULL;
    if (*client->additional)
        return "WARNING: The client used to connect to Pachyderm is a pre-release version not "
               "compatible with the "
               "server; please use a released version compatible with v2.13.0.";
    if (client->major < API_MAJOR || (client->major == API_MAJOR && client->minor < API_MINOR))
        return "WARNING: The client used to connect to Pachyderm is much older than the server; "
               "please upgrade the "
               "client.";
    if (client->major > API_MAJOR || client->minor > API_MINOR)
        return "WARNING: The client used to connect to Pachyderm is much newer than the server; "
               "please use a version of "
               "the client that matches the server.";
    return NULL;
}

static const char *project_warning(Call *call, const PfsV2__Project *project)
{
    if (!project || !*project->name)
        return NULL;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    PfsV2__ProjectInfo *info;
    Status s = pfs_begin_read(call->ctx, call->api->config.pfs, &tx);
    if (status_ok(s))
        s = pfs_inspect_project(call->ctx, tx, project, &info);
    if (status_ok(s))
        return NULL;
    return text_printf(call->ctx->arena, "WARNING: Could not inspect project \"%s\": %s",
                       project->name, status_message(s));
}

/* What the database knows of the cluster: its metadata, and whether somebody asked for a restart
 * since this server started. */
static Status add_notes(Call *call, AdminV2__ClusterInfo *info)
{
    Ctx *ctx = call->ctx;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, call->api->config.pfs, &tx));
    TRY(metadata_of_cluster(ctx, tx, info));
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT reason FROM api_restart WHERE at_ns > ? ORDER BY at_ns DESC, id DESC", "i",
                 call->api->started_ns));
    const char *reasons = "";
    DB_EACH (ctx, &rows) {
        info->pending_restart = true;
        reasons = text_printf(ctx->arena, "%s%s%s", reasons, *reasons ? "; " : "",
                              db_text(ctx, &rows, 0));
    }
    info->restart_info = arena_strdup(ctx->arena, reasons);
    return OK;
}

static Status restart_pachyderm(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    Ctx *ctx = call->ctx;
    const char *reason = ((const AdminV2__RestartPachydermRequest *)request)->reason;
    int64_t now_ns = pfs_tx_time_ns(tx), id;
    TRY(db_exec(ctx, pfs_tx_db(tx), NULL, "DELETE FROM api_restart WHERE at_ns < ?", "i",
                now_ns - RESTARTS_KEPT_NS));
    TRY(db_next_id(ctx, pfs_tx_db(tx), "api_restart", &id));
    return db_exec(ctx, pfs_tx_db(tx), NULL,
                   "INSERT INTO api_restart (id, at_ns, reason) VALUES (?, ?, ?)", "iis", id,
                   now_ns,
                   text_printf(ctx->arena, "%s by %s", *reason ? reason : "restart requested",
                               *ctx->user ? ctx->user : "<unknown>"));
}

static Status inspect_cluster(Call *call, const void *request, void **response)
{
    const AdminV2__InspectClusterRequest *r = request;
    Arena *arena = call->ctx->arena;
    AdminV2__ClusterInfo *info = CALL_NEW(call, AdminV2__ClusterInfo, admin_v2__cluster_info__init);
    info->id = arena_strdup(arena, call->api->config.cluster_id);
    info->deployment_id = info->id;
    info->warnings_ok = true;
    info->warnings = ARENA_NEW(arena, char *, 2);
    const char *const warnings[] = { skew_warning(r->client_version),
                                     project_warning(call, r->current_project) };
    for (size_t i = 0; info->warnings && i < ARRAY_LEN(warnings); i++) {
        if (warnings[i])
            info->warnings[info->n_warnings++] = arena_strdup(arena, warnings[i]);
    }
    info->web_resources = CALL_NEW(call, AdminV2__WebResource, admin_v2__web_resource__init);
    info->web_resources->archive_download_base_url = arena_strdup(arena, "/archive/");
    info->web_resources->create_pipeline_request_json_schema_url =
        arena_strdup(arena, "/jsonschema/pps_v2/CreatePipelineRequest.schema.json");
    *response = info;
    return add_notes(call, info);
}

/* The server as a whole is asked about by no name; its services are not told apart. */
static Status health_check(Call *call, const void *request, void **response)
{
    const char *service = ((const Grpc__Health__V1__HealthCheckRequest *)request)->service;
    if (*service)
        return FAIL(call->ctx, NOT_FOUND, "unknown service %s", service);
    Grpc__Health__V1__HealthCheckResponse *answer = CALL_NEW(
        call, Grpc__Health__V1__HealthCheckResponse, grpc__health__v1__health_check_response__init);
    answer->status = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
    *response = answer;
    return OK;
}

/* Health does not change while a server runs: one answer, then silence until the client leaves. */
static Status health_watch(Call *call, const void *request)
{
    void *answer;
    TRY(health_check(call, request, &answer));
    TRY(call_send(call, answer));
    EventBus *bus = db_events(pfs_db(call->api->config.pfs));
    const uint64_t never = event_topic("health", STR(""));
    return event_wait(call->ctx, bus, &never, 1, event_epoch(bus));
}

static const ApiMethod methods[] = {
    { .path = "/versionpb_v2.API/GetVersion", .unary = get_version },
    { .path = "/admin_v2.API/InspectCluster", .unary = inspect_cluster },
    { .path = "/admin_v2.API/RestartPachyderm", .write = restart_pachyderm },
    { .path = "/grpc.health.v1.Health/Check", .unary = health_check },
    { .path = "/grpc.health.v1.Health/Watch", .stream = health_watch },
};

const ApiTable api_misc_table = { methods, ARRAY_LEN(methods) };
