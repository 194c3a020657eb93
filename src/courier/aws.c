/* aws.c - see aws.h. */
#include "courier/aws.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/text.h"

/* The first of the variables that is set; "" when none is. */
static const char *env(const char *name, const char *other)
{
    const char *value = getenv(name);
    if ((!value || !*value) && other)
        value = getenv(other);
    return value ? value : "";
}

static const char *either(const char *first, const char *second)
{
    return *first ? first : second;
}

/* --- ~/.aws ----------------------------------------------------------------------------------- */

const char *ini_value(Ctx *ctx, Str text, const char *section, const char *name)
{
    bool inside = false;
    while (text.size) {
        size_t end = str_find(text, '\n');
        Str line = str_trim(str_sub(text, 0, end), " \t\r");
        text = str_sub(text, end + 1, text.size);
        if (str_starts(line, STR("["))) {
            inside = str_eq_c(str_trim(str_sub(line, 1, str_find(line, ']')), " \t\r"), section);
            continue;
        }
        size_t equals = str_find(line, '=');
        if (inside && str_eq_c(str_trim(str_sub(line, 0, equals), " \t\r"), name))
            return str_z(ctx->arena, str_trim(str_sub(line, equals + 1, line.size), " \t\r"));
    }
    return "";
}

/* A value of a file of ~/.aws; `section` stands before the profile's name where it is not the
 * default one. */
static const char *file_value(Ctx *ctx, const char *variable, const char *file, const char *section,
                              const char *name)
{
    const char *path = env(variable, NULL), *home = env("HOME", NULL);
    const char *profile = either(env("AWS_PROFILE", NULL), "default");
    if (!*path && !*home)
        return "";
    if (!*path)
        path = text_printf(ctx->arena, "%s/.aws/%s", home, file);
    if (strcmp(profile, "default") != 0)
        profile = text_printf(ctx->arena, "%s%s", section, profile);
    Buf text = { 0 };
    Status s = file_read_path(ctx, path, &text); /* one that cannot be read is none */
    const char *value = status_ok(s) ? ini_value(ctx, buf_str(&text), profile, name) : "";
    buf_done(&text);
    return value;
}

static const char *credential(Ctx *ctx, const char *name)
{
    return file_value(ctx, "AWS_SHARED_CREDENTIALS_FILE", "credentials", "", name);
}

static const char *setting(Ctx *ctx, const char *name)
{
    return file_value(ctx, "AWS_CONFIG_FILE", "config", "profile ", name);
}

/* --- each kind of store ----------------------------------------------------------------------- */

static AwsKeys aws_keys(Ctx *ctx)
{
    AwsKeys keys = { env("AWS_ACCESS_KEY_ID", NULL), env("AWS_SECRET_ACCESS_KEY", NULL),
                     env("AWS_SESSION_TOKEN", NULL) };
    if (!*keys.id)
        keys = (AwsKeys){ credential(ctx, "aws_access_key_id"),
                          credential(ctx, "aws_secret_access_key"),
                          credential(ctx, "aws_session_token") };
    return keys;
}

static const char *with_scheme(Ctx *ctx, const char *endpoint, bool plain)
{
    if (strstr(endpoint, "://"))
        return endpoint;
    return text_printf(ctx->arena, "%s://%s", plain ? "http" : "https", endpoint);
}

static bool is_true(const char *value)
{
    return strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
}

/* "" for Amazon's own. */
static const char *aws_endpoint(Ctx *ctx)
{
    const char *endpoint =
        either(env("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
               either(env("CUSTOM_ENDPOINT", NULL), setting(ctx, "endpoint_url")));
    return *endpoint ? with_scheme(ctx, endpoint, is_true(env("DISABLE_SSL", NULL))) : "";
}

/* endpoint/bucket, without a slash between that is one too many. */
static const char *path_style(Ctx *ctx, const char *endpoint, const char *bucket)
{
    Str base = str(endpoint);
    while (str_ends(base, STR("/")))
        base.size--;
    return text_printf(ctx->arena, STR_FMT "/%s", STR_ARG(base), bucket);
}

/* A bucket's name is part of the host's where Amazon's certificates cover that. */
static Status aws_bucket(Ctx *ctx, const RemoteUrl *url, S3Bucket *out)
{
    const char *endpoint = aws_endpoint(ctx);
    out->keys = aws_keys(ctx);
    if (*endpoint)
        out->base = path_style(ctx, endpoint, url->bucket);
    else if (strchr(url->bucket, '.'))
        out->base =
            text_printf(ctx->arena, "https://s3.%s.amazonaws.com/%s", out->region, url->bucket);
    else
        out->base =
            text_printf(ctx->arena, "https://%s.s3.%s.amazonaws.com", url->bucket, out->region);
    return OK;
}

static Status gs_bucket(Ctx *ctx, const RemoteUrl *url, S3Bucket *out)
{
    const char *endpoint =
        either(env("GS_ENDPOINT_URL", "STORAGE_EMULATOR_HOST"), "https://storage.googleapis.com");
    out->keys = (AwsKeys){ env("GS_ACCESS_KEY_ID", NULL), env("GS_SECRET_ACCESS_KEY", NULL), "" };
    out->base = path_style(ctx, with_scheme(ctx, endpoint, true), url->bucket);
    return OK;
}

/* Users choose the host: what is configured for one is not for another. */
static Status minio_bucket(Ctx *ctx, const RemoteUrl *url, S3Bucket *out)
{
    const char *own = env("MINIO_ENDPOINT", NULL), *scheme = strstr(own, "://");
    if (scheme)
        own = scheme + 3;
    if (*own && strcmp(own, url->host) != 0)
        return FAIL(ctx, PERMISSION_DENIED, "%s://%s is not this server's MINIO_ENDPOINT",
                    url->scheme, url->host);
    bool plain = !is_true(env("MINIO_SECURE", NULL));
    out->keys = (AwsKeys){ either(env("MINIO_ID", NULL), "minioadmin"),
                           either(env("MINIO_SECRET", NULL), "minioadmin"), "" };
    out->base = path_style(ctx, with_scheme(ctx, url->host, plain), url->bucket);
    return OK;
}

Status s3_bucket(Ctx *ctx, const RemoteUrl *url, const char *region, S3Bucket *out)
{
    region = either(region, url->region);
    if (!*region && url->kind == REMOTE_S3)
        region = either(env("AWS_REGION", "AWS_DEFAULT_REGION"), setting(ctx, "region"));
    *out = (S3Bucket){ .region = either(region, "us-east-1") };
    if (url->kind == REMOTE_GS)
        return gs_bucket(ctx, url, out);
    return url->kind == REMOTE_MINIO ? minio_bucket(ctx, url, out) : aws_bucket(ctx, url, out);
}
