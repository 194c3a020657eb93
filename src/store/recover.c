/* recover.c - opening the packs: finding what the index does not have, cutting off what a crash
 * tore. */
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/store_priv.h"

/* One pack being looked at. */
typedef struct Found {
    int fd;
    uint64_t number, size;
    uint64_t from; /* the index has all records below */
    uint64_t end;  /* of the records */
    bool is_sealed, is_newest;
} Found;

/* --- rows into the index ---------------------------------------------------------------------- */

typedef struct Batch {
    Store *store;
    Buf rows;              /* BlobRow each */
    uint64_t sealed, tail; /* what the index has */
} Batch;

static void batch_done(Batch *batch)
{
    buf_done(&batch->rows);
}

/* Says to the index that it has all below `tail` of the pack after `sealed`. */
static Status batch_put(Ctx *ctx, Batch *batch, uint64_t sealed, uint64_t tail)
{
    if (!batch->rows.size && batch->sealed == sealed && batch->tail == tail)
        return OK;
    const StoreIndex *index = &batch->store->index;
    const BlobRow *rows = (const BlobRow *)(const void *)batch->rows.data;
    TRY_WRAP(ctx,
             index->put(index->self, ctx, rows, batch->rows.size / sizeof(*rows), sealed, tail),
             "could not add to the index of store '%s'", batch->store->dir);
    buf_clear(&batch->rows);
    batch->sealed = sealed;
    batch->tail = tail;
    return OK;
}

/* --- reading a pack --------------------------------------------------------------------------- */

/* What is only in the page cache may be lost yet, and after a failed sync the cache may even lie:
 * the file is synced, dropped from the cache and read from the disk. */
static Status open_found(Ctx *ctx, Store *store, Found *found)
{
    char name[PACK_NAME_SIZE];
    struct stat st;
    found->fd =
        openat(store->dir_fd, pack_name(found->number, name), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (found->fd < 0 || fstat(found->fd, &st) < 0)
        return status_errno(ctx, errno, "could not open it");
    found->size = (uint64_t)st.st_size;
    if (found->size <= found->from)
        return OK;
    TRY(file_sync(ctx, found->fd));
    posix_fadvise(found->fd, 0, 0, POSIX_FADV_DONTNEED);
    return OK;
}

static Status check_header(Ctx *ctx, const Found *found)
{
    uint8_t header[PACK_HEADER_SIZE] = { 0 };
    if (found->size < found->from && found->from > PACK_HEADER_SIZE)
        return FAIL(ctx, DATA_LOSS, "it has %" PRIu64 " bytes, where %" PRIu64 " were made durable",
                    found->size, found->from);
    if (found->size >= PACK_HEADER_SIZE)
        TRY(file_pread_all(ctx, found->fd, header, sizeof(header), 0));
    switch (pack_header_check(header, found->number)) {
    case PACK_HEADER_GOOD:
        return OK;
    case PACK_HEADER_NEWER:
        return FAIL(ctx, FAILED_PRECONDITION, "a newer version wrote it");
    case PACK_HEADER_BAD:
    default:
        break;
    }
    /* Torn, or rotten. It says nothing that its name does not. */
    pack_header_encode(found->number, header);
    return file_pwrite_all(ctx, found->fd, header, sizeof(header), 0);
}

static Status add_sealed(Ctx *ctx, const Found *found, Batch *batch)
{
    BlobRow *rows;
    size_t n;
    TRY(pack_index_read(ctx, found->fd, found->number, &rows, &n));
    for (size_t i = 0; i < n; i++) {
        if (rows[i].place.offset >= found->from)
            buf_add(&batch->rows, &rows[i], sizeof(rows[i]));
    }
    return OK;
}

static void warn_of_gap(Ctx *ctx, const Found *found, uint64_t at, uint64_t size)
{
    char name[PACK_NAME_SIZE];
    LOG_WARN(ctx, "passed over bytes that are no blob", "pack=%s offset=%" PRIu64 " size=%" PRIu64,
             pack_name(found->number, name), at, size);
}

static Status add_scanned(Ctx *ctx, Found *found, Batch *batch)
{
    CLEANUP(pack_scan_done) PackScan scan;
    pack_scan_init(&scan, found->fd, found->number, found->from, MAX(found->size, found->from),
                   true);
    for (;;) {
        bool more;
        TRY(pack_scan_next(ctx, &scan, &more));
        if (scan.lost)
            warn_of_gap(ctx, found, (more ? scan.row.place.offset : scan.end) - scan.lost,
                        scan.lost);
        if (!more)
            break;
        buf_add(&batch->rows, &scan.row, sizeof(scan.row));
        if (batch->rows.size / sizeof(scan.row) >= FLUSH_ROWS)
            TRY(batch_put(ctx, batch, found->number - 1, scan.good_end));
    }
    found->end = scan.good_end;
    if (found->end < found->size && ftruncate(found->fd, (off_t)found->end) < 0)
        return status_errno(ctx, errno, "could not cut off its torn end");
    return OK;
}

/* A pack with a good index is believed; one without is scanned, and sealed unless more will
 * come. */
static Status recover_pack(Ctx *ctx, Found *found, Batch *batch)
{
    TRY(check_header(ctx, found));
    Status s = add_sealed(ctx, found, batch);
    found->is_sealed = status_ok(s);
    if (found->is_sealed)
        return batch_put(ctx, batch, found->number, 0);
    if (s.code != STATUS_NOT_FOUND && s.code != STATUS_DATA_LOSS)
        return s;
    TRY(add_scanned(ctx, found, batch));
    if (found->is_newest)
        return batch_put(ctx, batch, found->number - 1, found->end);
    TRY(pack_seal(ctx, found->fd, found->number, found->end));
    return batch_put(ctx, batch, found->number, 0);
}

static Status recover_one(Ctx *ctx, Store *store, Found *found, Batch *batch)
{
    char name[PACK_NAME_SIZE];
    Status s = open_found(ctx, store, found);
    if (status_ok(s))
        s = recover_pack(ctx, found, batch);
    if (status_ok(s) && found->is_newest && !found->is_sealed)
        pack_file_new(store, fd_steal(&found->fd), found->number, found->end);
    fd_closep(&found->fd);
    TRY_WRAP(ctx, s, "pack '%s/%s'", store->dir, pack_name(found->number, name));
    return OK;
}

/* The clean way of closing left nothing to do: its newest pack ends where the index says. */
static Status check_all_there(Ctx *ctx, const Store *store, const uint64_t *numbers, size_t n,
                              uint64_t sealed, uint64_t tail)
{
    uint64_t newest = n ? numbers[n - 1] : 0,
             needed = tail > PACK_HEADER_SIZE ? sealed + 1 : sealed;
    if (newest >= needed)
        return OK;
    char name[PACK_NAME_SIZE];
    return FAIL(ctx, DATA_LOSS, "pack '%s/%s' is missing", store->dir, pack_name(needed, name));
}

Status store_recover(Ctx *ctx, Store *store)
{
    CLEANUP(batch_done) Batch batch = { .store = store };
    uint64_t *numbers, bytes, sealed, tail;
    size_t n;
    TRY(file_sync(ctx, store->dir_fd)); /* the packs' names */
    TRY(packs_list(ctx, store, &numbers, &n, &bytes));
    TRY_WRAP(ctx, store->index.progress(store->index.self, ctx, &sealed, &tail),
             "could not read the index");
    batch.sealed = sealed;
    batch.tail = tail;
    TRY(check_all_there(ctx, store, numbers, n, sealed, tail));
    for (size_t i = 0; i < n; i++) {
        if (numbers[i] <= sealed)
            continue;
        Found found = {
            .number = numbers[i], .from = PACK_HEADER_SIZE, .is_newest = i == n - 1, .fd = -1
        };
        if (numbers[i] == sealed + 1)
            found.from = MAX(tail, PACK_HEADER_SIZE);
        ArenaMark mark = arena_mark(ctx->arena);
        TRY(recover_one(ctx, store, &found, &batch));
        arena_rewind(ctx->arena, mark);
    }
    store->next_number = n ? numbers[n - 1] + 1 : 1;
    atomic_store(&store->packs, n);
    atomic_store(&store->stored_bytes, bytes);
    return OK;
}
