/* glob_narrow.c - from the value of an expansion back to the paths that may have it.
 *
 * "$1-$2" can have become "a-b-c" in two ways: groups took "a" and "b-c", or "a-b" and "c". Each
 * way gives a pattern in which the text of a group stands in its place. It matches what the group
 * would have had to match, and more where the group could not have taken that text: the caller
 * checks. */
#include <ctype.h>

#include "codec/glob_priv.h"

#define STEPS_MAX 10000 /* tried before all of it counts as too much */

typedef struct Search {
    Ctx *ctx;
    const Glob *glob;
    Str text, value;
    Str *taken; /* [group_count]: what each group took; data NULL: not yet said */
    Str *out;
    size_t n, max, steps;
    bool failed; /* nothing can be told */
} Search;

static bool is_plain(uint8_t c)
{
    return isalnum(c) || c >= 0x80 || c == '/' || c == '_' || c == '.' || c == '-';
}

static void add_literal(Buf *out, Str text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!is_plain((uint8_t)text.data[i]))
            buf_add_u8(out, '\\');
        buf_add_u8(out, (uint8_t)text.data[i]);
    }
}

/* A group that took nothing stays: without it the pattern might be cleaned to another one. */
static bool is_fixed(const Search *search, size_t group)
{
    return search->taken[group].size && search->glob->once[group].to;
}

static void add_pattern(Search *search)
{
    CLEANUP(buf_done) Buf pattern = { 0 };
    Str from = search->glob->pattern;
    size_t at = 0, fixed = 0;
    for (size_t group = 0; group < search->glob->group_count; group++) {
        if (!is_fixed(search, group))
            continue;
        GroupSpan span = search->glob->once[group];
        buf_add_str(&pattern, str_sub(from, at, span.from));
        add_literal(&pattern, search->taken[group]);
        at = span.to;
        fixed++;
    }
    buf_add_str(&pattern, str_sub(from, at, from.size));
    search->failed |= !fixed || search->n == search->max || pattern.size > GLOB_PATTERN_BYTES_MAX;
    if (!search->failed)
        search->out[search->n++] =
            (Str){ str_z(search->ctx->arena, buf_str(&pattern)), pattern.size };
}

static void try_from(Search *search, size_t text_at, size_t value_at);

/* A group that was met before takes the same again. */
static void try_group(Search *search, size_t group, size_t text_at, size_t value_at)
{
    Str rest = str_sub(search->value, value_at, search->value.size);
    Str *taken = &search->taken[group - 1];
    if (taken->data) {
        if (str_starts(rest, *taken))
            try_from(search, text_at, value_at + taken->size);
        return;
    }
    for (size_t size = 0; size <= rest.size && !search->failed; size++) {
        *taken = (Str){ rest.data ? rest.data : "", size };
        try_from(search, text_at, value_at + size);
    }
    *taken = (Str){ 0 };
}

/* text from text_at on became value from value_at on. */
static void try_from(Search *search, size_t text_at, size_t value_at)
{
    Str text = search->text, value = search->value;
    while (text_at < text.size && !search->failed) {
        search->failed |= ++search->steps > STEPS_MAX;
        Str rest = str_sub(text, text_at + 1, text.size);
        size_t size = 0;
        bool dollar = text.data[text_at] == '$';
        size_t group = dollar ? glob_reference(search->glob, rest, &size) : 0;
        if (group) {
            try_group(search, group, text_at + 1 + size, value_at);
            return;
        }
        if (value_at == value.size || value.data[value_at] != text.data[text_at])
            return;
        value_at++;
        text_at += dollar && str_starts(rest, STR("$")) ? 2 : 1;
    }
    if (!search->failed && value_at == value.size)
        add_pattern(search);
}

bool glob_narrow(Ctx *ctx, const Glob *glob, Str text, Str value, Str *out_patterns, size_t max,
                 size_t *out_n)
{
    Search search = { .ctx = ctx,
                      .glob = glob,
                      .text = text,
                      .value = value,
                      .taken = arena_must(ctx->arena, (glob->group_count + 1) * sizeof(Str)),
                      .out = out_patterns,
                      .max = max };
    memset(search.taken, 0, (glob->group_count + 1) * sizeof(Str));
    try_from(&search, 0, 0);
    *out_n = search.n;
    return !search.failed;
}
