/* put.c - put file: local files, folders, standard input, archives and URLs into one ModifyFile
 * stream.
 *
 * A folder may hold 10^5 small files, so the walk opens relative to the folder's descriptor,
 * messages are encoded into one buffer that is used again, and nothing is allocated for a file. The
 * walk is sorted as the server sorts paths (a folder's name with its slash), so equal folders give
 * equal streams. */
#include "cmd/pcv/put.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cmd/pcv/verbs_priv.h"

#define PROGRESS_EVERY_NS (100 * NS_PER_MS)

/* Fields of ModifyFileRequest and of what it holds. */
enum {
    FIELD_SET_COMMIT = 1,
    FIELD_ADD_FILE = 2,
    FIELD_DELETE_FILE = 3,
    FIELD_PATH = 1,
    FIELD_RAW = 3,
    FIELD_URL = 4,
    FIELD_RAW_VALUE = 1,
    FIELD_URL_URL = 1,
    FIELD_URL_RECURSIVE = 2,
};

/* --- messages, encoded by hand ---------------------------------------------------------------- */

static size_t varint_size(uint64_t value)
{
    size_t size = 1;
    while (value >= 0x80) {
        value >>= 7;
        size++;
    }
    return size;
}

static size_t field_size(size_t content)
{
    return 1 + varint_size(content) + content;
}

static void begin_field(Buf *out, unsigned field, size_t size)
{
    buf_add_u8(out, (uint8_t)(field << 3 | 2)); /* length-delimited */
    buf_add_varint(out, size);
}

/* What the server says about a stream that it ended; `sent` when it says nothing. */
static Status why_ended(Put *put, Status sent)
{
    Buf answer = { 0 };
    bool end = false;
    Status s = wire_stream_recv(put->cli->ctx, put->stream, &answer, &end);
    buf_done(&answer);
    return status_ok(s) ? sent : s;
}

static Status send(Put *put)
{
    Status s = wire_stream_send(put->cli->ctx, put->stream, buf_bytes(&put->message));
    return status_ok(s) ? OK : why_ended(put, s);
}

Status put_delete(Put *put, Str path)
{
    if (put->append)
        return OK;
    buf_clear(&put->message);
    begin_field(&put->message, FIELD_DELETE_FILE, field_size(path.size));
    begin_field(&put->message, FIELD_PATH, path.size);
    buf_add_str(&put->message, path);
    return send(put);
}

Status put_piece(Put *put, Str path, Bytes content)
{
    size_t raw_size = content.size ? field_size(content.size) : 0;
    buf_clear(&put->message);
    begin_field(&put->message, FIELD_ADD_FILE, field_size(path.size) + field_size(raw_size));
    begin_field(&put->message, FIELD_PATH, path.size);
    buf_add_str(&put->message, path);
    begin_field(&put->message, FIELD_RAW, raw_size);
    if (content.size) {
        begin_field(&put->message, FIELD_RAW_VALUE, content.size);
        buf_add_bytes(&put->message, content);
    }
    put->size_bytes += content.size;
    return send(put);
}

static Status put_url(Put *put, Str path, Str url)
{
    size_t url_size = field_size(url.size) + (put->recursive ? 2 : 0);
    TRY(put_delete(put, path));
    buf_clear(&put->message);
    begin_field(&put->message, FIELD_ADD_FILE, field_size(path.size) + field_size(url_size));
    begin_field(&put->message, FIELD_PATH, path.size);
    buf_add_str(&put->message, path);
    begin_field(&put->message, FIELD_URL, url_size);
    begin_field(&put->message, FIELD_URL_URL, url.size);
    buf_add_str(&put->message, url);
    if (put->recursive) {
        buf_add_u8(&put->message, FIELD_URL_RECURSIVE << 3);
        buf_add_u8(&put->message, 1);
    }
    return send(put);
}

/* --- progress --------------------------------------------------------------------------------- */

static void show_progress(Put *put, bool last)
{
    int64_t now = clock_mono_ns();
    if (!put->progress || (!last && now < put->shown_ns + PROGRESS_EVERY_NS))
        return;
    put->shown_ns = now;
    ArenaMark mark = arena_mark(put->cli->ctx->arena);
    fprintf(stderr, "\r%zu files, %s\033[K%s", put->files,
            cli_size(put->cli, (int64_t)put->size_bytes), last ? "\n" : "");
    arena_rewind(put->cli->ctx->arena, mark);
}

void put_file_done(Put *put)
{
    put->files++;
    if (put->progress)
        show_progress(put, false);
}

/* --- one open file ---------------------------------------------------------------------------- */

/* Up to PUT_PIECE_BYTES; *out_size 0 is the end. `expected` (0: unknown) spares the read that would
 * say "end". */
static Status read_piece(Put *put, int fd, size_t expected, const char *name, size_t *out_size)
{
    size_t size = 0;
    while (size < PUT_PIECE_BYTES) {
        ssize_t got = read(fd, put->piece + size, PUT_PIECE_BYTES - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return status_errno(put->cli->ctx, errno, "read %s", name);
        size += (size_t)got;
        if (got == 0 || size == expected)
            break;
    }
    *out_size = size;
    return OK;
}

static Status put_fd(Put *put, int fd, size_t size_expected, const char *name, Str path)
{
    TRY(put_delete(put, path));
    for (size_t total = 0;;) {
        size_t size = 0;
        TRY(read_piece(put, fd, size_expected > total ? size_expected - total : 0, name, &size));
        if (size || total == 0)
            TRY(put_piece(put, path, bytes(put->piece, size)));
        total += size;
        if (size < PUT_PIECE_BYTES || total == size_expected)
            break;
    }
    put_file_done(put);
    return OK;
}

/* --- folders ---------------------------------------------------------------------------------- */

typedef struct Names {
    Buf text;      /* names, each ended by NUL; a folder's ends in '/' */
    Buf positions; /* const char *[count] */
    size_t count;
} Names;

static void names_done(Names *names)
{
    buf_done(&names->text);
    buf_done(&names->positions);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Links to files count as files; a link to a folder could lead round in a circle and is told of,
 * not followed. */
static Status entry_kind(Put *put, int dir_fd, const struct dirent *entry, mode_t *out_kind)
{
    struct stat st;
    if (entry->d_type == DT_REG || entry->d_type == DT_DIR) {
        *out_kind = entry->d_type == DT_REG ? S_IFREG : S_IFDIR;
        return OK;
    }
    if (fstatat(dir_fd, entry->d_name, &st, 0) != 0)
        return status_errno(put->cli->ctx, errno, "open %s", entry->d_name);
    bool is_link = entry->d_type == DT_LNK;
    *out_kind = st.st_mode & S_IFMT;
    if ((*out_kind != S_IFREG && *out_kind != S_IFDIR) || (*out_kind == S_IFDIR && is_link)) {
        cli_note("%s is skipped: it is %s", entry->d_name,
                 is_link ? "a link to a folder" : "no regular file");
        *out_kind = 0;
    }
    return OK;
}

static Status read_names(Put *put, DIR *dir, Names *out)
{
    errno = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL; errno = 0) {
        mode_t kind = 0;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        TRY(entry_kind(put, dirfd(dir), entry, &kind));
        if (!kind)
            continue;
        buf_add(&out->text, entry->d_name, strlen(entry->d_name));
        buf_add(&out->text, "/", kind == S_IFDIR ? 2 : 0);
        if (kind == S_IFREG)
            buf_add_u8(&out->text, '\0');
        out->count++;
    }
    if (errno)
        return status_errno(put->cli->ctx, errno, "read folder");
    const char *at = (const char *)out->text.data;
    for (size_t i = 0; i < out->count; i++, at += strlen(at) + 1)
        buf_add(&out->positions, &at, sizeof(at));
    if (out->count)
        qsort(out->positions.data, out->count, sizeof(at), compare_names);
    return OK;
}

static Status put_dir_fd(Put *put, int fd, const char *name);

static Status put_at(Put *put, int dir_fd, const char *name, const KnownStat *seen)
{
    struct stat st;
    bool is_dir = name[strlen(name) - 1] == '/';
    if (!is_dir && put->known &&
        put_known_has(put->known, dir_fd, name, buf_str(&put->path), seen)) {
        put_file_done(put);
        return OK;
    }
    AUTO_FD fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return status_errno(put->cli->ctx, errno, "open " STR_FMT, STR_ARG(buf_str(&put->path)));
    if (is_dir)
        return put_dir_fd(put, fd_steal(&fd), name);
    if (fstat(fd, &st) != 0)
        return status_errno(put->cli->ctx, errno, "stat %s", name);
    if (put->known)
        put_known_add(put->known, buf_str(&put->path), &st);
    return put_fd(put, fd, (size_t)st.st_size, name, buf_str(&put->path));
}

static void dir_closep(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

static void stats_freep(KnownStat **stats)
{
    free(*stats);
}

/* put->path is the folder's target, without a slash at its end unless it is the root; it is the
 * same afterwards. */
static Status put_dir_fd(Put *put, int fd, const char *name)
{
    CLEANUP(dir_closep) DIR *dir = fdopendir(fd);
    CLEANUP(names_done) Names names = { 0 };
    if (!dir)
        return status_errno(put->cli->ctx, errno, "open %s", name);
    TRY(read_names(put, dir, &names));
    const char *const *entries = (const char *const *)(const void *)names.positions.data;
    CLEANUP(stats_freep) KnownStat *seen = NULL;
    if (put->known)
        seen = put_known_look(put->known, dirfd(dir), entries, names.count);
    size_t size = put->path.size;
    for (size_t i = 0; i < names.count; i++) {
        const char *entry = entries[i];
        if (!size || put->path.data[size - 1] != '/')
            buf_add_u8(&put->path, '/');
        buf_add(&put->path, entry, strlen(entry));
        if (entry[strlen(entry) - 1] == '/')
            put->path.size--;
        TRY(put_at(put, dirfd(dir), entry, seen ? &seen[i] : NULL));
        put->path.size = size;
    }
    return OK;
}

/* --- one source ------------------------------------------------------------------------------- */

static Status put_local(Put *put, const char *source)
{
    struct stat st;
    if (stat(source, &st) != 0 && put->recursive)
        return FAIL(put->cli->ctx, NOT_FOUND, "%s doesn't exist", source);
    AUTO_FD fd = open(source, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return status_errno(put->cli->ctx, errno, "open %s", source);
    if (fstat(fd, &st) != 0)
        return status_errno(put->cli->ctx, errno, "stat %s", source);
    if (!S_ISDIR(st.st_mode))
        return put_fd(put, fd, (size_t)st.st_size, source, buf_str(&put->path));
    if (!put->recursive)
        return status_with_hint(
            put->cli->ctx, FAIL(put->cli->ctx, INVALID_ARGUMENT, "read %s: is a directory", source),
            "Put a whole folder with the -r flag.");
    return put_dir_fd(put, fd_steal(&fd), source);
}

static Status put_stdin(Put *put)
{
    if (isatty(STDIN_FILENO))
        cli_note("Reading from stdin.");
    return put_fd(put, STDIN_FILENO, 0, "stdin", buf_str(&put->path));
}

static Str source_name(const Put *put, const char *source)
{
    Str name = str(source);
    if (ref_is_url(source)) {
        const char *host = strstr(source, "://") + 3;
        const char *slash = strchr(host, '/');
        return slash ? str(slash) : str(host);
    }
    if (put->full_path)
        return name;
    while (name.size > 1 && name.data[name.size - 1] == '/')
        name.size--;
    for (size_t i = name.size; i > 0; i--) {
        if (name.data[i - 1] == '/' && i < name.size)
            return str_sub(name, i, name.size);
    }
    return name;
}

static void set_path(Put *put, Str folder, Str name)
{
    buf_clear(&put->path);
    buf_add_str(&put->path, folder);
    if (folder.size && name.size && folder.data[folder.size - 1] != '/' && name.data[0] != '/')
        buf_add_u8(&put->path, '/');
    if (folder.size && name.size && str_ends(folder, STR("/")) && name.data[0] == '/')
        name = str_sub(name, 1, name.size);
    buf_add_str(&put->path, name);
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Where the source goes: see put.h. */
Status put_target(Put *put, const char *source, bool only)
{
    Str folder = str(put->target);
    bool is_stdin = strcmp(source, "-") == 0;
    if (!folder.size && is_stdin)
        return FAIL(put->cli->ctx, INVALID_ARGUMENT,
                    "must specify filename when reading data from stdin");
    bool into = put->recursive
                    ? put->full_path || (str_ends(folder, STR("/")) && !is_folder(source))
                    : str_ends(folder, STR("/"));
    Str name = is_stdin ? STR("") : source_name(put, source);
    set_path(put, folder, !folder.size || !only || into ? name : STR(""));
    return OK;
}

Status put_source(Put *put, const char *source, bool only)
{
    if (put->recursive && strcmp(source, "-") == 0)
        return FAIL(put->cli->ctx, INVALID_ARGUMENT,
                    "cannot set -r and read from stdin (must also set -f or -i)");
    if (put->untar && put_is_archive(source))
        return put_archive(put, source);
    TRY(put_target(put, source, only));
    if (strcmp(source, "-") == 0)
        return put_stdin(put);
    if (ref_is_url(source))
        return put_url(put, buf_str(&put->path), str(source));
    return put_local(put, source);
}

/* --- the verb --------------------------------------------------------------------------------- */

/* Sources from -f, and from the lines of each -i. */
static Status list_sources(Cli *cli, char ***out, size_t *out_count)
{
    const OptionValue *files = &cli->opt[OPT_PUT_FILE], *lists = &cli->opt[OPT_PUT_LIST];
    Buf text = { 0 };
    Status s = OK;
    for (size_t i = 0; i < lists->count && status_ok(s); i++) {
        s = read_source(cli, lists->list[i], &text);
        buf_add_u8(&text, '\n');
    }
    size_t room = files->count + 1, count = 0;
    for (size_t i = 0; i < text.size; i++)
        room += text.data[i] == '\n';
    char **all = ARENA_NEW(cli->ctx->arena, char *, room);
    for (size_t i = 0; i < files->count && all; i++)
        all[count++] = files->list[i];
    for (Str rest = buf_str(&text); rest.size && all;) {
        size_t end = str_find(rest, '\n');
        if (end)
            all[count++] = str_z(cli->ctx->arena, str_sub(rest, 0, end));
        rest = str_sub(rest, end + 1, rest.size);
    }
    if (!count && !lists->count && all)
        all[count++] = arena_strdup(cli->ctx->arena, "-");
    buf_done(&text);
    *out = all;
    *out_count = count;
    return all ? s : STATUS(RESOURCE_EXHAUSTED);
}

static Status open_stream(Put *put, PfsV2__Commit *commit)
{
    Cli *cli = put->cli;
    WireClient *client;
    PfsV2__InspectRepoRequest *inspect =
        PB_NEW(cli->ctx, pfs_v2__inspect_repo_request, PfsV2__InspectRepoRequest);
    inspect->repo = commit->repo;
    TRY(cli_call(cli, "/pfs_v2.API/InspectRepo", inspect, NULL));
    TRY(cli_client(cli, &client));
    TRY(wire_stream_open(cli->ctx, client, "/pfs_v2.API/ModifyFile", &put->stream));
    PfsV2__ModifyFileRequest *first =
        PB_NEW(cli->ctx, pfs_v2__modify_file_request, PfsV2__ModifyFileRequest);
    first->body_case = PFS_V2__MODIFY_FILE_REQUEST__BODY_SET_COMMIT;
    first->set_commit = commit;
    buf_clear(&put->message);
    pb_pack(&first->base, &put->message);
    return send(put);
}

static Status put_all(Put *put, PfsV2__Commit *commit, char **sources, size_t count)
{
    TRY(open_stream(put, commit));
    for (size_t i = 0; i < count; i++)
        TRY(put_source(put, sources[i], count == 1));
    Status s = wire_stream_close_send(put->cli->ctx, put->stream);
    if (!status_ok(s))
        return why_ended(put, s);
    bool end = false;
    while (!end)
        TRY(wire_stream_recv(put->cli->ctx, put->stream, &put->message, &end));
    if (put->progress)
        show_progress(put, true);
    return OK;
}

/* One whole folder that overwrites: files that the branch's head has already are passed over. */
static Status put_folder(Put *put, PfsV2__Commit *commit, char **source)
{
    TRY(put_target(put, *source, true));
    put->known = put_known_open(put->cli, commit, buf_str(&put->path), *source);
    TRY(put_all(put, commit, source, 1));
    bool again = false;
    if (put->known)
        TRY(put_known_finish(put->known, &again));
    if (!again)
        return OK;
    put->known = put_known_free(put->known);
    put->stream = wire_stream_close(put->stream);
    put->files = put->size_bytes = 0;
    return put_all(put, commit, source, 1);
}

static Status put_sources(Put *put, PfsV2__Commit *commit, char **sources, size_t count)
{
    bool is_one_folder = count == 1 && put->recursive && !put->append && !ref_is_url(sources[0]) &&
                         is_folder(sources[0]);
    return is_one_folder ? put_folder(put, commit, sources) : put_all(put, commit, sources, count);
}

static Status put_file(Cli *cli)
{
    PfsV2__File *file;
    TRY(ref_file(cli->ctx, cli_project_name(cli), cli->args[0], &file));
    char **sources;
    size_t count;
    TRY(list_sources(cli, &sources, &count));
    const OptionValue *progress = &cli->opt[OPT_PROGRESS];
    Put put = {
        .cli = cli,
        .target = file->path,
        .append = cli->opt[OPT_PUT_APPEND].flag,
        .recursive = cli->opt[OPT_PUT_RECURSIVE].flag,
        .full_path = cli->opt[OPT_PUT_FULL_PATH].flag,
        .untar = cli->opt[OPT_PUT_UNTAR].flag,
        .progress =
            (progress->set ? progress->flag : isatty(STDOUT_FILENO)) && isatty(STDERR_FILENO),
        .piece = malloc(PUT_PIECE_BYTES),
    };
    Status s =
        put.piece ? put_sources(&put, file->commit, sources, count) : STATUS(RESOURCE_EXHAUSTED);
    put_known_free(put.known);
    wire_stream_close(put.stream);
    free(put.piece);
    buf_done(&put.message);
    buf_done(&put.path);
    return s;
}

/* clang-format off */
static const Command rows[] = {
    { .words = "put file", .args = "<repo>@<branch-or-commit>[:<path>]", .args_min = 1, .args_max = 1, .run = put_file,
      .summary = "put files into a commit, all or none of them",
      .detail = "Without a path, a file keeps its name. A path that ends in '/' is a folder to put files into.\n"
                "On a branch without an open commit, one is made and finished.",
      .options = { OPT_PUT_FILE, OPT_PUT_LIST, OPT_PUT_RECURSIVE, OPT_PUT_APPEND, OPT_PUT_FULL_PATH, OPT_PUT_UNTAR,
                   OPT_PUT_COMPRESS, OPT_PUT_PARALLELISM, OPT_PROGRESS, OPT_PROJECT } },
};
/* clang-format on */

const CommandTable put_commands = { rows, ARRAY_LEN(rows) };
