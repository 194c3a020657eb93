/* record_rpc.c - procavia.v1.API: merging, and questions about the record. */
#include "api/api_priv.h"
#include "base/file.h"
#include "codec/pb.h"

static Status explain_file(Call *call, const void *request, void **response)
{
    const Procavia__V1__ExplainFileRequest *r = request;
    return pps_explain_file(call->ctx, call->api->config.pps, r->file,
                            (Procavia__V1__ExplainFileResponse **)response);
}

static Status send_why(void *call, Ctx *ctx, const Procavia__V1__WhyDatumResponse *response)
{
    (void)ctx;
    return call_send(call, &response->base);
}

static Status why_datum(Call *call, const void *request)
{
    return pps_why(call->ctx, call->api->config.pps, request, send_why, call);
}

static Status merge_branch(Call *call, const void *request, void **response)
{
    return pfs_merge_branch(call->ctx, call->api->config.pfs, request,
                            (Procavia__V1__MergeBranchResponse **)response);
}

static Status datum_recipe(Call *call, const void *request, void **response)
{
    const Procavia__V1__DatumRecipeRequest *r = request;
    const ApiConfig *config = &call->api->config;
    Ctx *ctx = call->ctx;
    Procavia__V1__DatumRecipeResponse *recipe =
        PB_NEW(ctx, procavia__v1__datum_recipe_response, Procavia__V1__DatumRecipeResponse);
    CLEANUP(buf_done) Buf boot_id = { 0 };
    TRY(control_datum_recipe(ctx, config->control, r->datum, &recipe->set));
    TRY(file_read_path(ctx, BOOT_ID_FILE, &boot_id));
    recipe->boot_id = str_z(ctx->arena, buf_str(&boot_id));
    recipe->hidden = arena_strdup(ctx->arena, config->data_dir);
    recipe->sandbox = arena_strdup(ctx->arena, config->sandbox);
    *response = recipe;
    return OK;
}

static const ApiMethod methods[] = {
    { .path = "/procavia.v1.API/DatumRecipe", .unary = datum_recipe },
    { .path = "/procavia.v1.API/MergeBranch", .unary = merge_branch },
    { .path = "/procavia.v1.API/ExplainFile", .unary = explain_file },
    { .path = "/procavia.v1.API/WhyDatum", .stream = why_datum },
};

const ApiTable api_record_table = { methods, ARRAY_LEN(methods) };
