/* glob.h - patterns over paths: *, **, ?, [class], {a,b}, (a|b), @( *( +( ?( !( and \escape.
 *
 * A pattern is cleaned like a path and matches whole paths. Compiled once, it is immutable and may
 * be shared by threads. Matching takes O(states × path) time at most, whatever the pattern; '!('
 * adds one pass per use. The grammar and its choices are in README.md.
 */
#pragma once

#include "codec/path.h"

typedef struct Glob Glob;

#define GLOB_PATTERN_BYTES_MAX (8 * KiB)
#define GLOB_STATES_MAX        32768
#define GLOB_NESTING_MAX       32

/* Compiles into ctx's arena, which must outlive the glob.
 * Errors: UNKNOWN "unexpected end of input" (unclosed '['), "error parsing regexp: …" (bad class),
 * "unimplemented quatifier ^"; INVALID_ARGUMENT past the limits above. */
Status glob_compile(Ctx *ctx, Str pattern, const Glob **out) NODISCARD;

/* Does the whole of `path` match? A trailing '/' does not count; "/" is matched by the pattern "/"
 * only. */
bool glob_match(const Glob *glob, Str path);

/* Could any path strictly below directory `dir` match? False only when none can: prunes a walk. */
bool glob_match_below(const Glob *glob, Str dir);

/* The text with $1, ${1}, $2 … replaced by what the groups took, counted by opening parenthesis,
 * greedy from the left; "$$" is "$". A group that took no part is "", a number without a group
 * stays as it is. When the path does not match, all groups are "". In ctx's arena, ends in NUL. */
Str glob_replace(Ctx *ctx, const Glob *glob, Str path, Str text);

/* The other way round: patterns that together match every path with which `text` becomes `value`,
 * and maybe more, narrowed by what the groups then took. False when `text` says nothing of the
 * groups, or there would be more than `max`: then any path that matches may be one.
 *
 * out_patterns[max]; *out_n of them are set, in ctx's arena */
bool glob_narrow(Ctx *ctx, const Glob *glob, Str text, Str value, Str *out_patterns, size_t max,
                 size_t *out_n);

/* The cleaned pattern. */
Str glob_pattern(const Glob *glob);

/* What every match starts with, escapes resolved: "/dir/f" of "/dir/f*x". At least "/". */
Str glob_prefix(const Glob *glob);

/* Is the pattern one path without anything to choose? Then *out_path (may be NULL) is that path. */
bool glob_is_literal(const Glob *glob, Str *out_path);

/* Is it exactly one directory level, "<literal>/" and a star? Then *out_dir (may be NULL) is the
 * directory's clean path. */
bool glob_is_level(const Glob *glob, Str *out_dir);

/* How many elements every match has ("/a/b*" has 2); 0 when that varies and for "/". */
size_t glob_depth(const Glob *glob);
