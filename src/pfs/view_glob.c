/* view_glob.c - what a pattern matches (§16): a walk that starts at the pattern's literal beginning
 * and jumps over directories below which nothing can match. */
#include "codec/glob.h"
#include "codec/path.h"
#include "pfs/view_priv.h"

typedef struct GlobWalk {
    const Glob *glob; /* NULL: all that is walked over matches */
    Str lower, upper; /* of the range; "": no bound */
    bool contents;
    ViewItemFn fn;
    void *arg;
} GlobWalk;

static bool in_range(const GlobWalk *walk, Str path)
{
    return str_cmp(path, walk->lower) >= 0 &&
           (walk->upper.size == 0 || str_cmp(path, walk->upper) < 0);
}

/* The least text that sorts after all that begin with `prefix`, which is not empty. */
static Str prefix_end(Ctx *ctx, Str prefix)
{
    char *end = str_z(ctx->arena, prefix);
    end[prefix.size - 1]++; /* a clean path is "/" or ends in no byte that is 0xff */
    return (Str){ end, prefix.size };
}

/* Where matches can be. */
static Span glob_span(Ctx *ctx, const GlobWalk *walk)
{
    Str prefix = glob_prefix(walk->glob);
    Span span = { .base = STR("/"), .lower = prefix, .upper = prefix_end(ctx, prefix) };
    if (str_cmp(walk->lower, span.lower) > 0)
        span.lower = walk->lower;
    if (walk->upper.size > 0 && str_cmp(walk->upper, span.upper) < 0)
        span.upper = walk->upper;
    return span;
}

static Status walk_matches(Ctx *ctx, const PfsView *view, const GlobWalk *walk, const Span *span)
{
    CLEANUP(buf_done) Buf inside = { 0 }; /* the matched directory whose contents pass */
    CLEANUP(listing_done) Listing listing;
    listing_init(&listing, &view->content->io, &view->root, span, LISTING_DEEP);
    for (;;) {
        Item item;
        TRY(listing_next(ctx, &listing, &item));
        if (item.path.size == 0)
            return OK;
        bool is_content = inside.size > 0 && str_starts(item.path, buf_str(&inside));
        bool matches = is_content || !walk->glob || glob_match(walk->glob, item.path);
        if (matches && !is_content && !item.entry && walk->contents) {
            buf_clear(&inside);
            buf_add_str(&inside, item.path);
            is_content = true;
        }
        if (walk->glob && !item.entry && !is_content && !glob_match_below(walk->glob, item.path))
            listing_skip(&listing);
        if (matches)
            TRY(walk->fn(walk->arg, ctx, &item));
    }
}

/* One element: no walk but for the contents of a directory. */
static Status give_named(Ctx *ctx, const PfsView *view, const GlobWalk *walk, Str path,
                         bool *out_found)
{
    Item item;
    TRY(listing_lookup(ctx, &view->content->io, &view->root, path, out_found, &item));
    if (!*out_found || !in_range(walk, item.path))
        return OK;
    if (item.entry || !walk->contents)
        return walk->fn(walk->arg, ctx, &item);
    Span span = { .base = item.path, .lower = walk->lower, .upper = walk->upper };
    GlobWalk below = *walk;
    below.glob = NULL;
    return walk_matches(ctx, view, &below, &span);
}

Status view_glob(Ctx *ctx, const PfsView *view, const ViewGlob *glob, ViewItemFn fn, void *arg)
{
    GlobWalk walk = {
        .lower = STR(""), .upper = STR(""), .contents = glob->contents, .fn = fn, .arg = arg
    };
    if (glob->range) {
        walk.lower = str(glob->range->lower);
        walk.upper = str(glob->range->upper);
    }
    bool found = false;
    if (glob->contents)
        TRY(give_named(ctx, view, &walk, path_clean(ctx, str(glob->pattern)), &found));
    if (found)
        return OK;
    TRY(glob_compile(ctx, str(glob->pattern), &walk.glob));
    Str path;
    if (glob_is_literal(walk.glob, &path))
        return give_named(ctx, view, &walk, path, &found);
    Span span = glob_span(ctx, &walk);
    return walk_matches(ctx, view, &walk, &span);
}

/* --- GlobFile --------------------------------------------------------------------------------- */

typedef struct GiveInfo {
    const PfsView *view;
    Str lower;
    PfsFileFn fn;
    void *arg;
} GiveInfo;

static Status give_info(void *arg, Ctx *ctx, const Item *item)
{
    const GiveInfo *give = arg;
    return view_give(ctx, give->view, item, give->lower, give->fn, give->arg);
}

Status pfs_glob_file(Ctx *ctx, Pfs *pfs, const PfsV2__GlobFileRequest *request, PfsFileFn fn,
                     void *arg)
{
    PfsView view;
    TRY(pfs_view_open(ctx, pfs, request->commit, &view));
    ViewGlob glob = { .pattern = request->pattern, .range = request->path_range };
    GiveInfo give = { .view = &view, .lower = STR(""), .fn = fn, .arg = arg };
    if (glob.range)
        give.lower = str(glob.range->lower);
    return view_glob(ctx, &view, &glob, give_info, &give);
}

/* --- for pps ---------------------------------------------------------------------------------- */

typedef struct GiveMatch {
    const PfsView *view;
    PfsMatchFn fn;
    void *arg;
} GiveMatch;

static Status give_match(void *arg, Ctx *ctx, const Item *item)
{
    const GiveMatch *give = arg;
    ArenaMark mark = arena_mark(ctx->arena);
    PfsMatch match;
    TRY(view_match(ctx, give->view, item, &match));
    TRY(give->fn(give->arg, ctx, &match));
    arena_rewind(ctx->arena, mark);
    return OK;
}

Status pfs_view_glob(Ctx *ctx, const PfsView *view, const char *glob, PfsMatchFn fn, void *arg)
{
    ViewGlob pattern = { .pattern = glob };
    GiveMatch give = { .view = view, .fn = fn, .arg = arg };
    return view_glob(ctx, view, &pattern, give_match, &give);
}
