/* outputs.c - see outputs.h.
 *
 * First the folder is walked, without recursion, to a list of files and links; then the links are
 * resolved, all that is wrong is found, and only then anything is sent:
 *
 *   link to …                     becomes
 *   an input, or something in it  a copy on the server: no bytes move
 *   a file in /pfs/out or /pfs    that file's content
 *   a folder in /pfs/out          the files below it
 *   any other file                its content, if the user may read it
 *   a folder elsewhere, nothing   an error that names both
 */
#include "worker/outputs.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "codec/path.h"
#include "worker/folder.h"

#define OUT              "/pfs/out"
#define PIECE_BYTES      (1 * MiB)
#define PATH_BYTES_MAX   3000 /* of an output; with its folder it still is a path */
#define RESOLVED_AT_ONCE 200  /* each may hold a descriptor */

typedef enum EntryKind {
    ENTRY_FILE, /* source: below the pfs folder */
    ENTRY_LINK, /* not resolved yet */
    ENTRY_OPEN, /* fd: a file outside of /pfs */
    ENTRY_COPY, /* source: in the input's commit */
} EntryKind;

typedef struct Entry {
    EntryKind kind;
    const char *path; /* in the output, "/a/b" */
    const char *source;
    const WorkerInput *input;
    int fd;
    uint64_t size_bytes;
} Entry;

typedef struct Walk {
    const Outputs *outputs;
    Arena *arena;
    Entry *entries;
    size_t count, capacity;
    const char *reason;   /* why the output cannot be stored, or NULL */
    uint64_t total_bytes; /* of regular files */
} Walk;

/* A folder that waits to be walked. */
typedef struct Waiting {
    const char *path;   /* in the output */
    const char *source; /* below the pfs folder */
    bool by_link;       /* reached by a link: no further ones are followed */
    struct Waiting *next;
} Waiting;

static void walk_done(Walk *walk)
{
    for (size_t i = 0; i < walk->count; i++) {
        if (walk->entries[i].kind == ENTRY_OPEN)
            fd_closep(&walk->entries[i].fd);
    }
    free(walk->entries);
}

static void add_entry(Walk *walk, Entry entry)
{
    if (walk->count == walk->capacity) {
        walk->capacity = walk->capacity ? 2 * walk->capacity : 64;
        walk->entries = realloc(walk->entries, walk->capacity * sizeof(Entry));
        if (!walk->entries)
            abort();
    }
    walk->entries[walk->count++] = entry;
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static void close_dirp(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

static const char *quoted(Walk *walk, const char *path)
{
    return text_quote(walk->arena, str(path));
}

/* --- walking --------------------------------------------------------------------------------- */

static const char *kind_name(mode_t mode)
{
    if (S_ISSOCK(mode))
        return "socket";
    return S_ISBLK(mode) || S_ISCHR(mode) ? "device" : "special file";
}

static void add_file(Walk *walk, const char *path, const char *source, uint64_t size_bytes)
{
    walk->total_bytes += size_bytes;
    if (walk->total_bytes > walk->outputs->bytes_max && !walk->reason)
        walk->reason =
            text_printf(walk->arena, "output is larger than %llu bytes, the most there can be",
                        (unsigned long long)walk->outputs->bytes_max);
    add_entry(
        walk,
        (Entry){ .kind = ENTRY_FILE, .path = path, .source = source, .size_bytes = size_bytes });
}

/* FIFOs are passed over, as they always were. */
static void walk_entry(Walk *walk, const Waiting *dir, const char *name, const struct stat *st,
                       Waiting **stack)
{
    Waiting *entry = ARENA_ONE(walk->arena, Waiting);
    *entry = (Waiting){ .path = text_printf(walk->arena, "%s/%s", dir->path, name),
                        .source = text_printf(walk->arena, "%s/%s", dir->source, name),
                        .by_link = dir->by_link,
                        .next = *stack };
    if (strlen(entry->path) > PATH_BYTES_MAX)
        walk->reason = text_printf(walk->arena, "output %s has a path longer than %d bytes",
                                   quoted(walk, entry->path), PATH_BYTES_MAX);
    else if (S_ISDIR(st->st_mode))
        *stack = entry;
    else if (S_ISREG(st->st_mode))
        add_file(walk, entry->path, entry->source, (uint64_t)st->st_size);
    else if (S_ISLNK(st->st_mode) && dir->by_link)
        walk->reason =
            text_printf(walk->arena, "output %s is a link in a folder that is linked itself",
                        quoted(walk, entry->path));
    else if (S_ISLNK(st->st_mode))
        add_entry(walk, (Entry){ .kind = ENTRY_LINK, .path = entry->path });
    else if (!S_ISFIFO(st->st_mode))
        walk->reason = text_printf(walk->arena,
                                   "output %s is a %s: only files, folders and links can be stored",
                                   quoted(walk, entry->path), kind_name(st->st_mode));
}

static Status walk_dir(Ctx *ctx, Walk *walk, const Waiting *waiting, Waiting **stack)
{
    AUTO_FD fd = folder_open(walk->outputs->pfs_fd, waiting->source, O_RDONLY | O_DIRECTORY);
    CLEANUP(close_dirp) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return status_errno(ctx, errno, "could not list output folder '%s'", waiting->path);
    fd_steal(&fd);
    for (struct dirent *entry; !walk->reason && (entry = readdir(dir));) {
        struct stat st;
        if (is_dot(entry->d_name))
            continue;
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return status_errno(ctx, errno, "could not look at output '%s/%s'", waiting->path,
                                entry->d_name);
        walk_entry(walk, waiting, entry->d_name, &st, stack);
    }
    return OK;
}

/* All below `source` becomes entries below `path`. */
static Status walk_tree(Ctx *ctx, Walk *walk, const char *path, const char *source, bool by_link)
{
    Waiting *stack = &(Waiting){ .path = path, .source = source, .by_link = by_link };
    while (stack && !walk->reason) {
        const Waiting *waiting = stack;
        stack = stack->next;
        TRY(walk_dir(ctx, walk, waiting, &stack));
    }
    return OK;
}

/* --- links ----------------------------------------------------------------------------------- */

/* What follows `prefix` in path, NULL unless path is it or below it: "/b" of "/a/b" below "/a". */
static const char *below(const char *path, const char *prefix)
{
    size_t size = strlen(prefix);
    if (strncmp(path, prefix, size) != 0 || (path[size] && path[size] != '/'))
        return NULL;
    return path + size;
}

static const char *link_text(Walk *walk, const char *path)
{
    char target[PATH_MAX];
    AUTO_FD out = folder_open(walk->outputs->pfs_fd, "out", O_PATH | O_DIRECTORY);
    const char *slash = strrchr(path, '/');
    const char *dir = text_printf(walk->arena, ".%.*s", (int)(slash - path), path);
    AUTO_FD parent = out < 0 ? -1 : folder_open(out, dir, O_PATH | O_DIRECTORY);
    ssize_t size = parent < 0 ? -1 : readlinkat(parent, slash + 1, target, sizeof(target));
    return text_quote(walk->arena, (Str){ target, size < 0 ? 0 : (size_t)size });
}

static void refuse_link(Walk *walk, const char *path, const char *why)
{
    walk->reason = text_printf(walk->arena, "output %s is a link to %s: %s", quoted(walk, path),
                               link_text(walk, path), why);
}

/* Is `inner` at or below `outer`, whether they end in a slash or not? */
static bool is_inside(const char *inner, const char *outer)
{
    size_t size = strlen(outer);
    size -= size && outer[size - 1] == '/';
    return strncmp(inner, outer, size) == 0 && (inner[size] == '\0' || inner[size] == '/');
}

/* head and tail, without a slash at the end. */
static const char *joined(Arena *arena, const char *head, const char *tail)
{
    Str s = str(tail);
    s.size -= str_ends(s, STR("/"));
    return text_printf(arena, "%s" STR_FMT, head, STR_ARG(s));
}

/* rest: where below /pfs/<name> the link leads, "" for all of it. Either that is (in) one of the
 * datum's inputs, or it is a folder above some. */
static void copy_inputs(Walk *walk, const char *path, const char *name, const char *rest,
                        bool is_dir)
{
    const WorkerDatum *datum = walk->outputs->datum;
    size_t before = walk->count;
    for (size_t i = 0; i < datum->input_count; i++) {
        const WorkerInput *input = &datum->inputs[i];
        if (strcmp(input->name, name) != 0 || input->s3)
            continue;
        Entry copy = { .kind = ENTRY_COPY, .path = path, .input = input, .source = input->path };
        bool is_part = is_inside(*rest ? rest : "/", input->path);
        if (is_part)
            copy.source = text_printf(walk->arena, "%s%s", rest, is_dir ? "/" : "");
        else if (is_dir && is_inside(input->path, *rest ? rest : "/"))
            copy.path = joined(walk->arena, path, input->path + strlen(rest));
        else
            continue;
        add_entry(walk, copy);
        if (is_part)
            return;
    }
    if (walk->count == before)
        refuse_link(walk, path, "that is no input of this datum");
}

static Status add_source_file(Ctx *ctx, Walk *walk, const char *path, const char *source)
{
    AUTO_FD fd = folder_open(walk->outputs->pfs_fd, source, O_RDONLY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return status_errno(ctx, errno, "could not open '%s', which output '%s' links to", source,
                            path);
    if (S_ISREG(st.st_mode))
        add_file(walk, path, source, (uint64_t)st.st_size);
    return OK;
}

/* real: where a link leads, below /pfs: "/out/a", "/in/b", "/.env". */
static Status take_inner_link(Ctx *ctx, Walk *walk, const char *path, const char *real, bool is_dir)
{
    if (below(real, "/out")) {
        const char *source = arena_strdup(walk->arena, real + 1);
        return is_dir ? walk_tree(ctx, walk, path, source, true)
                      : add_source_file(ctx, walk, path, source);
    }
    if (strcmp(real, "/.env") == 0)
        return add_source_file(ctx, walk, path, ".env");
    size_t size = strcspn(real + 1, "/");
    copy_inputs(walk, path, arena_strndup(walk->arena, real + 1, size), real + 1 + size, is_dir);
    return OK;
}

static Status take_outer_link(Ctx *ctx, Walk *walk, const char *path, SandboxTarget *target)
{
    struct stat st;
    if (target->is_dir || target->fd < 0) {
        refuse_link(walk, path, "a folder outside of /pfs");
        return OK;
    }
    if (fstat(target->fd, &st) < 0)
        return status_errno(ctx, errno, "could not look at what output '%s' links to", path);
    add_file(walk, path, "", (uint64_t)st.st_size);
    Entry *entry = &walk->entries[walk->count - 1];
    entry->kind = ENTRY_OPEN;
    entry->fd = fd_steal(&target->fd);
    return OK;
}

static Status take_link(Ctx *ctx, Walk *walk, const char *path, SandboxTarget *target)
{
    if (*target->why) {
        refuse_link(walk, path, target->why);
        return OK;
    }
    const char *inner = below(target->real, walk->outputs->pfs_dir);
    if (!inner)
        inner = below(target->real, "/pfs");
    if (inner && *inner)
        return take_inner_link(ctx, walk, path, inner, target->is_dir);
    return take_outer_link(ctx, walk, path, target);
}

static Status take_links(Ctx *ctx, Walk *walk, const size_t *links, size_t n)
{
    const char *paths[RESOLVED_AT_ONCE];
    SandboxTarget targets[RESOLVED_AT_ONCE];
    for (size_t i = 0; i < n; i++)
        paths[i] = text_printf(walk->arena, OUT "%s", walk->entries[links[i]].path);
    TRY(sandbox_resolve(ctx, walk->outputs->sandbox, paths, n, targets));
    Status first = OK;
    for (size_t i = 0; i < n; i++) {
        if (status_ok(first) && !walk->reason)
            first = take_link(ctx, walk, walk->entries[links[i]].path, &targets[i]);
        fd_closep(&targets[i].fd);
    }
    return first;
}

static Status resolve_links(Ctx *ctx, Walk *walk)
{
    size_t links[RESOLVED_AT_ONCE], n = 0, count = walk->count;
    for (size_t i = 0; i < count && !walk->reason; i++) {
        if (walk->entries[i].kind == ENTRY_LINK)
            links[n++] = i;
        if (n == RESOLVED_AT_ONCE || (n && i + 1 == count)) {
            TRY(take_links(ctx, walk, links, n));
            n = 0;
        }
    }
    return OK;
}

/* --- sending --------------------------------------------------------------------------------- */

static void check_paths(Ctx *ctx, Walk *walk)
{
    for (size_t i = 0; i < walk->count && !walk->reason; i++) {
        Status s = path_validate(ctx, str(walk->entries[i].path));
        if (!status_ok(s))
            walk->reason = text_printf(
                walk->arena,
                "cannot upload file produced by the user code because its name cannot be "
                "represented in PFS: %s",
                status_message(s));
    }
}

static int by_path(const void *a, const void *b)
{
    const Entry *x = a, *y = b;
    return strcmp(x->path, y->path);
}

static Status send_content(Ctx *ctx, WorkerIo *io, const Entry *entry, int fd, uint8_t *buffer)
{
    TRY(io->output_file(io, ctx, entry->path, entry->size_bytes));
    for (;;) {
        ssize_t got = read(fd, buffer, PIECE_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return status_errno(ctx, errno, "could not read output '%s'", entry->path);
        if (got == 0)
            return OK;
        TRY(ctx_check(ctx));
        TRY(io->output_data(io, ctx, bytes(buffer, (size_t)got)));
    }
}

static Status send_entry(Ctx *ctx, const Outputs *outputs, const Entry *entry, uint8_t *buffer)
{
    WorkerIo *io = outputs->io;
    if (entry->kind == ENTRY_LINK)
        return OK;
    if (entry->kind == ENTRY_COPY)
        return io->output_copy(io, ctx, entry->path, entry->input, entry->source);
    if (entry->kind == ENTRY_OPEN)
        return send_content(ctx, io, entry, entry->fd, buffer);
    AUTO_FD fd = folder_open(outputs->pfs_fd, entry->source, O_RDONLY);
    if (fd < 0)
        return status_errno(ctx, errno, "could not open output '%s'", entry->path);
    return send_content(ctx, io, entry, fd, buffer);
}

static void free_buffer(uint8_t **buffer)
{
    free(*buffer);
}

static Status send_all(Ctx *ctx, const Walk *walk)
{
    CLEANUP(free_buffer) uint8_t *buffer = malloc(PIECE_BYTES);
    if (!buffer)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < walk->count; i++) {
        ArenaMark mark = arena_mark(ctx->arena);
        TRY(send_entry(ctx, walk->outputs, &walk->entries[i], buffer));
        arena_rewind(ctx->arena, mark);
    }
    return walk->outputs->io->output_finish(walk->outputs->io, ctx);
}

Status outputs_collect(Ctx *ctx, const Outputs *outputs, const char **out_reason,
                       uint64_t *out_bytes)
{
    CLEANUP(walk_done) Walk walk = { .outputs = outputs, .arena = ctx->arena };
    WorkerIo *io = outputs->io;
    *out_reason = NULL;
    TRY(walk_tree(ctx, &walk, "", "out", false));
    *out_bytes = walk.total_bytes;
    TRY(resolve_links(ctx, &walk));
    check_paths(ctx, &walk);
    *out_reason = walk.reason;
    if (walk.reason)
        return OK;
    if (walk.count)
        qsort(walk.entries, walk.count, sizeof(Entry), by_path);
    TRY(io->output_begin(io, ctx, outputs->datum));
    Status s = send_all(ctx, &walk);
    if (!status_ok(s))
        io->output_abort(io, ctx);
    return s;
}
