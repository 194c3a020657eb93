/* tar_read.c - the reader: a machine that takes the stream in pieces of any size.
 *
 * It is always in one of four states: gathering a header block, gathering the content of a meta
 * entry (a long name or PAX records, which belong to the entry that follows), handing on content,
 * or skipping padding.
 */
#include <stdlib.h>

#include "base/text.h"
#include "codec/tar_priv.h"

typedef enum State { IN_HEADER, IN_META, IN_DATA, IN_PADDING, AT_END } State;

/* What PAX records and GNU's long names said about the next entry. */
typedef struct Overrides {
    Buf name, link;
    bool has_name, has_link, has_size, has_mtime;
    uint64_t size;
    int64_t mtime_s;
} Overrides;

struct TarReader {
    TarSink sink;
    State state;
    Buf gathered; /* a header block, or the content of a meta entry */
    char meta_type;
    uint64_t
        left; /* bytes of content still to come in IN_META and IN_DATA, of padding in IN_PADDING */
    size_t padding;  /* behind the content */
    bool saw_zeros;  /* the last block was all zeros */
    uint64_t offset; /* of the block being gathered */
    Overrides next;
};

TarReader *tar_reader_new(const TarSink *sink)
{
    TarReader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        abort();
    reader->sink = *sink;
    return reader;
}

/* Forgets what was said, keeps the memory. */
static void overrides_clear(Overrides *next)
{
    buf_clear(&next->name);
    buf_clear(&next->link);
    *next = (Overrides){ .name = next->name, .link = next->link };
}

TarReader *tar_reader_free(TarReader *reader)
{
    if (!reader)
        return NULL;
    buf_done(&reader->next.name);
    buf_done(&reader->next.link);
    buf_done(&reader->gathered);
    free(reader);
    return NULL;
}

static Status fail_here(Ctx *ctx, const TarReader *reader, const char *why)
{
    return FAIL(ctx, INVALID_ARGUMENT, "not a tar stream: %s at byte %llu", why,
                (unsigned long long)reader->offset);
}

/* --- fields ----------------------------------------------------------------------------------- */

static Str field_text(const char *field, size_t size)
{
    return (Str){ field, strnlen(field, size) };
}
#define FIELD_TEXT(field) field_text((field), sizeof(field))

/* GNU's form for numbers that octal digits cannot hold: a first byte with the top bit, then big
 * endian. */
static bool binary_number(const char *field, size_t size, uint64_t *out)
{
    *out = (uint8_t)field[0] & 0x3f;
    if ((uint8_t)field[0] & 0x40) /* negative */
        return false;
    for (size_t i = 1; i < size; i++) {
        if (*out >> 55)
            return false;
        *out = *out << 8 | (uint8_t)field[i];
    }
    return true;
}

/* Octal digits, blanks around them; an empty field is 0. */
static bool octal_number(const char *field, size_t size, uint64_t *out)
{
    if ((uint8_t)field[0] & 0x80)
        return binary_number(field, size, out);
    size_t at = 0;
    *out = 0;
    while (at < size && field[at] == ' ')
        at++;
    for (; at < size && field[at] >= '0' && field[at] <= '7'; at++)
        *out = *out << 3 | (uint64_t)(field[at] - '0'); /* 12 digits are 36 bits */
    while (at < size && (field[at] == ' ' || field[at] == '\0'))
        at++;
    return at == size;
}
#define OCTAL(field, out) octal_number((field), sizeof(field), (out))

static TarType type_of(char type, Str name)
{
    switch (type) {
    case TAR_TYPE_OLD_FILE:
    case TAR_TYPE_FILE:
    case TAR_TYPE_CONTIGUOUS:
        return str_ends(name, STR("/")) ? TAR_DIR : TAR_FILE;
    case TAR_TYPE_DIR:
        return TAR_DIR;
    case TAR_TYPE_SYMLINK:
        return TAR_SYMLINK;
    case TAR_TYPE_HARDLINK:
        return TAR_HARDLINK;
    default:
        return TAR_OTHER;
    }
}

/* --- PAX records ------------------------------------------------------------------------------ */

/* "1700000000.123": whole seconds. */
static bool seconds_of(Str value, int64_t *out)
{
    return str_to_i64(str_sub(value, 0, str_find(value, '.')), out);
}

static Status apply_record(Ctx *ctx, TarReader *reader, Str key, Str value)
{
    Overrides *next = &reader->next;
    int64_t number;
    if (str_eq_c(key, "path")) {
        buf_clear(&next->name);
        buf_add_str(&next->name, value);
        next->has_name = value.size > 0;
    } else if (str_eq_c(key, "linkpath")) {
        buf_clear(&next->link);
        buf_add_str(&next->link, value);
        next->has_link = value.size > 0;
    } else if (str_eq_c(key, "size") && value.size) {
        if (!str_to_i64(value, &number) || number < 0)
            return fail_here(ctx, reader, "bad size in a PAX record");
        next->size = (uint64_t)number;
        next->has_size = true;
    } else if (str_eq_c(key, "mtime")) {
        next->has_mtime = seconds_of(value, &next->mtime_s);
    }
    return OK;
}

/* Records "<size> key=value\n" one after another; size counts all of the record. */
static Status apply_records(Ctx *ctx, TarReader *reader, Str records)
{
    while (records.size) {
        size_t blank = str_find(records, ' ');
        int64_t size;
        bool ok = str_to_i64(str_sub(records, 0, blank), &size) && size > (int64_t)blank + 2 &&
                  (uint64_t)size <= records.size && records.data[size - 1] == '\n';
        if (!ok)
            return fail_here(ctx, reader, "malformed PAX record");
        Str body = str_sub(records, blank + 1, (size_t)size - 1);
        size_t equals = str_find(body, '=');
        if (equals == body.size)
            return fail_here(ctx, reader, "malformed PAX record");
        TRY(apply_record(ctx, reader, str_sub(body, 0, equals),
                         str_sub(body, equals + 1, body.size)));
        records = str_sub(records, (size_t)size, records.size);
    }
    return OK;
}

/* The content of a meta entry is whole. Global PAX records say nothing that entries need. */
static Status apply_meta(Ctx *ctx, TarReader *reader)
{
    Str content = buf_str(&reader->gathered);
    Str text = str_sub(content, 0, str_find(content, '\0'));
    if (reader->meta_type == TAR_TYPE_PAX)
        return apply_records(ctx, reader, content);
    if (reader->meta_type == TAR_TYPE_GNU_LONG_NAME)
        return apply_record(ctx, reader, STR("path"), text);
    if (reader->meta_type == TAR_TYPE_GNU_LONG_LINK)
        return apply_record(ctx, reader, STR("linkpath"), text);
    return OK;
}

/* --- headers ---------------------------------------------------------------------------------- */

static bool is_meta(char type)
{
    return type == TAR_TYPE_PAX || type == TAR_TYPE_PAX_GLOBAL || type == TAR_TYPE_GNU_LONG_NAME ||
           type == TAR_TYPE_GNU_LONG_LINK;
}

static void begin_content(TarReader *reader, State state, uint64_t size)
{
    reader->state = state;
    reader->left = size;
    reader->padding = (size_t)(-size % TAR_BLOCK_BYTES);
}

/* The name of a USTAR header may be in two parts; GNU keeps other things where the prefix is. */
static void header_name(const TarHeader *header, Buf *out)
{
    Str prefix = FIELD_TEXT(header->prefix);
    if (memcmp(header->magic, "ustar", 6) == 0 && prefix.size) {
        buf_add_str(out, prefix);
        buf_add_u8(out, '/');
    }
    buf_add_str(out, FIELD_TEXT(header->name));
}

static Status begin_entry(Ctx *ctx, TarReader *reader, const TarHeader *header, uint64_t size)
{
    Overrides *next = &reader->next;
    uint64_t mode, mtime;
    if (!OCTAL(header->mode, &mode) || !OCTAL(header->mtime, &mtime))
        return fail_here(ctx, reader, "bad number in a header");
    if (!next->has_name)
        header_name(header, &next->name);
    Str name = buf_str(&next->name);
    TarEntry entry = {
        .name = name,
        .link = next->has_link ? buf_str(&next->link) : FIELD_TEXT(header->link),
        .type = type_of(header->type, name),
        .mode = (uint32_t)mode & 07777,
        .size = next->has_size ? next->size : size,
        .mtime_s = next->has_mtime ? next->mtime_s : (int64_t)MIN(mtime, (uint64_t)INT64_MAX),
    };
    if (entry.type != TAR_FILE && entry.type != TAR_OTHER)
        entry.size = 0; /* directories and links have none, whatever the header says */
    Status s = reader->sink.entry(reader->sink.arg, ctx, &entry);
    overrides_clear(next);
    TRY(s);
    begin_content(reader, IN_DATA, entry.size);
    return OK;
}

static bool is_zeros(const TarHeader *header)
{
    static const TarHeader zeros;
    return memcmp(header, &zeros, sizeof(zeros)) == 0;
}

static Status take_header(Ctx *ctx, TarReader *reader, const TarHeader *header)
{
    if (is_zeros(header)) {
        reader->state = reader->saw_zeros ? AT_END : IN_HEADER;
        reader->saw_zeros = true;
        return OK;
    }
    uint64_t checksum, size;
    if (!OCTAL(header->checksum, &checksum) || checksum != tar_checksum(header))
        return fail_here(ctx, reader, "bad checksum in a header");
    if (!OCTAL(header->size, &size))
        return fail_here(ctx, reader, "bad size in a header");
    reader->saw_zeros = false;
    if (!is_meta(header->type))
        return begin_entry(ctx, reader, header, size);
    if (size > TAR_META_BYTES_MAX)
        return fail_here(ctx, reader, "a long name or PAX header of more than a MiB");
    reader->meta_type = header->type;
    begin_content(reader, IN_META, size);
    return OK;
}

/* --- the machine ------------------------------------------------------------------------------ */

/* Moves up to `wanted` bytes from the piece to what is gathered. */
static void gather(TarReader *reader, Bytes *piece, uint64_t wanted)
{
    size_t size = (size_t)MIN((uint64_t)piece->size, wanted);
    buf_add(&reader->gathered, piece->data, size);
    *piece = bytes(piece->data + size, piece->size - size);
}

static Status feed_header(Ctx *ctx, TarReader *reader, Bytes *piece)
{
    gather(reader, piece, TAR_BLOCK_BYTES - reader->gathered.size);
    if (reader->gathered.size < TAR_BLOCK_BYTES)
        return OK;
    TarHeader header;
    memcpy(&header, reader->gathered.data, sizeof(header));
    buf_clear(&reader->gathered);
    return take_header(ctx, reader, &header);
}

static Status feed_meta(Ctx *ctx, TarReader *reader, Bytes *piece)
{
    size_t before = reader->gathered.size;
    gather(reader, piece, reader->left);
    reader->left -= reader->gathered.size - before;
    if (reader->left)
        return OK;
    Status s = apply_meta(ctx, reader);
    buf_clear(&reader->gathered);
    reader->left = reader->padding;
    reader->state = IN_PADDING;
    return s;
}

static Status feed_data(Ctx *ctx, TarReader *reader, Bytes *piece)
{
    Bytes part = bytes(piece->data, (size_t)MIN((uint64_t)piece->size, reader->left));
    *piece = bytes(piece->data + part.size, piece->size - part.size);
    reader->left -= part.size;
    if (part.size)
        TRY(reader->sink.data(reader->sink.arg, ctx, part));
    if (reader->left)
        return OK;
    reader->left = reader->padding;
    reader->state = IN_PADDING;
    return reader->sink.end ? reader->sink.end(reader->sink.arg, ctx) : OK;
}

static void feed_padding(TarReader *reader, Bytes *piece)
{
    size_t size = (size_t)MIN((uint64_t)piece->size, reader->left);
    *piece = bytes(piece->data + size, piece->size - size);
    reader->left -= size;
    if (!reader->left)
        reader->state = IN_HEADER;
}

static Status feed_once(Ctx *ctx, TarReader *reader, Bytes *piece)
{
    switch (reader->state) {
    case IN_HEADER:
        return feed_header(ctx, reader, piece);
    case IN_META:
        return feed_meta(ctx, reader, piece);
    case IN_DATA:
        return feed_data(ctx, reader, piece);
    case IN_PADDING:
        feed_padding(reader, piece);
        return OK;
    case AT_END:
        *piece = (Bytes){ 0 };
        return OK;
    }
    return OK;
}

/* An entry or a meta entry of no bytes is over as soon as it began, whether or not more of the
 * stream is there. */
static bool is_due(const TarReader *reader)
{
    return reader->left == 0 && reader->state != IN_HEADER && reader->state != AT_END;
}

Status tar_reader_feed(Ctx *ctx, TarReader *reader, Bytes piece)
{
    while (piece.size || is_due(reader)) {
        size_t before = piece.size;
        TRY(feed_once(ctx, reader, &piece));
        reader->offset += before - piece.size;
    }
    return OK;
}

Status tar_reader_finish(Ctx *ctx, TarReader *reader)
{
    const Overrides *next = &reader->next;
    bool between = reader->state == AT_END || reader->state == IN_PADDING ||
                   (reader->state == IN_HEADER && reader->gathered.size == 0);
    bool awaits_entry = next->has_name || next->has_link || next->has_size || next->has_mtime;
    return between && !awaits_entry ? OK
                                    : fail_here(ctx, reader, "it ends in the middle of an entry");
}
