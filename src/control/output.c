/* output.c - a job's output as a layer over what its base wrote (§11.3): for each datum that
 * changed, its old files go and its new ones come. Cost follows the changed datums' files. */
#include "control/control_priv.h"
#include "pfs/write.h"

typedef struct OutputWalk {
    Control *control;
    PfsWriter *writer;
} OutputWalk;

/* The tag of a datum's files is its id: so that one datum's files can be told from another's. */
static Str tag_of(const Hash *id, char out[HASH_HEX_SIZE])
{
    return str(hash_hex(id, out));
}

static Status each_file(Ctx *ctx, OutputWalk *walk, const Hash *output, Str tag, bool remove)
{
    CLEANUP(tree_cursor_freep)
    TreeCursor *cursor = tree_cursor_new(&walk->control->content.io, output);
    TRY(tree_cursor_seek(ctx, cursor, STR(""), STR("")));
    for (const TreeEntry *entry; (entry = tree_cursor_entry(cursor));) {
        ArenaMark mark = arena_mark(ctx->arena);
        if (remove)
            TRY(pfs_writer_delete(ctx, walk->writer, entry->path, tag));
        else
            TRY(pfs_writer_put_record(ctx, walk->writer, entry->path, tag, &entry->record));
        TRY(tree_cursor_next(ctx, cursor));
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}

static bool has_output(const DatumRecord *record)
{
    return record && record->head.state == RECORD_PROCESSED &&
           !hash_is_zero(&record->head.output_root);
}

static Status see_change(void *arg, Ctx *ctx, const DatumRecord *old_record,
                         const DatumRecord *new_record)
{
    OutputWalk *walk = arg;
    bool had = has_output(old_record), has = has_output(new_record);
    if (had && has && hash_eq(&old_record->head.output_root, &new_record->head.output_root))
        return OK;
    char hex[HASH_HEX_SIZE];
    Str tag = tag_of(new_record ? &new_record->datum.id : &old_record->datum.id, hex);
    if (had)
        TRY(each_file(ctx, walk, &old_record->head.output_root, tag, true));
    if (has)
        TRY(each_file(ctx, walk, &new_record->head.output_root, tag, false));
    return OK;
}

Status control_output_layer(Ctx *ctx, Control *control, const Hash *base_plan, const Hash *plan,
                            Hash *out_layer)
{
    CLEANUP(pfs_writer_freep) PfsWriter *writer = pfs_writer_new(pps_pfs(control->pps));
    OutputWalk walk = { control, writer };
    TRY(plan_diff(ctx, &control->content.io, base_plan, plan, see_change, &walk));
    return pfs_writer_layer(ctx, writer, out_layer);
}
