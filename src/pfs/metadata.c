/* metadata.c - what users note on projects, repos, branches and commits: a map of text to text. */
#include "base/text.h"
#include "pfs/pfs_priv.h"

static const char *const kind_names[] = {
    [PFS_PROJECT] = "project", [PFS_REPO] = "repo",         [PFS_BRANCH] = "branch",
    [PFS_COMMIT] = "commit",   [PFS_PIPELINE] = "pipeline", [PFS_CLUSTER] = "cluster",
};

/* --- reading ---------------------------------------------------------------------------------- */

/* All map entries of the API are alike: protobuf-c gives each type of its own the same members. */
typedef struct MapEntry {
    ProtobufCMessage base;
    char *key, *value;
} MapEntry;
static_assert(sizeof(MapEntry) == sizeof(PfsV2__CommitInfo__MetadataEntry), "a map entry");
static_assert(offsetof(MapEntry, value) == offsetof(PfsV2__CommitInfo__MetadataEntry, value), "");

Status metadata_entries(Ctx *ctx, PfsTx *tx, PfsObjectKind kind, int64_t object_id,
                        const ProtobufCMessageDescriptor *entry, PtrList *out)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx->db, &rows,
                 "SELECT name, value FROM pfs_metadata WHERE kind = ? AND object_id = ? "
                 "ORDER BY name",
                 "si", kind_names[kind], object_id));
    DB_EACH (ctx, &rows) {
        MapEntry *item = (MapEntry *)(void *)pb_new(ctx, entry);
        item->key = arena_strdup(ctx->arena, db_text(ctx, &rows, 0));
        item->value = arena_strdup(ctx->arena, db_text(ctx, &rows, 1));
        ptr_list_add(ctx, out, item);
    }
    return OK;
}

Status pfs_metadata_read(Ctx *ctx, PfsTx *tx, PfsObjectKind kind, int64_t id,
                         const ProtobufCMessageDescriptor *entry, void ***out, size_t *out_n)
{
    PtrList list = { 0 };
    TRY(metadata_entries(ctx, tx, kind, id, entry, &list));
    *out = list.items;
    *out_n = list.n;
    return OK;
}

/* --- picking ---------------------------------------------------------------------------------- */

Status pfs_pick_project(Ctx *ctx, PfsTx *tx, const PfsV2__ProjectPicker *picker, int64_t *out_id)
{
    if (!picker || picker->picker_case != PFS_V2__PROJECT_PICKER__PICKER_NAME)
        return FAIL(ctx, UNKNOWN, "project picker cannot be nil");
    const char *name = text_quote(ctx->arena, str(picker->name));
    return OR_MISSING(project_find(ctx, tx, picker->name, out_id),
                      FAIL(ctx, NOT_FOUND, "picking project: project %s not found", name));
}

Status pfs_pick_repo(Ctx *ctx, PfsTx *tx, const PfsV2__RepoPicker *picker, int64_t *out_id)
{
    RepoRow row;
    TRY(repo_pick(ctx, tx, picker, &row));
    *out_id = row.id;
    return OK;
}

Status pfs_pick_branch(Ctx *ctx, PfsTx *tx, const PfsV2__BranchPicker *picker, int64_t *out_id)
{
    BranchRow row;
    TRY(branch_pick(ctx, tx, picker, &row));
    *out_id = row.id;
    return OK;
}

/* --- changing --------------------------------------------------------------------------------- */

/* Waiters do not wait for notes, but the row's time says that it changed. */
static Status touch(Ctx *ctx, PfsTx *tx, PfsObjectKind kind, int64_t id)
{
    static const char *const statements[] = {
        [PFS_BRANCH] = "UPDATE pfs_branch SET updated_ns = ? WHERE id = ?",
        [PFS_COMMIT] = "UPDATE pfs_commit SET updated_ns = ? WHERE id = ?",
        [PFS_CLUSTER] = NULL,
    };
    const char *sql = statements[kind];
    return sql ? db_exec(ctx, tx->db, NULL, sql, "ii", tx->time_ns, id) : OK;
}

Status pfs_metadata_set(Ctx *ctx, PfsTx *tx, PfsObjectKind kind, int64_t id, const char *key,
                        const char *value)
{
    TRY(touch(ctx, tx, kind, id));
    return db_exec(ctx, tx->db, NULL,
                   "INSERT INTO pfs_metadata (kind, object_id, name, value) VALUES (?, ?, ?, ?) "
                   "ON CONFLICT (kind, object_id, name) DO UPDATE SET value = excluded.value",
                   "siss", kind_names[kind], id, key, value);
}

Status pfs_metadata_add(Ctx *ctx, PfsTx *tx, PfsObjectKind kind, int64_t id, const char *key,
                        const char *value)
{
    int64_t one;
    Status found =
        db_query_int(ctx, tx->db, &one,
                     "SELECT 1 FROM pfs_metadata WHERE kind = ? AND object_id = ? AND name = ?",
                     "sis", kind_names[kind], id, key);
    if (status_ok(found))
        return FAIL(ctx, ALREADY_EXISTS,
                    "add_key target key %s already exists; use edit_key instead",
                    text_quote(ctx->arena, str(key)));
    if (found.code != STATUS_NOT_FOUND)
        return found;
    return pfs_metadata_set(ctx, tx, kind, id, key, value);
}

Status pfs_metadata_remove(Ctx *ctx, PfsTx *tx, PfsObjectKind kind, int64_t id, const char *key)
{
    TRY(touch(ctx, tx, kind, id));
    return db_exec(ctx, tx->db, NULL,
                   "DELETE FROM pfs_metadata WHERE kind = ? AND object_id = ? AND name = ?", "sis",
                   kind_names[kind], id, key);
}

Status pfs_metadata_clear(Ctx *ctx, PfsTx *tx, PfsObjectKind kind, int64_t id)
{
    TRY(touch(ctx, tx, kind, id));
    return db_exec(ctx, tx->db, NULL, "DELETE FROM pfs_metadata WHERE kind = ? AND object_id = ?",
                   "si", kind_names[kind], id);
}
