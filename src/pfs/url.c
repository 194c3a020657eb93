/* url.c - add_file.url: content that the server fetches (§20.1).
 *
 * Of a recursive source, the objects that come next are asked for while one is taken up: a window
 * of transfers, read in the listing's order. */
#include <stdlib.h>

#include "base/text.h"
#include "codec/path.h"
#include "pfs/pfs_priv.h"
#include "pfs/url_priv.h"
#include "pfs/write_priv.h"

#define WINDOW_DEFAULT 50
#define WINDOW_MAX     1000
static_assert(WINDOW_MAX + 1 <= REMOTE_OPS_MAX, "one is the listing");

typedef struct Coming {
    RemoteOp *op;
    Buf path; /* where it goes */
} Coming;

typedef struct Fetch {
    PfsWriter *writer;
    const PfsV2__AddFile *add;
    UrlMeter meter;
    size_t prefix; /* bytes of the URL's key */
    RemoteOp *listing;
    bool listed;    /* to the end */
    Coming *window; /* a ring */
    size_t first, n, room;
} Fetch;

static void fetch_done(Fetch *fetch)
{
    remote_close(fetch->listing);
    for (size_t i = 0; fetch->window && i < fetch->room; i++) {
        remote_close(fetch->window[i].op);
        buf_done(&fetch->window[i].path);
    }
    free(fetch->window);
}

/* The stream's helper: started when it first meets a URL. */
static Remote *remote_of(PfsWriter *writer)
{
    if (!writer->remote)
        writer->remote = remote_new(&writer->pfs->remote);
    return writer->remote;
}

static Status take_up(Ctx *ctx, Fetch *fetch, RemoteOp *op, Str path)
{
    Str tag = str(fetch->add->datum);
    for (;;) {
        Bytes piece;
        TRY(remote_read(ctx, op, &piece));
        /* even an empty one makes the file */
        TRY(pfs_writer_append(ctx, fetch->writer, path, tag, piece));
        url_meter_add(ctx, &fetch->meter, piece.size);
        if (!piece.size)
            break;
    }
    fetch->meter.files++;
    return OK;
}

static Status fetch_one(Ctx *ctx, Fetch *fetch)
{
    CLEANUP(remote_closep) RemoteOp *op = NULL;
    Str path = str(fetch->add->path);
    TRY(path_validate(ctx, path));
    TRY(path_validate_not_root(ctx, path));
    TRY(remote_get(ctx, remote_of(fetch->writer), fetch->add->url->url, NULL, 0, UINT64_MAX, &op));
    return take_up(ctx, fetch, op, path);
}

/* --- recursive -------------------------------------------------------------------------------- */

/* An empty object whose name ends in a slash stands for a folder: there is nothing to fetch. */
static bool is_folder(const RemoteObject *object)
{
    return object->size == 0 && str_ends(object->key, STR("/"));
}

static Status ask_for(Ctx *ctx, Fetch *fetch, const RemoteObject *object)
{
    Coming *coming = &fetch->window[(fetch->first + fetch->n) % fetch->room];
    const PfsV2__AddFile *add = fetch->add;
    Str below = str_sub(object->key, fetch->prefix, object->key.size);
    buf_clear(&coming->path);
    buf_printf(&coming->path, "%s%s" STR_FMT, add->path, below.size ? "/" : "", STR_ARG(below));
    TRY(path_validate(ctx, buf_str(&coming->path)));
    const char *key = str_z(ctx->arena, object->key);
    TRY(remote_get(ctx, remote_of(fetch->writer), add->url->url, key, 0, UINT64_MAX, &coming->op));
    fetch->n++;
    return OK;
}

static Status fill_window(Ctx *ctx, Fetch *fetch)
{
    while (!fetch->listed && fetch->n < fetch->room) {
        ArenaMark mark = arena_mark(ctx->arena);
        RemoteObject object;
        TRY(remote_next(ctx, fetch->listing, &object));
        fetch->listed = object.key.size == 0;
        if (!fetch->listed && !is_folder(&object))
            TRY(ask_for(ctx, fetch, &object));
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}

static Status fetch_all(Ctx *ctx, Fetch *fetch)
{
    Remote *remote = remote_of(fetch->writer);
    TRY(path_validate(ctx, str(fetch->add->path)));
    fetch->window = calloc(fetch->room, sizeof(*fetch->window));
    if (!fetch->window)
        return STATUS(RESOURCE_EXHAUSTED);
    TRY(remote_list(ctx, remote, fetch->add->url->url, &fetch->listing));
    for (;;) {
        TRY(fill_window(ctx, fetch));
        if (!fetch->n)
            return OK;
        Coming *coming = &fetch->window[fetch->first];
        TRY(take_up(ctx, fetch, coming->op, buf_str(&coming->path)));
        coming->op = remote_close(coming->op);
        fetch->first = (fetch->first + 1) % fetch->room;
        fetch->n--;
    }
}

/* As many as are asked for, and this machine can have open. */
static size_t window_room(uint32_t concurrency)
{
    size_t wanted = concurrency ? concurrency : WINDOW_DEFAULT;
    return MIN(MIN(wanted, WINDOW_MAX), remote_ops_max() - 1);
}

Status pfs_url_fetch(Ctx *ctx, PfsWriter *writer, const PfsV2__AddFile *add)
{
    const PfsV2__AddFile__URLSource *source = add->url;
    RemoteUrl url;
    TRY(remote_check(ctx, &writer->pfs->remote, source->url, &url));
    CLEANUP(fetch_done)
    Fetch fetch = { .writer = writer,
                    .add = add,
                    .prefix = strlen(url.key),
                    .room = window_room(source->concurrency) };
    url_meter_init(ctx, &fetch.meter, "fetch", source->url);
    bool is_tree = source->recursive && url.kind != REMOTE_HTTP;
    TRY(is_tree ? fetch_all(ctx, &fetch) : fetch_one(ctx, &fetch));
    url_meter_end(ctx, &fetch.meter);
    return OK;
}
