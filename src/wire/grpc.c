/* grpc.c - see grpc.h. */
#include "wire/grpc.h"

#include <openssl/evp.h>

#define ZLIB_CONST
#include <zlib.h>

void grpc_add_frame(Buf *out, Bytes message)
{
    uint8_t prefix[GRPC_PREFIX_SIZE] = { 0 };
    store_be32(prefix + 1, (uint32_t)message.size);
    buf_add(out, prefix, sizeof(prefix));
    buf_add_bytes(out, message);
}

bool grpc_parse_timeout(Str text, int64_t *out_ns)
{
    static const struct {
        char unit;
        int64_t ns;
    } units[] = { { 'H', 3600 * NS_PER_SEC }, { 'M', 60 * NS_PER_SEC }, { 'S', NS_PER_SEC },
                  { 'm', NS_PER_MS },         { 'u', 1000 },            { 'n', 1 } };
    int64_t value;
    if (text.size < 2 || text.size > 9 || !str_to_i64(str_sub(text, 0, text.size - 1), &value) || value < 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (units[i].unit == text.data[text.size - 1]) {
            if (__builtin_mul_overflow(value, units[i].ns, out_ns))
                *out_ns = INT64_MAX / 2;
            return true;
        }
    }
    return false;
}

char *grpc_percent_encode(Arena *arena, Str text)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = arena_must(arena, 3 * text.size + 1);
    char *to = out;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = (uint8_t)text.data[i];
        if (c >= 0x20 && c < 0x7f && c != '%') {
            *to++ = (char)c;
        } else {
            *to++ = '%';
            *to++ = digits[c >> 4];
            *to++ = digits[c & 15];
        }
    }
    return out;
}

char *grpc_percent_decode(Arena *arena, Str text)
{
    char *out = arena_must(arena, text.size + 1);
    char *to = out;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte;
        if (text.data[i] == '%' && i + 2 < text.size && hex_decode(str_sub(text, i + 1, i + 3), &byte, 1)) {
            *to++ = (char)byte;
            i += 2;
        } else {
            *to++ = text.data[i];
        }
    }
    return out;
}

char *grpc_base64(Arena *arena, Bytes data)
{
    char *out = arena_must(arena, 4 * (data.size / 3 + 1) + 1);
    EVP_EncodeBlock((unsigned char *)out, data.data, (int)data.size);
    return out;
}

bool grpc_from_base64(Arena *arena, Str text, Bytes *out)
{
    while (text.size && text.data[text.size - 1] == '=')
        text.size--;
    size_t padding = (4 - text.size % 4) % 4;
    if (padding == 3)
        return false;
    char *padded = arena_must(arena, text.size + padding + 1);
    memcpy(padded, text.data, text.size);
    memset(padded + text.size, '=', padding);
    uint8_t *plain = arena_must(arena, text.size + 4);
    int size = EVP_DecodeBlock(plain, (const unsigned char *)padded, (int)(text.size + padding));
    if (size < (int)padding)
        return false;
    *out = bytes(plain, (size_t)size - padding);
    return true;
}

/* --- google.rpc.Status: 1 code (varint), 2 message, 3 details: google.protobuf.Any { 1 type_url, 2 value } ----------- */

static void add_field(Buf *out, unsigned number, Bytes value)
{
    buf_add_varint(out, number << 3 | 2);
    buf_add_varint(out, value.size);
    buf_add_bytes(out, value);
}

Bytes grpc_pack_details(Arena *arena, Status s)
{
    if (!s.detail || !s.detail->any)
        return (Bytes){ 0 };
    Buf out = { 0 };
    buf_add_varint(&out, 1 << 3);
    buf_add_varint(&out, (uint64_t)s.code);
    add_field(&out, 2, str_bytes(str(status_message(s))));
    for (const StatusAny *any = s.detail->any; any; any = any->next) {
        Buf packed = { 0 };
        add_field(&packed, 1, str_bytes(str(any->type_url)));
        add_field(&packed, 2, any->value);
        add_field(&out, 3, buf_bytes(&packed));
        buf_done(&packed);
    }
    Bytes result = bytes(arena_memdup(arena, out.data, out.size), out.size);
    buf_done(&out);
    return result;
}

/* The next field of a message: length-delimited ones in *out_value; others are skipped over with *out_number 0. */
static bool next_field(Bytes message, size_t *at, uint64_t *out_number, Bytes *out_value)
{
    uint64_t key, size;
    *out_number = 0;
    if (!bytes_read_varint(message, at, &key))
        return false;
    if ((key & 7) == 0)
        return bytes_read_varint(message, at, &size);
    if ((key & 7) != 2 || !bytes_read_varint(message, at, &size) || size > message.size - *at)
        return false;
    *out_number = key >> 3;
    *out_value = bytes(message.data + *at, (size_t)size);
    *at += (size_t)size;
    return true;
}

static Status add_any(Ctx *ctx, Status s, Bytes packed)
{
    const char *type_url = "";
    Bytes value = { 0 }, field;
    uint64_t number;
    for (size_t at = 0; at < packed.size && next_field(packed, &at, &number, &field);) {
        if (number == 1)
            type_url = str_z(ctx->arena, bytes_str(field));
        else if (number == 2)
            value = field;
    }
    return status_with_any(ctx, s, type_url, value);
}

Status grpc_unpack_status(Ctx *ctx, int code, Str message, Bytes details)
{
    if (code == STATUS_OK)
        return OK;
    StatusCode known = code > 0 && code < STATUS_CODE_COUNT ? (StatusCode)code : STATUS_UNKNOWN;
    Status s = status_new(ctx, known, STR_FMT, STR_ARG(message));
    Bytes field;
    uint64_t number;
    for (size_t at = 0; at < details.size && next_field(details, &at, &number, &field);) {
        if (number == 3)
            s = add_any(ctx, s, field);
    }
    return s;
}

Status grpc_gunzip(Ctx *ctx, Bytes packed, size_t limit, Buf *out)
{
    z_stream z = { 0 };
    if (inflateInit2(&z, 15 + 32) != Z_OK) /* 32: gzip or zlib, by its header */
        return STATUS(RESOURCE_EXHAUSTED);
    z.next_in = packed.data;
    z.avail_in = (uInt)packed.size;
    int state = Z_OK;
    size_t start = out->size;
    while (state == Z_OK && out->size - start <= limit) {
        buf_reserve(out, 64 * KiB);
        z.next_out = out->data + out->size;
        z.avail_out = (uInt)(out->capacity - out->size);
        state = inflate(&z, Z_NO_FLUSH);
        out->size = (size_t)(z.next_out - out->data);
    }
    inflateEnd(&z);
    if (out->size - start > limit)
        return FAIL(ctx, RESOURCE_EXHAUSTED, "grpc: received message after decompression larger than max %zu", limit);
    if (state != Z_STREAM_END)
        return FAIL(ctx, INTERNAL, "grpc: failed to decompress the received message");
    return OK;
}
