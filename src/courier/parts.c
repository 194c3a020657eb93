/* parts.c - see parts.h. */
#include "courier/parts.h"

/* Waits for the server's word that the content is whole: before it nothing may appear. `left` is
 * what came and is not written. */
static Status hear_end(Transfer *transfer, size_t left)
{
    RemoteSay kind;
    Bytes data;
    TRY(transfer_hear(transfer, &kind, &data));
    return kind == REMOTE_SAY_END && !left
               ? OK
               : FAIL(transfer->ctx, INVALID_ARGUMENT,
                      "error writing to \"%s\": more was sent than its size", transfer->shown);
}

static Status put_whole(Transfer *transfer, const PartsOps *ops, void *arg)
{
    CLEANUP(buf_done) Buf body = { 0 };
    size_t size = (size_t)transfer->size;
    TRY(transfer_hear_all(transfer, size, &body));
    TRY(hear_end(transfer, body.size - size));
    return ops->whole(arg, bytes(body.data, size));
}

static Status put_each(Transfer *transfer, const PartsOps *ops, void *arg, const char *id)
{
    CLEANUP(buf_done) Buf body = { 0 };
    CLEANUP(buf_done) Buf parts = { 0 };
    uint64_t part_size = MAX(PART_BYTES_MIN, transfer->size / PARTS_MAX + 1), size;
    int number = 0;
    for (uint64_t done = 0; done < transfer->size; done += size) {
        ArenaMark mark = arena_mark(transfer->ctx->arena);
        size = MIN(part_size, transfer->size - done);
        TRY(transfer_hear_all(transfer, (size_t)size, &body));
        TRY(ops->part(arg, id, ++number, bytes(body.data, (size_t)size), &parts));
        buf_drop_front(&body, (size_t)size);
        arena_rewind(transfer->ctx->arena, mark);
    }
    TRY(hear_end(transfer, body.size));
    return ops->end(arg, id, buf_str(&parts));
}

Status parts_put(Transfer *transfer, const PartsOps *ops, void *arg)
{
    if (transfer->size <= PART_BYTES_MIN)
        return put_whole(transfer, ops, arg);
    const char *id;
    TRY(ops->begin(arg, &id));
    Status s = put_each(transfer, ops, arg, id);
    if (!status_ok(s) && ops->drop)
        ops->drop(arg, id);
    return s;
}
