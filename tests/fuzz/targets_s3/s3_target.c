/* s3_target.c - any text as a request's target: refused, or a bucket, a key and parameters; and
 * what pfs would be asked for is a clean path. */
#include "fuzz/fuzz.h"

#include "codec/path.h"
#include "s3/s3_priv.h"

static const char *no_header(void *self, const char *name, size_t nth)
{
    (void)self;
    (void)name;
    (void)nth;
    return NULL;
}

static bool no_headers(void *self, size_t index, const char **out_name, const char **out_value)
{
    (void)self;
    (void)index;
    (void)out_name;
    (void)out_value;
    return false;
}

/* Signing takes whatever was parsed. */
static void sign(S3Request *request)
{
    SignV4 v4 = { .signed_headers = STR("a;;b"), .date = STR("20200101") };
    S3Signer signer;
    const SignRequest signed_request = { .method = "GET",
                                         .path = request->raw_path,
                                         .query = request->query,
                                         .header = no_header,
                                         .header_at = no_headers };
    sign_v4_parse_query(&request->query, &v4);
    sign_v4(request->ctx, &signed_request, &v4, "k", "t", "h", &signer);
    PROP(strlen(signer.previous) == 64);
    PROP(strlen(sign_v2(request->ctx, &signed_request, "k", NULL)) == 28);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Str path,
        target =
            str(text_printf(ctx.arena, "/%s", arena_strndup(ctx.arena, (const char *)data, size)));
    S3Name name;
    S3Request request = { .ctx = &ctx };
    Status s = s3_parse_target(&request, target);
    PROP(status_ok(s) == !request.error.code);
    if (!status_ok(s))
        return 0;
    PROP(*request.bucket || !*request.key);
    if (*request.bucket && status_ok(s3_name_parse(&ctx, str(request.bucket), &name)))
        PROP(*name.project || *request.bucket);
    if (s3_key_path(&request, request.key, &path))
        PROP(str_eq(path, path_clean(&ctx, path)) && path.size > 1);
    sign(&request);
    return 0;
}
