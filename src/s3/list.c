/* list.c - listing objects, in the first and the second way. */
#include "codec/base64.h"
#include "codec/percent.h"
#include "s3/s3_priv.h"

#define KEYS_DEFAULT 1000
#define KEYS_MAX     5000

typedef struct List {
    S3Request *request;
    bool v2, url_encoded, owner;
    bool flat;          /* delimiter "/" */
    const char *prefix; /* as given */
    const char *after;  /* keys up to this one are skipped */
    int64_t max, n;
    bool truncated;
    int64_t modified_ns;
    const char *last; /* key or prefix listed last */
    Ctx keys;         /* keeps `last` */
    Buf contents, prefixes;
} List;

static void list_done(List *list)
{
    ctx_done(&list->keys);
    buf_done(&list->contents);
    buf_done(&list->prefixes);
}

static void write_key(const List *list, Buf *xml, const char *element, Str key)
{
    CLEANUP(buf_done) Buf encoded = { 0 };
    if (list->url_encoded)
        percent_encode(&encoded, key, "/");
    xml_text(xml, element, list->url_encoded ? buf_str(&encoded) : key);
}

static void write_prefix(List *list, Str key)
{
    xml_open(&list->prefixes, "CommonPrefixes", NULL);
    write_key(list, &list->prefixes, "Prefix", key);
    if (!list->v2)
        s3_write_owner(&list->prefixes, "Owner");
    xml_close(&list->prefixes, "CommonPrefixes");
}

static void write_object(Ctx *ctx, List *list, Str key, const PfsMatch *match)
{
    Buf *xml = &list->contents;
    xml_open(xml, "Contents", NULL);
    write_key(list, xml, "Key", key);
    s3_write_time(xml, "LastModified", list->modified_ns);
    xml_text(xml, "ETag", str(s3_etag(ctx, &match->hash)));
    xml_number(xml, "Size", (int64_t)match->size);
    xml_text(xml, "StorageClass", STR("STANDARD"));
    if (list->owner)
        s3_write_owner(xml, "Owner");
    xml_close(xml, "Contents");
}

static Status take(void *arg, Ctx *ctx, const PfsMatch *match, bool *out_done)
{
    List *list = arg;
    if (list->n == list->max) {
        list->truncated = list->max > 0;
        *out_done = true;
        return OK;
    }
    Str key = str_sub(match->path, 1, match->path.size);
    if (match->is_dir)
        write_prefix(list, key);
    else
        write_object(ctx, list, key, match);
    list->n++;
    if (list->n == list->max)
        list->last = str_z(list->keys.arena, key);
    return OK;
}

static Status read_keys(List *list)
{
    S3Bucket bucket;
    PfsView view;
    bool empty;
    Ctx *ctx = list->request->ctx;
    TRY(s3_find_bucket(list->request, &bucket));
    TRY(s3_open_bucket(list->request, &bucket, &view, &empty));
    if (empty)
        return OK;
    list->modified_ns = view.committed_ns;
    const char *prefix = *list->prefix == '/' ? list->prefix + 1 : list->prefix;
    const PfsPrefix wanted = {
        .prefix = str(text_printf(ctx->arena, "/%s", prefix)),
        .after = *list->after ? str(text_printf(ctx->arena, "/%s", list->after)) : STR(""),
        .flat = list->flat,
    };
    return pfs_view_prefix(ctx, &view, &wanted, take, list);
}

/* --- what is asked ---------------------------------------------------------------------------- */

/* Where a listing goes on: the key listed last, so that no state is kept. */
static Status read_token(List *list)
{
    Bytes key;
    Str token = str(s3_text_param(list->request, "continuation-token"));
    list->after = s3_text_param(list->request, "start-after");
    if (!token.size)
        return OK;
    if (!base64_decode(list->request->ctx, token, &key))
        return s3_refuse_with(list->request, S3_INVALID_ARGUMENT,
                              "The continuation token provided is incorrect");
    list->after = str_z(list->request->ctx->arena, bytes_str(key));
    return OK;
}

static Status read_params(List *list)
{
    S3Request *request = list->request;
    const char *delimiter = s3_text_param(request, "delimiter");
    list->v2 = strcmp(s3_text_param(request, "list-type"), "2") == 0;
    list->url_encoded = strcmp(s3_text_param(request, "encoding-type"), "url") == 0;
    list->owner = !list->v2 || strcmp(s3_text_param(request, "fetch-owner"), "true") == 0;
    list->prefix = s3_text_param(request, "prefix");
    list->flat = strcmp(delimiter, "/") == 0;
    if (*delimiter && !list->flat)
        return s3_refuse(request, S3_INVALID_DELIMITER);
    TRY(s3_number_param(request, "max-keys", 0, KEYS_MAX, KEYS_DEFAULT, &list->max));
    if (list->v2)
        return read_token(list);
    list->after = s3_text_param(request, "marker");
    return OK;
}

/* --- the answer ------------------------------------------------------------------------------- */

static void write_token(const List *list, Buf *xml, const char *element, const char *key)
{
    CLEANUP(buf_done) Buf token = { 0 };
    base64_encode_url(str_bytes(str(key)), &token);
    xml_text(xml, element, buf_str(&token));
    (void)list;
}

static void write_v1(const List *list, Buf *xml)
{
    write_key(list, xml, "Marker", str(list->after));
    if (list->truncated)
        write_key(list, xml, "NextMarker", str(list->last));
}

static void write_v2(const List *list, Buf *xml)
{
    const char *token = s3_text_param(list->request, "continuation-token");
    const char *start_after = s3_text_param(list->request, "start-after");
    xml_number(xml, "KeyCount", list->n);
    if (*token)
        xml_text(xml, "ContinuationToken", str(token));
    if (*start_after)
        write_key(list, xml, "StartAfter", str(start_after));
    if (list->truncated)
        write_token(list, xml, "NextContinuationToken", list->last);
}

static Status answer(const List *list)
{
    CLEANUP(buf_done) Buf xml = { 0 };
    xml_begin(&xml);
    xml_open(&xml, "ListBucketResult", S3_NAMESPACE);
    buf_add_bytes(&xml, buf_bytes(&list->contents));
    buf_add_bytes(&xml, buf_bytes(&list->prefixes));
    if (list->flat)
        xml_text(&xml, "Delimiter", STR("/"));
    if (list->url_encoded)
        xml_text(&xml, "EncodingType", STR("url"));
    xml_text(&xml, "IsTruncated", str(list->truncated ? "true" : "false"));
    if (list->v2)
        write_v2(list, &xml);
    else
        write_v1(list, &xml);
    xml_number(&xml, "MaxKeys", list->max);
    xml_text(&xml, "Name", str(list->request->bucket));
    write_key(list, &xml, "Prefix", str(list->prefix));
    xml_close(&xml, "ListBucketResult");
    return s3_answer_xml(list->request, 200, &xml);
}

Status s3_list_objects(S3Request *request)
{
    CLEANUP(list_done) List list = { .request = request };
    ctx_scratch(&list.keys, request->ctx);
    TRY(read_params(&list));
    TRY(read_keys(&list));
    return answer(&list);
}
