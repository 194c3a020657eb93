/* place.c - one entry of a tar, put below a folder and never outside of it.
 *
 * An archive's links may point anywhere, and later entries go through them. So every parent is
 * opened inside the root (openat2, RESOLVE_IN_ROOT): a link means what it will mean when the root
 * is one. The last element is made anew, never followed. Devices are left out: a sandbox makes its
 * own, and mounts images without any. */
#include <errno.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <dirent.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "image/image_priv.h"

#define WHITEOUT        ".wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

int place_open(int root_fd, const char *path, int flags)
{
    struct open_how how = { .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
                            .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
    return (int)syscall(SYS_openat2, root_fd, *path ? path : ".", &how, sizeof(how));
}

/* A path without leading, doubled and trailing '/' and without '.'; NULL when it has "..". */
static char *clean_path(Ctx *ctx, const char *path)
{
    Str rest = str(path);
    char *out = arena_must(ctx->arena, rest.size + 1);
    size_t size = 0;
    while (rest.size) {
        Str part = str_sub(rest, 0, str_find(rest, '/'));
        rest = str_sub(rest, part.size + 1, rest.size);
        if (!part.size || str_eq_c(part, "."))
            continue;
        if (str_eq_c(part, ".."))
            return NULL;
        if (size)
            out[size++] = '/';
        memcpy(out + size, part.data, part.size);
        size += part.size;
    }
    out[size] = '\0';
    return out;
}

static Status cleaned(Ctx *ctx, const char *path, char **out)
{
    *out = clean_path(ctx, path);
    if (!*out)
        return FAIL(ctx, INVALID_ARGUMENT, "path %s of the archive leaves the image",
                    text_quote(ctx->arena, str(path)));
    if (strlen(*out) >= PATH_MAX)
        return FAIL(ctx, INVALID_ARGUMENT, "a path of the archive is longer than %d bytes",
                    PATH_MAX);
    return OK;
}

/* Splits a clean path into a folder and a name. */
static const char *split(char *path, const char **out_dir)
{
    char *slash = strrchr(path, '/');
    *out_dir = slash ? path : "";
    if (!slash)
        return path;
    *slash = '\0';
    return slash + 1;
}

/* Opens a folder inside, making what is missing of it. */
static int open_dir(Ctx *ctx, int root_fd, const char *dir)
{
    int fd = place_open(root_fd, dir, O_RDONLY | O_DIRECTORY);
    if (fd >= 0 || errno != ENOENT || !*dir)
        return fd;
    const char *above_dir;
    char *copy = arena_strdup(ctx->arena, dir);
    const char *name = split(copy, &above_dir);
    AUTO_FD above = open_dir(ctx, root_fd, above_dir);
    if (above < 0 || (mkdirat(above, name, 0755) < 0 && errno != EEXIST))
        return -1;
    return place_open(root_fd, dir, O_RDONLY | O_DIRECTORY);
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Removes what is named so, with all below it; follows no link. 0 or -1 and errno. */
static int remove_at(int dir_fd, const char *name);

static int remove_below(int dir_fd)
{
    DIR *dir = fdopendir(dir_fd);
    if (!dir) {
        close(dir_fd);
        return -1;
    }
    int failed = 0;
    for (struct dirent *entry; !failed && (entry = readdir(dir));) {
        if (!is_dots(entry->d_name))
            failed = remove_at(dirfd(dir), entry->d_name);
    }
    closedir(dir);
    return failed;
}

static int remove_at(int dir_fd, const char *name)
{
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -1;
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || remove_below(fd) < 0)
        return -1;
    return unlinkat(dir_fd, name, AT_REMOVEDIR);
}

/* Without privilege a folder that we may not write to could neither be filled nor removed. */
static mode_t mode_of(const PlaceEntry *entry)
{
    mode_t mode = entry->mode & 07777;
    return S_ISDIR(entry->mode) && geteuid() != 0 ? mode | 0700 : mode;
}

static int set_owner(int dir_fd, const char *name, const PlaceEntry *entry)
{
    if (geteuid() != 0)
        return 0;
    return fchownat(dir_fd, name, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW);
}

static int place_dir(int parent, const char *name, const PlaceEntry *entry)
{
    struct stat there;
    bool is_there = fstatat(parent, name, &there, AT_SYMLINK_NOFOLLOW) == 0;
    if (is_there && !S_ISDIR(there.st_mode) && remove_at(parent, name) < 0)
        return -1;
    if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
        return -1;
    return set_owner(parent, name, entry) < 0 ? -1 : fchmodat(parent, name, mode_of(entry), 0);
}

static int place_symlink(int parent, const char *name, const PlaceEntry *entry)
{
    return symlinkat(entry->link, parent, name) < 0 ? -1 : set_owner(parent, name, entry);
}

static int place_fifo(int parent, const char *name, const PlaceEntry *entry)
{
    if (mkfifoat(parent, name, 0600) < 0 || set_owner(parent, name, entry) < 0)
        return -1;
    return fchmodat(parent, name, mode_of(entry), 0);
}

static Status place_hard_link(Ctx *ctx, int root_fd, int parent, const char *name,
                              const PlaceEntry *entry)
{
    char *target;
    TRY(cleaned(ctx, entry->link, &target));
    const char *dir;
    const char *target_name = split(target, &dir);
    AUTO_FD target_parent = place_open(root_fd, dir, O_PATH | O_DIRECTORY);
    if (target_parent < 0 || linkat(target_parent, target_name, parent, name, 0) < 0)
        return status_errno(ctx, errno, "could not link '%s' to '%s' of the archive", entry->path,
                            entry->link);
    return OK;
}

/* The entry that is the root itself. */
static Status place_root(Ctx *ctx, int root_fd, const PlaceEntry *entry)
{
    if (!S_ISDIR(entry->mode))
        return FAIL(ctx, INVALID_ARGUMENT, "the archive's root is not a folder");
    if ((geteuid() == 0 && fchown(root_fd, entry->uid, entry->gid) < 0) ||
        fchmod(root_fd, mode_of(entry)) < 0)
        return status_errno(ctx, errno, "could not set the mode of the image's root");
    return OK;
}

static bool is_device(const PlaceEntry *entry)
{
    return S_ISCHR(entry->mode) || S_ISBLK(entry->mode) || S_ISSOCK(entry->mode);
}

/* What is not a folder replaces what is there. */
static int place_other(int parent, const char *name, const PlaceEntry *entry, int *out_fd)
{
    if (S_ISLNK(entry->mode))
        return place_symlink(parent, name, entry);
    if (S_ISFIFO(entry->mode))
        return place_fifo(parent, name, entry);
    *out_fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return *out_fd < 0 ? -1 : 0;
}

Status place_entry(Ctx *ctx, int root_fd, const PlaceEntry *entry, int *out_fd)
{
    *out_fd = -1;
    char *path;
    TRY(cleaned(ctx, entry->path, &path));
    if (!*path)
        return place_root(ctx, root_fd, entry);
    if (!entry->is_hard_link && is_device(entry))
        return OK;
    const char *dir;
    const char *name = split(path, &dir);
    AUTO_FD parent = open_dir(ctx, root_fd, dir);
    int failed = parent < 0 ? -1 : 0;
    if (!failed && (entry->is_hard_link || !S_ISDIR(entry->mode)))
        failed = remove_at(parent, name);
    if (!failed && entry->is_hard_link)
        return place_hard_link(ctx, root_fd, parent, name, entry);
    if (!failed)
        failed = S_ISDIR(entry->mode) ? place_dir(parent, name, entry)
                                      : place_other(parent, name, entry, out_fd);
    if (failed)
        return status_errno(ctx, errno, "could not unpack '%s' of the archive", entry->path);
    return OK;
}

Status place_finish(Ctx *ctx, int fd, const PlaceEntry *entry)
{
    AUTO_FD file = fd;
    const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = entry->mtime_s } };
    /* The owner first: changing it takes set-user-id bits away. */
    if ((geteuid() == 0 && fchown(file, entry->uid, entry->gid) < 0) ||
        fchmod(file, mode_of(entry)) < 0 || futimens(file, times) < 0)
        return status_errno(ctx, errno, "could not set owner and mode of '%s'", entry->path);
    return OK;
}

Status place_whiteout(Ctx *ctx, int root_fd, const char *path, bool *out_is)
{
    char *clean;
    TRY(cleaned(ctx, path, &clean));
    const char *dir;
    const char *name = split(clean, &dir);
    *out_is = str_starts(str(name), STR(WHITEOUT));
    if (!*out_is)
        return OK;
    int parent = place_open(root_fd, dir, O_RDONLY | O_DIRECTORY);
    if (parent < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? OK
                   : status_errno(ctx, errno, "could not open '%s' of the image", dir);
    const char *removed = name + strlen(WHITEOUT);
    if (!*removed || is_dots(removed)) {
        close(parent);
        return FAIL(ctx, INVALID_ARGUMENT, "'%s' of the archive is no whiteout", path);
    }
    int failed;
    if (strcmp(name, WHITEOUT_OPAQUE) == 0) {
        failed = remove_below(parent);
    } else {
        failed = remove_at(parent, removed);
        close(parent);
    }
    return failed ? status_errno(ctx, errno, "could not remove what '%s' hides", path) : OK;
}
