/* meta_parts.c - what a datum consists of, as parts of trees under other names. */
#include <stdlib.h>

#include "base/text.h"
#include "control/meta_priv.h"

/* --- where inputs are ------------------------------------------------------------------------- */

typedef struct MetaView {
    const char *project, *repo, *type, *set_id;
    bool is_there;
    PfsView view;
    struct MetaView *next;
} MetaView;

void meta_views_done(MetaViews *views)
{
    arena_free(views->arena);
    *views = (MetaViews){ 0 };
}

static bool is_view_of(const MetaView *view, const PpsV2__PFSInput *from, const char *set_id)
{
    return strcmp(view->set_id, set_id) == 0 && strcmp(view->repo, from->repo) == 0 &&
           strcmp(view->project, from->project) == 0 && strcmp(view->type, from->repo_type) == 0;
}

static Status open_view(const Ctx *of, const MetaSource *source, MetaViews *views,
                        const PpsV2__PFSInput *from, const char *set_id, MetaView **out)
{
    if (!views->arena)
        views->arena = arena_new(0);
    Ctx into = *of;
    into.arena = views->arena;
    MetaView *view = ARENA_ONE(views->arena, MetaView);
    *view = (MetaView){ .project = arena_strdup(views->arena, from->project),
                        .repo = arena_strdup(views->arena, from->repo),
                        .type = arena_strdup(views->arena, from->repo_type),
                        .set_id = arena_strdup(views->arena, set_id),
                        .next = views->first };
    Status s = pps_input_view(&into, source->control->pps, from, set_id, &view->view);
    view->is_there = status_ok(s);
    if (!status_ok(s) && s.code != STATUS_NOT_FOUND)
        return s;
    views->first = view;
    *out = view;
    return OK;
}

static Status find_view(Ctx *ctx, const MetaSource *source, MetaViews *views,
                        const PpsV2__PFSInput *from, const char *set_id, MetaView **out)
{
    for (MetaView *view = views->first; view; view = view->next) {
        if (is_view_of(view, from, set_id)) {
            *out = view;
            return OK;
        }
    }
    return status_copy(ctx, open_view(ctx, source, views, from, set_id, out));
}

/* --- one input -------------------------------------------------------------------------------- */

static TreeRecord text_record(Bytes text)
{
    return (
        TreeRecord){ .form = TREE_INLINE, .size = text.size, .hash = hash_of(text), .data = text };
}

/* Does the view have what the datum read? */
static Status look_at_file(Ctx *ctx, const PfsView *view, const DatumInput *input, MetaPart *part,
                           bool *out_found)
{
    CLEANUP(tree_cursor_freep)
    TreeCursor *cursor = tree_cursor_new(&view->content->io, &view->root);
    TRY(tree_cursor_seek(ctx, cursor, input->path, STR("")));
    const TreeEntry *entry = tree_cursor_entry(cursor);
    *out_found =
        entry && str_eq(entry->path, input->path) && hash_eq(&entry->record.hash, &input->hash);
    if (*out_found)
        part->record = tree_record_copy(ctx, &entry->record);
    return OK;
}

static Status look_at_dir(Ctx *ctx, const PfsView *view, const DatumInput *input, MetaPart *part,
                          bool *out_found)
{
    PfsMatch match;
    Status s = pfs_view_stat(ctx, view, input->path, &match);
    *out_found = status_ok(s) && match.is_dir && hash_eq(&match.hash, &input->hash);
    part->io = &view->content->io;
    part->root = view->root;
    part->inner = input->path;
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

/* In the job's own commit of the input, or (a reference input's may differ) in that of the job
 * that ran the datum. */
static Status find_input(Ctx *ctx, const MetaSource *source, MetaViews *views,
                         const DatumInput *input, MetaPart *part, bool *out_found)
{
    const char *const sets[] = { source->job.set_id, input->from->commit };
    *out_found = false;
    for (size_t i = 0; i < ARRAY_LEN(sets) && !*out_found; i++) {
        MetaView *view = NULL;
        TRY(find_view(ctx, source, views, input->from, sets[i], &view));
        if (view->is_there)
            TRY((input->is_dir ? look_at_dir : look_at_file)(ctx, &view->view, input, part,
                                                             out_found));
    }
    return OK;
}

static bool is_shown(const DatumInput *input)
{
    return !input->from->lazy && !input->from->s3;
}

static Status add_input(Ctx *ctx, const MetaSource *source, MetaViews *views, const char *dir,
                        const DatumInput *input, MetaPart *part, bool *out_found)
{
    *out_found = false;
    if (!is_shown(input))
        return OK;
    *part = (MetaPart){ .path = str(text_printf(ctx->arena, "%s%s" STR_FMT, dir, input->from->name,
                                                STR_ARG(input->path))),
                        .is_dir = input->is_dir,
                        .is_empty = input->from->empty_files };
    TRY(find_input(ctx, source, views, input, part, out_found));
    if (part->is_empty && !part->is_dir)
        part->record = text_record((Bytes){ 0 });
    return OK;
}

/* --- all of a datum --------------------------------------------------------------------------- */

static int compare_parts(const void *a, const void *b)
{
    return str_cmp(((const MetaPart *)a)->path, ((const MetaPart *)b)->path);
}

/* In order; what another part has already (a file of a directory that is an input too) goes. */
static size_t sort_parts(MetaPart *parts, size_t n)
{
    if (n)
        qsort(parts, n, sizeof(*parts), compare_parts);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const MetaPart *last = kept ? &parts[kept - 1] : NULL;
        if (last && (str_eq(last->path, parts[i].path) ||
                     (last->is_dir && str_starts(parts[i].path, last->path))))
            continue;
        parts[kept++] = parts[i];
    }
    return kept;
}

static Status make_meta(Ctx *ctx, const MetaSource *source, const DatumRecord *record,
                        const char *dir, MetaPart *part)
{
    Bytes text;
    TRY(meta_json(ctx, source, record, &text));
    *part = (MetaPart){ .path = str(text_printf(ctx->arena, "%smeta", dir)),
                        .record = text_record(text) };
    return OK;
}

static Status make_env(Ctx *ctx, const MetaSource *source, const DatumRecord *record,
                       const char *dir, MetaPart *part)
{
    Bytes text;
    TRY(meta_env(ctx, source, record, &text));
    *part = (MetaPart){ .path = str(text_printf(ctx->arena, "%s.env", dir)),
                        .record = text_record(text) };
    return OK;
}

static MetaPart output_part(Ctx *ctx, const MetaSource *source, const DatumRecord *record,
                            const char *dir)
{
    return (MetaPart){ .path = str(text_printf(ctx->arena, "%sout/", dir)),
                       .is_dir = true,
                       .io = &source->control->content.io,
                       .root = record->head.output_root,
                       .inner = STR("/") };
}

static Status make_files(Ctx *ctx, const MetaSource *source, MetaViews *views,
                         const DatumRecord *record, const char *dir, MetaPart *parts, size_t *n)
{
    TRY(make_env(ctx, source, record, dir, &parts[(*n)++]));
    for (size_t i = 0; i < record->datum.input_count; i++) {
        bool found;
        TRY(add_input(ctx, source, views, dir, record->datum.inputs[i], &parts[*n], &found));
        *n += found;
    }
    if (!hash_is_zero(&record->head.output_root))
        parts[(*n)++] = output_part(ctx, source, record, dir);
    *n = sort_parts(parts, *n);
    return OK;
}

Status meta_parts(Ctx *ctx, const MetaSource *source, MetaViews *views, MetaSection section,
                  const DatumRecord *record, MetaPart **out, size_t *out_n)
{
    char id[HASH_HEX_SIZE];
    const char *dir = text_printf(ctx->arena, "%s%s/", meta_sections[section].data,
                                  hash_hex(&record->datum.id, id));
    MetaPart *parts = ARENA_NEW(ctx->arena, MetaPart, record->datum.input_count + 2);
    if (!parts)
        return STATUS(RESOURCE_EXHAUSTED);
    *out = parts;
    *out_n = 0;
    if (section == META_SECTION_PFS)
        return make_files(ctx, source, views, record, dir, parts, out_n);
    *out_n = 1;
    return make_meta(ctx, source, record, dir, parts);
}
