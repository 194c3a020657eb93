/* datum_list.c - see datum_priv.h. */
#include "pps/datum_priv.h"

#include <stdlib.h>

void datum_list_done(DatumList *list)
{
    free(list->items);
    *list = (DatumList){ 0 };
}

static bool reserve(DatumList *list)
{
    if (list->n < list->capacity)
        return true;
    size_t capacity = list->capacity ? 2 * list->capacity : 16;
    Datum *grown = reallocarray(list->items, capacity, sizeof(*grown));
    if (!grown)
        return false;
    list->items = grown;
    list->capacity = capacity;
    return true;
}

/* False past the arena's limit. */
static bool keep(Ctx *ctx, Str *text)
{
    char *copy = arena_alloc(ctx->arena, text->size + 1);
    if (!copy)
        return false;
    if (text->size)
        memcpy(copy, text->data, text->size);
    text->data = copy;
    return true;
}

static Status copy_inputs(Ctx *ctx, const Datum *datum, Datum *out)
{
    const DatumInput **inputs = ARENA_NEW(ctx->arena, const DatumInput *, datum->input_count);
    DatumInput *copies = ARENA_NEW(ctx->arena, DatumInput, datum->input_count);
    bool kept = inputs && copies;
    for (size_t i = 0; kept && i < datum->input_count; i++) {
        copies[i] = *datum->inputs[i];
        kept = keep(ctx, &copies[i].path) && keep(ctx, &copies[i].join_on) &&
               keep(ctx, &copies[i].group_by);
        inputs[i] = &copies[i];
    }
    if (!kept)
        return FAIL(ctx, RESOURCE_EXHAUSTED, "input has too many datums to combine");
    out->inputs = inputs;
    return OK;
}

Status datum_list_add(void *list_arg, Ctx *ctx, const Datum *datum)
{
    DatumList *list = list_arg;
    if (!reserve(list))
        return STATUS(RESOURCE_EXHAUSTED);
    Datum *copy = &list->items[list->n];
    *copy = *datum;
    TRY(copy_inputs(ctx, datum, copy));
    list->n++;
    return OK;
}

static int by_id(const void *a, const void *b)
{
    const Datum *x = a, *y = b;
    int order = hash_cmp(&x->id, &y->id);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

void datum_list_sort(DatumList *list)
{
    if (list->n < 2)
        return;
    qsort(list->items, list->n, sizeof(*list->items), by_id);
    size_t kept = 1;
    for (size_t i = 1; i < list->n; i++)
        if (!hash_eq(&list->items[i].id, &list->items[kept - 1].id))
            list->items[kept++] = list->items[i];
    list->n = kept;
}

Status datum_list_concat(const DatumList *a, const DatumList *b, DatumList *out)
{
    Datum *items = reallocarray(NULL, MAX(a->n + b->n, 1), sizeof(*items));
    if (!items)
        return STATUS(RESOURCE_EXHAUSTED);
    if (a->n)
        memcpy(items, a->items, a->n * sizeof(*items));
    if (b->n)
        memcpy(items + a->n, b->items, b->n * sizeof(*items));
    *out = (DatumList){ items, a->n + b->n, a->n + b->n };
    return OK;
}

Status datum_lists_new(Ctx *ctx, size_t n, DatumLists *out)
{
    *out = (DatumLists){ ARENA_NEW(ctx->arena, DatumList, n), n };
    return out->items ? OK : STATUS(RESOURCE_EXHAUSTED);
}

void datum_lists_done(DatumLists *lists)
{
    for (size_t i = 0; lists->items && i < lists->n; i++)
        datum_list_done(&lists->items[i]);
    lists->n = 0;
}

Status datum_list_fill(Ctx *ctx, const InputSource *source, const PpsV2__Input *node,
                       DatumList *out)
{
    TRY(datum_each(ctx, source, node, datum_list_add, out));
    datum_list_sort(out);
    return OK;
}
