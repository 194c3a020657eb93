/* cursor.c - the public cursor: a walker that always stands on an entry, before the first, or after
 * the last. */
#include "tree/tree_priv.h"

#include <stdlib.h>

typedef enum CursorPlace { CURSOR_BEFORE, CURSOR_ON, CURSOR_AFTER } CursorPlace;

struct TreeCursor {
    const TreeSource *source; /* NULL: nodes are walked */
    void *position;           /* of the source */
    TreeWalker walker;
    CursorPlace place;
    TreeEntry entry;
};

TreeCursor *tree_cursor_new(const TreeIo *io, const Hash *root)
{
    TreeCursor *cursor = malloc(sizeof(*cursor));
    if (!cursor)
        abort();
    walker_init(&cursor->walker, io, root, STR(""));
    cursor->place = CURSOR_BEFORE;
    cursor->source = io->source;
    cursor->position = io->source ? io->source->open(io->source->self) : NULL;
    return cursor;
}

TreeCursor *tree_cursor_free(TreeCursor *cursor)
{
    if (cursor && cursor->source)
        cursor->source->close(cursor->position);
    if (cursor)
        walker_done(&cursor->walker);
    free(cursor);
    return NULL;
}

/* After a move: takes up the entry; where there is none, the cursor is at `otherwise`. */
static Status cursor_settle(Ctx *ctx, TreeCursor *cursor, CursorPlace otherwise)
{
    while (walker_on_subtree(&cursor->walker))
        TRY(walker_descend(ctx, &cursor->walker));
    cursor->place = cursor->walker.at_end ? otherwise : CURSOR_ON;
    if (cursor->place == CURSOR_ON)
        cursor->entry = item_entry(&cursor->walker.item);
    return OK;
}

Status tree_cursor_seek(Ctx *ctx, TreeCursor *cursor, Str path, Str tag)
{
    if (cursor->source)
        return cursor->source->seek(cursor->position, ctx, path, tag);
    cursor->place = CURSOR_AFTER;
    TRY(walker_seek(ctx, &cursor->walker, path, tag));
    return cursor_settle(ctx, cursor, CURSOR_AFTER);
}

Status tree_cursor_seek_end(Ctx *ctx, TreeCursor *cursor)
{
    if (cursor->source)
        return cursor->source->end(cursor->position, ctx);
    cursor->place = CURSOR_BEFORE;
    TRY(walker_seek_last(ctx, &cursor->walker));
    return cursor_settle(ctx, cursor, CURSOR_BEFORE);
}

Status tree_cursor_seek_before(Ctx *ctx, TreeCursor *cursor, Str path, Str tag)
{
    TRY(tree_cursor_seek(ctx, cursor, path, tag));
    return tree_cursor_prev(ctx, cursor);
}

Status tree_cursor_next(Ctx *ctx, TreeCursor *cursor)
{
    if (cursor->source)
        return cursor->source->next(cursor->position, ctx);
    if (cursor->place == CURSOR_AFTER)
        return OK;
    if (cursor->place == CURSOR_BEFORE)
        TRY(walker_start(ctx, &cursor->walker, STR("")));
    else
        walker_skip(&cursor->walker);
    cursor->place = CURSOR_AFTER;
    return cursor_settle(ctx, cursor, CURSOR_AFTER);
}

Status tree_cursor_prev(Ctx *ctx, TreeCursor *cursor)
{
    if (cursor->source)
        return cursor->source->prev(cursor->position, ctx);
    if (cursor->place == CURSOR_BEFORE)
        return OK;
    if (cursor->place == CURSOR_AFTER)
        return tree_cursor_seek_end(ctx, cursor);
    cursor->place = CURSOR_BEFORE;
    TRY(walker_prev(ctx, &cursor->walker));
    return cursor_settle(ctx, cursor, CURSOR_BEFORE);
}

const TreeEntry *tree_cursor_entry(const TreeCursor *cursor)
{
    if (cursor->source)
        return cursor->source->entry(cursor->position);
    return cursor->place == CURSOR_ON ? &cursor->entry : NULL;
}

static Status source_get(Ctx *ctx, const TreeIo *io, Str path, Str tag, TreeRecord *out)
{
    const Hash none = { 0 };
    CLEANUP(tree_cursor_freep) TreeCursor *cursor = tree_cursor_new(io, &none);
    TRY(tree_cursor_seek(ctx, cursor, path, tag));
    const TreeEntry *entry = tree_cursor_entry(cursor);
    if (!entry || !str_eq(entry->path, path) || !str_eq(entry->tag, tag))
        return STATUS(NOT_FOUND);
    *out = tree_record_copy(ctx, &entry->record);
    return OK;
}

Status tree_get(Ctx *ctx, const TreeIo *io, const Hash *root, Str path, Str tag, TreeRecord *out)
{
    if (io->source)
        return source_get(ctx, io, path, tag, out);
    CLEANUP(walker_done) TreeWalker walker;
    walker_init(&walker, io, root, STR(""));
    TRY(walker_seek(ctx, &walker, path, tag));
    TreeItem wanted = { .path = path, .tag = tag };
    if (walker.at_end || item_cmp(&walker.item, &wanted) != 0)
        return STATUS(NOT_FOUND);
    TreeRecord record = record_decode(walker.item.value);
    *out = tree_record_copy(ctx, &record);
    return OK;
}
