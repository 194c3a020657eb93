/* cluster.c - verbs of the server as a whole. */
#include <sys/utsname.h>

#include "admin/admin.pb-c.h"
#include "base/clock.h"
#include "cmd/pcv/verbs_priv.h"
#include "version/versionpb/version.pb-c.h"

static VersionpbV2__Version *own_version(Cli *cli)
{
    VersionpbV2__Version *version = PB_NEW(cli->ctx, versionpb_v2__version, VersionpbV2__Version);
    version->major = 2;
    version->minor = 13;
    version->platform = arena_strdup(cli->ctx->arena, "procavia " PCV_VERSION);
    return version;
}

static char *version_text(Ctx *ctx, const VersionpbV2__Version *v)
{
    return text_printf(ctx->arena, "%u.%u.%u%s", v->major, v->minor, v->micro, v->additional);
}

static Status print_versions(Cli *cli, const VersionpbV2__Version *own,
                             const VersionpbV2__Version *server)
{
    static const char *const header[] = { "COMPONENT", "VERSION" };
    Table table;
    if (cli->opt[OPT_RAW].flag) {
        TRY(cli_print_raw(cli, own));
        return server ? cli_print_raw(cli, server) : OK;
    }
    table_init(&table, cli, header, ARRAY_LEN(header));
    table.width_min = 17;
    table.gap = 3;
    TABLE_ROW(&table, "pcv", version_text(cli->ctx, own));
    TABLE_ROW(&table, "pcvd", server ? version_text(cli->ctx, server) : "(version unknown)");
    table_done(&table);
    return OK;
}

static Status version(Cli *cli)
{
    const VersionpbV2__Version *own = own_version(cli);
    VersionpbV2__Version *server = NULL;
    Google__Protobuf__Empty *request =
        PB_NEW(cli->ctx, google__protobuf__empty, Google__Protobuf__Empty);
    struct utsname name;
    if (cli->opt[OPT_ARCHITECTURE].flag && uname(&name) == 0)
        cli_print(cli, "%s\n%s\n", name.machine, name.sysname);
    if (cli->opt[OPT_CLIENT_ONLY].flag) {
        cli_print(cli, "%s\n", version_text(cli->ctx, own));
        return OK;
    }
    int64_t limit_ns = cli->opt[OPT_TIMEOUT].number ? cli->opt[OPT_TIMEOUT].number : NS_PER_SEC;
    cli->ctx->deadline_ns = MIN(cli->ctx->deadline_ns, clock_mono_ns() + limit_ns);
    Status s = cli_call(cli, "/versionpb_v2.API/GetVersion", request, &server);
    TRY(print_versions(cli, own, server));
    TRY(s);
    if (cli->opt[OPT_COMPARE].flag && !pb_equal(&own->base, &server->base))
        return FAIL(cli->ctx, FAILED_PRECONDITION, "versions differ");
    return OK;
}

static void print_cluster(Cli *cli, const void *message)
{
    cli_print(cli, "%s\n", ((const AdminV2__ClusterInfo *)message)->id);
}

static Status inspect_cluster(Cli *cli)
{
    AdminV2__InspectClusterRequest *request =
        PB_NEW(cli->ctx, admin_v2__inspect_cluster_request, AdminV2__InspectClusterRequest);
    request->client_version = own_version(cli);
    request->current_project = cli_project(cli);
    return show_one(cli, "/admin_v2.API/InspectCluster", request, print_cluster);
}

static Status restart_cluster(Cli *cli)
{
    AdminV2__RestartPachydermRequest *request =
        PB_NEW(cli->ctx, admin_v2__restart_pachyderm_request, AdminV2__RestartPachydermRequest);
    request->reason = cli_text(cli, OPT_REASON);
    TRY(cli_call(cli, "/admin_v2.API/RestartPachyderm", request, NULL));
    cli_note("restart requested ok");
    return OK;
}

/* --- fsck ------------------------------------------------------------------------------------- */

static Status each_finding(Cli *cli, void *arg, const void *message)
{
    const PfsV2__FsckResponse *r = message;
    if (*r->error) {
        cli_print(cli, "Error: %s\n", r->error);
        *(bool *)arg = true;
    } else {
        cli_print(cli, "Fix applied: %s\n", r->fix);
    }
    return OK;
}

static Status fsck(Cli *cli)
{
    PfsV2__FsckRequest *request = PB_NEW(cli->ctx, pfs_v2__fsck_request, PfsV2__FsckRequest);
    bool errors = false;
    request->fix = cli->opt[OPT_FIX].flag;
    if (cli->opt[OPT_ZOMBIE_ALL].flag) {
        request->zombie_check_case = PFS_V2__FSCK_REQUEST__ZOMBIE_CHECK_ZOMBIE_ALL;
        request->zombie_all = true;
    } else if (cli->opt[OPT_ZOMBIE].set) {
        request->zombie_check_case = PFS_V2__FSCK_REQUEST__ZOMBIE_CHECK_ZOMBIE_TARGET;
        TRY(ref_commit(cli->ctx, cli_project_name(cli), cli_text(cli, OPT_ZOMBIE),
                       &request->zombie_target));
    }
    TRY(cli_each(cli, "/pfs_v2.API/Fsck", request, each_finding, &errors));
    if (!errors)
        cli_print(cli, "No errors found.\n");
    return OK;
}

/* clang-format off */
static const Command rows[] = {
    { .words = "version", .args = "", .run = version, .offline = true,
      .summary = "print the versions of this program and of the server",
      .options = { OPT_CLIENT_ONLY, OPT_ARCHITECTURE, OPT_TIMEOUT, OPT_ENTERPRISE, OPT_COMPARE, OPTIONS_RAW } },
    { .words = "inspect cluster", .args = "", .run = inspect_cluster, .summary = "print the id of the server",
      .options = { OPTIONS_RAW } },
    { .words = "restart cluster", .args = "", .run = restart_cluster, .summary = "ask the server to restart",
      .options = { OPT_REASON } },
    { .words = "fsck", .args = "", .run = fsck, .summary = "check that what the server keeps is consistent",
      .options = { OPT_FIX, OPT_ZOMBIE_ALL, OPT_ZOMBIE, OPT_PROJECT } },
};
/* clang-format on */

const CommandTable cluster_commands = { rows, ARRAY_LEN(rows) };
