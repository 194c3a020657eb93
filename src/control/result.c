/* result.c - what datums did, made durable: their output as a tree, their result in the cache,
 * their record in the plan.
 *
 * Results of a run gather and are written together (result_flush): at least twice a second, so that
 * progress shows and a crash costs little, and with the end of the job.
 *
 * Laying them over the plan costs what the plan has, not what they are. So the plan of a job with
 * very many datums gets them more rarely: as often as that takes a tenth of the time. Until then a
 * listing shows them as they were, and a crash loses them where the job's rule does not ask the
 * cache of results. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "control/control_priv.h"
#include "pfs/write.h"

#define FLUSH_NS  (NS_PER_SEC / 2)
#define LAY_SHARE 10 /* of the time, one part at most goes into laying results over the plan */

/* --- output ----------------------------------------------------------------------------------- */

static Status tree_of_files(Ctx *ctx, Control *control, const Procavia__Work__WorkResult *result,
                            Hash *out)
{
    CLEANUP(pfs_writer_freep) PfsWriter *writer = pfs_writer_new(pps_pfs(control->pps));
    for (size_t i = 0; i < result->n_files; i++) {
        const Procavia__Work__WorkOutputFile *file = result->files[i];
        TRY(pfs_writer_put(ctx, writer, str(file->path), STR(""),
                           bytes(file->content.data, file->content.len)));
    }
    return pfs_writer_layer(ctx, writer, out);
}

static Status output_of(Ctx *ctx, Control *control, const Procavia__Work__WorkResult *result,
                        Hash *out)
{
    *out = (Hash){ 0 };
    if (result->state != PROCAVIA__WORK__WORK_RESULT__STATE__PROCESSED)
        return OK;
    if (*result->file_set_id) {
        Hash layer;
        return pfs_fileset_roots(ctx, pps_pfs(control->pps), result->file_set_id, &layer, out);
    }
    return result->n_files ? tree_of_files(ctx, control, result, out) : OK;
}

/* --- records ---------------------------------------------------------------------------------- */

static RecordState state_of(Procavia__Work__WorkResult__State state)
{
    switch (state) {
    case PROCAVIA__WORK__WORK_RESULT__STATE__PROCESSED:
        return RECORD_PROCESSED;
    case PROCAVIA__WORK__WORK_RESULT__STATE__RECOVERED:
        return RECORD_RECOVERED;
    case PROCAVIA__WORK__WORK_RESULT__STATE__FAILED:
    case PROCAVIA__WORK__WORK_RESULT__STATE__UNKNOWN:
    case _PROCAVIA__WORK__WORK_RESULT__STATE_IS_INT_SIZE:
    default:
        return RECORD_FAILED;
    }
}

static RecordStats stats_of(const PpsV2__ProcessStats *stats)
{
    if (!stats)
        return (RecordStats){ 0 };
    return (RecordStats){ .download_ns = pb_duration_ns(stats->download_time),
                          .process_ns = pb_duration_ns(stats->process_time),
                          .upload_ns = pb_duration_ns(stats->upload_time),
                          .download_bytes = (uint64_t)MAX(stats->download_bytes, INT64_C(0)),
                          .upload_bytes = (uint64_t)MAX(stats->upload_bytes, INT64_C(0)) };
}

/* Records live in trees, and only during a call; a copy is an encoding, decoded where it is
 * kept. */
Status result_copy_record(Arena *arena, const DatumRecord *record, DatumRecord *out)
{
    Buf packed = { 0 };
    record_pack(record, &packed);
    Ctx into = { .arena = arena, .deadline_ns = DEADLINE_NONE, .user = "" };
    const void *kept = arena_memdup(arena, packed.data, packed.size);
    Status s = record_unpack(&into, bytes(kept, packed.size), out);
    buf_done(&packed);
    return s;
}

typedef struct TodoSearch {
    Arena *arena; /* where the record goes */
    DatumRecord record;
    bool found;
} TodoSearch;

static Status keep_record(void *arg, Ctx *ctx, const DatumRecord *record)
{
    (void)ctx;
    TodoSearch *search = arg;
    search->found = true;
    return result_copy_record(search->arena, record, &search->record);
}

/* The record at a position of a todo list, in the arena `into` (not ctx's). NOT_FOUND (bare). */
static Status todo_record(Ctx *ctx, Control *control, const Hash *todo, uint64_t index, Arena *into,
                          DatumRecord *out)
{
    TodoSearch search = { .arena = into };
    TRY(plan_each_todo(ctx, &control->content.io, todo, index, index + 1, keep_record, &search));
    *out = search.record;
    return search.found ? OK : STATUS(NOT_FOUND);
}

bool result_find_todo(Control *control, int64_t job, Hash *out)
{
    LOCKED(&control->lock);
    const JobRun *run = job_run_find(control, job);
    if (run)
        *out = run->plan.todo;
    return run && !hash_is_zero(out);
}

Status control_pending_datum(void *self, Ctx *ctx, int64_t job, uint64_t index, const Hash *id,
                             DatumRecord *out)
{
    Control *control = self;
    Hash todo;
    if (!result_find_todo(control, job, &todo))
        return STATUS(NOT_FOUND);
    CLEANUP(ctx_done) Ctx scratch;
    ctx_scratch(&scratch, ctx);
    Status s = todo_record(&scratch, control, &todo, index, ctx->arena, out);
    if (!status_ok(s))
        return status_copy(ctx, s);
    return hash_eq(&out->datum.id, id) ? OK : STATUS(NOT_FOUND); /* planned anew since */
}

static Status gather(JobRun *run, const DoneDatum *done)
{
    Arena *arena = run->results_arena;
    if (run->result_count == run->result_capacity) {
        size_t capacity = MAX(run->result_capacity * 2, (size_t)64);
        DoneDatum *results = ARENA_NEW(arena, DoneDatum, capacity);
        if (!results)
            return STATUS(RESOURCE_EXHAUSTED);
        if (run->result_count)
            memcpy(results, run->results, run->result_count * sizeof(*results));
        run->results = results;
        run->result_capacity = capacity;
    }
    DoneDatum *kept = &run->results[run->result_count++];
    Bytes data = done->record.stored.data;
    *kept = *done;
    kept->record.stored.data = bytes(arena_memdup(arena, data.data, data.size), data.size);
    return OK;
}

static void count(JobRun *run, const DatumRecord *record)
{
    JobCounters more = { .processed = record->head.state == RECORD_PROCESSED,
                         .failed = record->head.state == RECORD_FAILED,
                         .recovered = record->head.state == RECORD_RECOVERED,
                         .download_ns = record->stats.download_ns,
                         .process_ns = record->stats.process_ns,
                         .upload_ns = record->stats.upload_ns,
                         .download_bytes = (int64_t)record->stats.download_bytes,
                         .upload_bytes = (int64_t)record->stats.upload_bytes };
    job_counters_add(&run->counters, &more);
    if (more.failed && !*run->failed_datum)
        hash_hex(&record->datum.id, run->failed_datum);
}

Status result_add(Ctx *ctx, Lease *lease, const Procavia__Work__WorkResult *result)
{
    JobRun *run = lease->run;
    Control *control = run->control;
    if (result->index < lease->range.from || result->index >= lease->range.to)
        return FAIL(ctx, INVALID_ARGUMENT, "datum %s is not of lease %llu", result->datum_id,
                    (unsigned long long)lease->id);
    DatumRecord copy = lease->records[result->index - lease->range.from], *record = &copy;
    TRY(output_of(ctx, control, result, &record->head.output_root));
    record->head.state = state_of(result->state);
    record->reason = result->reason;
    record->stats = stats_of(result->stats);
    record->output_bytes = record->stats.upload_bytes;
    record->run_job = job_run_text(ctx, run);
    record->image_id = run->spec.image_digest;
    DoneDatum done = { .state = record->head.state,
                       .key = record->head.key,
                       .output_root = record->head.output_root,
                       .output_bytes = record->output_bytes,
                       .stats = record->stats };
    TRY(plan_encode(ctx, &control->content.io, record, &done.record));
    {
        LOCKED(&control->lock);
        TRY(gather(run, &done));
        count(run, record);
    }
    return result_flush_due(ctx, run);
}

/* --- flushing --------------------------------------------------------------------------------- */

/* After any flush that runs has ended. */
void result_take(JobRun *run, ResultBatch *out)
{
    LOCKED(&run->control->lock);
    while (run->flushing)
        pthread_cond_wait(&run->moved, &run->control->lock);
    *out = (ResultBatch){ .results = run->results,
                          .n = run->result_count,
                          .arena = run->results_arena,
                          .counters = run->counters,
                          .done = run->plan.done };
    run->results = NULL;
    run->result_count = run->result_capacity = 0;
    run->results_arena = arena_new(0);
    run->flushing = true;
}

static bool is_lay_due(const JobRun *run)
{
    return clock_mono_ns() - run->last_lay_ns >= run->lay_took_ns * (LAY_SHARE - 1);
}

static Status lay_over_plan(Ctx *ctx, JobRun *run, ResultBatch *batch)
{
    const Hash before = batch->done;
    int64_t start_ns = clock_mono_ns();
    TRY(plan_results_lay(ctx, run->unlaid, &before, &batch->done));
    run->last_lay_ns = clock_mono_ns();
    run->lay_took_ns = run->last_lay_ns - start_ns;
    return OK;
}

/* What the datums logged goes along: a result that is durable has its log. */
Status result_lay(Ctx *ctx, JobRun *run, ResultBatch *batch, LayWhen when)
{
    for (size_t i = 0; i < batch->n; i++)
        TRY(plan_results_add(ctx, run->unlaid, &batch->results[i].record));
    if (when == LAY_NOW || is_lay_due(run))
        TRY(lay_over_plan(ctx, run, batch));
    return pps_log_take(ctx, run->control->pps, run->pipeline, run->id, &batch->log);
}

static int by_key(const void *a, const void *b)
{
    const DoneDatum *const *x = a, *const *y = b;
    return hash_cmp(&(*x)->key, &(*y)->key);
}

/* In order of their keys, which is how their index lies on disk. */
static const DoneDatum **sort_by_key(const ResultBatch *batch)
{
    const DoneDatum **sorted = ARENA_NEW(batch->arena, const DoneDatum *, batch->n);
    for (size_t i = 0; sorted && i < batch->n; i++)
        sorted[i] = &batch->results[i];
    if (sorted && batch->n)
        qsort(sorted, batch->n, sizeof(*sorted), by_key);
    return sorted;
}

static Status cache_results(Ctx *ctx, PfsTx *tx, const JobRun *run, const ResultBatch *batch)
{
    PlanResultHit hit = { .made_at_ns = pfs_tx_time_ns(tx),
                          .run_job = job_run_text(ctx, run),
                          .image_id = run->spec.image_digest };
    const DoneDatum **sorted = sort_by_key(batch);
    if (!sorted)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < batch->n; i++) {
        const DoneDatum *done = sorted[i];
        if (done->state != RECORD_PROCESSED || hash_is_zero(&done->key))
            continue;
        hit.output_root = done->output_root;
        hit.output_bytes = done->output_bytes;
        hit.stats = done->stats;
        TRY(pps_cache_put(ctx, tx, &done->key, &hit));
    }
    return OK;
}

/* The new plan shows as soon as the writer's turn is ours: who writes after us has it, too. */
static void show_done(JobRun *run, const Hash *done)
{
    LOCKED(&run->control->lock);
    run->plan.done = *done;
}

Status result_write(Ctx *ctx, PfsTx *tx, JobRun *run, ResultBatch *batch)
{
    show_done(run, &batch->done);
    batch->written = true;
    TRY(cache_results(ctx, tx, run, batch));
    TRY(pps_log_write(ctx, tx, batch->log));
    return pps_job_progress(ctx, tx, run->id, &batch->counters, &batch->done, &run->basis);
}

void result_end(JobRun *run, const ResultBatch *batch, Status how)
{
    pps_log_settle(run->control->pps, batch->log, batch->written && status_ok(how));
    {
        LOCKED(&run->control->lock);
        if (!status_ok(how))
            job_run_break(run, status_message(how));
        run->flushing = false;
        run->last_flush_ns = clock_mono_ns();
        pthread_cond_broadcast(&run->moved);
    }
    arena_free(batch->arena);
}

static Status write_batch(Ctx *ctx, JobRun *run, ResultBatch *batch, LayWhen when)
{
    Pfs *pfs = pps_pfs(run->control->pps);
    if (!batch->n && when == LAY_WHEN_DUE)
        return OK;
    TRY(result_lay(ctx, run, batch, when));
    TRY(store_sync(ctx, pfs_store(pfs)));
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pfs, NULL, &tx));
    TRY(result_write(ctx, tx, run, batch));
    return pfs_commit(ctx, STEAL(tx));
}

static Status flush(Ctx *ctx, JobRun *run, LayWhen when)
{
    ResultBatch batch;
    result_take(run, &batch);
    Status s = write_batch(ctx, run, &batch, when);
    result_end(run, &batch, s);
    return s;
}

Status result_flush(Ctx *ctx, JobRun *run)
{
    return flush(ctx, run, LAY_NOW);
}

Status result_flush_due(Ctx *ctx, JobRun *run)
{
    bool due;
    {
        LOCKED(&run->control->lock);
        due = run->result_count && clock_mono_ns() - run->last_flush_ns > FLUSH_NS;
    }
    return due ? flush(ctx, run, LAY_WHEN_DUE) : OK;
}
