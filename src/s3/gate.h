/* gate.h - jobs' own buckets; see gate.c. */
#pragma once

#include "s3/s3_priv.h"

void s3_gates_init(S3 *s3);
void s3_gates_done(S3 *s3); /* no gate may be open */

/* The request belongs to the job with this key, which stays open until the request leaves. False:
 * no job has it. */
bool s3_gate_enter(S3Request *request, Str key);
void s3_gate_leave(S3Request *request); /* also one that did not enter */

extern const S3Driver s3_job_buckets; /* of the request's gate */
