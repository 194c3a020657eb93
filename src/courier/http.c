/* http.c - see http.h.
 *
 * Handles with their connections are kept for the next transfer: `idle` below. A transfer that
 * moves nothing is ended by our own watch, not by curl's: the time that the server takes to accept
 * data is no fault of the other side. */
#include "courier/http.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/thread.h"
#include "courier/listing.h"

#define CONNECT_MS_MAX  10000L
#define REDIRECTS_MAX   10L
#define RETRY_AFTER_MAX (60 * NS_PER_SEC)
#define PIECE_BYTES     (256 * 1024L)

static struct {
    pthread_mutex_t lock; /* guards what follows */
    CURL *handles[64];
    size_t n;
} idle = { .lock = PTHREAD_MUTEX_INITIALIZER };

static CURL *take_handle(void)
{
    LOCKED(&idle.lock);
    CURL *curl = idle.n ? idle.handles[--idle.n] : curl_easy_init();
    if (!curl)
        abort();
    return curl;
}

static void give_handle(CURL *curl)
{
    LOCKED(&idle.lock);
    curl_easy_reset(curl);
    if (idle.n < ARRAY_LEN(idle.handles))
        idle.handles[idle.n++] = curl;
    else
        curl_easy_cleanup(curl);
}

void http_done(Http *http)
{
    curl_slist_free_all(http->list);
    http->list = NULL;
    buf_done(&http->answer);
}

void http_add_header(Http *http, const char *format, ...)
{
    size_t n = 0;
    while (http->headers[n])
        n++;
    assert(n + 1 < HTTP_HEADERS_MAX);
    va_list args;
    va_start(args, format);
    http->headers[n] = text_vprintf(http->transfer->ctx->arena, format, args);
    va_end(args);
}

void http_add_attempt_header(Http *http, const char *header)
{
    struct curl_slist *list = curl_slist_append(http->list, header);
    if (!list)
        abort();
    http->list = list;
}

/* --- while it runs ---------------------------------------------------------------------------- */

static void copy_text(char *out, size_t size, Str text)
{
    snprintf(out, size, STR_FMT, STR_ARG(text));
}

static void on_etag(Http *http, Str value)
{
    if (str_starts(value, STR("\""))) /* a weak one does not name bytes */
        copy_text(http->etag, sizeof(http->etag), value);
}

static void on_region(Http *http, Str value)
{
    copy_text(http->region, sizeof(http->region), value);
}

static void on_content_range(Http *http, Str value)
{
    int64_t start = 0;
    Str range = str_sub(value, strlen("bytes "), value.size);
    if (str_to_i64(str_sub(range, 0, str_find(range, '-')), &start))
        http->range_start = (uint64_t)start;
}

static void on_retry_after(Http *http, Str value)
{
    int64_t seconds = 0;
    if (str_to_i64(value, &seconds) && seconds > 0)
        http->retry_after_ns = MIN(seconds, RETRY_AFTER_MAX / NS_PER_SEC) * NS_PER_SEC;
}

static const struct {
    const char *name;
    void (*take)(Http *http, Str value);
} known_headers[] = {
    { "etag", on_etag },
    { "x-amz-bucket-region", on_region },
    { "content-range", on_content_range },
    { "retry-after", on_retry_after },
};

/* "HTTP/1.1 404 Not Found" begins an answer; one before it was a redirect, or a promise. */
static void begin_answer(Http *http, Str line)
{
    buf_clear(&http->answer);
    http->etag[0] = http->region[0] = http->reason[0] = '\0';
    http->range_start = 0;
    http->retry_after_ns = 0;
    Str rest = str_sub(line, str_find(line, ' ') + 1, line.size);
    int64_t status = 0;
    str_to_i64(str_sub(rest, 0, str_find(rest, ' ')), &status);
    http->status = (long)status;
    copy_text(http->reason, sizeof(http->reason), str_sub(rest, str_find(rest, ' '), rest.size));
}

static size_t on_header(char *data, size_t one, size_t n, void *arg)
{
    (void)one; /* always 1 */
    Http *http = arg;
    Str line = str_trim((Str){ data, n }, " \t\r\n");
    if (str_starts(line, STR("HTTP/")))
        begin_answer(http, line);
    size_t colon = str_find(line, ':');
    for (size_t i = 0; i < ARRAY_LEN(known_headers); i++) {
        const char *name = known_headers[i].name;
        if (strlen(name) == colon && strncasecmp(name, line.data, colon) == 0)
            known_headers[i].take(http, str_trim(str_sub(line, colon + 1, line.size), " \t\r\n"));
    }
    return n;
}

static bool went_well(const Http *http)
{
    return http->status >= 200 && http->status < 300;
}

static size_t on_body(char *data, size_t one, size_t n, void *arg)
{
    (void)one; /* always 1 */
    Http *http = arg;
    if (http->sink && went_well(http))
        http->failed = http->sink(http->sink_arg, bytes(data, n));
    else
        buf_add(&http->answer, data, MIN(n, HTTP_ANSWER_BYTES_MAX - http->answer.size));
    http->moved_ns = clock_mono_ns();
    return status_ok(http->failed) ? n : 0;
}

/* Called about once a second, also while nothing moves. */
static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    (void)down_total;
    (void)up_total;
    Http *http = arg;
    const Transfer *transfer = http->transfer;
    if (http->moved_bytes != (uint64_t)(down + up)) {
        http->moved_bytes = (uint64_t)(down + up);
        http->moved_ns = clock_mono_ns();
    }
    if (transfer_gone(transfer))
        http->failed = STATUS(CANCELLED);
    else if (clock_mono_ns() - http->moved_ns > transfer->stall_ns) {
        http->again = true;
        http->failed = FAIL(transfer->ctx, UNAVAILABLE, "nothing came for %lld seconds",
                            (long long)(transfer->stall_ns / NS_PER_SEC));
    }
    return !status_ok(http->failed);
}

static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    Http *http = arg;
    char *host = NULL;
    const char *url = NULL; /* of the redirect that is followed, if there is one */
    curl_easy_getinfo(http->curl, CURLINFO_EFFECTIVE_URL, &url);
    CURLU *parsed = curl_url();
    if (curl_url_set(parsed, CURLUPART_URL, url ? url : http->url, 0) == CURLUE_OK)
        curl_url_get(parsed, CURLUPART_HOST, &host, 0);
    bool allowed = host_allowed(http->transfer->hosts, host ? host : "", &address->addr);
    curl_free(host);
    curl_url_cleanup(parsed);
    if (allowed)
        return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    http->refused = host_text(http->transfer->ctx, &address->addr);
    return CURL_SOCKET_BAD;
}

/* --- one attempt ------------------------------------------------------------------------------ */

static void set_callbacks(Http *http, CURL *curl)
{
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, http);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, http);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, http);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, http);
}

static void set_rules(CURL *curl)
{
    const char *authorities = getenv("SSL_CERT_FILE");
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS_MAX);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, PIECE_BYTES);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L); /* a key may hold ".." */
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "procavia/" PCV_VERSION);
    if (authorities)
        curl_easy_setopt(curl, CURLOPT_CAINFO, authorities);
}

static Status set_request(Http *http, CURL *curl)
{
    curl_easy_setopt(curl, CURLOPT_URL, http->url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, http->method);
    if (http->has_body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)http->body.size);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS,
                         http->body.size ? (const char *)http->body.data : "");
    }
    if (!http->sign) /* what is signed is signed for one place */
        curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_slist_free_all(http->list);
    http->list = NULL;
    for (size_t i = 0; http->headers[i]; i++)
        http_add_attempt_header(http, http->headers[i]);
    if (http->sign)
        TRY(http->sign(http->signer, http, curl));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, http->list);
    return OK;
}

static const CURLcode passing[] = {
    CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT,
    CURLE_OPERATION_TIMEDOUT,   CURLE_GOT_NOTHING,           CURLE_SEND_ERROR,
    CURLE_RECV_ERROR,           CURLE_PARTIAL_FILE,          CURLE_HTTP2,
    CURLE_HTTP2_STREAM,         CURLE_SSL_CONNECT_ERROR,
};

static bool contains(const CURLcode *codes, size_t n, CURLcode code)
{
    for (size_t i = 0; i < n; i++)
        if (codes[i] == code)
            return true;
    return false;
}

/* What went wrong below HTTP. */
static Status why_curl(Http *http, CURLcode code, const char *problem)
{
    Ctx *ctx = http->transfer->ctx;
    if (!status_ok(http->failed))
        return http->failed;
    if (http->refused)
        return FAIL(ctx, PERMISSION_DENIED, "address %s may not be reached from this server",
                    http->refused);
    http->again = contains(passing, ARRAY_LEN(passing), code);
    return FAIL(ctx, UNAVAILABLE, "%s", *problem ? problem : curl_easy_strerror(code));
}

/* HTTP/2 has no words for its status. */
static const struct {
    long status;
    const char *reason;
    StatusCode code;
    bool again;
} answers[] = {
    { 301, "Moved Permanently", STATUS_UNKNOWN, false },
    { 307, "Temporary Redirect", STATUS_UNKNOWN, false },
    { 400, "Bad Request", STATUS_INVALID_ARGUMENT, false },
    { 401, "Unauthorized", STATUS_PERMISSION_DENIED, false },
    { 403, "Forbidden", STATUS_PERMISSION_DENIED, false },
    { 404, "Not Found", STATUS_NOT_FOUND, false },
    { 405, "Method Not Allowed", STATUS_UNKNOWN, false },
    { 408, "Request Timeout", STATUS_UNAVAILABLE, true },
    { 410, "Gone", STATUS_NOT_FOUND, false },
    { 412, "Precondition Failed", STATUS_ABORTED, false },
    { 416, "Range Not Satisfiable", STATUS_OUT_OF_RANGE, false },
    { 429, "Too Many Requests", STATUS_RESOURCE_EXHAUSTED, true },
    { 500, "Internal Server Error", STATUS_UNAVAILABLE, true },
    { 501, "Not Implemented", STATUS_UNIMPLEMENTED, false },
    { 502, "Bad Gateway", STATUS_UNAVAILABLE, true },
    { 503, "Service Unavailable", STATUS_UNAVAILABLE, true },
    { 504, "Gateway Timeout", STATUS_UNAVAILABLE, true },
};

/* "404 Not Found", and what an object store adds to it. */
static Status why_answer(Http *http)
{
    Ctx *ctx = http->transfer->ctx;
    StatusCode code = STATUS_UNKNOWN;
    const char *reason = http->reason;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        if (answers[i].status != http->status)
            continue;
        code = answers[i].code;
        http->again = answers[i].again;
        reason = text_printf(ctx->arena, " %s", answers[i].reason);
    }
    const char *told = listing_error(ctx, buf_bytes(&http->answer));
    return status_new(ctx, code, "%ld%s%s%s", http->status, reason, *told ? ": " : "", told);
}

static Status perform(Http *http, CURL *curl)
{
    char problem[CURL_ERROR_SIZE] = "";
    http->status = 0;
    http->again = false;
    http->failed = OK;
    http->refused = NULL;
    http->moved_ns = clock_mono_ns();
    http->moved_bytes = 0;
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, problem);
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK)
        return why_curl(http, code, problem);
    return went_well(http) ? OK : why_answer(http);
}

Status http_try(Http *http)
{
    CURL *curl = take_handle();
    http->curl = curl;
    set_rules(curl);
    set_callbacks(http, curl);
    Status s = set_request(http, curl);
    if (status_ok(s))
        s = perform(http, curl);
    give_handle(curl);
    if (status_ok(s) || s.code == STATUS_CANCELLED)
        return s;
    return status_wrap(http->transfer->ctx, s, "error %s \"%s\"", http->doing,
                       http->transfer->shown);
}
