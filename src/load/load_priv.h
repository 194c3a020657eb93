/* load_priv.h - what the files of this module share. */
#pragma once

#include "chunk/chunk.h"
#include "load/load.h"
#include "pfs/view.h"
#include "procavia/load/load.pb-c.h"

typedef Procavia__Load__LoadSpec LoadSpec;
typedef Procavia__Load__RandomFiles RandomFiles;

/* --- spec.c: what is to be written ------------------------------------------------------------ */

extern const char load_spec_preset[];

/* Parsed and checked: every source that is named is there, every range has something in it. */
Status load_spec_read(Ctx *ctx, const char *text, LoadSpec **out);

/* --- files.c: random files, pure -------------------------------------------------------------- */

uint64_t load_random(uint64_t *state);
/* In [min, max]. */
int64_t load_between(uint64_t *state, int64_t min, int64_t max);
/* size bytes that the state stands for. */
void load_fill(uint64_t *state, uint8_t *out, size_t size);

/* The files of one source, one after the other. */
typedef struct LoadFiles {
    const RandomFiles *spec;
    Buf folder;   /* of the files that come, ending in '/' */
    int64_t left; /* files that still go there */
} LoadFiles;
/* serial: its number among all of the test, which no other path has. *out_path is valid until the
 * next call. */
int64_t load_next_file(LoadFiles *files, uint64_t *random, int64_t serial, Buf *out_path);

/* --- digest.c: what a commit should hold ------------------------------------------------------ */

/* Of a set of files, in any order. */
typedef struct LoadDigest {
    Hash mix; /* of all files' hashes */
    int64_t files, bytes;
} LoadDigest;
/* Adds a file, or takes it away again. hash: of the content. */
void load_digest_add(LoadDigest *digest, Str path, const Hash *hash, int64_t size);
void load_digest_take(LoadDigest *digest, Str path, const Hash *hash, int64_t size);
bool load_digest_eq(const LoadDigest *a, const LoadDigest *b);
/* Of what the commit holds, by reading all of it. */
Status load_digest_of(Ctx *ctx, const PfsView *view, LoadDigest *out);
/* Takes away the file at the path, if there is one. */
Status load_digest_without(Ctx *ctx, const PfsView *view, Str path, LoadDigest *digest);

/* --- state.c: where a test ended -------------------------------------------------------------- */

typedef struct LoadPlace {
    PfsV2__Branch *branch;
    int64_t files;                      /* written so far */
    Procavia__Load__LoadCommit *newest; /* NULL: none */
    Buf commits;                        /* all of them, as LoadStates */
} LoadPlace;
void load_place_done(LoadPlace *place);
Status load_state_read(Ctx *ctx, Pfs *pfs, const char *id, LoadPlace *out);
void load_state_add(Ctx *ctx, LoadPlace *place, const PfsV2__Commit *commit,
                    const LoadDigest *digest);
Status load_state_write(Ctx *ctx, Pfs *pfs, const LoadPlace *place, const char **out_id);

/* --- dag.c ------------------------------------------------------------------------------------ */

typedef struct LoadNode {
    const char *name;
    const char **inputs; /* names of earlier ones; none: a source */
    size_t n;
} LoadNode;

typedef struct LoadNodes {
    LoadNode *items;
    size_t n;
} LoadNodes;
/* suffix: of all names. */
Status load_dag_read(Ctx *ctx, const char *text, const char *suffix, LoadNodes *out);
