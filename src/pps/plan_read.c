/* plan_read.c - looking at plans; see plan.h. Records are decoded into a scratch arena, one at a
 * time. */
#include "pps/plan_priv.h"

#include <stdio.h>

Str plan_todo_path(uint64_t position, char out[PLAN_TODO_PATH_SIZE])
{
    snprintf(out, PLAN_TODO_PATH_SIZE, "/%016llx", (unsigned long long)position);
    return (Str){ out, PLAN_TODO_PATH_SIZE - 1 };
}

typedef struct Walk {
    const TreeIo *io;
    TreeCursor *cursor;
    Scratch scratch;
    PlanFn fn;
    void *arg;
} Walk;

static void walk_open(Walk *walk, const Ctx *ctx, const TreeIo *io, const Hash *root, PlanFn fn,
                      void *arg)
{
    *walk = (Walk){ .io = io, .cursor = tree_cursor_new(io, root), .fn = fn, .arg = arg };
    scratch_open(&walk->scratch, ctx);
}

static void walk_done(Walk *walk)
{
    walk->cursor = tree_cursor_free(walk->cursor);
    scratch_done(&walk->scratch);
}

static Status walk_emit(Ctx *ctx, Walk *walk, const TreeRecord *stored)
{
    TRY(ctx_check(ctx));
    DatumRecord record;
    TRY(status_copy(ctx, record_load(scratch_turn(&walk->scratch), walk->io, stored, &record)));
    return walk->fn(walk->arg, ctx, &record);
}

static Status each_forward(Ctx *ctx, Walk *walk, const Hash *after)
{
    char path[RECORD_PATH_SIZE];
    Str from = after ? record_path(after, path) : STR("");
    TRY(tree_cursor_seek(ctx, walk->cursor, from, STR("")));
    for (;;) {
        const TreeEntry *entry = tree_cursor_entry(walk->cursor);
        if (!entry || str_cmp(entry->path, RECORD_MARKS) >= 0)
            return OK;
        if (!str_eq(entry->path, from))
            TRY(walk_emit(ctx, walk, &entry->record));
        TRY(tree_cursor_next(ctx, walk->cursor));
    }
}

static Status each_backward(Ctx *ctx, Walk *walk, const Hash *before)
{
    char path[RECORD_PATH_SIZE];
    TRY(tree_cursor_seek_before(ctx, walk->cursor,
                                before ? record_path(before, path) : RECORD_MARKS, STR("")));
    for (;;) {
        const TreeEntry *entry = tree_cursor_entry(walk->cursor);
        if (!entry)
            return OK;
        TRY(walk_emit(ctx, walk, &entry->record));
        TRY(tree_cursor_prev(ctx, walk->cursor));
    }
}

Status plan_each(Ctx *ctx, const TreeIo *io, const Hash *plan, const Hash *after, bool reverse,
                 PlanFn fn, void *arg)
{
    CLEANUP(walk_done) Walk walk;
    walk_open(&walk, ctx, io, plan, fn, arg);
    return reverse ? each_backward(ctx, &walk, after) : each_forward(ctx, &walk, after);
}

Status plan_get(Ctx *ctx, const TreeIo *io, const Hash *plan, const Hash *id, DatumRecord *out)
{
    char path[RECORD_PATH_SIZE];
    TreeRecord stored;
    TRY(tree_get(ctx, io, plan, record_path(id, path), STR(""), &stored));
    return record_load(ctx, io, &stored, out);
}

Status plan_count(Ctx *ctx, const TreeIo *io, const Hash *plan, uint64_t *out)
{
    TreeSum sum;
    TRY(tree_sum(ctx, io, plan, STR(""), RECORD_MARKS, &sum));
    *out = sum.files;
    return OK;
}

/* The record a mark stands for. */
static Status emit_marked(Ctx *ctx, Walk *walk, const Hash *plan, Str mark_path)
{
    Hash id;
    if (!record_path_id(mark_path, &id))
        return FAIL(ctx, DATA_LOSS, "plan has a mark named '" STR_FMT "'", STR_ARG(mark_path));
    char path[RECORD_PATH_SIZE];
    TreeRecord stored;
    Ctx *turn = scratch_turn(&walk->scratch);
    TRY(status_copy(ctx, tree_get(turn, walk->io, plan, record_path(&id, path), STR(""), &stored)));
    DatumRecord record;
    TRY(status_copy(ctx, record_load(turn, walk->io, &stored, &record)));
    return walk->fn(walk->arg, ctx, &record);
}

Status plan_each_unsettled(Ctx *ctx, const TreeIo *io, const Hash *plan, PlanFn fn, void *arg)
{
    CLEANUP(walk_done) Walk walk;
    walk_open(&walk, ctx, io, plan, fn, arg);
    TRY(tree_cursor_seek(ctx, walk.cursor, RECORD_MARKS, STR("")));
    for (;;) {
        TRY(ctx_check(ctx));
        const TreeEntry *entry = tree_cursor_entry(walk.cursor);
        if (!entry)
            return OK;
        TRY(emit_marked(ctx, &walk, plan, entry->path));
        TRY(tree_cursor_next(ctx, walk.cursor));
    }
}

Status plan_each_todo(Ctx *ctx, const TreeIo *io, const Hash *todo, uint64_t from, uint64_t to,
                      PlanFn fn, void *arg)
{
    CLEANUP(walk_done) Walk walk;
    walk_open(&walk, ctx, io, todo, fn, arg);
    char from_path[PLAN_TODO_PATH_SIZE], to_path[PLAN_TODO_PATH_SIZE];
    Str end = plan_todo_path(to, to_path);
    TRY(tree_cursor_seek(ctx, walk.cursor, plan_todo_path(from, from_path), STR("")));
    for (;;) {
        const TreeEntry *entry = tree_cursor_entry(walk.cursor);
        if (!entry || str_cmp(entry->path, end) >= 0)
            return OK;
        TRY(walk_emit(ctx, &walk, &entry->record));
        TRY(tree_cursor_next(ctx, walk.cursor));
    }
}

/* --- comparing -------------------------------------------------------------------------------- */

typedef struct DiffWalk {
    const TreeIo *io;
    Scratch scratch;
    PlanDiffFn fn;
    void *arg;
} DiffWalk;

static void diff_walk_done(DiffWalk *walk)
{
    scratch_done(&walk->scratch);
}

static Status on_diff(void *arg, Ctx *ctx, const TreeEntry *old_entry, const TreeEntry *new_entry)
{
    DiffWalk *walk = arg;
    Ctx *turn = scratch_turn(&walk->scratch);
    DatumRecord old_record, new_record;
    if (old_entry)
        TRY(status_copy(ctx, record_load(turn, walk->io, &old_entry->record, &old_record)));
    if (new_entry)
        TRY(status_copy(ctx, record_load(turn, walk->io, &new_entry->record, &new_record)));
    return walk->fn(walk->arg, ctx, old_entry ? &old_record : NULL, new_entry ? &new_record : NULL);
}

Status plan_diff(Ctx *ctx, const TreeIo *io, const Hash *old_plan, const Hash *new_plan,
                 PlanDiffFn fn, void *arg)
{
    CLEANUP(diff_walk_done) DiffWalk walk = { .io = io, .fn = fn, .arg = arg };
    scratch_open(&walk.scratch, ctx);
    return tree_diff(ctx, io, old_plan, new_plan, STR(""), RECORD_MARKS, on_diff, &walk);
}
