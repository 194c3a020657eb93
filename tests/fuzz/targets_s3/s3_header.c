/* s3_header.c - any text as the headers that we take apart: signatures, ranges, conditions. */
#include "fuzz/fuzz.h"

#include "s3/condition.h"
#include "s3/s3_priv.h"

static void check_ranges(Str text, uint64_t size)
{
    S3Range ranges[S3_RANGES_MAX];
    size_t n;
    uint64_t total = 0;
    S3RangeVerdict verdict = s3_ranges(text, size, ranges, &n);
    if (verdict != S3_PART)
        return;
    PROP(n > 0 && n <= S3_RANGES_MAX);
    for (size_t i = 0; i < n; i++) {
        PROP(ranges[i].size > 0 && ranges[i].from < size);
        PROP(ranges[i].size <= size - ranges[i].from);
        total += ranges[i].size;
    }
    PROP(total <= size);
}

static bool is_within(Str part, Str text)
{
    return part.data >= text.data && part.data + part.size <= text.data + text.size;
}

static void check_signature(Str text)
{
    SignV4 v4;
    Str key, signature;
    if (sign_v4_parse(text, &v4)) {
        PROP(v4.signature.size == 64 && v4.access_key.size && v4.date.size == 8);
        PROP(is_within(v4.access_key, text) && is_within(v4.region, text));
        PROP(is_within(v4.service, text) && is_within(v4.signed_headers, text));
    }
    if (sign_v2_parse(text, &key, &signature))
        PROP(is_within(key, text) && is_within(signature, text) && key.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    const char *z = arena_strndup(ctx.arena, (const char *)data, size); /* headers hold no NUL */
    Str text = str(z);
    check_ranges(text, 10);
    check_ranges(text, UINT64_MAX / 2);
    check_signature(text);
    S3Verdict verdict = s3_judge(&(S3Conditions){ z, "", "", "" }, "e", 1);
    PROP(verdict == S3_GO_ON || verdict == S3_FAILED);
    verdict = s3_judge(&(S3Conditions){ "", z, z, "" }, "e", 1);
    PROP(verdict == S3_GO_ON || verdict == S3_NOT_MODIFIED);
    s3_range_applies(z, "e", 1);
    return 0;
}
