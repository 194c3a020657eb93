/* meta_walk.c - a position among the files of a meta commit: section, then datum, then part, then
 * (in a part that is a directory) a cursor of its tree. */
#include <stdio.h>
#include <stdlib.h>

#include "control/meta_priv.h"

typedef struct MetaPosition {
    const MetaSource *source;
    enum { META_BEFORE, META_ON, META_AFTER } place;
    MetaSection section;
    TreeCursor *plan; /* on the datum's record */
    MetaViews views;
    Arena *arena; /* of the datum at hand */
    char id[HASH_HEX_SIZE];
    MetaPart *parts; /* [count] */
    size_t count, part;
    TreeCursor *inner; /* of a part that is a directory */
    Buf path;
    TreeEntry entry;
} MetaPosition;

static void *walk_open(void *self)
{
    const MetaSource *source = self;
    MetaPosition *position = calloc(1, sizeof(*position));
    if (!position)
        abort();
    position->source = source;
    position->plan = tree_cursor_new(&source->control->content.io, &source->job.plan);
    return position;
}

static void walk_close(void *arg)
{
    MetaPosition *position = arg;
    tree_cursor_free(position->inner);
    tree_cursor_free(position->plan);
    meta_views_done(&position->views);
    arena_free(position->arena);
    buf_done(&position->path);
    free(position);
}

static const TreeEntry *walk_entry(const void *arg)
{
    const MetaPosition *position = arg;
    return position->place == META_ON ? &position->entry : NULL;
}

/* --- datums ----------------------------------------------------------------------------------- */

bool meta_is_record(const TreeEntry *entry)
{
    Hash id;
    return entry && !str_starts(entry->path, RECORD_MARKS) && record_path_id(entry->path, &id);
}

/* The datum that the plan's cursor is at, with its parts. */
static Status load_parts(Ctx *ctx, MetaPosition *position)
{
    const TreeEntry *entry = tree_cursor_entry(position->plan);
    arena_free(position->arena);
    position->arena = arena_new(0);
    Ctx into = *ctx;
    into.arena = position->arena;
    DatumRecord *record = ARENA_ONE(position->arena, DatumRecord);
    Status s = record_load(&into, &position->source->control->content.io, &entry->record, record);
    if (status_ok(s))
        s = meta_parts(&into, position->source, &position->views, position->section, record,
                       &position->parts, &position->count);
    TRY(status_copy(ctx, s));
    hash_hex(&record->datum.id, position->id);
    return OK;
}

/* The plan's cursor moved: takes up the datum that is there, if one is. */
static Status arrive_datum(Ctx *ctx, MetaPosition *position, bool *out_there)
{
    *out_there = meta_is_record(tree_cursor_entry(position->plan));
    position->count = 0;
    return *out_there ? load_parts(ctx, position) : OK;
}

static Status first_datum(Ctx *ctx, MetaPosition *position, bool *out_there)
{
    TRY(tree_cursor_seek(ctx, position->plan, STR("/"), STR("")));
    return arrive_datum(ctx, position, out_there);
}

static Status last_datum(Ctx *ctx, MetaPosition *position, bool *out_there)
{
    TRY(tree_cursor_seek_before(ctx, position->plan, RECORD_MARKS, STR("")));
    return arrive_datum(ctx, position, out_there);
}

/* --- parts ------------------------------------------------------------------------------------ */

/* What of a part's path stands before its path inside its tree. */
static Str part_base(const MetaPart *part)
{
    return str_sub(part->path, 0, part->path.size - part->inner.size);
}

static const TreeEntry *inner_entry(const MetaPosition *position)
{
    const TreeEntry *entry = tree_cursor_entry(position->inner);
    const MetaPart *part = &position->parts[position->part];
    return entry && str_starts(entry->path, part->inner) ? entry : NULL;
}

static void show(MetaPosition *position, Str base, Str path, const TreeRecord *record)
{
    buf_clear(&position->path);
    buf_add_str(&position->path, base);
    buf_add_str(&position->path, path);
    position->place = META_ON;
    position->entry = (TreeEntry){ .path = buf_str(&position->path),
                                   .tag = str(position->id),
                                   .record = *record };
}

/* The entry of the part at hand becomes the position's; false when the part has none (any more). */
static bool show_part(MetaPosition *position)
{
    const MetaPart *part = &position->parts[position->part];
    if (!part->is_dir) {
        show(position, STR(""), part->path, &part->record);
        return true;
    }
    const TreeEntry *entry = inner_entry(position);
    const TreeRecord empty = { .form = TREE_INLINE, .hash = hash_of((Bytes){ 0 }) };
    if (entry)
        show(position, part_base(part), entry->path, part->is_empty ? &empty : &entry->record);
    return entry != NULL;
}

static void open_inner(MetaPosition *position)
{
    const MetaPart *part = &position->parts[position->part];
    tree_cursor_free(position->inner);
    position->inner = part->is_dir ? tree_cursor_new(part->io, &part->root) : NULL;
}

/* To the first entry of the part that is not before `from` (a path of the view). */
static Status enter_from(Ctx *ctx, MetaPosition *position, size_t nth, Str from, bool *out_there)
{
    position->part = nth;
    open_inner(position);
    const MetaPart *part = &position->parts[nth];
    *out_there = part->is_dir || str_cmp(part->path, from) >= 0;
    if (!*out_there)
        return OK;
    if (part->is_dir) {
        bool inside = str_starts(from, part->path);
        Str inner = inside ? str_sub(from, part_base(part).size, from.size) : part->inner;
        if (!inside && str_cmp(from, part->path) > 0) {
            *out_there = false;
            return OK;
        }
        TRY(tree_cursor_seek(ctx, position->inner, inner, STR("")));
    }
    *out_there = show_part(position);
    return OK;
}

static Status enter_at_end(Ctx *ctx, MetaPosition *position, size_t nth, bool *out_there)
{
    position->part = nth;
    open_inner(position);
    const MetaPart *part = &position->parts[nth];
    if (part->is_dir) {
        ArenaMark mark = arena_mark(ctx->arena);
        TRY(tree_cursor_seek_before(ctx, position->inner, tree_dir_end(ctx, part->inner), STR("")));
        arena_rewind(ctx->arena, mark);
    }
    *out_there = show_part(position);
    return OK;
}

/* --- steps ------------------------------------------------------------------------------------ */

/* The next datum with entries, from the one at hand on whose parts before `nth` are done. */
static Status go_on(Ctx *ctx, MetaPosition *position, size_t nth)
{
    for (;;) {
        bool there = false;
        for (; nth < position->count; nth++) {
            TRY(enter_from(ctx, position, nth, STR(""), &there));
            if (there)
                return OK;
        }
        nth = 0;
        TRY(ctx_check(ctx));
        TRY(tree_cursor_next(ctx, position->plan));
        TRY(arrive_datum(ctx, position, &there));
        if (there)
            continue;
        if (position->section == META_SECTION_PFS)
            break;
        position->section = META_SECTION_PFS;
        TRY(first_datum(ctx, position, &there));
        if (!there)
            break;
    }
    position->place = META_AFTER;
    return OK;
}

/* The entry before, from the datum at hand on whose parts from `nth` on are done. */
static Status go_back(Ctx *ctx, MetaPosition *position, size_t nth)
{
    for (;;) {
        bool there = false;
        while (nth-- > 0) {
            TRY(enter_at_end(ctx, position, nth, &there));
            if (there)
                return OK;
        }
        TRY(ctx_check(ctx));
        TRY(tree_cursor_prev(ctx, position->plan));
        TRY(arrive_datum(ctx, position, &there));
        if (!there && position->section == META_SECTION_META)
            break;
        if (!there) {
            position->section = META_SECTION_META;
            TRY(last_datum(ctx, position, &there));
        }
        if (!there)
            break;
        nth = position->count;
    }
    position->place = META_BEFORE;
    return OK;
}

static Status begin(Ctx *ctx, MetaPosition *position)
{
    bool there;
    position->section = META_SECTION_META;
    TRY(first_datum(ctx, position, &there));
    if (there)
        return go_on(ctx, position, 0);
    position->place = META_AFTER;
    return OK;
}

static Status walk_next(void *arg, Ctx *ctx)
{
    MetaPosition *position = arg;
    if (position->place == META_BEFORE)
        return begin(ctx, position);
    if (position->place == META_AFTER)
        return OK;
    if (position->parts[position->part].is_dir) {
        TRY(tree_cursor_next(ctx, position->inner));
        if (show_part(position))
            return OK;
    }
    return go_on(ctx, position, position->part + 1);
}

static Status walk_end(void *arg, Ctx *ctx)
{
    MetaPosition *position = arg;
    bool there;
    position->section = META_SECTION_PFS;
    position->place = META_BEFORE;
    TRY(last_datum(ctx, position, &there));
    return there ? go_back(ctx, position, position->count) : OK;
}

static Status walk_prev(void *arg, Ctx *ctx)
{
    MetaPosition *position = arg;
    if (position->place == META_BEFORE)
        return OK;
    if (position->place == META_AFTER)
        return walk_end(arg, ctx);
    if (position->parts[position->part].is_dir) {
        TRY(tree_cursor_prev(ctx, position->inner));
        if (show_part(position))
            return OK;
    }
    return go_back(ctx, position, position->part);
}

/* --- seeking ---------------------------------------------------------------------------------- */

/* Where to look for a path: in which section, from which datum id on. False: after everything. */
static bool locate(Str path, MetaSection *out_section, Str *out_id)
{
    for (size_t i = 0; i < META_SECTIONS; i++) {
        Str section = meta_sections[i];
        *out_section = (MetaSection)i;
        *out_id = STR("");
        if (str_cmp(path, section) <= 0)
            return true;
        if (!str_starts(path, section))
            continue;
        Str rest = str_sub(path, section.size, path.size);
        size_t end = MIN(str_find(rest, '/'), (size_t)(HASH_HEX_SIZE - 1));
        *out_id = str_sub(rest, 0, end);
        return true;
    }
    return false;
}

/* To the datum's first entry that is not before path; else to what follows the datum. */
static Status seek_in_datum(Ctx *ctx, MetaPosition *position, Str path)
{
    for (size_t i = 0; i < position->count; i++) {
        bool there;
        TRY(enter_from(ctx, position, i, path, &there));
        if (there)
            return OK;
    }
    return go_on(ctx, position, position->count);
}

static Status seek_datum(Ctx *ctx, MetaPosition *position, Str id, bool *out_there)
{
    char path[RECORD_PATH_SIZE + 1];
    snprintf(path, sizeof(path), "/" STR_FMT, STR_ARG(id));
    TRY(tree_cursor_seek(ctx, position->plan, str(path), STR("")));
    return arrive_datum(ctx, position, out_there);
}

static Status walk_seek(void *arg, Ctx *ctx, Str path, Str tag)
{
    MetaPosition *position = arg;
    Str id;
    bool there;
    position->place = META_AFTER;
    if (!locate(path, &position->section, &id))
        return OK;
    TRY(seek_datum(ctx, position, id, &there));
    TRY(there ? seek_in_datum(ctx, position, path) : go_on(ctx, position, 0));
    const TreeEntry *entry = walk_entry(position);
    bool is_past = entry && str_eq(entry->path, path) && str_cmp(entry->tag, tag) < 0;
    return is_past ? walk_next(position, ctx) : OK;
}

const TreeSource meta_walk = {
    .open = walk_open,
    .close = walk_close,
    .seek = walk_seek,
    .next = walk_next,
    .prev = walk_prev,
    .end = walk_end,
    .entry = walk_entry,
    .dir = meta_dir,
};
