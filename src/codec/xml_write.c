/* xml_write.c - elements and escaped text. */
#include "base/text.h"
#include "codec/xml.h"

void xml_begin(Buf *out)
{
    buf_add_str(out, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"));
}

void xml_open(Buf *out, const char *name, const char *attributes)
{
    buf_printf(out, "<%s%s%s>", name, attributes ? " " : "", attributes ? attributes : "");
}

void xml_close(Buf *out, const char *name)
{
    buf_printf(out, "</%s>", name);
}

/* What a byte is written as; NULL: as it is. A line break would be read back as another one. */
static const char *escape_of(uint8_t c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&#34;";
    case '\'':
        return "&#39;";
    case '\t':
        return "&#x9;";
    case '\n':
        return "&#xA;";
    case '\r':
        return "&#xD;";
    default:
        return c < 0x20 || c == 0x7f ? "\xef\xbf\xbd" : NULL;
    }
}

/* Bytes of the character at the start of s; 0: none that XML may hold. */
static size_t character_size(Str s)
{
    uint8_t c = (uint8_t)s.data[0];
    size_t size = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (size > s.size || !text_is_utf8(str_sub(s, 0, size)))
        return 0;
    bool is_noncharacter = size == 3 && memcmp(s.data, "\xef\xbf", 2) == 0 &&
                           ((uint8_t)s.data[2] == 0xbe || (uint8_t)s.data[2] == 0xbf);
    return is_noncharacter ? 0 : size;
}

static void add_escaped(Buf *out, Str text)
{
    while (text.size) {
        size_t size = character_size(text);
        const char *escape = size ? escape_of((uint8_t)text.data[0]) : "\xef\xbf\xbd";
        if (escape)
            buf_add_str(out, str(escape));
        else
            buf_add(out, text.data, size);
        text = str_sub(text, MAX(size, (size_t)1), text.size);
    }
}

void xml_text(Buf *out, const char *name, Str text)
{
    xml_open(out, name, NULL);
    add_escaped(out, text);
    xml_close(out, name);
}

void xml_number(Buf *out, const char *name, int64_t number)
{
    buf_printf(out, "<%s>%lld</%s>", name, (long long)number, name);
}
