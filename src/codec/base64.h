/* base64.h - RFC 4648: written in the standard alphabet with padding, read in both, padded or
 * not. */
#pragma once

#include "base/ctx.h"

void base64_encode(Bytes data, Buf *out);     /* appends */
void base64_encode_url(Bytes data, Buf *out); /* appends; '-' and '_', no padding */

/* The whole of text, without blanks, into ctx's arena; false when it is malformed. */
bool base64_decode(Ctx *ctx, Str text, Bytes *out);

/* Is text these bytes, as hex or as base64? How people name hashes. */
bool base64_or_hex_is(Str text, Bytes data);
