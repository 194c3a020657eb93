/* write.h - what the requests that write share. */
#pragma once

#include "pfs/write.h"
#include "s3/s3_priv.h"

/* The request's bucket, which must take writes, and the path of its key (empty when the request has
 * none). Refuses: NoSuchBucket, NotImplemented, WriteToOutputBranch, InvalidFilePath. */
Status s3_writable(S3Request *request, S3Bucket *out_bucket, Str *out_path);

/* A writer on the bucket's target. */
Status s3_writer_open(S3Request *request, const S3Bucket *bucket, PfsWriter **out);
/* Ends it. Refuses a file below a file with InvalidFilePath. Sets x-amz-version-id. */
Status s3_writer_commit(S3Request *request, PfsWriter *writer);

/* Puts the request's body at a path. */
Status s3_take_body(S3Request *request, PfsWriter *writer, Str path, Hash *out_hash);

/* "bucket/key[?versionId=…]" of x-amz-copy-source. */
typedef struct S3Source {
    const char *bucket, *key;
    PfsView view;
    Str path;
    PfsMatch file;
    const char *version_id; /* "" : not known */
} S3Source;
/* Finds it, and judges x-amz-copy-source-if-*. */
Status s3_find_source(S3Request *request, S3Source *out);
