/* test_machine.c - what a pipeline asks for against what a machine has. */
#include "testing.h"

#include "pps/machine.h"

static const MachineSize small = { 2000, 4 * GiB, 100 * GiB, 1 };

typedef struct Ask {
    float cpu;
    const char *memory, *disk;
    int64_t gpus;
    const char *misfit; /* "": it fits */
    const char *gpu_type;
} Ask;

static const Ask asks[] = {
    { 0, "", "", 0, "", NULL },
    { 2, "4Gi", "100Gi", 1, "", NULL },
    { 2.5F, "", "", 0, "unschedulable: insufficient cpu: 2.5 is asked for, this machine has 2",
      NULL },
    { 0, "5Gi", "", 0,
      "unschedulable: insufficient memory: 5GiB is asked for, this machine has 4GiB", NULL },
    { 0, "", "1Ti", 0,
      "unschedulable: insufficient disk: 1TiB is asked for, this machine has 100GiB", NULL },
    { 0, "", "", 2, "unschedulable: insufficient gpu: 2 is asked for, this machine has 1", NULL },
    { 0, "", "", 1, "", "nvidia.com/gpu" },
    { 0, "", "", 2, "unschedulable: insufficient gpu: 2 is asked for, this machine has 1",
      "nvidia.com/gpu" },
    { 0, "", "", 1,
      "unschedulable: insufficient gpu: 1 of type 'amd.com/gpu' is asked for, this machine has "
      "none",
      "amd.com/gpu" },
    { 0, "", "", 0, "", "amd.com/gpu" },
    { -1, "-5", "much", -3, "", NULL },
    { 0, "1e30", "", 0,
      "unschedulable: insufficient memory: 8EiB is asked for, this machine has 4GiB", NULL },
};

static const char *misfit(Ctx *ctx, const MachineSize *machine, const Ask *request,
                          const Ask *limit)
{
    PpsV2__PipelineInfo__Details details;
    PpsV2__ResourceSpec specs[2];
    PpsV2__GPUSpec gpus[2];
    const Ask *from[] = { request, limit };
    pps_v2__pipeline_info__details__init(&details);
    for (size_t i = 0; i < 2; i++) {
        pps_v2__resource_spec__init(&specs[i]);
        pps_v2__gpuspec__init(&gpus[i]);
        if (!from[i])
            continue;
        specs[i].cpu = from[i]->cpu;
        specs[i].memory = arena_strdup(ctx->arena, from[i]->memory);
        specs[i].disk = arena_strdup(ctx->arena, from[i]->disk);
        gpus[i].number = from[i]->gpus;
        gpus[i].type = arena_strdup(ctx->arena, from[i]->gpu_type ? from[i]->gpu_type : "");
        specs[i].gpu = &gpus[i];
    }
    details.resource_requests = request ? &specs[0] : NULL;
    details.resource_limits = limit ? &specs[1] : NULL;
    const char *reason = machine_misfit(ctx, machine, &details);
    return reason ? reason : "";
}

static void each_kind_of_resource_is_held_against_the_machine(void **state UNUSED)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    for (size_t i = 0; i < ARRAY_LEN(asks); i++)
        assert_string_equal(misfit(&ctx, &small, &asks[i], NULL), asks[i].misfit);
}

static void limits_count_where_nothing_is_requested(void **state UNUSED)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    for (size_t i = 0; i < ARRAY_LEN(asks); i++)
        assert_string_equal(misfit(&ctx, &small, NULL, &asks[i]), asks[i].misfit);
    const Ask little = { 0.5F, "1Mi", "1Mi", 1, "", NULL },
              much = { 64, "1Ti", "1Pi", 8, "", NULL };
    assert_string_equal(misfit(&ctx, &small, &little, &much), "");
}

static void everything_fits_where_nothing_is_known(void **state UNUSED)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    const MachineSize unknown = { 0 };
    for (size_t i = 0; i < ARRAY_LEN(asks); i++)
        assert_string_equal(misfit(&ctx, &unknown, &asks[i], NULL), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_resource_is_held_against_the_machine),
        cmocka_unit_test(limits_count_where_nothing_is_requested),
        cmocka_unit_test(everything_fits_where_nothing_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
