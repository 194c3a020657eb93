/* error.c - from a status to what S3 calls it. */
#include "s3/s3_priv.h"

static const S3Error errors[S3_ERROR_COUNT] = {
#define X(name, code, http, message) [S3_##name] = { code, http, message },
#include "s3/errors.def"
#undef X
};

Status s3_refuse(S3Request *request, S3ErrorId error)
{
    request->error = errors[error];
    return FAIL(request->ctx, FAILED_PRECONDITION, "%s", errors[error].message);
}

Status s3_refuse_with(S3Request *request, S3ErrorId error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    request->error = errors[error];
    request->error.message = text_vprintf(request->ctx->arena, format, args);
    va_end(args);
    return FAIL(request->ctx, FAILED_PRECONDITION, "%s", request->error.message);
}

S3Error s3_error_of(const S3Request *request, Status status)
{
    if (request->error.code)
        return request->error;
    const StatusInfo *info = status_info(status.code);
    return (S3Error){ info->s3_code, info->http, status_message(status) };
}
