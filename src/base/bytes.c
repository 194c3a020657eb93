/* bytes.c - see bytes.h. */
#include "base/bytes.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool str_eq_c(Str a, const char *b)
{
    return str_eq(a, str(b));
}

bool str_starts(Str s, Str prefix)
{
    return s.size >= prefix.size && str_eq((Str){ s.data, prefix.size }, prefix);
}

bool str_ends(Str s, Str suffix)
{
    return s.size >= suffix.size &&
           str_eq((Str){ s.data + s.size - suffix.size, suffix.size }, suffix);
}

size_t str_find(Str s, char c)
{
    const char *hit = s.size ? memchr(s.data, c, s.size) : NULL;
    return hit ? (size_t)(hit - s.data) : s.size;
}

static bool is_one_of(char c, const char *any)
{
    return c && strchr(any, c);
}

size_t str_find_any(Str s, const char *any)
{
    size_t i = 0;
    while (i < s.size && !is_one_of(s.data[i], any))
        i++;
    return i;
}

Str str_trim(Str s, const char *any)
{
    while (s.size && is_one_of(s.data[0], any))
        s = str_sub(s, 1, s.size);
    while (s.size && is_one_of(s.data[s.size - 1], any))
        s.size--;
    return s;
}

Str str_cut(Str *rest, char c)
{
    Str head = str_sub(*rest, 0, str_find(*rest, c));
    *rest = str_sub(*rest, head.size + 1, rest->size);
    return head;
}

bool str_to_i64(Str s, int64_t *out)
{
    bool negative = s.size && s.data[0] == '-';
    size_t at = negative ? 1 : 0;
    if (at == s.size)
        return false;
    int64_t value = 0;
    for (; at < s.size; at++) {
        int digit = s.data[at] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, digit, &value))
            return false;
    }
    if (!negative && __builtin_sub_overflow(0, value, &value))
        return false;
    *out = value;
    return true;
}

char *str_z(Arena *arena, Str s)
{
    return arena_strndup(arena, s.data, s.size);
}

void buf_done(Buf *buf)
{
    free(buf->data);
    *buf = (Buf){ 0 };
}

void buf_clear(Buf *buf)
{
    buf->size = 0;
}

void buf_grow(Buf *buf, size_t extra)
{
    size_t need = buf->size + extra;
    if (need < buf->size)
        abort();
    size_t capacity = MAX(MAX(need, buf->capacity + buf->capacity / 2), (size_t)64);
    uint8_t *data = realloc(buf->data, capacity);
    if (!data)
        abort();
    buf->data = data;
    buf->capacity = capacity;
}

void buf_add_long_varint(Buf *buf, uint64_t v)
{
    uint8_t out[10];
    size_t n = 0;
    while (v >= 0x80) {
        out[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    out[n++] = (uint8_t)v;
    buf_add(buf, out, n);
}

void buf_printf(Buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(size >= 0);
    buf_reserve(buf, (size_t)size + 1);
    vsnprintf((char *)buf->data + buf->size, (size_t)size + 1, format, again);
    va_end(again);
    buf->size += (size_t)size;
}

void buf_drop_front(Buf *buf, size_t size)
{
    assert(size <= buf->size);
    if (!size)
        return;
    memmove(buf->data, buf->data + size, buf->size - size);
    buf->size -= size;
}

void store_le32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

void store_le64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

uint32_t load_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

void store_be32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

void store_be64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (56 - 8 * i));
}

bool bytes_read_long_varint(Bytes b, size_t *at, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (*at >= b.size)
            return false;
        uint8_t byte = b.data[(*at)++];
        if (shift == 63 && byte > 1)
            return false;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *out = value;
            return true;
        }
    }
    return false;
}

void hex_encode(const void *data, size_t size, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *in = data;
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    out[2 * size] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(Str hex, void *out, size_t out_size)
{
    if (hex.size != 2 * out_size)
        return false;
    uint8_t *to = out;
    for (size_t i = 0; i < out_size; i++) {
        int high = hex_digit(hex.data[2 * i]);
        int low = hex_digit(hex.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
