/* name.c - [<commit>.][<branch>.]<repo>[.<project>] taken apart. */
#include "base/id.h"
#include "s3/s3_priv.h"

#define PARTS_MAX 5

/* As long as an id, of version 4, and of the variant that goes with it. */
static bool is_commit_id(Str text)
{
    return id_is_v4(text) && strchr("89abAB", text.data[16]);
}

static size_t split(Str text, Str *parts)
{
    size_t n = 0;
    while (n < PARTS_MAX) {
        size_t end = n + 1 < PARTS_MAX ? str_find(text, '.') : text.size;
        parts[n++] = str_sub(text, 0, end);
        if (end == text.size)
            break;
        text = str_sub(text, end + 1, text.size);
    }
    return n;
}

Status s3_name_parse(Ctx *ctx, Str bucket, S3Name *out)
{
    Str parts[PARTS_MAX];
    size_t n = split(bucket, parts), first = n && is_commit_id(parts[0]);
    size_t left = n - first;
    *out = (S3Name){ .project = "default", .branch = "master", .commit = "" };
    if (!left)
        return FAIL(ctx, UNKNOWN, "invalid bucket name %s; must include a repo",
                    text_quote(ctx->arena, bucket));
    if (left > 3)
        return FAIL(ctx, UNKNOWN, "invalid bucket name: %s", text_quote(ctx->arena, bucket));
    if (first)
        out->commit = str_z(ctx->arena, parts[0]);
    if (left > 1)
        out->branch = str_z(ctx->arena, parts[first]);
    out->repo = str_z(ctx->arena, parts[first + (left > 1)]);
    if (left > 2)
        out->project = str_z(ctx->arena, parts[first + 2]);
    return OK;
}
