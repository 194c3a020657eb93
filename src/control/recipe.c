/* recipe.c - what it takes to run one datum again, apart from its job. */
#include "control/control_priv.h"

typedef struct TodoSearch {
    Arena *arena;
    const Hash *id;
    DatumRecord *record;
    bool found;
} TodoSearch;

static Status keep_if_wanted(void *arg, Ctx *ctx, const DatumRecord *record)
{
    (void)ctx;
    TodoSearch *search = arg;
    if (search->found || !hash_eq(&record->datum.id, search->id))
        return OK;
    search->found = true;
    return result_copy_record(search->arena, record, search->record);
}

static Hash todo_of(Control *control, int64_t job)
{
    LOCKED(&control->lock);
    const JobRun *run = job_run_find(control, job);
    return run ? run->plan.todo : (Hash){ 0 };
}

/* A datum that is done is in the job's plan; others of a job that runs are looked for one by one. */
static Status find_datum(Ctx *ctx, Control *control, const PpsJobRow *job, const Hash *id,
                         DatumRecord *out)
{
    Status s = plan_get(ctx, &control->content.io, &job->plan, id, out);
    if (s.code != STATUS_NOT_FOUND)
        return s;
    Hash todo = todo_of(control, job->id);
    TodoSearch search = { ctx->arena, id, out, false };
    CLEANUP(ctx_done) Ctx scratch;
    ctx_scratch(&scratch, ctx);
    s = plan_each_todo(&scratch, &control->content.io, &todo, 0, UINT64_MAX, keep_if_wanted,
                       &search);
    TRY(status_copy(ctx, s));
    return search.found ? OK : STATUS(NOT_FOUND);
}

static Status find_job(Ctx *ctx, Control *control, const PpsV2__Job *handle, PpsJobRow *out_job,
                       PpsPipelineRow *out_spec)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pps_pfs(control->pps), &tx));
    TRY(pps_find_job(ctx, tx, handle, out_job));
    return pps_job_spec(ctx, tx, out_job, out_spec);
}

Status control_datum_recipe(Ctx *ctx, Control *control, const PpsV2__Datum *datum,
                            Procavia__Work__WorkSet **out)
{
    if (!datum || !*datum->id)
        return FAIL(ctx, UNKNOWN, "must specify a datum");
    if (!datum->job)
        return FAIL(ctx, UNKNOWN, "must specify a job");
    PpsJobRow job;
    PpsPipelineRow spec;
    TRY(find_job(ctx, control, datum->job, &job, &spec));
    Hash id;
    DatumRecord record;
    Status s = hash_parse(str(datum->id), &id) ? find_datum(ctx, control, &job, &id, &record)
                                               : STATUS(NOT_FOUND);
    if (s.code == STATUS_NOT_FOUND)
        return FAIL(ctx, NOT_FOUND, "datum %s not found in job %s/%s@%s", datum->id, job.project,
                    job.pipeline, job.set_id);
    TRY(s);
    TRY(order_recipe(ctx, control, &job, &spec, true, out));
    return order_add_datum(ctx, control, &record, *out);
}
