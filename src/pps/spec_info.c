/* spec_info.c - from an effective spec to the row that is stored (pps.md §6.1 to §6.3); see
 * spec.h. */
#include "base/id.h"
#include "base/text.h"
#include "codec/pb.h"
#include "codec/pbtime.h"
#include "pps/spec.h"

#define IMAGE_DEFAULT        "host" /* an image of "": this machine's own root */
#define SERVICE_TYPE_DEFAULT "NodePort"

static char *or_default(Ctx *ctx, char *value, const char *fallback)
{
    return *value ? value : arena_strdup(ctx->arena, fallback);
}

static PpsV2__Service *service_of(Ctx *ctx, PpsV2__Service *service)
{
    if (service)
        service->type = or_default(ctx, service->type, SERVICE_TYPE_DEFAULT);
    return service;
}

/* Kept on an update unless that reprocesses; the request's own counts at creation only. */
static char *salt_of(Ctx *ctx, const PpsV2__CreatePipelineRequest *request,
                     const PpsV2__PipelineInfo *old)
{
    if (!request->reprocess && old)
        return old->details->salt;
    if (!request->reprocess && *request->salt)
        return request->salt;
    Id id = id_new();
    return arena_strdup(ctx->arena, id.text);
}

/* Fields that the stored details have as the request has them. */
static void copy_spec(const PpsV2__CreatePipelineRequest *request,
                      PpsV2__PipelineInfo__Details *out)
{
    out->tf_job = request->tf_job;
    out->transform = request->transform;
    out->parallelism_spec = request->parallelism_spec;
    out->egress = request->egress;
    out->resource_requests = request->resource_requests;
    out->resource_limits = request->resource_limits;
    out->sidecar_resource_requests = request->sidecar_resource_requests;
    out->sidecar_resource_limits = request->sidecar_resource_limits;
    out->description = request->description;
    out->spout = request->spout;
    out->datum_timeout = request->datum_timeout;
    out->job_timeout = request->job_timeout;
    out->scheduling_spec = request->scheduling_spec;
    out->pod_spec = request->pod_spec;
    out->pod_patch = request->pod_patch;
    out->s3_out = request->s3_out;
    out->metadata = request->metadata;
    out->autoscaling = request->autoscaling;
    out->tolerations = request->tolerations;
    out->n_tolerations = request->n_tolerations;
    out->determined = request->determined;
    out->maximum_expected_uptime = request->maximum_expected_uptime;
}

static PpsV2__DatumSetSpec *datum_set_default(Ctx *ctx)
{
    PpsV2__DatumSetSpec *spec = PB_NEW(ctx, pps_v2__datum_set_spec, PpsV2__DatumSetSpec);
    spec->per_worker = SPEC_SETS_PER_WORKER_DEFAULT;
    return spec;
}

/* What the spec leaves open. */
static void fill_spec(Ctx *ctx, PpsV2__CreatePipelineRequest *request,
                      PpsV2__PipelineInfo__Details *out, int64_t now_ns)
{
    if (out->transform)
        out->transform->image = or_default(ctx, out->transform->image, IMAGE_DEFAULT);
    out->service = service_of(ctx, request->service);
    if (out->spout)
        out->spout->service = service_of(ctx, out->spout->service);
    out->output_branch = or_default(ctx, request->output_branch, "master");
    out->reprocess_spec = or_default(ctx, request->reprocess_spec, "until_success");
    out->datum_tries = request->datum_tries ? request->datum_tries : SPEC_DATUM_TRIES_DEFAULT;
    out->datum_set_spec =
        request->datum_set_spec ? request->datum_set_spec : datum_set_default(ctx);
    out->input = PB_CLONE(ctx, PpsV2__Input, request->input);
    input_fill_defaults(ctx, out->input, request->pipeline, now_ns);
}

static PpsV2__PipelineInfo__Details *details_of(Ctx *ctx, PpsV2__CreatePipelineRequest *request,
                                                const SpecStored *stored)
{
    PpsV2__PipelineInfo__Details *out =
        PB_NEW(ctx, pps_v2__pipeline_info__details, PpsV2__PipelineInfo__Details);
    copy_spec(request, out);
    fill_spec(ctx, request, out, stored->now_ns);
    const PpsV2__PipelineInfo__Details *old = stored->old ? stored->old->details : NULL;
    out->salt = salt_of(ctx, request, stored->old);
    out->updated_at = pb_timestamp(ctx, stored->now_ns);
    out->created_at = old ? old->created_at : out->updated_at;
    out->created_by = old ? old->created_by : arena_strdup(ctx->arena, stored->user);
    return out;
}

static PpsV2__PipelineInfo__PipelineType type_of(const PpsV2__CreatePipelineRequest *request)
{
    if (request->spout)
        return PPS_V2__PIPELINE_INFO__PIPELINE_TYPE__PIPELINE_TYPE_SPOUT;
    return request->service ? PPS_V2__PIPELINE_INFO__PIPELINE_TYPE__PIPELINE_TYPE_SERVICE
                            : PPS_V2__PIPELINE_INFO__PIPELINE_TYPE__PIPELINE_TYPE_TRANSFORM;
}

PpsV2__PipelineInfo *spec_pipeline_info(Ctx *ctx, const Spec *spec, const SpecStored *stored)
{
    /* Parts are shared with a copy of the request, which is this row's alone. */
    PpsV2__CreatePipelineRequest *request =
        PB_CLONE(ctx, PpsV2__CreatePipelineRequest, spec->request);
    PpsV2__PipelineInfo *info = PB_NEW(ctx, pps_v2__pipeline_info, PpsV2__PipelineInfo);
    info->pipeline = request->pipeline;
    info->version = stored->old ? stored->old->version + 1 : 1;
    info->stopped = stored->old && stored->old->stopped;
    info->state = PPS_V2__PIPELINE_STATE__PIPELINE_STARTING;
    info->parallelism = request->parallelism_spec ? MAX(request->parallelism_spec->constant, 1) : 1;
    info->type = type_of(request);
    info->user_spec_json = arena_strdup(ctx->arena, spec->user_json);
    info->effective_spec_json = arena_strdup(ctx->arena, spec->effective_json);
    info->details = details_of(ctx, request, stored);
    return info;
}
