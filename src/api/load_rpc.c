/* load_rpc.c - load tests: RunLoadTest of pps_v2.API, RunPFSLoadTest of debug_v2.Debug. */
#include "api/api_priv.h"

#include "codec/pbtime.h"
#include "debug/debug.pb-c.h"
#include "load/load.h"

static Status run_dag(Call *call, const LoadDag *dag, void **response)
{
    LoadResult result;
    TRY(load_run_dag(call->ctx, call->api->config.pps, dag, &result));
    PpsV2__RunLoadTestResponse *answer =
        CALL_NEW(call, PpsV2__RunLoadTestResponse, pps_v2__run_load_test_response__init);
    answer->error = arena_strdup(call->ctx->arena, result.error);
    answer->state_id = arena_strdup(call->ctx->arena, result.state_id);
    *response = answer;
    return OK;
}

static Status run_load_test(Call *call, const void *request, void **response)
{
    const PpsV2__RunLoadTestRequest *r = request;
    const LoadDag dag = { .spec = r->dag_spec,
                          .parallelism = r->parallelism,
                          .pod_patch = r->pod_patch,
                          .test = {
                              .spec = r->load_spec, .seed = r->seed, .state_id = r->state_id } };
    return run_dag(call, &dag, response);
}

static Status run_load_test_default(Call *call, const void *request, void **response)
{
    (void)request;
    const LoadDag dag = { .spec = "", .pod_patch = "", .test = { .spec = "", .state_id = "" } };
    return run_dag(call, &dag, response);
}

static Status run_pfs(Call *call, const LoadTest *test, void **response)
{
    LoadResult result;
    TRY(load_run(call->ctx, call->api->config.pfs, test, &result));
    DebugV2__RunPFSLoadTestResponse *answer =
        CALL_NEW(call, DebugV2__RunPFSLoadTestResponse, debug_v2__run_pfsload_test_response__init);
    Arena *arena = call->ctx->arena;
    answer->spec = arena_strdup(arena, result.spec);
    answer->branch = result.branch;
    answer->seed = result.seed;
    answer->error = arena_strdup(arena, result.error);
    answer->duration = pb_duration(call->ctx, result.duration_ns);
    answer->state_id = arena_strdup(arena, result.state_id);
    *response = answer;
    return OK;
}

static Status run_pfs_load_test(Call *call, const void *request, void **response)
{
    const DebugV2__RunPFSLoadTestRequest *r = request;
    const LoadTest test = {
        .spec = r->spec, .branch = r->branch, .seed = r->seed, .state_id = r->state_id
    };
    return run_pfs(call, &test, response);
}

static Status run_pfs_load_test_default(Call *call, const void *request, void **response)
{
    (void)request;
    const LoadTest test = { .spec = "", .state_id = "" };
    return run_pfs(call, &test, response);
}

static const ApiMethod methods[] = {
    { .path = "/pps_v2.API/RunLoadTest", .unary = run_load_test },
    { .path = "/pps_v2.API/RunLoadTestDefault", .unary = run_load_test_default },
    { .path = "/debug_v2.Debug/RunPFSLoadTest", .unary = run_pfs_load_test },
    { .path = "/debug_v2.Debug/RunPFSLoadTestDefault", .unary = run_pfs_load_test_default },
};

const ApiTable api_load_table = { methods, ARRAY_LEN(methods) };
