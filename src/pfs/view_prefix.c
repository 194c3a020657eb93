/* view_prefix.c - what object stores ask for: what begins with a text, and a part of one file. */
#include "codec/path.h"
#include "pfs/view_priv.h"

Status pfs_view_read(Ctx *ctx, const PfsView *view, Str path, uint64_t offset, uint64_t size,
                     PfsBytesFn fn, void *arg)
{
    bool found;
    Item item;
    TRY(listing_lookup(ctx, &view->content->io, &view->root, path_clean(ctx, path), &found, &item));
    if (!found || !item.entry)
        return STATUS(NOT_FOUND);
    return content_read(ctx, view->content, &item.entry->record, offset, size, fn, arg);
}

/* The least text that sorts after `after`: paths hold no NUL. */
static Str just_behind(Ctx *ctx, Str after)
{
    char *text = arena_must(ctx->arena, after.size + 1);
    memcpy(text, after.data, after.size);
    return (Str){ text, after.size + 1 };
}

/* Up to and with the last '/'. */
static Str directory_of(Str prefix)
{
    while (prefix.size > 1 && prefix.data[prefix.size - 1] != '/')
        prefix.size--;
    return prefix;
}

static Span prefix_span(Ctx *ctx, const PfsPrefix *wanted)
{
    Span span = { .base = wanted->flat ? directory_of(wanted->prefix) : STR("/"),
                  .lower = wanted->prefix };
    if (wanted->after.size) {
        Str behind = just_behind(ctx, wanted->after);
        if (str_cmp(behind, span.lower) > 0)
            span.lower = behind;
    }
    return span;
}

static PfsMatch match_of(const Item *item)
{
    PfsMatch match = { .path = item->path, .is_dir = !item->entry };
    if (item->entry) {
        match.size = item->entry->record.size;
        match.hash = item->entry->record.hash;
    }
    return match;
}

static Status each(Ctx *ctx, Listing *listing, const PfsPrefix *wanted, PfsPrefixFn fn, void *arg)
{
    for (bool done = false; !done;) {
        Item item;
        TRY(listing_next(ctx, listing, &item));
        if (!item.path.size)
            return OK;
        if (!str_starts(item.path, wanted->prefix)) {
            if (str_cmp(item.path, wanted->prefix) > 0)
                return OK;
            continue;
        }
        if (!item.entry && (!wanted->flat || str_eq(item.path, listing->span->base)))
            continue;
        ArenaMark mark = arena_mark(ctx->arena);
        const PfsMatch match = match_of(&item);
        TRY(fn(arg, ctx, &match, &done));
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}

Status pfs_view_prefix(Ctx *ctx, const PfsView *view, const PfsPrefix *wanted, PfsPrefixFn fn,
                       void *arg)
{
    Span span = prefix_span(ctx, wanted);
    CLEANUP(listing_done) Listing listing;
    listing_init(&listing, &view->content->io, &view->root, &span,
                 wanted->flat ? LISTING_FLAT : LISTING_DEEP);
    return each(ctx, &listing, wanted, fn, arg);
}
