/* s3.c - buckets of Amazon S3 and what speaks its dialect.
 *
 * An object that is larger than a part is written in parts, each held in memory until the store has
 * it: so each can be tried again. The last request of that makes the object appear. */
#include <openssl/sha.h>
#include <stdio.h>

#include "base/text.h"
#include "courier/aws.h"
#include "courier/http.h"
#include "courier/listing.h"
#include "courier/parts.h"

typedef struct S3 {
    Transfer *transfer;
    S3Bucket bucket;
    Http http; /* the request at work */
} S3;

/* --- one request ------------------------------------------------------------------------------ */

static Status sign(const void *arg, Http *http, CURL *curl)
{
    const S3Bucket *bucket = arg;
    uint8_t hash[SHA256_DIGEST_LENGTH];
    char text[32 + 2 * SHA256_DIGEST_LENGTH + 1] = "x-amz-content-sha256: ";
    SHA256(http->body.data, http->body.size, hash);
    hex_encode(hash, sizeof(hash), text + strlen(text));
    http_add_attempt_header(http, text);
    Arena *arena = http->transfer->ctx->arena;
    if (*bucket->keys.token)
        http_add_attempt_header(http,
                                text_printf(arena, "x-amz-security-token: %s", bucket->keys.token));
    curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, text_printf(arena, "aws:amz:%s:s3", bucket->region));
    curl_easy_setopt(curl, CURLOPT_USERNAME, bucket->keys.id);
    curl_easy_setopt(curl, CURLOPT_PASSWORD, bucket->keys.secret);
    return OK;
}

/* key NULL: the bucket. query: names sorted, values encoded, as they are signed; "" is none. */
static const char *url_of(Ctx *ctx, const S3Bucket *bucket, const char *key, const char *query)
{
    Buf url = { 0 };
    buf_printf(&url, "%s/", bucket->base);
    remote_encode(&url, str(key), true);
    buf_printf(&url, "%s%s", *query ? "?" : "", query);
    const char *text = str_z(ctx->arena, buf_str(&url));
    buf_done(&url);
    return text;
}

static void prepare(S3 *s3, const char *method, const char *doing, const char *key,
                    const char *query)
{
    http_done(&s3->http);
    bool is_known = *s3->bucket.keys.id;
    s3->http = (Http){ .transfer = s3->transfer,
                       .method = method,
                       .doing = doing,
                       .url = url_of(s3->transfer->ctx, &s3->bucket, key, query),
                       .sign = is_known ? sign : NULL,
                       .signer = &s3->bucket };
}

static void set_body(S3 *s3, Bytes body, const char *type)
{
    s3->http.body = body;
    s3->http.has_body = true;
    http_add_header(&s3->http, "Content-Type: %s", type);
}

static Status s3_open(Transfer *transfer, S3 *out)
{
    *out = (S3){ .transfer = transfer };
    return s3_bucket(transfer->ctx, &transfer->at, "", &out->bucket);
}

static void s3_done(S3 *s3)
{
    http_done(&s3->http);
}

/* The bucket is elsewhere, and the answer says where: then *out_again, with the place changed. */
static Status follow_region(S3 *s3, Status s, bool *out_again)
{
    const char *region = s3->http.region;
    *out_again = !status_ok(s) && *region && strcmp(region, s3->bucket.region) != 0;
    if (!*out_again)
        return s;
    Ctx *ctx = s3->transfer->ctx;
    return s3_bucket(ctx, &s3->transfer->at, arena_strdup(ctx->arena, region), &s3->bucket);
}

/* --- get, list, delete ------------------------------------------------------------------------ */

static Status get(Transfer *transfer)
{
    CLEANUP(s3_done) S3 s3;
    TRY(s3_open(transfer, &s3));
    for (bool again = true; again;) {
        prepare(&s3, "GET", "retrieving content from", transfer->key, "");
        TRY(follow_region(&s3, http_get(&s3.http, "If-Match"), &again));
    }
    return OK;
}

static Status say_object(void *arg, Str key, uint64_t size)
{
    return transfer_say_object(arg, key, size);
}

static const char *page_query(Ctx *ctx, const char *prefix, Str token)
{
    Buf query = { 0 };
    if (token.size) {
        buf_printf(&query, "continuation-token=");
        remote_encode(&query, token, false);
        buf_add_u8(&query, '&');
    }
    buf_printf(&query, "list-type=2&prefix=");
    remote_encode(&query, str(prefix), false);
    const char *text = str_z(ctx->arena, buf_str(&query));
    buf_done(&query);
    return text;
}

/* A page; *token, where it begins, becomes where the next one does: empty after the last. */
static Status list_page(S3 *s3, Buf *token, bool *out_elsewhere)
{
    Transfer *transfer = s3->transfer;
    Ctx *ctx = transfer->ctx;
    ListingPage page = { .object = say_object, .arg = transfer };
    prepare(s3, "GET", "listing", "", page_query(ctx, transfer->key, buf_str(token)));
    TRY(follow_region(s3, http_run(&s3->http), out_elsewhere));
    if (*out_elsewhere)
        return OK;
    TRY_WRAP(ctx, listing_read(ctx, buf_bytes(&s3->http.answer), &page), "error listing \"%s\"",
             transfer->shown);
    buf_clear(token);
    buf_add_str(token, str(page.next));
    return OK;
}

static Status list(Transfer *transfer)
{
    CLEANUP(s3_done) S3 s3;
    CLEANUP(buf_done) Buf token = { 0 };
    bool elsewhere;
    TRY(s3_open(transfer, &s3));
    do {
        ArenaMark mark = arena_mark(transfer->ctx->arena);
        TRY(list_page(&s3, &token, &elsewhere));
        if (!elsewhere)
            arena_rewind(transfer->ctx->arena, mark);
    } while (token.size || elsewhere);
    return OK;
}

static Status delete_object(Transfer *transfer)
{
    CLEANUP(s3_done) S3 s3;
    TRY(s3_open(transfer, &s3));
    for (bool again = true; again;) {
        prepare(&s3, "DELETE", "deleting", transfer->key, "");
        Status s = http_run(&s3.http);
        if (s.code == STATUS_NOT_FOUND && s3.http.status == 404)
            return OK;
        TRY(follow_region(&s3, s, &again));
    }
    return OK;
}

/* --- put -------------------------------------------------------------------------------------- */

static const char writing[] = "writing to";

static Status put_whole(void *arg, Bytes body)
{
    S3 *s3 = arg;
    for (bool again = true; again;) {
        prepare(s3, "PUT", writing, s3->transfer->key, "");
        set_body(s3, body, "application/octet-stream");
        TRY(follow_region(s3, http_run(&s3->http), &again));
    }
    return OK;
}

static Status begin_parts(void *arg, const char **out_id)
{
    S3 *s3 = arg;
    Ctx *ctx = s3->transfer->ctx;
    for (bool again = true; again;) {
        prepare(s3, "POST", writing, s3->transfer->key, "uploads=");
        set_body(s3, bytes(NULL, 0), "application/octet-stream");
        TRY(follow_region(s3, http_run(&s3->http), &again));
    }
    Buf id = { 0 };
    remote_encode(&id, str(listing_text(ctx, buf_bytes(&s3->http.answer), "UploadId")), false);
    *out_id = str_z(ctx->arena, buf_str(&id));
    buf_done(&id);
    return **out_id ? OK
                    : FAIL(ctx, UNKNOWN, "error writing to \"%s\": it gave no id for parts",
                           s3->transfer->shown);
}

static Status put_part(void *arg, const char *id, int number, Bytes body, Buf *parts)
{
    S3 *s3 = arg;
    Ctx *ctx = s3->transfer->ctx;
    prepare(s3, "PUT", writing, s3->transfer->key,
            text_printf(ctx->arena, "partNumber=%d&uploadId=%s", number, id));
    set_body(s3, body, "application/octet-stream");
    TRY(http_run(&s3->http));
    Str tag = str(s3->http.etag); /* quoted */
    buf_printf(parts,
               "<Part><PartNumber>%d</PartNumber><ETag>&quot;" STR_FMT "&quot;</ETag></Part>",
               number, STR_ARG(str_sub(tag, 1, MAX(tag.size, 1) - 1)));
    return OK;
}

static Status end_parts(void *arg, const char *id, Str parts)
{
    S3 *s3 = arg;
    Ctx *ctx = s3->transfer->ctx;
    const char *body =
        text_printf(ctx->arena, "<CompleteMultipartUpload>" STR_FMT "</CompleteMultipartUpload>",
                    STR_ARG(parts));
    prepare(s3, "POST", writing, s3->transfer->key, text_printf(ctx->arena, "uploadId=%s", id));
    set_body(s3, str_bytes(str(body)), "application/xml");
    TRY(http_run(&s3->http));
    const char *error = listing_error(ctx, buf_bytes(&s3->http.answer)); /* in a "200 OK" */
    return *error
               ? FAIL(ctx, UNAVAILABLE, "error writing to \"%s\": %s", s3->transfer->shown, error)
               : OK;
}

static void drop_parts(void *arg, const char *id)
{
    S3 *s3 = arg;
    prepare(s3, "DELETE", writing, s3->transfer->key,
            text_printf(s3->transfer->ctx->arena, "uploadId=%s", id));
    Status s = http_try(&s3->http);
    (void)s; /* the bucket's own rules clean up what stays */
}

static Status put(Transfer *transfer)
{
    CLEANUP(s3_done) S3 s3;
    static const PartsOps ops = { put_whole, begin_parts, put_part, end_parts, drop_parts };
    TRY(s3_open(transfer, &s3));
    return parts_put(transfer, &ops, &s3);
}

const PlaceOps place_s3 = { get, list, put, delete_object };
