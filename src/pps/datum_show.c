/* datum_show.c - datums as the API shows them: of a job from its plan, of an input by enumeration
 * (§26.8, §26.9). */
#include <stdlib.h>

#include "base/text.h"
#include "pfs/content.h"
#include "pps/pps_priv.h"

static PpsV2__DatumState shown_state(const DatumRecord *record, const char *job_text)
{
    if (*record->run_job && (record->head.reused || strcmp(record->run_job, job_text) != 0))
        return PPS_V2__DATUM_STATE__SKIPPED;
    switch (record->head.state) {
    case RECORD_PROCESSED:
        return PPS_V2__DATUM_STATE__SUCCESS;
    case RECORD_FAILED:
        return PPS_V2__DATUM_STATE__FAILED;
    case RECORD_RECOVERED:
        return PPS_V2__DATUM_STATE__RECOVERED;
    case RECORD_PENDING:
    default:
        return PPS_V2__DATUM_STATE__UNKNOWN;
    }
}

static PpsV2__ProcessStats *stats_of(Ctx *ctx, const RecordStats *s)
{
    PpsV2__ProcessStats *stats = PB_NEW(ctx, pps_v2__process_stats, PpsV2__ProcessStats);
    stats->download_time = pb_duration(ctx, s->download_ns);
    stats->process_time = pb_duration(ctx, s->process_ns);
    stats->upload_time = pb_duration(ctx, s->upload_ns);
    stats->download_bytes = (int64_t)s->download_bytes;
    stats->upload_bytes = (int64_t)s->upload_bytes;
    return stats;
}

static PfsV2__FileInfo *file_of(Ctx *ctx, const DatumInput *input)
{
    PfsV2__FileInfo *info = PB_NEW(ctx, pfs_v2__file_info, PfsV2__FileInfo);
    info->file = PB_NEW(ctx, pfs_v2__file, PfsV2__File);
    info->file->commit = PB_NEW(ctx, pfs_v2__commit, PfsV2__Commit);
    info->file->commit->repo =
        pfs_repo_ref(ctx, *input->from->project ? input->from->project : "default",
                     input->from->repo, *input->from->repo_type ? input->from->repo_type : "user");
    info->file->commit->id = arena_strdup(ctx->arena, input->from->commit);
    info->file->path = str_z(ctx->arena, input->path);
    if (!input->is_dir)
        info->file->datum = arena_strdup(ctx->arena, "default");
    info->file_type = input->is_dir ? PFS_V2__FILE_TYPE__DIR : PFS_V2__FILE_TYPE__FILE;
    info->size_bytes = (int64_t)input->size;
    info->hash.data = arena_memdup(ctx->arena, input->hash.bytes, HASH_SIZE);
    info->hash.len = HASH_SIZE;
    return info;
}

static Status add_data(Ctx *ctx, const Datum *datum, PpsV2__DatumInfo *info)
{
    info->data = ARENA_NEW(ctx->arena, PfsV2__FileInfo *, datum->input_count + 1);
    if (!info->data)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < datum->input_count; i++)
        info->data[info->n_data++] = file_of(ctx, datum->inputs[i]);
    return OK;
}

static char *datum_hex(Ctx *ctx, const Hash *id)
{
    return hash_hex(id, arena_must(ctx->arena, HASH_HEX_SIZE));
}

/* The job that ran the datum, by which a client can inspect it; the listing job when nobody has run
 * it, or a job of another pipeline has: that one knows it by another id. */
static PpsV2__Job *run_job_ref(Ctx *ctx, const DatumRecord *record, const PpsJobRow *job)
{
    PpsV2__Job *ran = pps_job_of_text(ctx, str(record->run_job));
    if (ran && strcmp(ran->pipeline->name, job->pipeline) == 0 &&
        strcmp(ran->pipeline->project->name, job->project) == 0)
        return ran;
    return pps_job_ref(ctx, job->project, job->pipeline, job->set_id);
}

Status pps_datum_info(Ctx *ctx, const DatumRecord *record, const PpsJobRow *job,
                      PpsV2__DatumInfo **out)
{
    PpsV2__DatumInfo *info = PB_NEW(ctx, pps_v2__datum_info, PpsV2__DatumInfo);
    info->datum = PB_NEW(ctx, pps_v2__datum, PpsV2__Datum);
    info->datum->job = run_job_ref(ctx, record, job);
    info->datum->id = datum_hex(ctx, &record->datum.id);
    info->state = shown_state(record, pps_job_text(ctx, job->project, job->pipeline, job->set_id));
    info->stats = stats_of(ctx, &record->stats);
    info->image_id = arena_strdup(ctx->arena, record->image_id);
    info->pfs_state = PB_NEW(ctx, pfs_v2__file, PfsV2__File);
    info->pfs_state->commit = PB_NEW(ctx, pfs_v2__commit, PfsV2__Commit);
    info->pfs_state->commit->repo = pfs_repo_ref(ctx, job->project, job->pipeline, "meta");
    info->pfs_state->commit->id = arena_strdup(ctx->arena, job->set_id);
    info->pfs_state->path = text_printf(ctx->arena, "/pfs/%s", info->datum->id);
    TRY(add_data(ctx, &record->datum, info));
    *out = info;
    return OK;
}

static Status job_by_handle(Ctx *ctx, Pps *pps, const PpsV2__Job *job, PpsJobRow *out)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pps->pfs, &tx));
    return pps_find_job(ctx, tx, job, out);
}

Status pps_inspect_datum(Ctx *ctx, Pps *pps, const PpsV2__Datum *datum, PpsV2__DatumInfo **out)
{
    if (!datum || !*datum->id)
        return FAIL(ctx, UNKNOWN, "must specify a datum");
    if (!datum->job)
        return FAIL(ctx, UNKNOWN, "must specify a job");
    PpsJobRow job;
    TRY(job_by_handle(ctx, pps, datum->job, &job));
    Content content;
    content_init(&content, pfs_store(pps->pfs));
    Hash id;
    DatumRecord record;
    Status s = hash_parse(str(datum->id), &id) ? plan_get(ctx, &content.io, &job.plan, &id, &record)
                                               : STATUS(NOT_FOUND);
    if (s.code == STATUS_NOT_FOUND)
        return FAIL(ctx, UNKNOWN, "datum %s not found in job %s", datum->id,
                    pps_job_text(ctx, job.project, job.pipeline, job.set_id));
    TRY(s);
    return pps_datum_info(ctx, &record, &job, out);
}

/* --- lists ------------------------------------------------------------------------------------ */

/* Ends a walk early when enough was sent; never leaves this file. */
#define ENOUGH STATUS(OUT_OF_RANGE)

typedef struct DatumWalk {
    const PpsV2__ListDatumRequest *request;
    PpsJobRow job;
    PpsDatumFn fn;
    void *arg;
    int64_t left; /* 0: no limit */
} DatumWalk;

static bool passes(const PpsV2__ListDatumRequest *request, PpsV2__DatumState state)
{
    const PpsV2__ListDatumRequest__Filter *filter = request->filter;
    for (size_t i = 0; filter && i < filter->n_state; i++) {
        if (filter->state[i] == state)
            return true;
    }
    return !filter || filter->n_state == 0;
}

static Status send(DatumWalk *walk, Ctx *ctx, const PpsV2__DatumInfo *info)
{
    if (!passes(walk->request, info->state))
        return OK;
    TRY(walk->fn(walk->arg, ctx, info));
    return walk->left > 0 && --walk->left == 0 ? ENOUGH : OK;
}

static Status send_record(void *arg, Ctx *ctx, const DatumRecord *record)
{
    DatumWalk *walk = arg;
    ArenaMark mark = arena_mark(ctx->arena);
    PpsV2__DatumInfo *info;
    if (record->head.state == RECORD_PENDING)
        return OK;
    TRY(pps_datum_info(ctx, record, &walk->job, &info));
    TRY(send(walk, ctx, info));
    arena_rewind(ctx->arena, mark);
    return OK;
}

static Status list_job_datums(Ctx *ctx, Pps *pps, DatumWalk *walk)
{
    TRY(job_by_handle(ctx, pps, walk->request->job, &walk->job));
    Content content;
    content_init(&content, pfs_store(pps->pfs));
    Hash after;
    bool marked = *walk->request->paginationmarker != '\0';
    if (marked && !hash_parse(str(walk->request->paginationmarker), &after))
        return FAIL(ctx, INVALID_ARGUMENT, "pagination marker '%s' is not a datum id",
                    walk->request->paginationmarker);
    return plan_each(ctx, &content.io, &walk->job.plan, marked ? &after : NULL,
                     walk->request->reverse, send_record, walk);
}

/* Datums of an input, gathered to be sorted by id and freed of duplicates. */
typedef struct Gathered {
    PpsV2__DatumInfo **items;
    size_t n, capacity;
} Gathered;

static Status gather(void *arg, Ctx *ctx, const Datum *datum)
{
    Gathered *all = arg;
    if (all->n == all->capacity) {
        size_t capacity = MAX(all->capacity * 2, (size_t)256);
        PpsV2__DatumInfo **items = ARENA_NEW(ctx->arena, PpsV2__DatumInfo *, capacity);
        if (!items)
            return FAIL(ctx, RESOURCE_EXHAUSTED, "the input has too many datums to list");
        if (all->n)
            memcpy(items, all->items, all->n * sizeof(*items));
        all->items = items;
        all->capacity = capacity;
    }
    PpsV2__DatumInfo *info = PB_NEW(ctx, pps_v2__datum_info, PpsV2__DatumInfo);
    info->datum = PB_NEW(ctx, pps_v2__datum, PpsV2__Datum);
    info->datum->id = datum_hex(ctx, &datum->id);
    TRY(add_data(ctx, datum, info));
    all->items[all->n++] = info;
    return OK;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp((*(PpsV2__DatumInfo *const *)a)->datum->id,
                  (*(PpsV2__DatumInfo *const *)b)->datum->id);
}

static Status refuse_cron(void *verb, Ctx *ctx, PpsV2__Input *node)
{
    if (input_kind(node) == INPUT_CRON)
        return FAIL(ctx, UNKNOWN,
                    "can't %s datums with a cron input, there will be no datums until the "
                    "pipeline is created",
                    (const char *)verb);
    return OK;
}

/* A copy of an input that belongs to no pipeline yet, with its defaults, checked. */
static Status prepare_input(Ctx *ctx, const PpsV2__Input *given, const char *verb,
                            PpsV2__Input **out)
{
    PpsV2__Input *input = PB_CLONE(ctx, PpsV2__Input, given);
    TRY(input_check_size(ctx, input));
    input_fill_defaults(ctx, input, pps_pipeline_ref(ctx, "default", ""), 0);
    TRY(input_visit(ctx, input, refuse_cron, arena_strdup(ctx->arena, verb)));
    *out = input;
    return input_check(ctx, input);
}

static Status list_input_datums(Ctx *ctx, Pps *pps, DatumWalk *walk)
{
    PpsV2__Input *input;
    TRY(prepare_input(ctx, walk->request->input, "list", &input));
    CLEANUP(pps_source_done) PpsSource source = { .pps = pps, .base_set = "" };
    const InputSource files = pps_source(&source);
    Gathered all = { 0 };
    TRY(datum_each(ctx, &files, input, gather, &all));
    if (all.n)
        qsort(all.items, all.n, sizeof(*all.items), compare_ids);
    const char *marker = walk->request->paginationmarker, *last = "";
    for (size_t i = 0; i < all.n; i++) {
        const PpsV2__DatumInfo *info = all.items[walk->request->reverse ? all.n - 1 - i : i];
        int side = *marker ? strcmp(info->datum->id, marker) : 0;
        bool beyond = !*marker || (walk->request->reverse ? side < 0 : side > 0);
        if (beyond && strcmp(info->datum->id, last) != 0)
            TRY(send(walk, ctx, info));
        last = info->datum->id;
    }
    return OK;
}

/* That there is no such repo or branch is the question's fault here: nothing of the request's own
 * name is missing. */
static Status as_unknown(Ctx *ctx, Status s)
{
    return s.code == STATUS_NOT_FOUND ? FAIL(ctx, UNKNOWN, "%s", status_message(s)) : s;
}

Status pps_list_datum(Ctx *ctx, Pps *pps, const PpsV2__ListDatumRequest *request, PpsDatumFn fn,
                      void *arg)
{
    if (request->reverse && request->number <= 0)
        return FAIL(ctx, UNKNOWN, "number must be > 0 when reverse is set");
    if (request->job && request->input)
        return FAIL(ctx, UNKNOWN, "cannot specify both job and input");
    if (!request->job && !request->input)
        return FAIL(ctx, UNKNOWN, "must specify a job");
    DatumWalk walk = {
        .request = request, .fn = fn, .arg = arg, .left = MAX(request->number, INT64_C(0))
    };
    Status s = request->job ? list_job_datums(ctx, pps, &walk)
                            : as_unknown(ctx, list_input_datums(ctx, pps, &walk));
    return s.code == STATUS_OUT_OF_RANGE && !s.detail ? OK : s;
}

/* --- datums of an input, as they are found (§26.10) ------------------------------------------- */

#define CREATE_SHARD_DATUMS 10000

typedef struct CreateWalk {
    const InputSource *files;
    Gathered shard; /* in scratch */
    Ctx scratch;
    ArenaMark empty; /* of scratch */
    PpsDatumFn fn;
    void *arg;
    bool was_refused; /* by fn, whose errors are not the listing's */
} CreateWalk;

static Status send_shard(CreateWalk *walk, Ctx *ctx)
{
    Gathered *shard = &walk->shard;
    if (shard->n)
        qsort(shard->items, shard->n, sizeof(*shard->items), compare_ids);
    for (size_t i = 0; i < shard->n; i++) {
        Status s = walk->fn(walk->arg, ctx, shard->items[i]);
        walk->was_refused = !status_ok(s);
        TRY(s);
    }
    walk->shard = (Gathered){ 0 };
    arena_rewind(walk->scratch.arena, walk->empty);
    return OK;
}

static Status add_to_shard(void *arg, Ctx *ctx, const Datum *datum)
{
    CreateWalk *walk = arg;
    TRY(gather(&walk->shard, &walk->scratch, datum));
    return walk->shard.n < CREATE_SHARD_DATUMS ? OK : send_shard(walk, ctx);
}

/* The children of a union follow one another; nobody waits for the last of them to be listed. */
static Status create_below(CreateWalk *walk, Ctx *ctx, const PpsV2__Input *node)
{
    if (input_kind(node) != INPUT_UNION) {
        TRY(datum_each(ctx, walk->files, node, add_to_shard, walk));
        return send_shard(walk, ctx);
    }
    InputChildren children = input_children(node);
    for (size_t i = 0; i < children.n; i++)
        TRY(create_below(walk, ctx, children.items[i]));
    return OK;
}

Status pps_create_datum(Ctx *ctx, Pps *pps, const PpsV2__Input *given, PpsDatumFn fn, void *arg)
{
    PpsV2__Input *input;
    TRY_WRAP(ctx, prepare_input(ctx, given, "create", &input), "getting streaming iterator");
    CLEANUP(pps_source_done) PpsSource source = { .pps = pps, .base_set = "" };
    const InputSource files = pps_source(&source);
    CreateWalk walk = { .files = &files, .fn = fn, .arg = arg };
    ctx_scratch(&walk.scratch, ctx);
    walk.empty = arena_mark(walk.scratch.arena);
    Status s = status_copy(ctx, create_below(&walk, ctx, input));
    ctx_done(&walk.scratch);
    return status_ok(s) || walk.was_refused
               ? s
               : status_wrap(ctx, as_unknown(ctx, s), "streaming iterate");
}
