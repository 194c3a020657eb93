/* chunks.c - see chunks.h. */
#include "s3/chunks.h"

#include <ctype.h>

void chunks_done(Chunks *chunks)
{
    buf_done(&chunks->line);
    buf_done(&chunks->trailers);
}

static ChunksEvent fail(Chunks *chunks)
{
    chunks->bad = true;
    return CHUNKS_BAD;
}

/* Gathers a line; *out_whole when its CRLF came. False when it is too long or malformed. */
static bool take_line(Chunks *chunks, Bytes *in, bool *out_whole)
{
    size_t size = str_find(bytes_str(*in), '\n');
    *out_whole = size < in->size;
    size_t taken = size + *out_whole;
    if (chunks->line.size + taken > CHUNKS_LINE_BYTES_MAX)
        return false;
    buf_add(&chunks->line, in->data, taken);
    *in = (Bytes){ in->data + taken, in->size - taken };
    if (!*out_whole)
        return true;
    if (!str_ends(buf_str(&chunks->line), STR("\r\n")))
        return false;
    chunks->line.size -= 2;
    return true;
}

static bool parse_size(Str text, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (!isxdigit(c))
            return false;
        *out = *out << 4 | (uint64_t)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
    }
    return text.size > 0 && text.size <= 15;
}

static bool take_signature(Str text, char out[65])
{
    uint8_t digest[32];
    if (!hex_decode(text, digest, sizeof(digest)))
        return false;
    memcpy(out, text.data, 64);
    out[64] = '\0';
    return true;
}

static bool parse_header(Chunks *chunks)
{
    Str line = buf_str(&chunks->line);
    size_t end = str_find(line, ';');
    Str extension = str_sub(line, end, line.size), name = STR(";chunk-signature=");
    chunks->signature[0] = '\0';
    if (!parse_size(str_sub(line, 0, end), &chunks->left))
        return false;
    return !extension.size ||
           (str_starts(extension, name) &&
            take_signature(str_sub(extension, name.size, extension.size), chunks->signature));
}

static bool parse_trailer(Chunks *chunks)
{
    Str line = buf_str(&chunks->line);
    size_t colon = str_find(line, ':');
    Str name = str_sub(line, 0, colon),
        value = str_trim(str_sub(line, colon + 1, line.size), " \t");
    if (!name.size || colon == line.size ||
        chunks->trailers.size + line.size + 1 > CHUNKS_TRAILERS_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.size; i++)
        chunks->line.data[i] = (uint8_t)tolower(chunks->line.data[i]);
    if (str_eq_c(name, "x-amz-trailer-signature"))
        return take_signature(value, chunks->trailer_signature);
    buf_add_str(&chunks->trailers, name);
    buf_add_u8(&chunks->trailers, ':');
    buf_add_str(&chunks->trailers, value);
    buf_add_u8(&chunks->trailers, '\n');
    return true;
}

/* A whole line of a phase that is made of lines. */
static ChunksEvent end_line(Chunks *chunks)
{
    bool good;
    if (chunks->phase == CHUNKS_HEADER) {
        good = parse_header(chunks);
        buf_clear(&chunks->line);
        chunks->phase = chunks->left ? CHUNKS_IN_DATA : CHUNKS_TRAILER;
        return !good ? fail(chunks) : chunks->left ? CHUNKS_MORE : CHUNKS_CHUNK;
    }
    if (chunks->phase == CHUNKS_DATA_END) {
        chunks->phase = CHUNKS_HEADER;
        return chunks->line.size ? fail(chunks) : CHUNKS_CHUNK;
    }
    if (!chunks->line.size) {
        chunks->phase = CHUNKS_AFTER;
        return CHUNKS_OVER;
    }
    good = parse_trailer(chunks);
    buf_clear(&chunks->line);
    return good ? CHUNKS_MORE : fail(chunks);
}

static ChunksEvent take_data(Chunks *chunks, Bytes *in, Bytes *out)
{
    size_t size = (size_t)MIN((uint64_t)in->size, chunks->left);
    *out = (Bytes){ in->data, size };
    *in = (Bytes){ in->data + size, in->size - size };
    chunks->left -= size;
    if (!chunks->left)
        chunks->phase = CHUNKS_DATA_END;
    return CHUNKS_DATA;
}

ChunksEvent chunks_next(Chunks *chunks, Bytes *in, Bytes *out_data)
{
    *out_data = (Bytes){ 0 };
    if (chunks->bad)
        return CHUNKS_BAD;
    while (in->size) {
        bool whole;
        if (chunks->phase == CHUNKS_AFTER)
            return fail(chunks);
        if (chunks->phase == CHUNKS_IN_DATA)
            return take_data(chunks, in, out_data);
        if (!take_line(chunks, in, &whole))
            return fail(chunks);
        if (!whole)
            return CHUNKS_MORE;
        ChunksEvent event = end_line(chunks);
        if (event != CHUNKS_MORE)
            return event;
    }
    return CHUNKS_MORE;
}

const char *chunks_trailer(const Chunks *chunks, Arena *arena, const char *name)
{
    Str rest = buf_str(&chunks->trailers);
    while (rest.size) {
        Str line = str_sub(rest, 0, str_find(rest, '\n'));
        size_t colon = str_find(line, ':');
        if (str_eq_c(str_sub(line, 0, colon), name))
            return str_z(arena, str_sub(line, colon + 1, line.size));
        rest = str_sub(rest, line.size + 1, rest.size);
    }
    return NULL;
}
