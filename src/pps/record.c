/* record.c - the encoding of a datum's record; drawn in README.md. */
#include "pps/record.h"

#include "codec/pb.h"

#define VERSION   1
#define REUSED    0x80
#define HEAD_SIZE (2 + 3 * HASH_SIZE)

enum {
    SOURCE_OUTER = 1,
    SOURCE_LAZY = 2,
    SOURCE_EMPTY = 4,
    SOURCE_S3 = 8,
    SOURCE_REFERENCE = 16,
    SOURCE_KNOWN = 31
};

/* --- writing ---------------------------------------------------------------------------------- */

static void add_str(Buf *out, Str text)
{
    buf_add_varint(out, text.size);
    buf_add_str(out, text);
}

static void add_hash(Buf *out, const Hash *hash)
{
    buf_add(out, hash->bytes, HASH_SIZE);
}

static void add_source(Buf *out, const PpsV2__PFSInput *from)
{
    buf_add_u8(out,
               (uint8_t)((from->outer_join ? SOURCE_OUTER : 0) | (from->lazy ? SOURCE_LAZY : 0) |
                         (from->empty_files ? SOURCE_EMPTY : 0) | (from->s3 ? SOURCE_S3 : 0) |
                         (from->reference ? SOURCE_REFERENCE : 0)));
    add_str(out, str(from->project));
    add_str(out, str(from->name));
    add_str(out, str(from->repo));
    add_str(out, str(from->repo_type));
    add_str(out, str(from->branch));
    add_str(out, str(from->commit));
}

/* Sources written so far; inputs of one leaf share theirs by address. */
static size_t source_number(Buf *sources, const PpsV2__PFSInput *from)
{
    size_t n = sources->size / sizeof(from);
    for (size_t i = 0; i < n; i++)
        if (!memcmp(sources->data + i * sizeof(from), &from, sizeof(from)))
            return i;
    buf_add(sources, &from, sizeof(from));
    return n;
}

static void add_inputs(Buf *out, const Datum *datum)
{
    Buf sources = { 0 };
    buf_add_varint(out, datum->input_count);
    for (size_t i = 0; i < datum->input_count; i++) {
        const DatumInput *input = datum->inputs[i];
        size_t known = sources.size;
        buf_add_varint(out, source_number(&sources, input->from));
        if (sources.size > known)
            add_source(out, input->from);
        assert(input->is_dir == str_ends(input->path, STR("/")));
        add_str(out, input->path);
        buf_add_varint(out, input->size);
        add_hash(out, &input->hash);
        add_str(out, input->join_on);
        add_str(out, input->group_by);
    }
    buf_done(&sources);
}

void record_pack(const DatumRecord *record, Buf *out)
{
    const RecordHead *head = &record->head;
    buf_add_u8(out, VERSION);
    buf_add_u8(out, (uint8_t)(head->state | (head->reused ? REUSED : 0)));
    add_hash(out, &head->datum_hash);
    add_hash(out, &head->key);
    add_hash(out, &head->output_root);

    add_hash(out, &record->datum.id);
    buf_add_varint(out, record->datum.index);
    add_inputs(out, &record->datum);

    buf_add_varint(out, record->output_bytes);
    buf_add_varint(out, (uint64_t)record->stats.download_ns);
    buf_add_varint(out, (uint64_t)record->stats.process_ns);
    buf_add_varint(out, (uint64_t)record->stats.upload_ns);
    buf_add_varint(out, record->stats.download_bytes);
    buf_add_varint(out, record->stats.upload_bytes);
    add_str(out, str(record->run_job));
    add_str(out, str(record->reason));
    add_str(out, str(record->image_id));
}

/* --- reading: a reader that went bad stays bad and gives zeros -------------------------------- */

typedef struct Reader {
    Ctx *ctx;
    Bytes bytes;
    size_t at;
    bool bad;
} Reader;

static uint64_t read_varint(Reader *reader)
{
    uint64_t value = 0;
    if (!reader->bad && !bytes_read_varint(reader->bytes, &reader->at, &value))
        reader->bad = true;
    return reader->bad ? 0 : value;
}

static Bytes read_bytes(Reader *reader, uint64_t size)
{
    if (reader->bad || size > reader->bytes.size - reader->at) {
        reader->bad = true;
        return (Bytes){ NULL, 0 };
    }
    Bytes piece = { reader->bytes.data + reader->at, (size_t)size };
    reader->at += (size_t)size;
    return piece;
}

static uint8_t read_u8(Reader *reader)
{
    Bytes piece = read_bytes(reader, 1);
    return reader->bad ? 0 : piece.data[0];
}

static Hash read_hash(Reader *reader)
{
    Hash hash = { 0 };
    Bytes piece = read_bytes(reader, HASH_SIZE);
    if (!reader->bad)
        memcpy(hash.bytes, piece.data, HASH_SIZE);
    return hash;
}

/* Text without NUL, ending in one; in the arena, so that messages may point to it. */
static char *read_text(Reader *reader)
{
    Bytes piece = read_bytes(reader, read_varint(reader));
    reader->bad |= piece.size && memchr(piece.data, 0, piece.size);
    return arena_strndup(reader->ctx->arena, (const char *)piece.data,
                         reader->bad ? 0 : piece.size);
}

static int64_t read_ns(Reader *reader)
{
    uint64_t value = read_varint(reader);
    reader->bad |= value > INT64_MAX;
    return reader->bad ? 0 : (int64_t)value;
}

static PpsV2__PFSInput *read_source(Reader *reader)
{
    PpsV2__PFSInput *from = PB_NEW(reader->ctx, pps_v2__pfsinput, PpsV2__PFSInput);
    uint8_t flags = read_u8(reader);
    reader->bad |= flags & ~SOURCE_KNOWN;
    from->outer_join = (flags & SOURCE_OUTER) != 0;
    from->lazy = (flags & SOURCE_LAZY) != 0;
    from->empty_files = (flags & SOURCE_EMPTY) != 0;
    from->s3 = (flags & SOURCE_S3) != 0;
    from->reference = (flags & SOURCE_REFERENCE) != 0;
    from->project = read_text(reader);
    from->name = read_text(reader);
    from->repo = read_text(reader);
    from->repo_type = read_text(reader);
    from->branch = read_text(reader);
    from->commit = read_text(reader);
    return from;
}

typedef struct Sources {
    const PpsV2__PFSInput **items; /* room for one an input */
    size_t n;
} Sources;

static void read_input(Reader *reader, Sources *sources, DatumInput *out)
{
    uint64_t number = read_varint(reader);
    if (number > sources->n)
        reader->bad = true;
    if (!reader->bad && number == sources->n)
        sources->items[sources->n++] = read_source(reader);
    if (reader->bad)
        return;
    out->from = sources->items[number];
    out->path = str(read_text(reader));
    out->is_dir = str_ends(out->path, STR("/"));
    out->size = read_varint(reader);
    out->hash = read_hash(reader);
    out->join_on = str(read_text(reader));
    out->group_by = str(read_text(reader));
    reader->bad |= !str_starts(out->path, STR("/"));
}

#define INPUT_SIZE_MIN (1 + 1 + 1 + HASH_SIZE + 1 + 1)

static Status read_inputs(Reader *reader, Datum *out)
{
    uint64_t n = read_varint(reader);
    if (n > (reader->bytes.size - reader->at) / INPUT_SIZE_MIN)
        reader->bad = true;
    if (reader->bad)
        return OK; /* told at the end */
    Arena *arena = reader->ctx->arena;
    DatumInput *inputs = ARENA_NEW(arena, DatumInput, n);
    const DatumInput **pointers = ARENA_NEW(arena, const DatumInput *, n);
    Sources sources = { ARENA_NEW(arena, const PpsV2__PFSInput *, n), 0 };
    if (!inputs || !pointers || !sources.items)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < n && !reader->bad; i++) {
        read_input(reader, &sources, &inputs[i]);
        pointers[i] = &inputs[i];
    }
    out->inputs = pointers;
    out->input_count = (size_t)n;
    return OK;
}

static Status malformed(Ctx *ctx)
{
    return FAIL(ctx, DATA_LOSS, "datum record is malformed");
}

static RecordHead read_head(Reader *reader)
{
    uint8_t version = read_u8(reader);
    uint8_t state = read_u8(reader);
    reader->bad |= version != VERSION || (state & ~REUSED) > RECORD_RECOVERED;
    return (RecordHead){
        .state = (RecordState)(state & ~REUSED),
        .reused = state & REUSED,
        .datum_hash = read_hash(reader),
        .key = read_hash(reader),
        .output_root = read_hash(reader),
    };
}

Status record_unpack_head(Ctx *ctx, Bytes encoded, RecordHead *out)
{
    Reader reader = { .ctx = ctx, .bytes = encoded };
    RecordHead head = read_head(&reader);
    if (reader.bad)
        return malformed(ctx);
    *out = head;
    return OK;
}

Status record_unpack(Ctx *ctx, Bytes encoded, DatumRecord *out)
{
    Reader reader = { .ctx = ctx, .bytes = encoded };
    DatumRecord record = { .head = read_head(&reader) };
    record.datum.id = read_hash(&reader);
    record.datum.index = read_varint(&reader);
    TRY(read_inputs(&reader, &record.datum));
    record.output_bytes = read_varint(&reader);
    record.stats.download_ns = read_ns(&reader);
    record.stats.process_ns = read_ns(&reader);
    record.stats.upload_ns = read_ns(&reader);
    record.stats.download_bytes = read_varint(&reader);
    record.stats.upload_bytes = read_varint(&reader);
    record.run_job = read_text(&reader);
    record.reason = read_text(&reader);
    record.image_id = read_text(&reader);
    if (reader.bad || reader.at != encoded.size)
        return malformed(ctx);
    *out = record;
    return OK;
}
