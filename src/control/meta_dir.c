/* meta_dir.c - sizes and hashes of the directories of a meta commit. */
#include "base/text.h"
#include "control/meta_priv.h"

/* The directories above all datums are summed while that is little work; of more datums their size
 * is not told (0), as it is nowhere kept. */
#define SUMMED_DATUMS_MAX 256

typedef struct DirSum {
    Str dir;
    Hasher *hasher;
    TreeSum sum;
} DirSum;

static void hash_text_of(DirSum *dir, Str text, const Hash *hash)
{
    hasher_add(dir->hasher, str_bytes(text));
    hasher_add(dir->hasher, bytes(hash->bytes, HASH_SIZE));
}

/* What of a directory part lies below the directory: all of it, or a directory inside it. */
static Status add_dir_part(Ctx *ctx, DirSum *dir, const MetaPart *part)
{
    Str inner = part->inner;
    if (!str_starts(part->path, dir->dir)) {
        if (!str_starts(dir->dir, part->path))
            return OK;
        inner = str_sub(dir->dir, part->path.size - part->inner.size, dir->dir.size);
    }
    Hash hash;
    TreeSum sum;
    TRY(tree_dir(ctx, part->io, &part->root, inner, &hash, &sum));
    if (!sum.files)
        return OK;
    dir->sum.files += sum.files;
    dir->sum.bytes += part->is_empty ? 0 : sum.bytes;
    hash_text_of(dir, part->path, &hash);
    return OK;
}

static Status add_part(Ctx *ctx, DirSum *dir, const MetaPart *part)
{
    if (part->is_dir)
        return add_dir_part(ctx, dir, part);
    if (!str_starts(part->path, dir->dir))
        return OK;
    dir->sum.files++;
    dir->sum.bytes += part->record.size;
    hash_text_of(dir, part->path, &part->record.hash);
    return OK;
}

static Status add_datum(Ctx *ctx, const MetaSource *source, MetaSection section,
                        const DatumRecord *record, DirSum *dir)
{
    CLEANUP(meta_views_done) MetaViews views = { 0 };
    MetaPart *parts;
    size_t n;
    TRY(meta_parts(ctx, source, &views, section, record, &parts, &n));
    for (size_t i = 0; i < n; i++)
        TRY(add_part(ctx, dir, &parts[i]));
    return OK;
}

/* Of a directory at or below that of one datum. */
static Status sum_datum(Ctx *ctx, const MetaSource *source, MetaSection section, Str id_text,
                        DirSum *dir)
{
    Hash id;
    DatumRecord record;
    if (!hash_parse(id_text, &id))
        return OK;
    Status s = plan_get(ctx, &source->control->content.io, &source->job.plan, &id, &record);
    if (s.code == STATUS_NOT_FOUND)
        return OK;
    TRY(s);
    return add_datum(ctx, source, section, &record, dir);
}

typedef struct SumAll {
    const MetaSource *source;
    DirSum *dir;
} SumAll;

static Status add_record(void *arg, Ctx *ctx, const DatumRecord *record)
{
    const SumAll *all = arg;
    for (MetaSection section = 0; section < META_SECTIONS; section++) {
        if (str_starts(meta_sections[section], all->dir->dir))
            TRY(add_datum(ctx, all->source, section, record, all->dir));
    }
    return OK;
}

/* Of "/", "/meta/" or "/pfs/": the plan says all that is below, and so names it. */
static Status sum_all(Ctx *ctx, const MetaSource *source, DirSum *dir)
{
    const TreeIo *io = &source->control->content.io;
    uint64_t datums;
    TRY(plan_count(ctx, io, &source->job.plan, &datums));
    SumAll all = { source, dir };
    if (datums <= SUMMED_DATUMS_MAX)
        return plan_each(ctx, io, &source->job.plan, NULL, false, add_record, &all);
    dir->sum.files = datums;
    hash_text_of(dir, dir->dir, &source->job.plan);
    return OK;
}

static Status sum_dir(Ctx *ctx, const MetaSource *source, DirSum *dir)
{
    for (MetaSection i = 0; i < META_SECTIONS; i++) {
        Str section = meta_sections[i];
        if (!str_starts(dir->dir, section) || dir->dir.size == section.size)
            continue;
        Str rest = str_sub(dir->dir, section.size, dir->dir.size);
        return sum_datum(ctx, source, i, str_sub(rest, 0, str_find(rest, '/')), dir);
    }
    bool above = str_starts(STR("/meta/"), dir->dir) || str_starts(STR("/pfs/"), dir->dir);
    return above ? sum_all(ctx, source, dir) : OK;
}

Status meta_dir(void *self, Ctx *ctx, Str path, Hash *out_hash, TreeSum *out_sum)
{
    const MetaSource *source = self;
    CLEANUP(hasher_freep) Hasher *hasher = hasher_new();
    DirSum dir = { .dir = path, .hasher = hasher };
    hasher_add(hasher, str_bytes(path));
    TRY(sum_dir(ctx, source, &dir));
    *out_sum = dir.sum;
    *out_hash = dir.sum.files ? hasher_finish(hasher) : (Hash){ 0 };
    return OK;
}
