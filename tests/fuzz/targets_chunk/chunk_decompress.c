/* chunk_decompress.c - any bytes decompress to the size asked for or fail; what was compressed
 * comes back. */
#include "fuzz/fuzz.h"

#include "chunk/chunk.h"

static void any_bytes(Ctx *ctx, Bytes data)
{
    CLEANUP(buf_done) Buf out = { 0 };
    for (size_t plain = 0; plain < 300; plain += 37) {
        size_t before = out.size;
        bool ok = status_ok(chunk_decompress(ctx, data, plain, &out));
        PROP(out.size == before + (ok ? plain : 0));
    }
}

static void round_trip(Ctx *ctx, Bytes data)
{
    CLEANUP(buf_done) Buf packed = { 0 };
    CLEANUP(buf_done) Buf out = { 0 };
    if (!chunk_compress(data, &packed))
        return;
    PROP(packed.size < data.size);
    PROP(status_ok(chunk_decompress(ctx, buf_bytes(&packed), data.size, &out)));
    PROP(bytes_eq(buf_bytes(&out), data));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    any_bytes(&ctx, bytes(data, size));
    round_trip(&ctx, bytes(data, size));
    return 0;
}
