/* regex.h - regular expressions that users give, searched for in short texts.
 *
 * The syntax is that of Perl, of which clients know the part that RE2 has: classes such as \d and
 * \w over ASCII, (?i), lazy repeats, named groups. '$' is the end of the text only. An expression
 * is compiled once and may be shared by threads.
 */
#pragma once

#include "base/ctx.h"

typedef struct Regex Regex;

#define REGEX_PATTERN_BYTES_MAX (8 * KiB)

/* Errors: UNKNOWN "error parsing regexp: WHY: `PATTERN`". */
Status regex_compile(Ctx *ctx, Str pattern, Regex **out) NODISCARD;
Regex *regex_free(Regex *regex); /* NULL is fine; always returns NULL */
static inline void regex_freep(Regex **regex)
{
    *regex = regex_free(*regex);
}

/* Does any part of the text match? It may have any bytes. Errors: RESOURCE_EXHAUSTED when telling
 * would take too long: expressions may be made to explode. */
Status regex_search(Ctx *ctx, const Regex *regex, Str text, bool *out_found) NODISCARD;
