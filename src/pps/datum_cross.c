/* datum_cross.c - the product of lists of datums; see datum_priv.h. */
#include "pps/datum_priv.h"

typedef struct Product {
    const DatumList *const *lists;
    size_t n;
    size_t *at; /* [n] position in each list */
    const DatumInput **inputs;
} Product;

static Status product_new(Ctx *ctx, const DatumList *const *lists, size_t n, Product *out)
{
    size_t inputs_max = 0;
    for (size_t i = 0; i < n; i++) {
        size_t most = 0;
        for (size_t k = 0; k < lists[i]->n; k++)
            most = MAX(most, lists[i]->items[k].input_count);
        inputs_max += most;
    }
    *out = (Product){
        .lists = lists,
        .n = n,
        .at = ARENA_NEW(ctx->arena, size_t, n),
        .inputs = ARENA_NEW(ctx->arena, const DatumInput *, inputs_max),
    };
    if (!out->at || !out->inputs)
        return STATUS(RESOURCE_EXHAUSTED);
    return OK;
}

static Datum product_datum(Product *product, uint64_t index)
{
    size_t count = 0;
    for (size_t i = 0; i < product->n; i++) {
        const Datum *part = &product->lists[i]->items[product->at[i]];
        memcpy(&product->inputs[count], part->inputs, part->input_count * sizeof(*part->inputs));
        count += part->input_count;
    }
    return (Datum){
        .id = datum_id(product->inputs, count),
        .index = index,
        .input_count = count,
        .inputs = product->inputs,
    };
}

/* The last list turns fastest; false after the last product. */
static bool product_next(Product *product)
{
    for (size_t i = product->n; i-- > 0;) {
        if (++product->at[i] < product->lists[i]->n)
            return true;
        product->at[i] = 0;
    }
    return false;
}

Status datum_cross(Ctx *ctx, const DatumList *const *lists, size_t n, DatumFn fn, void *arg)
{
    for (size_t i = 0; i < n; i++)
        if (lists[i]->n == 0)
            return OK;
    Product product;
    TRY(product_new(ctx, lists, n, &product));
    uint64_t index = 0;
    do {
        TRY(ctx_check(ctx));
        Datum datum = product_datum(&product, index++);
        TRY(fn(arg, ctx, &datum));
    } while (product_next(&product));
    return OK;
}
