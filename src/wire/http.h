/* http.h - plain HTTP requests on the same port as gRPC: one handler, whatever the protocol that
 * carried them.
 *
 * HTTP/1.1 and requests over HTTP/2 whose content-type is not application/grpc come here. A request
 * runs on a pool thread in straight-line blocking code: read the body, set headers, respond, write,
 * return. Bytes in flight are bounded both ways. Strictness of HTTP/1.1: limits below; requests
 * that could be read in two ways (bad framing, folded headers, blanks before ':', Content-Length
 * beside Transfer-Encoding) are refused with 400.
 */
#pragma once

#include "base/ctx.h"

typedef struct WireCall WireHttp;

typedef struct WireHttpHandler {
    /* An error returned before wire_http_respond becomes a plain-text answer with the code's HTTP
     * status; one returned later cuts the answer short, so that the client sees that it is not
     * whole. A body not read is discarded. ctx has the request's arena, and its cancel is set when
     * the client goes away. */
    Status (*handle)(void *self, Ctx *ctx, WireHttp *http);
    void *self;
} WireHttpHandler;

/* Limits: request line and all header lines; trailers. Over them: 414, 431. */
#define WIRE_HTTP_TARGET_BYTES_MAX (16 * KiB)
#define WIRE_HTTP_HEADER_BYTES_MAX (64 * KiB)
#define WIRE_HTTP_HEADERS_MAX      256

const char *wire_http_method(const WireHttp *http); /* "GET", as sent */
const char *wire_http_target(const WireHttp *http); /* path and query as sent, "/a%20b?x=1" */
const char *wire_http_host(const WireHttp *http);   /* Host or :authority, "" when not sent */
const char *wire_http_peer(const WireHttp *http);
/* The nth value of a header, its name in lower case, or NULL. */
const char *wire_http_header(const WireHttp *http, const char *name, size_t nth);
/* Header number index in the order sent, Host included; false past the last one. */
bool wire_http_header_at(const WireHttp *http, size_t index, const char **out_name,
                         const char **out_value);
int64_t wire_http_body_size(const WireHttp *http); /* -1: not said (chunked) */

/* Up to capacity bytes of the body, at least one unless it has ended: then *out_size is 0. Answers
 * "Expect: 100-continue" on the first call. Errors: CANCELLED, DEADLINE_EXCEEDED, INVALID_ARGUMENT
 * (bad chunk). */
Status wire_http_read(Ctx *ctx, WireHttp *http, void *out, size_t capacity, size_t *out_size);

/* Before wire_http_respond; adds (a name may be set more than once). Line breaks in value become
 * blanks. */
void wire_http_set_header(WireHttp *http, const char *name, const char *value);
/* Begins the answer. body_size -1: not known, the end of the body is marked by its framing. Once
 * per request. */
Status wire_http_respond(Ctx *ctx, WireHttp *http, int status, int64_t body_size);
bool wire_http_answered(const WireHttp *http); /* has it begun? */
/* Body bytes. Blocks while a window of bytes waits. More or less than body_size in all is INTERNAL,
 * and cuts the answer short. */
Status wire_http_write(Ctx *ctx, WireHttp *http, Bytes body);
/* The whole answer at once. content_type may be NULL. */
Status wire_http_answer(Ctx *ctx, WireHttp *http, int status, const char *content_type, Bytes body);
