/* cursor.c - the public cursor: a walker that always stands on an entry, before the first, or after
 * the last. */
#include "tree/tree_priv.h"

#include <stdlib.h>

typedef enum CursorPlace { CURSOR_BEFORE, CURSOR_ON, CURSOR_AFTER } CursorPlace;

struct TreeCursor {
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
    return cursor;
}

TreeCursor *tree_cursor_free(TreeCursor *cursor)
{
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
    cursor->place = CURSOR_AFTER;
    TRY(walker_seek(ctx, &cursor->walker, path, tag));
    return cursor_settle(ctx, cursor, CURSOR_AFTER);
}

Status tree_cursor_seek_end(Ctx *ctx, TreeCursor *cursor)
{
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
    return cursor->place == CURSOR_ON ? &cursor->entry : NULL;
}

static TreeRecord record_copy(Ctx *ctx, const TreeRecord *record)
{
    TreeRecord copy = *record;
    copy.data.data = arena_memdup(ctx->arena, record->data.data, record->data.size);
    return copy;
}

Status tree_get(Ctx *ctx, const TreeIo *io, const Hash *root, Str path, Str tag, TreeRecord *out)
{
    CLEANUP(walker_done) TreeWalker walker;
    walker_init(&walker, io, root, STR(""));
    TRY(walker_seek(ctx, &walker, path, tag));
    TreeItem wanted = { .path = path, .tag = tag };
    if (walker.at_end || item_cmp(&walker.item, &wanted) != 0)
        return STATUS(NOT_FOUND);
    TreeRecord record = record_decode(walker.item.value);
    *out = record_copy(ctx, &record);
    return OK;
}
