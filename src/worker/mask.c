/* mask.c - see mask.h.
 *
 * Patterns are sorted, so those that begin with four given bytes are a range. A filter of hashes of
 * first four bytes sends nearly every position on after one load and one test. A position where the
 * text so far may become a pattern ends a piece: it is decided when more comes.
 */
#include "worker/mask.h"

#include <stdlib.h>

#define FILTER_BITS 16

struct MaskSet {
    Str *patterns; /* [count], sorted, none twice, each MASK_BYTES_MIN or more and without '\n' */
    size_t count, size_max;
    uint8_t filter[(1 << FILTER_BITS) / 8];
};

/* --- the set ---------------------------------------------------------------------------------- */

static uint32_t filter_slot(const uint8_t *four)
{
    return (load_le32(four) * 2654435761u) >> (32 - FILTER_BITS);
}

static void add_pattern(MaskSet *set, Str line)
{
    while (line.size && strchr(" \t\r", line.data[line.size - 1]))
        line.size--;
    while (line.size && (line.data[0] == ' ' || line.data[0] == '\t'))
        line = str_sub(line, 1, line.size);
    if (line.size < MASK_BYTES_MIN)
        return;
    set->patterns = realloc(set->patterns, (set->count + 1) * sizeof(*set->patterns));
    if (!set->patterns)
        abort();
    set->patterns[set->count++] = line;
    set->size_max = MAX(set->size_max, line.size);
    uint32_t slot = filter_slot((const uint8_t *)line.data);
    set->filter[slot / 8] |= (uint8_t)(1 << slot % 8);
}

static int compare_patterns(const void *a, const void *b)
{
    return str_cmp(*(const Str *)a, *(const Str *)b);
}

MaskSet *mask_set_new(const Bytes *values, size_t n)
{
    MaskSet *set = calloc(1, sizeof(*set));
    if (!set)
        abort();
    for (size_t i = 0; i < n; i++) {
        for (Str rest = bytes_str(values[i]); rest.size;) {
            size_t end = str_find(rest, '\n');
            add_pattern(set, str_sub(rest, 0, end));
            rest = str_sub(rest, end + 1, rest.size);
        }
    }
    if (!set->count)
        return mask_set_free(set);
    qsort(set->patterns, set->count, sizeof(*set->patterns), compare_patterns);
    return set;
}

MaskSet *mask_set_free(MaskSet *set)
{
    if (set)
        free(set->patterns);
    free(set);
    return NULL;
}

/* --- one position ----------------------------------------------------------------------------- */

/* The first pattern that is not less than text. */
static size_t lower_bound(const MaskSet *set, Str text)
{
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (str_cmp(set->patterns[middle], text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

typedef struct Found {
    size_t size;  /* of the longest pattern that begins here; 0 none */
    bool is_open; /* all that there is begins a longer one */
} Found;

static Found find_at(const MaskSet *set, Str rest)
{
    Found found = { 0 };
    if (rest.size >= MASK_BYTES_MIN) {
        uint32_t slot = filter_slot((const uint8_t *)rest.data);
        if (!(set->filter[slot / 8] & 1 << slot % 8))
            return found;
    }
    Str head = str_sub(rest, 0, MASK_BYTES_MIN);
    for (size_t i = lower_bound(set, head); i < set->count; i++) {
        Str pattern = set->patterns[i];
        if (!str_starts(pattern, head))
            break;
        if (str_starts(rest, pattern))
            found.size = MAX(found.size, pattern.size);
        else if (str_starts(pattern, rest))
            found.is_open = true;
    }
    return found;
}

/* --- a stream --------------------------------------------------------------------------------- */

typedef struct Scan {
    Buf *out;
    Str text;
    size_t from;   /* what is not masked was written up to here */
    size_t masked; /* everything before this is part of a secret, back to where that began */
    bool inside;
} Scan;

static void write_plain(Scan *scan, size_t end)
{
    if (end > scan->from)
        buf_add_str(scan->out, str_sub(scan->text, scan->from, end));
    scan->from = end;
}

static void mask_at(Scan *scan, size_t at, size_t end)
{
    if (!scan->inside) {
        write_plain(scan, at);
        buf_add_str(scan->out, STR(MASK_TEXT));
        scan->inside = true;
    }
    scan->masked = MAX(scan->masked, end);
    scan->from = scan->masked;
}

/* Decides as much as it can; how much that is. */
static size_t scan_text(Scan *scan, const MaskSet *set, bool is_end)
{
    size_t at = 0;
    for (; at < scan->text.size; at++) {
        Found found = find_at(set, str_sub(scan->text, at, scan->text.size));
        if (found.is_open && !is_end)
            break;
        if (scan->inside && at >= scan->masked && !found.size)
            scan->inside = false;
        if (found.size)
            mask_at(scan, at, at + found.size);
    }
    write_plain(scan, at);
    return at;
}

static void run_scan(Masker *masker, const MaskSet *set, Buf *out, bool is_end)
{
    Scan scan = { .out = out,
                  .text = buf_str(&masker->held),
                  .from = masker->masked,
                  .masked = masker->masked,
                  .inside = masker->inside };
    size_t decided = scan_text(&scan, set, is_end);
    masker->masked = scan.masked - MIN(scan.masked, decided);
    masker->inside = scan.inside;
    buf_drop_front(&masker->held, decided);
}

void masker_add(Masker *masker, const MaskSet *set, Bytes piece, Buf *out)
{
    if (!set) {
        buf_add_bytes(out, piece);
        return;
    }
    buf_add_bytes(&masker->held, piece);
    run_scan(masker, set, out, false);
}

void masker_end(Masker *masker, const MaskSet *set, Buf *out)
{
    if (set)
        run_scan(masker, set, out, true);
    masker->masked = 0;
    masker->inside = false;
}

void masker_done(Masker *masker)
{
    buf_done(&masker->held);
}

Str mask_text(Arena *arena, const MaskSet *set, Str text)
{
    if (!set)
        return text;
    Masker masker = { 0 };
    CLEANUP(buf_done) Buf out = { 0 };
    masker_add(&masker, set, str_bytes(text), &out);
    masker_end(&masker, set, &out);
    masker_done(&masker);
    return (Str){ out.size ? arena_memdup(arena, out.data, out.size) : "", out.size };
}
