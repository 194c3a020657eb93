/* Rows do not depend on how the bytes are cut, and have a field each. */
#include "fuzz/fuzz.h"

#include "codec/csv.h"

static Status add_row(void *arg, Ctx *ctx, const Str *fields, size_t n, uint64_t line)
{
    (void)ctx;
    PROP(n >= 1 && line >= 1);
    for (size_t i = 0; i < n; i++) {
        buf_add_varint(arg, fields[i].size);
        buf_add_str(arg, fields[i]);
    }
    buf_add_varint(arg, line);
    return OK;
}

static bool read_rows(Bytes text, size_t step, Buf *out)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    CLEANUP(csv_reader_freep) CsvReader *reader = csv_reader_new(add_row, out);
    for (size_t at = 0; at < text.size; at += step) {
        Bytes piece = bytes(text.data + at, MIN(step, text.size - at));
        if (!status_ok(csv_reader_feed(&ctx, reader, piece)))
            return false;
    }
    return status_ok(csv_reader_finish(&ctx, reader));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_done) Buf whole = { 0 };
    CLEANUP(buf_done) Buf cut = { 0 };
    bool well = read_rows(bytes(data, size), size + 1, &whole);
    PROP(read_rows(bytes(data, size), 1, &cut) == well);
    PROP(bytes_eq(buf_bytes(&whole), buf_bytes(&cut)));
    return 0;
}
