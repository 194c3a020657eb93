/* However a stream is cut into pieces, the reader says the same about it: entries, content and
 * verdict. */
#include "fuzz/fuzz.h"

#include "codec/tar.h"

static Status note_entry(void *arg, Ctx *ctx, const TarEntry *entry)
{
    (void)ctx;
    buf_add_str(arg, entry->name);
    buf_add_str(arg, entry->link);
    buf_add_varint(arg, entry->size);
    buf_add_varint(arg, (uint64_t)entry->mtime_s);
    buf_add_u8(arg, (uint8_t)entry->type);
    return OK;
}

static Status note_data(void *arg, Ctx *ctx, Bytes piece)
{
    (void)ctx;
    buf_add_bytes(arg, piece);
    return OK;
}

static StatusCode read_in_pieces(Ctx *ctx, Bytes stream, size_t piece_size, Buf *notes)
{
    const TarSink sink = { note_entry, note_data, NULL, notes };
    CLEANUP(tar_reader_freep) TarReader *reader = tar_reader_new(&sink);
    for (size_t at = 0; at < stream.size; at += piece_size) {
        Status s = tar_reader_feed(ctx, reader,
                                   bytes(stream.data + at, MIN(piece_size, stream.size - at)));
        if (!status_ok(s))
            return s.code;
    }
    return tar_reader_finish(ctx, reader).code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    CLEANUP(buf_done) Buf whole = { 0 }, pieces = { 0 };
    StatusCode code = read_in_pieces(&ctx, bytes(data, size), size + 1, &whole);
    PROP(read_in_pieces(&ctx, bytes(data, size), 7, &pieces) == code);
    PROP(bytes_eq(buf_bytes(&whole), buf_bytes(&pieces)));
    return 0;
}
