/* datum.h - datums: what an input tree cuts commits into, and their ids and hashes (pps.md §10).
 *
 * Enumeration is pure: files come from an InputSource, datums go to a function. A pfs input
 * streams: its datums live during the call only. A cross holds its children's datums (not their
 * product); join and group hold theirs. Composites read each child in ascending order of datum id
 * and without duplicates; what reaches the caller may repeat an id (union, outer join): the planner
 * keeps the first.
 */
#pragma once

#include "chunk/chunk.h"
#include "pfs/view.h"
#include "pps/input.h"

/* One file or directory of a datum. */
typedef struct DatumInput {
    const PpsV2__PFSInput *from; /* input, branch, commit and flags; a cron input as input_leaf */
    Str path;                    /* a directory's ends with '/' */
    bool is_dir;
    uint64_t size; /* bytes; a directory's is that of all below */
    Hash hash;     /* of the content; a directory's covers all below */
    Str join_on;   /* expanded; "" when the input has none */
    Str group_by;
} DatumInput;

typedef struct Datum {
    Hash id;
    uint64_t index; /* processing order is (index, id) */
    size_t input_count;
    const DatumInput *const *inputs;
} Datum;

/* Where files come from. Directories' paths end with '/', results come in path order. */
typedef struct InputSource {
    /* What input->glob matches in the input's commit. */
    Status (*list)(void *self, Ctx *ctx, const PpsV2__PFSInput *input,
                   Status (*fn)(void *arg, Ctx *ctx, const PfsMatch *match), void *arg);
    /* One path of the input's commit ("/a", "/a/" or "/"): NOT_FOUND (bare) when nothing is there,
     * "/" of an empty commit included. */
    Status (*stat)(void *self, Ctx *ctx, const PpsV2__PFSInput *input, Str path, PfsMatch *out);
    /* The same in the commit of the previous plan. */
    Status (*stat_before)(void *self, Ctx *ctx, const PpsV2__PFSInput *input, Str path,
                          PfsMatch *out);
    /* Paths of files that differ between the commit of the previous plan and the input's commit, in
     * path order; O(changes). */
    Status (*changes)(void *self, Ctx *ctx, const PpsV2__PFSInput *input,
                      Status (*fn)(void *arg, Ctx *ctx, Str path), void *arg);
    void *self;
} InputSource;

/* The datum and all it points to are valid during the call. */
typedef Status (*DatumFn)(void *arg, Ctx *ctx, const Datum *datum);

/* Calls fn for each datum of the input (NULL: none). Errors: the source's; UNKNOWN for a glob that
 * does not parse; RESOURCE_EXHAUSTED when a composite outgrows ctx's arena. */
Status datum_each(Ctx *ctx, const InputSource *source, const PpsV2__Input *input, DatumFn fn,
                  void *arg);

/* --- only what changed ------------------------------------------------------------------------ */

/* Can the change of this tree's datums be told from the changes of its leaves? True for pfs, cron,
 * joins and groups of such, and crosses and unions of all these (§33.8). False where one repo's
 * computed files are read, and where two inputs could give one datum id for different datums. */
bool datum_has_delta(Ctx *ctx, const PpsV2__Input *input);

/* What changed since the previous plan: put gets datums that are new or whose content may differ,
 * gone those that are no longer there (by id, names and paths; their content means nothing). A
 * superset is told: an unchanged datum may be put again, one that never was may be gone, and one
 * that is told both ways is there. Indexes count changes only. Cost: O(changes) for leaves and
 * unions; a cross lists its other children when one changed; a join or group costs the datums of the
 * keys that were touched, and lists a child whole unless its key follows the fixed beginning of its
 * glob ("/data/(*)/…" by "$1"). Requires datum_has_delta. */
Status datum_each_change(Ctx *ctx, const InputSource *source, const PpsV2__Input *input,
                         DatumFn put, DatumFn gone, void *arg);

/* --- identity --------------------------------------------------------------------------------- */

/* What users know a datum by, the same as in Pachyderm: BLAKE2b-256 over name, repo, branch and path
 * of each input, each followed by its length (§10.3). */
Hash datum_id(const DatumInput *const *inputs, size_t n);

/* SHA-256 over the id in hex, the content hashes of inputs that are not `reference`, and the salt
 * (§10.4). hasher is scratch. */
Hash datum_hash(Hasher *hasher, const Datum *datum, const char *salt);

/* Sum of its inputs' sizes in bytes. */
uint64_t datum_size(const Datum *datum);

/* --- datum sets (§12) ------------------------------------------------------------------------- */

/* Cuts a stream of datums into sets. */
typedef struct DatumSets {
    uint64_t number;     /* datums a set; 0: no such limit */
    uint64_t size_bytes; /* a set is full once it holds this much; 0: no such limit */
    uint64_t in_set, in_set_bytes;
} DatumSets;

#define DATUM_SETS_PER_WORKER 4

/* spec may be NULL; what it leaves open (or sets to zero or less) gives DATUM_SETS_PER_WORKER sets
 * a worker.
 *
 * datum_count  datums to process
 * parallelism  workers, at least 1 */
DatumSets datum_sets_new(const PpsV2__DatumSetSpec *spec, uint64_t datum_count,
                         uint64_t parallelism);

/* Takes the next datum; true when it starts a set (the first always does). */
bool datum_sets_add(DatumSets *sets, uint64_t datum_bytes);
