/* chunk_cut.c - chunks tile the input, and a cut never depends on bytes that come after it. */
#include "fuzz/fuzz.h"

#include "chunk/chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const CutParams params = { 2, 8, 40 };
    for (size_t at = 0, n; at < size; at += n) {
        Bytes rest = bytes(data + at, size - at);
        n = chunk_cut(&params, rest, true);
        PROP(n >= 1 && n <= params.max_bytes && n <= rest.size);
        PROP(chunk_cut(&params, bytes(rest.data, n), true) == n);
        for (size_t seen = 0; seen < n; seen++) {
            bool is_last = n == rest.size;
            PROP(is_last || chunk_cut(&params, bytes(rest.data, seen), false) == 0);
            PROP(chunk_cut_more(&params, rest, seen, true) == n);
        }
    }
    return 0;
}
