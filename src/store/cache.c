/* cache.c - see cache.h. A shard is a chained table and a ring in the order of use. */
#include "store/cache.h"

#include <stdlib.h>

#include "base/thread.h"

#define SHARDS  8
#define BUCKETS 1024 /* a shard's; a node has some KiB, so chains stay short at the usual size */

typedef struct Link {
    struct Link *newer, *older;
} Link;

typedef struct Entry {
    Link use;           /* in the shard's ring */
    struct Entry *next; /* in its bucket */
    Hash hash;
    size_t size;
    uint8_t data[];
} Entry;

typedef struct Shard {
    pthread_mutex_t lock;
    Link ring; /* its older is the newest, its newer the oldest */
    size_t bytes;
    Entry *buckets[BUCKETS];
} Shard;

struct BlobCache {
    size_t shard_bytes_max;
    Shard shards[SHARDS];
};

BlobCache *blob_cache_new(size_t bytes_max)
{
    BlobCache *cache = calloc(1, sizeof(*cache));
    if (!cache)
        abort();
    cache->shard_bytes_max = bytes_max / SHARDS;
    for (size_t i = 0; i < SHARDS; i++) {
        Shard *shard = &cache->shards[i];
        pthread_mutex_init(&shard->lock, NULL);
        shard->ring.newer = shard->ring.older = &shard->ring;
    }
    return cache;
}

static Shard *shard_of(BlobCache *cache, const Hash *hash)
{
    return &cache->shards[hash->bytes[HASH_SIZE - 1] % SHARDS];
}

/* The link that points to the entry, or to NULL at the chain's end. */
static Entry **find(Shard *shard, const Hash *hash)
{
    Entry **at = &shard->buckets[load_le32(hash->bytes) % BUCKETS];
    while (*at && !hash_eq(&(*at)->hash, hash))
        at = &(*at)->next;
    return at;
}

static void ring_take(Link *link)
{
    link->newer->older = link->older;
    link->older->newer = link->newer;
}

static void ring_put_newest(Shard *shard, Link *link)
{
    link->newer = &shard->ring;
    link->older = shard->ring.older;
    link->older->newer = link;
    shard->ring.older = link;
}

static void drop(Shard *shard, Entry **at)
{
    Entry *entry = *at;
    *at = entry->next;
    ring_take(&entry->use);
    shard->bytes -= sizeof(*entry) + entry->size;
    free(entry);
}

static void drop_oldest(Shard *shard)
{
    const Entry *oldest = CONTAINER_OF(shard->ring.newer, Entry, use);
    drop(shard, find(shard, &oldest->hash));
}

BlobCache *blob_cache_free(BlobCache *cache)
{
    if (!cache)
        return NULL;
    for (size_t i = 0; i < SHARDS; i++) {
        Shard *shard = &cache->shards[i];
        while (shard->bytes)
            drop_oldest(shard);
        pthread_mutex_destroy(&shard->lock);
    }
    free(cache);
    return NULL;
}

bool blob_cache_get(BlobCache *cache, const Hash *hash, Buf *out)
{
    Shard *shard = shard_of(cache, hash);
    LOCKED(&shard->lock);
    Entry *entry = *find(shard, hash);
    if (!entry)
        return false;
    ring_take(&entry->use);
    ring_put_newest(shard, &entry->use);
    buf_add(out, entry->data, entry->size);
    return true;
}

void blob_cache_put(BlobCache *cache, const Hash *hash, Bytes plain)
{
    size_t bytes = sizeof(Entry) + plain.size;
    if (bytes > cache->shard_bytes_max)
        return;
    Shard *shard = shard_of(cache, hash);
    LOCKED(&shard->lock);
    if (*find(shard, hash))
        return;
    while (shard->bytes + bytes > cache->shard_bytes_max)
        drop_oldest(shard);
    Entry *entry = malloc(bytes);
    if (!entry)
        return;
    Entry **bucket = &shard->buckets[load_le32(hash->bytes) % BUCKETS];
    *entry = (Entry){ .next = *bucket, .hash = *hash, .size = plain.size };
    if (plain.size)
        memcpy(entry->data, plain.data, plain.size);
    *bucket = entry;
    ring_put_newest(shard, &entry->use);
    shard->bytes += bytes;
}

void blob_cache_drop(BlobCache *cache, const Hash *hash)
{
    Shard *shard = shard_of(cache, hash);
    LOCKED(&shard->lock);
    Entry **at = find(shard, hash);
    if (*at)
        drop(shard, at);
}
