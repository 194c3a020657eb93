/* folder.c - see folder.h. */
#include "worker/folder.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdalign.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/id.h"
#include "base/text.h"

#define TRASH_NAME_SIZE 48

static void close_dirp(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int open_beneath(int folder_fd, const char *path, int flags)
{
    struct open_how how = { .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
    return (int)syscall(SYS_openat2, folder_fd, path, &how, sizeof(how));
}

/* A mode that keeps its owner out is changed through a descriptor, so that no link can be put in
 * its place. */
int folder_open(int folder_fd, const char *path, int flags)
{
    flags |= flags & O_PATH ? 0 : O_NONBLOCK | O_NOCTTY; /* no device or FIFO makes us wait */
    int fd = open_beneath(folder_fd, path, flags);
    if (fd >= 0 || errno != EACCES)
        return fd;
    AUTO_FD entry = open_beneath(folder_fd, path, O_PATH);
    char at[32];
    snprintf(at, sizeof(at), "/proc/self/fd/%d", entry);
    if (entry < 0 || chmod(at, 0700) < 0)
        return -1;
    return open_beneath(folder_fd, path, flags);
}

/* Folders that were not empty wait here for their turn, under names of one removal. */
typedef struct Trash {
    int fd;
    uint64_t id;         /* random: what an earlier removal could not finish is not in the way */
    uint64_t begin, end; /* numbers of the folders that wait */
    FolderKeepFn keep;   /* of empty ones; NULL: they are removed */
    void *self;
} Trash;

static const char *trash_name(const Trash *trash, uint64_t number, char out[TRASH_NAME_SIZE])
{
    snprintf(out, TRASH_NAME_SIZE, ".trash-%016llx-%llu", (unsigned long long)trash->id,
             (unsigned long long)number);
    return out;
}

/* A folder must be writable to be moved, as its ".." changes. */
static int move_to_trash(Trash *trash, int dir_fd, const char *name)
{
    char to[TRASH_NAME_SIZE];
    AUTO_FD child = folder_open(dir_fd, name, O_RDONLY | O_DIRECTORY);
    if (child >= 0)
        fchmod(child, 0700);
    if (renameat(dir_fd, name, trash->fd, trash_name(trash, trash->end, to)) < 0)
        return errno;
    trash->end++;
    return 0;
}

/* Removes an entry of a folder, or moves it to the trash. 0 or an errno. */
static int drop_entry(Trash *trash, int dir_fd, const char *name)
{
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return errno;
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0)
        return 0;
    return errno == ENOTEMPTY || errno == EEXIST ? move_to_trash(trash, dir_fd, name) : errno;
}

static DIR *open_dir(int folder_fd, const char *path)
{
    AUTO_FD fd = folder_open(folder_fd, path, O_RDONLY | O_DIRECTORY);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir)
        fd_steal(&fd);
    return dir;
}

static int empty_folder(Trash *trash, const char *name)
{
    CLEANUP(close_dirp) DIR *dir = open_dir(trash->fd, name);
    if (!dir)
        return errno;
    fchmod(dirfd(dir), 0700);
    for (struct dirent *entry; (entry = readdir(dir));) {
        int error = is_dot(entry->d_name) ? 0 : drop_entry(trash, dirfd(dir), entry->d_name);
        if (error)
            return error;
    }
    if (trash->keep && trash->keep(trash->self, trash->fd, name))
        return 0;
    return unlinkat(trash->fd, name, AT_REMOVEDIR) < 0 ? errno : 0;
}

Status folder_remove(Ctx *ctx, int parent_fd, const char *name)
{
    return folder_remove_keeping(ctx, parent_fd, name, NULL, NULL);
}

Status folder_remove_keeping(Ctx *ctx, int parent_fd, const char *name, FolderKeepFn keep,
                             void *self)
{
    Trash trash = { .fd = parent_fd, .id = random_u64(), .keep = keep, .self = self };
    int error = drop_entry(&trash, parent_fd, name);
    for (char waiting[TRASH_NAME_SIZE]; !error && trash.begin < trash.end; trash.begin++)
        error = empty_folder(&trash, trash_name(&trash, trash.begin, waiting));
    return error ? status_errno(ctx, error, "could not remove '%s'", name) : OK;
}

/* As getdents64 gives it (getdents(2)). */
typedef struct RawEntry {
    uint64_t inode;
    int64_t next;
    uint16_t size;
    uint8_t type;
    char name[];
} RawEntry;

bool folder_is_empty(int folder_fd)
{
    alignas(RawEntry) char buffer[1024];
    long got;
    bool empty = true;
    while (empty && (got = syscall(SYS_getdents64, folder_fd, buffer, sizeof(buffer))) > 0) {
        for (long at = 0; empty && at < got;) {
            RawEntry *entry = (RawEntry *)(void *)(buffer + at);
            empty = is_dot(entry->name);
            at += entry->size;
        }
    }
    lseek(folder_fd, 0, SEEK_SET);
    return empty && got == 0;
}

static uint64_t entry_bytes(int dir_fd, const char *name, bool *out_is_dir)
{
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    *out_is_dir = S_ISDIR(st.st_mode);
    return (uint64_t)st.st_blocks * 512;
}

/* A folder that waits to be counted. */
typedef struct Waiting {
    const char *path;
    struct Waiting *next;
} Waiting;

static uint64_t count_folder(Ctx *ctx, int folder_fd, const char *path, Waiting **stack)
{
    CLEANUP(close_dirp) DIR *dir = open_dir(folder_fd, path);
    uint64_t total = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        bool is_dir = false;
        if (is_dot(entry->d_name))
            continue;
        total += entry_bytes(dirfd(dir), entry->d_name, &is_dir);
        if (is_dir) {
            Waiting *waiting = ARENA_ONE(ctx->arena, Waiting);
            *waiting = (Waiting){ text_printf(ctx->arena, "%s/%s", path, entry->d_name), *stack };
            *stack = waiting;
        }
    }
    return total;
}

uint64_t folder_disk_bytes(Ctx *ctx, int folder_fd)
{
    uint64_t total = 0;
    ArenaMark mark = arena_mark(ctx->arena);
    Waiting *stack = &(Waiting){ .path = "." };
    while (stack) {
        const char *path = stack->path;
        stack = stack->next;
        total += count_folder(ctx, folder_fd, path, &stack);
    }
    arena_rewind(ctx->arena, mark);
    return total;
}
