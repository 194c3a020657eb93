/* machine.c - see machine.h. */
#include "pps/machine.h"

#include "base/text.h"
#include "codec/amount.h"

static uint64_t bytes_of(Ctx *ctx, const char *quantity)
{
    int64_t value;
    return *quantity && status_ok(quantity_parse(ctx, str(quantity), &value)) && value > 0
               ? (uint64_t)value
               : 0;
}

static uint64_t cpu_of(Ctx *ctx, const PpsV2__ResourceSpec *spec)
{
    (void)ctx;
    return spec->cpu > 0 ? (uint64_t)((double)spec->cpu * 1000 + 0.5) : 0;
}

static uint64_t memory_of(Ctx *ctx, const PpsV2__ResourceSpec *spec)
{
    return bytes_of(ctx, spec->memory);
}

static uint64_t disk_of(Ctx *ctx, const PpsV2__ResourceSpec *spec)
{
    return bytes_of(ctx, spec->disk);
}

static uint64_t gpus_of(Ctx *ctx, const PpsV2__ResourceSpec *spec)
{
    (void)ctx;
    return spec->gpu && spec->gpu->number > 0 ? (uint64_t)spec->gpu->number : 0;
}

static char *plain_text(Ctx *ctx, uint64_t amount)
{
    return text_printf(ctx->arena, "%llu", (unsigned long long)amount);
}

static char *cpu_text(Ctx *ctx, uint64_t millis)
{
    return text_printf(ctx->arena, "%g", (double)millis / 1000);
}

static char *size_text(Ctx *ctx, uint64_t size)
{
    char text[AMOUNT_TEXT_SIZE];
    size_format(size, text);
    return arena_strdup(ctx->arena, text);
}

static const struct {
    const char *name;
    uint64_t (*asked)(Ctx *ctx, const PpsV2__ResourceSpec *spec);
    size_t has; /* of MachineSize */
    char *(*text)(Ctx *ctx, uint64_t amount);
} resources[] = {
    { "cpu", cpu_of, offsetof(MachineSize, cpu_millis), cpu_text },
    { "memory", memory_of, offsetof(MachineSize, memory_bytes), size_text },
    { "disk", disk_of, offsetof(MachineSize, disk_bytes), size_text },
    { "gpu", gpus_of, offsetof(MachineSize, gpus), plain_text },
};

/* The kind that machines are looked over for; "" is it, too. */
static bool is_known_gpu(const char *type)
{
    return !*type || str_starts(str(type), STR("nvidia.com/"));
}

static const char *foreign_gpu(Ctx *ctx, const PpsV2__ResourceSpec *spec)
{
    if (!spec || !gpus_of(ctx, spec) || is_known_gpu(spec->gpu->type))
        return NULL;
    return text_printf(
        ctx->arena,
        "unschedulable: insufficient gpu: %lld of type '%s' is asked for, this machine "
        "has none",
        (long long)spec->gpu->number, spec->gpu->type);
}

const char *machine_misfit(Ctx *ctx, const MachineSize *machine,
                           const PpsV2__PipelineInfo__Details *details)
{
    const PpsV2__ResourceSpec *specs[] = { details->resource_requests, details->resource_limits };
    for (size_t i = 0; machine->memory_bytes && i < ARRAY_LEN(resources); i++) {
        uint64_t asked = 0, has;
        for (size_t s = 0; !asked && s < ARRAY_LEN(specs); s++)
            asked = specs[s] ? resources[i].asked(ctx, specs[s]) : 0;
        memcpy(&has, (const char *)machine + resources[i].has, sizeof(has));
        if (asked > has)
            return text_printf(
                ctx->arena, "unschedulable: insufficient %s: %s is asked for, this machine has %s",
                resources[i].name, resources[i].text(ctx, asked), resources[i].text(ctx, has));
    }
    for (size_t s = 0; machine->memory_bytes && s < ARRAY_LEN(specs); s++) {
        const char *foreign = foreign_gpu(ctx, specs[s]);
        if (foreign)
            return foreign;
    }
    return NULL;
}
