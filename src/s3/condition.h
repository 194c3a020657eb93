/* condition.h - conditional and partial reads, as RFC 9110 has them. Pure. */
#pragma once

#include "base/bytes.h"

/* Headers of a request; "" when absent. */
typedef struct S3Conditions {
    const char *if_match, *if_none_match, *if_modified_since, *if_unmodified_since;
} S3Conditions;

typedef enum S3Verdict { S3_GO_ON, S3_NOT_MODIFIED, S3_FAILED } S3Verdict;

/* etag: without quotes. modified_s: 0 when it is not known, and then no date says anything. What
 * clients send as an ETag may lack its quotes. */
S3Verdict s3_judge(const S3Conditions *conditions, const char *etag, int64_t modified_s);

/* May a range of what the client has be sent? `if_range` is an ETag or a date. */
bool s3_range_applies(const char *if_range, const char *etag, int64_t modified_s);

typedef struct S3Range {
    uint64_t from, size; /* size > 0 */
} S3Range;
#define S3_RANGES_MAX 64

typedef enum S3RangeVerdict { S3_WHOLE, S3_PART, S3_UNSATISFIABLE } S3RangeVerdict;

/* "bytes=0-9,20-,-5" of a content of so many bytes. S3_WHOLE for a header that is malformed, of
 * another unit, or asks for too many ranges or more bytes than there are: RFC 9110 lets us ignore
 * it. */
S3RangeVerdict s3_ranges(Str header, uint64_t content_size, S3Range out[S3_RANGES_MAX],
                         size_t *out_n);
