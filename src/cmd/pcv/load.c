/* load.c - run pfs-load-test, run pps-load-test: what they found, as JSON. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cmd/pcv/verbs_priv.h"
#include "debug/debug.pb-c.h"

/* One spec's test; an error in the answer ends the run, after the answer was printed. */
typedef Status (*RunSpec)(Cli *cli, char *spec, const char **out_error);

static Status run_one(Cli *cli, RunSpec run, char *spec, const char *file)
{
    const char *error;
    TRY(run(cli, spec, &error));
    TRY(cli_flush(cli));
    if (!*error)
        return OK;
    return FAIL(cli->ctx, ABORTED, "%s%s%s", file, *file ? ": " : "", error);
}

static Status run_file(Cli *cli, RunSpec run, const char *file)
{
    Buf text = { 0 };
    Status s = read_source(cli, file, &text);
    char *spec = str_z(cli->ctx->arena, buf_str(&text));
    buf_done(&text);
    TRY(s);
    return run_one(cli, run, spec, file);
}

static int is_file(const struct dirent *entry)
{
    return entry->d_type != DT_DIR && entry->d_name[0] != '.';
}

static Status run_folder(Cli *cli, RunSpec run, const char *folder)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, is_file, alphasort);
    if (n < 0)
        return status_errno(cli->ctx, errno, "could not list folder '%s'", folder);
    Status s = OK;
    for (int i = 0; i < n; i++) {
        if (status_ok(s))
            s = run_file(cli, run,
                         text_printf(cli->ctx->arena, "%s/%s", folder, entries[i]->d_name));
        free(entries[i]);
    }
    free(entries);
    return s;
}

static Status run_all(Cli *cli, RunSpec run)
{
    struct stat info;
    static char preset[] = ""; /* the server has one */
    if (!cli->arg_count)
        return run_one(cli, run, preset, "");
    const char *path = cli->args[0];
    bool is_folder = !ref_is_url(path) && stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    return is_folder ? run_folder(cli, run, path) : run_file(cli, run, path);
}

static Status run_pfs(Cli *cli, char *spec, const char **out_error)
{
    DebugV2__RunPFSLoadTestRequest *request =
        PB_NEW(cli->ctx, debug_v2__run_pfsload_test_request, DebugV2__RunPFSLoadTestRequest);
    DebugV2__RunPFSLoadTestResponse *answer;
    request->spec = spec;
    request->seed = cli->opt[OPT_SEED].number;
    request->state_id = cli_text(cli, OPT_STATE_ID);
    if (*cli_text(cli, OPT_LOAD_BRANCH))
        TRY(ref_branch(cli->ctx, cli_project_name(cli), cli_text(cli, OPT_LOAD_BRANCH),
                       &request->branch));
    TRY(cli_call(cli, "/debug_v2.Debug/RunPFSLoadTest", request, &answer));
    *out_error = answer->error;
    return cli_print_raw(cli, answer);
}

static Status run_pps(Cli *cli, char *spec, const char **out_error)
{
    PpsV2__RunLoadTestRequest *request =
        PB_NEW(cli->ctx, pps_v2__run_load_test_request, PpsV2__RunLoadTestRequest);
    PpsV2__RunLoadTestResponse *answer;
    CLEANUP(buf_done) Buf dag = { 0 };
    if (*cli_text(cli, OPT_DAG))
        TRY(read_source(cli, cli_text(cli, OPT_DAG), &dag));
    request->dag_spec = str_z(cli->ctx->arena, buf_str(&dag));
    request->load_spec = spec;
    request->seed = cli->opt[OPT_SEED].number;
    request->parallelism = cli->opt[OPT_LOAD_PARALLELISM].number;
    request->pod_patch = cli_text(cli, OPT_POD_PATCH);
    request->state_id = cli_text(cli, OPT_STATE_ID);
    TRY(cli_call(cli, "/pps_v2.API/RunLoadTest", request, &answer));
    *out_error = answer->error;
    return cli_print_raw(cli, answer);
}

static Status pfs_load_test(Cli *cli)
{
    return run_all(cli, run_pfs);
}

static Status pps_load_test(Cli *cli)
{
    return run_all(cli, run_pps);
}

/* clang-format off */
static const Command rows[] = {
    { .words = "run pfs-load-test", .args = "[<spec-file or dir>]", .args_max = 1, .run = pfs_load_test,
      .summary = "write commits of random files, and check what is in them",
      .detail = "A spec says how many commits, files and bytes; of a folder, each file is one. Without, the\n"
                "server's own is run. The answer has what was run and the seed with which it comes again.",
      .options = { OPT_LOAD_BRANCH, OPT_SEED, OPT_STATE_ID, OPT_PROJECT } },
    { .words = "run pps-load-test", .args = "[<spec-file or dir>]", .args_max = 1, .run = pps_load_test,
      .summary = "send commits of random files through pipelines made for it",
      .detail = "A DAG has a line `name:` for each repo to write to, and `name: input, input` for each pipeline.",
      .options = { OPT_DAG, OPT_SEED, OPT_LOAD_PARALLELISM, OPT_POD_PATCH, OPT_STATE_ID } },
};
/* clang-format on */

const CommandTable load_commands = { rows, ARRAY_LEN(rows) };
