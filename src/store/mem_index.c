/* mem_index.c - an index in memory, for tests and tools. */
#include <stdlib.h>

#include "base/thread.h"
#include "store/blob_map.h"

typedef struct MemIndex {
    pthread_mutex_t lock;
    BlobMap map;
    uint64_t sealed_pack, tail_offset;
} MemIndex;

static Status mem_lookup(void *self, Ctx *ctx, const Hash *hash, BlobPlace *out)
{
    (void)ctx;
    MemIndex *index = self;
    LOCKED(&index->lock);
    const BlobPlace *place = blob_map_find(&index->map, hash);
    if (!place)
        return STATUS(NOT_FOUND);
    *out = *place;
    return OK;
}

static bool is_in(const Hash *hash, const Hash *hashes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (hash_eq(hash, &hashes[i]))
            return true;
    }
    return false;
}

/* Makes the table anew without them: O(all), which is fine for what this index is for. */
static void drop(MemIndex *index, const Hash *hashes, size_t n)
{
    BlobMap kept = { 0 };
    for (size_t i = 0; i < index->map.n; i++) {
        if (!is_in(&index->map.rows[i].hash, hashes, n))
            blob_map_add(&kept, &index->map.rows[i]);
    }
    blob_map_done(&index->map);
    index->map = kept;
}

static Status mem_put(void *self, Ctx *ctx, const BlobRow *rows, size_t n, uint64_t sealed_pack,
                      uint64_t tail_offset)
{
    (void)ctx;
    MemIndex *index = self;
    LOCKED(&index->lock);
    for (size_t i = 0; i < n; i++) {
        if (blob_map_find(&index->map, &rows[i].hash))
            drop(index, &rows[i].hash, 1);
        blob_map_add(&index->map, &rows[i]);
    }
    index->sealed_pack = sealed_pack;
    index->tail_offset = tail_offset;
    return OK;
}

static Status mem_progress(void *self, Ctx *ctx, uint64_t *out_sealed_pack,
                           uint64_t *out_tail_offset)
{
    (void)ctx;
    MemIndex *index = self;
    LOCKED(&index->lock);
    *out_sealed_pack = index->sealed_pack;
    *out_tail_offset = index->tail_offset;
    return OK;
}

static Status mem_remove(void *self, Ctx *ctx, const Hash *hashes, size_t n)
{
    (void)ctx;
    MemIndex *index = self;
    LOCKED(&index->lock);
    drop(index, hashes, n);
    return OK;
}

StoreIndex store_index_mem_new(void)
{
    MemIndex *index = calloc(1, sizeof(*index));
    if (!index)
        abort();
    pthread_mutex_init(&index->lock, NULL);
    return (StoreIndex){ mem_lookup, mem_put, mem_progress, mem_remove, index };
}

void store_index_mem_free(StoreIndex *index)
{
    MemIndex *self = index->self;
    if (self) {
        blob_map_done(&self->map);
        pthread_mutex_destroy(&self->lock);
        free(self);
    }
    *index = (StoreIndex){ 0 };
}
