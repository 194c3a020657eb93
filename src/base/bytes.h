/* bytes.h - what crosses module borders instead of bare pointers: Bytes, Str, and a growable Buf.
 *
 * Bytes and Str do not own; they are valid as long as what they point into. A Str is UTF-8 or plain
 * bytes and need not end in NUL.
 */
#pragma once

#include <string.h>

#include "base/arena.h"

typedef struct Bytes {
    const uint8_t *data;
    size_t size;
} Bytes;

typedef struct Str {
    const char *data;
    size_t size;
} Str;

#define STR(literal) ((Str){ "" literal, sizeof(literal) - 1 })
#define STR_FMT      "%.*s"
#define STR_ARG(s)   (int)(s).size, (s).data

static inline Str str(const char *text) /* NULL is "" */
{
    return text ? (Str){ text, strlen(text) } : (Str){ "", 0 };
}
static inline Bytes bytes(const void *data, size_t size)
{
    return (Bytes){ data, size };
}
static inline Bytes str_bytes(Str s)
{
    return (Bytes){ (const uint8_t *)s.data, s.size };
}
static inline Str bytes_str(Bytes b)
{
    return (Str){ (const char *)b.data, b.size };
}

/* Bytewise, shorter first when one is a prefix of the other. These are the inner loop of trees. */
static inline int bytes_cmp(Bytes a, Bytes b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}
static inline bool bytes_eq(Bytes a, Bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}
static inline int str_cmp(Str a, Str b)
{
    return bytes_cmp(str_bytes(a), str_bytes(b));
}
static inline bool str_eq(Str a, Str b)
{
    return bytes_eq(str_bytes(a), str_bytes(b));
}

bool str_eq_c(Str a, const char *b);
bool str_starts(Str s, Str prefix);
bool str_ends(Str s, Str suffix);
static inline Str str_sub(Str s, size_t from, size_t to) /* [from, to), both clamped */
{
    to = to < s.size ? to : s.size;
    from = from < to ? from : to;
    return (Str){ s.data + from, to - from };
}
size_t str_find(Str s, char c);              /* index of the first c, or s.size */
size_t str_find_any(Str s, const char *any); /* index of the first of `any`, or s.size */
Str str_trim(Str s, const char *any);        /* without those of `any` at both ends */
Str str_cut(Str *rest, char c);              /* what is before c, or all; *rest is what is after */
bool str_to_i64(Str s, int64_t *out);        /* the whole of s, decimal; false on overflow */
char *str_z(Arena *arena, Str s);            /* NUL-terminated copy */

/* A growable byte buffer on the heap. Zero-initialised is empty. Aborts when memory is out. */
typedef struct Buf {
    uint8_t *data;
    size_t size;
    size_t capacity;
} Buf;

void buf_done(Buf *buf); /* frees; leaves it empty */
void buf_clear(Buf *buf);
void buf_grow(Buf *buf, size_t extra);
static inline void buf_reserve(Buf *buf, size_t extra)
{
    size_t need = buf->size + extra;
    if (need > buf->capacity || need < extra)
        buf_grow(buf, extra);
}
static inline void buf_add(Buf *buf, const void *data, size_t size)
{
    if (!size)
        return;
    buf_reserve(buf, size);
    memcpy(buf->data + buf->size, data, size);
    buf->size += size;
}
static inline void buf_add_bytes(Buf *buf, Bytes b)
{
    buf_add(buf, b.data, b.size);
}
static inline void buf_add_str(Buf *buf, Str s)
{
    buf_add(buf, s.data, s.size);
}
static inline void buf_add_u8(Buf *buf, uint8_t v)
{
    buf_add(buf, &v, 1);
}
void buf_add_long_varint(Buf *buf, uint64_t v);
static inline void buf_add_varint(Buf *buf, uint64_t v) /* LEB128 */
{
    if (v < 0x80)
        buf_add_u8(buf, (uint8_t)v);
    else
        buf_add_long_varint(buf, v);
}
void buf_printf(Buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_drop_front(Buf *buf, size_t size); /* memmove; for small leftovers */
static inline Bytes buf_bytes(const Buf *buf)
{
    return (Bytes){ buf->data, buf->size };
}
static inline Str buf_str(const Buf *buf)
{
    return (Str){ (const char *)buf->data, buf->size };
}

/* On-disk and wire integers. */
static inline uint32_t load_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint64_t load_le64(const uint8_t *p)
{
    return (uint64_t)load_le32(p) | (uint64_t)load_le32(p + 4) << 32;
}
void store_le32(uint8_t *p, uint32_t v);
void store_le64(uint8_t *p, uint64_t v);
uint32_t load_be32(const uint8_t *p);
void store_be32(uint8_t *p, uint32_t v);
void store_be64(uint8_t *p, uint64_t v);

/* Reads a LEB128 varint at *at and moves past it; false when it is cut short or over 64 bits. */
bool bytes_read_long_varint(Bytes b, size_t *at, uint64_t *out);
static inline bool bytes_read_varint(Bytes b, size_t *at, uint64_t *out)
{
    if (*at >= b.size || b.data[*at] >= 0x80)
        return bytes_read_long_varint(b, at, out);
    *out = b.data[(*at)++];
    return true;
}

/* Hex, lower case. out has room for 2 * size + 1. */
void hex_encode(const void *data, size_t size, char *out);
bool hex_decode(Str hex, void *out, size_t out_size); /* exactly out_size bytes, either case */
