/* load.c - files loaded into the tables of a database (§20.3). */
#include "pfs/pfs_priv.h"
#include "pfs/url_priv.h"
#include "pfs/view_priv.h"

typedef struct Loading {
    Content *content;
    RemoteOp *op;
    UrlMeter meter;
} Loading;

static Status send_piece(void *arg, Ctx *ctx, Bytes piece)
{
    Loading *loading = arg;
    url_meter_add(ctx, &loading->meter, piece.size);
    return remote_write(ctx, loading->op, piece);
}

static Status load_item(void *arg, Ctx *ctx, const Item *item)
{
    Loading *loading = arg;
    ArenaMark mark = arena_mark(ctx->arena);
    TRY(ctx_check(ctx));
    if (!item->entry)
        return OK;
    Str table = str_sub(item->path, 1, item->path.size);
    table = str_sub(table, 0, str_find(table, '/'));
    TRY(remote_load_file(ctx, loading->op, table, str_z(ctx->arena, item->path)));
    TRY(content_read(ctx, loading->content, &item->entry->record, 0, UINT64_MAX, send_piece,
                     loading));
    loading->meter.files++;
    arena_rewind(ctx->arena, mark);
    return OK;
}

Status pfs_url_check_secret(Ctx *ctx, const PfsV2__SQLDatabaseEgress *target)
{
    if (!target->secret)
        return FAIL(ctx, UNKNOWN, "egress.sql_database.secret is required");
    if (!*target->secret->name || !*target->secret->key)
        return FAIL(ctx, UNKNOWN,
                    "egress.sql_database.secret.name and egress.sql_database.secret.key are "
                    "required");
    return OK;
}

/* What is not said is CSV. */
static Status set_format(Ctx *ctx, const PfsV2__SQLDatabaseEgress__FileFormat *format,
                         RemoteLoad *out)
{
    if (!format)
        return OK;
    out->columns = (const char *const *)format->columns;
    out->column_count = format->n_columns;
    if (format->type == PFS_V2__SQLDATABASE_EGRESS__FILE_FORMAT__TYPE__JSON)
        out->format = REMOTE_ROWS_JSON;
    else if (format->type == PFS_V2__SQLDATABASE_EGRESS__FILE_FORMAT__TYPE__PARQUET)
        return FAIL(ctx, UNKNOWN, "unknown file format PARQUET");
    else if (format->type > PFS_V2__SQLDATABASE_EGRESS__FILE_FORMAT__TYPE__PARQUET)
        return FAIL(ctx, UNKNOWN, "unknown file format %d", (int)format->type);
    return OK;
}

static void close_loading(Loading *loading)
{
    remote_close(loading->op);
}

Status pfs_url_load_tree(Ctx *ctx, Pfs *pfs, const Hash *root,
                         const PfsV2__SQLDatabaseEgress *target, const char *password,
                         RemoteRowsFn fn, void *arg)
{
    const PfsView view = { .pfs = pfs, .content = &pfs->content, .root = *root };
    const ViewGlob everything = { .pattern = "/", .contents = true };
    RemoteLoad load = { .url = target->url, .password = password };
    RemoteDbUrl url;
    TRY(remote_db_url_parse(ctx, target->url, &url));
    TRY(set_format(ctx, target->file_format, &load));
    if (!pfs->remote.program)
        return FAIL(ctx, UNIMPLEMENTED, "use of databases is not enabled on this server");
    CLEANUP(remote_freep) Remote *remote = remote_new(&pfs->remote);
    CLEANUP(close_loading) Loading loading = { .content = &pfs->content };
    url_meter_init(ctx, &loading.meter, "load", target->url);
    TRY(remote_load(ctx, remote, &load, &loading.op));
    TRY(view_glob(ctx, &view, &everything, load_item, &loading));
    TRY(remote_load_commit(ctx, loading.op, fn, arg));
    url_meter_end(ctx, &loading.meter);
    return OK;
}
