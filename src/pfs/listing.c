/* listing.c - see listing.h.
 *
 * The entries of a tree are files. Stepping forward from one to the next, the directories to give
 * are those of the next path that are not directories of the last one, shortest first; stepping
 * backward, those of the last that are not the next one's, longest first. */
#include "pfs/listing.h"

#include "base/text.h"

void listing_init(Listing *listing, const TreeIo *io, const Hash *root, const Span *span,
                  unsigned mode)
{
    *listing = (Listing){
        .io = io, .root = *root, .span = span, .mode = mode, .cursor = tree_cursor_new(io, root)
    };
}

void listing_done(Listing *listing)
{
    tree_cursor_free(listing->cursor);
    collision_watch_done(&listing->watch);
    buf_done(&listing->near);
    buf_done(&listing->given);
}

static void set_path(Buf *buf, Str path)
{
    buf_clear(buf);
    buf_add_str(buf, path);
}

static bool is_marker(Str marker, Str path)
{
    if (str_eq(path, marker))
        return true;
    return str_ends(path, STR("/")) && str_eq(str_sub(path, 0, path.size - 1), marker);
}

static bool in_span(const Span *span, Str path)
{
    if (!str_starts(path, span->base))
        return false;
    if (span->lower.size > 0 && str_cmp(path, span->lower) < 0)
        return false;
    if (span->upper.size > 0 && str_cmp(path, span->upper) >= 0)
        return false;
    return span->after.size == 0 ||
           (str_cmp(path, span->after) > 0 && !is_marker(span->after, path));
}

/* The cursor came to the next entry; a collision ends the listing. */
static Status arrive(Ctx *ctx, Listing *listing)
{
    const TreeEntry *entry = tree_cursor_entry(listing->cursor);
    if (!entry)
        return OK;
    const char *error = collision_watch_next(ctx, &listing->watch, entry);
    return error ? FAIL(ctx, UNKNOWN, "%s", error) : OK;
}

static Status seek(Ctx *ctx, Listing *listing, Str path)
{
    TRY(tree_cursor_seek(ctx, listing->cursor, path, STR("")));
    return arrive(ctx, listing);
}

/* --- forward ---------------------------------------------------------------------------------- */

static Status seek_behind(Ctx *ctx, Listing *listing, Str dir)
{
    ArenaMark mark = arena_mark(ctx->arena);
    TRY(seek(ctx, listing, tree_dir_end(ctx, dir)));
    arena_rewind(ctx->arena, mark);
    return OK;
}

static Status start_forward(Ctx *ctx, Listing *listing)
{
    const Span *span = listing->span;
    Str from = span->base;
    if (str_cmp(span->lower, from) > 0)
        from = span->lower;
    if (str_cmp(span->after, from) > 0)
        from = span->after;
    return seek(ctx, listing, from);
}

/* To the entry that the next element comes from. */
static Status move_forward(Ctx *ctx, Listing *listing)
{
    switch (listing->state) {
    case LISTING_START:
        return start_forward(ctx, listing);
    case LISTING_GAVE_FILE:
        set_path(&listing->near, tree_cursor_entry(listing->cursor)->path);
        listing->dir_at = 0;
        TRY(tree_cursor_next(ctx, listing->cursor));
        return arrive(ctx, listing);
    case LISTING_GAVE_DIR:
        set_path(&listing->near, buf_str(&listing->given));
        listing->dir_at = 0;
        return seek_behind(ctx, listing, buf_str(&listing->given));
    case LISTING_HERE:
        break;
    }
    return OK;
}

static Item give_file(Listing *listing, const TreeEntry *entry)
{
    listing->state = LISTING_GAVE_FILE;
    return (Item){ .path = entry->path, .entry = entry };
}

static Item give_dir(Listing *listing, Str dir)
{
    set_path(&listing->given, dir);
    return (Item){ .path = buf_str(&listing->given) };
}

/* The next directory of the cursor's entry that is to be given. */
static bool next_dir(Listing *listing, Str path, Item *out)
{
    Str near = buf_str(&listing->near);
    while (listing->dir_at < path.size) {
        size_t end = listing->dir_at + str_find(str_sub(path, listing->dir_at, path.size), '/') + 1;
        if (end > path.size)
            break;
        listing->dir_at = end;
        Str dir = str_sub(path, 0, end);
        if (str_starts(near, dir) || !in_span(listing->span, dir))
            continue;
        *out = give_dir(listing, dir);
        listing->state = LISTING_HERE;
        return true;
    }
    listing->dir_at = path.size;
    return false;
}

static bool is_past(const Span *span, Str path)
{
    return !str_starts(path, span->base) ||
           (span->upper.size > 0 && str_cmp(path, span->upper) >= 0);
}

/* An entry at or past the upper bound can still bring directories that lie below it. */
static Status next_deep(Ctx *ctx, Listing *listing, Item *out)
{
    for (;;) {
        TRY(move_forward(ctx, listing));
        const TreeEntry *entry = tree_cursor_entry(listing->cursor);
        if (!entry)
            return OK;
        listing->state = LISTING_HERE;
        if (next_dir(listing, entry->path, out) || is_past(listing->span, entry->path))
            return OK;
        Item file = give_file(listing, entry);
        if (in_span(listing->span, entry->path)) {
            *out = file;
            return OK;
        }
    }
}

void listing_skip(Listing *listing)
{
    assert(listing->state == LISTING_HERE && !(listing->mode & LISTING_REVERSE));
    listing->state = LISTING_GAVE_DIR;
}

/* The direct child of base that `path`, which is below base, is or lies in. */
static Str child_of(Str base, Str path)
{
    size_t end = base.size + str_find(str_sub(path, base.size, path.size), '/') + 1;
    return str_sub(path, 0, MIN(end, path.size));
}

static Item give_child(Listing *listing, const TreeEntry *entry)
{
    Str child = child_of(listing->span->base, entry->path);
    if (!str_ends(child, STR("/")))
        return give_file(listing, entry);
    listing->state = LISTING_GAVE_DIR;
    return give_dir(listing, child);
}

static Status next_flat(Ctx *ctx, Listing *listing, Item *out)
{
    for (;;) {
        TRY(move_forward(ctx, listing));
        const TreeEntry *entry = tree_cursor_entry(listing->cursor);
        if (!entry || !str_starts(entry->path, listing->span->base))
            return OK;
        Item item = give_child(listing, entry);
        if (in_span(listing->span, item.path)) {
            *out = item;
            return OK;
        }
        if (is_past(listing->span, item.path))
            return OK;
    }
}

/* --- backward --------------------------------------------------------------------------------- */

/* Stands before the upper end of the span; `near` is the entry behind it, whose directories may lie
 * before it. */
static Status start_backward(Ctx *ctx, Listing *listing)
{
    const Span *span = listing->span;
    Str end = tree_dir_end(ctx, span->base);
    if (span->upper.size > 0 && str_cmp(span->upper, end) < 0)
        end = span->upper;
    TRY(tree_cursor_seek(ctx, listing->cursor, end, STR("")));
    const TreeEntry *behind = tree_cursor_entry(listing->cursor);
    if (behind)
        set_path(&listing->near, behind->path);
    listing->dir_at = listing->near.size;
    return tree_cursor_seek_before(ctx, listing->cursor, end, STR(""));
}

/* The cursor came to an entry from behind: what it collides with was passed before it, and all of
 * that begins like it, up to the one passed last. So only then is there anything to look for. */
static Status arrive_backward(Ctx *ctx, Listing *listing, Str passed)
{
    const TreeEntry *entry = tree_cursor_entry(listing->cursor);
    if (!entry || !str_starts(passed, entry->path))
        return OK;
    ArenaMark mark = arena_mark(ctx->arena);
    bool found;
    Item item;
    TRY(listing_lookup(ctx, listing->io, &listing->root, entry->path, &found, &item));
    arena_rewind(ctx->arena, mark);
    return OK;
}

static Status move_backward(Ctx *ctx, Listing *listing)
{
    switch (listing->state) {
    case LISTING_START:
        TRY(start_backward(ctx, listing));
        return arrive_backward(ctx, listing, buf_str(&listing->near));
    case LISTING_GAVE_FILE:
        set_path(&listing->near, tree_cursor_entry(listing->cursor)->path);
        listing->dir_at = listing->near.size;
        TRY(tree_cursor_prev(ctx, listing->cursor));
        return arrive_backward(ctx, listing, buf_str(&listing->near));
    case LISTING_GAVE_DIR:
        buf_clear(&listing->near);
        listing->dir_at = 0;
        TRY(tree_cursor_seek_before(ctx, listing->cursor, buf_str(&listing->given), STR("")));
        return arrive_backward(ctx, listing, buf_str(&listing->given));
    case LISTING_HERE:
        break;
    }
    return OK;
}

/* The next directory of near, longest first, that the cursor's entry is not in. */
static bool prev_dir(Listing *listing, const TreeEntry *entry, Item *out)
{
    Str near = buf_str(&listing->near);
    while (listing->dir_at > 0) {
        Str dir = str_sub(near, 0, listing->dir_at--);
        if (!str_ends(dir, STR("/")))
            continue;
        if (entry && str_starts(entry->path, dir)) {
            listing->dir_at = 0;
            break;
        }
        if (in_span(listing->span, dir)) {
            *out = give_dir(listing, dir);
            return true;
        }
    }
    return false;
}

static Status prev_deep(Ctx *ctx, Listing *listing, Item *out)
{
    TRY(move_backward(ctx, listing));
    const TreeEntry *entry = tree_cursor_entry(listing->cursor);
    listing->state = LISTING_HERE;
    if (prev_dir(listing, entry, out))
        return OK;
    if (entry && in_span(listing->span, entry->path))
        *out = give_file(listing, entry);
    return OK;
}

/* At the start the child to give first may begin before the upper end and reach behind it. */
static bool child_across_end(Listing *listing, Item *out)
{
    Str near = buf_str(&listing->near);
    if (listing->state != LISTING_START || !str_starts(near, listing->span->base))
        return false;
    Str child = child_of(listing->span->base, near);
    if (!str_ends(child, STR("/")) || !in_span(listing->span, child))
        return false;
    listing->state = LISTING_GAVE_DIR;
    *out = give_dir(listing, child);
    return true;
}

static Status prev_flat(Ctx *ctx, Listing *listing, Item *out)
{
    TRY(move_backward(ctx, listing));
    if (child_across_end(listing, out))
        return OK;
    const TreeEntry *entry = tree_cursor_entry(listing->cursor);
    if (!entry || !in_span(listing->span, child_of(listing->span->base, entry->path)))
        return OK;
    *out = give_child(listing, entry);
    return OK;
}

Status listing_next(Ctx *ctx, Listing *listing, Item *out)
{
    static Status (*const steps[])(Ctx *, Listing *, Item *) = {
        [LISTING_DEEP] = next_deep,
        [LISTING_FLAT] = next_flat,
        [LISTING_DEEP | LISTING_REVERSE] = prev_deep,
        [LISTING_FLAT | LISTING_REVERSE] = prev_flat,
    };
    TRY(ctx_check(ctx));
    *out = (Item){ .path = STR("") };
    return steps[listing->mode](ctx, listing, out);
}

/* --- one path --------------------------------------------------------------------------------- */

static TreeEntry *copy_entry(Ctx *ctx, const TreeEntry *entry)
{
    TreeEntry *copy = ARENA_ONE(ctx->arena, TreeEntry);
    Bytes data = entry->record.data;
    *copy = *entry;
    copy->path = str(str_z(ctx->arena, entry->path));
    copy->tag = str(str_z(ctx->arena, entry->tag));
    copy->record.data = bytes(arena_memdup(ctx->arena, data.data, data.size), data.size);
    return copy;
}

/* The file at `path`, where the cursor stands, unless there are two; the cursor moves behind it. */
static Status take_file(Ctx *ctx, TreeCursor *cursor, CollisionWatch *watch, Item *out)
{
    const TreeEntry *entry = tree_cursor_entry(cursor);
    collision_watch_next(ctx, watch, entry);
    TreeEntry *file = copy_entry(ctx, entry);
    *out = (Item){ .path = file->path, .entry = file };
    TRY(tree_cursor_next(ctx, cursor));
    entry = tree_cursor_entry(cursor);
    if (!entry || !str_eq(entry->path, file->path))
        return OK;
    return FAIL(ctx, UNKNOWN, "%s", collision_watch_next(ctx, watch, entry));
}

Status listing_lookup(Ctx *ctx, const TreeIo *io, const Hash *root, Str path, bool *out_found,
                      Item *out_item)
{
    CLEANUP(tree_cursor_freep) TreeCursor *cursor = tree_cursor_new(io, root);
    CLEANUP(collision_watch_done) CollisionWatch watch = { 0 };
    bool is_root = str_eq(path, STR("/"));
    Str dir = is_root ? path : str(text_printf(ctx->arena, STR_FMT "/", STR_ARG(path)));

    *out_found = false;
    TRY(tree_cursor_seek(ctx, cursor, path, STR("")));
    const TreeEntry *entry = tree_cursor_entry(cursor);
    if (entry && str_eq(entry->path, path)) {
        *out_found = true;
        TRY(take_file(ctx, cursor, &watch, out_item));
        entry = tree_cursor_entry(cursor);
    }
    if (!entry || !str_starts(entry->path, path)) /* so nothing can begin with path and a slash */
        return OK;
    TRY(tree_cursor_seek(ctx, cursor, dir, STR("")));
    entry = tree_cursor_entry(cursor);
    if (!entry || !str_starts(entry->path, dir))
        return OK;
    if (*out_found)
        return FAIL(ctx, UNKNOWN, "%s", collision_text(ctx, entry->path));
    *out_found = true;
    *out_item = (Item){ .path = dir };
    return OK;
}
