/* json_parse.c - text to JSON values, strictly by RFC 8259, knowing at each step the line and
 * column. */
#include <stdio.h>

#include "base/text.h"
#include "codec/json.h"

typedef struct Parser {
    Ctx *ctx;
    Str in;
    size_t at;
    size_t counted; /* `pos` is the position of this offset */
    JsonPos pos;
    unsigned depth;
    JsonError *error;
} Parser;

/* The position of an offset at or behind those asked for before: each byte is counted once. */
static JsonPos pos_of(Parser *p, size_t offset)
{
    for (; p->counted < offset; p->counted++) {
        uint8_t c = (uint8_t)p->in.data[p->counted];
        if (c == '\n')
            p->pos = (JsonPos){ p->pos.line + 1, 1 };
        else if ((c & 0xc0) != 0x80) /* not the rest of a UTF-8 sequence */
            p->pos.column++;
    }
    return p->pos;
}

PRINTF_LIKE(3, 4) static Status fail_at(Parser *p, size_t offset, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    p->error->message = text_vprintf(p->ctx->arena, format, args);
    va_end(args);
    p->error->pos = pos_of(p, offset);
    return FAIL(p->ctx, INVALID_ARGUMENT, "line %u, column %u: %s", p->error->pos.line,
                p->error->pos.column, p->error->message);
}

static int peek(const Parser *p)
{
    return p->at < p->in.size ? (uint8_t)p->in.data[p->at] : -1;
}

static void skip_blanks(Parser *p)
{
    while (peek(p) == ' ' || peek(p) == '\t' || peek(p) == '\n' || peek(p) == '\r')
        p->at++;
}

/* How much of the text a message shows: a word, a number, or one character. */
static Str token_at(Str in, size_t at)
{
    static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.";
    size_t size = 0;
    while (at + size < in.size && size < 32 && in.data[at + size] &&
           strchr(word, in.data[at + size]))
        size++;
    return str_sub(in, at, at + MAX(size, (size_t)1));
}

static Status fail_token(Parser *p, const char *wanted)
{
    if (p->at >= p->in.size)
        return fail_at(p, p->in.size, "unexpected end of input, expected %s", wanted);
    Str token = token_at(p->in, p->at);
    bool plain = token.data[0] > 0x20 && token.data[0] < 0x7f;
    return fail_at(p, p->at, "unexpected token %s, expected %s",
                   plain ? str_z(p->ctx->arena, token) : text_quote(p->ctx->arena, token), wanted);
}

/* --- strings ---------------------------------------------------------------------------------- */

static bool read_hex4(Str in, size_t at, uint32_t *out)
{
    uint8_t bytes[2];
    if (at + 4 > in.size || !hex_decode(str_sub(in, at, at + 4), bytes, sizeof(bytes)))
        return false;
    *out = (uint32_t)bytes[0] << 8 | bytes[1];
    return true;
}

static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    unsigned rest = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = { 0, 0xc0, 0xe0, 0xf0 };
    *to++ = (char)(lead[rest] | c >> (6 * rest));
    while (rest--)
        *to++ = (char)(0x80 | (c >> (6 * rest) & 0x3f));
    return to;
}

/* Behind "\u". */
static Status take_unicode(Parser *p, size_t escape_at, char **to)
{
    uint32_t high, low;
    if (!read_hex4(p->in, p->at, &high))
        return fail_at(p, escape_at, "invalid escape \\u: four hex digits must follow");
    p->at += 4;
    if (high >= 0xd800 && high < 0xdc00) {
        bool paired = str_starts(str_sub(p->in, p->at, p->in.size), STR("\\u")) &&
                      read_hex4(p->in, p->at + 2, &low) && low >= 0xdc00 && low < 0xe000;
        if (!paired)
            return fail_at(p, escape_at,
                           "invalid escape \\u%04x: a surrogate without its other half", high);
        p->at += 6;
        high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    } else if (high >= 0xdc00 && high < 0xe000) {
        return fail_at(p, escape_at, "invalid escape \\u%04x: a surrogate without its other half",
                       high);
    }
    *to = put_utf8(*to, high);
    return OK;
}

/* At a backslash. */
static Status take_escape(Parser *p, char **to)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    size_t escape_at = p->at++;
    int c = peek(p);
    if (c == 'u') {
        p->at++;
        return take_unicode(p, escape_at, to);
    }
    const char *name = c > 0 ? strchr(names, c) : NULL;
    if (!name)
        return fail_at(p, escape_at, "invalid escape in a string");
    *(*to)++ = values[name - names];
    p->at++;
    return OK;
}

/* Where the string that begins behind `at` ends: at its closing quote, or where the text
 * ends. */
static size_t find_quote(Str in, size_t at)
{
    while (at < in.size && in.data[at] != '"')
        at += in.data[at] == '\\' ? 2 : 1;
    return MIN(at, in.size);
}

/* At the opening quote. Decoding never makes a string longer. */
static Status parse_string(Parser *p, Str *out)
{
    size_t begin = p->at++;
    size_t end = find_quote(p->in, p->at);
    char *text = arena_alloc(p->ctx->arena, end - p->at + 1);
    if (!text)
        return STATUS(RESOURCE_EXHAUSTED);
    char *to = text;
    while (p->at < end) {
        uint8_t c = (uint8_t)p->in.data[p->at];
        if (c < 0x20)
            return fail_at(p, p->at, "invalid control character 0x%02x in a string", c);
        if (c == '\\')
            TRY(take_escape(p, &to));
        else
            *to++ = p->in.data[p->at++];
    }
    if (p->at >= p->in.size)
        return fail_at(p, p->in.size, "unexpected end of input in a string");
    if (!text_is_utf8(str_sub(p->in, begin, end)))
        return fail_at(p, begin, "invalid UTF-8 in a string");
    p->at++;
    *out = (Str){ text, (size_t)(to - text) };
    return OK;
}

/* --- numbers ---------------------------------------------------------------------------------- */

static size_t digits_at(Str s, size_t at)
{
    size_t from = at;
    while (at < s.size && s.data[at] >= '0' && s.data[at] <= '9')
        at++;
    return at - from;
}

/* Bytes of the number at the start of s; 0 when there is none. */
static size_t number_size(Str s)
{
    size_t at = s.size && s.data[0] == '-';
    size_t digits = digits_at(s, at);
    if (!digits || (digits > 1 && s.data[at] == '0'))
        return 0;
    at += digits;
    if (at < s.size && s.data[at] == '.') {
        digits = digits_at(s, at + 1);
        if (!digits)
            return 0;
        at += 1 + digits;
    }
    if (at < s.size && (s.data[at] == 'e' || s.data[at] == 'E')) {
        at++;
        at += at < s.size && (s.data[at] == '+' || s.data[at] == '-');
        digits = digits_at(s, at);
        if (!digits)
            return 0;
        at += digits;
    }
    return at;
}

bool json_is_number(Str text)
{
    return text.size && number_size(text) == text.size;
}

static Status parse_number(Parser *p, JsonValue *value)
{
    Str token = token_at(p->in, p->at);
    size_t size = number_size(str_sub(p->in, p->at, p->in.size));
    if (!size || size < token.size) /* "01" and "1x" are no numbers */
        return fail_at(p, p->at, "invalid number " STR_FMT, STR_ARG(token));
    value->type = JSON_NUMBER;
    value->text = (Str){ arena_strndup(p->ctx->arena, p->in.data + p->at, size), size };
    p->at += size;
    return OK;
}

/* --- values ----------------------------------------------------------------------------------- */

static Status parse_value(Parser *p, JsonValue **out);

static Status parse_word(Parser *p, const char *word, JsonValue *value)
{
    if (!str_eq_c(token_at(p->in, p->at), word))
        return fail_token(p, "a value");
    p->at += strlen(word);
    value->type = word[0] == 'n' ? JSON_NULL : JSON_BOOL;
    value->boolean = word[0] == 't';
    return OK;
}

/* Behind an item: at ',' moves on to the next; at `closer` takes it and says so. */
static Status take_separator(Parser *p, char closer, const char *wanted, bool *out_closed)
{
    skip_blanks(p);
    *out_closed = peek(p) == closer;
    if (!*out_closed && peek(p) != ',')
        return fail_token(p, wanted);
    p->at++;
    skip_blanks(p);
    return OK;
}

static Status parse_array(Parser *p, JsonValue *value)
{
    value->type = JSON_ARRAY;
    p->at++;
    skip_blanks(p);
    bool closed = peek(p) == ']';
    p->at += closed;
    while (!closed) {
        JsonValue *item;
        TRY(parse_value(p, &item));
        if (!json_reserve(p->ctx->arena, value))
            return STATUS(RESOURCE_EXHAUSTED);
        json_append(p->ctx->arena, value, item);
        TRY(take_separator(p, ']', "',' or ']'", &closed));
    }
    return OK;
}

#define NAME_SHOWN_BYTES 200 /* of a key, in a message */

static Status parse_member(Parser *p, JsonValue *object)
{
    if (peek(p) != '"')
        return fail_token(p, "a key in double quotes");
    size_t name_at = p->at;
    JsonPos pos = pos_of(p, name_at);
    Str name;
    TRY(parse_string(p, &name));
    skip_blanks(p);
    if (peek(p) != ':')
        return fail_token(p, "':'");
    p->at++;
    skip_blanks(p);
    if (json_get_str(object, name)) {
        char *shown = text_quote(p->ctx->arena, str_sub(name, 0, NAME_SHOWN_BYTES));
        p->error->duplicate = true;
        return fail_at(p, name_at, "duplicate field %s", shown);
    }
    JsonValue *value;
    TRY(parse_value(p, &value));
    if (!json_reserve(p->ctx->arena, object))
        return STATUS(RESOURCE_EXHAUSTED);
    json_add(p->ctx->arena, object, (JsonMember){ .name = name, .pos = pos, .value = value });
    return OK;
}

static Status parse_object(Parser *p, JsonValue *value)
{
    value->type = JSON_OBJECT;
    p->at++;
    skip_blanks(p);
    bool closed = peek(p) == '}';
    p->at += closed;
    while (!closed) {
        TRY(parse_member(p, value));
        TRY(take_separator(p, '}', "',' or '}'", &closed));
    }
    return OK;
}

static Status parse_nested(Parser *p, JsonValue *value)
{
    if (p->depth == JSON_DEPTH_MAX)
        return fail_at(p, p->at, "more than %d arrays and objects within each other",
                       JSON_DEPTH_MAX);
    p->depth++;
    TRY(peek(p) == '{' ? parse_object(p, value) : parse_array(p, value));
    p->depth--;
    return OK;
}

static Status parse_value(Parser *p, JsonValue **out)
{
    JsonValue *value = ARENA_NEW(p->ctx->arena, JsonValue, 1);
    if (!value)
        return STATUS(RESOURCE_EXHAUSTED);
    value->pos = pos_of(p, p->at);
    *out = value;
    int c = peek(p);
    switch (c) {
    case '{':
    case '[':
        return parse_nested(p, value);
    case '"':
        value->type = JSON_STRING;
        return parse_string(p, &value->text);
    case 't':
        return parse_word(p, "true", value);
    case 'f':
        return parse_word(p, "false", value);
    case 'n':
        return parse_word(p, "null", value);
    default:
        return c == '-' || (c >= '0' && c <= '9') ? parse_number(p, value)
                                                  : fail_token(p, "a value");
    }
}

Status json_parse_explain(Ctx *ctx, Str text, JsonValue **out, JsonError *error)
{
    *error = (JsonError){ 0 };
    Parser p = { .ctx = ctx, .in = text, .pos = { 1, 1 }, .error = error };
    skip_blanks(&p);
    TRY(parse_value(&p, out));
    skip_blanks(&p);
    return p.at == text.size ? OK : fail_token(&p, "the end of the text");
}

Status json_parse(Ctx *ctx, Str text, JsonValue **out)
{
    JsonError error;
    return json_parse_explain(ctx, text, out, &error);
}

Status json_parse_all(Ctx *ctx, Str text, JsonValue ***out, size_t *out_count)
{
    JsonError error = { 0 };
    Parser p = { .ctx = ctx, .in = text, .pos = { 1, 1 }, .error = &error };
    JsonValue *all = json_array(ctx->arena);
    for (skip_blanks(&p); p.at < text.size; skip_blanks(&p)) {
        JsonValue *value;
        TRY(parse_value(&p, &value));
        if (!json_reserve(ctx->arena, all))
            return STATUS(RESOURCE_EXHAUSTED);
        json_append(ctx->arena, all, value);
    }
    *out = all->items;
    *out_count = all->count;
    return OK;
}
