/* file.c - verbs that look at files, copy them and delete them. */
#include "cmd/pcv/verbs_priv.h"

/* --- lists: not aligned, so that names may hold anything -------------------------------------- */

static Status each_file(Cli *cli, void *arg, const void *message)
{
    (void)arg;
    const PfsV2__FileInfo *info = message;
    if (cli->opt[OPT_RAW].flag)
        return cli_print_raw(cli, info);
    cli_print(cli, "%s\t%s\n", cli_size(cli, info->size_bytes), info->file->path);
    return OK;
}

static Status print_files(Cli *cli, const char *path, const void *request)
{
    if (!cli->opt[OPT_RAW].flag)
        cli_print(cli, "SIZE   \tNAME\n");
    return cli_each(cli, path, request, each_file, NULL);
}

static Status list_file(Cli *cli)
{
    PfsV2__ListFileRequest *request =
        PB_NEW(cli->ctx, pfs_v2__list_file_request, PfsV2__ListFileRequest);
    TRY(ref_file(cli->ctx, cli_project_name(cli), cli->args[0], &request->file));
    return print_files(cli, "/pfs_v2.API/ListFile", request);
}

static Status glob_file(Cli *cli)
{
    PfsV2__GlobFileRequest *request =
        PB_NEW(cli->ctx, pfs_v2__glob_file_request, PfsV2__GlobFileRequest);
    PfsV2__File *file;
    TRY(ref_file(cli->ctx, cli_project_name(cli), cli->args[0], &file));
    request->commit = file->commit;
    request->pattern = file->path;
    return print_files(cli, "/pfs_v2.API/GlobFile", request);
}

static void print_file(Cli *cli, const void *message)
{
    const PfsV2__FileInfo *info = message;
    bool is_dir = info->file_type == PFS_V2__FILE_TYPE__DIR;
    cli_print(cli, "Path: %s\nDatum: %s\nType: %s\nSize: %s\n", info->file->path, info->file->datum,
              is_dir ? "dir" : "file", cli_size(cli, info->size_bytes));
}

static Status inspect_file(Cli *cli)
{
    PfsV2__InspectFileRequest *request =
        PB_NEW(cli->ctx, pfs_v2__inspect_file_request, PfsV2__InspectFileRequest);
    TRY(ref_file(cli->ctx, cli_project_name(cli), cli->args[0], &request->file));
    return show_one(cli, "/pfs_v2.API/InspectFile", request, print_file);
}

/* --- changes without content ------------------------------------------------------------------ */

/* A ModifyFile stream of one change. */
static Status modify(Cli *cli, PfsV2__Commit *commit, const PfsV2__ModifyFileRequest *change)
{
    CLEANUP(wire_stream_closep) WireStream *stream = NULL;
    WireClient *client;
    Buf answer = { 0 };
    bool end = false;
    PfsV2__ModifyFileRequest *first =
        PB_NEW(cli->ctx, pfs_v2__modify_file_request, PfsV2__ModifyFileRequest);
    first->body_case = PFS_V2__MODIFY_FILE_REQUEST__BODY_SET_COMMIT;
    first->set_commit = commit;
    TRY(cli_client(cli, &client));
    TRY(wire_stream_open(cli->ctx, client, "/pfs_v2.API/ModifyFile", &stream));
    TRY(wire_stream_send(cli->ctx, stream, pb_pack_bytes(cli->ctx, &first->base)));
    TRY(wire_stream_send(cli->ctx, stream, pb_pack_bytes(cli->ctx, &change->base)));
    TRY(wire_stream_close_send(cli->ctx, stream));
    Status s = OK;
    while (!end && status_ok(s))
        s = wire_stream_recv(cli->ctx, stream, &answer, &end);
    buf_done(&answer);
    return s;
}

static Status delete_file(Cli *cli)
{
    PfsV2__File *file;
    TRY(ref_file(cli->ctx, cli_project_name(cli), cli->args[0], &file));
    PfsV2__DeleteFile *deletion = PB_NEW(cli->ctx, pfs_v2__delete_file, PfsV2__DeleteFile);
    PfsV2__ModifyFileRequest *change =
        PB_NEW(cli->ctx, pfs_v2__modify_file_request, PfsV2__ModifyFileRequest);
    bool folder = cli->opt[OPT_DELETE_RECURSIVE].flag && !str_ends(str(file->path), STR("/"));
    deletion->path = folder ? text_printf(cli->ctx->arena, "%s/", file->path) : file->path;
    change->body_case = PFS_V2__MODIFY_FILE_REQUEST__BODY_DELETE_FILE;
    change->delete_file = deletion;
    return modify(cli, file->commit, change);
}

static const char *project_or(Cli *cli, OptionId id)
{
    const char *given = cli_text(cli, id);
    return *given ? given : cli_project_name(cli);
}

static Status copy_file(Cli *cli)
{
    PfsV2__File *source, *target;
    TRY(ref_file(cli->ctx, project_or(cli, OPT_SRC_PROJECT), cli->args[0], &source));
    TRY(ref_file(cli->ctx, project_or(cli, OPT_DEST_PROJECT), cli->args[1], &target));
    PfsV2__CopyFile *copy = PB_NEW(cli->ctx, pfs_v2__copy_file, PfsV2__CopyFile);
    PfsV2__ModifyFileRequest *change =
        PB_NEW(cli->ctx, pfs_v2__modify_file_request, PfsV2__ModifyFileRequest);
    copy->src = source;
    copy->dst = target->path;
    copy->append = cli->opt[OPT_PUT_APPEND].flag;
    change->body_case = PFS_V2__MODIFY_FILE_REQUEST__BODY_COPY_FILE;
    change->copy_file = copy;
    return modify(cli, target->commit, change);
}

/* clang-format off */
static const Command rows[] = {
    { .words = "list file", .args = "<repo>@<branch-or-commit>[:<path>]", .args_min = 1, .args_max = 1,
      .run = list_file, .summary = "list the files and folders in a folder",
      .options = { OPTIONS_RAW, OPT_FULL_TIMESTAMPS, OPT_PROJECT } },
    { .words = "glob file", .args = "\"<repo>@<branch-or-commit>:<pattern>\"", .args_min = 1, .args_max = 1,
      .run = glob_file, .summary = "list the files and folders that match a pattern",
      .options = { OPTIONS_RAW, OPT_FULL_TIMESTAMPS, OPT_PROJECT } },
    { .words = "inspect file", .args = "<repo>@<branch-or-commit>:<path>", .args_min = 1, .args_max = 1,
      .run = inspect_file, .summary = "show a file or folder", .options = { OPTIONS_RAW, OPT_PROJECT } },
    { .words = "delete file", .args = "<repo>@<branch-or-commit>:<path>", .args_min = 1, .args_max = 1,
      .run = delete_file, .summary = "delete a file from a commit", .options = { OPT_DELETE_RECURSIVE, OPT_PROJECT } },
    { .words = "copy file", .args = "<source> <target>", .args_min = 2, .args_max = 2, .run = copy_file,
      .summary = "copy a file or folder between commits, without moving its bytes",
      .options = { OPT_PUT_APPEND, OPT_PROJECT, OPT_SRC_PROJECT, OPT_DEST_PROJECT } },
};
/* clang-format on */

const CommandTable file_commands = { rows, ARRAY_LEN(rows) };
