/* s3_chunks.c - any bytes as an aws-chunked body: the same events and data however they are cut. */
#include "fuzz/fuzz.h"

#include "s3/chunks.h"

/* Data, and a letter for each event. */
static ChunksEvent run(Bytes in, size_t piece, Buf *out_data, Buf *out_events)
{
    CLEANUP(chunks_done) Chunks chunks = { 0 };
    ChunksEvent event = CHUNKS_MORE;
    for (size_t at = 0; at < in.size; at += piece) {
        Bytes part = bytes(in.data + at, MIN(piece, in.size - at)), data;
        do {
            size_t before = part.size;
            event = chunks_next(&chunks, &part, &data);
            PROP(part.size < before || event == CHUNKS_MORE || event == CHUNKS_BAD);
            PROP((event == CHUNKS_DATA) == (data.size > 0));
            buf_add_bytes(out_data, data);
            if (event == CHUNKS_CHUNK || event == CHUNKS_OVER)
                buf_add_u8(out_events, event == CHUNKS_CHUNK ? 'c' : 'o');
        } while (event != CHUNKS_BAD && part.size);
        if (event == CHUNKS_BAD)
            break;
    }
    PROP(chunks.line.size <= CHUNKS_LINE_BYTES_MAX);
    PROP(chunks.trailers.size <= CHUNKS_TRAILERS_BYTES_MAX);
    return event;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    CLEANUP(buf_done) Buf whole = { 0 };
    CLEANUP(buf_done) Buf cut = { 0 };
    CLEANUP(buf_done) Buf whole_events = { 0 };
    CLEANUP(buf_done) Buf cut_events = { 0 };
    Bytes in = bytes(data + 1, size - 1);
    bool good = run(in, MAX(in.size, (size_t)1), &whole, &whole_events) != CHUNKS_BAD;
    PROP((run(in, 1 + data[0], &cut, &cut_events) != CHUNKS_BAD) == good);
    PROP(bytes_eq(buf_bytes(&whole), buf_bytes(&cut)));
    PROP(bytes_eq(buf_bytes(&whole_events), buf_bytes(&cut_events)));
    PROP(whole.size <= in.size);
    return 0;
}
