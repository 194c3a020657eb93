/* retry.c - requests tried again, and reads resumed. */
#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "courier/http.h"

#define PAUSE_NS_MIN (200 * NS_PER_MS)
#define PAUSE_NS_MAX (10 * NS_PER_SEC)

/* Twice as long each time, and by chance up to half as long again: those who failed together do not
 * come back together. */
static int64_t pause_ns(const Http *http, int64_t attempt)
{
    int64_t pause = MIN(PAUSE_NS_MIN << MIN(attempt - 1, 10), PAUSE_NS_MAX);
    pause += pause * (random() % 512) / 1024;
    return MAX(pause, http->retry_after_ns);
}

Status http_before_next(Http *http, int64_t attempt, Status s)
{
    Transfer *transfer = http->transfer;
    if (!http->again || attempt >= transfer->tries)
        return s;
    TRY(transfer_say(transfer, REMOTE_SAY_NOTE, str_bytes(str(status_message(s)))));
    struct pollfd gone = { .fd = transfer->fd };
    poll(&gone, 1, (int)(pause_ns(http, attempt) / NS_PER_MS));
    return transfer_gone(transfer) ? STATUS(CANCELLED) : OK;
}

Status http_run(Http *http)
{
    for (int64_t attempt = 1;; attempt++) {
        Status s = http_try(http);
        if (status_ok(s))
            return OK;
        TRY(http_before_next(http, attempt, s));
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

typedef struct Get {
    Http *http;
    uint64_t done; /* bytes given to the server */
    uint64_t skip; /* bytes of this answer that were given already, or lie before the offset */
    bool began;    /* this answer's first bytes were seen */
    char etag[sizeof(((Http *)0)->etag)]; /* of the first answer; "" when it had none */
} Get;

/* Is this answer the same object as before, and where does it start? */
static Status begin(Get *get)
{
    const Http *http = get->http;
    Ctx *ctx = http->transfer->ctx;
    uint64_t want = http->transfer->offset + get->done;
    get->began = true;
    if (get->done && strcmp(get->etag, http->etag) != 0)
        return FAIL(ctx, ABORTED, "it changed while it was read");
    memcpy(get->etag, http->etag, sizeof(get->etag));
    uint64_t start = http->status == 206 ? http->range_start : 0;
    if (start > want)
        return FAIL(ctx, UNKNOWN, "asked for what follows byte %llu, it sent what follows %llu",
                    (unsigned long long)want, (unsigned long long)start);
    get->skip = want - start;
    return OK;
}

static Status take(void *arg, Bytes data)
{
    Get *get = arg;
    Transfer *transfer = get->http->transfer;
    if (!get->began)
        TRY(begin(get));
    size_t skipped = (size_t)MIN(get->skip, data.size);
    get->skip -= skipped;
    size_t left = (size_t)MIN(data.size - skipped, transfer->size - get->done);
    if (!left)
        return OK;
    get->done += left;
    return transfer_give(transfer, bytes(data.data + skipped, left));
}

static void ask_for_rest(Get *get, size_t headers, const char *resume_by)
{
    Http *http = get->http;
    const Transfer *transfer = http->transfer;
    uint64_t from = transfer->offset + get->done;
    http->headers[headers] = NULL; /* what the last attempt added goes */
    get->began = false;
    if (transfer->size != UINT64_MAX)
        http_add_header(http, "Range: bytes=%llu-%llu", (unsigned long long)from,
                        (unsigned long long)(transfer->offset + transfer->size - 1));
    else if (from)
        http_add_header(http, "Range: bytes=%llu-", (unsigned long long)from);
    if (get->done)
        http_add_header(http, "%s: %s", resume_by, get->etag);
}

Status http_get(Http *http, const char *resume_by)
{
    Get get = { .http = http };
    Transfer *transfer = http->transfer;
    size_t headers = 0;
    while (http->headers[headers])
        headers++;
    http->sink = take;
    http->sink_arg = &get;
    for (int64_t attempt = 1;; attempt++) {
        ask_for_rest(&get, headers, resume_by);
        uint64_t before = get.done;
        Status s = http_try(http);
        if (status_ok(s) || (http->status == 416 && transfer->offset && !get.done))
            return OK;
        if (get.done && http->again && !*get.etag)
            return status_wrap(transfer->ctx, s,
                               "it broke off after %llu bytes, and has no ETag to go on by",
                               (unsigned long long)get.done);
        if (get.done > before)
            attempt = 1; /* it gets on */
        TRY(http_before_next(http, attempt, s));
    }
}
