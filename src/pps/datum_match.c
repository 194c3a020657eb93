/* datum_match.c - joins and groups: inputs that share a key (pps.md §10.1); see datum_priv.h.
 *
 * The children's datums are taken apart into single inputs, each under its own key; a composite
 * child is thereby flattened, as clients know it. Sorted by (key, child, order within the child),
 * inputs of one key form a run and those of one child a stretch of it.
 */
#include "pps/datum_priv.h"

#include <stdlib.h>

typedef struct Keyed {
    Str key;
    size_t child;
    size_t position; /* ascending datum id, then the order within the datum */
    const DatumInput *input;
} Keyed;

typedef struct Matches {
    Keyed *items;
    size_t n;
} Matches;

static void matches_done(Matches *matches)
{
    free(matches->items);
}

static int keyed_cmp(const void *a, const void *b)
{
    const Keyed *x = a, *y = b;
    int order = str_cmp(x->key, y->key);
    if (!order)
        order = (x->child > y->child) - (x->child < y->child);
    return order ? order : (x->position > y->position) - (x->position < y->position);
}

static void take_apart(const DatumList *list, size_t child, bool is_join, Matches *out)
{
    size_t position = 0;
    for (size_t i = 0; i < list->n; i++) {
        const Datum *datum = &list->items[i];
        for (size_t k = 0; k < datum->input_count; k++) {
            const DatumInput *input = datum->inputs[k];
            Str key = is_join ? input->join_on : input->group_by;
            out->items[out->n++] = (Keyed){ key, child, position++, input };
        }
    }
}

static Status matches_new(const DatumLists *children, bool is_join, Matches *out)
{
    size_t total = 0;
    for (size_t i = 0; i < children->n; i++)
        for (size_t k = 0; k < children->items[i].n; k++)
            total += children->items[i].items[k].input_count;
    out->items = reallocarray(NULL, MAX(total, 1), sizeof(*out->items));
    if (!out->items)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < children->n; i++)
        take_apart(&children->items[i], i, is_join, out);
    qsort(out->items, out->n, sizeof(*out->items), keyed_cmp);
    return OK;
}

static Status emit(Ctx *ctx, const DatumInput *const *inputs, size_t n, DatumFn fn, void *arg)
{
    Datum datum = { .id = datum_id(inputs, n), .input_count = n, .inputs = inputs };
    return fn(arg, ctx, &datum);
}

/* --- groups: a run is a datum ----------------------------------------------------------------- */

static Status emit_group(Ctx *ctx, const Keyed *run, size_t n, DatumFn fn, void *arg)
{
    const DatumInput **inputs = ARENA_NEW(ctx->arena, const DatumInput *, n);
    if (!inputs)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < n; i++)
        inputs[i] = run[i].input;
    return emit(ctx, inputs, n, fn, arg);
}

/* --- joins: a run is a product of its children's stretches ------------------------------------ */

typedef struct Stretch {
    const Keyed *items;
    size_t n, at;
} Stretch;

static bool has_outer(const Stretch *stretch)
{
    for (size_t i = 0; i < stretch->n; i++)
        if (stretch->items[i].input->from->outer_join)
            return true;
    return false;
}

/* The run's stretches. When some child lacks the key, only inputs of an outer join stay, so a
 * stretch without any is left out: it would only repeat what the others give. */
static size_t find_stretches(const Keyed *run, size_t n, size_t child_count, Stretch *out,
                             bool *out_whole)
{
    size_t count = 0;
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && run[to].child == run[from].child; to++)
            ;
        out[count++] = (Stretch){ run + from, to - from, 0 };
    }
    *out_whole = count == child_count;
    if (*out_whole)
        return count;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (has_outer(&out[i]))
            out[kept++] = out[i];
    return kept;
}

static bool next_product(Stretch *stretches, size_t n)
{
    for (size_t i = n; i-- > 0;) {
        if (++stretches[i].at < stretches[i].n)
            return true;
        stretches[i].at = 0;
    }
    return false;
}

typedef struct JoinScratch {
    Stretch *stretches;        /* [children] */
    const DatumInput **inputs; /* [children] */
    size_t children;
} JoinScratch;

static Status emit_join(Ctx *ctx, JoinScratch *scratch, const Keyed *run, size_t n, DatumFn fn,
                        void *arg)
{
    bool whole;
    size_t count = find_stretches(run, n, scratch->children, scratch->stretches, &whole);
    if (!count)
        return OK;
    do {
        TRY(ctx_check(ctx));
        size_t kept = 0;
        for (size_t i = 0; i < count; i++) {
            const DatumInput *input = scratch->stretches[i].items[scratch->stretches[i].at].input;
            if (whole || input->from->outer_join)
                scratch->inputs[kept++] = input;
        }
        if (kept)
            TRY(emit(ctx, scratch->inputs, kept, fn, arg));
    } while (next_product(scratch->stretches, count));
    return OK;
}

Status datum_match(Ctx *ctx, const DatumLists *children, bool is_join, DatumFn fn, void *arg)
{
    CLEANUP(matches_done) Matches matches = { 0 };
    TRY(matches_new(children, is_join, &matches));
    JoinScratch scratch = {
        .stretches = ARENA_NEW(ctx->arena, Stretch, children->n),
        .inputs = ARENA_NEW(ctx->arena, const DatumInput *, children->n),
        .children = children->n,
    };
    if (!scratch.stretches || !scratch.inputs)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t from = 0, to; from < matches.n; from = to) {
        const Keyed *run = matches.items + from;
        for (to = from + 1; to < matches.n && str_eq(matches.items[to].key, run->key); to++)
            ;
        if (is_join)
            TRY(emit_join(ctx, &scratch, run, to - from, fn, arg));
        else
            TRY(emit_group(ctx, run, to - from, fn, arg));
    }
    return OK;
}
