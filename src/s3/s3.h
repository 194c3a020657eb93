/* s3.h - the S3 gateway: buckets are branches, objects are files.
 *
 * One more view of pfs's functions, for clients that speak S3 (boto3, s3cmd, s3a, rclone).
 * Behaviour: the reference's s3-gateway.md, part A; README.md says where we go further. Path style
 * only. Every body streams: memory does not grow with an object.
 */
#pragma once

#include "control/control.h"
#include "pfs/pfs.h"
#include "wire/http.h"
#include "wire/wire.h"

typedef struct S3 S3;

typedef struct S3Config {
    Pfs *pfs;
} S3Config;

S3 *s3_new(const S3Config *config);
S3 *s3_free(S3 *s3); /* no request may be running and no gate open; NULL is fine */

/* Lets jobs have endpoints of their own; lives as long as the gateway. */
const ControlGate *s3_gate(S3 *s3);

/* Serves each request; lives as long as the gateway. Any thread. */
const WireHttpHandler *s3_handler(S3 *s3);

/* Is this, on a port that serves more than S3, a request for us? It is when it is signed the way of
 * AWS, in a header or in its query. */
bool s3_claims(const WireHttp *http);

/* gRPC's handler for ports that speak S3 alone. */
Status s3_refuse_grpc(void *self, Ctx *ctx, WireCall *call);
