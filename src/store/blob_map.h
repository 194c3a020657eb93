/* blob_map.h - a small hash table of blobs and their places: what the index does not have yet.
 *
 * The rows stand together in the order they came, ready to be handed to the index as they are. Not
 * locked. Zero-initialised is empty. Aborts when memory is out.
 */
#pragma once

#include "store/store.h"

typedef struct BlobMap {
    BlobRow *rows;
    size_t n;
    uint32_t *slots;   /* 1 + position in rows; 0 is free */
    size_t slot_count; /* a power of two, at least twice the rows there is room for */
} BlobMap;

const BlobPlace *blob_map_find(const BlobMap *map, const Hash *hash); /* NULL: not there */
void blob_map_add(BlobMap *map, const BlobRow *row);                  /* must not be there */
void blob_map_done(BlobMap *map);                                     /* frees; leaves it empty */
