/* grpc.c - see grpc_priv.h. */
#include "wire/grpc_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "codec/base64.h"

void fields_add(Arena *arena, Fields *fields, Str name, Str value)
{
    Field *field = ARENA_ONE(arena, Field);
    field->name = str_z(arena, name);
    field->value = str_z(arena, value);
    if (fields->tail)
        fields->tail->next = field;
    else
        fields->head = field;
    fields->tail = field;
    fields->size += name.size + value.size + FIELD_OVERHEAD_BYTES;
}

void fields_join(Fields *fields, const Fields *more)
{
    if (!more->head)
        return;
    if (fields->tail)
        fields->tail->next = more->head;
    else
        fields->head = more->head;
    fields->tail = more->tail;
    fields->size += more->size;
}

const char *fields_get(const Fields *fields, const char *name, size_t nth)
{
    for (const Field *f = fields->head; f; f = f->next) {
        if (strcmp(f->name, name) == 0 && nth-- == 0)
            return f->value;
    }
    return NULL;
}

bool fields_add_metadata(Ctx *ctx, Fields *fields, Str name, Str value)
{
    if (!str_ends(name, STR("-bin"))) {
        fields_add(ctx->arena, fields, name, value);
        return true;
    }
    for (size_t at = 0; at <= value.size;) {
        Str part = str_sub(value, at, value.size);
        part.size = str_find(part, ',');
        Bytes decoded;
        if (!base64_decode(ctx, part, &decoded))
            return false;
        fields_add(ctx->arena, fields, name, bytes_str(decoded));
        at += part.size + 1;
    }
    return true;
}

/* gRPC asks senders to leave the padding out. */
static void add_base64(Arena *arena, Fields *fields, const char *name, Bytes value)
{
    CLEANUP(buf_done) Buf text = { 0 };
    base64_encode(value, &text);
    while (text.size && text.data[text.size - 1] == '=')
        text.size--;
    fields_add(arena, fields, str(name), buf_str(&text));
}

void fields_put_metadata(Arena *arena, Fields *fields, const char *name, const char *value)
{
    if (str_ends(str(name), STR("-bin")))
        add_base64(arena, fields, name, str_bytes(str(value)));
    else
        fields_add(arena, fields, str(name), str(value));
}

static const struct {
    char unit;
    int64_t ns;
} units[] = {
    { 'n', 1 },
    { 'u', 1000 },
    { 'm', NS_PER_MS },
    { 'S', NS_PER_SEC },
    { 'M', 60 * NS_PER_SEC },
    { 'H', 3600 * NS_PER_SEC },
};
#define TIMEOUT_DIGITS_MAX 8
#define TIMEOUT_VALUE_MAX  99999999

bool grpc_timeout_parse(Str text, int64_t *out_ns)
{
    int64_t value;
    if (text.size < 2 || text.size > TIMEOUT_DIGITS_MAX + 1 || text.data[0] == '-')
        return false;
    if (!str_to_i64(str_sub(text, 0, text.size - 1), &value))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (units[i].unit != text.data[text.size - 1])
            continue;
        if (__builtin_mul_overflow(value, units[i].ns, out_ns))
            *out_ns = INT64_MAX;
        return true;
    }
    return false;
}

void grpc_timeout_format(int64_t ns, char out[GRPC_TIMEOUT_SIZE])
{
    size_t i = 0;
    ns = MAX(ns, 0);
    while (i + 1 < ARRAY_LEN(units) && ns / units[i].ns >= TIMEOUT_VALUE_MAX)
        i++;
    int64_t value = ns / units[i].ns + (ns % units[i].ns != 0);
    snprintf(out, GRPC_TIMEOUT_SIZE, "%d%c", (int)MIN(value, TIMEOUT_VALUE_MAX), units[i].unit);
}

/* Appends the percent-encoding of text; stops between characters before it has more than size_max
 * bytes, and says so by false. Blanks at the ends are encoded too: a field's value may not have any
 * (RFC 9113, 8.2.1). */
static bool percent_encode(Str text, size_t size_max, Buf *out)
{
    size_t boundary = 0; /* of out, at the start of the current character */
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = (uint8_t)text.data[i];
        if ((c & 0xc0) != 0x80)
            boundary = out->size;
        bool at_end = i == 0 || i + 1 == text.size;
        if (c >= 0x20 && c <= 0x7e && c != '%' && !(c == ' ' && at_end))
            buf_add_u8(out, c);
        else
            buf_printf(out, "%%%02X", c);
        if (out->size > size_max) {
            out->size = boundary;
            while (out->size && out->data[out->size - 1] == ' ')
                out->size--; /* the cut made a new end */
            return false;
        }
    }
    return true;
}

static char *percent_decode(Arena *arena, Str text)
{
    char *out = arena_must(arena, text.size + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte;
        if (text.data[i] == '%' && hex_decode(str_sub(text, i + 1, i + 3), &byte, 1)) {
            out[n++] = (char)byte;
            i += 2;
        } else {
            out[n++] = text.data[i];
        }
    }
    return out;
}

enum { PB_VARINT = 0, PB_BYTES = 2 };

static void add_pb_bytes(Buf *out, unsigned number, Bytes value)
{
    buf_add_varint(out, number << 3 | PB_BYTES);
    buf_add_varint(out, value.size);
    buf_add_bytes(out, value);
}

static void encode_details(Status status, Buf *out)
{
    buf_add_varint(out, 1 << 3 | PB_VARINT);
    buf_add_varint(out, (uint64_t)status.code);
    add_pb_bytes(out, 2, str_bytes(str(status_message(status))));
    for (const StatusAny *any = status.detail->any; any; any = any->next) {
        CLEANUP(buf_done) Buf one = { 0 };
        add_pb_bytes(&one, 1, str_bytes(str(any->type_url)));
        add_pb_bytes(&one, 2, any->value);
        add_pb_bytes(out, 3, buf_bytes(&one));
    }
}

static void add_details(Arena *arena, Fields *trailers, Status status, size_t size_max)
{
    CLEANUP(buf_done) Buf details = { 0 };
    encode_details(status, &details);
    if (details.size / 3 * 4 + 4 <= size_max)
        add_base64(arena, trailers, "grpc-status-details-bin", buf_bytes(&details));
}

void grpc_trailers_add(Arena *arena, Fields *trailers, Status status)
{
    char code[12];
    snprintf(code, sizeof(code), "%d", (int)status.code);
    fields_add(arena, trailers, STR("grpc-status"), str(code));
    if (status_ok(status))
        return;
    CLEANUP(buf_done) Buf message = { 0 };
    bool whole = percent_encode(str(status_message(status)), GRPC_TRAILERS_BYTES_MAX, &message);
    fields_add(arena, trailers, STR("grpc-message"), buf_str(&message));
    if (whole && status.detail && status.detail->any)
        add_details(arena, trailers, status, GRPC_TRAILERS_BYTES_MAX - message.size);
}

/* One field of an encoded message: its number, and its number or bytes. False at the end and when
 * malformed. */
typedef struct PbField {
    uint64_t number, value;
    Bytes bytes;
} PbField;

static bool next_pb_field(Bytes in, size_t *at, PbField *out)
{
    uint64_t key;
    *out = (PbField){ 0 };
    if (!bytes_read_varint(in, at, &key) || !bytes_read_varint(in, at, &out->value))
        return false;
    out->number = key >> 3;
    if ((key & 7) == PB_VARINT)
        return true;
    if ((key & 7) != PB_BYTES || out->value > in.size - *at)
        return false;
    out->bytes = (Bytes){ in.data + *at, (size_t)out->value };
    *at += out->bytes.size;
    return true;
}

static Status with_any(Ctx *ctx, Status status, Bytes encoded)
{
    const char *type_url = "";
    Bytes value = { 0 };
    PbField field;
    for (size_t at = 0; next_pb_field(encoded, &at, &field);) {
        if (field.number == 1)
            type_url = str_z(ctx->arena, bytes_str(field.bytes));
        else if (field.number == 2)
            value = field.bytes;
    }
    return status_with_any(ctx, status, type_url, value);
}

static Status with_details(Ctx *ctx, Status status, const char *text)
{
    Bytes details;
    PbField field;
    if (!text || !base64_decode(ctx, str(text), &details))
        return status;
    for (size_t at = 0; next_pb_field(details, &at, &field);) {
        if (field.number == 3)
            status = with_any(ctx, status, field.bytes);
    }
    return status;
}

static StatusCode code_of_http(int http_status)
{
    static const struct {
        int http;
        StatusCode code;
    } codes[] = {
        { 400, STATUS_INTERNAL },          { 401, STATUS_UNAUTHENTICATED },
        { 403, STATUS_PERMISSION_DENIED }, { 404, STATUS_UNIMPLEMENTED },
        { 429, STATUS_UNAVAILABLE },       { 502, STATUS_UNAVAILABLE },
        { 503, STATUS_UNAVAILABLE },       { 504, STATUS_UNAVAILABLE },
    };
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (codes[i].http == http_status)
            return codes[i].code;
    }
    return STATUS_UNKNOWN;
}

Status grpc_trailers_status(Ctx *ctx, const Fields *trailers, int http_status)
{
    const char *text = fields_get(trailers, "grpc-status", 0);
    int64_t code;
    if (!text || !str_to_i64(str(text), &code))
        return status_new(ctx, code_of_http(http_status),
                          "server answered without grpc-status (HTTP %d)", http_status);
    if (code == STATUS_OK)
        return OK;
    const char *message = fields_get(trailers, "grpc-message", 0);
    StatusCode known = code > 0 && code < STATUS_CODE_COUNT ? (StatusCode)code : STATUS_UNKNOWN;
    Status status = status_new(ctx, known, "%s", percent_decode(ctx->arena, str(message)));
    return with_details(ctx, status, fields_get(trailers, "grpc-status-details-bin", 0));
}
