/* spec_defaults.c - stored defaults of cluster and projects, and stored specs (pps.md §3.5); see
 * spec.h. */
#include "base/text.h"
#include "codec/pbjson.h"
#include "pps/spec_priv.h"

static const JsonStyle compact = { .sorted = true };

/* Merges with nothing from the user, and checks what comes out. */
static Status check_merge(Ctx *ctx, const JsonValue *target, const char *json)
{
    JsonValue *merged;
    PpsV2__CreatePipelineRequest *request;
    TRY(spec_merge_text(ctx, target, json, &merged));
    return spec_parse_merged(ctx, merged, &request);
}

Status spec_check_cluster_defaults(Ctx *ctx, const char *json)
{
    static const char field[] = "cluster_defaults_json";
    ProtobufCMessage *message;
    Status parsed =
        pbjson_parse(ctx, &pps_v2__cluster_defaults__descriptor, str(json), NULL, &message);
    if (!status_ok(parsed))
        return spec_bad_request(ctx, parsed, "invalid cluster defaults JSON", field,
                                status_message(parsed));
    JsonValue *builtin;
    TRY(spec_builtin(ctx, &builtin));
    Status merged = check_merge(ctx, builtin, json);
    if (status_ok(merged))
        return OK;
    const char *text =
        text_printf(ctx->arena, "could not merge cluster defaults %s into built-in defaults %s",
                    json, json_print(ctx->arena, builtin, compact).data);
    return spec_bad_request(ctx, merged, text, field, status_message(merged));
}

Status spec_check_project_defaults(Ctx *ctx, const char *cluster_json, const char *json)
{
    JsonValue *builtin, *cluster;
    TRY(spec_builtin(ctx, &builtin));
    TRY(spec_merge_text(ctx, builtin, cluster_json, &cluster));
    Status merged = check_merge(ctx, cluster, json);
    if (status_ok(merged))
        return OK;
    const char *text =
        text_printf(ctx->arena, "could not merge project defaults %s into cluster defaults %s",
                    json, cluster_json);
    return spec_bad_request(ctx, merged, text, "project_defaults_json", status_message(merged));
}

static Status parse_effective(Ctx *ctx, const char *json, ProtobufCMessage **out)
{
    TRY_WRAP(ctx,
             pbjson_parse(ctx, &pps_v2__create_pipeline_request__descriptor, str(json), NULL, out),
             "stored effective spec is malformed");
    return OK;
}

Status spec_of_stored(Ctx *ctx, const PpsV2__PipelineInfo *info, Spec *out)
{
    ProtobufCMessage *message;
    TRY(parse_effective(ctx, info->effective_spec_json, &message));
    out->request = (PpsV2__CreatePipelineRequest *)(void *)message;
    out->user_json = info->user_spec_json;
    out->effective_json = info->effective_spec_json;
    return OK;
}

Status spec_same(Ctx *ctx, const char *effective_a, const char *effective_b, bool *out_same)
{
    ProtobufCMessage *a, *b;
    TRY(parse_effective(ctx, effective_a, &a));
    TRY(parse_effective(ctx, effective_b, &b));
    *out_same = pb_equal(a, b);
    return OK;
}
