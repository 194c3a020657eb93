/* aws.h - credentials and places of S3, as AWS's own clients find them. */
#pragma once

#include "courier/courier_priv.h"

typedef struct AwsKeys {
    const char *id, *secret, *token; /* id "": anonymous; token "": none */
} AwsKeys;

/* Where requests for a bucket go, and how they are signed. Texts are in the ctx's arena. */
typedef struct S3Bucket {
    const char *base; /* "https://bucket.s3.eu-west-1.amazonaws.com", "http://host:9000/bucket" */
    const char *region;
    AwsKeys keys;
} S3Bucket;

/* region: over what is configured; "" is none. Errors: PERMISSION_DENIED for a minio:// URL of
 * another server than the configured one. */
Status s3_bucket(Ctx *ctx, const RemoteUrl *url, const char *region, S3Bucket *out) NODISCARD;

/* A value of an INI file's section, in the arena; "" when it is not there. */
const char *ini_value(Ctx *ctx, Str text, const char *section, const char *name);
