/* blob_map.c - see blob_map.h. Open addressing; a SHA-256 is its own hash. */
#include "store/blob_map.h"

#include <stdlib.h>

#define SLOTS_MIN 64

/* The slot that holds the hash, or the free one where it would go. */
static uint32_t *slot_of(const BlobMap *map, const Hash *hash)
{
    size_t mask = map->slot_count - 1;
    for (size_t i = load_le64(hash->bytes) & mask;; i = (i + 1) & mask) {
        uint32_t *slot = &map->slots[i];
        if (!*slot || hash_eq(&map->rows[*slot - 1].hash, hash))
            return slot;
    }
}

const BlobPlace *blob_map_find(const BlobMap *map, const Hash *hash)
{
    if (!map->n)
        return NULL;
    const uint32_t *slot = slot_of(map, hash);
    return *slot ? &map->rows[*slot - 1].place : NULL;
}

static void grow(BlobMap *map)
{
    map->slot_count = map->slot_count ? 2 * map->slot_count : SLOTS_MIN;
    free(map->slots);
    map->slots = calloc(map->slot_count, sizeof(*map->slots));
    BlobRow *rows = realloc(map->rows, map->slot_count / 2 * sizeof(*rows));
    if (!map->slots || !rows)
        abort();
    map->rows = rows;
    for (size_t i = 0; i < map->n; i++)
        *slot_of(map, &rows[i].hash) = (uint32_t)i + 1;
}

void blob_map_add(BlobMap *map, const BlobRow *row)
{
    if (2 * (map->n + 1) > map->slot_count)
        grow(map);
    uint32_t *slot = slot_of(map, &row->hash);
    assert(!*slot);
    map->rows[map->n++] = *row;
    *slot = (uint32_t)map->n;
}

void blob_map_done(BlobMap *map)
{
    free(map->rows);
    free(map->slots);
    *map = (BlobMap){ 0 };
}
