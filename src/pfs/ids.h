/* ids.h - row numbers in the order they came, each once: the list and the visited set of every
 * walk. */
#pragma once

#include "base/base.h"

/* Zero-initialised is empty. On the heap; aborts when memory is out. Row numbers are above 0. */
typedef struct Ids {
    int64_t *items;
    size_t n;
    size_t capacity;
    uint32_t
        *slots; /* open addressing: index into items plus 1; a power of two, 0: not yet needed */
    size_t slot_count;
} Ids;

bool ids_add(Ids *ids, int64_t id); /* false: it was there */
bool ids_has(const Ids *ids, int64_t id);
#define IDS_NONE SIZE_MAX
size_t ids_find(const Ids *ids, int64_t id); /* where in items; IDS_NONE: nowhere */
void ids_clear(Ids *ids);
void ids_done(Ids *ids); /* frees; leaves it empty */

/* Takes the list, which is left empty. */
static inline Ids ids_steal(Ids *ids)
{
    Ids taken = *ids;
    *ids = (Ids){ 0 };
    return taken;
}
