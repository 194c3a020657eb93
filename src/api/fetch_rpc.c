/* fetch_rpc.c - files for workers, one after the other on one stream: a small one costs no call. */
#include "api/api_priv.h"
#include "base/clock.h"
#include "codec/pb.h"
#include "pfs/view.h"
#include "procavia/work/work.pb-c.h"

/* For how long a commit is not looked up again. */
#define VIEW_NS NS_PER_SEC

typedef struct Fetch {
    Call *call;
    Ctx kept; /* of the view, and what names its commit */
    ArenaMark empty;
    PfsView view;
    Bytes commit; /* packed; empty: there is no view */
    int64_t opened_ns;
    uint64_t size_bytes, sent_bytes; /* of the file at work */
} Fetch;

static Status open_view(Ctx *ctx, Fetch *fetch, const PfsV2__Commit *commit)
{
    Bytes packed = commit ? pb_pack_bytes(ctx, &commit->base) : (Bytes){ 0 };
    int64_t now_ns = clock_mono_ns();
    if (fetch->commit.size && bytes_eq(packed, fetch->commit) &&
        now_ns - fetch->opened_ns < VIEW_NS)
        return OK;
    fetch->commit = (Bytes){ 0 };
    arena_rewind(fetch->kept.arena, fetch->empty);
    Status s = pfs_view_open(&fetch->kept, fetch->call->api->config.pfs, commit, &fetch->view);
    if (!status_ok(s))
        return status_copy(ctx, s);
    fetch->commit = bytes(arena_memdup(fetch->kept.arena, packed.data, packed.size), packed.size);
    fetch->opened_ns = now_ns;
    return OK;
}

static Status send_piece(void *arg, Ctx *ctx, Bytes piece)
{
    Fetch *fetch = arg;
    (void)ctx;
    Procavia__Work__FetchPiece message;
    procavia__work__fetch_piece__init(&message);
    message.data = (ProtobufCBinaryData){ piece.size, (uint8_t *)(uintptr_t)piece.data };
    fetch->sent_bytes += piece.size;
    message.last = fetch->sent_bytes == fetch->size_bytes;
    return call_send(fetch->call, &message.base);
}

static Status send_file(Ctx *ctx, Fetch *fetch, const Procavia__Work__FetchRequest *request)
{
    const PfsV2__File *file = request->file;
    if (!file)
        return FAIL(ctx, INVALID_ARGUMENT, "file cannot be nil");
    TRY(open_view(ctx, fetch, file->commit));
    fetch->size_bytes = request->size_bytes;
    fetch->sent_bytes = 0;
    Status s = pfs_view_read(ctx, &fetch->view, str(file->path), 0, UINT64_MAX, send_piece, fetch);
    if (s.code == STATUS_NOT_FOUND && !s.detail)
        return FAIL(ctx, NOT_FOUND, "file %s not found", file->path);
    TRY(s);
    if (fetch->sent_bytes != fetch->size_bytes)
        return FAIL(ctx, DATA_LOSS, "file %s has %llu bytes instead of %llu", file->path,
                    (unsigned long long)fetch->sent_bytes, (unsigned long long)fetch->size_bytes);
    return fetch->size_bytes ? OK : send_piece(fetch, ctx, (Bytes){ 0 });
}

static Status send_files(Fetch *fetch)
{
    Ctx *ctx = fetch->call->ctx;
    for (;;) {
        ArenaMark mark = arena_mark(ctx->arena);
        void *request;
        TRY(call_recv(fetch->call, &request));
        if (!request)
            return OK;
        TRY(send_file(ctx, fetch, request));
        arena_rewind(ctx->arena, mark);
    }
}

static Status fetch(Call *call)
{
    Fetch state = { .call = call };
    ctx_scratch(&state.kept, call->ctx);
    state.empty = arena_mark(state.kept.arena);
    Status s = send_files(&state);
    ctx_done(&state.kept);
    return s;
}

static const ApiMethod methods[] = {
    { .path = "/procavia.work.Work/Fetch", .bidi = fetch },
};

const ApiTable api_fetch_table = { methods, ARRAY_LEN(methods) };
