/* plan_priv.h - private to pps: what the files of planning share. */
#pragma once

#include "pps/plan.h"

/* --- sorting more than memory holds (plan_sort.c, plan_spill.c) ------------------------------- */

/* Takes tree entries (PUT, no tag) in any order and gives them back in order of path; of one path
 * the first counts. What memory does not hold goes as sorted runs to a file without a name in
 * spill_dir (NULL: TMPDIR, else /var/tmp), and is merged when read: O(n log n) in all. */
typedef struct Sorter Sorter;

Sorter *sorter_new(const char *spill_dir, size_t memory_bytes);
Sorter *sorter_free(Sorter *sorter);
static inline void sorter_freep(Sorter **sorter)
{
    *sorter = sorter_free(*sorter);
}
Status sorter_add(Ctx *ctx, Sorter *sorter, Str path, const TreeRecord *record);

/* Ends adding and goes to the first entry. */
Status sorter_start(Ctx *ctx, Sorter *sorter);
/* The current entry, valid until the next move; NULL at the end. */
const TreeEntry *sorter_entry(const Sorter *sorter);
Status sorter_next(Ctx *ctx, Sorter *sorter);

/* An entry as the sorter encodes it, in memory and in the file. What it points to stays there. */
TreeEntry sorter_decode(Bytes encoded);

/* The file of runs. A run is added to in order, without repeats; then all are merged. */
typedef struct Spill Spill;
Spill *spill_new(const char *dir);
Spill *spill_free(Spill *spill);
bool spill_is_empty(const Spill *spill);
void spill_begin_run(Spill *spill);
Status spill_add(Ctx *ctx, Spill *spill, Bytes encoded);
Status spill_end_run(Ctx *ctx, Spill *spill);
Status spill_merge(Ctx *ctx, Spill *spill);       /* once: goes to the first entry */
const TreeEntry *spill_entry(const Spill *spill); /* NULL at the end */
Status spill_next(Ctx *ctx, Spill *spill);

/* --- changes of plans (plan_layer.c) ---------------------------------------------------------- */

/* Builds a layer over a plan: records first, in ascending order of id, then their marks. */
typedef struct PlanLayer {
    const TreeIo *io;
    TreeBuilder *builder;
    Buf marks; /* LayerMark, in order of id */
    uint64_t entries;
} PlanLayer;

void plan_layer_open(PlanLayer *layer, const TreeIo *io);
void plan_layer_done(PlanLayer *layer);
Status plan_layer_put(Ctx *ctx, PlanLayer *layer, const DatumRecord *record);
Status plan_layer_put_stored(Ctx *ctx, PlanLayer *layer, const PlanRecord *record,
                             RecordState state);
Status plan_layer_delete(Ctx *ctx, PlanLayer *layer, const Hash *id);
/* The layer laid over plan. */
Status plan_layer_apply(Ctx *ctx, PlanLayer *layer, const Hash *plan, Hash *out);

/* Paths of a todo tree. */
#define PLAN_TODO_PATH_SIZE (1 + 16 + 1)
Str plan_todo_path(uint64_t position, char out[PLAN_TODO_PATH_SIZE]);

/* A ctx with an arena of its own, for what lives through one turn of a loop while the caller's
 * arena must keep what others put there. A status that was made with it must be copied
 * (status_copy) before it goes on. */
typedef struct Scratch {
    Ctx ctx;
    ArenaMark start;
} Scratch;
void scratch_open(Scratch *scratch, const Ctx *ctx);
void scratch_done(Scratch *scratch); /* a zeroed one is fine */
Ctx *scratch_turn(Scratch *scratch); /* forgets the last turn */
