/* ids.c - see ids.h. Short lists are searched one by one; longer ones get a hash table. */
#include "pfs/ids.h"

#include <stdlib.h>
#include <string.h>

#define IDS_LINEAR_MAX 8

static size_t slot_of(const Ids *ids, int64_t id)
{
    /* Fibonacci hashing: rows are numbered one after another, which this spreads evenly. */
    return (size_t)(((uint64_t)id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (ids->slot_count - 1);
}

/* The slot that holds id, or the empty one where it belongs. */
static uint32_t *slot_find(const Ids *ids, int64_t id)
{
    for (size_t at = slot_of(ids, id);; at = (at + 1) & (ids->slot_count - 1)) {
        uint32_t index = ids->slots[at];
        if (!index || ids->items[index - 1] == id)
            return &ids->slots[at];
    }
}

static void slots_rebuild(Ids *ids)
{
    free(ids->slots);
    ids->slot_count = ids->capacity * 2;
    ids->slots = calloc(ids->slot_count, sizeof(*ids->slots));
    if (!ids->slots)
        abort();
    for (size_t i = 0; i < ids->n; i++)
        *slot_find(ids, ids->items[i]) = (uint32_t)(i + 1);
}

static void grow(Ids *ids)
{
    ids->capacity = ids->capacity ? ids->capacity * 2 : IDS_LINEAR_MAX;
    ids->items = realloc(ids->items, ids->capacity * sizeof(*ids->items));
    if (!ids->items)
        abort();
    if (ids->capacity > IDS_LINEAR_MAX)
        slots_rebuild(ids);
}

size_t ids_find(const Ids *ids, int64_t id)
{
    if (ids->slots) {
        uint32_t index = *slot_find(ids, id);
        return index ? index - 1 : IDS_NONE;
    }
    for (size_t i = 0; i < ids->n; i++)
        if (ids->items[i] == id)
            return i;
    return IDS_NONE;
}

bool ids_has(const Ids *ids, int64_t id)
{
    return ids_find(ids, id) != IDS_NONE;
}

bool ids_add(Ids *ids, int64_t id)
{
    if (ids_has(ids, id))
        return false;
    if (ids->n == ids->capacity)
        grow(ids);
    ids->items[ids->n++] = id;
    if (ids->slots)
        *slot_find(ids, id) = (uint32_t)ids->n;
    return true;
}

void ids_clear(Ids *ids)
{
    ids->n = 0;
    if (ids->slots)
        memset(ids->slots, 0, ids->slot_count * sizeof(*ids->slots));
}

void ids_done(Ids *ids)
{
    free(ids->items);
    free(ids->slots);
    *ids = (Ids){ 0 };
}
