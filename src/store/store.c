/* store.c - blobs in and out. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "store/store_priv.h"

/* --- opening and closing ---------------------------------------------------------------------- */

static Store *store_new(const StoreConfig *config, const StoreIndex *index)
{
    Store *store = calloc(1, sizeof(*store));
    if (!store || asprintf(&store->dir, "%s/packs", config->dir) < 0)
        abort();
    store->dir_fd = -1;
    store->index = *index;
    store->pack_bytes_max = config->pack_bytes_max ? config->pack_bytes_max : STORE_PACK_BYTES;
    store->cache =
        blob_cache_new(config->cache_bytes_max ? config->cache_bytes_max : STORE_CACHE_BYTES);
    store->pool = pool_new("store", 1);
    store->flush_rows = FLUSH_ROWS;
    pthread_mutex_init(&store->fds.lock, NULL);
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->written, NULL);
    pthread_mutex_init(&store->flush_lock, NULL);
    group_init(&store->sync);
    return store;
}

/* The lock belongs to this opening and ends with the process. */
static Status open_dir(Ctx *ctx, Store *store, const char *parent)
{
    bool is_new = access(store->dir, F_OK) < 0;
    TRY(file_make_dirs(ctx, store->dir, 0700));
    if (is_new) {
        TRY(file_sync_dir(ctx, parent));
        TRY(file_sync_dir(ctx, text_printf(ctx->arena, "%s/..", parent)));
    }
    store->dir_fd = open(store->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->dir_fd < 0)
        return status_errno(ctx, errno, "could not open folder '%s'", store->dir);
    if (flock(store->dir_fd, LOCK_EX | LOCK_NB) < 0)
        return FAIL(ctx, FAILED_PRECONDITION, "store '%s' is in use by another process",
                    store->dir);
    return OK;
}

Status store_open(Ctx *ctx, const StoreConfig *config, const StoreIndex *index, Store **out)
{
    CLEANUP(store_closep) Store *store = store_new(config, index);
    TRY_WRAP(ctx, open_dir(ctx, store, config->dir), "could not open the store");
    TRY_WRAP(ctx, store_recover(ctx, store), "could not open the store");
    *out = STEAL(store);
    return OK;
}

static void close_files(Store *store)
{
    if (store->active && ftruncate(store->active->fd, (off_t)store->active->end) < 0)
        LOG_DEBUG(NULL, "could not give back reserved space", "errno=%d", errno);
    while (store->files) {
        PackFile *newer = store->files->newer;
        pack_file_unref(store->files);
        store->files = newer;
    }
    for (size_t i = 0; i < PACK_FDS_MAX; i++) {
        if (store->fds.slots[i].number)
            close(store->fds.slots[i].fd);
    }
    fd_closep(&store->dir_fd);
}

static void flush_before_close(Store *store)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Status s = store_flush_index(&ctx, store);
    if (!status_ok(s))
        LOG_WARN(&ctx, "could not flush the store before closing it", "error=%s",
                 status_message(s));
}

Store *store_close(Store *store)
{
    if (!store)
        return NULL;
    pool_free(store->pool);
    flush_before_close(store);
    close_files(store);
    blob_map_done(&store->pending);
    blob_map_done(&store->flushing);
    blob_cache_free(store->cache);
    buf_done(&store->buffer);
    buf_done(&store->spare);
    group_done(&store->sync);
    pthread_mutex_destroy(&store->flush_lock);
    pthread_cond_destroy(&store->written);
    pthread_mutex_destroy(&store->lock);
    pthread_mutex_destroy(&store->fds.lock);
    free(store->dir);
    free(store);
    return NULL;
}

/* --- putting ---------------------------------------------------------------------------------- */

/* Pending rows first: a row moves from there to the index, and leaves only when the index has
 * it. */
static Status find(Ctx *ctx, Store *store, const Hash *hash, BlobPlace *out)
{
    return writer_is_pending(store, hash, out)
               ? OK
               : store->index.lookup(store->index.self, ctx, hash, out);
}

Status store_has(Ctx *ctx, Store *store, const Hash *hash, bool *out)
{
    BlobPlace place;
    Status s = find(ctx, store, hash, &place);
    *out = status_ok(s);
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

/* Compresses and appends, both outside the lock until the record gets its place. */
static Status put_new(Ctx *ctx, Store *store, const Hash *hash, Bytes data, bool *out_known)
{
    CLEANUP(buf_done) Buf compressed = { 0 };
    bool is_zstd = chunk_compress(data, &compressed);
    Bytes stored = is_zstd ? buf_bytes(&compressed) : data;
    PackRecord record = {
        .hash = *hash,
        .stored_size = (uint32_t)stored.size,
        .plain_size = (uint32_t)data.size,
        .is_zstd = is_zstd,
    };
    TRY(writer_append(ctx, store, &record, stored, out_known));
    atomic_fetch_add(&store->stored_bytes_put, *out_known ? 0 : stored.size);
    return OK;
}

Status store_put(Ctx *ctx, Store *store, Bytes data, const Hash *hash, Hash *out_hash)
{
    if (data.size > CHUNK_BYTES_MAX)
        return FAIL(ctx, INVALID_ARGUMENT, "blob of %zu bytes is over the limit of %zu", data.size,
                    CHUNK_BYTES_MAX);
    TRY_WRAP(ctx, group_health(ctx, &store->sync),
             "store '%s' takes no more writes until it is reopened", store->dir);
    Hash name = hash ? *hash : hash_of(data);
    bool known;
    TRY(store_has(ctx, store, &name, &known));
    if (!known)
        TRY(put_new(ctx, store, &name, data, &known));
    atomic_fetch_add(known ? &store->blobs_known : &store->blobs_put, 1);
    if (!known) {
        atomic_fetch_add(&store->plain_bytes_put, data.size);
        flush_when_due(store);
    }
    if (out_hash)
        *out_hash = name;
    return OK;
}

/* --- getting ---------------------------------------------------------------------------------- */

/* What is got and no larger stays at hand; few reads of larger ones, which are mostly pieces of
 * files, would drive all else out. */
#define KEPT_BYTES_MAX (64 * KiB)

static Status get(Ctx *ctx, Store *store, const Hash *hash, size_t kept_bytes_max, Buf *out)
{
    if (blob_cache_get(store->cache, hash, out))
        return OK;
    BlobPlace place;
    size_t before = out->size;
    TRY(find(ctx, store, hash, &place));
    TRY(pack_read(ctx, store, hash, &place, out));
    if (out->size - before <= kept_bytes_max)
        store_keep(store, hash, bytes(out->data + before, out->size - before));
    return OK;
}

Status store_get(Ctx *ctx, Store *store, const Hash *hash, Buf *out)
{
    return get(ctx, store, hash, KEPT_BYTES_MAX, out);
}

Status store_get_kept(Ctx *ctx, Store *store, const Hash *hash, Buf *out)
{
    return get(ctx, store, hash, CHUNK_BYTES_MAX, out);
}

void store_keep(Store *store, const Hash *hash, Bytes plain)
{
    blob_cache_put(store->cache, hash, plain);
}

Status store_forget(Ctx *ctx, Store *store, const Hash *hashes, size_t n)
{
    TRY(store_flush_index(ctx, store));
    TRY(store->index.remove(store->index.self, ctx, hashes, n));
    for (size_t i = 0; i < n; i++)
        blob_cache_drop(store->cache, &hashes[i]);
    return OK;
}

void store_stats(Store *store, StoreStats *out)
{
    *out = (StoreStats){
        .blobs_put = atomic_load(&store->blobs_put),
        .blobs_known = atomic_load(&store->blobs_known),
        .plain_bytes_put = atomic_load(&store->plain_bytes_put),
        .stored_bytes_put = atomic_load(&store->stored_bytes_put),
        .packs = atomic_load(&store->packs),
        .stored_bytes = atomic_load(&store->stored_bytes),
        .syncs = group_runs(&store->sync),
    };
}
