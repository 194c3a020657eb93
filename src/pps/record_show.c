/* record_show.c - the record, asked backwards: what made this file, and why did this datum run? */
#include "base/text.h"
#include "pfs/content.h"
#include "pps/pps_priv.h"

/* --- a file ----------------------------------------------------------------------------------- */

typedef struct Explanation {
    Pps *pps;
    Content content;
    PfsView view;
    TreeRecord file;
    Str tag;
    PpsJobRow job, origin; /* id 0: none */
    PpsPipelineRow spec;   /* that the origin ran */
    DatumRecord datum;
} Explanation;

static Status find_entry(Ctx *ctx, Explanation *e, const PfsV2__File *file)
{
    CLEANUP(tree_cursor_freep)
    TreeCursor *cursor = tree_cursor_new(&e->content.io, &e->view.root);
    Str path = str(file->path);
    if (!str_starts(path, STR("/")))
        path = str(text_printf(ctx->arena, "/%s", file->path));
    TRY(tree_cursor_seek(ctx, cursor, path, STR("")));
    const TreeEntry *entry = tree_cursor_entry(cursor);
    if (!entry || !str_eq(entry->path, path))
        return FAIL(ctx, NOT_FOUND, "file %s not found in repo %s at commit %s", file->path,
                    pfs_repo_text(ctx, e->view.commit->repo), e->view.commit->id);
    e->file = entry->record;
    e->tag = str(str_z(ctx->arena, entry->tag));
    return OK;
}

/* "project/pipeline@id" of a record, as a row. A job that was deleted leaves id 0. */
static Status find_origin(Ctx *ctx, PfsTx *tx, const char *run_job, PpsJobRow *out)
{
    *out = (PpsJobRow){ 0 };
    PpsV2__Job *job = pps_job_of_text(ctx, str(run_job));
    if (!job)
        return OK;
    Status s = pps_find_job(ctx, tx, job, out);
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

/* The job that made the commit, and of its plan the datum whose tag the file carries. */
static Status find_datum(Ctx *ctx, Explanation *e, PfsTx *tx)
{
    Hash id;
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT " PPS_JOB_COLUMNS " FROM pps_job j WHERE j.output_commit = ?", "i",
                 e->view.commit_id));
    bool more;
    TRY(db_next(ctx, &rows, &more));
    if (!more || !hash_parse(e->tag, &id))
        return OK;
    pps_read_job(ctx, &rows, &e->job);
    Status s = plan_get(ctx, &e->content.io, &e->job.plan, &id, &e->datum);
    if (s.code == STATUS_NOT_FOUND) {
        e->job.id = 0;
        return OK;
    }
    TRY(s);
    TRY(find_origin(ctx, tx, e->datum.run_job, &e->origin));
    return pps_job_spec(ctx, tx, e->origin.id ? &e->origin : &e->job, &e->spec);
}

/* The input's own commit: the one that its branch had in the job's commit set. */
static Status input_commit(Ctx *ctx, PfsTx *tx, const PpsV2__PFSInput *input, PfsV2__Commit **out)
{
    PfsV2__Commit *handle = PB_NEW(ctx, pfs_v2__commit, PfsV2__Commit);
    handle->repo =
        pfs_repo_ref(ctx, *input->project ? input->project : "default", input->repo, "user");
    handle->id = arena_strdup(ctx->arena, input->commit);
    PfsCommitRow row;
    Status s = pfs_pick(ctx, tx, handle, &row);
    if (status_ok(s))
        handle->id = arena_strdup(ctx->arena, row.set_id);
    *out = handle;
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

static Status add_inputs(Ctx *ctx, PfsTx *tx, const Datum *datum,
                         Procavia__V1__ExplainFileResponse *answer)
{
    answer->inputs = ARENA_NEW(ctx->arena, Procavia__V1__ExplainFileResponse__InputRecord *,
                               datum->input_count + 1);
    if (!answer->inputs)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < datum->input_count; i++) {
        const DatumInput *input = datum->inputs[i];
        Procavia__V1__ExplainFileResponse__InputRecord *out =
            PB_NEW(ctx, procavia__v1__explain_file_response__input_record,
                   Procavia__V1__ExplainFileResponse__InputRecord);
        out->name = arena_strdup(ctx->arena, input->from->name);
        out->path = str_z(ctx->arena, input->path);
        out->hash.data = arena_memdup(ctx->arena, input->hash.bytes, HASH_SIZE);
        out->hash.len = HASH_SIZE;
        TRY(input_commit(ctx, tx, input->from, &out->commit));
        answer->inputs[answer->n_inputs++] = out;
    }
    return OK;
}

typedef struct Provenance {
    Ctx *ctx; /* where they are kept: the walk rewinds its own */
    PfsV2__CommitInfo **items;
    size_t n, capacity;
} Provenance;

static Status keep_commit(void *arg, Ctx *scratch, const PfsV2__CommitInfo *info)
{
    (void)scratch;
    Provenance *list = arg;
    Ctx *ctx = list->ctx;
    if (list->n == list->capacity) {
        size_t capacity = MAX(list->capacity * 2, (size_t)16);
        PfsV2__CommitInfo **items = ARENA_NEW(ctx->arena, PfsV2__CommitInfo *, capacity);
        if (!items)
            return STATUS(RESOURCE_EXHAUSTED);
        if (list->n)
            memcpy(items, list->items, list->n * sizeof(*items));
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->n++] = PB_CLONE(ctx, PfsV2__CommitInfo, info);
    return OK;
}

static Status add_provenance(Ctx *ctx, Explanation *e, Procavia__V1__ExplainFileResponse *answer)
{
    PfsV2__CommitPicker *start = PB_NEW(ctx, pfs_v2__commit_picker, PfsV2__CommitPicker);
    start->picker_case = PFS_V2__COMMIT_PICKER__PICKER_ID;
    start->id = PB_NEW(ctx, pfs_v2__commit_picker__commit_by_global_id,
                       PfsV2__CommitPicker__CommitByGlobalId);
    start->id->id = e->view.commit->id;
    start->id->repo = PB_NEW(ctx, pfs_v2__repo_picker, PfsV2__RepoPicker);
    start->id->repo->picker_case = PFS_V2__REPO_PICKER__PICKER_NAME;
    start->id->repo->name =
        PB_NEW(ctx, pfs_v2__repo_picker__repo_name, PfsV2__RepoPicker__RepoName);
    start->id->repo->name->name = e->view.commit->repo->name;
    start->id->repo->name->type = e->view.commit->repo->type;
    start->id->repo->name->project = PB_NEW(ctx, pfs_v2__project_picker, PfsV2__ProjectPicker);
    start->id->repo->name->project->picker_case = PFS_V2__PROJECT_PICKER__PICKER_NAME;
    start->id->repo->name->project->name =
        arena_strdup(ctx->arena, pps_project_of(e->view.commit->repo->project));
    Provenance list = { .ctx = ctx };
    CLEANUP(ctx_done) Ctx scratch;
    ctx_scratch(&scratch, ctx);
    TRY(status_copy(
        ctx, pfs_walk_commits(&scratch, e->pps->pfs, &start, 1, false, 0, 0, keep_commit, &list)));
    answer->provenance = list.items;
    answer->n_provenance = list.n;
    return OK;
}

/* What the step is without its secrets' values, which nobody may be shown even as hashes. */
static KeyStep step_of(Ctx *ctx, const PpsPipelineRow *spec)
{
    const PpsV2__Transform *transform = spec->info->details->transform;
    const Hash *none = ARENA_NEW(ctx->arena, Hash, transform->n_secrets + 1);
    const KeyCode code = { spec->image_digest, none, spec->info->details->s3_out };
    return key_step(ctx, transform, &code);
}

static Status add_job(Ctx *ctx, PfsTx *tx, Explanation *e,
                      Procavia__V1__ExplainFileResponse *answer)
{
    const PpsJobRow *origin = e->origin.id ? &e->origin : &e->job;
    const KeyStep step = step_of(ctx, &e->spec);
    answer->job = pps_job_ref(ctx, e->job.project, e->job.pipeline, e->job.set_id);
    answer->origin_job = pps_job_ref(ctx, origin->project, origin->pipeline, origin->set_id);
    answer->reused = e->datum.head.reused;
    answer->pipeline_version = origin->version;
    answer->datum_id = str_z(ctx->arena, e->tag);
    answer->datum_key = hash_hex(&e->datum.head.key, arena_must(ctx->arena, HASH_HEX_SIZE));
    answer->code_digest.data = arena_memdup(ctx->arena, step.digest.bytes, HASH_SIZE);
    answer->code_digest.len = HASH_SIZE;
    answer->transform = e->spec.info->details->transform;
    return add_inputs(ctx, tx, &e->datum.datum, answer);
}

Status pps_explain_file(Ctx *ctx, Pps *pps, const PfsV2__File *file,
                        Procavia__V1__ExplainFileResponse **out)
{
    if (!file || !file->commit)
        return FAIL(ctx, INVALID_ARGUMENT, "file cannot be nil");
    Explanation e = { .pps = pps };
    content_init(&e.content, pfs_store(pps->pfs));
    TRY(pfs_view_open(ctx, pps->pfs, file->commit, &e.view));
    TRY(find_entry(ctx, &e, file));
    Procavia__V1__ExplainFileResponse *answer =
        PB_NEW(ctx, procavia__v1__explain_file_response, Procavia__V1__ExplainFileResponse);
    answer->file = PB_NEW(ctx, pfs_v2__file, PfsV2__File);
    answer->file->commit = e.view.commit;
    answer->file->path = file->path;
    answer->file->datum = str_z(ctx->arena, e.tag);
    answer->hash.data = arena_memdup(ctx->arena, e.file.hash.bytes, HASH_SIZE);
    answer->hash.len = HASH_SIZE;
    answer->size = (int64_t)e.file.size;
    TRY(add_provenance(ctx, &e, answer));
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pps->pfs, &tx));
    TRY(find_datum(ctx, &e, tx));
    if (e.job.id)
        TRY(add_job(ctx, tx, &e, answer));
    *out = answer;
    return OK;
}

/* --- a datum ---------------------------------------------------------------------------------- */

typedef struct Why {
    Pps *pps;
    PfsTx *tx;
    Content content;
    PpsJobRow job, base; /* base.id 0: none */
    KeyStep step, base_step;
    const char *job_text;
    PpsWhyFn fn;
    void *arg;
} Why;

typedef struct Changes {
    Ctx *ctx;
    Procavia__V1__WhyDatumResponse *answer;
    size_t capacity;
} Changes;

static void note_change(void *arg, const char *name, const char *before, const char *after)
{
    Changes *changes = arg;
    Procavia__V1__WhyDatumResponse *answer = changes->answer;
    if (answer->n_changed == changes->capacity)
        return;
    Procavia__V1__WhyDatumResponse__KeyPart *part =
        PB_NEW(changes->ctx, procavia__v1__why_datum_response__key_part,
               Procavia__V1__WhyDatumResponse__KeyPart);
    part->name = arena_strdup(changes->ctx->arena, name);
    part->before = arena_strdup(changes->ctx->arena, before ? before : "");
    part->after = arena_strdup(changes->ctx->arena, after ? after : "");
    answer->changed[answer->n_changed++] = part;
}

#define CHANGES_MAX 64 /* parts that are told; more help nobody */

/* Which parts of the key differ from the base's datum of the same id. */
static Status compare(Ctx *ctx, const Why *why, const DatumRecord *before, const DatumRecord *now,
                      Procavia__V1__WhyDatumResponse *answer)
{
    answer->changed = ARENA_NEW(ctx->arena, Procavia__V1__WhyDatumResponse__KeyPart *, CHANGES_MAX);
    if (!answer->changed)
        return STATUS(RESOURCE_EXHAUSTED);
    Changes changes = { ctx, answer, CHANGES_MAX };
    key_diff(why->base_step.parts, why->base_step.part_count, why->step.parts, why->step.part_count,
             note_change, &changes);
    size_t before_n, now_n;
    const KeyPart *before_parts = key_datum_parts(ctx, &before->datum, &before_n);
    const KeyPart *now_parts = key_datum_parts(ctx, &now->datum, &now_n);
    key_diff(before_parts, before_n, now_parts, now_n, note_change, &changes);
    return OK;
}

static Status explain_run(Ctx *ctx, const Why *why, const DatumRecord *record,
                          Procavia__V1__WhyDatumResponse *answer)
{
    DatumRecord before;
    Status s = why->base.id
                   ? plan_get(ctx, &why->content.io, &why->base.plan, &record->datum.id, &before)
                   : STATUS(NOT_FOUND);
    if (s.code == STATUS_NOT_FOUND) {
        answer->reason =
            arena_strdup(ctx->arena, why->base.id ? "the datum is new: no earlier job had it"
                                                  : "no earlier job to build on");
        return OK;
    }
    TRY(s);
    answer->against = pps_job_ref(ctx, why->base.project, why->base.pipeline, why->base.set_id);
    TRY(compare(ctx, why, &before, record, answer));
    const char *reason = answer->n_changed ? "parts of its key changed"
                         : before.head.state != RECORD_PROCESSED
                             ? "it did not succeed in the earlier job"
                             : "the pipeline says that it always runs, or was told to reprocess";
    answer->reason = arena_strdup(ctx->arena, reason);
    return OK;
}

static Status explain_record(void *arg, Ctx *ctx, const DatumRecord *record)
{
    const Why *why = arg;
    ArenaMark mark = arena_mark(ctx->arena);
    PpsV2__DatumInfo *info;
    TRY(pps_datum_info(ctx, record, &why->job, &info));
    Procavia__V1__WhyDatumResponse *answer =
        PB_NEW(ctx, procavia__v1__why_datum_response, Procavia__V1__WhyDatumResponse);
    answer->datum_id = info->datum->id;
    answer->state = info->state;
    answer->executed = !record->head.reused && strcmp(record->run_job, why->job_text) == 0;
    if (answer->executed) {
        TRY(explain_run(ctx, why, record, answer));
    } else if (*record->run_job) {
        answer->against = pps_job_of_text(ctx, str(record->run_job));
        answer->reason =
            text_printf(ctx->arena,
                        record->head.reused ? "the same result was made before, by job %s"
                                            : "nothing that makes it changed since job %s",
                        record->run_job);
    } else {
        answer->reason = arena_strdup(ctx->arena, "it waits to be run");
    }
    TRY(why->fn(why->arg, ctx, answer));
    arena_rewind(ctx->arena, mark);
    return OK;
}

static Status prepare_why(Ctx *ctx, Why *why, const PpsV2__Job *job)
{
    PpsPipelineRow spec;
    TRY(pps_find_job(ctx, why->tx, job, &why->job));
    TRY(pps_job_spec(ctx, why->tx, &why->job, &spec));
    why->step = step_of(ctx, &spec);
    TRY(pps_job_base(ctx, why->tx, &why->job, &why->base));
    if (why->base.id) {
        TRY(pps_job_spec(ctx, why->tx, &why->base, &spec));
        why->base_step = step_of(ctx, &spec);
    }
    why->job_text = pps_job_text(ctx, why->job.project, why->job.pipeline, why->job.set_id);
    content_init(&why->content, pfs_store(why->pps->pfs));
    return OK;
}

Status pps_why(Ctx *ctx, Pps *pps, const Procavia__V1__WhyDatumRequest *request, PpsWhyFn fn,
               void *arg)
{
    if (!request->job)
        return FAIL(ctx, INVALID_ARGUMENT, "must specify a job");
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pps->pfs, &tx));
    Why why = { .pps = pps, .tx = tx, .fn = fn, .arg = arg };
    TRY(prepare_why(ctx, &why, request->job));
    if (!*request->datum_id)
        return plan_each(ctx, &why.content.io, &why.job.plan, NULL, false, explain_record, &why);
    Hash id;
    DatumRecord record;
    Status s = hash_parse(str(request->datum_id), &id)
                   ? plan_get(ctx, &why.content.io, &why.job.plan, &id, &record)
                   : STATUS(NOT_FOUND);
    if (s.code == STATUS_NOT_FOUND)
        return FAIL(ctx, NOT_FOUND, "datum %s not found in job %s", request->datum_id,
                    why.job_text);
    TRY(s);
    return explain_record(&why, ctx, &record);
}
