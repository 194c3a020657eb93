/* plan.h - which datums of a job must run (pps.md §11, design.md §5): the previous plan and the
 * datums of now give the new plan, by their difference. Pure over a TreeIo, but for the file in
 * which very many datums are sorted.
 *
 *   base      the plan of the job to build upon; zero: none
 *   done      the plan so far: datums carried over from base, and hits of the cache
 *   todo      the datums to run, as PENDING records at "/<position, 16 hex digits>", in processing
 *             order; positions count from 0 without gaps, so a set of datums is a range of them
 *
 * As sets of datums finish, plan_results_lay lays their records over done; when all have, done is
 * the job's plan and the base of the next. Everything a job does to its output follows from
 * plan_diff(base, done).
 *
 * A planner takes either all datums of now, or (delta) only what changed since base. Delta needs
 * the same PlanBasis as base had, and costs O(changes × log n).
 */
#pragma once

#include "pps/key.h"
#include "pps/record.h"

typedef enum PlanRule {
    PLAN_UNTIL_SUCCESS, /* base has the same id and datum hash, and it was PROCESSED */
    PLAN_EVERY_JOB,     /* nothing is skipped */
    PLAN_EXACT,         /* the key is the same as well; else the cache of results is asked */
} PlanRule;

/* "until_success", "every_job", "exact"; anything else is until_success, as specs are checked
 * earlier. s3_out never skips. */
PlanRule plan_rule(const char *reprocess_spec, bool s3_out);

/* A result of the cache. */
typedef struct PlanResultHit {
    int64_t made_at_ns;
    Hash output_root;
    uint64_t output_bytes;
    RecordStats stats;
    const char *run_job;
    const char *image_id;
} PlanResultHit;

typedef struct PlanCache {
    /* NOT_FOUND (bare) is a miss. */
    Status (*find)(void *self, Ctx *ctx, const Hash *key, PlanResultHit *out);
    void *self;
} PlanCache;

typedef struct PlanParams {
    const TreeIo *io;
    PlanRule rule;
    bool delta;
    Hash base;
    const char *salt;
    const KeyStep *step;
    PlanCache cache; /* asked by PLAN_EXACT only; find may be NULL */
    const char *job; /* "project/pipeline@id" of which this is the plan; NULL: of none */
    /* Results of the cache that are older do not count: when an update with `reprocess` was. */
    int64_t results_not_before_ns;
    /* Where very many datums are sorted, in a file without a name; NULL: TMPDIR, else /var/tmp. */
    const char *spill_dir;
} PlanParams;

/* Two plans with the same basis differ only by what their inputs' files do. input: commits do not
 * matter. */
Hash plan_basis(Ctx *ctx, const PlanParams *params, const PpsV2__Input *input);

typedef struct PlanCounts {
    uint64_t total; /* = skipped + cached + to_run */
    uint64_t skipped, cached, to_run;
    uint64_t to_run_bytes; /* of input */
    uint64_t deleted;      /* in base, no longer in the input */
} PlanCounts;

typedef struct Plan {
    Hash done, todo;
    PlanCounts counts;
} Plan;

typedef struct Planner Planner;

/* params and what it points to must outlive the planner. */
Planner *planner_new(const PlanParams *params);
Planner *planner_free(Planner *planner);
static inline void planner_freep(Planner **planner)
{
    *planner = planner_free(*planner);
}

/* A datum of now (delta: a changed one), in any order; of datums with one id the first counts. A
 * DatumFn. */
Status planner_put(void *planner, Ctx *ctx, const Datum *datum);
/* Delta only: this datum is gone unless it is put as well. A DatumFn; only the id counts. */
Status planner_gone(void *planner, Ctx *ctx, const Datum *datum);

/* Decides. Memory is bounded by PLAN_MEMORY_BYTES, whatever the number of datums. Once only. */
Status planner_finish(Ctx *ctx, Planner *planner, Plan *out);
#define PLAN_MEMORY_BYTES (64 * MiB)

/* --- reading and changing plans --------------------------------------------------------------- */

typedef Status (*PlanFn)(void *arg, Ctx *ctx, const DatumRecord *record);

/* Records of a plan in ascending order of id, from the first id > after (NULL: all); reverse:
 * descending, from the last id < after. fn may end it early with any error. */
Status plan_each(Ctx *ctx, const TreeIo *io, const Hash *plan, const Hash *after, bool reverse,
                 PlanFn fn, void *arg);
/* One record. Errors: NOT_FOUND (bare). */
Status plan_get(Ctx *ctx, const TreeIo *io, const Hash *plan, const Hash *id, DatumRecord *out);
/* Datums in a plan. O(log n). */
Status plan_count(Ctx *ctx, const TreeIo *io, const Hash *plan, uint64_t *out);
/* Those that are not PROCESSED. O(log n + what is returned). */
Status plan_each_unsettled(Ctx *ctx, const TreeIo *io, const Hash *plan, PlanFn fn, void *arg);

/* Records of a todo tree from position `from` up to and without `to`, in processing order. */
Status plan_each_todo(Ctx *ctx, const TreeIo *io, const Hash *todo, uint64_t from, uint64_t to,
                      PlanFn fn, void *arg);

/* Records that differ, in order of id; one side is NULL when absent. O(changes × log n). */
typedef Status (*PlanDiffFn)(void *arg, Ctx *ctx, const DatumRecord *old_record,
                             const DatumRecord *new_record);
Status plan_diff(Ctx *ctx, const TreeIo *io, const Hash *old_plan, const Hash *new_plan,
                 PlanDiffFn fn, void *arg);

/* --- results ---------------------------------------------------------------------------------- */

/* A record as plans keep it. */
typedef struct PlanRecord {
    Hash id;
    TreeRecord stored;
} PlanRecord;
/* Memory in ctx's arena. */
Status plan_encode(Ctx *ctx, const TreeIo *io, const DatumRecord *record, PlanRecord *out);

/* Records of datums that ran, until they are laid over a plan. As ids are spread evenly, few of them
 * touch most of a plan already, and all at once cost little more than a few: lay rarely. Memory is
 * bounded by PLAN_RESULTS_BYTES; what is more goes to a file, as with PlanParams.spill_dir. */
typedef struct PlanResults PlanResults;
PlanResults *plan_results_new(const TreeIo *io, const char *spill_dir);
PlanResults *plan_results_free(PlanResults *results);
static inline void plan_results_freep(PlanResults **results)
{
    *results = plan_results_free(*results);
}
#define PLAN_RESULTS_BYTES (16 * MiB)
/* In any order; of records with one id the first counts. */
Status plan_results_add(Ctx *ctx, PlanResults *results, const PlanRecord *record);
/* Lays them over done. Leaves none, also when it fails. */
Status plan_results_lay(Ctx *ctx, PlanResults *results, const Hash *done, Hash *out_done);
