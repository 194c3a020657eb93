/* url.c - see url.h. */
#include "remote/url.h"

#include <ctype.h>

#include "base/text.h"

static const struct {
    const char *scheme;
    RemoteKind kind;
} schemes[] = {
    { "http", REMOTE_HTTP },  { "https", REMOTE_HTTP },       { "s3", REMOTE_S3 },
    { "gs", REMOTE_GS },      { "gcs", REMOTE_GS },           { "minio", REMOTE_MINIO },
    { "az", REMOTE_AZURE },   { "test-minio", REMOTE_MINIO }, { "azblob", REMOTE_AZURE },
    { "wasb", REMOTE_AZURE }, { "file", REMOTE_FILE },
};

/* --- pieces of text --------------------------------------------------------------------------- */

static bool only(Str s, const char *extra)
{
    for (size_t i = 0; i < s.size; i++)
        if (!isalnum((unsigned char)s.data[i]) && !strchr(extra, s.data[i]))
            return false;
    return s.size > 0 && !memchr(s.data, '\0', s.size);
}

/* Percent-decoded in the arena; false for a bad escape or a NUL. */
static bool decode(Ctx *ctx, Str s, const char **out)
{
    char *text = arena_must(ctx->arena, s.size + 1), *end = text;
    for (size_t i = 0; i < s.size; i++, end++) {
        *end = s.data[i];
        if (*end == '%') {
            if (!hex_decode(str_sub(s, i + 1, i + 3), end, 1))
                return false;
            i += 2;
        }
        if (!*end)
            return false;
    }
    *out = text;
    return true;
}

void remote_encode(Buf *out, Str text, bool keep_slashes)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c && (isalnum((unsigned char)c) || strchr("-._~", c) || (keep_slashes && c == '/')))
            buf_add_u8(out, (uint8_t)c);
        else
            buf_printf(out, "%%%02X", (uint8_t)c);
    }
}

bool remote_param_next(Ctx *ctx, Str *params, const char **out_name, const char **out_value)
{
    while (params->size) {
        Str value = str_cut(params, '&');
        Str name = str_cut(&value, '=');
        if (name.size && decode(ctx, name, out_name) && decode(ctx, value, out_value))
            return true;
    }
    return false;
}

/* --- any URL ---------------------------------------------------------------------------------- */

typedef struct Parts {
    const char *url; /* whole */
    const char *scheme;
    Str authority, path, params;
} Parts;

static Status wrong(Ctx *ctx, const char *url, const char *what)
{
    return FAIL(ctx, INVALID_ARGUMENT, "malformed URL \"%s\": %s", remote_url_shown(ctx, url),
                what);
}

/* The scheme, in lower case; what is no URL has the scheme "". */
static const char *take_scheme(Ctx *ctx, Str *rest)
{
    size_t colon = str_find(*rest, ':');
    Str scheme = str_sub(*rest, 0, colon);
    if (!str_starts(str_sub(*rest, colon, rest->size), STR("://")) || !only(scheme, "+-."))
        return "";
    char *lower = str_z(ctx->arena, scheme);
    for (char *c = lower; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    *rest = str_sub(*rest, colon + 3, rest->size);
    return lower;
}

static Status take_apart(Ctx *ctx, const char *url, Parts *out)
{
    Str rest = str(url);
    *out = (Parts){ .url = url, .scheme = take_scheme(ctx, &rest) };
    if (rest.size > REMOTE_URL_BYTES_MAX)
        return wrong(ctx, url, "it is too long");
    for (size_t i = 0; i < rest.size; i++)
        if ((unsigned char)rest.data[i] < ' ' || rest.data[i] == 0x7f)
            return wrong(ctx, url, "it has a control character");
    rest = str_cut(&rest, '#');
    Str params = rest;
    rest = str_cut(&params, '?');
    size_t slash = str_find(rest, '/');
    out->authority = str_sub(rest, 0, slash);
    out->path = str_sub(rest, slash, rest.size);
    out->params = params;
    return OK;
}

const char *remote_url_shown(Ctx *ctx, const char *url)
{
    Str rest = str_sub(str(url), 0, 2 * REMOTE_URL_BYTES_MAX);
    Str scheme = str_sub(rest, 0, str_find(rest, ':'));
    if (!str_starts(str_sub(rest, scheme.size, rest.size), STR("://")))
        return str_z(ctx->arena, rest);
    rest = str_sub(rest, scheme.size + 3, rest.size);
    rest = str_sub(rest, 0, str_find_any(rest, "?#"));
    Str host = str_sub(rest, 0, str_find(rest, '/'));
    bool names_container = str_eq_c(scheme, "wasb"); /* container@account: no secret */
    for (size_t at; !names_container && (at = str_find(host, '@')) < host.size;) {
        host = str_sub(host, at + 1, host.size);
        rest = str_sub(rest, at + 1, rest.size);
    }
    return text_printf(ctx->arena, STR_FMT "://" STR_FMT, STR_ARG(scheme), STR_ARG(rest));
}

const char *remote_key_join(Ctx *ctx, const char *key, Str path)
{
    path = str_trim(path, "/");
    return text_printf(ctx->arena, "%s%s" STR_FMT, key, *key && path.size ? "/" : "",
                       STR_ARG(path));
}

/* --- each kind -------------------------------------------------------------------------------- */

static Status set_key(Ctx *ctx, const Parts *parts, Str path, RemoteUrl *out)
{
    const char *key;
    if (!decode(ctx, path, &key))
        return wrong(ctx, parts->url, "its path has a bad percent-escape");
    out->key = str_z(ctx->arena, str_trim(str(key), "/"));
    return OK;
}

static Status set_bucket(Ctx *ctx, const Parts *parts, Str bucket, RemoteUrl *out)
{
    if (!only(bucket, "-._$"))
        return wrong(ctx, parts->url, "it names no valid bucket");
    out->bucket = str_z(ctx->arena, bucket);
    return OK;
}

static Status set_params(Ctx *ctx, const Parts *parts, RemoteUrl *out)
{
    Str params = parts->params;
    const char *name, *value;
    while (remote_param_next(ctx, &params, &name, &value)) {
        if (strcmp(name, "region") != 0)
            return wrong(ctx, parts->url,
                         text_printf(ctx->arena, "its parameter '%s' is not known", name));
        if (!only(str(value), "-"))
            return wrong(ctx, parts->url, "it names no valid region");
        out->region = value;
    }
    return OK;
}

static Status parse_http(Ctx *ctx, const Parts *parts, RemoteUrl *out)
{
    (void)out;
    return parts->authority.size ? OK : wrong(ctx, parts->url, "it names no host");
}

static Status parse_bucket(Ctx *ctx, const Parts *parts, RemoteUrl *out)
{
    TRY(set_bucket(ctx, parts, parts->authority, out));
    TRY(set_params(ctx, parts, out));
    return set_key(ctx, parts, parts->path, out);
}

static Status parse_minio(Ctx *ctx, const Parts *parts, RemoteUrl *out)
{
    if (!only(parts->authority, "-.:[]"))
        return wrong(ctx, parts->url, "it names no valid host");
    out->host = str_z(ctx->arena, parts->authority);
    Str key = str_sub(parts->path, 1, parts->path.size);
    TRY(set_bucket(ctx, parts, str_cut(&key, '/'), out));
    TRY(set_params(ctx, parts, out));
    return set_key(ctx, parts, key, out);
}

static Status parse_azure(Ctx *ctx, const Parts *parts, RemoteUrl *out)
{
    Str account = parts->authority;
    Str container = str_cut(&account, '@');
    if (account.size && !only(account, "-."))
        return wrong(ctx, parts->url, "it names no valid account");
    out->host = str_z(ctx->arena, str_sub(account, 0, str_find(account, '.')));
    TRY(set_bucket(ctx, parts, container, out));
    TRY(set_params(ctx, parts, out));
    return set_key(ctx, parts, parts->path, out);
}

static Status parse_file(Ctx *ctx, const Parts *parts, RemoteUrl *out)
{
    if (parts->authority.size || !str_starts(parts->path, STR("/")))
        return wrong(ctx, parts->url, "it does not name an absolute path");
    TRY(set_key(ctx, parts, parts->path, out));
    out->key = text_printf(ctx->arena, "/%s", out->key);
    return OK;
}

static Status (*const parsers[])(Ctx *, const Parts *, RemoteUrl *) = {
    [REMOTE_HTTP] = parse_http,   [REMOTE_S3] = parse_bucket,   [REMOTE_GS] = parse_bucket,
    [REMOTE_MINIO] = parse_minio, [REMOTE_AZURE] = parse_azure, [REMOTE_FILE] = parse_file,
};

Status remote_url_parse(Ctx *ctx, const char *url, RemoteUrl *out)
{
    Parts parts;
    *out = (RemoteUrl){ .host = "", .bucket = "", .key = "", .region = "" };
    TRY(take_apart(ctx, url, &parts));
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (strcmp(schemes[i].scheme, parts.scheme) != 0)
            continue;
        out->kind = schemes[i].kind;
        out->scheme = parts.scheme;
        return parsers[out->kind](ctx, &parts, out);
    }
    return FAIL(ctx, UNKNOWN, "unrecognized object store: %s", parts.scheme);
}

/* --- databases -------------------------------------------------------------------------------- */

static const struct {
    const char *scheme, *name;
} databases[] = { { "postgres", "postgres" }, { "postgresql", "postgres" }, { "mysql", "mysql" } };

/* [user[:password]@]host[:port]; an address of IPv6 stands in brackets. */
static bool set_server(Ctx *ctx, Str authority, RemoteDbUrl *out)
{
    Str host = authority, user = STR("");
    for (size_t at; (at = str_find(host, '@')) < host.size;) {
        host = str_sub(host, at + 1, host.size);
        user = str_sub(authority, 0, authority.size - host.size - 1);
    }
    Str password = user, port = host;
    user = str_cut(&password, ':');
    if (str_starts(host, STR("["))) {
        host = str_cut(&port, ']');
        host = str_sub(host, 1, host.size);
        str_cut(&port, ':');
    } else {
        host = str_cut(&port, ':');
    }
    return only(host, "-.:_") && (!port.size || only(port, "")) && decode(ctx, user, &out->user) &&
           decode(ctx, password, &out->password) && decode(ctx, host, &out->host) &&
           decode(ctx, port, &out->port);
}

Status remote_db_url_parse(Ctx *ctx, const char *url, RemoteDbUrl *out)
{
    Parts parts;
    *out = (RemoteDbUrl){ 0 };
    TRY(take_apart(ctx, url, &parts));
    for (size_t i = 0; i < ARRAY_LEN(databases); i++)
        if (strcmp(databases[i].scheme, parts.scheme) == 0)
            out->scheme = databases[i].name;
    if (!out->scheme)
        return FAIL(ctx, UNKNOWN, "database protocol \"%s\" not supported", parts.scheme);
    if (!set_server(ctx, parts.authority, out))
        return wrong(ctx, url, "it names no valid server");
    if (!decode(ctx, str_trim(parts.path, "/"), &out->name) || !*out->name)
        return wrong(ctx, url, "it names no database");
    out->params = str_z(ctx->arena, parts.params);
    return OK;
}
