/* base64.c - see base64.h. */
#include "codec/base64.h"

#include <stdlib.h>

#define ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static void encode(Bytes data, const char *digits, bool padded, Buf *out)
{
    buf_reserve(out, data.size / 3 * 4 + 4);
    for (size_t at = 0; at < data.size; at += 3) {
        size_t left = MIN(data.size - at, (size_t)3);
        uint32_t group = (uint32_t)data.data[at] << 16;
        group |= left > 1 ? (uint32_t)data.data[at + 1] << 8 : 0;
        group |= left > 2 ? data.data[at + 2] : 0;
        for (size_t i = 0; i <= left; i++)
            buf_add_u8(out, (uint8_t)digits[group >> (18 - 6 * i) & 63]);
        for (size_t i = left; padded && i < 3; i++)
            buf_add_u8(out, '=');
    }
}

void base64_encode(Bytes data, Buf *out)
{
    encode(data, ALPHABET "+/", true, out);
}

void base64_encode_url(Bytes data, Buf *out)
{
    encode(data, ALPHABET "-_", false, out);
}

static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

bool base64_decode(Ctx *ctx, Str text, Bytes *out)
{
    bool padded = text.size % 4 == 0;
    for (int i = 0; i < 2 && padded && text.size && text.data[text.size - 1] == '='; i++)
        text.size--;
    uint8_t *data = arena_alloc(ctx->arena, text.size / 4 * 3 + 3);
    if (!data || text.size % 4 == 1)
        return false;
    size_t size = 0;
    uint32_t group = 0;
    for (size_t i = 0; i < text.size; i++) {
        int value = digit_value(text.data[i]);
        if (value < 0)
            return false;
        group = group << 6 | (uint32_t)value;
        if (i % 4)
            data[size++] = (uint8_t)(group >> (6 - 2 * (i % 4)));
    }
    *out = bytes(data, size);
    return true;
}

bool base64_or_hex_is(Str text, Bytes data)
{
    CLEANUP(buf_done) Buf written = { 0 };
    base64_encode(data, &written);
    if (str_eq(buf_str(&written), text))
        return true;
    uint8_t *decoded = text.size == 2 * data.size ? malloc(data.size + 1) : NULL;
    bool same = decoded && hex_decode(text, decoded, data.size) &&
                memcmp(decoded, data.data, data.size) == 0;
    free(decoded);
    return same;
}
