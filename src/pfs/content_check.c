/* content_check.c - the rules of §13.4, looked at only where a layer touched.
 *
 * The result is walked along with the layer: where they stand close together by stepping, else by a
 * jump. What was stepped over was seen, so a collision within one stretch is found by the watch
 * alone; that makes a big layer a plain scan. Two things lie outside the stretch and are probed by
 * seeks: files above a path, before the stretch began, and files below a path, behind others that
 * only share its first letters
 * ("/a", "/a.txt", "/a/x"). */
#include "base/text.h"
#include "pfs/collision.h"
#include "pfs/content_priv.h"

typedef struct Check {
    TreeCursor *total; /* steps and jumps */
    TreeCursor *probe; /* looks aside */
    CollisionWatch watch;
    bool placed;
    Buf stretch; /* path where the stretch that `total` stands in began */
    Buf last;    /* the path that was checked last */
    Str worst;   /* path of the first collision found, in path order; its text is: */
    const char *error;
} Check;

/* How far stepping is thought cheaper than a jump, in entries. */
#define STEPS_MAX 8

static void check_done(Check *check)
{
    tree_cursor_free(check->total);
    tree_cursor_free(check->probe);
    collision_watch_done(&check->watch);
    buf_done(&check->stretch);
    buf_done(&check->last);
}

static void report(Ctx *ctx, Check *check, Str path, const char *error)
{
    if (check->error && str_cmp(check->worst, path) <= 0)
        return;
    check->worst = str(str_z(ctx->arena, path));
    check->error = error;
}

static void observe(Ctx *ctx, Check *check)
{
    const TreeEntry *entry = tree_cursor_entry(check->total);
    const char *error = entry ? collision_watch_next(ctx, &check->watch, entry) : NULL;
    if (error)
        report(ctx, check, entry->path, error);
}

static Status step(Ctx *ctx, Check *check)
{
    TRY(tree_cursor_next(ctx, check->total));
    observe(ctx, check);
    return OK;
}

/* Reports the first file below `path`, which is a file itself, if there is one. */
static Status probe_below(Ctx *ctx, Check *check, Str path)
{
    Str dir = str(text_printf(ctx->arena, STR_FMT "/", STR_ARG(path)));
    TRY(tree_cursor_seek(ctx, check->probe, dir, STR("")));
    const TreeEntry *entry = tree_cursor_entry(check->probe);
    if (entry && str_starts(entry->path, dir))
        report(ctx, check, entry->path, collision_text(ctx, entry->path));
    return OK;
}

/* Looks by `cursor` for files above the path, as far as they lie before the stretch. */
static Status probe_above(Ctx *ctx, Check *check, TreeCursor *cursor, Str path)
{
    Str last = buf_str(&check->last);
    for (size_t i = 1; i < path.size; i++) {
        if (path.data[i] != '/')
            continue;
        bool known = str_starts(last, str_sub(path, 0, i + 1));
        Str above = str_sub(path, 0, i);
        if (known || str_cmp(above, buf_str(&check->stretch)) >= 0)
            continue;
        TRY(tree_cursor_seek(ctx, cursor, above, STR("")));
        const TreeEntry *entry = tree_cursor_entry(cursor);
        if (entry && str_eq(entry->path, above))
            TRY(probe_below(ctx, check, above));
    }
    return OK;
}

/* The probes above come first, by the cursor that moves anyway: what they read is mostly what it
 * reads then. */
static Status jump(Ctx *ctx, Check *check, Str path)
{
    buf_clear(&check->stretch);
    buf_add_str(&check->stretch, path);
    TRY(probe_above(ctx, check, check->total, path));
    TRY(tree_cursor_seek(ctx, check->total, path, STR("")));
    collision_watch_restart(&check->watch);
    check->placed = true;
    observe(ctx, check);
    return OK;
}

/* By steps, or by a jump. */
static Status move_to(Ctx *ctx, Check *check, Str path)
{
    for (int i = 0; check->placed && i < STEPS_MAX; i++) {
        const TreeEntry *entry = tree_cursor_entry(check->total);
        if (!entry)
            break;
        if (str_cmp(entry->path, path) >= 0)
            return probe_above(ctx, check, check->probe, path);
        TRY(step(ctx, check));
    }
    return jump(ctx, check, path);
}

static Status check_path(Ctx *ctx, Check *check, Str path)
{
    TRY(move_to(ctx, check, path));
    const TreeEntry *entry;
    do {
        TRY(step(ctx, check));
        entry = tree_cursor_entry(check->total);
    } while (entry && str_eq(entry->path, path));
    if (entry && str_starts(entry->path, path) && entry->path.data[path.size] != '/')
        TRY(probe_below(ctx, check, path));
    buf_clear(&check->last);
    buf_add_str(&check->last, path);
    return OK;
}

static Status check_layer(Ctx *ctx, Check *check, TreeCursor *layer)
{
    TRY(tree_cursor_seek(ctx, layer, STR(""), STR("")));
    for (const TreeEntry *entry; (entry = tree_cursor_entry(layer));) {
        if (entry->record.op != TREE_DELETE && !str_eq(entry->path, buf_str(&check->last))) {
            ArenaMark mark = arena_mark(ctx->arena);
            const char *error = check->error;
            TRY(check_path(ctx, check, entry->path));
            if (check->error == error)
                arena_rewind(ctx->arena, mark);
        }
        TRY(tree_cursor_next(ctx, layer));
    }
    return OK;
}

/* The layer is all there is: one walk, and what it finds first is the first. */
static Status check_all(Ctx *ctx, Check *check)
{
    TRY(jump(ctx, check, STR("")));
    while (!check->error && tree_cursor_entry(check->total))
        TRY(step(ctx, check));
    return OK;
}

Status content_check(Ctx *ctx, Content *content, const Hash *layer, const Hash *total,
                     const char **out_error)
{
    CLEANUP(tree_cursor_freep) TreeCursor *cursor = tree_cursor_new(&content->io, layer);
    CLEANUP(check_done)
    Check check = { .total = tree_cursor_new(&content->io, total),
                    .probe = tree_cursor_new(&content->io, total) };
    TRY(hash_eq(layer, total) ? check_all(ctx, &check) : check_layer(ctx, &check, cursor));
    *out_error = check.error ? check.error : "";
    return OK;
}
