/* wire_message.c - any bytes as a stream of gRPC messages: the same messages come out however the
 * bytes are cut. */
#include "fuzz/fuzz.h"

#include "wire/in_priv.h"

/* All messages in one buffer, each after its size; what does not inflate is left out. */
static InFault read_all(Ctx *ctx, Bytes in, size_t piece, Buf *out)
{
    MessageReader reader = { .gzip = true };
    InQueue queue = { 0 };
    CLEANUP(buf_done) Buf buf = { 0 };
    for (size_t at = 0; at < in.size; at += piece)
        message_reader_feed(&reader, bytes(in.data + at, MIN(piece, in.size - at)), &queue);
    message_reader_end(&reader);
    for (InBlock *block; (block = in_queue_pop(&queue)); in_block_free(block)) {
        for (bool empty = false; !empty;) {
            if (!status_ok(in_block_take(ctx, block, &buf, &empty)))
                continue;
            buf_add_varint(out, buf.size);
            buf_add_bytes(out, buf_bytes(&buf));
        }
    }
    InFault fault = reader.fault;
    message_reader_done(&reader);
    return fault;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    CLEANUP(ctx_done) Ctx ctx;
    CLEANUP(buf_done) Buf whole = { 0 };
    CLEANUP(buf_done) Buf cut = { 0 };
    ctx_init(&ctx);
    Bytes in = { data + 1, size - 1 };
    InFault fault = read_all(&ctx, in, MAX(in.size, 1), &whole);
    PROP(read_all(&ctx, in, 1 + data[0], &cut) == fault);
    PROP(bytes_eq(buf_bytes(&whole), buf_bytes(&cut)));
    return 0;
}
