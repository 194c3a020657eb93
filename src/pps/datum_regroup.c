/* datum_regroup.c - what a change of files does to joins and groups; see datum.h.
 *
 * A file has one key, which its path alone gives. A changed file touches the datums of its key and
 * no others. So of each child all files with a touched key are found, as they are now; with the
 * changed ones as they were before, that is what was there. Both are matched: what was is gone,
 * what is comes.
 *
 * Files with a key are found by patterns that the key narrows the glob to. Where the text of the
 * key does not stand right after the glob's fixed beginning, that would look at everything for each
 * key: then the child is listed once.
 */
#include "pps/datum_priv.h"

#include <stdlib.h>

#define PATTERNS_MAX 64   /* ways in which a key may have come about */
#define LISTINGS_MAX 4096 /* narrow ones of a child; more, and all is listed once */

typedef struct Keys {
    Str *items; /* on the heap; texts in ctx's arena */
    size_t n, capacity;
} Keys;

/* One child. */
typedef struct Side {
    const PpsV2__Input *node;
    DatumLeaf leaf;
    DatumList put;    /* changed files that are there */
    DatumList before; /* changed files as they were */
    DatumList now;    /* all with a touched key */
} Side;

typedef struct Regroup {
    const InputSource *source;
    bool is_join;
    Side *sides; /* [n] */
    size_t n;
    Keys keys; /* touched; ascending once sorted */
} Regroup;

static void regroup_done(Regroup *self)
{
    for (size_t i = 0; i < self->n; i++) {
        datum_leaf_done(&self->sides[i].leaf);
        datum_list_done(&self->sides[i].put);
        datum_list_done(&self->sides[i].before);
        datum_list_done(&self->sides[i].now);
    }
    free(self->keys.items);
}

/* --- touched keys ----------------------------------------------------------------------------- */

static Str key_of(const Regroup *self, const Datum *datum)
{
    return self->is_join ? datum->inputs[0]->join_on : datum->inputs[0]->group_by;
}

static const char *key_text(const Regroup *self, const Side *side)
{
    return self->is_join ? side->leaf.from->join_on : side->leaf.from->group_by;
}

static Status touch(Regroup *self, const DatumList *list)
{
    Keys *keys = &self->keys;
    Str *grown = reallocarray(keys->items, keys->n + list->n + 1, sizeof(*grown));
    if (!grown)
        return STATUS(RESOURCE_EXHAUSTED);
    keys->items = grown;
    for (size_t i = 0; i < list->n; i++)
        keys->items[keys->n++] = key_of(self, &list->items[i]);
    return OK;
}

static int key_cmp(const void *a, const void *b)
{
    return str_cmp(*(const Str *)a, *(const Str *)b);
}

static void sort_keys(Keys *keys)
{
    size_t kept = 0;
    if (keys->n)
        qsort(keys->items, keys->n, sizeof(*keys->items), key_cmp);
    for (size_t i = 0; i < keys->n; i++)
        if (!kept || !str_eq(keys->items[i], keys->items[kept - 1]))
            keys->items[kept++] = keys->items[i];
    keys->n = kept;
}

static bool is_touched(const Regroup *self, Str key)
{
    return bsearch(&key, self->keys.items, self->keys.n, sizeof(Str), key_cmp) != NULL;
}

/* --- what changed ----------------------------------------------------------------------------- */

typedef struct SideWalk {
    Regroup *regroup;
    Side *side;
} SideWalk;

/* How the file of a changed datum was before; what was not there leaves no trace. */
static Status keep_before(void *arg, Ctx *ctx, const Datum *datum)
{
    SideWalk *walk = arg;
    const InputSource *source = walk->regroup->source;
    Side *side = walk->side;
    Str path = datum->inputs[0]->path;
    Ctx *scratch = &side->leaf.scratch;
    ArenaMark mark = arena_mark(scratch->arena);
    PfsMatch match;
    Status s = source->stat_before(source->self, scratch, side->leaf.from, path, &match);
    bool was_there = status_ok(s) && match.is_dir == str_ends(path, STR("/"));
    if (status_ok(s) && was_there)
        s = datum_leaf_emit(ctx, &side->leaf, &match, datum_list_add, &side->before);
    else
        s = s.code == STATUS_NOT_FOUND ? OK : status_copy(ctx, s);
    arena_rewind(scratch->arena, mark);
    return s;
}

static Status keep_put(void *arg, Ctx *ctx, const Datum *datum)
{
    SideWalk *walk = arg;
    TRY(datum_list_add(&walk->side->put, ctx, datum));
    return keep_before(arg, ctx, datum);
}

static Status find_changes(Ctx *ctx, Regroup *self, Side *side)
{
    SideWalk walk = { self, side };
    TRY(datum_leaf_open(ctx, side->node, &side->leaf));
    TRY(datum_each_change(ctx, self->source, side->node, keep_put, keep_before, &walk));
    datum_list_sort(&side->put);
    TRY(touch(self, &side->put));
    return touch(self, &side->before);
}

/* --- all that has a touched key --------------------------------------------------------------- */

typedef struct Patterns {
    Str *items; /* in ctx's arena */
    size_t n;
} Patterns;

/* Does the narrowed pattern begin with more than the glob does? Else listing it walks as much. */
static Status is_narrow(Ctx *ctx, const Side *side, Str pattern, bool *out)
{
    const Glob *glob;
    TRY(glob_compile(ctx, pattern, &glob));
    *out = glob_prefix(glob).size > glob_prefix(side->leaf.glob).size;
    return OK;
}

static Status add_patterns(Ctx *ctx, const Regroup *self, const Side *side, Str key,
                           Patterns *patterns, bool *out_known)
{
    size_t n, max = MIN((size_t)PATTERNS_MAX, LISTINGS_MAX - patterns->n);
    Str *found = patterns->items + patterns->n;
    *out_known = glob_narrow(ctx, side->leaf.glob, str(key_text(self, side)), key, found, max, &n);
    for (size_t i = 0; *out_known && i < n; i++)
        TRY(is_narrow(ctx, side, found[i], out_known));
    patterns->n += *out_known ? n : 0;
    return OK;
}

/* Patterns that together find all files with a touched key: the glob's own when nothing narrower
 * does. */
static Status find_patterns(Ctx *ctx, const Regroup *self, const Side *side, Patterns *out)
{
    bool known = true;
    *out = (Patterns){ ARENA_NEW(ctx->arena, Str, LISTINGS_MAX + 1), 0 };
    if (!out->items)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; known && i < self->keys.n; i++)
        TRY(add_patterns(ctx, self, side, self->keys.items[i], out, &known));
    if (!known) {
        out->items[0] = glob_pattern(side->leaf.glob);
        out->n = 1;
    }
    return OK;
}

static Status keep_touched(void *arg, Ctx *ctx, const Datum *datum)
{
    SideWalk *walk = arg;
    if (!is_touched(walk->regroup, key_of(walk->regroup, datum)))
        return OK;
    return datum_list_add(&walk->side->now, ctx, datum);
}

/* A narrowed pattern may find what the glob does not. */
static Status on_match(void *arg, Ctx *ctx, const PfsMatch *match)
{
    SideWalk *walk = arg;
    TRY(ctx_check(ctx));
    if (!glob_match(walk->side->leaf.glob, match->path))
        return OK;
    return datum_leaf_emit(ctx, &walk->side->leaf, match, keep_touched, walk);
}

static Status find_now(Ctx *ctx, Regroup *self, Side *side)
{
    SideWalk walk = { self, side };
    Patterns patterns;
    TRY(find_patterns(ctx, self, side, &patterns));
    for (size_t i = 0; i < patterns.n; i++) {
        PpsV2__PFSInput narrowed = *side->leaf.from;
        narrowed.glob = str_z(ctx->arena, patterns.items[i]);
        TRY(self->source->list(self->source->self, ctx, &narrowed, on_match, &walk));
    }
    datum_list_sort(&side->now);
    return OK;
}

static bool has_id(const DatumList *sorted, const Hash *id)
{
    size_t low = 0, high = sorted->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (hash_cmp(&sorted->items[middle].id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sorted->n && hash_eq(&sorted->items[low].id, id);
}

/* What is there now, but for what changed; and that as it was. */
static Status find_then(const Side *side, DatumList *out)
{
    TRY(datum_list_concat(&side->now, &side->before, out));
    size_t kept = 0;
    for (size_t i = 0; i < out->n; i++)
        if (i >= side->now.n || !has_id(&side->put, &out->items[i].id))
            out->items[kept++] = out->items[i];
    out->n = kept;
    datum_list_sort(out);
    return OK;
}

/* --- both matched ----------------------------------------------------------------------------- */

static Status match_before(Ctx *ctx, Regroup *self, DatumFn gone, void *arg)
{
    CLEANUP(datum_lists_done) DatumLists lists = { 0 };
    TRY(datum_lists_new(ctx, self->n, &lists));
    for (size_t i = 0; i < self->n; i++)
        TRY(find_then(&self->sides[i], &lists.items[i]));
    return datum_match(ctx, &lists, self->is_join, gone, arg);
}

static Status match_now(Ctx *ctx, Regroup *self, DatumFn put, void *arg)
{
    DatumLists lists = { ARENA_NEW(ctx->arena, DatumList, self->n), self->n };
    if (!lists.items)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < self->n; i++)
        lists.items[i] = self->sides[i].now; /* which stays its owner */
    return datum_match(ctx, &lists, self->is_join, put, arg);
}

Status datum_regroup(Ctx *ctx, const InputSource *source, const PpsV2__Input *node, DatumFn put,
                     DatumFn gone, void *arg)
{
    InputChildren children = input_children(node);
    CLEANUP(regroup_done)
    Regroup self = { .source = source,
                     .is_join = input_kind(node) == INPUT_JOIN,
                     .sides = ARENA_NEW(ctx->arena, Side, children.n) };
    if (!self.sides)
        return STATUS(RESOURCE_EXHAUSTED);
    self.n = children.n;
    for (size_t i = 0; i < self.n; i++)
        self.sides[i].node = children.items[i];
    for (size_t i = 0; i < self.n; i++)
        TRY(find_changes(ctx, &self, &self.sides[i]));
    sort_keys(&self.keys);
    if (!self.keys.n)
        return OK;
    for (size_t i = 0; i < self.n; i++)
        TRY(find_now(ctx, &self, &self.sides[i]));
    TRY(match_before(ctx, &self, gone, arg));
    return match_now(ctx, &self, put, arg);
}
