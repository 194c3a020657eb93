/* request.c - what a request's first line says. */
#include "codec/percent.h"
#include "s3/s3_priv.h"

const char *s3_param(const S3Request *request, const char *name)
{
    return sign_param(&request->query, name);
}

const char *s3_text_param(const S3Request *request, const char *name)
{
    const char *value = s3_param(request, name);
    return value ? value : "";
}

const char *s3_header(const S3Request *request, const char *name)
{
    const char *value = wire_http_header(request->http, name, 0);
    return value ? value : "";
}

Status s3_number_param(S3Request *request, const char *name, int64_t min, int64_t max,
                       int64_t normal, int64_t *out)
{
    const char *text = s3_param(request, name);
    *out = normal;
    if (!text || !*text)
        return OK;
    if (!str_to_i64(str(text), out) || *out < min || *out > max)
        return s3_refuse(request, S3_INVALID_ARGUMENT);
    return OK;
}

#define PARAMS_MAX 256

static bool parse_param(Ctx *ctx, Str text, S3Param *out)
{
    size_t equals = str_find(text, '=');
    Str name, value;
    if (!percent_decode(ctx, str_sub(text, 0, equals), true, &name) ||
        !percent_decode(ctx, str_sub(text, equals + 1, text.size), true, &value))
        return false;
    *out = (S3Param){ name.data, value.data };
    return true;
}

static Status parse_query(S3Request *request, Str text)
{
    Ctx *ctx = request->ctx;
    request->query.items = arena_must(ctx->arena, PARAMS_MAX * sizeof(S3Param));
    while (text.size) {
        Str param = str_sub(text, 0, str_find(text, '&'));
        text = str_sub(text, param.size + 1, text.size);
        if (!param.size)
            continue;
        if (request->query.n == PARAMS_MAX ||
            !parse_param(ctx, param, &request->query.items[request->query.n++]))
            return s3_refuse(request, S3_INVALID_ARGUMENT);
    }
    return OK;
}

#define BUCKET_BYTES_MAX 255

static bool is_bucket_name(Str name)
{
    for (size_t i = 0; i < name.size; i++) {
        unsigned char c = (unsigned char)name.data[i];
        bool is_alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_alnum && !strchr("-_.", c))
            return false;
    }
    return name.size > 0 && name.size <= BUCKET_BYTES_MAX;
}

Status s3_parse_target(S3Request *request, Str target)
{
    Str path;
    size_t mark = str_find(target, '?');
    request->raw_path = str_sub(target, 0, mark);
    request->bucket = request->key = "";
    if (!percent_decode(request->ctx, request->raw_path, false, &path) || path.data[0] != '/')
        return s3_refuse(request, S3_INVALID_BUCKET_NAME);
    TRY(parse_query(request, str_sub(target, mark + 1, target.size)));
    if (path.size == 1)
        return OK;
    Str bucket = str_sub(path, 1, 1 + str_find(str_sub(path, 1, path.size), '/'));
    if (!is_bucket_name(bucket))
        return s3_refuse(request, S3_INVALID_BUCKET_NAME);
    request->bucket = str_z(request->ctx->arena, bucket);
    request->key = str_z(request->ctx->arena, str_sub(path, bucket.size + 2, path.size));
    return OK;
}

/* Has no empty, "." or ".." part. */
static bool is_clean(Str key)
{
    for (size_t at = 0; at <= key.size;) {
        Str rest = str_sub(key, at, key.size);
        Str part = str_sub(rest, 0, str_find(rest, '/'));
        if (!part.size || str_eq_c(part, ".") || str_eq_c(part, ".."))
            return false;
        at += part.size + 1;
    }
    return true;
}

bool s3_key_path(S3Request *request, const char *key, Str *out)
{
    Str text = str(key);
    if (str_ends(text, STR("/")))
        text.size--;
    if (!is_clean(text))
        return false;
    *out = str(text_printf(request->ctx->arena, "/" STR_FMT, STR_ARG(text)));
    return true;
}
