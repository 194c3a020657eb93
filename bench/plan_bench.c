/* plan_bench.c - what planning a job costs: a million datums at first, then one that changed among
 * them, told by the change and by all datums; over blobs in memory. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "codec/pb.h"
#include "pps/plan.h"
#include "unit/tree/tree_model.h"

typedef struct Bench {
    Ctx ctx;
    MemBlobs blobs;
    size_t datums;
    PpsV2__PFSInput *from;
    PlanParams params;
} Bench;

static void must(Status s)
{
    if (status_ok(s))
        return;
    fprintf(stderr, "%s\n", status_message(s));
    exit(1);
}

/* Everything was run before: a first plan is then done at once. */
static Status find_any(void *self UNUSED, Ctx *ctx UNUSED, const Hash *key, PlanResultHit *out)
{
    *out = (PlanResultHit){ .output_root = *key, .run_job = "default/p@1", .image_id = "" };
    return OK;
}

static Status find_none(void *self UNUSED, Ctx *ctx UNUSED, const Hash *key UNUSED,
                        PlanResultHit *out UNUSED)
{
    return STATUS(NOT_FOUND);
}

static void put(Bench *bench, Planner *planner, size_t number, uint64_t version)
{
    char path[64];
    int size = snprintf(path, sizeof(path), "/images/%05zu/%07zu.png", number / 100, number);
    uint64_t content[] = { number, version };
    DatumInput input = {
        .from = bench->from,
        .path = { path, (size_t)size },
        .size = 100 * KiB,
        .hash = hash_of(bytes(content, sizeof(content))),
        .join_on = STR(""),
        .group_by = STR(""),
    };
    const DatumInput *inputs[] = { &input };
    Datum datum = { datum_id(inputs, 1), number, 1, inputs };
    must(planner_put(planner, &bench->ctx, &datum));
}

/* changed: the datum whose content is new, or SIZE_MAX. */
static Plan make_plan(Bench *bench, const char *what, size_t changed)
{
    bench->blobs.gets = bench->blobs.puts = 0;
    int64_t start_ns = clock_mono_ns();
    CLEANUP(planner_freep) Planner *planner = planner_new(&bench->params);
    if (bench->params.delta)
        put(bench, planner, changed, 2);
    for (size_t i = 0; !bench->params.delta && i < bench->datums; i++)
        put(bench, planner, i, i == changed ? 2 : 1);
    Plan plan;
    must(planner_finish(&bench->ctx, planner, &plan));
    double took_ms = (double)(clock_mono_ns() - start_ns) / 1e6;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"bench\":\"plan\",\"what\":\"%s\",\"datums\":%zu,\"to_run\":%llu,\"ms\":%.3f,"
           "\"blobs_read\":%zu,\"blobs_written\":%zu,\"rss_max_mib\":%ld}\n",
           what, bench->datums, (unsigned long long)plan.counts.to_run, took_ms, bench->blobs.gets,
           bench->blobs.puts, usage.ru_maxrss / 1024);
    return plan;
}

static void bench_plans(size_t datums)
{
    Bench bench = { .datums = datums };
    ctx_init(&bench.ctx);
    mem_blobs_init(&bench.blobs);
    bench.from = PB_NEW(&bench.ctx, pps_v2__pfsinput, PpsV2__PFSInput);
    bench.from->name = bench.from->repo = arena_strdup(bench.ctx.arena, "images");
    PpsV2__Transform *transform = PB_NEW(&bench.ctx, pps_v2__transform, PpsV2__Transform);
    const KeyStep step = key_step(&bench.ctx, transform, &(KeyCode){ .code = "sha256:1" });
    bench.params = (PlanParams){
        .io = &bench.blobs.io,
        .rule = PLAN_EXACT,
        .salt = "salt",
        .step = &step,
        .cache.find = find_none,
    };
    make_plan(&bench, "first, all to run", SIZE_MAX);
    bench.params.cache.find = find_any;
    bench.params.base = make_plan(&bench, "first, all from the cache", SIZE_MAX).done;
    bench.params.cache.find = find_none;
    make_plan(&bench, "one changed, told all", datums / 2);
    bench.params.delta = true;
    make_plan(&bench, "one changed, told the change", datums / 2);
    mem_blobs_done(&bench.blobs);
    ctx_done(&bench.ctx);
}

int main(void)
{
    bench_plans(100 * 1000);
    bench_plans(1000 * 1000);
    return 0;
}
