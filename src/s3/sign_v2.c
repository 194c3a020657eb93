/* sign_v2.c - AWS Signature Version 2, which old clients use, and others for addresses that they
 * sign ahead. */
#include <stdlib.h>

#include <openssl/hmac.h>

#include "base/text.h"
#include "codec/base64.h"
#include "s3/sign.h"

/* Parameters that are part of the resource. Sorted. */
static const char *const subresources[] = {
    "acl",
    "delete",
    "lifecycle",
    "location",
    "logging",
    "notification",
    "partNumber",
    "policy",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
};

bool sign_v2_parse(Str authorization, Str *out_access_key, Str *out_signature)
{
    if (!str_starts(authorization, STR("AWS ")))
        return false;
    Str text = str_sub(authorization, 4, authorization.size);
    size_t colon = str_find(text, ':');
    *out_access_key = str_sub(text, 0, colon);
    *out_signature = str_sub(text, colon + 1, text.size);
    return out_access_key->size && out_signature->size;
}

static const char *first_header(const SignRequest *request, const char *name)
{
    const char *value = request->header(request->self, name, 0);
    return value ? value : "";
}

typedef struct AmzHeader {
    const char *name, *value;
    size_t order;
} AmzHeader;

static int compare_headers(const void *a, const void *b)
{
    const AmzHeader *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

#define AMZ_HEADERS_MAX 256

/* x-amz-*, sorted; the values of one name together. */
static void add_amz_headers(Ctx *ctx, const SignRequest *request, Buf *out)
{
    AmzHeader *found = arena_must(ctx->arena, AMZ_HEADERS_MAX * sizeof(*found));
    AmzHeader header;
    size_t n = 0;
    for (size_t i = 0; request->header_at(request->self, i, &header.name, &header.value); i++) {
        header.order = i;
        if (str_starts(str(header.name), STR("x-amz-")) && n < AMZ_HEADERS_MAX)
            found[n++] = header;
    }
    qsort(found, n, sizeof(*found), compare_headers);
    for (size_t i = 0; i < n; i++) {
        bool again = i && strcmp(found[i].name, found[i - 1].name) == 0;
        bool last = i + 1 == n || strcmp(found[i].name, found[i + 1].name) != 0;
        buf_printf(out, "%s%s%s%s", again ? "," : found[i].name, again ? "" : ":", found[i].value,
                   last ? "\n" : "");
    }
}

static void add_resource(const SignRequest *request, Buf *out)
{
    char separator = '?';
    buf_add_str(out, request->path);
    for (size_t i = 0; i < ARRAY_LEN(subresources); i++) {
        const char *value = sign_param(&request->query, subresources[i]);
        if (!value)
            continue;
        buf_printf(out, "%c%s%s%s", separator, subresources[i], *value ? "=" : "", value);
        separator = '&';
    }
}

const char *sign_v2(Ctx *ctx, const SignRequest *request, const char *secret, const char *expires)
{
    CLEANUP(buf_done) Buf text = { 0 };
    CLEANUP(buf_done) Buf signature = { 0 };
    const char *date = expires                                ? expires
                       : *first_header(request, "x-amz-date") ? ""
                                                              : first_header(request, "date");
    buf_printf(&text, "%s\n%s\n%s\n%s\n", request->method, first_header(request, "content-md5"),
               first_header(request, "content-type"), date);
    add_amz_headers(ctx, request, &text);
    add_resource(request, &text);
    uint8_t digest[20];
    HMAC(EVP_sha1(), secret, (int)strlen(secret), text.data, text.size, digest, NULL);
    base64_encode(bytes(digest, sizeof(digest)), &signature);
    return str_z(ctx->arena, buf_str(&signature));
}
