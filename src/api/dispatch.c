/* dispatch.c - from a path and a stream of bytes to the row that serves it, and back. */
#include "api/api_priv.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "codec/pbjson.h"

static const ApiTable *const tables[] = {
    &api_pfs_meta_table, &api_pfs_commit_table, &api_pfs_file_table,    &api_pfs_admin_table,
    &api_pps_table,      &api_pps_ask_table,    &api_misc_table,        &api_work_table,
    &api_fetch_table,    &api_record_table,     &api_transaction_table, &api_fileset_table,
    &api_cache_table,    &api_cdr_table,        &api_metadata_table,    &api_auth_table,
    &api_image_table,    &api_load_table,       &api_debug_table,       &api_logs_table,
    &api_debug_table,
};

Api *api_new(const ApiConfig *config)
{
    Api *api = calloc(1, sizeof(*api));
    if (!api)
        abort();
    api->config = *config;
    api->started_ns = clock_wall_ns();
    return api;
}

Api *api_free(Api *api)
{
    free(api);
    return NULL;
}

const ApiMethod *api_find(const char *path)
{
    for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
        for (size_t i = 0; i < tables[t]->n; i++) {
            if (strcmp(tables[t]->methods[i].path, path) == 0)
                return &tables[t]->methods[i];
        }
    }
    return NULL;
}

static int compare_path(const void *key, const void *row)
{
    return strcmp(key, ((const ProtoMethod *)row)->path);
}

static const ProtoMethod *find_proto(const char *path)
{
    return bsearch(path, proto_methods, proto_method_count, sizeof(*proto_methods), compare_path);
}

/* What any gRPC server says of a path it does not serve; a method of our API that is not there yet
 * names itself. */
static Status unknown_method(Ctx *ctx, const char *path)
{
    Str name = str(path);
    size_t slash = name.size ? str_find(str_sub(name, 1, name.size), '/') + 1 : 0;
    if (name.size < 2 || slash >= name.size)
        return FAIL(ctx, UNIMPLEMENTED, "malformed method name: \"%s\"", path);
    Str service = str_sub(name, 1, slash), method = str_sub(name, slash + 1, name.size);
    if (auth_serves(service) && find_proto(path))
        return auth_off(ctx);
    for (size_t i = 0; i < proto_method_count; i++) {
        if (str_eq_c(service, proto_methods[i].service))
            return FAIL(ctx, UNIMPLEMENTED, "unknown method " STR_FMT " for service " STR_FMT,
                        STR_ARG(method), STR_ARG(service));
    }
    return FAIL(ctx, UNIMPLEMENTED, "unknown service " STR_FMT, STR_ARG(service));
}

Status call_recv(Call *call, void **out)
{
    bool end;
    *out = NULL;
    TRY(call->io->recv(call->io->self, call->ctx, &call->buf, &end));
    if (end)
        return OK;
    ProtobufCMessage *message;
    TRY(pb_unpack(call->ctx, call->method->input, buf_bytes(&call->buf), &message));
    bool in_stream = call->method->client_streaming || call->method->server_streaming;
    TRY(api_validate(call->ctx, message, in_stream ? "validate recv" : "validate request"));
    *out = message;
    return OK;
}

Status call_send(Call *call, const ProtobufCMessage *message)
{
    buf_clear(&call->buf);
    pb_pack(message, &call->buf);
    return call->io->send(call->io->self, call->ctx, buf_bytes(&call->buf));
}

const char *call_metadata(const Call *call, const char *key)
{
    const char *value = call->io->metadata(call->io->self, key, 0);
    return value ? value : "";
}

static Status recv_only_request(Call *call, void **out)
{
    TRY(call_recv(call, out));
    if (!*out)
        return FAIL(call->ctx, INTERNAL, "the request stream ended without a message");
    return OK;
}

static Status send_response(Call *call, void *response)
{
    if (!response)
        response = pb_new(call->ctx, call->method->output);
    return call_send(call, response);
}

static Status run_read(Call *call, const ApiMethod *row, const void *request, void **response)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(call->ctx, call->api->config.pfs, &tx));
    return row->read(call, tx, request, response);
}

static Status run_write(Call *call, const ApiMethod *row, const void *request, void **response)
{
    if (row->batched) {
        if (call->io->metadata(call->io->self, "pach-transaction", 1))
            return FAIL(call->ctx, UNKNOWN, "multiple active transactions found in context");
        const char *transaction = call_metadata(call, "pach-transaction");
        if (*transaction && !(row->alone && row->alone(request)))
            return transaction_append(call, transaction, request, response);
    }
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(call->ctx, call->api->config.pfs, NULL, &tx));
    TRY(row->write(call, tx, request, response));
    return pfs_commit(call->ctx, STEAL(tx));
}

static Status run_row(Call *call, const ApiMethod *row)
{
    if (row->bidi)
        return row->bidi(call);
    void *request, *response = NULL;
    TRY(recv_only_request(call, &request));
    if (row->stream)
        return row->stream(call, request);
    if (row->read)
        TRY(run_read(call, row, request, &response));
    else if (row->write)
        TRY(run_write(call, row, request, &response));
    else
        TRY(row->unary(call, request, &response));
    return send_response(call, response);
}

/* A pipeline's own process calls in its pipeline's name. */
static void identify(Call *call)
{
    const char *token = call_metadata(call, "authn-token");
    const char *user = *token && call->api->config.control
                           ? control_user_of(call->ctx, call->api->config.control, token)
                           : NULL;
    if (user)
        call->ctx->user = user;
}

Status api_call(Api *api, Ctx *ctx, const char *path, const CallIo *io)
{
    const ApiMethod *row = api_find(path);
    const ProtoMethod *method = find_proto(path);
    if (!row || !method)
        return unknown_method(ctx, path);
    Call call = { .api = api, .ctx = ctx, .io = io, .method = method };
    identify(&call);
    Status s = run_row(&call, row);
    buf_done(&call.buf);
    if (!status_ok(s))
        LOG_DEBUG(ctx, "call failed", "method=%s code=%s message=%s", path,
                  status_info(s.code)->name, text_quote(ctx->arena, str(status_message(s))));
    return s;
}

static Status wire_io_recv(void *self, Ctx *ctx, Buf *buf, bool *out_end)
{
    return wire_recv(ctx, self, buf, out_end);
}

static Status wire_io_send(void *self, Ctx *ctx, Bytes message)
{
    return wire_send(ctx, self, message);
}

/* ":authority" is whom the client called, by the name it has for us. */
static const char *wire_io_metadata(void *self, const char *key, size_t nth)
{
    if (strcmp(key, ":authority") == 0)
        return nth == 0 ? wire_http_host(self) : NULL;
    return wire_call_metadata(self, key, nth);
}

Status api_handle(void *self, Ctx *ctx, WireCall *call)
{
    const CallIo io = { wire_io_recv, wire_io_send, wire_io_metadata, call };
    return api_call(self, ctx, wire_call_path(call), &io);
}
