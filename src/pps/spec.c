/* spec.c - effective specs: the user's text merged with the defaults (pps.md §3); see spec.h. */
#include "pps/spec_priv.h"

#include "base/text.h"
#include "codec/pbjson.h"
#include "google/rpc/error_details.pb-c.h"

#define BUILTIN                                                                                    \
    "{\"createPipelineRequest\":{\"transform\":{\"image\":\"ubuntu:20.04\"},"                      \
    "\"outputBranch\":\"master\",\"datumTries\":\"3\",\"reprocessSpec\":\"until_success\"}}"
#define FIELD_SPEC  "create_pipeline_v2_request.create_pipeline_request_json"
#define REQUEST_KEY "createPipelineRequest"

static const JsonStyle compact = { .sorted = true };

/* --- errors ----------------------------------------------------------------------------------- */

static Bytes pack_violation(Ctx *ctx, const char *field, const char *description)
{
    Google__Rpc__BadRequest *bad = PB_NEW(ctx, google__rpc__bad_request, Google__Rpc__BadRequest);
    Google__Rpc__BadRequest__FieldViolation *violation = PB_NEW(
        ctx, google__rpc__bad_request__field_violation, Google__Rpc__BadRequest__FieldViolation);
    violation->field = arena_strdup(ctx->arena, field);
    violation->description = arena_strdup(ctx->arena, description);
    bad->field_violations = arena_memdup(ctx->arena, &violation, sizeof(violation));
    bad->n_field_violations = 1;
    return pb_pack_bytes(ctx, &bad->base);
}

bool spec_is_the_requests_fault(StatusCode code)
{
    return code == STATUS_INVALID_ARGUMENT || code == STATUS_NOT_FOUND || code == STATUS_UNKNOWN;
}

Status spec_bad_request(Ctx *ctx, Status inner, const char *message, const char *field,
                        const char *description)
{
    if (!spec_is_the_requests_fault(inner.code))
        return inner;
    Status bad = FAIL(ctx, INVALID_ARGUMENT, "%s", message);
    return status_with_any(ctx, bad, "type.googleapis.com/google.rpc.BadRequest",
                           pack_violation(ctx, field, description));
}

/* --- merging ---------------------------------------------------------------------------------- */

Status spec_builtin(Ctx *ctx, JsonValue **out)
{
    return json_parse(ctx, STR(BUILTIN), out);
}

static Status canonical(Ctx *ctx, const JsonValue *value, JsonValue **out)
{
    return pbjson_canonicalise(ctx, &pps_v2__cluster_defaults__descriptor, value, out);
}

Status spec_merge(Ctx *ctx, const JsonValue *target, const JsonValue *layer, JsonValue **out)
{
    JsonValue *clean_target, *clean_layer;
    TRY_WRAP(ctx, canonical(ctx, target, &clean_target), "could not canonicalize source object");
    TRY_WRAP(ctx, canonical(ctx, layer, &clean_layer), "could not canonicalize target object");
    *out = json_merge_patch(ctx->arena, clean_target, clean_layer);
    return OK;
}

Status spec_merge_text(Ctx *ctx, const JsonValue *target, const char *json, JsonValue **out)
{
    JsonValue *layer;
    TRY(json_parse(ctx, str(json), &layer));
    return spec_merge(ctx, target, layer, out);
}

Status spec_parse_merged(Ctx *ctx, const JsonValue *merged, PpsV2__CreatePipelineRequest **out)
{
    ProtobufCMessage *message;
    TRY(pbjson_from_value(ctx, &pps_v2__cluster_defaults__descriptor, merged, NULL, &message));
    PpsV2__CreatePipelineRequest *request =
        ((PpsV2__ClusterDefaults *)(void *)message)->create_pipeline_request;
    if (!request)
        request = PB_NEW(ctx, pps_v2__create_pipeline_request, PpsV2__CreatePipelineRequest);
    if (request->tf_job)
        return FAIL(ctx, UNKNOWN, "embedding TFJobs in pipelines is not supported yet");
    TRY(spec_check_reprocess(ctx, request->reprocess_spec, '"'));
    TRY(spec_check_tolerations(ctx, request->tolerations, request->n_tolerations));
    TRY(spec_check_pods(ctx, request->pod_spec, request->pod_patch));
    TRY(spec_check_service_type(ctx, request->service));
    *out = request;
    return OK;
}

/* --- the effective spec ----------------------------------------------------------------------- */

static const char *project_of(const PpsV2__CreatePipelineRequest *request)
{
    const PpsV2__Pipeline *pipeline = request->pipeline;
    bool has = pipeline && pipeline->project && *pipeline->project->name;
    return has ? pipeline->project->name : "default";
}

/* The text as a message, only to see that it is one and which project it names. */
static Status parse_user(Ctx *ctx, const char *user_json, const char **out_project)
{
    ProtobufCMessage *message;
    TRY_WRAP(ctx,
             pbjson_parse(ctx, &pps_v2__create_pipeline_request__descriptor, str(user_json), NULL,
                          &message),
             "could not parse %s as Create Pipeline Request message", user_json);
    *out_project = project_of((PpsV2__CreatePipelineRequest *)(void *)message);
    return OK;
}

static Status merge_defaults(Ctx *ctx, const SpecLookups *lookups, const char *project,
                             JsonValue **out)
{
    const char *cluster_json, *project_json;
    TRY_WRAP(ctx, lookups->cluster_defaults(lookups->self, ctx, &cluster_json),
             "could not get cluster defaults");
    TRY_WRAP(ctx, lookups->project_defaults(lookups->self, ctx, project, &project_json),
             "could not get defaults for project %s", project);
    JsonValue *builtin, *cluster;
    TRY(spec_builtin(ctx, &builtin));
    TRY_WRAP(ctx, spec_merge_text(ctx, builtin, cluster_json, &cluster),
             "could not merge cluster defaults %s into built-in defaults", cluster_json);
    TRY_WRAP(ctx, spec_merge_text(ctx, cluster, project_json, out),
             "could not merge project defaults %s into cluster defaults", project_json);
    return OK;
}

static Status merge_user(Ctx *ctx, JsonValue *defaults, const char *user_json, JsonValue **out)
{
    JsonValue *user, *wrapper = json_object(ctx->arena);
    TRY(json_parse(ctx, str(user_json), &user));
    json_set(ctx->arena, wrapper, STR(REQUEST_KEY), user);
    TRY_WRAP(ctx, spec_merge(ctx, defaults, wrapper, out),
             "could not merge user wrapper %s into effective project defaults %s",
             json_print(ctx->arena, wrapper, compact).data,
             json_print(ctx->arena, defaults, compact).data);
    return OK;
}

static Status make_effective(Ctx *ctx, const SpecLookups *lookups, const char *user_json, Spec *out)
{
    const char *project = NULL;
    JsonValue *defaults, *merged;
    TRY(parse_user(ctx, user_json, &project));
    TRY(merge_defaults(ctx, lookups, project, &defaults));
    TRY(merge_user(ctx, defaults, user_json, &merged));
    TRY_WRAP(ctx, spec_parse_merged(ctx, merged, &out->request), "invalid effective spec %s",
             json_print(ctx->arena, merged, compact).data);
    const JsonValue *spec = json_get(merged, REQUEST_KEY);
    out->effective_json = spec ? json_print(ctx->arena, spec, compact).data : "{}";
    out->user_json = arena_strdup(ctx->arena, user_json);
    return OK;
}

Status spec_effective(Ctx *ctx, const SpecLookups *lookups, const char *user_json, Spec *out)
{
    Status made = make_effective(ctx, lookups, user_json, out);
    if (status_ok(made))
        return OK;
    const char *message =
        text_printf(ctx->arena, "could not make effective spec: %s", status_message(made));
    return spec_bad_request(ctx, made, message, FIELD_SPEC, "");
}

/* --- requests --------------------------------------------------------------------------------- */

static Status print_message(Ctx *ctx, const ProtobufCMessage *message, const char **out)
{
    CLEANUP(buf_done) Buf json = { 0 };
    TRY(pbjson_print(ctx, message, NULL, &json));
    *out = str_z(ctx->arena, buf_str(&json));
    return OK;
}

Status spec_effective_of(Ctx *ctx, const SpecLookups *lookups,
                         const PpsV2__CreatePipelineRequest *request, Spec *out)
{
    const char *json;
    TRY(print_message(ctx, &request->base, &json));
    return spec_effective(ctx, lookups, json, out);
}

Status spec_apply_flags(Ctx *ctx, Spec *spec, bool update, bool reprocess)
{
    PpsV2__CreatePipelineRequest *request = spec->request;
    if (!request->pipeline)
        return FAIL(ctx, UNKNOWN, "request.Pipeline cannot be nil");
    request->update = update;
    request->reprocess = reprocess;
    if (!request->pipeline->project)
        request->pipeline->project = PB_NEW(ctx, pfs_v2__project, PfsV2__Project);
    if (!*request->pipeline->project->name)
        request->pipeline->project->name = arena_strdup(ctx->arena, "default");
    return OK;
}

Status spec_response_json(Ctx *ctx, const Spec *spec, const char **out_json)
{
    return print_message(ctx, &spec->request->base, out_json);
}
