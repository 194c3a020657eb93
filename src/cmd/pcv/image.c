/* image.c - verbs of images: root file systems that pipelines run in. */
#include <errno.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/pcv/verbs_priv.h"
#include "procavia/v1/procavia.pb-c.h"
#include "proto_methods.h"

#define PIECE_BYTES (256 * KiB)

extern char **environ;

static const char *const header[] = { "NAME", "DIGEST", "SIZE", "CREATED" };

static void image_row(Cli *cli, Table *table, const void *message)
{
    const Procavia__V1__ImageInfo *info = message;
    TABLE_ROW(table, info->name, info->digest, cli_size(cli, info->size_bytes),
              cli_ago(cli, info->created));
}

static const Listing listing = { header, ARRAY_LEN(header), image_row };

static Status list_images(Cli *cli)
{
    return cli_list(
        cli, "/procavia.v1.API/ListImages",
        PB_NEW(cli->ctx, procavia__v1__list_images_request, Procavia__V1__ListImagesRequest),
        &listing);
}

static Status delete_image(Cli *cli)
{
    Procavia__V1__DeleteImageRequest *request =
        PB_NEW(cli->ctx, procavia__v1__delete_image_request, Procavia__V1__DeleteImageRequest);
    request->name = cli->args[0];
    request->force = cli->opt[OPT_FORCE].flag;
    return cli_call(cli, "/procavia.v1.API/DeleteImage", request, NULL);
}

/* The first line of standard input: arguments are seen by everyone on the machine. */
static Status read_password(Cli *cli, char **out)
{
    CLEANUP(buf_done) Buf text = { 0 };
    TRY_WRAP(cli->ctx, file_read_all(cli->ctx, STDIN_FILENO, &text), "could not read the password");
    Str line = str_sub(buf_str(&text), 0, str_find(buf_str(&text), '\n'));
    if (!line.size)
        return FAIL(cli->ctx, INVALID_ARGUMENT, "no password on standard input");
    *out = str_z(cli->ctx->arena, line);
    return OK;
}

static Status read_tls(Cli *cli, protobuf_c_boolean *out_insecure)
{
    const char *typed = cli_text(cli, OPT_TLS_VERIFY);
    *out_insecure = strcmp(typed, "false") == 0;
    if (*out_insecure || strcmp(typed, "true") == 0)
        return OK;
    return FAIL(cli->ctx, INVALID_ARGUMENT, "--tls-verify must be true or false, not \"%s\"",
                typed);
}

static Status pull_image(Cli *cli)
{
    Procavia__V1__PullImageRequest *request =
        PB_NEW(cli->ctx, procavia__v1__pull_image_request, Procavia__V1__PullImageRequest);
    void *info;
    request->name = cli->args[0];
    TRY(read_tls(cli, &request->insecure));
    if (cli->opt[OPT_PULL_USER].set) {
        request->username = cli_text(cli, OPT_PULL_USER);
        TRY(read_password(cli, &request->password));
    }
    TRY(cli_call(cli, "/procavia.v1.API/PullImage", request, &info));
    return cli_list_messages(cli, &info, 1, &listing);
}

/* --- import: the archive as a stream --------------------------------------------------------- */

typedef struct Source {
    int fd;
    pid_t tar; /* that packs a folder; 0: none */
} Source;

/* A folder comes as a tar, which keeps owners and hard links. */
static Status pack_folder(Cli *cli, const char *path, Source *out)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return status_errno(cli->ctx, errno, "could not make a pipe");
    Arena *arena = cli->ctx->arena;
    char *argv[] = { arena_strdup(arena, "tar"), arena_strdup(arena, "--numeric-owner"),
                     arena_strdup(arena, "-C"),  arena_strdup(arena, path),
                     arena_strdup(arena, "-cf"), arena_strdup(arena, "-"),
                     arena_strdup(arena, "."),   NULL };
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
    int error = posix_spawnp(&out->tar, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(fds[1]);
    out->fd = fds[0];
    return error ? status_errno(cli->ctx, error, "could not start tar") : OK;
}

static Status open_source(Cli *cli, const char *path, Source *out)
{
    struct stat at;
    *out = (Source){ .fd = -1 };
    if (strcmp(path, "-") == 0)
        out->fd = dup(STDIN_FILENO);
    else if (stat(path, &at) == 0 && S_ISDIR(at.st_mode))
        return pack_folder(cli, path, out);
    else
        out->fd = open(path, O_RDONLY | O_CLOEXEC);
    return out->fd < 0 ? status_errno(cli->ctx, errno, "could not open '%s'", path) : OK;
}

static Status close_source(Cli *cli, Source *source)
{
    fd_closep(&source->fd);
    int status = 0;
    while (source->tar && waitpid(source->tar, &status, 0) < 0 && errno == EINTR)
        continue;
    return status ? FAIL(cli->ctx, UNKNOWN, "tar could not read the folder") : OK;
}

static Status send_pieces(Cli *cli, WireStream *stream, int fd)
{
    Procavia__V1__ImportImageRequest *piece =
        PB_NEW(cli->ctx, procavia__v1__import_image_request, Procavia__V1__ImportImageRequest);
    uint8_t *block = arena_must(cli->ctx->arena, PIECE_BYTES);
    piece->body_case = PROCAVIA__V1__IMPORT_IMAGE_REQUEST__BODY_CHUNK;
    for (;;) {
        ssize_t got = read(fd, block, PIECE_BYTES);
        if (got < 0)
            return status_errno(cli->ctx, errno, "could not read the image");
        if (got == 0)
            return wire_stream_close_send(cli->ctx, stream);
        ArenaMark mark = arena_mark(cli->ctx->arena);
        piece->chunk = (ProtobufCBinaryData){ (size_t)got, block };
        TRY(wire_stream_send(cli->ctx, stream, pb_pack_bytes(cli->ctx, &piece->base)));
        arena_rewind(cli->ctx->arena, mark);
    }
}

static Status send_image(Cli *cli, WireStream *stream, int fd)
{
    Procavia__V1__ImportImageRequest *first =
        PB_NEW(cli->ctx, procavia__v1__import_image_request, Procavia__V1__ImportImageRequest);
    first->body_case = PROCAVIA__V1__IMPORT_IMAGE_REQUEST__BODY_HEADER;
    first->header = PB_NEW(cli->ctx, procavia__v1__import_image_request__import_header,
                           Procavia__V1__ImportImageRequest__ImportHeader);
    first->header->name = cli->arg_count > 1 ? cli->args[1] : arena_strdup(cli->ctx->arena, "");
    first->header->format = cli_text(cli, OPT_IMAGE_FORMAT);
    TRY(wire_stream_send(cli->ctx, stream, pb_pack_bytes(cli->ctx, &first->base)));
    return send_pieces(cli, stream, fd);
}

static Status import_from(Cli *cli, int fd)
{
    CLEANUP(wire_stream_closep) WireStream *stream = NULL;
    CLEANUP(buf_done) Buf answer = { 0 };
    WireClient *client;
    bool end;
    TRY(cli_client(cli, &client));
    TRY(wire_stream_open(cli->ctx, client, "/procavia.v1.API/ImportImage", &stream));
    /* When the server ended the call early, its answer says why; the failed send does not. */
    Status sent = send_image(cli, stream, fd);
    TRY(wire_stream_recv(cli->ctx, stream, &answer, &end));
    TRY(sent);
    if (end)
        return FAIL(cli->ctx, INTERNAL, "the server did not say what it imported");
    Procavia__V1__ImageInfo *info;
    TRY(PB_UNPACK(cli->ctx, procavia__v1__image_info, buf_bytes(&answer), &info));
    return cli_list_messages(cli, (void *[]){ info }, 1, &listing);
}

static Status import_image(Cli *cli)
{
    Source source;
    Status s = open_source(cli, cli->args[0], &source);
    if (status_ok(s))
        s = import_from(cli, source.fd);
    Status closed = close_source(cli, &source);
    return status_ok(s) ? closed : s;
}

/* clang-format off */
static const Command rows[] = {
    { .words = "image import", .args = "<archive|folder|-> [<name>]", .args_min = 1, .args_max = 2, .run = import_image,
      .summary = "import a root file system for pipelines",
      .detail = "Takes what docker save, skopeo and umoci write, a tar of a root, or a folder with either\n"
                "an OCI layout or a root. The name is what pipelines say in transform.image; archives of\n"
                "docker bring one along.",
      .options = { OPT_IMAGE_FORMAT, OPTIONS_RAW, OPT_FULL_TIMESTAMPS } },
    { .words = "image list", .args = "", .run = list_images, .summary = "list images",
      .options = { OPTIONS_RAW, OPT_FULL_TIMESTAMPS } },
    { .words = "image delete", .args = "<name>", .args_min = 1, .args_max = 1, .run = delete_image,
      .summary = "delete an image", .options = { OPT_FORCE } },
    { .words = "image pull", .args = "<name>", .args_min = 1, .args_max = 1, .run = pull_image,
      .summary = "fetch an image from its registry",
      .detail = "The server fetches it, by skopeo; what it has of a pull that broke off is not fetched again.\n"
                "Pipelines that named it before keep the image they had, until they are updated.",
      .options = { OPT_PULL_USER, OPT_TLS_VERIFY, OPTIONS_RAW, OPT_FULL_TIMESTAMPS } },
};
/* clang-format on */

const CommandTable image_commands = { rows, ARRAY_LEN(rows) };
