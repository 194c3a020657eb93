/* s3_priv.h - what the files of this module share: a request, errors, buckets, answers. */
#pragma once

#include "base/text.h"
#include "base/thread.h"
#include "codec/pb.h"
#include "codec/xml.h"
#include "pfs/view.h"
#include "s3/s3.h"
#include "s3/sign.h"

typedef struct S3Gate S3Gate;

struct S3 {
    S3Config config;
    WireHttpHandler handler;
    WireHttpHandler gate_handler; /* of jobs */
    ControlGate gate;
    pthread_mutex_t lock;  /* guards from here on */
    pthread_cond_t left;   /* a request left its gate */
    S3Gate *gates;         /* of jobs that run */
    WireServer *gate_wire; /* NULL until the first one; then constant */
};

typedef enum S3ErrorId {
    S3_NO_ERROR,
#define X(name, code, http, message) S3_##name,
#include "s3/errors.def"
#undef X
    S3_ERROR_COUNT
} S3ErrorId;

typedef struct S3Error {
    const char *code;
    int http;
    const char *message;
} S3Error;

typedef struct S3Driver S3Driver;

/* A request in progress. Belongs to the thread that runs it; all text is in ctx's arena. */
typedef struct S3Request {
    S3 *s3;
    Ctx *ctx;
    WireHttp *http;
    const S3Driver *driver;
    S3Gate *gate; /* of a job; NULL: a request to the server, or nobody yet */
    struct S3Request *next_inside;
    const char *method;
    Str raw_path; /* as sent, still encoded */
    S3Params query;
    const char *bucket; /* "" : none */
    const char *key;    /* decoded, "" : none. May begin or end with '/' */
    char id[37];        /* "" until the router took it */
    S3Error error;      /* why it was refused, once s3_refuse was called */
    S3Signer signer;    /* of chunks of its body */
} S3Request;

/* --- errors (error.c) ------------------------------------------------------------------------- */

/* Notes the error and returns a status that ends the request. */
Status s3_refuse(S3Request *request, S3ErrorId error);
/* The same with another message, which is copied. */
Status s3_refuse_with(S3Request *request, S3ErrorId error, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* What a client is told about a status: the noted error, or its row of status_codes.def. */
S3Error s3_error_of(const S3Request *request, Status status);

/* --- answers (answer.c) ----------------------------------------------------------------------- */

#define S3_NAMESPACE "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""
#define S3_OWNER_ID  "00000000000000000000000000000000"
#define S3_LOCATION  "PACHYDERM"

Status s3_answer_xml(S3Request *request, int http, const Buf *xml);
Status s3_answer_empty(S3Request *request, int http);
Status s3_answer_error(S3Request *request, Status why);
void s3_write_owner(Buf *xml, const char *element);
/* An element with a time, in whole seconds; 0 ns is the zero time. */
void s3_write_time(Buf *xml, const char *element, int64_t ns);
/* "\"<hex>\"" in ctx's arena. */
const char *s3_etag(Ctx *ctx, const Hash *hash);
/* The same, marked as what no client takes for an MD5: with a '-', as S3 itself marks those. */
const char *s3_etag_marked(Ctx *ctx, const Hash *hash);
/* Sets the header; "" sets none. */
void s3_set_header(S3Request *request, const char *name, const char *value);

/* --- the request (request.c) ------------------------------------------------------------------ */

/* A parameter's value; NULL when it is not there. */
const char *s3_param(const S3Request *request, const char *name);
const char *s3_text_param(const S3Request *request, const char *name); /* "" when absent */
const char *s3_header(const S3Request *request, const char *name);     /* "" when absent */
/* A number from min to max; `normal` when the parameter is not there or empty. Refuses with
 * InvalidArgument. */
Status s3_number_param(S3Request *request, const char *name, int64_t min, int64_t max,
                       int64_t normal, int64_t *out);
/* Splits "/bucket/key?query" into raw_path, bucket, key and query. Refuses what is no target. */
Status s3_parse_target(S3Request *request, Str target);
/* The file that the key names, "/a/b", in ctx's arena; a '/' at its end is dropped. False when no
 * file can be named so. */
bool s3_key_path(S3Request *request, const char *key, Str *out);

/* --- who asks (auth.c) ------------------------------------------------------------------------ */

Status s3_authenticate(S3Request *request);

/* --- buckets (bucket.c, name.c) --------------------------------------------------------------- */

/* A bucket's name taken apart; text is in ctx's arena. */
typedef struct S3Name {
    const char *project, *repo, *branch;
    const char *commit; /* "" : the head */
} S3Name;
/* Errors: UNKNOWN, saying what is wrong. */
Status s3_name_parse(Ctx *ctx, Str bucket, S3Name *out) NODISCARD;

typedef struct S3Bucket {
    PfsV2__Commit *commit;  /* what is read; NULL: nothing is in it */
    PfsV2__Commit *target;  /* what writes go to; NULL: they are not allowed */
    const char *version_id; /* the commit that the name pins; "" : none */
    bool is_output;         /* of a pipeline: refuses writes with WriteToOutputBranch */
} S3Bucket;

typedef Status (*S3BucketFn)(void *arg, Ctx *ctx, const char *name, int64_t created_ns);

/* Which buckets there are. */
struct S3Driver {
    Status (*each)(S3Request *request, S3BucketFn fn, void *arg);
    Status (*find)(S3Request *request, const char *name, S3Bucket *out); /* refuses: NoSuchBucket */
    Status (*create)(S3Request *request);                                /* NULL: NotImplemented */
    Status (*remove)(S3Request *request);
    bool versions; /* may commits be asked for? */
};
extern const S3Driver s3_branches; /* all branches of user repos */

/* What uploads to a target are filed under, whatever name its bucket was called by; in ctx's
 * arena. */
const char *s3_place_of(Ctx *ctx, const PfsV2__Commit *target);

/* The request's bucket. */
Status s3_find_bucket(S3Request *request, S3Bucket *out);
/* Its content now; *out_empty when nothing was ever in it. */
Status s3_open_bucket(S3Request *request, const S3Bucket *bucket, PfsView *out, bool *out_empty);

/* The bucket as it was at a commit of its repo; "" leaves it. Refuses: NoSuchVersion,
 * NotImplemented. */
Status s3_pick_version(S3Request *request, S3Bucket *bucket, const char *id);

/* --- what requests do: rows of route.c -------------------------------------------------------- */

typedef Status (*S3Action)(S3Request *request);
Status s3_list_buckets(S3Request *request);
Status s3_create_bucket(S3Request *request);
Status s3_delete_bucket(S3Request *request);
Status s3_head_bucket(S3Request *request);
Status s3_get_location(S3Request *request);
Status s3_get_versioning(S3Request *request);
Status s3_put_versioning(S3Request *request);
Status s3_put_object(S3Request *request);
Status s3_copy_object(S3Request *request);
Status s3_delete_object(S3Request *request);
Status s3_delete_objects(S3Request *request);
Status s3_create_upload(S3Request *request);
Status s3_upload_part(S3Request *request);
Status s3_copy_part(S3Request *request);
Status s3_list_parts(S3Request *request);
Status s3_list_uploads(S3Request *request);
Status s3_complete_upload(S3Request *request);
Status s3_abort_upload(S3Request *request);
Status s3_list_objects(S3Request *request);
Status s3_get_object(S3Request *request);

S3Action s3_route(S3Request *request); /* NULL: refused */
