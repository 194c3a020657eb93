/* mask.h - keeps secrets out of what is logged: each occurrence in a stream becomes MASK_TEXT.
 *
 * What counts is each line of a secret's value, so that a key of many lines is found line by line.
 * Lines shorter than MASK_BYTES_MIN are left: they would turn up everywhere, and hide what was
 * printed rather than the secret. Values are found as they are, not encoded (base64, a hash).
 */
#pragma once

#include "base/ctx.h"

#define MASK_BYTES_MIN 4
#define MASK_TEXT      "***"

/* Immutable; may be shared by threads. */
typedef struct MaskSet MaskSet;
/* values[n] must outlive the set. NULL when there is nothing to look for. */
MaskSet *mask_set_new(const Bytes *values, size_t n);
MaskSet *mask_set_free(MaskSet *set); /* NULL is fine; always returns NULL */
static inline void mask_set_freep(MaskSet **set)
{
    *set = mask_set_free(*set);
}

/* A stream that comes in pieces. Zero-initialised is empty. */
typedef struct Masker {
    Buf held;      /* what may be the beginning of a secret */
    size_t masked; /* bytes of held that are part of one for sure */
    bool inside;   /* MASK_TEXT was written for them */
} Masker;

/* Appends to out what is decided. A whole line is never held back. set NULL: nothing is masked. */
void masker_add(Masker *masker, const MaskSet *set, Bytes piece, Buf *out);
/* The stream's end: what was held back is decided. */
void masker_end(Masker *masker, const MaskSet *set, Buf *out);
void masker_done(Masker *masker);

/* A whole text at once, in the arena; text itself when nothing is masked. */
Str mask_text(Arena *arena, const MaskSet *set, Str text);
