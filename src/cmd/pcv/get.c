/* get.c - get file: to standard output, to a file, a whole folder, or to a URL. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/pcv/get.h"
#include "cmd/pcv/verbs_priv.h"
#include "codec/tar.h"

static void buf_donep(Buf *buf)
{
    buf_done(buf);
}

/* The bytes of a BytesValue, without a copy. */
static Status bytes_value(Ctx *ctx, Bytes message, Bytes *out)
{
    size_t at = 0;
    uint64_t tag = 0, size = 0;
    *out = bytes(message.data, 0);
    if (!message.size)
        return OK;
    if (!bytes_read_varint(message, &at, &tag) || tag != (1 << 3 | 2) ||
        !bytes_read_varint(message, &at, &size) || size > message.size - at)
        return FAIL(ctx, INTERNAL, "malformed answer of GetFile");
    *out = bytes(message.data + at, (size_t)size);
    return OK;
}

typedef Status (*TakePiece)(Ctx *ctx, void *arg, Bytes piece);

static Status get_stream(Cli *cli, const char *path, const PfsV2__GetFileRequest *request,
                         TakePiece take, void *arg)
{
    CLEANUP(wire_stream_closep) WireStream *stream = NULL;
    CLEANUP(buf_donep) Buf message = { 0 };
    WireClient *client;
    TRY(cli_client(cli, &client));
    TRY(wire_stream_open(cli->ctx, client, path, &stream));
    TRY(wire_stream_send(cli->ctx, stream, pb_pack_bytes(cli->ctx, &request->base)));
    TRY(wire_stream_close_send(cli->ctx, stream));
    for (bool end = false;;) {
        Bytes piece;
        TRY(wire_stream_recv(cli->ctx, stream, &message, &end));
        if (end)
            return OK;
        TRY(bytes_value(cli->ctx, buf_bytes(&message), &piece));
        TRY(take(cli->ctx, arg, piece));
    }
}

static Status write_piece(Ctx *ctx, void *arg, Bytes piece)
{
    return file_write_all(ctx, *(const int *)arg, piece.data, piece.size);
}

Status get_to_fd(Cli *cli, PfsV2__File *file, int fd)
{
    PfsV2__GetFileRequest *request =
        PB_NEW(cli->ctx, pfs_v2__get_file_request, PfsV2__GetFileRequest);
    request->file = file;
    return get_stream(cli, "/pfs_v2.API/GetFile", request, write_piece, &fd);
}

/* --- a folder --------------------------------------------------------------------------------- */

typedef struct Unpack {
    TarReader *reader;
    const char *output;
    Str base;   /* path asked for: what entries are named relative to */
    int fd;     /* of the current file; -1 between files */
    char *made; /* the folder made last */
} Unpack;

static bool climbs(Str name)
{
    while (name.size) {
        size_t end = str_find(name, '/');
        if (str_eq_c(str_sub(name, 0, end), ".."))
            return true;
        name = str_sub(name, end + 1, name.size);
    }
    return false;
}

/* Where an entry goes; a file that was asked for by its own path is the output itself. */
static Status local_path(Ctx *ctx, const Unpack *unpack, Str name, char **out)
{
    Str rest = str_trim(name, "/");
    if (climbs(rest))
        return FAIL(ctx, INVALID_ARGUMENT, "the server sent a path with '..': '" STR_FMT "'",
                    STR_ARG(name));
    if (str_starts(rest, unpack->base))
        rest = str_trim(str_sub(rest, unpack->base.size, rest.size), "/");
    *out = text_printf(ctx->arena, "%s%s" STR_FMT, unpack->output, rest.size ? "/" : "",
                       STR_ARG(rest));
    return OK;
}

static Status make_parents(Ctx *ctx, Unpack *unpack, const char *path, bool is_dir)
{
    const char *slash = strrchr(path, '/');
    char *folder = arena_strdup(ctx->arena, path);
    if (!is_dir) {
        if (!slash || slash == path)
            return OK;
        folder[slash - path] = '\0';
    }
    if (unpack->made && strcmp(unpack->made, folder) == 0)
        return OK;
    unpack->made = folder;
    return file_make_dirs(ctx, folder, 0777);
}

static Status on_entry(void *arg, Ctx *ctx, const TarEntry *entry)
{
    Unpack *unpack = arg;
    bool is_dir = entry->type == TAR_DIR;
    char *path = NULL;
    TRY(local_path(ctx, unpack, entry->name, &path));
    TRY(make_parents(ctx, unpack, path, is_dir));
    if (is_dir)
        return OK;
    unpack->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return unpack->fd >= 0 ? OK : status_errno(ctx, errno, "open %s", path);
}

static Status on_data(void *arg, Ctx *ctx, Bytes piece)
{
    const Unpack *unpack = arg;
    return unpack->fd >= 0 ? file_write_all(ctx, unpack->fd, piece.data, piece.size) : OK;
}

static Status on_end(void *arg, Ctx *ctx)
{
    Unpack *unpack = arg;
    (void)ctx;
    fd_closep(&unpack->fd);
    return OK;
}

static Status feed(Ctx *ctx, void *arg, Bytes piece)
{
    return tar_reader_feed(ctx, ((Unpack *)arg)->reader, piece);
}

static Status get_folder(Cli *cli, const PfsV2__GetFileRequest *request)
{
    PfsV2__InspectFileRequest *inspect =
        PB_NEW(cli->ctx, pfs_v2__inspect_file_request, PfsV2__InspectFileRequest);
    inspect->file = request->file;
    TRY(cli_call(cli, "/pfs_v2.API/InspectFile", inspect, NULL));
    Unpack unpack = { .output = cli_text(cli, OPT_GET_OUTPUT),
                      .base = str_trim(str(request->file->path), "/"),
                      .fd = -1 };
    const TarSink sink = { on_entry, on_data, on_end, &unpack };
    CLEANUP(tar_reader_freep) TarReader *reader = tar_reader_new(&sink);
    unpack.reader = reader;
    Status s = get_stream(cli, "/pfs_v2.API/GetFileTAR", request, feed, &unpack);
    fd_closep(&unpack.fd);
    return status_ok(s) ? tar_reader_finish(cli->ctx, reader) : s;
}

/* --- one file --------------------------------------------------------------------------------- */

/* With --retry, what is there already is kept, and the rest asked for. */
static Status open_output(Cli *cli, PfsV2__GetFileRequest *request, int *out_fd)
{
    const char *path = cli_text(cli, OPT_GET_OUTPUT);
    bool more = cli->opt[OPT_GET_RETRY].flag;
    struct stat st;
    AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (more ? O_APPEND : O_TRUNC), 0666);
    if (fd < 0 || fstat(fd, &st) != 0)
        return status_errno(cli->ctx, errno, "open %s", path);
    if (more)
        request->offset += st.st_size;
    *out_fd = fd_steal(&fd);
    return OK;
}

static Status get_to_path(Cli *cli, PfsV2__GetFileRequest *request)
{
    PfsV2__InspectFileRequest *inspect =
        PB_NEW(cli->ctx, pfs_v2__inspect_file_request, PfsV2__InspectFileRequest);
    PfsV2__FileInfo *info;
    inspect->file = request->file;
    TRY(cli_call(cli, "/pfs_v2.API/InspectFile", inspect, &info));
    AUTO_FD fd = -1;
    TRY(open_output(cli, request, &fd));
    if (cli->opt[OPT_GET_RETRY].flag && request->offset >= info->size_bytes)
        return OK;
    return get_stream(cli, "/pfs_v2.API/GetFile", request, write_piece, &fd);
}

/* The server names a call; a person has a flag. */
static Status for_people(Cli *cli, const PfsV2__File *file, Status s)
{
    static const char theirs[] = "Use GetFileTAR instead";
    const char *message = status_message(s), *found = strstr(message, theirs);
    if (found)
        s = status_new(cli->ctx, s.code, "%.*sTry again with the -r flag%s", (int)(found - message),
                       message, found + strlen(theirs));
    return status_wrap(cli->ctx, s, "couldn't download %s from %s", file->path,
                       ref_commit_text(cli->ctx, file->commit));
}

static Status get_file(Cli *cli)
{
    PfsV2__GetFileRequest *request =
        PB_NEW(cli->ctx, pfs_v2__get_file_request, PfsV2__GetFileRequest);
    TRY(ref_file(cli->ctx, cli_project_name(cli), cli->args[0], &request->file));
    char *output = cli_text(cli, OPT_GET_OUTPUT);
    bool recursive = cli->opt[OPT_GET_RECURSIVE].flag;
    int fd = STDOUT_FILENO;
    Status s;
    request->offset = cli->opt[OPT_GET_OFFSET].number;
    if (recursive && !*output)
        return FAIL(cli->ctx, INVALID_ARGUMENT,
                    "an output path needs to be specified when using the --recursive flag");
    if (ref_is_url(output))
        request->url = output;
    if (recursive && !*request->url)
        s = get_folder(cli, request);
    else if (*output && !*request->url)
        s = get_to_path(cli, request);
    else
        s = get_stream(cli, "/pfs_v2.API/GetFile", request, write_piece, &fd);
    return status_ok(s) ? OK : for_people(cli, request->file, s);
}

/* clang-format off */
static const Command rows[] = {
    { .words = "get file", .args = "<repo>@<branch-or-commit>:<path>", .args_min = 1, .args_max = 1, .run = get_file,
      .summary = "write the content of a file to standard output, or a folder to disk",
      .options = { OPT_GET_RECURSIVE, OPT_GET_OUTPUT, OPT_PROGRESS, OPT_GET_OFFSET, OPT_GET_RETRY, OPT_PROJECT } },
};
/* clang-format on */

const CommandTable get_commands = { rows, ARRAY_LEN(rows) };
