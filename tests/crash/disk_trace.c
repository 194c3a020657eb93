/* disk_trace.c - preloaded into a server, notes what it does to one folder's files, so that
 * power_cut.py can say what a disk may hold at any moment if the power fails.
 *
 * DISK_TRACE_DIR names the folder, DISK_TRACE_OUT the file that gets one record an operation, after
 * it was done. A sync has two: before and after; all that was noted before the first is on the disk
 * once the second is there.
 *
 *   record   op (1 byte) | inode (u64) | offset or size (u64) | size of data (u32) | data
 *
 *   W write at offset   T truncate to size   B, E sync begins, ends
 *   C made: data is the path   R renamed: data is two paths, NUL between   U removed: path
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
/* The function that this one stands before. */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* one record after the other */
static int out_fd = -1;
static const char *dir;

__attribute__((constructor)) static void begin(void)
{
    const char *out = getenv("DISK_TRACE_OUT");
    dir = getenv("DISK_TRACE_DIR");
    if (out && dir)
        out_fd = REAL(open)(out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    unsetenv("LD_PRELOAD"); /* the server alone: its workers' files are nobody's loss */
}

static void note(char op, uint64_t inode, uint64_t at, const void *data, size_t size)
{
    struct __attribute__((packed)) {
        char op;
        uint64_t inode, at;
        uint32_t size;
    } head = { op, inode, at, (uint32_t)size };
    struct iovec parts[] = { { &head, sizeof(head) }, { (void *)(uintptr_t)data, size } };
    pthread_mutex_lock(&lock);
    if (REAL(writev)(out_fd, parts, 2) != (ssize_t)(sizeof(head) + size))
        abort();
    pthread_mutex_unlock(&lock);
}

static bool is_ours(const char *path)
{
    size_t size = dir ? strlen(dir) : 0;
    return out_fd >= 0 && strncmp(path, dir, size) == 0 && (path[size] == '/' || !path[size]);
}

/* The path of fd's file, or of `name` in its folder; "" when it is none of ours. */
static const char *path_of(int fd, const char *name, char path[PATH_MAX])
{
    char link[64], base[PATH_MAX / 2] = "";
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(fd == AT_FDCWD ? "/proc/self/cwd" : link, base, sizeof(base) - 1);
    base[n > 0 ? n : 0] = '\0';
    if (name && *name == '/')
        snprintf(path, PATH_MAX, "%s", name);
    else
        snprintf(path, PATH_MAX, name ? "%s/%s" : "%s", base, name);
    return is_ours(path) ? path : "";
}

static uint64_t inode_of(int fd)
{
    struct stat st;
    char path[PATH_MAX];
    return *path_of(fd, NULL, path) && fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* --- content ---------------------------------------------------------------------------------- */

static void note_write(int fd, uint64_t at, const void *data, ssize_t put)
{
    uint64_t inode = put > 0 && out_fd >= 0 ? inode_of(fd) : 0;
    if (inode)
        note('W', inode, at, data, (size_t)put);
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    ssize_t put = REAL(pwrite)(fd, data, size, at);
    note_write(fd, (uint64_t)at, data, put);
    return put;
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    ssize_t put = REAL(pwrite64)(fd, data, size, at);
    note_write(fd, (uint64_t)at, data, put);
    return put;
}

EXPORT ssize_t write(int fd, const void *data, size_t size)
{
    ssize_t put = REAL(write)(fd, data, size);
    off_t end = put > 0 ? lseek(fd, 0, SEEK_CUR) : -1;
    if (end >= put)
        note_write(fd, (uint64_t)(end - put), data, put);
    return put;
}

static int truncated(int fd, uint64_t size, int result)
{
    uint64_t inode = result == 0 && out_fd >= 0 ? inode_of(fd) : 0;
    if (inode)
        note('T', inode, size, NULL, 0);
    return result;
}

EXPORT int ftruncate(int fd, off_t size)
{
    return truncated(fd, (uint64_t)size, REAL(ftruncate)(fd, size));
}

EXPORT int ftruncate64(int fd, off64_t size)
{
    return truncated(fd, (uint64_t)size, REAL(ftruncate64)(fd, size));
}

static int synced(int fd, int (*sync)(int))
{
    uint64_t inode = out_fd >= 0 ? inode_of(fd) : 0;
    if (inode)
        note('B', inode, 0, NULL, 0);
    int result = sync(fd);
    if (inode && result == 0)
        note('E', inode, 0, NULL, 0);
    return result;
}

EXPORT int fsync(int fd)
{
    return synced(fd, REAL(fsync));
}

EXPORT int fdatasync(int fd)
{
    return synced(fd, REAL(fdatasync));
}

/* --- names ------------------------------------------------------------------------------------ */

/* fd was just opened; `existed` says whether that made it. */
static int opened(int fd, int folder, const char *name, int flags, bool existed)
{
    char path[PATH_MAX];
    if (fd >= 0 && flags & O_CREAT && !existed && *path_of(folder, name, path))
        note('C', inode_of(fd), 0, path, strlen(path));
    if (fd >= 0 && flags & O_TRUNC && existed)
        truncated(fd, 0, 0);
    return fd;
}

#define OPEN_LIKE(name)                                                                            \
    EXPORT int name(const char *path, int flags, ...)                                              \
    {                                                                                              \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;                                  \
        va_end(rest);                                                                              \
        bool existed = !(flags & O_CREAT) || access(path, F_OK) == 0;                              \
        return opened(REAL(name)(path, flags, mode), AT_FDCWD, path, flags, existed);              \
    }
#define OPENAT_LIKE(name)                                                                          \
    EXPORT int name(int folder, const char *path, int flags, ...)                                  \
    {                                                                                              \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;                                  \
        va_end(rest);                                                                              \
        bool existed = !(flags & O_CREAT) || faccessat(folder, path, F_OK, 0) == 0;                \
        return opened(REAL(name)(folder, path, flags, mode), folder, path, flags, existed);        \
    }
OPEN_LIKE(open)
OPEN_LIKE(open64)
OPENAT_LIKE(openat)
OPENAT_LIKE(openat64)

EXPORT int rename(const char *from, const char *to)
{
    char paths[2 * PATH_MAX], target[PATH_MAX];
    int result = REAL(rename)(from, to);
    if (result == 0 && *path_of(AT_FDCWD, from, paths) && *path_of(AT_FDCWD, to, target)) {
        size_t first = strlen(paths) + 1, second = strlen(target);
        memcpy(paths + first, target, second);
        note('R', 0, 0, paths, first + second);
    }
    return result;
}

static int removed(int result, int folder, const char *name)
{
    char path[PATH_MAX];
    if (result == 0 && *path_of(folder, name, path))
        note('U', 0, 0, path, strlen(path));
    return result;
}

EXPORT int unlink(const char *path)
{
    return removed(REAL(unlink)(path), AT_FDCWD, path);
}

EXPORT int unlinkat(int folder, const char *path, int flags)
{
    return removed(REAL(unlinkat)(folder, path, flags), folder, path);
}
