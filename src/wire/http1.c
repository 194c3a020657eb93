/* http1.c - see http1_priv.h. */
#include "wire/http1_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "wire/http.h"

/* --- characters ------------------------------------------------------------------------------ */

static bool is_token(Str s)
{
    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (!isalnum(c) && (!c || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return s.size > 0;
}

/* A field value: no control characters but tabs. */
static bool is_value(Str s)
{
    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_target(Str s)
{
    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c <= 0x20 || c == 0x7f)
            return false;
    }
    return s.size > 0;
}

static bool same_word(Str s, const char *word)
{
    return s.size == strlen(word) && strncasecmp(s.data, word, s.size) == 0;
}

/* Is the word among the comma-separated ones of list? */
static bool has_word(Str list, const char *word)
{
    while (list.size) {
        size_t comma = str_find(list, ',');
        if (same_word(str_trim(str_sub(list, 0, comma), " \t"), word))
            return true;
        list = str_sub(list, comma + 1, list.size);
    }
    return false;
}

/* --- heads ----------------------------------------------------------------------------------- */

#define NONE                   ((Http1Error){ 0, NULL })
#define ERROR(status, message) ((Http1Error){ (status), (message) })

size_t http1_head_end(Str text, size_t searched)
{
    size_t from = searched > 3 ? searched - 3 : 0; /* the end may have begun before */
    const char *end = memmem(text.data + from, text.size - from, "\r\n\r\n", 4);
    return end ? (size_t)(end - text.data) + 4 : 0;
}

/* Takes a line and its CRLF off *text. False when a CR or LF stands elsewhere. */
static bool next_line(Str *text, Str *out)
{
    size_t end = str_find(*text, '\r');
    if (end + 1 >= text->size || text->data[end + 1] != '\n')
        return false;
    *out = str_sub(*text, 0, end);
    *text = str_sub(*text, end + 2, text->size);
    return str_find(*out, '\n') == out->size;
}

/* "http://host/path" is what proxies are sent; its host counts more than the field. */
static Str origin_form(Arena *arena, Str target, Http1Head *out)
{
    if (target.size < 7 || strncasecmp(target.data, "http://", 7) != 0)
        return target;
    Str rest = str_sub(target, 7, target.size);
    size_t slash = str_find_any(rest, "/?");
    out->host = str_z(arena, str_sub(rest, 0, slash));
    Str path = str_sub(rest, slash, rest.size);
    return path.size ? path : STR("/");
}

static Http1Error parse_request_line(Arena *arena, Str line, Http1Head *out)
{
    size_t first = str_find(line, ' ');
    Str method = str_sub(line, 0, first), rest = str_sub(line, first + 1, line.size);
    size_t second = str_find(rest, ' ');
    Str target = str_sub(rest, 0, second), version = str_sub(rest, second + 1, rest.size);
    if (!is_token(method) || !is_target(target) || !str_starts(version, STR("HTTP/")))
        return ERROR(400, "malformed request line");
    if (!str_eq_c(version, "HTTP/1.1"))
        return ERROR(505, "only HTTP/1.1 and HTTP/2 are spoken here");
    if (target.size > WIRE_HTTP_TARGET_BYTES_MAX)
        return ERROR(414, "request target is too long");
    target = origin_form(arena, target, out);
    if (target.data[0] != '/' && !str_eq_c(target, "*"))
        return ERROR(400, "request target is not a path");
    out->method = str_z(arena, method);
    out->target = str_z(arena, target);
    return NONE;
}

static char *lower(Arena *arena, Str name)
{
    char *text = str_z(arena, name);
    for (size_t i = 0; i < name.size; i++)
        text[i] = (char)tolower((unsigned char)text[i]);
    return text;
}

static Http1Error parse_field(Arena *arena, Str line, Http1Head *out)
{
    size_t colon = str_find(line, ':');
    Str name = str_sub(line, 0, colon),
        value = str_trim(str_sub(line, colon + 1, line.size), " \t");
    if (colon == line.size || !is_token(name) || !is_value(value))
        return ERROR(400, "malformed header line"); /* folded lines begin with a blank: no token */
    fields_add(arena, &out->headers, str(lower(arena, name)), value);
    return NONE;
}

/* The only value of a header that may be there once: false when there are more. *out is NULL when
 * there is none. */
static bool single(const Http1Head *head, const char *name, const char **out)
{
    *out = fields_get(&head->headers, name, 0);
    return !fields_get(&head->headers, name, 1);
}

static bool parse_length(Str text, int64_t *out)
{
    return text.size && isdigit((unsigned char)text.data[0]) && str_to_i64(text, out);
}

/* How the body is framed: what smuggling of requests plays with. */
static Http1Error judge_framing(Http1Head *head)
{
    const char *length, *encoding;
    if (!single(head, "content-length", &length) || !single(head, "transfer-encoding", &encoding))
        return ERROR(400, "more than one content-length or transfer-encoding");
    if (length && encoding)
        return ERROR(400, "content-length beside transfer-encoding");
    if (encoding && !same_word(str(encoding), "chunked"))
        return ERROR(501, "unknown transfer-encoding");
    if (length && !parse_length(str(length), &head->body_size))
        return ERROR(400, "malformed content-length");
    head->body = encoding ? BODY_CHUNKED : length && head->body_size ? BODY_SIZED : BODY_NONE;
    return NONE;
}

static Http1Error judge(Arena *arena, Http1Head *head)
{
    const char *host, *expect;
    if (!single(head, "host", &host) || !host)
        return ERROR(400, "exactly one host header is needed");
    if (!head->host)
        head->host = arena_strdup(arena, host);
    if (!single(head, "expect", &expect) || (expect && !same_word(str(expect), "100-continue")))
        return ERROR(417, "unknown expectation");
    head->expects = expect;
    const char *connection;
    for (size_t i = 0; (connection = fields_get(&head->headers, "connection", i)); i++)
        head->close |= has_word(str(connection), "close");
    return judge_framing(head);
}

Http1Error http1_parse_head(Arena *arena, Str text, Http1Head *out)
{
    Str line;
    *out = (Http1Head){ 0 };
    if (!next_line(&text, &line))
        return ERROR(400, "malformed request line");
    Http1Error error = parse_request_line(arena, line, out);
    for (size_t count = 0; !error.status; count++) {
        if (!next_line(&text, &line))
            return ERROR(400, "malformed header line");
        if (!line.size)
            return judge(arena, out);
        error = count < WIRE_HTTP_HEADERS_MAX ? parse_field(arena, line, out)
                                              : ERROR(431, "too many headers");
    }
    return error;
}

/* --- bodies ---------------------------------------------------------------------------------- */

#define CHUNK_DIGITS_MAX     15
#define CHUNK_LINE_BYTES_MAX (8 * KiB) /* of extensions, and of all trailers */

void http1_body_begin(Http1Body *body, const Http1Head *head)
{
    *body = (Http1Body){ .kind = head->body, .phase = CHUNK_SIZE, .over = head->body == BODY_NONE };
    if (head->body == BODY_SIZED)
        body->left = (uint64_t)head->body_size;
}

static bool add_digit(Http1Body *body, uint8_t c)
{
    int digit = isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
    if (digit < 0 || ++body->line_bytes > CHUNK_DIGITS_MAX)
        return false;
    body->left = body->left << 4 | (uint64_t)digit;
    return true;
}

static bool expect(Http1Body *body, uint8_t c, char wanted, ChunkPhase next)
{
    body->phase = next;
    return c == (uint8_t)wanted;
}

static bool in_size(Http1Body *body, uint8_t c)
{
    if (c != ';' && c != '\r')
        return add_digit(body, c);
    body->phase = c == ';' ? CHUNK_EXTENSION : CHUNK_SIZE_LF;
    return body->line_bytes > 0;
}

/* A byte of a line that says nothing to us. */
static bool skip(Http1Body *body, uint8_t c, ChunkPhase next)
{
    if (c == '\r')
        body->phase = next;
    return c != '\n' && ++body->line_bytes <= CHUNK_LINE_BYTES_MAX;
}

static bool end_size_line(Http1Body *body, uint8_t c)
{
    body->line_bytes = 0;
    return expect(body, c, '\n', body->left ? CHUNK_DATA : TRAILER_START);
}

/* Framing, a byte at a time; data runs are taken whole by the caller. */
static bool take_byte(Http1Body *body, uint8_t c)
{
    switch (body->phase) {
    case CHUNK_SIZE:
        return in_size(body, c);
    case CHUNK_EXTENSION:
        return skip(body, c, CHUNK_SIZE_LF);
    case CHUNK_SIZE_LF:
        return end_size_line(body, c);
    case CHUNK_DATA_CR:
        return expect(body, c, '\r', CHUNK_DATA_LF);
    case CHUNK_DATA_LF:
        return expect(body, c, '\n', CHUNK_SIZE);
    case TRAILER_START:
        body->phase = c == '\r' ? END_LF : TRAILER_LINE;
        return c == '\r' || skip(body, c, TRAILER_LF);
    case TRAILER_LINE:
        return skip(body, c, TRAILER_LF);
    case TRAILER_LF:
        return expect(body, c, '\n', TRAILER_START);
    case END_LF:
        body->over = true;
        return c == '\n';
    case CHUNK_DATA:
    default:
        return false;
    }
}

static Bytes take_data(Http1Body *body, Bytes *in)
{
    size_t size = (size_t)MIN((uint64_t)in->size, body->left);
    Bytes data = { in->data, size };
    *in = (Bytes){ in->data + size, in->size - size };
    body->left -= size;
    if (!body->left) {
        body->over = body->kind == BODY_SIZED;
        body->phase = CHUNK_DATA_CR;
    }
    return data;
}

bool http1_body_next(Http1Body *body, Bytes *in, Bytes *out_data)
{
    *out_data = (Bytes){ 0 };
    while (in->size && !body->over) {
        if (body->kind == BODY_SIZED || body->phase == CHUNK_DATA) {
            *out_data = take_data(body, in);
            return true;
        }
        uint8_t c = in->data[0];
        *in = (Bytes){ in->data + 1, in->size - 1 };
        if (!take_byte(body, c))
            return false;
    }
    return true;
}

/* --- answers --------------------------------------------------------------------------------- */

const char *http1_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        { 100, "Continue" },
        { 200, "OK" },
        { 201, "Created" },
        { 202, "Accepted" },
        { 204, "No Content" },
        { 206, "Partial Content" },
        { 301, "Moved Permanently" },
        { 302, "Found" },
        { 303, "See Other" },
        { 304, "Not Modified" },
        { 307, "Temporary Redirect" },
        { 308, "Permanent Redirect" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 409, "Conflict" },
        { 411, "Length Required" },
        { 412, "Precondition Failed" },
        { 413, "Content Too Large" },
        { 414, "URI Too Long" },
        { 415, "Unsupported Media Type" },
        { 416, "Range Not Satisfiable" },
        { 417, "Expectation Failed" },
        { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 503, "Service Unavailable" },
        { 504, "Gateway Timeout" },
        { 505, "HTTP Version Not Supported" },
    };
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Other";
}
