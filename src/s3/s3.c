/* s3.c - a request from its first line to its answer. */
#include <stdio.h>
#include <stdlib.h>

#include "base/id.h"
#include "base/log.h"
#include "s3/gate.h"

/* A UUID with its dashes. */
static void make_id(S3Request *request)
{
    Id id = id_new();
    snprintf(request->id, sizeof(request->id), "%.8s-%.4s-%.4s-%.4s-%.12s", id.text, id.text + 8,
             id.text + 12, id.text + 16, id.text + 20);
    s3_set_header(request, "x-amz-request-id", request->id);
    s3_set_header(request, "x-amz-id-2", request->id);
}

static Status serve(S3Request *request)
{
    TRY(s3_parse_target(request, str(wire_http_target(request->http))));
    S3Action action = s3_route(request);
    if (!action)
        return s3_refuse(request, S3_METHOD_NOT_ALLOWED);
    make_id(request);
    TRY(s3_authenticate(request));
    return action(request);
}

static void note(const S3Request *request, Status why)
{
    S3Error error = s3_error_of(request, why);
    if (error.http >= 500 && error.http != 501)
        LOG_WARN(request->ctx, "s3 request failed", "method=%s path=" STR_FMT " code=%s reason=%s",
                 request->method, STR_ARG(request->raw_path), error.code, error.message);
}

static Status run(S3Request *request)
{
    Status s = serve(request);
    s3_gate_leave(request);
    if (status_ok(s))
        return OK;
    note(request, s);
    return wire_http_answered(request->http) ? s : s3_answer_error(request, s);
}

static Status handle(void *self, Ctx *ctx, WireHttp *http)
{
    S3Request request = { .s3 = self,
                          .ctx = ctx,
                          .http = http,
                          .driver = &s3_branches,
                          .method = wire_http_method(http) };
    return run(&request);
}

static Status handle_job(void *self, Ctx *ctx, WireHttp *http)
{
    S3Request request = { .s3 = self,
                          .ctx = ctx,
                          .http = http,
                          .driver = &s3_job_buckets,
                          .method = wire_http_method(http) };
    return run(&request);
}

Status s3_refuse_grpc(void *self, Ctx *ctx, WireCall *call)
{
    (void)self;
    return FAIL(ctx, UNIMPLEMENTED, "this port speaks S3, not %s", wire_call_path(call));
}

S3 *s3_new(const S3Config *config)
{
    S3 *s3 = calloc(1, sizeof(*s3));
    if (!s3)
        abort();
    s3->config = *config;
    s3->handler = (WireHttpHandler){ handle, s3 };
    s3->gate_handler = (WireHttpHandler){ handle_job, s3 };
    s3_gates_init(s3);
    return s3;
}

S3 *s3_free(S3 *s3)
{
    if (s3)
        s3_gates_done(s3);
    free(s3);
    return NULL;
}

const WireHttpHandler *s3_handler(S3 *s3)
{
    return &s3->handler;
}
