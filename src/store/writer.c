/* writer.c - appending records, and making them durable for everyone who waits.
 *
 * Under the lock a record only gets its place, and a small one is copied into the buffer. Whoever
 * fills the buffer, or brings a large blob, writes that region to the file himself, with the lock
 * released; until it is there it can be read from memory. A sync takes over the buffer, waits for
 * the regions before it, and syncs the files.
 *
 * A write that fails leaves a hole, and a sync that fails leaves nobody knows what: both poison the
 * store for writing. Reopening finds out what is there. Running out of space is neither, as space
 * is reserved first.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fault.h"
#include "store/store_priv.h"

/* --- files ------------------------------------------------------------------------------------ */

PackFile *pack_file_new(Store *store, int fd, uint64_t number, uint64_t end)
{
    PackFile *file = calloc(1, sizeof(*file));
    if (!file)
        abort();
    *file = (PackFile){ .number = number, .fd = fd, .refs = 1, .end = end, .reserved = end };
    file->end_position = file->synced = store->position;
    if (store->active)
        store->active->newer = file;
    else
        store->files = file;
    store->active = file;
    store->next_number = number + 1;
    return file;
}

void pack_file_unref(PackFile *file)
{
    if (--file->refs)
        return;
    close(file->fd);
    free(file);
}

/* --- regions ---------------------------------------------------------------------------------- */

/* With the lock held: sends off the buffer, and `body` after it. The region is the caller's, to be
 * written. */
static void region_begin(Store *store, Bytes body, Region *region)
{
    size_t size = store->buffer.size + body.size;
    *region = (Region){
        .file = store->active,
        .offset = store->active->end - size,
        .position = store->position - size,
        .head = store->buffer,
        .body = body,
    };
    store->buffer = store->spare;
    store->spare = (Buf){ 0 };
    region->file->refs++;
    Region **at = &store->regions;
    while (*at)
        at = &(*at)->next;
    *at = region;
}

/* With the lock held: the region is in its file, or lost. */
static void region_end(Store *store, Region *region)
{
    Region **at = &store->regions;
    while (*at != region)
        at = &(*at)->next;
    *at = region->next;
    pack_file_unref(region->file);
    buf_clear(&region->head);
    if (store->spare.data)
        buf_done(&region->head);
    else
        store->spare = region->head;
    pthread_cond_broadcast(&store->written);
}

/* Without waiting for it. A hint: errors do not matter, the sync will tell. */
static void start_writeback(const Region *region)
{
    uint64_t end = region->offset + region->head.size + region->body.size;
    uint64_t from = region->offset / WRITEBACK_BYTES * WRITEBACK_BYTES;
    if (end - from >= WRITEBACK_BYTES)
        sync_file_range(region->file->fd, (off_t)from, (off_t)WRITEBACK_BYTES,
                        SYNC_FILE_RANGE_WRITE);
}

static Status write_bytes(Ctx *ctx, Store *store, const Region *region)
{
    char name[PACK_NAME_SIZE];
    const PackFile *file = region->file;
    Status s = OK;
    if (region->head.size)
        s = file_pwrite_all(ctx, file->fd, region->head.data, region->head.size, region->offset);
    if (status_ok(s) && region->body.size)
        s = file_pwrite_all(ctx, file->fd, region->body.data, region->body.size,
                            region->offset + region->head.size);
    if (status_ok(s))
        return OK;
    s = status_wrap(ctx, s, "pack '%s/%s'", store->dir, pack_name(file->number, name));
    group_poison(&store->sync, s);
    return s;
}

/* With the lock not held. */
static Status region_write(Ctx *ctx, Store *store, Region *region)
{
    Status s = write_bytes(ctx, store, region);
    start_writeback(region);
    LOCKED(&store->lock);
    region_end(store, region);
    return s;
}

/* With the lock held: `body` is buffered when it is small, else its place is left for the caller to
 * fill. */
static void add_bytes(Store *store, PackFile *file, const uint8_t *head, size_t head_size,
                      Bytes body)
{
    uint64_t size = head_size + body.size;
    buf_reserve(&store->buffer, WRITE_BUFFER_BYTES - store->buffer.size);
    buf_add(&store->buffer, head, head_size);
    if (body.size < DIRECT_BYTES_MIN)
        buf_add_bytes(&store->buffer, body);
    file->end += size;
    store->position += size;
    file->end_position = store->position;
    atomic_fetch_add(&store->stored_bytes, size);
}

/* --- room in the active pack ------------------------------------------------------------------ */

/* Reserves space to `end` and some more, without changing the file's size. File systems that cannot
 * do it are not asked twice. */
static Status reserve(Ctx *ctx, PackFile *file, uint64_t end)
{
    if (end <= file->reserved)
        return OK;
    uint64_t wish = end + RESERVE_BYTES;
    int failed = fault_fires(FAULT_WRITE) ? ENOSPC : 0;
    while (!failed && fallocate(file->fd, FALLOC_FL_KEEP_SIZE, (off_t)file->end,
                                (off_t)(wish - file->end)) < 0) {
        if (errno == ENOSPC && wish > end)
            wish = end;
        else if (errno != EINTR)
            failed = errno;
    }
    if (failed == ENOSPC || failed == EDQUOT)
        return status_errno(ctx, failed, "could not make room for a blob");
    file->reserved = failed ? UINT64_MAX : wish;
    return OK;
}

/* With the lock held, which is short enough once a pack. */
static Status write_buffer_now(Ctx *ctx, Store *store)
{
    if (!store->buffer.size)
        return OK;
    Region region;
    region_begin(store, (Bytes){ 0 }, &region);
    Status s = write_bytes(ctx, store, &region);
    region_end(store, &region);
    return s;
}

/* With the lock held: makes the next pack's file, which begins with its header. */
static Status begin_pack(Ctx *ctx, Store *store)
{
    char name[PACK_NAME_SIZE];
    uint64_t number = store->next_number;
    const int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
    if (fault_fires(FAULT_WRITE))
        return FAIL(ctx, INTERNAL, "could not create pack: injected fault");
    int fd = openat(store->dir_fd, pack_name(number, name), flags, 0600);
    if (fd < 0)
        return status_errno(ctx, errno, "could not create pack '%s/%s'", store->dir, name);
    PackFile *file = pack_file_new(store, fd, number, 0);
    uint8_t header[PACK_HEADER_SIZE];
    pack_header_encode(number, header);
    add_bytes(store, file, header, sizeof(header), (Bytes){ 0 });
    store->dir_changed = true;
    atomic_fetch_add(&store->packs, 1);
    return OK;
}

static bool is_full(const Store *store, const PackFile *file, uint64_t more)
{
    bool too_long = file->end > PACK_HEADER_SIZE && file->end + more > store->pack_bytes_max;
    return too_long || file->records >= PACK_RECORDS_MAX;
}

static Status make_room(Ctx *ctx, Store *store, uint64_t size)
{
    if (!store->active || is_full(store, store->active, size)) {
        TRY(write_buffer_now(ctx, store));
        TRY(begin_pack(ctx, store));
    }
    return reserve(ctx, store->active, store->active->end + size);
}

/* --- appending -------------------------------------------------------------------------------- */

static const BlobPlace *find_pending(const Store *store, const Hash *hash)
{
    const BlobPlace *place = blob_map_find(&store->pending, hash);
    return place ? place : blob_map_find(&store->flushing, hash);
}

bool writer_is_pending(Store *store, const Hash *hash, BlobPlace *out)
{
    LOCKED(&store->lock);
    const BlobPlace *place = find_pending(store, hash);
    if (place)
        *out = *place;
    return place;
}

/* With the lock held and room made. */
static void append(Store *store, const PackRecord *record, Bytes stored)
{
    PackFile *file = store->active;
    BlobPlace place = { file->number, file->end, record->stored_size, record->plain_size };
    uint8_t header[PACK_RECORD_SIZE];
    pack_record_encode(record, header);
    add_bytes(store, file, header, sizeof(header), stored);
    blob_map_add(&store->pending, &(BlobRow){ record->hash, place });
    file->records++;
}

Status writer_append(Ctx *ctx, Store *store, const PackRecord *record, Bytes stored,
                     bool *out_known)
{
    Region region;
    {
        LOCKED(&store->lock);
        *out_known = find_pending(store, &record->hash);
        if (*out_known)
            return OK;
        TRY(make_room(ctx, store, PACK_RECORD_SIZE + stored.size));
        append(store, record, stored);
        bool direct = stored.size >= DIRECT_BYTES_MIN;
        if (!direct && store->buffer.size < WRITE_BYTES)
            return OK;
        region_begin(store, direct ? stored : (Bytes){ 0 }, &region);
    }
    return region_write(ctx, store, &region);
}

/* --- reading what is on its way --------------------------------------------------------------- */

/* Copies the record at `offset` out of bytes that begin at `begin` of the file; a body follows its
 * header at the very end of head. */
static bool copy_record(Bytes head, Bytes body, uint64_t begin, const BlobPlace *place, Buf *out)
{
    if (place->offset < begin || place->offset >= begin + head.size)
        return false;
    size_t at = (size_t)(place->offset - begin);
    size_t size = PACK_RECORD_SIZE + (size_t)place->stored_size;
    size_t in_head = MIN(size, head.size - at);
    if (size - in_head > body.size)
        return false;
    buf_add(out, head.data + at, in_head);
    buf_add(out, body.data, size - in_head);
    return true;
}

bool writer_read(Store *store, const BlobPlace *place, Buf *out)
{
    LOCKED(&store->lock);
    const PackFile *active = store->active;
    if (active && active->number == place->pack &&
        copy_record(buf_bytes(&store->buffer), (Bytes){ 0 }, active->end - store->buffer.size,
                    place, out))
        return true;
    for (const Region *region = store->regions; region; region = region->next) {
        if (region->file->number == place->pack &&
            copy_record(buf_bytes(&region->head), region->body, region->offset, place, out))
            return true;
    }
    return false;
}

/* --- durability ------------------------------------------------------------------------------- */

/* Sends off the buffer and waits until all before `target` is in its file. */
static Status write_out(Ctx *ctx, Store *store, uint64_t *out_target)
{
    Region region;
    bool some;
    {
        LOCKED(&store->lock);
        *out_target = store->position;
        some = store->buffer.size > 0;
        if (some)
            region_begin(store, (Bytes){ 0 }, &region);
    }
    if (some)
        TRY(region_write(ctx, store, &region));
    LOCKED(&store->lock);
    while (store->regions && store->regions->position < *out_target)
        pthread_cond_wait(&store->written, &store->lock);
    return group_health(ctx, &store->sync);
}

/* A file with something below target that is not durable, or NULL; referenced. */
static PackFile *next_unsynced(Store *store, uint64_t target)
{
    LOCKED(&store->lock);
    for (PackFile *file = store->files; file; file = file->newer) {
        if (file->synced < target && file->synced < file->end_position) {
            file->refs++;
            return file;
        }
    }
    return NULL;
}

static Status sync_file(Ctx *ctx, Store *store, PackFile *file, uint64_t target)
{
    char name[PACK_NAME_SIZE];
    Status s = file_sync(ctx, file->fd);
    if (!status_ok(s))
        s = status_wrap(ctx, s, "pack '%s/%s'", store->dir, pack_name(file->number, name));
    LOCKED(&store->lock);
    file->synced = target;
    pack_file_unref(file);
    return s;
}

static Status sync_names(Ctx *ctx, Store *store)
{
    {
        LOCKED(&store->lock);
        if (!store->dir_changed)
            return OK;
        store->dir_changed = false;
    }
    TRY_WRAP(ctx, file_sync(ctx, store->dir_fd), "folder '%s'", store->dir);
    return OK;
}

/* The leader's work (base/group.h). */
static Status sync_all(void *self, Ctx *ctx, uint64_t *out_covered)
{
    Store *store = self;
    TRY(write_out(ctx, store, out_covered));
    fault_crash_point("store-before-sync");
    for (PackFile *file; (file = next_unsynced(store, *out_covered));)
        TRY(sync_file(ctx, store, file, *out_covered));
    TRY(sync_names(ctx, store));
    fault_crash_point("store-after-sync");
    return OK;
}

Status store_sync(Ctx *ctx, Store *store)
{
    uint64_t target;
    {
        LOCKED(&store->lock);
        target = store->position;
    }
    TRY_WRAP(ctx, group_reach(ctx, &store->sync, target, sync_all, store),
             "store '%s' takes no more writes until it is reopened", store->dir);
    return OK;
}
