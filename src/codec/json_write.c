/* json_write.c - JSON values to text. */
#include <stdlib.h>

#include "base/text.h"
#include "codec/json.h"

/* Bytes of the UTF-8 sequence at the start of s, or 0. */
static size_t sequence_size(Str s)
{
    uint8_t c = (uint8_t)s.data[0];
    size_t size = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return size <= s.size && text_is_utf8(str_sub(s, 0, size)) ? size : 0;
}

static void write_control(Buf *out, uint8_t c)
{
    static const char named[] = "btn?fr"; /* 8 is \b … 13 is \r; 11 has no name */
    if (c >= 8 && c <= 13 && c != 11)
        buf_printf(out, "\\%c", named[c - 8]);
    else
        buf_printf(out, "\\u%04x", c);
}

void json_write_string(Buf *out, Str text)
{
    buf_add_u8(out, '"');
    while (text.size) {
        uint8_t c = (uint8_t)text.data[0];
        size_t size = sequence_size(text);
        if (size == 0)
            buf_add_str(out, STR("\xef\xbf\xbd")); /* U+FFFD */
        else if (c < 0x20 || c == 0x7f)
            write_control(out, c);
        else if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else
            buf_add(out, text.data, size);
        text = str_sub(text, MAX(size, (size_t)1), text.size);
    }
    buf_add_u8(out, '"');
}

typedef struct Writer {
    Buf *out;
    JsonStyle style;
    unsigned depth;
} Writer;

static void new_line(Writer *w)
{
    if (!w->style.indent)
        return;
    buf_add_u8(w->out, '\n');
    for (unsigned i = 0; i < w->depth * w->style.indent; i++)
        buf_add_u8(w->out, ' ');
}

static void write_value(Writer *w, const JsonValue *value);

static void write_member(Writer *w, const JsonMember *member)
{
    json_write_string(w->out, member->name);
    buf_add_str(w->out, w->style.indent ? STR(": ") : STR(":"));
    write_value(w, member->value);
}

static int order_by_name(const void *a, const void *b)
{
    const JsonMember *const *x = a, *const *y = b;
    return str_cmp((*x)->name, (*y)->name);
}

/* The members in the order to write them; free() it. */
static const JsonMember **members_in_order(const Writer *w, const JsonValue *object)
{
    const JsonMember **order = calloc(object->count, sizeof(*order));
    if (!order)
        abort();
    for (size_t i = 0; i < object->count; i++)
        order[i] = &object->members[i];
    if (w->style.sorted)
        qsort(order, object->count, sizeof(*order), order_by_name);
    return order;
}

static void write_container(Writer *w, const JsonValue *value)
{
    bool is_object = value->type == JSON_OBJECT;
    buf_add_u8(w->out, is_object ? '{' : '[');
    if (value->count) {
        const JsonMember **members = is_object ? members_in_order(w, value) : NULL;
        w->depth++;
        for (size_t i = 0; i < value->count; i++) {
            if (i)
                buf_add_u8(w->out, ',');
            new_line(w);
            if (is_object)
                write_member(w, members[i]);
            else
                write_value(w, value->items[i]);
        }
        w->depth--;
        new_line(w);
        free(members);
    }
    buf_add_u8(w->out, is_object ? '}' : ']');
}

static void write_value(Writer *w, const JsonValue *value)
{
    switch (value->type) {
    case JSON_NULL:
        buf_add_str(w->out, STR("null"));
        break;
    case JSON_BOOL:
        buf_add_str(w->out, value->boolean ? STR("true") : STR("false"));
        break;
    case JSON_NUMBER:
        buf_add_str(w->out, value->text);
        break;
    case JSON_STRING:
        json_write_string(w->out, value->text);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        write_container(w, value);
        break;
    }
}

void json_write(Buf *out, const JsonValue *value, JsonStyle style)
{
    Writer w = { .out = out, .style = style };
    write_value(&w, value);
}

Str json_print(Arena *arena, const JsonValue *value, JsonStyle style)
{
    CLEANUP(buf_done) Buf out = { 0 };
    json_write(&out, value, style);
    return (Str){ str_z(arena, buf_str(&out)), out.size };
}
