/* plan_results.c - laying what datums did over a plan; see plan.h. */
#include "pps/plan_priv.h"

#include <stdlib.h>

struct PlanResults {
    const TreeIo *io;
    char *spill_dir; /* may be NULL */
    Sorter *sorter;  /* NULL: it is empty */
};

PlanResults *plan_results_new(const TreeIo *io, const char *spill_dir)
{
    PlanResults *results = calloc(1, sizeof(*results));
    if (!results)
        abort();
    results->io = io;
    results->spill_dir = spill_dir ? strdup(spill_dir) : NULL;
    return results;
}

PlanResults *plan_results_free(PlanResults *results)
{
    if (!results)
        return NULL;
    sorter_free(results->sorter);
    free(results->spill_dir);
    free(results);
    return NULL;
}

Status plan_encode(Ctx *ctx, const TreeIo *io, const DatumRecord *record, PlanRecord *out)
{
    out->id = record->datum.id;
    return record_store(ctx, io, record, &out->stored);
}

Status plan_results_add(Ctx *ctx, PlanResults *results, const PlanRecord *record)
{
    char path[RECORD_PATH_SIZE];
    if (!results->sorter)
        results->sorter = sorter_new(results->spill_dir, PLAN_RESULTS_BYTES);
    return sorter_add(ctx, results->sorter, record_path(&record->id, path), &record->stored);
}

static Status put_sorted(Ctx *ctx, const TreeIo *io, const TreeEntry *entry, PlanLayer *layer)
{
    PlanRecord record = { .stored = entry->record };
    RecordHead head;
    if (!record_path_id(entry->path, &record.id))
        return FAIL(ctx, INTERNAL, "result of a datum named '" STR_FMT "'", STR_ARG(entry->path));
    TRY(record_load_head(ctx, io, &record.stored, &head));
    return plan_layer_put_stored(ctx, layer, &record, head.state);
}

static Status build_layer(Ctx *ctx, const TreeIo *io, Sorter *sorter, PlanLayer *layer)
{
    CLEANUP(scratch_done) Scratch scratch;
    scratch_open(&scratch, ctx);
    TRY(sorter_start(ctx, sorter));
    for (const TreeEntry *entry; (entry = sorter_entry(sorter));) {
        TRY(ctx_check(ctx));
        TRY(status_copy(ctx, put_sorted(scratch_turn(&scratch), io, entry, layer)));
        TRY(sorter_next(ctx, sorter));
    }
    return OK;
}

Status plan_results_lay(Ctx *ctx, PlanResults *results, const Hash *done, Hash *out_done)
{
    CLEANUP(sorter_freep) Sorter *sorter = STEAL(results->sorter);
    CLEANUP(plan_layer_done) PlanLayer layer;
    plan_layer_open(&layer, results->io);
    if (sorter)
        TRY(build_layer(ctx, results->io, sorter, &layer));
    return plan_layer_apply(ctx, &layer, done, out_done);
}
