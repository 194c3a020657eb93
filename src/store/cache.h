/* cache.h - plaintext of small blobs read before, verified: tree nodes above all. The least
 * recently used go first. Any thread; the lock is in shards. */
#pragma once

#include "store/store.h"

typedef struct BlobCache BlobCache;

BlobCache *blob_cache_new(size_t bytes_max);
BlobCache *blob_cache_free(BlobCache *cache);
bool blob_cache_get(BlobCache *cache, const Hash *hash, Buf *out); /* appends; false: not there */
void blob_cache_put(BlobCache *cache, const Hash *hash, Bytes plain);
void blob_cache_drop(BlobCache *cache, const Hash *hash);
