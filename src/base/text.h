/* text.h - text made in an arena, and the two quotings that error messages use. */
#pragma once

#include <stdarg.h>

#include "base/bytes.h"

char *text_printf(Arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
char *text_vprintf(Arena *arena, const char *format, va_list args) PRINTF_LIKE(2, 0);

/* Double-quoted as Go's %q does it: escapes for control characters, quotes and invalid UTF-8. */
char *text_quote(Arena *arena, Str s);

/* Is s well-formed UTF-8 (no surrogates, no overlong forms)? */
bool text_is_utf8(Str s);

/* parts[n] joined by `separator`. */
char *text_join(Arena *arena, const char *const *parts, size_t n, const char *separator);

/* How much text differs: for "did you mean". Levenshtein, capped at 64 characters each. */
size_t text_distance(Str a, Str b);
