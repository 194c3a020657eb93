/* body.h - the body of a request as its sender meant it: framing taken off, checksums and
 * signatures verified. What was read is only good once the end was reached. */
#pragma once

#include "s3/chunks.h"
#include "s3/digest.h"
#include "s3/s3_priv.h"

#define BODY_PIECE_BYTES (256 * KiB)
#define BODY_CHECKS_MAX  4

/* A checksum that the body must have. */
typedef struct BodyCheck {
    Digest *digest;
    DigestKind kind;
    S3ErrorId error;
    const char *trailer; /* the value comes behind the body, in this trailer; NULL: it is known */
    uint8_t wanted[DIGEST_BYTES_MAX];
} BodyCheck;

typedef struct S3Body {
    S3Request *request;
    int64_t size; /* in bytes, without framing; -1: not said */
    uint64_t taken;
    bool over;
    BodyCheck checks[BODY_CHECKS_MAX];
    size_t check_count;

    bool chunked, is_signed; /* aws-chunked */
    Chunks chunks;
    Digest *chunk_digest; /* of the chunk that comes */

    uint8_t *piece; /* what was read: [BODY_PIECE_BYTES] */
    Bytes rest;     /* of it, not taken apart yet */
} S3Body;

/* Looks at the headers. needs_size: refuses a body of which nobody says how long it is. End it with
 * s3_body_done, whatever this returns. */
Status s3_body_begin(S3Request *request, bool needs_size, S3Body *out);
void s3_body_done(S3Body *body);
/* The next piece, valid until the next call; empty at the end, when all was verified. */
Status s3_body_read(S3Body *body, Bytes *out);
/* All of a small body. Refuses more than size_max bytes with EntityTooLarge. */
Status s3_body_all(S3Request *request, size_t size_max, Buf *out);
/* All of it as XML; refuses with MalformedXML. */
Status s3_body_xml(S3Request *request, XmlNode **out);
