/* input_cache.c - see input_cache.h.
 *
 * An entry's file is named by its hash in hex. The index is in memory only: the folder is emptied
 * when a worker starts, so a file cut short by a crash is never taken for content.
 */
#include "worker/input_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define HASH_BYTES_MAX  64
#define NAME_SIZE       (2 * HASH_BYTES_MAX + 1)
#define ENTRY_BYTES_MIN (4 * KiB) /* a file takes a block and an inode at least */
#define BUCKETS_MIN     1024

typedef struct Entry {
    struct Entry *chain;         /* of its bucket */
    struct Entry *newer, *older; /* by last use */
    uint64_t bytes;
    char name[NAME_SIZE];
} Entry;

struct InputCache {
    int dir_fd;
    uint64_t bytes, bytes_max;
    Entry **buckets;
    size_t bucket_count, entry_count; /* bucket_count is a power of two */
    Entry *newest, *oldest;
};

static Entry **bucket_of(const InputCache *cache, const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (const char *c = name; *c; c++)
        hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    return &cache->buckets[hash & (cache->bucket_count - 1)];
}

static Entry **new_buckets(size_t count)
{
    Entry **buckets = calloc(count, sizeof(*buckets));
    if (!buckets)
        abort();
    return buckets;
}

InputCache *input_cache_new(const char *dir, uint64_t bytes_max)
{
    InputCache *cache = calloc(1, sizeof(*cache));
    if (!cache)
        abort();
    cache->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cache->bytes_max = bytes_max;
    cache->bucket_count = BUCKETS_MIN;
    cache->buckets = new_buckets(BUCKETS_MIN);
    return cache;
}

InputCache *input_cache_free(InputCache *cache)
{
    if (!cache)
        return NULL;
    for (Entry *entry = cache->newest, *older; entry; entry = older) {
        older = entry->older;
        free(entry);
    }
    fd_closep(&cache->dir_fd);
    free(cache->buckets);
    free(cache);
    return NULL;
}

uint64_t input_cache_bytes(const InputCache *cache)
{
    return cache->bytes;
}

static Entry *find(const InputCache *cache, const char *name)
{
    Entry *entry = *bucket_of(cache, name);
    while (entry && strcmp(entry->name, name) != 0)
        entry = entry->chain;
    return entry;
}

static void unlink_from_list(InputCache *cache, Entry *entry)
{
    *(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void push_newest(InputCache *cache, Entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

static void drop(InputCache *cache, Entry *entry)
{
    Entry **at = bucket_of(cache, entry->name);
    while (*at != entry)
        at = &(*at)->chain;
    *at = entry->chain;
    unlink_from_list(cache, entry);
    cache->bytes -= entry->bytes;
    cache->entry_count--;
    unlinkat(cache->dir_fd, entry->name, 0);
    free(entry);
}

static void grow(InputCache *cache)
{
    size_t old_count = cache->bucket_count;
    Entry **old = cache->buckets;
    cache->bucket_count *= 2;
    cache->buckets = new_buckets(cache->bucket_count);
    for (size_t i = 0; i < old_count; i++) {
        for (Entry *entry = old[i], *next; entry; entry = next) {
            next = entry->chain;
            Entry **bucket = bucket_of(cache, entry->name);
            entry->chain = *bucket;
            *bucket = entry;
        }
    }
    free(old);
}

static void insert(InputCache *cache, const char *name, uint64_t bytes)
{
    Entry *entry = calloc(1, sizeof(*entry));
    if (!entry)
        abort();
    strcpy(entry->name, name);
    entry->bytes = MAX(bytes, ENTRY_BYTES_MIN);
    Entry **bucket = bucket_of(cache, name);
    entry->chain = *bucket;
    *bucket = entry;
    push_newest(cache, entry);
    cache->bytes += entry->bytes;
    if (++cache->entry_count > cache->bucket_count)
        grow(cache);
    while (cache->bytes > cache->bytes_max && cache->oldest != entry)
        drop(cache, cache->oldest);
}

static Status copy_file(Ctx *ctx, int from_dir, const char *from, int to_dir, const char *to)
{
    AUTO_FD in = openat(from_dir, from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    AUTO_FD out = openat(to_dir, to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (in < 0 || out < 0)
        return status_errno(ctx, errno, "could not copy input file '%s'", to);
    for (;;) {
        ssize_t moved = copy_file_range(in, NULL, out, NULL, 1 * GiB, 0);
        if (moved == 0)
            return OK;
        if (moved < 0)
            return status_errno(ctx, errno, "could not copy input file '%s'", to);
    }
}

static bool name_of(Bytes hash, char out[NAME_SIZE])
{
    if (hash.size == 0 || hash.size > HASH_BYTES_MAX)
        return false;
    hex_encode(hash.data, hash.size, out);
    return true;
}

bool input_cache_has(InputCache *cache, Bytes hash)
{
    char cached[NAME_SIZE];
    return name_of(hash, cached) && find(cache, cached);
}

Status input_cache_place(Ctx *ctx, InputCache *cache, Bytes hash, int dir_fd, const char *name,
                         bool copy, bool *out_placed)
{
    char cached[NAME_SIZE];
    Entry *entry = name_of(hash, cached) ? find(cache, cached) : NULL;
    *out_placed = entry != NULL;
    if (!entry)
        return OK;
    unlink_from_list(cache, entry);
    push_newest(cache, entry);
    if (!copy && linkat(cache->dir_fd, cached, dir_fd, name, 0) == 0)
        return OK;
    if (!copy && errno != EMLINK && errno != EXDEV && errno != EPERM)
        return status_errno(ctx, errno, "could not link input file '%s'", name);
    return copy_file(ctx, cache->dir_fd, cached, dir_fd, name);
}

void input_cache_add(Ctx *ctx, InputCache *cache, Bytes hash, int dir_fd, const char *name,
                     bool copy)
{
    char cached[NAME_SIZE];
    struct stat st;
    if (!name_of(hash, cached) || find(cache, cached) ||
        fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    unlinkat(cache->dir_fd, cached, 0); /* of an addition that did not succeed */
    bool added = copy ? status_ok(copy_file(ctx, dir_fd, name, cache->dir_fd, cached))
                      : linkat(dir_fd, name, cache->dir_fd, cached, 0) == 0;
    if (added)
        insert(cache, cached, (uint64_t)st.st_size);
}
