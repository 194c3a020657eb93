/* tree_digest.c - the digest of a root that has no config to name it: over what is there, in order
 * of names, so that a tar and a folder of the same root are the same image. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "image/image_priv.h"

#define BLOCK_BYTES (128 * KiB)
#define DEPTH_MAX   512

typedef struct Walk {
    Hasher *hasher;
    uint8_t *block; /* [BLOCK_BYTES] */
    uint64_t size;
    unsigned depth;
} Walk;

static Status add_dir(Ctx *ctx, Walk *walk, int fd);

static void add_number(Walk *walk, uint64_t number)
{
    uint8_t raw[8];
    store_le64(raw, number);
    hasher_add(walk->hasher, bytes(raw, sizeof(raw)));
}

static void add_text(Walk *walk, Str text)
{
    add_number(walk, text.size);
    hasher_add(walk->hasher, str_bytes(text));
}

static Status add_content(Ctx *ctx, Walk *walk, int dir_fd, const char *name)
{
    AUTO_FD fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return status_errno(ctx, errno, "could not open '%s' of the image", name);
    for (;;) {
        ssize_t got = read(fd, walk->block, BLOCK_BYTES);
        if (got < 0)
            return status_errno(ctx, errno, "could not read '%s' of the image", name);
        if (got == 0)
            return OK;
        hasher_add(walk->hasher, bytes(walk->block, (size_t)got));
    }
}

static Status add_link(Ctx *ctx, Walk *walk, int dir_fd, const char *name)
{
    char target[PATH_MAX];
    ssize_t size = readlinkat(dir_fd, name, target, sizeof(target));
    if (size < 0)
        return status_errno(ctx, errno, "could not read link '%s' of the image", name);
    add_text(walk, (Str){ target, (size_t)size });
    return OK;
}

static Status add_entry(Ctx *ctx, Walk *walk, int dir_fd, const char *name)
{
    struct stat at;
    if (fstatat(dir_fd, name, &at, AT_SYMLINK_NOFOLLOW) < 0)
        return status_errno(ctx, errno, "could not look at '%s' of the image", name);
    add_text(walk, str(name));
    add_number(walk, at.st_mode);
    add_number(walk, at.st_uid);
    add_number(walk, at.st_gid);
    if (S_ISLNK(at.st_mode))
        return add_link(ctx, walk, dir_fd, name);
    if (S_ISREG(at.st_mode)) {
        walk->size += (uint64_t)at.st_size;
        add_number(walk, (uint64_t)at.st_size);
        return add_content(ctx, walk, dir_fd, name);
    }
    if (!S_ISDIR(at.st_mode))
        return OK;
    AUTO_FD fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return status_errno(ctx, errno, "could not open folder '%s' of the image", name);
    return add_dir(ctx, walk, fd);
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int no_dots(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static Status add_dir(Ctx *ctx, Walk *walk, int fd)
{
    if (walk->depth == DEPTH_MAX)
        return FAIL(ctx, INVALID_ARGUMENT, "the image has more than %d folders within each other",
                    DEPTH_MAX);
    struct dirent **entries;
    int count = scandirat(fd, ".", &entries, no_dots, by_bytes);
    if (count < 0)
        return status_errno(ctx, errno, "could not list a folder of the image");
    walk->depth++;
    add_number(walk, (uint64_t)count);
    Status s = ctx_check(ctx);
    for (int i = 0; i < count; i++) {
        if (status_ok(s))
            s = add_entry(ctx, walk, fd, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    walk->depth--;
    return s;
}

Status tree_digest(Ctx *ctx, const char *root_dir, Hash *out, uint64_t *out_size)
{
    AUTO_FD fd = open(root_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return status_errno(ctx, errno, "could not open '%s'", root_dir);
    CLEANUP(hasher_freep) Hasher *hasher = hasher_new();
    Walk walk = { .hasher = hasher, .block = malloc(BLOCK_BYTES) };
    if (!walk.block)
        return STATUS(RESOURCE_EXHAUSTED);
    Status s = add_dir(ctx, &walk, fd);
    free(walk.block);
    *out = hasher_finish(hasher);
    *out_size = walk.size;
    return s;
}
