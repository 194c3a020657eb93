/* grpc.h - gRPC's own encodings: message frames, timeouts, percent-encoded text, status details. Pure.
 * Source: the "gRPC over HTTP/2" protocol description. Private to wire. */
#pragma once

#include "base/ctx.h"

#define GRPC_PREFIX_SIZE 5 /* one byte of flags, four of length, big-endian */

void grpc_add_frame(Buf *out, Bytes message);

/* "20S", "150m" … to nanoseconds; false when malformed. */
bool grpc_parse_timeout(Str text, int64_t *out_ns);

/* grpc-message: bytes outside printable ASCII, and '%', as %XX. In ctx's arena. */
char *grpc_percent_encode(Arena *arena, Str text);
char *grpc_percent_decode(Arena *arena, Str text);

/* "-bin" values. Decoding takes both padded and unpadded text; NULL when malformed. */
char *grpc_base64(Arena *arena, Bytes data);
bool grpc_from_base64(Arena *arena, Str text, Bytes *out);

/* grpc-status-details-bin: a google.rpc.Status with the status's details. Empty when it has none. */
Bytes grpc_pack_details(Arena *arena, Status s);
/* A Status from trailers: code 0 to 16, message and details (may be empty). */
Status grpc_unpack_status(Ctx *ctx, int code, Str message, Bytes details);

/* Appends the plaintext of a gzip (or zlib) message, at most limit bytes. Errors: RESOURCE_EXHAUSTED, INTERNAL. */
Status grpc_gunzip(Ctx *ctx, Bytes packed, size_t limit, Buf *out);
