/* file.c - see file.h. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/text.h"

void fd_closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

int fd_steal(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

Status file_pwrite_all(Ctx *ctx, int fd, const void *data, size_t size, uint64_t offset)
{
    if (fault_fires(FAULT_WRITE))
        return status_errno(ctx, EIO, "could not write");
    for (const uint8_t *from = data; size;) {
        ssize_t put = pwrite(fd, from, size, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return status_errno(ctx, errno, "could not write");
        from += put;
        offset += (uint64_t)put;
        size -= (size_t)put;
    }
    return OK;
}

Status file_write_all(Ctx *ctx, int fd, const void *data, size_t size)
{
    if (fault_fires(FAULT_WRITE))
        return status_errno(ctx, EIO, "could not write");
    for (const uint8_t *from = data; size;) {
        ssize_t put = write(fd, from, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return status_errno(ctx, errno, "could not write");
        from += put;
        size -= (size_t)put;
    }
    return OK;
}

Status file_pread_all(Ctx *ctx, int fd, void *out, size_t size, uint64_t offset)
{
    if (fault_fires(FAULT_READ))
        return status_errno(ctx, EIO, "could not read");
    for (uint8_t *to = out; size;) {
        ssize_t got = pread(fd, to, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return status_errno(ctx, errno, "could not read");
        if (got == 0)
            return FAIL(ctx, DATA_LOSS, "could not read: file ends %zu bytes early", size);
        to += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return OK;
}

Status file_read_all(Ctx *ctx, int fd, Buf *out)
{
    if (fault_fires(FAULT_READ))
        return status_errno(ctx, EIO, "could not read");
    for (;;) {
        buf_reserve(out, 64 * KiB);
        ssize_t got = read(fd, out->data + out->size, out->capacity - out->size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return status_errno(ctx, errno, "could not read");
        if (got == 0)
            return OK;
        out->size += (size_t)got;
    }
}

Status file_read_path(Ctx *ctx, const char *path, Buf *out)
{
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return status_errno(ctx, errno, "could not open file '%s'", path);
    TRY_WRAP(ctx, file_read_all(ctx, fd, out), "could not read file '%s'", path);
    return OK;
}

Status file_sync(Ctx *ctx, int fd)
{
    int error = fault_fires(FAULT_SYNC) ? EIO : fdatasync(fd) < 0 ? errno : 0;
    return error ? status_errno(ctx, error, "could not sync") : OK;
}

Status file_sync_dir(Ctx *ctx, const char *path)
{
    AUTO_FD fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return status_errno(ctx, errno, "could not open folder '%s'", path);
    TRY_WRAP(ctx, file_sync(ctx, fd), "folder '%s'", path);
    return OK;
}

static const char *parent_of(Ctx *ctx, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return ".";
    return slash == path ? "/" : arena_strndup(ctx->arena, path, (size_t)(slash - path));
}

static Status write_temporary(Ctx *ctx, const char *temporary, Bytes content, mode_t mode)
{
    AUTO_FD fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0)
        return status_errno(ctx, errno, "could not create file '%s'", temporary);
    TRY_WRAP(ctx, file_write_all(ctx, fd, content.data, content.size), "file '%s'", temporary);
    return file_sync(ctx, fd);
}

Status file_replace(Ctx *ctx, const char *path, Bytes content, mode_t mode)
{
    char *temporary = text_printf(ctx->arena, "%s.tmp", path);
    Status s = write_temporary(ctx, temporary, content, mode);
    if (status_ok(s) && (fault_fires(FAULT_RENAME) || rename(temporary, path) < 0))
        s = status_errno(ctx, errno ? errno : EIO, "could not rename '%s' to '%s'", temporary,
                         path);
    if (!status_ok(s)) {
        unlink(temporary);
        return s;
    }
    return file_sync_dir(ctx, parent_of(ctx, path));
}

Status file_make_dirs(Ctx *ctx, const char *path, mode_t mode)
{
    char *copy = arena_strdup(ctx->arena, path);
    for (char *at = copy + 1; *copy; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        bool last = *at == '\0';
        *at = '\0';
        if (mkdir(copy, mode) < 0 && errno != EEXIST)
            return status_errno(ctx, errno, "could not create folder '%s'", copy);
        if (last)
            break;
        *at = '/';
    }
    return OK;
}

/* Depth is bounded by what a path may hold, and each level keeps one descriptor open. */
static int remove_below(int dir_fd, const char *name, dev_t device)
{
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return errno;
    AUTO_FD fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return errno;
    if (device && st.st_dev != device)
        return EXDEV;
    DIR *dir = fdopendir(dup(fd));
    if (!dir)
        return errno;
    int error = 0;
    for (struct dirent *entry; !error && (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            error = remove_below(fd, entry->d_name, st.st_dev);
    }
    closedir(dir);
    if (!error && unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        error = errno;
    return error;
}

Status file_remove_tree(Ctx *ctx, const char *path)
{
    int error = remove_below(AT_FDCWD, path, 0);
    return error ? status_errno(ctx, error, "could not remove '%s'", path) : OK;
}

bool file_find_in_path(const char *name, const char *path, char *out, size_t out_size)
{
    while (*path) {
        size_t size = strcspn(path, ":");
        struct stat st;
        int length = snprintf(out, out_size, "%.*s/%s", (int)size, path, name);
        if (size && (size_t)length < out_size && stat(out, &st) == 0 && S_ISREG(st.st_mode) &&
            faccessat(AT_FDCWD, out, X_OK, AT_EACCESS) == 0)
            return true;
        path += size + (path[size] == ':');
    }
    return false;
}
