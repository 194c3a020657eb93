/* wire_http1.c - any bytes as an HTTP/1.1 request: what is accepted obeys the grammar, and a body
 * is the same however its bytes are cut. */
#include "fuzz/fuzz.h"

#include <string.h>

#include "wire/http1_priv.h"

/* The body in *out; false when it is malformed. */
static bool read_body(const Http1Head *head, Bytes in, size_t piece, Buf *out, bool *out_over)
{
    Http1Body body;
    http1_body_begin(&body, head);
    for (size_t at = 0; at < in.size && !body.over; at += piece) {
        Bytes part = bytes(in.data + at, MIN(piece, in.size - at)), data;
        while (part.size && !body.over) {
            if (!http1_body_next(&body, &part, &data))
                return false;
            buf_add_bytes(out, data);
        }
    }
    *out_over = body.over;
    return true;
}

static void check_body(const Http1Head *head, Bytes in, size_t piece)
{
    CLEANUP(buf_done) Buf whole = { 0 };
    CLEANUP(buf_done) Buf cut = { 0 };
    bool over_whole = false, over_cut = false;
    bool good = read_body(head, in, MAX(in.size, 1), &whole, &over_whole);
    PROP(read_body(head, in, piece, &cut, &over_cut) == good);
    PROP(over_whole == over_cut);
    PROP(bytes_eq(buf_bytes(&whole), buf_bytes(&cut)));
    PROP(whole.size <= in.size);
}

static void check_head(const Http1Head *head)
{
    PROP(*head->method && *head->target && head->host);
    PROP(!strpbrk(head->target, " \r\n") && !strpbrk(head->method, " \r\n"));
    for (const Field *f = head->headers.head; f; f = f->next)
        PROP(*f->name && !strpbrk(f->name, " :\r\n") && !strpbrk(f->value, "\r\n"));
    PROP(head->body != BODY_CHUNKED || !fields_get(&head->headers, "content-length", 0));
    PROP(head->body_size >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    CLEANUP(arena_freep) Arena *arena = arena_new(0);
    Str text = { (const char *)data + 1, size - 1 };
    size_t end = http1_head_end(text, 0);
    PROP(end == 0 || (end <= text.size && end >= 4));
    if (!end)
        return 0;
    Http1Head head;
    Http1Error error = http1_parse_head(arena, str_sub(text, 0, end), &head);
    PROP(!error.status == !error.message);
    if (error.status)
        return 0;
    check_head(&head);
    check_body(&head, bytes(text.data + end, text.size - end), 1 + data[0]);
    return 0;
}
