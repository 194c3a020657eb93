/* text.c - see text.h. */
#include "base/text.h"

#include <stdio.h>

char *text_vprintf(Arena *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    assert(size >= 0);
    char *text = arena_must(arena, (size_t)size + 1);
    vsnprintf(text, (size_t)size + 1, format, args);
    return text;
}

char *text_printf(Arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = text_vprintf(arena, format, args);
    va_end(args);
    return text;
}

/* Bytes of the well-formed UTF-8 sequence at s[0], or 0. Table 3-7 of the Unicode standard. */
static size_t utf8_sequence(Str s)
{
    const uint8_t *p = (const uint8_t *)s.data;
    if (p[0] < 0x80)
        return 1;
    size_t size = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || s.size < size)
        return 0;
    uint8_t low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return size;
}

bool text_is_utf8(Str s)
{
    while (s.size) {
        size_t size = utf8_sequence(s);
        if (!size)
            return false;
        s = str_sub(s, size, s.size);
    }
    return true;
}

static void quote_byte(Buf *out, uint8_t c)
{
    static const char named[] = "abtnvfr"; /* \a is 7, \b is 8, … \r is 13 */
    if (c == '"' || c == '\\')
        buf_printf(out, "\\%c", c);
    else if (c >= 7 && c <= 13)
        buf_printf(out, "\\%c", named[c - 7]);
    else if (c < 0x20 || c >= 0x7f)
        buf_printf(out, "\\x%02x", c);
    else
        buf_add_u8(out, c);
}

char *text_quote(Arena *arena, Str s)
{
    Buf out = { 0 };
    buf_add_u8(&out, '"');
    while (s.size) {
        size_t size = utf8_sequence(s);
        if (size > 1)
            buf_add(&out, s.data, size);
        else
            quote_byte(&out, (uint8_t)s.data[0]);
        s = str_sub(s, MAX(size, (size_t)1), s.size);
    }
    buf_add_u8(&out, '"');
    char *text = str_z(arena, buf_str(&out));
    buf_done(&out);
    return text;
}

char *text_join(Arena *arena, const char *const *parts, size_t n, const char *separator)
{
    size_t size = 1;
    for (size_t i = 0; i < n; i++)
        size += strlen(parts[i]) + strlen(separator);
    char *text = arena_must(arena, size);
    char *to = text;
    for (size_t i = 0; i < n; i++) {
        if (i)
            to = stpcpy(to, separator);
        to = stpcpy(to, parts[i]);
    }
    return text;
}

#define DISTANCE_MAX 64

size_t text_distance(Str a, Str b)
{
    a = str_sub(a, 0, DISTANCE_MAX);
    b = str_sub(b, 0, DISTANCE_MAX);
    size_t row[DISTANCE_MAX + 1];
    for (size_t j = 0; j <= b.size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            size_t change = diagonal + (a.data[i - 1] != b.data[j - 1]);
            diagonal = row[j];
            row[j] = MIN(MIN(row[j] + 1, row[j - 1] + 1), change);
        }
    }
    return row[b.size];
}
