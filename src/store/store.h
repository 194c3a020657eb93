/* store.h - content-addressed blobs: put, get, has, sync.
 *
 * A blob is immutable, at most CHUNK_BYTES_MAX of plaintext, and named by its SHA-256. Blobs are
 * appended to packs (README.md has the format); a pack carries its own index at its end, and what
 * is not yet indexed is found again by scanning the newest packs, so that the index can always be
 * rebuilt from packs alone. The index itself is a table of functions (StoreIndex): SQL in the
 * server, memory in tests.
 *
 * put is not durable by itself: what was put before store_sync began is on stable storage when it
 * returns. Concurrent syncs share one fdatasync. A Store may be shared by threads.
 */
#pragma once

#include "chunk/chunk.h"

typedef struct Store Store;

/* Where a blob lies. */
typedef struct BlobPlace {
    uint64_t pack;   /* number of the pack, from 1 */
    uint64_t offset; /* of the record's header in it */
    uint32_t stored_size;
    uint32_t plain_size;
} BlobPlace;

typedef struct BlobRow {
    Hash hash;
    BlobPlace place;
} BlobRow;

/* The index: hash to place. put is called with batches, from one thread at a time; lookups come
 * from any. What put was given may be lost in a crash as long as indexed_pack says so honestly. */
typedef struct StoreIndex {
    Status (*lookup)(void *self, Ctx *ctx, const Hash *hash, BlobPlace *out); /* NOT_FOUND (bare) */
    /* Adds rows, and remembers that every record of packs <= sealed_pack, and of pack sealed_pack +
     * 1 below tail_offset, is in the index: one transaction. */
    Status (*put)(void *self, Ctx *ctx, const BlobRow *rows, size_t n, uint64_t sealed_pack,
                  uint64_t tail_offset);
    Status (*progress)(void *self, Ctx *ctx, uint64_t *out_sealed_pack, uint64_t *out_tail_offset);
    Status (*remove)(void *self, Ctx *ctx, const Hash *hashes, size_t n);
    void *self;
} StoreIndex;

typedef struct StoreConfig {
    const char *dir;         /* packs live in dir/packs */
    uint64_t pack_bytes_max; /* a pack is sealed when it reaches this; 0: STORE_PACK_BYTES */
    size_t cache_bytes_max;  /* plaintext of recently used blobs; 0: STORE_CACHE_BYTES */
} StoreConfig;

#define STORE_PACK_BYTES  (256 * MiB)
#define STORE_CACHE_BYTES (32 * MiB)

/* Opens or creates; re-indexes what a crash left out of the index and cuts off a torn end. Damage
 * in a pack costs the blobs it hits, not the opening. Errors: those of the disk and the index;
 * DATA_LOSS when a pack is missing or shorter than what was made durable; FAILED_PRECONDITION when
 * another process has it open or a newer version wrote it. */
Status store_open(Ctx *ctx, const StoreConfig *config, const StoreIndex *index,
                  Store **out) NODISCARD;
Store *store_close(Store *store); /* flushes; NULL is fine */
static inline void store_closep(Store **store)
{
    *store = store_close(*store);
}

/* Stores data unless it is known. hash may be NULL (computed) or the right one (trusted). It never
 * waits for the index to be written, so it may be called inside a write transaction of the database
 * that holds the index. Errors: INVALID_ARGUMENT over CHUNK_BYTES_MAX; RESOURCE_EXHAUSTED when the
 * disk is full. After a failed write or sync of a pack every put and sync fails until the store is
 * opened anew. */
Status store_put(Ctx *ctx, Store *store, Bytes data, const Hash *hash, Hash *out_hash);
/* Appends the blob's plaintext to out, verified. Errors: NOT_FOUND, DATA_LOSS (naming the blob and
 * pack). */
Status store_get(Ctx *ctx, Store *store, const Hash *hash, Buf *out);
/* As store_get, and the blob stays at hand also when it is large: for what is soon read again, as
 * nodes of trees are. store_keep does that to a blob that was put. */
Status store_get_kept(Ctx *ctx, Store *store, const Hash *hash, Buf *out);
void store_keep(Store *store, const Hash *hash, Bytes plain);
Status store_has(Ctx *ctx, Store *store, const Hash *hash, bool *out);
Status store_sync(Ctx *ctx, Store *store);

/* Hands over to the index what it does not have yet (also done by itself, on a thread of its own).
 * Not inside a write transaction of the database that holds the index. */
Status store_flush_index(Ctx *ctx, Store *store);

/* Makes blobs unknown, so that a put stores them anew: to heal what a scrub found. As
 * store_flush_index. */
Status store_forget(Ctx *ctx, Store *store, const Hash *hashes, size_t n);

typedef struct StoreStats {
    uint64_t blobs_put, blobs_known, plain_bytes_put, stored_bytes_put, packs, stored_bytes, syncs;
} StoreStats;
void store_stats(Store *store, StoreStats *out);

/* Reads every record of every pack and checks it; calls fn for each. Damage is reported through fn
 * with an error status and the scrub goes on; where nobody can tell what was lost the hash is zero,
 * and place covers the gap. An error from fn ends it. As store_flush_index. */
typedef Status (*StoreScrubFn)(void *arg, Ctx *ctx, const Hash *hash, const BlobPlace *place,
                               Status health);
Status store_scrub(Ctx *ctx, Store *store, StoreScrubFn fn, void *arg);

/* An index in memory, for tests and tools. */
StoreIndex store_index_mem_new(void);
void store_index_mem_free(StoreIndex *index);
