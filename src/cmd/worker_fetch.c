/* worker_fetch.c - see worker_fetch.h. */
#include "cmd/worker_fetch.h"

#include "codec/pb.h"
#include "procavia/work/work.pb-c.h"

#define PATH "/procavia.work.Work/Fetch"

void fetch_drop(Fetch *fetch)
{
    fetch->stream = wire_stream_close(fetch->stream);
    fetch->files = 0;
    fetch->bytes = 0;
}

void fetch_done(Fetch *fetch)
{
    fetch_drop(fetch);
    buf_done(&fetch->buf);
}

bool fetch_has_room(const Fetch *fetch)
{
    return !fetch->files || (fetch->files < FETCH_AHEAD_FILES && fetch->bytes < FETCH_AHEAD_BYTES);
}

Status fetch_ask(Ctx *ctx, Fetch *fetch, PfsV2__File *file, uint64_t size_bytes)
{
    Procavia__Work__FetchRequest request;
    procavia__work__fetch_request__init(&request);
    request.file = file;
    request.size_bytes = size_bytes;
    if (!fetch->stream)
        TRY(wire_stream_open(ctx, fetch->client, PATH, &fetch->stream));
    TRY(wire_stream_send(ctx, fetch->stream, pb_pack_bytes(ctx, &request.base)));
    fetch->files++;
    fetch->bytes += size_bytes;
    return OK;
}

static Status take_piece(Ctx *ctx, Fetch *fetch, WorkerSink *sink, bool *out_last)
{
    bool end;
    Procavia__Work__FetchPiece *piece;
    TRY(wire_stream_recv(ctx, fetch->stream, &fetch->buf, &end));
    if (end)
        return FAIL(ctx, UNAVAILABLE, "the server ended a fetch before the last file");
    TRY(PB_UNPACK(ctx, procavia__work__fetch_piece, buf_bytes(&fetch->buf), &piece));
    *out_last = piece->last;
    return sink && piece->data.len ? sink->data(sink, ctx, bytes(piece->data.data, piece->data.len))
                                   : OK;
}

Status fetch_take(Ctx *ctx, Fetch *fetch, uint64_t size_bytes, WorkerSink *sink)
{
    TRY(wire_stream_flush(ctx, fetch->stream));
    for (bool last = false; !last;) {
        ArenaMark mark = arena_mark(ctx->arena);
        TRY(take_piece(ctx, fetch, sink, &last));
        arena_rewind(ctx->arena, mark);
    }
    fetch->files--;
    fetch->bytes -= size_bytes;
    return OK;
}
