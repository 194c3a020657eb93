/* key.h - the exact result key: SHA-256 over all that makes a datum's result (design.md §2.3).
 * README.md has the encoding, and why pipeline names, salts and commit ids are not part of it.
 *
 * A key has two halves: the step (the same for all datums of a pipeline version) and the datum's
 * inputs. The step's named parts are kept, so that `why` can tell which of them changed.
 */
#pragma once

#include "pps/datum.h"

/* One named part of a step or of a datum's inputs, in encoding order. */
typedef struct KeyPart {
    const char *name; /* "cmd", "env.LANG", "input.images" */
    const char *text; /* what a person compares: short content, or a digest in hex */
    Hash digest;
} KeyPart;

typedef struct KeyStep {
    Hash digest;
    KeyPart *parts;
    size_t part_count;
} KeyStep;

/* What the transform does not say by itself. */
typedef struct KeyCode {
    const char *code; /* the image's digest "sha256:…", or "host:<fingerprint>" */
    /* Content hash of each of transform.secrets[], in order; may be NULL when there are none. */
    const Hash *secret_hashes;
    bool s3_out;
} KeyCode;

/* The step of a transform. In ctx's arena. */
KeyStep key_step(Ctx *ctx, const PpsV2__Transform *transform, const KeyCode *code);

/* The key of one datum's result. hasher is scratch. */
Hash key_datum(Hasher *hasher, const KeyStep *step, const Datum *datum);

/* The datum's half as named parts, one an input. In ctx's arena. */
KeyPart *key_datum_parts(Ctx *ctx, const Datum *datum, size_t *out_n);

/* Parts that differ between two lists, by name: a missing one has no text (NULL). Calls fn in the
 * order of the new list, then what only the old one has. */
typedef void (*KeyDiffFn)(void *arg, const char *name, const char *old_text, const char *new_text);
void key_diff(const KeyPart *old_parts, size_t old_n, const KeyPart *new_parts, size_t new_n,
              KeyDiffFn fn, void *arg);
