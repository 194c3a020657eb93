/* gate.c - a job's own S3 endpoint (§22): its s3 inputs as buckets, and "out" for s3_out. */
#include "control/control_priv.h"
#include "pfs/view.h"
#include "pfs/write.h"

typedef struct Buckets {
    const JobRun *run;
    ControlBucket *items; /* [INPUT_NODES_MAX + 1] */
    size_t n;
} Buckets;

static Status add_input(void *arg, Ctx *ctx, PpsV2__Input *node)
{
    Buckets *buckets = arg;
    const PpsV2__PFSInput *leaf = node->pfs;
    if (!leaf || !leaf->s3 || buckets->n == INPUT_NODES_MAX)
        return OK;
    const char *project = *leaf->project ? leaf->project : "default";
    PfsV2__Commit *commit = pfs_commit_ref(ctx, project, leaf->repo, buckets->run->job.set_id);
    if (*leaf->repo_type)
        commit->repo->type = arena_strdup(ctx->arena, leaf->repo_type);
    buckets->items[buckets->n++] = (ControlBucket){ .name = leaf->name, .commit = commit };
    return OK;
}

static bool has_s3_out(const JobRun *run)
{
    return run->spec.info->details->s3_out;
}

static PfsV2__Commit *output_commit(Ctx *ctx, const JobRun *run)
{
    return pfs_commit_ref(ctx, run->job.project, run->job.pipeline, run->job.set_id);
}

/* --- an empty output -------------------------------------------------------------------------- */

static Status delete_entries(Ctx *ctx, const PfsView *view, PfsWriter *writer)
{
    CLEANUP(tree_cursor_freep)
    TreeCursor *cursor = tree_cursor_new(&view->content->io, &view->root);
    TRY(tree_cursor_seek(ctx, cursor, STR(""), STR("")));
    for (const TreeEntry *entry; (entry = tree_cursor_entry(cursor));) {
        ArenaMark mark = arena_mark(ctx->arena);
        TRY(ctx_check(ctx));
        TRY(pfs_writer_delete(ctx, writer, entry->path, entry->tag));
        TRY(tree_cursor_next(ctx, cursor));
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}

static Status drop_layers(Ctx *ctx, Pfs *pfs, const PfsV2__Commit *commit)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pfs, NULL, &tx));
    TRY(pfs_clear_commit(ctx, tx, commit));
    return pfs_commit(ctx, STEAL(tx));
}

/* What the last job wrote goes, and what an attempt at this one did that ended with the server. */
static Status empty_output(Ctx *ctx, const JobRun *run)
{
    Pfs *pfs = pps_pfs(run->control->pps);
    const PfsV2__Commit *commit = output_commit(ctx, run);
    PfsView view;
    TRY(drop_layers(ctx, pfs, commit));
    TRY(pfs_view_open(ctx, pfs, commit, &view));
    CLEANUP(pfs_writer_freep) PfsWriter *writer = pfs_writer_new(pfs);
    TRY(pfs_writer_target(ctx, writer, commit));
    TRY(delete_entries(ctx, &view, writer));
    return pfs_writer_commit(ctx, writer);
}

/* --- opening ---------------------------------------------------------------------------------- */

Status gate_open(JobRun *run)
{
    Ctx *ctx = &run->ctx;
    const ControlGate *gate = run->control->gate;
    PpsV2__Input *input = run->spec.info->details->input;
    Buckets buckets = { .run = run };
    if (!has_s3_out(run) && !(input && input_has_s3(input)))
        return OK;
    if (!gate)
        return FAIL(ctx, FAILED_PRECONDITION, "this server has no S3 gateway for jobs");
    buckets.items = ARENA_NEW(ctx->arena, ControlBucket, INPUT_NODES_MAX + 1);
    if (!buckets.items)
        return STATUS(RESOURCE_EXHAUSTED);
    if (input)
        TRY(input_visit(ctx, input, add_input, &buckets));
    if (has_s3_out(run)) {
        TRY_WRAP(ctx, empty_output(ctx, run), "could not empty the output");
        buckets.items[buckets.n++] =
            (ControlBucket){ .name = "out", .commit = output_commit(ctx, run), .is_output = true };
    }
    TRY_WRAP(
        ctx,
        gate->open(gate->self, ctx, buckets.items, buckets.n, &run->gate_endpoint, &run->gate_key),
        "could not open the job's S3 endpoint");
    return OK;
}

void gate_close(JobRun *run)
{
    const ControlGate *gate = run->control->gate;
    if (!run->gate_key)
        return;
    gate->close(gate->self, run->gate_key);
    run->gate_key = NULL;
}

/* --- what user code is told ------------------------------------------------------------------- */

static void add_env(Ctx *ctx, Procavia__Work__WorkSet *set, const char *key, const char *value)
{
    Procavia__Work__WorkSet__EnvEntry *entry =
        PB_NEW(ctx, procavia__work__work_set__env_entry, Procavia__Work__WorkSet__EnvEntry);
    entry->key = arena_strdup(ctx->arena, key);
    entry->value = arena_strdup(ctx->arena, value);
    set->env[set->n_env++] = entry;
}

void gate_add_env(Ctx *ctx, const JobRun *run, Procavia__Work__WorkSet *set)
{
    if (!run->gate_key)
        return;
    add_env(ctx, set, "S3_ENDPOINT", run->gate_endpoint);
    add_env(ctx, set, "AWS_ACCESS_KEY_ID", run->gate_key);
    add_env(ctx, set, "AWS_SECRET_ACCESS_KEY", run->gate_key);
}
