/* dag_run.c - the repos and pipelines of a DAG, and a load test over them. */
#include <stdio.h>

#include "base/id.h"
#include "base/text.h"
#include "codec/pb.h"
#include "load/load_priv.h"

static Status create_source(Ctx *ctx, PfsTx *tx, const LoadNode *node)
{
    PfsV2__CreateRepoRequest request;
    pfs_v2__create_repo_request__init(&request);
    request.repo = pfs_repo_ref(ctx, "default", node->name, "user");
    return pfs_create_repo(ctx, tx, &request);
}

/* Files of all inputs that have the same first element of their path are one datum. */
static PpsV2__Input *leaf(Ctx *ctx, const char *repo, size_t index)
{
    PpsV2__Input *input = PB_NEW(ctx, pps_v2__input, PpsV2__Input);
    PpsV2__PFSInput *pfs = input->pfs = PB_NEW(ctx, pps_v2__pfsinput, PpsV2__PFSInput);
    pfs->project = arena_strdup(ctx->arena, "default");
    pfs->name = text_printf(ctx->arena, "input-%zu", index);
    pfs->repo = arena_strdup(ctx->arena, repo);
    pfs->branch = arena_strdup(ctx->arena, "master");
    pfs->glob = arena_strdup(ctx->arena, "/(*)");
    pfs->join_on = arena_strdup(ctx->arena, "$1");
    pfs->outer_join = true;
    return input;
}

static PpsV2__Input *join(Ctx *ctx, const LoadNode *node)
{
    PpsV2__Input *input = PB_NEW(ctx, pps_v2__input, PpsV2__Input);
    input->n_join = node->n;
    input->join = arena_must(ctx->arena, node->n * sizeof(PpsV2__Input *));
    for (size_t i = 0; i < node->n; i++)
        input->join[i] = leaf(ctx, node->inputs[i], i);
    return input;
}

static PpsV2__Transform *copy_all(Ctx *ctx)
{
    static const char *const cmd[] = { "sh", "-e" };
    static const char *const script[] = {
        "for f in /pfs/input-*/*; do [ ! -e \"$f\" ] || cp -r \"$f\" /pfs/out/; done"
    };
    PpsV2__Transform *transform = PB_NEW(ctx, pps_v2__transform, PpsV2__Transform);
    transform->cmd = arena_memdup(ctx->arena, cmd, sizeof(cmd));
    transform->n_cmd = ARRAY_LEN(cmd);
    transform->stdin = arena_memdup(ctx->arena, script, sizeof(script));
    transform->n_stdin = ARRAY_LEN(script);
    return transform;
}

static Status create_pipeline(Ctx *ctx, PfsTx *tx, Pps *pps, const LoadDag *dag,
                              const LoadNode *node)
{
    PpsV2__CreatePipelineRequest *request =
        PB_NEW(ctx, pps_v2__create_pipeline_request, PpsV2__CreatePipelineRequest);
    PpsV2__CreatePipelineTransaction *prepared;
    request->pipeline = PB_NEW(ctx, pps_v2__pipeline, PpsV2__Pipeline);
    request->pipeline->project = PB_NEW(ctx, pfs_v2__project, PfsV2__Project);
    request->pipeline->project->name = arena_strdup(ctx->arena, "default");
    request->pipeline->name = arena_strdup(ctx->arena, node->name);
    request->input = join(ctx, node);
    request->transform = copy_all(ctx);
    request->pod_patch = arena_strdup(ctx->arena, dag->pod_patch);
    if (dag->parallelism) {
        request->parallelism_spec = PB_NEW(ctx, pps_v2__parallelism_spec, PpsV2__ParallelismSpec);
        request->parallelism_spec->constant = (uint64_t)dag->parallelism;
    }
    TRY(pps_prepare_v1(ctx, tx, request, &prepared));
    return pps_create_pipeline(ctx, tx, pps, prepared);
}

/* All or nothing. */
static Status create_all(Ctx *ctx, Pps *pps, const LoadDag *dag, const LoadNodes *nodes)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pps_pfs(pps), NULL, &tx));
    for (size_t i = 0; i < nodes->n; i++)
        TRY_WRAP(ctx,
                 nodes->items[i].n ? create_pipeline(ctx, tx, pps, dag, &nodes->items[i])
                                   : create_source(ctx, tx, &nodes->items[i]),
                 "could not create '%s'", nodes->items[i].name);
    return pfs_commit(ctx, STEAL(tx));
}

/* The first source; there is one, as inputs are defined above who reads them. */
static const char *first_source(const LoadNodes *nodes)
{
    size_t i = 0;
    while (nodes->items[i].n)
        i++;
    return nodes->items[i].name;
}

static Status make(Ctx *ctx, Pps *pps, const LoadDag *dag, PfsV2__Branch **out)
{
    char suffix[8];
    LoadNodes nodes;
    LoadSpec *spec;
    if (dag->parallelism < 0)
        return FAIL(ctx, INVALID_ARGUMENT, "parallelism must not be negative");
    if (*dag->test.spec)
        TRY(load_spec_read(ctx, dag->test.spec, &spec)); /* before anything is made */
    snprintf(suffix, sizeof(suffix), "%05x", (unsigned)(random_u64() & 0xfffff));
    TRY(load_dag_read(ctx, dag->spec, suffix, &nodes));
    TRY(create_all(ctx, pps, dag, &nodes));
    *out = pfs_branch_ref(ctx, "default", first_source(&nodes), "master");
    return OK;
}

Status load_run_dag(Ctx *ctx, Pps *pps, const LoadDag *dag, LoadResult *out)
{
    LoadTest test = dag->test;
    PfsV2__Branch *branch = NULL;
    *out = (LoadResult){ .spec = test.spec, .error = "", .state_id = "" };
    Status s = *test.state_id ? OK : make(ctx, pps, dag, &branch);
    TRY(ctx_check(ctx));
    if (!status_ok(s)) {
        out->error = status_message(s);
        return OK;
    }
    test.branch = branch;
    test.downstream = true;
    return load_run(ctx, pps_pfs(pps), &test, out);
}
