/* flush.c - handing over to the index what it does not have, and sealing full packs on the way.
 *
 * The order makes it safe: the rows are frozen, the packs are synced, full ones are sealed, and
 * only then the index learns of them. So the index never names a place that a power cut could take
 * back.
 */
#include <errno.h>
#include <unistd.h>

#include "base/log.h"
#include "store/store_priv.h"

/* --- sealing ---------------------------------------------------------------------------------- */

/* Rows of all records of a pack, from their headers alone: what we wrote ourselves is not checked
 * again. */
static Status collect_rows(Ctx *ctx, int fd, uint64_t number, uint64_t end, Buf *out)
{
    CLEANUP(pack_scan_done) PackScan scan;
    pack_scan_init(&scan, fd, number, PACK_HEADER_SIZE, end, false);
    for (;;) {
        bool more;
        TRY(pack_scan_next(ctx, &scan, &more));
        if (!more)
            return OK;
        buf_add(out, &scan.row, sizeof(scan.row));
    }
}

static Status write_index(Ctx *ctx, int fd, uint64_t number, uint64_t end)
{
    CLEANUP(buf_done) Buf rows = { 0 };
    CLEANUP(buf_done) Buf index = { 0 };
    TRY(collect_rows(ctx, fd, number, end, &rows));
    pack_index_encode(number, end, (BlobRow *)(void *)rows.data, rows.size / sizeof(BlobRow),
                      &index);
    TRY(file_pwrite_all(ctx, fd, index.data, index.size, end));
    if (ftruncate(fd, (off_t)(end + index.size)) <
        0) /* gives back what was reserved and not used */
        return status_errno(ctx, errno, "could not cut off the reserved space");
    return file_sync(ctx, fd);
}

Status pack_seal(Ctx *ctx, int fd, uint64_t number, uint64_t end)
{
    char name[PACK_NAME_SIZE];
    TRY_WRAP(ctx, write_index(ctx, fd, number, end), "could not seal pack '%s'",
             pack_name(number, name));
    return OK;
}

/* The oldest file while it is full, or NULL. Only a flush takes files away, so it stays. */
static PackFile *oldest_full(Store *store)
{
    LOCKED(&store->lock);
    return store->files != store->active ? store->files : NULL;
}

static void forget_oldest(Store *store)
{
    LOCKED(&store->lock);
    PackFile *file = store->files;
    store->files = file->newer;
    pack_file_unref(file);
}

static Status seal_until(Ctx *ctx, Store *store, uint64_t number)
{
    for (PackFile *file; (file = oldest_full(store)) && file->number <= number;) {
        TRY(pack_seal(ctx, file->fd, file->number, file->end));
        forget_oldest(store);
    }
    return OK;
}

/* --- flushing --------------------------------------------------------------------------------- */

/* Takes the pending rows, unless those of a flush that failed are still there. false: nothing to
 * do. */
static bool freeze(Store *store)
{
    LOCKED(&store->lock);
    if (store->flushing.n)
        return true;
    store->flush_position = store->position;
    store->flush_rows = FLUSH_ROWS;
    if (!store->pending.n)
        return false;
    store->flushing = store->pending;
    store->pending = (BlobMap){ 0 };
    store->flush_sealed = store->active->number - 1;
    store->flush_tail = store->active->end;
    return true;
}

static Status hand_over(Ctx *ctx, Store *store)
{
    TRY(store_sync(ctx, store));
    TRY(seal_until(ctx, store, store->flush_sealed));
    TRY_WRAP(ctx,
             store->index.put(store->index.self, ctx, store->flushing.rows, store->flushing.n,
                              store->flush_sealed, store->flush_tail),
             "could not add to the index of store '%s'", store->dir);
    LOCKED(&store->lock);
    blob_map_done(&store->flushing);
    return OK;
}

/* Twice when rows of a flush that failed come first. */
Status store_flush_index(Ctx *ctx, Store *store)
{
    LOCKED(&store->flush_lock);
    bool again = store->flushing.n > 0;
    if (freeze(store))
        TRY(hand_over(ctx, store));
    if (again && freeze(store))
        TRY(hand_over(ctx, store));
    return OK;
}

/* --- in the background ------------------------------------------------------------------------ */

static void flush_task(void *arg)
{
    Store *store = arg;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Status s = store_flush_index(&ctx, store);
    if (!status_ok(s))
        LOG_WARN(&ctx, "could not flush the store's index, will try again", "error=%s",
                 status_message(s));
    LOCKED(&store->lock);
    store->flush_scheduled = false;
    if (!status_ok(s)) { /* not at once */
        store->flush_rows = store->pending.n + FLUSH_ROWS;
        store->flush_position = store->position;
    }
}

/* With the lock held. */
static bool is_due(const Store *store)
{
    if (store->flush_scheduled)
        return false;
    return store->pending.n >= store->flush_rows ||
           store->position - store->flush_position >= FLUSH_BYTES;
}

void flush_when_due(Store *store)
{
    {
        LOCKED(&store->lock);
        if (!is_due(store))
            return;
        store->flush_scheduled = true;
    }
    if (status_ok(pool_run(store->pool, flush_task, store)))
        return;
    LOCKED(&store->lock); /* no thread to be had: the next put asks again */
    store->flush_scheduled = false;
}
