/* get.c - GetObject and HeadObject. */
#include "base/id.h"
#include "codec/mime.h"
#include "codec/moment.h"
#include "s3/condition.h"
#include "s3/s3_priv.h"

typedef struct Get {
    S3Request *request;
    PfsView view;
    Str path;
    PfsMatch file;
    const char *etag; /* quoted */
    const char *type;
    int64_t modified_s; /* 0: not known */
    S3Range ranges[S3_RANGES_MAX];
    size_t range_count;
    const char *boundary;
} Get;

/* --- finding ---------------------------------------------------------------------------------- */

static Status find(Get *get)
{
    S3Request *request = get->request;
    S3Bucket bucket;
    bool empty;
    TRY(s3_find_bucket(request, &bucket));
    const char *version = s3_param(request, "versionId");
    TRY(s3_pick_version(request, &bucket, version ? version : ""));
    TRY(s3_open_bucket(request, &bucket, &get->view, &empty));
    if (empty || !s3_key_path(request, request->key, &get->path))
        return s3_refuse(request, S3_NO_SUCH_KEY);
    Status found = pfs_view_stat(request->ctx, &get->view, get->path, &get->file);
    if (found.code == STATUS_NOT_FOUND || (status_ok(found) && get->file.is_dir))
        return s3_refuse(request, S3_NO_SUCH_KEY);
    TRY(found);
    get->etag = s3_etag(request->ctx, &get->file.hash);
    get->modified_s = get->view.committed_ns / NS_PER_SEC;
    s3_set_header(request, "x-amz-version-id", bucket.version_id);
    return OK;
}

/* --- headers ---------------------------------------------------------------------------------- */

static Status take_start(void *arg, Ctx *ctx, Bytes piece)
{
    const char **type = arg;
    (void)ctx;
    *type = mime_of_content(piece);
    return OK;
}

static Status find_type(Get *get)
{
    get->type = mime_of_name(get->path);
    if (get->type)
        return OK;
    get->type = mime_of_content((Bytes){ 0 });
    return pfs_view_read(get->request->ctx, &get->view, get->path, 0, MIME_SNIFF_BYTES, take_start,
                         &get->type);
}

/* Parameters by which a client says what headers it wants to be told. */
static const struct {
    const char *param, *header;
} overrides[] = {
    { "response-cache-control", "cache-control" },
    { "response-content-disposition", "content-disposition" },
    { "response-content-encoding", "content-encoding" },
    { "response-content-language", "content-language" },
    { "response-expires", "expires" },
};

static void set_headers(const Get *get)
{
    S3Request *request = get->request;
    char modified[MOMENT_TEXT_SIZE] = "";
    if (get->modified_s)
        moment_format_http(get->modified_s, modified);
    s3_set_header(request, "etag", get->etag);
    s3_set_header(request, "last-modified", modified);
    s3_set_header(request, "accept-ranges", "bytes");
    for (size_t i = 0; i < ARRAY_LEN(overrides); i++) {
        const char *value = s3_param(request, overrides[i].param);
        s3_set_header(request, overrides[i].header, value ? value : "");
    }
}

static const char *type_of(const Get *get)
{
    const char *wanted = s3_param(get->request, "response-content-type");
    return wanted && *wanted ? wanted : get->type;
}

/* --- sending ---------------------------------------------------------------------------------- */

static Status send_piece(void *arg, Ctx *ctx, Bytes piece)
{
    return wire_http_write(ctx, arg, piece);
}

static Status send_range(const Get *get, const S3Range *range)
{
    const S3Request *request = get->request;
    if (strcmp(request->method, "HEAD") == 0)
        return OK;
    return pfs_view_read(request->ctx, &get->view, get->path, range->from, range->size, send_piece,
                         request->http);
}

static Status send_whole(const Get *get)
{
    S3Request *request = get->request;
    s3_set_header(request, "content-type", type_of(get));
    TRY(wire_http_respond(request->ctx, request->http, 200, (int64_t)get->file.size));
    return send_range(get, &(S3Range){ 0, get->file.size });
}

static const char *content_range(const Get *get, const S3Range *range)
{
    return text_printf(
        get->request->ctx->arena, "bytes %llu-%llu/%llu", (unsigned long long)range->from,
        (unsigned long long)(range->from + range->size - 1), (unsigned long long)get->file.size);
}

static Status send_one(const Get *get)
{
    S3Request *request = get->request;
    const S3Range *range = &get->ranges[0];
    s3_set_header(request, "content-type", type_of(get));
    s3_set_header(request, "content-range", content_range(get, range));
    TRY(wire_http_respond(request->ctx, request->http, 206, (int64_t)range->size));
    return send_range(get, range);
}

/* What stands before the bytes of range number i, and after the last one. */
static Str part_head(const Get *get, size_t i)
{
    Arena *arena = get->request->ctx->arena;
    if (i == get->range_count)
        return str(text_printf(arena, "\r\n--%s--\r\n", get->boundary));
    return str(text_printf(arena, "%s--%s\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n",
                           i ? "\r\n" : "", get->boundary, type_of(get),
                           content_range(get, &get->ranges[i])));
}

static Status send_many(Get *get)
{
    S3Request *request = get->request;
    uint64_t size = 0;
    get->boundary = arena_strdup(request->ctx->arena, id_new().text);
    for (size_t i = 0; i <= get->range_count; i++)
        size += part_head(get, i).size + (i < get->range_count ? get->ranges[i].size : 0);
    s3_set_header(
        request, "content-type",
        text_printf(request->ctx->arena, "multipart/byteranges; boundary=%s", get->boundary));
    TRY(wire_http_respond(request->ctx, request->http, 206, (int64_t)size));
    for (size_t i = 0; i <= get->range_count; i++) {
        TRY(wire_http_write(request->ctx, request->http, str_bytes(part_head(get, i))));
        if (i < get->range_count)
            TRY(send_range(get, &get->ranges[i]));
    }
    return OK;
}

static Status refuse_range(const Get *get)
{
    s3_set_header(
        get->request, "content-range",
        text_printf(get->request->ctx->arena, "bytes */%llu", (unsigned long long)get->file.size));
    return s3_refuse(get->request, S3_INVALID_RANGE);
}

static Status send(Get *get)
{
    const S3Request *request = get->request;
    const char *etag =
        str_z(request->ctx->arena, str_sub(str(get->etag), 1, strlen(get->etag) - 1));
    Str range = str(s3_header(request, "range"));
    if (!s3_range_applies(s3_header(request, "if-range"), etag, get->modified_s))
        range = STR("");
    switch (s3_ranges(range, get->file.size, get->ranges, &get->range_count)) {
    case S3_UNSATISFIABLE:
        return refuse_range(get);
    case S3_PART:
        return get->range_count == 1 ? send_one(get) : send_many(get);
    case S3_WHOLE:
    default:
        return send_whole(get);
    }
}

Status s3_get_object(S3Request *request)
{
    Get get = { .request = request };
    TRY(find(&get));
    TRY(find_type(&get));
    set_headers(&get);
    const S3Conditions conditions = {
        .if_match = s3_header(request, "if-match"),
        .if_none_match = s3_header(request, "if-none-match"),
        .if_modified_since = s3_header(request, "if-modified-since"),
        .if_unmodified_since = s3_header(request, "if-unmodified-since"),
    };
    const char *etag = str_z(request->ctx->arena, str_sub(str(get.etag), 1, strlen(get.etag) - 1));
    switch (s3_judge(&conditions, etag, get.modified_s)) {
    case S3_NOT_MODIFIED:
        return s3_answer_empty(request, 304);
    case S3_FAILED:
        return s3_refuse(request, S3_PRECONDITION_FAILED);
    case S3_GO_ON:
    default:
        return send(&get);
    }
}
