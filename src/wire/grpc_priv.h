/* grpc_priv.h - the text of gRPC over HTTP/2: header fields, timeouts, and a Status as trailers.
 * Pure.
 *
 *   grpc-timeout             1 to 8 digits and a unit: H M S m u n
 *   grpc-status              the code, decimal
 *   grpc-message             percent-encoded: all outside 0x20..0x7e, and '%'
 *   grpc-status-details-bin  base64 of google.rpc.Status { 1 code, 2 message, 3 repeated Any { 1
 * type_url, 2 value } } <name>-bin               base64 of any bytes, with or without padding,
 * several joined by commas
 */
#pragma once

#include "base/ctx.h"

typedef struct Field {
    const char *name; /* lower case */
    const char *value;
    struct Field *next;
} Field;

typedef struct Fields {
    Field *head, *tail;
    size_t size; /* as HTTP/2 counts a header list: names, values and 32 for each */
} Fields;
#define FIELD_OVERHEAD_BYTES 32

void fields_add(Arena *arena, Fields *fields, Str name, Str value); /* copies */
void fields_join(Fields *fields,
                 const Fields *more); /* both in one arena; more must not grow any further */
/* The nth value of name, or NULL. */
const char *fields_get(const Fields *fields, const char *name, size_t nth);
/* Adds a metadata field as it came: the values of a "-bin" name are split and decoded. False when
 * malformed. */
bool fields_add_metadata(Ctx *ctx, Fields *fields, Str name, Str value);
/* Adds a metadata field as it is sent: the value of a "-bin" name is encoded. */
void fields_put_metadata(Arena *arena, Fields *fields, const char *name, const char *value);

bool grpc_timeout_parse(Str text, int64_t *out_ns);
#define GRPC_TIMEOUT_SIZE 12
void grpc_timeout_format(int64_t ns,
                         char out[GRPC_TIMEOUT_SIZE]); /* rounded up; 0 and less: "0n" */

/* Clients refuse trailers of more than about 8 KiB. A message over this is cut, and then has no
 * details. */
#define GRPC_TRAILERS_BYTES_MAX (7 * KiB)
/* Adds grpc-status, and grpc-message and details where there are any. */
void grpc_trailers_add(Arena *arena, Fields *trailers, Status status);
/* What the trailers of a finished call say, in ctx's arena. Without grpc-status: from the HTTP
 * status. */
Status grpc_trailers_status(Ctx *ctx, const Fields *trailers, int http_status);
