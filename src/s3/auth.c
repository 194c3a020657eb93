/* auth.c - who asks: version 4 or 2 of AWS's signatures, in a header or in the query, or nobody. */
#include "base/clock.h"
#include "codec/moment.h"
#include "s3/gate.h"

#define SKEW_SECONDS_MAX    (15 * 60)
#define EXPIRES_SECONDS_MAX (7 * 24 * 3600)

/* --- the request as it is signed -------------------------------------------------------------- */

static const char *get_header(void *self, const char *name, size_t nth)
{
    const WireHttp *http = self;
    if (strcmp(name, "host") == 0)
        return nth ? NULL : wire_http_host(http);
    return wire_http_header(http, name, nth);
}

static bool get_header_at(void *self, size_t index, const char **out_name, const char **out_value)
{
    return wire_http_header_at(self, index, out_name, out_value);
}

static SignRequest sign_request(const S3Request *request)
{
    return (SignRequest){ .method = request->method,
                          .path = request->raw_path,
                          .query = request->query,
                          .header = get_header,
                          .header_at = get_header_at,
                          .self = request->http };
}

/* The secret that goes with an access key: the key itself. On the server's ports any key is good,
 * as long as anyone may do anything; to jobs' buckets theirs alone. */
static Status find_secret(S3Request *request, Str access_key, const char **out)
{
    *out = str_z(request->ctx->arena, access_key);
    bool known = request->driver == &s3_branches || s3_gate_enter(request, access_key);
    return known ? OK : s3_refuse(request, S3_INVALID_ACCESS_KEY);
}

/* --- times ------------------------------------------------------------------------------------ */

static Status check_skew(S3Request *request, int64_t seconds)
{
    int64_t skew = clock_wall_ns() / NS_PER_SEC - seconds;
    return skew > SKEW_SECONDS_MAX || skew < -SKEW_SECONDS_MAX ? s3_refuse(request, S3_TIME_SKEWED)
                                                               : OK;
}

/* Of x-amz-date, else Date; both are written in two ways. */
static Status header_time(S3Request *request, int64_t *out_seconds)
{
    const char *text = s3_header(request, "x-amz-date");
    if (!*text)
        text = s3_header(request, "date");
    if (!moment_parse_basic(str(text), out_seconds) && !moment_parse_http(str(text), out_seconds))
        return s3_refuse(request, S3_ACCESS_DENIED);
    return OK;
}

static char *basic_time(Ctx *ctx, int64_t seconds)
{
    CivilTime t = civil_from_seconds(seconds);
    return text_printf(ctx->arena, "%04d%02d%02dT%02d%02d%02dZ", (int)t.year, t.month, t.day,
                       t.hour, t.minute, t.second);
}

/* A signature in a query holds from its time on for so long. */
static Status check_query_time(S3Request *request, int64_t *out_seconds)
{
    int64_t expires, now = clock_wall_ns() / NS_PER_SEC;
    const char *text = s3_param(request, "X-Amz-Expires");
    if (!moment_parse_basic(str(s3_param(request, "X-Amz-Date")), out_seconds) ||
        !str_to_i64(str(text), &expires) || expires < 0 || expires > EXPIRES_SECONDS_MAX)
        return s3_refuse_with(request, S3_AUTH_MALFORMED,
                              "X-Amz-Date or X-Amz-Expires is missing or malformed.");
    if (now > *out_seconds + expires)
        return s3_refuse_with(request, S3_ACCESS_DENIED, "Request has expired");
    if (*out_seconds > now + SKEW_SECONDS_MAX)
        return s3_refuse(request, S3_TIME_SKEWED);
    return OK;
}

/* --- version 4 -------------------------------------------------------------------------------- */

static Status verify_v4(S3Request *request, const SignV4 *v4)
{
    int64_t seconds;
    if (v4->in_query) {
        TRY(check_query_time(request, &seconds));
    } else {
        TRY(header_time(request, &seconds));
        TRY(check_skew(request, seconds));
    }
    const char *secret;
    TRY(find_secret(request, v4->access_key, &secret));
    const SignRequest signed_request = sign_request(request);
    const char *hash =
        v4->in_query ? "UNSIGNED-PAYLOAD" : s3_header(request, "x-amz-content-sha256");
    sign_v4(request->ctx, &signed_request, v4, secret, basic_time(request->ctx, seconds), hash,
            &request->signer);
    if (!sign_equal(str(request->signer.previous), v4->signature))
        return s3_refuse(request, S3_SIGNATURE_MISMATCH);
    return OK;
}

static Status authenticate_v4(S3Request *request, bool in_query)
{
    SignV4 v4;
    bool good = in_query ? sign_v4_parse_query(&request->query, &v4)
                         : sign_v4_parse(str(s3_header(request, "authorization")), &v4);
    if (!good || !str_eq_c(v4.service, "s3"))
        return s3_refuse(request, S3_AUTH_MALFORMED);
    return verify_v4(request, &v4);
}

/* --- version 2 -------------------------------------------------------------------------------- */

static Status verify_v2(S3Request *request, Str access_key, Str signature, const char *expires)
{
    Ctx *ctx = request->ctx;
    const char *secret;
    TRY(find_secret(request, access_key, &secret));
    SignRequest signed_request = sign_request(request);
    if (sign_equal(str(sign_v2(ctx, &signed_request, secret, expires)), signature))
        return OK;
    /* Of "/bucket" some sign "/bucket/". */
    signed_request.path = str(text_printf(ctx->arena, STR_FMT "/", STR_ARG(request->raw_path)));
    if (!*request->key &&
        sign_equal(str(sign_v2(ctx, &signed_request, secret, expires)), signature))
        return OK;
    return s3_refuse(request, expires ? S3_SIGNATURE_MISMATCH : S3_ACCESS_DENIED);
}

static Status authenticate_v2_query(S3Request *request)
{
    const char *expires = s3_param(request, "Expires");
    int64_t seconds;
    if (!str_to_i64(str(expires), &seconds))
        return s3_refuse_with(request, S3_INVALID_ARGUMENT, "Expires is missing or malformed.");
    if (clock_wall_ns() / NS_PER_SEC > seconds)
        return s3_refuse_with(request, S3_ACCESS_DENIED, "Request has expired");
    return verify_v2(request, str(s3_param(request, "AWSAccessKeyId")),
                     str(s3_param(request, "Signature")), expires);
}

static Status authenticate_v2(S3Request *request)
{
    Str access_key, signature;
    int64_t seconds;
    if (!sign_v2_parse(str(s3_header(request, "authorization")), &access_key, &signature))
        return s3_refuse(request, S3_INVALID_ARGUMENT);
    TRY(header_time(request, &seconds));
    TRY(check_skew(request, seconds));
    return verify_v2(request, access_key, signature, NULL);
}

/* --- all -------------------------------------------------------------------------------------- */

Status s3_authenticate(S3Request *request)
{
    Str authorization = str(s3_header(request, "authorization"));
    if (str_starts(authorization, STR("AWS4-HMAC-SHA256")))
        return authenticate_v4(request, false);
    if (str_starts(authorization, STR("AWS ")))
        return authenticate_v2(request);
    if (s3_param(request, "X-Amz-Signature"))
        return authenticate_v4(request, true);
    if (s3_param(request, "Signature") && s3_param(request, "AWSAccessKeyId"))
        return authenticate_v2_query(request);
    return request->driver == &s3_branches ? OK : s3_refuse(request, S3_ACCESS_DENIED);
}

static bool query_has(Str target, const char *name)
{
    Str query = str_sub(target, str_find(target, '?') + 1, target.size);
    while (query.size) {
        Str param = str_sub(query, 0, str_find(query, '&'));
        if (str_eq_c(str_sub(param, 0, str_find(param, '=')), name))
            return true;
        query = str_sub(query, param.size + 1, query.size);
    }
    return false;
}

bool s3_claims(const WireHttp *http)
{
    Str authorization = str(wire_http_header(http, "authorization", 0));
    Str target = str(wire_http_target(http));
    return str_starts(authorization, STR("AWS4-HMAC-SHA256")) ||
           str_starts(authorization, STR("AWS ")) || query_has(target, "X-Amz-Signature") ||
           (query_has(target, "Signature") && query_has(target, "AWSAccessKeyId"));
}
