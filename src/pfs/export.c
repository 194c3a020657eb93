/* export.c - files written below an object URL (§20.2, §20.3).
 *
 * A window of transfers: while the other side takes its time to accept one file, the next ones are
 * sent. */
#include "base/text.h"
#include "pfs/pfs_priv.h"
#include "pfs/url_priv.h"
#include "pfs/view_priv.h"

#define WINDOW_MAX 8 /* each may hold a part of a file in memory */

typedef struct Export {
    Content *content;
    Remote *remote;
    const char *url;
    RemoteUrl at;
    UrlMeter meter;
    RemoteOp *window[WINDOW_MAX]; /* sent whole, not yet acknowledged: a ring */
    size_t first, n;
} Export;

static void export_done(Export *export)
{
    for (size_t i = 0; i < WINDOW_MAX; i++)
        remote_close(export->window[i]);
    remote_free(export->remote);
}

static Status export_open(Ctx *ctx, Pfs *pfs, const char *url, Export *out)
{
    *out = (Export){ .content = &pfs->content, .url = url };
    TRY(remote_check(ctx, &pfs->remote, url, &out->at));
    if (out->at.kind == REMOTE_HTTP)
        return FAIL(ctx, UNKNOWN, "unrecognized object store: %s", out->at.scheme);
    out->remote = remote_new(&pfs->remote);
    url_meter_init(ctx, &out->meter, "export", url);
    return OK;
}

static Status await_first(Ctx *ctx, Export *export)
{
    RemoteOp **first = &export->window[export->first];
    TRY(remote_finish(ctx, *first));
    *first = remote_close(*first);
    export->first = (export->first + 1) % WINDOW_MAX;
    export->n--;
    export->meter.files++;
    return OK;
}

typedef struct Sending {
    Export *export;
    RemoteOp *op;
} Sending;

static Status send_piece(void *arg, Ctx *ctx, Bytes piece)
{
    const Sending *sending = arg;
    url_meter_add(ctx, &sending->export->meter, piece.size);
    return remote_write(ctx, sending->op, piece);
}

static Status send_file(Ctx *ctx, Export *export, const Item *item)
{
    const TreeRecord *record = &item->entry->record;
    RemoteOp **slot = &export->window[(export->first + export->n) % WINDOW_MAX];
    const char *key = strcmp(export->at.key, "/") == 0
                          ? str_z(ctx->arena, item->path) /* below the root folder */
                          : remote_key_join(ctx, export->at.key, item->path);
    TRY(remote_put(ctx, export->remote, export->url, key, record->size, slot));
    Sending sending = { export, *slot };
    TRY(content_read(ctx, export->content, record, 0, UINT64_MAX, send_piece, &sending));
    TRY(remote_end(ctx, *slot));
    export->n++;
    return OK;
}

static Status export_item(void *arg, Ctx *ctx, const Item *item)
{
    Export *export = arg;
    ArenaMark mark = arena_mark(ctx->arena);
    TRY(ctx_check(ctx));
    if (!item->entry)
        return OK;
    if (export->n == WINDOW_MAX)
        TRY(await_first(ctx, export));
    TRY_WRAP(ctx, send_file(ctx, export, item), "could not export file '" STR_FMT "'",
             STR_ARG(item->path));
    arena_rewind(ctx->arena, mark);
    return OK;
}

static Status export_finish(Ctx *ctx, Export *export)
{
    while (export->n)
        TRY(await_first(ctx, export));
    url_meter_end(ctx, &export->meter);
    return OK;
}

/* --- what is exported ------------------------------------------------------------------------- */

Status pfs_url_export(Ctx *ctx, Pfs *pfs, const PfsV2__GetFileRequest *request)
{
    PfsView view;
    CLEANUP(export_done) Export export = { 0 };
    TRY(export_open(ctx, pfs, request->url, &export));
    TRY_WRAP(ctx, view_open_file(ctx, pfs, request->file, STR("/"), &view), "get file url");
    ViewGlob glob = { .pattern = request->file->path,
                      .range = request->path_range,
                      .contents = true };
    TRY(view_glob(ctx, &view, &glob, export_item, &export));
    TRY(export_finish(ctx, &export));
    return export.meter.files ? OK : view_file_not_found(ctx, request->file);
}

Status pfs_url_export_tree(Ctx *ctx, Pfs *pfs, const Hash *root, const char *url,
                           int64_t *out_bytes)
{
    const PfsView view = { .pfs = pfs, .content = &pfs->content, .root = *root };
    const ViewGlob everything = { .pattern = "/", .contents = true };
    CLEANUP(export_done) Export export = { 0 };
    *out_bytes = 0;
    TRY(export_open(ctx, pfs, url, &export));
    TRY(view_glob(ctx, &view, &everything, export_item, &export));
    TRY(export_finish(ctx, &export));
    *out_bytes = export.meter.bytes;
    return OK;
}

void pfs_set_remote(Pfs *pfs, const RemoteConfig *config)
{
    pfs->remote = *config;
}
