/* fileset_shard.c - cuts a file set's paths into ranges of about equal size (§17.3). */
#include "codec/pb.h"
#include "pfs/content.h"
#include "pfs/write.h"

#define SHARD_FILES_DEFAULT 1000000
#define SHARD_BYTES_DEFAULT 1000000000

typedef struct Shards {
    uint64_t files_max, bytes_max;
    uint64_t files, bytes; /* of the shard that is filling */
    PfsV2__PathRange **items;
    size_t n, capacity;
} Shards;

static PfsV2__PathRange *open_shard(Ctx *ctx, Shards *shards, char *lower)
{
    if (shards->n == shards->capacity) {
        size_t capacity = MAX(2 * shards->capacity, 16);
        PfsV2__PathRange **items = arena_must(ctx->arena, capacity * sizeof(*items));
        if (shards->n > 0)
            memcpy(items, shards->items, shards->n * sizeof(*items));
        shards->items = items;
        shards->capacity = capacity;
    }
    PfsV2__PathRange *shard = PB_NEW(ctx, pfs_v2__path_range, PfsV2__PathRange);
    if (lower)
        shard->lower = lower;
    shards->files = shards->bytes = 0;
    return shards->items[shards->n++] = shard;
}

/* A full shard ends before the next path: so no shard is empty, and no path is in two. */
static void count_file(Ctx *ctx, Shards *shards, const TreeEntry *entry)
{
    if (shards->files >= shards->files_max || shards->bytes >= shards->bytes_max) {
        char *cut = str_z(ctx->arena, entry->path);
        shards->items[shards->n - 1]->upper = cut;
        open_shard(ctx, shards, cut);
    }
    shards->files++;
    shards->bytes += entry->record.size;
}

static Status count_files(Ctx *ctx, Content *content, const Hash *root, Shards *shards)
{
    CLEANUP(tree_cursor_freep) TreeCursor *cursor = tree_cursor_new(&content->io, root);
    TRY(tree_cursor_seek(ctx, cursor, STR(""), STR("")));
    for (const TreeEntry *entry; (entry = tree_cursor_entry(cursor));) {
        TRY(ctx_check(ctx));
        count_file(ctx, shards, entry);
        TRY(tree_cursor_next(ctx, cursor));
    }
    return OK;
}

static uint64_t threshold(int64_t asked, uint64_t normal)
{
    return asked > 0 ? (uint64_t)asked : normal;
}

Status pfs_fileset_shard(Ctx *ctx, Pfs *pfs, const PfsV2__ShardFileSetRequest *request,
                         PfsV2__ShardFileSetResponse **out)
{
    Shards shards = {
        .files_max = threshold(request->num_files, SHARD_FILES_DEFAULT),
        .bytes_max = threshold(request->size_bytes, SHARD_BYTES_DEFAULT),
    };
    Hash layer, root;
    TRY(pfs_fileset_roots(ctx, pfs, request->file_set_id, &layer, &root));
    open_shard(ctx, &shards, NULL);
    TRY(count_files(ctx, pfs_content(pfs), &root, &shards));
    *out = PB_NEW(ctx, pfs_v2__shard_file_set_response, PfsV2__ShardFileSetResponse);
    (*out)->n_shards = shards.n;
    (*out)->shards = shards.items;
    return OK;
}
