/* pps_spec.c - whatever a user sends as a spec is refused with a reason, or becomes a row; what is stored as its text
 * says the same as its message. */
#include "pps/spec.h"

#include "codec/pbjson.h"
#include "fuzz/fuzz.h"

static Status fresh_cluster(void *self, Ctx *ctx, const char **out_json)
{
    (void)self, (void)ctx;
    *out_json = SPEC_CLUSTER_DEFAULTS_FRESH;
    return OK;
}

static Status no_project_defaults(void *self, Ctx *ctx, const char *project, const char **out_json)
{
    (void)self, (void)ctx, (void)project;
    *out_json = "{}";
    return OK;
}

static void check_text(Ctx *ctx, const Spec *spec)
{
    ProtobufCMessage *message;
    PROP(status_ok(pbjson_parse(ctx, &pps_v2__create_pipeline_request__descriptor, str(spec->effective_json), NULL,
                                &message)));
    PROP(pb_equal(message, &spec->request->base));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    const SpecLookups lookups = { .cluster_defaults = fresh_cluster, .project_defaults = no_project_defaults };
    const char *text = str_z(ctx.arena, bytes_str((Bytes){ data, size }));
    Spec spec;
    Status status = spec_effective(&ctx, &lookups, text, &spec);
    if (!status_ok(status)) {
        PROP(status.code == STATUS_INVALID_ARGUMENT && status.detail->any != NULL);
        return 0;
    }
    check_text(&ctx, &spec);
    if (!status_ok(spec_check_request(&ctx, spec.request)))
        return 0;
    PROP(status_ok(spec_apply_flags(&ctx, &spec, false, false)));
    const PpsV2__PipelineInfo *info = spec_pipeline_info(&ctx, &spec, &(SpecStored){ .now_ns = 1, .user = "" });
    if (!status_ok(spec_check_pipeline(&ctx, info)))
        return 0;
    InputBranch *branches;
    size_t n;
    PROP(status_ok(input_branches(&ctx, info->details->input, &branches, &n)));
    return 0;
}
