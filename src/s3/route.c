/* route.c - which action a request asks for: rows, first match wins. */
#include "s3/s3_priv.h"

typedef enum Scope { SERVICE, BUCKET, OBJECT } Scope;

typedef struct Route {
    Scope scope;
    const char *methods; /* "GET HEAD" */
    const char *param;   /* must be in the query; NULL: nothing */
    const char *header;  /* must be there; NULL: nothing */
    S3Action action;     /* NULL: NotImplemented */
} Route;

static const Route routes[] = {
    { SERVICE, "GET HEAD", NULL, NULL, s3_list_buckets },
    { BUCKET, "GET HEAD", "versioning", NULL, s3_get_versioning },
    { BUCKET, "GET HEAD", "versions", NULL, NULL },
    { BUCKET, "GET HEAD", "uploads", NULL, s3_list_uploads },
    { BUCKET, "GET HEAD", "location", NULL, s3_get_location },
    { BUCKET, "HEAD", NULL, NULL, s3_head_bucket },
    { BUCKET, "GET", NULL, NULL, s3_list_objects },
    { BUCKET, "PUT", "versioning", NULL, s3_put_versioning },
    { BUCKET, "PUT", NULL, NULL, s3_create_bucket },
    { BUCKET, "DELETE", NULL, NULL, s3_delete_bucket },
    { BUCKET, "POST", "delete", NULL, s3_delete_objects },
    { BUCKET, "POST", NULL, NULL, NULL },
    { OBJECT, "GET HEAD", "uploadId", NULL, s3_list_parts },
    { OBJECT, "POST", "uploads", NULL, s3_create_upload },
    { OBJECT, "POST", "uploadId", NULL, s3_complete_upload },
    { OBJECT, "PUT", "uploadId", "x-amz-copy-source", s3_copy_part },
    { OBJECT, "PUT", "uploadId", NULL, s3_upload_part },
    { OBJECT, "DELETE", "uploadId", NULL, s3_abort_upload },
    { OBJECT, "GET HEAD", NULL, NULL, s3_get_object },
    { OBJECT, "PUT", NULL, "x-amz-copy-source", s3_copy_object },
    { OBJECT, "PUT", NULL, NULL, s3_put_object },
    { OBJECT, "DELETE", NULL, NULL, s3_delete_object },
};

/* Parts of S3 that we do not have, whatever the method. */
static const char *const absent_of_buckets[] = {
    "accelerate",          "acl",         "analytics",         "cors",    "encryption",
    "intelligent-tiering", "inventory",   "lifecycle",         "logging", "metrics",
    "notification",        "object-lock", "ownershipControls", "policy",  "policyStatus",
    "publicAccessBlock",   "replication", "requestPayment",    "tagging", "website",
};
static const char *const absent_of_objects[] = {
    "acl", "attributes", "legal-hold", "restore", "retention", "select", "tagging", "torrent",
};

static bool has_any(const S3Request *request, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (s3_param(request, names[i]))
            return true;
    }
    return false;
}

static bool has_word(const char *words, const char *word)
{
    Str rest = str(words);
    while (rest.size) {
        size_t end = str_find(rest, ' ');
        if (str_eq_c(str_sub(rest, 0, end), word))
            return true;
        rest = str_sub(rest, end + 1, rest.size);
    }
    return false;
}

static bool is_absent(const S3Request *request, Scope scope)
{
    if (scope == BUCKET)
        return has_any(request, absent_of_buckets, ARRAY_LEN(absent_of_buckets));
    return scope == OBJECT && has_any(request, absent_of_objects, ARRAY_LEN(absent_of_objects));
}

static bool fits(const Route *route, const S3Request *request, Scope scope)
{
    return route->scope == scope && has_word(route->methods, request->method) &&
           (!route->param || s3_param(request, route->param)) &&
           (!route->header || *s3_header(request, route->header));
}

static Status not_implemented(S3Request *request)
{
    return s3_refuse(request, S3_NOT_IMPLEMENTED);
}

S3Action s3_route(S3Request *request)
{
    Scope scope = !*request->bucket ? SERVICE : *request->key ? OBJECT : BUCKET;
    if (!has_word("GET HEAD PUT POST DELETE", request->method))
        return NULL;
    if (is_absent(request, scope))
        return not_implemented;
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (fits(&routes[i], request, scope))
            return routes[i].action ? routes[i].action : not_implemented;
    }
    return NULL;
}
