/* sign.h - signatures of AWS, versions 2 and 4. Pure: a request's text in, a signature out. */
#pragma once

#include "base/ctx.h"

typedef struct S3Param {
    const char *name, *value; /* decoded */
} S3Param;

typedef struct S3Params {
    S3Param *items; /* in the order sent */
    size_t n;
} S3Params;

/* A request as it is signed. */
typedef struct SignRequest {
    const char *method;
    Str path; /* as sent, encoded */
    S3Params query;
    /* The nth value of a header, its name in lower case; NULL past the last. */
    const char *(*header)(void *self, const char *name, size_t nth);
    /* Header number index; false past the last. */
    bool (*header_at)(void *self, size_t index, const char **out_name, const char **out_value);
    void *self;
} SignRequest;

/* --- version 4 -------------------------------------------------------------------------------- */

#define SIGN_HEX_SIZE 65

typedef struct SignV4 {
    Str access_key, date, region, service; /* of the credential */
    Str signed_headers;                    /* "a;b" */
    Str signature;                         /* 64 hex digits */
    bool in_query;
} SignV4;

/* "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…": false when malformed. Parts point
 * into the text. */
bool sign_v4_parse(Str authorization, SignV4 *out);
bool sign_v4_parse_query(const S3Params *query, SignV4 *out);

/* Signs what follows in the stream of chunks, too. */
typedef struct S3Signer {
    bool known;
    uint8_t key[32];
    const char *time;  /* "20130524T000000Z" */
    const char *scope; /* "20130524/us-east-1/s3/aws4_request" */
    char previous[SIGN_HEX_SIZE];
} S3Signer;

/* The signature that the request should have, in out->previous. time: as in x-amz-date;
 * payload_hash: as the request says. */
void sign_v4(Ctx *ctx, const SignRequest *request, const SignV4 *v4, const char *secret,
             const char *time, const char *payload_hash, S3Signer *out);

/* The signature of the next chunk, whose bytes hash to chunk_sha256 (hex); moves the signer on. */
void sign_v4_chunk(Ctx *ctx, S3Signer *signer, const char *chunk_sha256);
/* Of the trailers: lines "name:value\n". */
void sign_v4_trailer(Ctx *ctx, S3Signer *signer, Bytes trailers);

/* --- version 2 -------------------------------------------------------------------------------- */

/* "AWS <key>:<signature>". */
bool sign_v2_parse(Str authorization, Str *out_access_key, Str *out_signature);
/* The signature, base64, in ctx's arena. expires: of a query ("Expires"), else NULL. */
const char *sign_v2(Ctx *ctx, const SignRequest *request, const char *secret, const char *expires);

/* --- both ------------------------------------------------------------------------------------- */

const char *sign_param(const S3Params *query, const char *name); /* NULL: not there */
bool sign_equal(Str a, Str b);                                   /* in constant time */
void sign_sha256_hex(Bytes data, char out[SIGN_HEX_SIZE]);
