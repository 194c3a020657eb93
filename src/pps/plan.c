/* plan.c - deciding which datums run; see plan.h. */
#include "pps/plan_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "codec/pb.h"

PlanRule plan_rule(const char *reprocess_spec, bool s3_out)
{
    if (s3_out || !strcmp(reprocess_spec, "every_job"))
        return PLAN_EVERY_JOB;
    return !strcmp(reprocess_spec, "exact") ? PLAN_EXACT : PLAN_UNTIL_SUCCESS;
}

Hash plan_basis(Ctx *ctx, const PlanParams *params, const PpsV2__Input *input)
{
    Buf all = { 0 };
    buf_printf(&all, "procavia plan 1 %d %zu %s ", (int)params->rule, strlen(params->salt),
               params->salt);
    buf_add(&all, params->step->digest.bytes, HASH_SIZE);
    const PpsV2__Input *timeless = input_with_commit(ctx, input, "");
    if (timeless)
        pb_pack(&timeless->base, &all);
    Hash basis = hash_of(buf_bytes(&all));
    buf_done(&all);
    return basis;
}

/* --- taking datums ---------------------------------------------------------------------------- */

struct Planner {
    const PlanParams *params;
    Hasher *hasher;
    Sorter *now;  /* "/<id>": datums to decide about */
    Buf gone;     /* Hash: ids of delta that are gone */
    Sorter *todo; /* "/<index><id>" */
    PlanLayer layer;
    PlanCounts counts;
};

Planner *planner_new(const PlanParams *params)
{
    Planner *planner = calloc(1, sizeof(*planner));
    if (!planner)
        abort();
    planner->params = params;
    planner->hasher = hasher_new();
    planner->now = sorter_new(params->spill_dir, PLAN_MEMORY_BYTES / 2);
    planner->todo = sorter_new(params->spill_dir, PLAN_MEMORY_BYTES / 2);
    plan_layer_open(&planner->layer, params->io);
    return planner;
}

Planner *planner_free(Planner *planner)
{
    if (!planner)
        return NULL;
    hasher_free(planner->hasher);
    sorter_free(planner->now);
    sorter_free(planner->todo);
    buf_done(&planner->gone);
    plan_layer_done(&planner->layer);
    free(planner);
    return NULL;
}

static Status put_pending(Ctx *ctx, Planner *planner, const Datum *datum)
{
    DatumRecord record = {
        .head = { .state = RECORD_PENDING,
                  .datum_hash = datum_hash(planner->hasher, datum, planner->params->salt),
                  .key = key_datum(planner->hasher, planner->params->step, datum) },
        .datum = *datum,
        .run_job = "",
        .reason = "",
        .image_id = "",
    };
    TreeRecord stored;
    TRY(record_store(ctx, planner->params->io, &record, &stored));
    char path[RECORD_PATH_SIZE];
    return sorter_add(ctx, planner->now, record_path(&datum->id, path), &stored);
}

/* Nothing of it stays in ctx's arena, but for a failure's message. */
Status planner_put(void *planner, Ctx *ctx, const Datum *datum)
{
    ArenaMark mark = arena_mark(ctx->arena);
    TRY(put_pending(ctx, planner, datum));
    arena_rewind(ctx->arena, mark);
    return OK;
}

Status planner_gone(void *planner_arg, Ctx *ctx UNUSED, const Datum *datum)
{
    Planner *planner = planner_arg;
    assert(planner->params->delta);
    buf_add(&planner->gone, &datum->id, sizeof(datum->id));
    return OK;
}

/* --- deciding about one ----------------------------------------------------------------------- */

static bool may_skip(const PlanParams *params, const RecordHead *now, const RecordHead *base)
{
    if (params->rule == PLAN_EVERY_JOB || base->state != RECORD_PROCESSED ||
        !hash_eq(&now->datum_hash, &base->datum_hash))
        return false;
    return params->rule != PLAN_EXACT || hash_eq(&now->key, &base->key);
}

/* *out_hit is false on a miss. */
static Status ask_cache(Ctx *ctx, const PlanParams *params, const Hash *key, PlanResultHit *hit,
                        bool *out_hit)
{
    *out_hit = false;
    if (params->rule != PLAN_EXACT || !params->cache.find)
        return OK;
    Status status = params->cache.find(params->cache.self, ctx, key, hit);
    if (status.code == STATUS_NOT_FOUND)
        return OK;
    *out_hit = status_ok(status) && hit->made_at_ns >= params->results_not_before_ns;
    return status;
}

static Status reuse(Ctx *ctx, Planner *planner, const TreeRecord *pending, const PlanResultHit *hit)
{
    DatumRecord record;
    TRY(record_load(ctx, planner->params->io, pending, &record));
    record.head.state = RECORD_PROCESSED;
    /* What this job itself had done before the server ended is not another's. */
    const char *job = planner->params->job;
    record.head.reused = !job || strcmp(hit->run_job, job) != 0;
    record.head.output_root = hit->output_root;
    record.output_bytes = hit->output_bytes;
    record.stats = hit->stats;
    record.run_job = hit->run_job;
    record.image_id = hit->image_id;
    planner->counts.cached++;
    return plan_layer_put(ctx, &planner->layer, &record);
}

static Status run(Ctx *ctx, Planner *planner, const TreeRecord *pending, bool in_base)
{
    DatumRecord record;
    TRY(record_load(ctx, planner->params->io, pending, &record));
    planner->counts.to_run++;
    if (__builtin_add_overflow(planner->counts.to_run_bytes, datum_size(&record.datum),
                               &planner->counts.to_run_bytes))
        planner->counts.to_run_bytes = UINT64_MAX;
    if (in_base)
        TRY(plan_layer_delete(ctx, &planner->layer, &record.datum.id));
    char id[HASH_HEX_SIZE], path[1 + 16 + HASH_HEX_SIZE];
    int size = snprintf(path, sizeof(path), "/%016llx%s", (unsigned long long)record.datum.index,
                        hash_hex(&record.datum.id, id));
    return sorter_add(ctx, planner->todo, (Str){ path, (size_t)size }, pending);
}

/* base: the record of that id in the base, or NULL. */
static Status decide(Ctx *ctx, Planner *planner, const TreeRecord *pending, const TreeRecord *base)
{
    RecordHead now, before;
    TRY(record_load_head(ctx, planner->params->io, pending, &now));
    if (base) {
        TRY(record_load_head(ctx, planner->params->io, base, &before));
        if (may_skip(planner->params, &now, &before))
            return OK;
    }
    PlanResultHit hit;
    bool is_hit;
    TRY(ask_cache(ctx, planner->params, &now.key, &hit, &is_hit));
    return is_hit ? reuse(ctx, planner, pending, &hit) : run(ctx, planner, pending, base != NULL);
}

static Status forget(Ctx *ctx, Planner *planner, Str path)
{
    Hash id;
    if (!record_path_id(path, &id))
        return FAIL(ctx, DATA_LOSS, "plan has a record named '" STR_FMT "'", STR_ARG(path));
    planner->counts.deleted++;
    return plan_layer_delete(ctx, &planner->layer, &id);
}

/* --- all datums of now: both lists side by side ----------------------------------------------- */

/* The base's next record; NULL once only marks are left. */
static const TreeEntry *base_entry(const TreeCursor *cursor)
{
    const TreeEntry *entry = tree_cursor_entry(cursor);
    return entry && str_cmp(entry->path, RECORD_MARKS) < 0 ? entry : NULL;
}

static Status decide_all(Ctx *ctx, Planner *planner, Scratch *scratch)
{
    CLEANUP(tree_cursor_freep)
    TreeCursor *cursor = tree_cursor_new(planner->params->io, &planner->params->base);
    TRY(tree_cursor_seek(ctx, cursor, STR(""), STR("")));
    for (;;) {
        TRY(ctx_check(ctx));
        const TreeEntry *now = sorter_entry(planner->now), *base = base_entry(cursor);
        if (!now && !base)
            return OK;
        int order = !now ? 1 : !base ? -1 : str_cmp(now->path, base->path);
        Ctx *turn = scratch_turn(scratch);
        if (order > 0)
            TRY(status_copy(ctx, forget(turn, planner, base->path)));
        else
            TRY(status_copy(
                ctx, decide(turn, planner, &now->record, order == 0 ? &base->record : NULL)));
        if (order <= 0)
            TRY(sorter_next(ctx, planner->now));
        if (order >= 0)
            TRY(tree_cursor_next(ctx, cursor));
    }
}

/* --- only what changed: each looked up -------------------------------------------------------- */

static int hash_order(const void *a, const void *b)
{
    return hash_cmp(a, b);
}

static size_t gone_count(const Planner *planner)
{
    return planner->gone.size / sizeof(Hash);
}

static Hash gone_at(const Planner *planner, size_t i)
{
    Hash id;
    memcpy(&id, planner->gone.data + i * sizeof(id), sizeof(id));
    return id;
}

/* Ascending, each once. */
static void sort_gone(Planner *planner)
{
    size_t n = gone_count(planner), kept = 0;
    if (n)
        qsort(planner->gone.data, n, sizeof(Hash), hash_order);
    for (size_t i = 0; i < n; i++) {
        Hash id = gone_at(planner, i);
        if (i && !memcmp(&id, planner->gone.data + (kept - 1) * sizeof(id), sizeof(id)))
            continue;
        memcpy(planner->gone.data + kept++ * sizeof(id), &id, sizeof(id));
    }
    planner->gone.size = kept * sizeof(Hash);
}

/* What the base did not settle is decided again, unless it is gone; if it changed too, it was put
 * before. */
static Status put_unsettled(void *arg, Ctx *ctx, const DatumRecord *record)
{
    Planner *planner = arg;
    if (planner->gone.size && bsearch(&record->datum.id, planner->gone.data, gone_count(planner),
                                      sizeof(Hash), hash_order))
        return OK;
    return planner_put(planner, ctx, &record->datum);
}

static Status find_base(Ctx *ctx, const Planner *planner, Str path, TreeRecord *out,
                        bool *out_found)
{
    Status status = tree_get(ctx, planner->params->io, &planner->params->base, path, STR(""), out);
    *out_found = status_ok(status);
    return status.code == STATUS_NOT_FOUND ? OK : status;
}

/* pending: NULL when the datum at path is gone. */
static Status decide_changed(Ctx *ctx, Planner *planner, Str path, const TreeRecord *pending)
{
    TreeRecord base;
    bool found;
    TRY(find_base(ctx, planner, path, &base, &found));
    if (pending)
        return decide(ctx, planner, pending, found ? &base : NULL);
    return found ? forget(ctx, planner, path) : OK;
}

static Status decide_changes(Ctx *ctx, Planner *planner, Scratch *scratch)
{
    for (size_t i = 0;;) {
        TRY(ctx_check(ctx));
        const TreeEntry *now = sorter_entry(planner->now);
        bool more_gone = i < gone_count(planner);
        if (!now && !more_gone)
            return OK;
        char buffer[RECORD_PATH_SIZE];
        Str gone = STR("");
        if (more_gone) {
            Hash id = gone_at(planner, i);
            gone = record_path(&id, buffer);
        }
        int order = !now ? 1 : !more_gone ? -1 : str_cmp(now->path, gone);
        Status decided =
            decide_changed(scratch_turn(scratch), planner, order > 0 ? gone : now->path,
                           order > 0 ? NULL : &now->record);
        TRY(status_copy(ctx, decided));
        if (order <= 0)
            TRY(sorter_next(ctx, planner->now));
        i += order >= 0;
    }
}

/* --- the result ------------------------------------------------------------------------------- */

static Status build_todo(Ctx *ctx, Planner *planner, Hash *out)
{
    CLEANUP(tree_builder_freep) TreeBuilder *builder = tree_builder_new(planner->params->io);
    TRY(sorter_start(ctx, planner->todo));
    for (uint64_t position = 0;; position++) {
        TRY(ctx_check(ctx));
        const TreeEntry *sorted = sorter_entry(planner->todo);
        if (!sorted)
            return tree_builder_finish(ctx, builder, out);
        char path[PLAN_TODO_PATH_SIZE];
        TreeEntry entry = { .path = plan_todo_path(position, path),
                            .tag = STR(""),
                            .record = sorted->record };
        TRY(tree_builder_add(ctx, builder, &entry));
        TRY(sorter_next(ctx, planner->todo));
    }
}

Status planner_finish(Ctx *ctx, Planner *planner, Plan *out)
{
    const PlanParams *params = planner->params;
    if (params->delta) {
        sort_gone(planner);
        TRY(plan_each_unsettled(ctx, params->io, &params->base, put_unsettled, planner));
    }
    TRY(sorter_start(ctx, planner->now));
    CLEANUP(scratch_done) Scratch scratch;
    scratch_open(&scratch, ctx);
    TRY(params->delta ? decide_changes(ctx, planner, &scratch)
                      : decide_all(ctx, planner, &scratch));

    Plan plan = { .counts = planner->counts };
    TRY(plan_layer_apply(ctx, &planner->layer, &params->base, &plan.done));
    TRY(build_todo(ctx, planner, &plan.todo));
    uint64_t done_count;
    TRY(plan_count(ctx, params->io, &plan.done, &done_count));
    plan.counts.total = done_count + plan.counts.to_run;
    plan.counts.skipped = done_count - plan.counts.cached;
    *out = plan;
    return OK;
}
