/* percent.h - RFC 3986's %XX. */
#pragma once

#include "base/ctx.h"

/* Appends text with all but A-Z a-z 0-9 - _ . ~ and the characters of `keep` as %XX, digits in
 * upper case. */
void percent_encode(Buf *out, Str text, const char *keep);

/* Into ctx's arena, NUL-terminated. plus_is_blank: '+' is a blank, as in queries. False for '%'
 * without two hex digits behind it, and for %00. */
bool percent_decode(Ctx *ctx, Str text, bool plus_is_blank, Str *out);
