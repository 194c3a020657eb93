/* place_file.c - files of this machine. A key is an absolute path; a listing is of all regular
 * files whose path starts with it; links are not followed. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "courier/courier_priv.h"

#define PIECE_BYTES (60 * KiB)
#define DEPTH_MAX   64

/* --- get -------------------------------------------------------------------------------------- */

/* Regular files only: opening a pipe would wait for whoever writes it. */
static Status open_regular(Ctx *ctx, const char *path, int *out)
{
    struct stat st;
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return status_errno(ctx, errno, "could not open file '%s'", path);
    if (!S_ISREG(st.st_mode))
        return FAIL(ctx, INVALID_ARGUMENT, "'%s' is no regular file", path);
    *out = fd_steal(&fd);
    return OK;
}

static Status get(Transfer *transfer)
{
    AUTO_FD fd = -1;
    uint8_t piece[PIECE_BYTES];
    TRY(open_regular(transfer->ctx, transfer->key, &fd));
    if (lseek(fd, (off_t)transfer->offset, SEEK_SET) < 0)
        return status_errno(transfer->ctx, errno, "could not read file '%s'", transfer->key);
    for (uint64_t left = transfer->size; left;) {
        ssize_t n = read(fd, piece, (size_t)MIN(left, sizeof(piece)));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return status_errno(transfer->ctx, errno, "could not read file '%s'", transfer->key);
        if (n == 0)
            return OK;
        left -= (uint64_t)n;
        TRY(transfer_give(transfer, bytes(piece, (size_t)n)));
    }
    return OK;
}

/* --- list ------------------------------------------------------------------------------------- */

static int wanted(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static Status list_entry(Transfer *transfer, const char *path, unsigned depth);

static Status list_folder(Transfer *transfer, const char *folder, const char *prefix,
                          unsigned depth)
{
    struct dirent **names;
    int n = scandir(folder, &names, wanted, alphasort);
    if (n < 0)
        return status_errno(transfer->ctx, errno, "could not list folder '%s'", folder);
    Status s = OK;
    for (int i = 0; i < n; i++) {
        ArenaMark mark = arena_mark(transfer->ctx->arena);
        const char *path =
            text_printf(transfer->ctx->arena, "%s%s%s", folder,
                        str_ends(str(folder), STR("/")) ? "" : "/", names[i]->d_name);
        if (status_ok(s) && str_starts(str(path), str(prefix)))
            s = list_entry(transfer, path, depth + 1);
        if (status_ok(s))
            arena_rewind(transfer->ctx->arena, mark);
        free(names[i]);
    }
    free(names);
    return s;
}

static Status list_entry(Transfer *transfer, const char *path, unsigned depth)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? OK
                               : status_errno(transfer->ctx, errno, "could not look at '%s'", path);
    if (depth > DEPTH_MAX)
        return FAIL(transfer->ctx, UNKNOWN, "'%s' is nested too deeply", path);
    if (S_ISDIR(st.st_mode))
        return list_folder(transfer, path, "", depth);
    return S_ISREG(st.st_mode) ? transfer_say_object(transfer, str(path), (uint64_t)st.st_size)
                               : OK;
}

static Status list(Transfer *transfer)
{
    const char *path = transfer->key;
    size_t folder = (size_t)(strrchr(path, '/') - path);
    return list_folder(transfer, folder ? arena_strndup(transfer->ctx->arena, path, folder) : "/",
                       path, 0);
}

/* --- put, delete ------------------------------------------------------------------------------ */

static Status write_content(Transfer *transfer, int fd)
{
    uint64_t written = 0;
    for (;;) {
        RemoteSay kind;
        Bytes data;
        TRY(transfer_hear(transfer, &kind, &data));
        if (kind == REMOTE_SAY_END)
            break;
        TRY(file_write_all(transfer->ctx, fd, data.data, data.size));
        written += data.size;
    }
    if (written != transfer->size)
        return FAIL(transfer->ctx, INVALID_ARGUMENT, "%llu bytes were sent, not its %llu",
                    (unsigned long long)written, (unsigned long long)transfer->size);
    return file_sync(transfer->ctx, fd);
}

/* A file that is there is overwritten, through a name beside it: readers see old or new. */
static Status put(Transfer *transfer)
{
    Ctx *ctx = transfer->ctx;
    const char *path = transfer->key;
    const char *parent = arena_strndup(ctx->arena, path, (size_t)(strrchr(path, '/') - path));
    char *draft = text_printf(ctx->arena, "%s.part", path);
    TRY_WRAP(ctx, file_make_dirs(ctx, *parent ? parent : "/", 0755), "could not make folder '%s'",
             parent);
    AUTO_FD fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return status_errno(ctx, errno, "could not create file '%s'", draft);
    Status s = write_content(transfer, fd);
    if (status_ok(s) && rename(draft, path) < 0)
        s = status_errno(ctx, errno, "could not rename file '%s'", draft);
    if (!status_ok(s))
        unlink(draft);
    return s;
}

static Status delete_file(Transfer *transfer)
{
    if (unlink(transfer->key) == 0 || errno == ENOENT)
        return OK;
    return status_errno(transfer->ctx, errno, "could not delete file '%s'", transfer->key);
}

const PlaceOps place_file = { get, list, put, delete_file };
