/* collision.c - see collision.h. */
#include "pfs/collision.h"

#include "base/text.h"

void collision_watch_done(CollisionWatch *watch)
{
    buf_done(&watch->path);
    buf_done(&watch->tag);
}

void collision_watch_restart(CollisionWatch *watch)
{
    buf_clear(&watch->path);
    buf_clear(&watch->tag);
    watch->n = 0;
}

const char *collision_text(Ctx *ctx, Str path)
{
    return text_printf(ctx->arena, "file / directory path collision (" STR_FMT ")", STR_ARG(path));
}

static const char *duplicate_text(Ctx *ctx, Str path, Str tag, Str other_tag)
{
    return text_printf(ctx->arena,
                       "duplicate path output by different datums (" STR_FMT " from " STR_FMT
                       " and " STR_FMT " from " STR_FMT ")",
                       STR_ARG(path), STR_ARG(tag), STR_ARG(path), STR_ARG(other_tag));
}

/* Forgets the files whose path does not begin `path`. */
static void keep_prefixes(CollisionWatch *watch, Str path)
{
    Str last = buf_str(&watch->path);
    while (watch->n > 0 && !str_starts(path, str_sub(last, 0, watch->lengths[watch->n - 1])))
        watch->n--;
}

static bool has_file_above(const CollisionWatch *watch, Str path)
{
    for (size_t i = 0; i < watch->n; i++)
        if (watch->lengths[i] < path.size && path.data[watch->lengths[i]] == '/')
            return true;
    return false;
}

static void note_file(CollisionWatch *watch, const TreeEntry *entry)
{
    buf_clear(&watch->path);
    buf_add_str(&watch->path, entry->path);
    buf_clear(&watch->tag);
    buf_add_str(&watch->tag, entry->tag);
    if (entry->path.size <= TREE_PATH_MAX && watch->n < TREE_PATH_MAX)
        watch->lengths[watch->n++] = (uint16_t)entry->path.size;
}

const char *collision_watch_next(Ctx *ctx, CollisionWatch *watch, const TreeEntry *entry)
{
    const char *error = NULL;
    keep_prefixes(watch, entry->path);
    if (watch->n > 0 && watch->lengths[watch->n - 1] == entry->path.size) {
        error = duplicate_text(ctx, entry->path, buf_str(&watch->tag), entry->tag);
        watch->n--;
    } else if (has_file_above(watch, entry->path)) {
        error = collision_text(ctx, entry->path);
    }
    note_file(watch, entry);
    return error;
}
