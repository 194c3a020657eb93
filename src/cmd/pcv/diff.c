/* diff.c - diff file: names of what differs, or what differs in each file, by a program for it. */
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/pcv/get.h"
#include "cmd/pcv/verbs_priv.h"

static void diff_row(Cli *cli, Table *table, const PfsV2__FileInfo *info, const char *sign,
                     Color color)
{
    if (info)
        TABLE_ROW(table, cli_paint(cli, color, sign), cli_size(cli, info->size_bytes),
                  info->file->path);
}

static Status each_name(Cli *cli, void *arg, const void *message)
{
    const PfsV2__DiffFileResponse *r = message;
    diff_row(cli, arg, r->new_file, "+", COLOR_GREEN);
    diff_row(cli, arg, r->old_file, "-", COLOR_RED);
    return OK;
}

static Status print_names(Cli *cli, const PfsV2__DiffFileRequest *request)
{
    static const char *const header[] = { "OP", "SIZE", "NAME" };
    Table table;
    table_init(&table, cli, header, ARRAY_LEN(header));
    Status s = cli_each(cli, "/pfs_v2.API/DiffFile", request, each_name, &table);
    table_done(&table);
    return s;
}

/* --- contents --------------------------------------------------------------------------------- */

static bool is_file(const PfsV2__FileInfo *info)
{
    return info && info->file_type == PFS_V2__FILE_TYPE__FILE;
}

/* The content in a temporary file, which exists when *out_path is not /dev/null. */
static Status fetch(Cli *cli, const PfsV2__FileInfo *info, const char **out_path)
{
    *out_path = "/dev/null";
    if (!is_file(info))
        return OK;
    const char *folder = getenv("TMPDIR"), *base = strrchr(info->file->path, '/');
    char *path =
        text_printf(cli->ctx->arena, "%s/pcv-diff-XXXXXX_%s", folder && *folder ? folder : "/tmp",
                    base ? base + 1 : info->file->path);
    AUTO_FD fd = mkstemps(path, base ? (int)strlen(base) : (int)strlen(info->file->path) + 1);
    if (fd < 0)
        return status_errno(cli->ctx, errno, "could not make a temporary file '%s'", path);
    *out_path = path;
    return get_to_fd(cli, info->file, fd);
}

/* Ends with 0 when equal and 1 when not, both fine. */
static Status run_tool(Cli *cli, const char *old_path, const char *new_path)
{
    const char *given = cli_text(cli, OPT_DIFF_COMMAND);
    const char *color = cli->color ? "always" : "never";
    const char *tool =
        *given ? given
               : text_printf(
                     cli->ctx->arena,
                     "if command -v git >/dev/null; then set -- git -c color.ui=%s --no-pager diff "
                     "--no-index \"$@\"; else set -- diff -u \"$@\"; fi; \"$@\"",
                     color);
    char *script = *given ? text_printf(cli->ctx->arena, "%s \"$@\"", tool)
                          : arena_strdup(cli->ctx->arena, tool);
    int status = 0;
    TRY(cli_flush(cli));
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", script, "diff", old_path, new_path, (char *)NULL);
        _exit(127);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (child < 0 || !WIFEXITED(status) || WEXITSTATUS(status) > 1)
        return FAIL(cli->ctx, ABORTED, "the program to compare files with did not end well");
    return OK;
}

static Status print_difference(Cli *cli, const PfsV2__DiffFileResponse *r)
{
    const char *old_path = "/dev/null", *new_path = "/dev/null";
    if (!is_file(r->new_file) && !is_file(r->old_file))
        return OK;
    const PfsV2__FileInfo *named = r->new_file ? r->new_file : r->old_file;
    cli_print(cli, "%s\n", named->file->path);
    Status s = fetch(cli, r->old_file, &old_path);
    if (status_ok(s))
        s = fetch(cli, r->new_file, &new_path);
    if (status_ok(s))
        s = run_tool(cli, old_path, new_path);
    if (strcmp(old_path, "/dev/null") != 0)
        unlink(old_path);
    if (strcmp(new_path, "/dev/null") != 0)
        unlink(new_path);
    return s;
}

static Status diff_file(Cli *cli)
{
    PfsV2__DiffFileRequest *request =
        PB_NEW(cli->ctx, pfs_v2__diff_file_request, PfsV2__DiffFileRequest);
    const char *old_project = cli_text(cli, OPT_OLD_PROJECT);
    CliMessages found;
    TRY(ref_file(cli->ctx, cli_project_name(cli), cli->args[0], &request->new_file));
    if (cli->arg_count > 1)
        TRY(ref_file(cli->ctx, *old_project ? old_project : cli_project_name(cli), cli->args[1],
                     &request->old_file));
    request->shallow = cli->opt[OPT_SHALLOW].flag;
    if (cli->opt[OPT_NAME_ONLY].flag)
        return print_names(cli, request);
    TRY(cli_collect(cli, "/pfs_v2.API/DiffFile", request, &found));
    for (size_t i = 0; i < found.count; i++)
        TRY(print_difference(cli, found.items[i]));
    return OK;
}

/* clang-format off */
static const Command rows[] = {
    { .words = "diff file", .args = "<new> [<old>]", .args_min = 1, .args_max = 2, .run = diff_file, .paged = true,
      .summary = "show what differs between two files or folders, by default from the parent commit",
      .options = { OPT_SHALLOW, OPT_NAME_ONLY, OPT_DIFF_COMMAND, OPT_FULL_TIMESTAMPS, OPT_NO_PAGER, OPT_PROJECT,
                   OPT_OLD_PROJECT } },
};
/* clang-format on */

const CommandTable diff_commands = { rows, ARRAY_LEN(rows) };
