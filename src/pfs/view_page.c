/* view_page.c - ListFile and WalkFile: pages of a listing, forward and backward (§15.3). */
#include "base/text.h"
#include "codec/path.h"
#include "pfs/view_priv.h"

#define PAGE_FILES_MAX 100000

typedef struct Page {
    Str marker;      /* "": from the start, or the end when backward */
    uint64_t number; /* 0: all */
    bool reverse;
} Page;

static Status page_make(Ctx *ctx, const PfsV2__File *marker, int64_t number, bool reverse,
                        Page *out)
{
    if (reverse && number < 1)
        return FAIL(ctx, UNKNOWN, "number must be > 0 when reverse is true");
    if (number < 0)
        return FAIL(ctx, INVALID_ARGUMENT, "number must not be negative, it is %lld",
                    (long long)number);
    if (number > PAGE_FILES_MAX)
        return FAIL(ctx, UNKNOWN, "cannot return more than %d files at a time", PAGE_FILES_MAX);
    *out = (Page){ .marker = str(marker ? marker->path : ""),
                   .number = (uint64_t)number,
                   .reverse = reverse };
    return OK;
}

static bool page_has(const Page *page, Str path)
{
    if (page->marker.size == 0)
        return true;
    int order = str_cmp(path, page->marker);
    return page->reverse ? order < 0 : order > 0;
}

static Status give_page(Ctx *ctx, const PfsView *view, const Page *page, Str dir, unsigned mode,
                        PfsFileFn fn, void *arg)
{
    Span span = { .base = dir };
    if (page->reverse)
        span.upper = page->marker;
    else
        span.after = page->marker;
    CLEANUP(listing_done) Listing listing;
    listing_init(&listing, &view->content->io, &view->root, &span,
                 mode | (page->reverse ? LISTING_REVERSE : 0));
    for (uint64_t given = 0; page->number == 0 || given < page->number; given++) {
        Item item;
        TRY(listing_next(ctx, &listing, &item));
        if (item.path.size == 0)
            break;
        TRY(view_give(ctx, view, &item, STR(""), fn, arg));
    }
    return OK;
}

static Status give_item(Ctx *ctx, const PfsView *view, const Page *page, const Item *item,
                        unsigned mode, PfsFileFn fn, void *arg)
{
    if (!item->entry)
        return give_page(ctx, view, page, item->path, mode, fn, arg);
    return page_has(page, item->path) ? view_give(ctx, view, item, STR(""), fn, arg) : OK;
}

/* What a listing is asked of, found. */
typedef struct Asked {
    PfsView view;
    Page page;
    Str path; /* clean */
    bool found;
    Item item; /* when found */
} Asked;

static Status ask(Ctx *ctx, Pfs *pfs, const PfsV2__File *file, Asked *out)
{
    out->path = path_clean(ctx, str(file->path));
    TRY(view_open_file(ctx, pfs, file, out->path, &out->view));
    return listing_lookup(ctx, &out->view.content->io, &out->view.root, out->path, &out->found,
                          &out->item);
}

Status pfs_list_file(Ctx *ctx, Pfs *pfs, const PfsV2__ListFileRequest *request, PfsFileFn fn,
                     void *arg)
{
    Asked asked;
    TRY(view_check_file(ctx, request->file));
    TRY(page_make(ctx, request->paginationmarker, request->number, request->reverse, &asked.page));
    TRY(ask(ctx, pfs, request->file, &asked));
    return asked.found
               ? give_item(ctx, &asked.view, &asked.page, &asked.item, LISTING_FLAT, fn, arg)
               : OK;
}

Status pfs_walk_file(Ctx *ctx, Pfs *pfs, const PfsV2__WalkFileRequest *request, PfsFileFn fn,
                     void *arg)
{
    Asked asked;
    TRY(view_check_file(ctx, request->file));
    TRY(page_make(ctx, request->paginationmarker, request->number, request->reverse, &asked.page));
    TRY(ask(ctx, pfs, request->file, &asked));
    if (asked.found)
        return give_item(ctx, &asked.view, &asked.page, &asked.item, LISTING_DEEP, fn, arg);
    if (str_eq(asked.path, STR("/")))
        return OK;
    return FAIL(ctx, NOT_FOUND, "commit/%s does not contain item: (" STR_FMT ")",
                asked.view.commit->id, STR_ARG(asked.path));
}
