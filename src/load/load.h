/* load.h - load tests: commits of random files, read back and compared; and pipelines to send them
 * through (pps.md §26.27).
 *
 * A test is a function of its spec and seed: the same paths, sizes and contents come again, but for
 * what the validator draws. What went wrong is told in the result, as text: only a call that was
 * given up (CANCELLED, DEADLINE_EXCEEDED) is an error. Memory does not grow with what is written.
 */
#pragma once

#include "pfs/pfs.h"
#include "pps/pps.h"

typedef struct LoadTest {
    const char *spec;            /* YAML or JSON, see README.md; "": the default */
    const PfsV2__Branch *branch; /* NULL: the state's, else one of a repo that is made */
    int64_t seed;                /* 0: by chance */
    const char *state_id;        /* of an earlier test, to go on from; "": none */
    bool downstream; /* wait for what comes of each commit, too; an error there is one */
} LoadTest;

/* In ctx's arena. */
typedef struct LoadResult {
    const char *spec;      /* that was run */
    PfsV2__Branch *branch; /* NULL: it did not come so far */
    int64_t seed;
    int64_t duration_ns;
    const char *error;    /* "": all went well */
    const char *state_id; /* "": no commit was finished */
} LoadResult;

Status load_run(Ctx *ctx, Pfs *pfs, const LoadTest *test, LoadResult *out);

typedef struct LoadDag {
    const char *spec;    /* lines "name:" and "name: in, in"; "": a source and a pipeline */
    int64_t parallelism; /* 0: as always */
    const char *pod_patch;
    LoadTest test; /* on the first source's master, unless it goes on from a state */
} LoadDag;

/* Makes repos and pipelines whose names end in five random digits, and runs the test over them. */
Status load_run_dag(Ctx *ctx, Pps *pps, const LoadDag *dag, LoadResult *out);
