/* http.h - one HTTP request, tried again where that may help. */
#pragma once

#include <curl/curl.h>

#include "courier/courier_priv.h"

typedef struct Http Http;

/* Adds what proves who asks, right before a request is sent. */
typedef Status (*HttpSign)(const void *signer, Http *http, CURL *curl);

#define HTTP_HEADERS_MAX      10
#define HTTP_ANSWER_BYTES_MAX (4 * MiB)

struct Http {
    /* The request. */
    Transfer *transfer;
    const char *method, *url;
    const char *doing;                     /* "error <doing> "<url>": …" */
    const char *headers[HTTP_HEADERS_MAX]; /* "Name: value"; NULL ends them */
    Bytes body;
    bool has_body;
    HttpSign sign; /* NULL: anonymous */
    const void *signer;
    Status (*sink)(void *arg, Bytes data); /* of a 2xx answer's body; NULL: to `answer` */
    void *sink_arg;

    /* Its answer. */
    long status; /* 0: there was none */
    Buf answer;  /* what did not go to the sink, up to HTTP_ANSWER_BYTES_MAX */
    char etag[128], region[32], reason[64];
    uint64_t range_start; /* of a 206 */
    int64_t retry_after_ns;
    bool again; /* this failure may be a passing one */

    /* While it runs. */
    CURL *curl;
    struct curl_slist *list;
    int64_t moved_ns; /* when anything was last transferred */
    uint64_t moved_bytes;
    Status failed;       /* the sink's, or what made us give up */
    const char *refused; /* an address that may not be reached */
};

void http_done(Http *http);
void http_add_header(Http *http, const char *format, ...) PRINTF_LIKE(2, 3);
/* For a signer: a header of this attempt alone. */
void http_add_attempt_header(Http *http, const char *header);

/* Sends it once. Errors name the URL and what the server says. */
Status http_try(Http *http);
/* Sends it until it is answered, failed for good, or the tries are used up. Not for requests with a
 * sink. */
Status http_run(Http *http);
/* Waits before the next try, and says so to the server; `attempt` counts from 1. Returns `s` when
 * there is none. */
Status http_before_next(Http *http, int64_t attempt, Status s);

/* Streams an object to the server; resumed where it breaks off. `http` has all but sink and range;
 * `resume_by` is the header that makes a range conditional, "If-Range" or "If-Match". */
Status http_get(Http *http, const char *resume_by);
