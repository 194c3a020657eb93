/* api_priv.h - what the files of this module share: the call, the rows of the method table. */
#pragma once

#include "admin/admin.pb-c.h"
#include "api/api.h"

#include "proto_methods.h"

struct Api {
    ApiConfig config;
    int64_t started_ns; /* wall clock */
};

/* One RPC in progress. Belongs to the thread that runs it. */
typedef struct Call {
    Api *api;
    Ctx *ctx;
    const CallIo *io;
    const ProtoMethod *method;
    Buf buf; /* the message being read or written */
} Call;

/* How a method is run. Requests and responses are the method's messages (ProtoMethod.input and
 * .output). */
typedef Status (*UnaryFn)(Call *call, const void *request, void **response);
typedef Status (*TxFn)(Call *call, PfsTx *tx, const void *request, void **response);
typedef Status (*StreamFn)(Call *call, const void *request);
typedef Status (*BidiFn)(Call *call);

/* One row is the whole truth about one method. Exactly one of the functions is set. A response left
 * NULL is an empty message. */
typedef struct ApiMethod {
    const char *path;
    UnaryFn unary;
    TxFn read;       /* runs in a read transaction of its own */
    TxFn write;      /* runs in a write transaction, committed when it returns OK */
    StreamFn stream; /* one request, many responses (call_send) */
    BidiFn bidi;     /* reads by call_recv; sends by call_send */
    bool batched;    /* a write that joins the transaction named by "pach-transaction" */
    bool (*alone)(
        const void *request); /* batched, but this request acts at once; NULL: none does */
} ApiMethod;

typedef struct ApiTable {
    const ApiMethod *methods;
    size_t n;
} ApiTable;

/* The tables, one a service file. */
extern const ApiTable api_pfs_meta_table, api_pfs_commit_table, api_pfs_file_table, api_pps_table,
    api_pps_ask_table, api_misc_table, api_work_table, api_fetch_table, api_transaction_table,
    api_record_table, api_pfs_admin_table, api_fileset_table, api_cache_table, api_cdr_table,
    api_metadata_table, api_auth_table, api_image_table, api_load_table, api_debug_table,
    api_logs_table;

const ApiMethod *api_find(const char *path);

/* The next request message, unpacked into ctx's arena and validated; *out NULL at the end of the
 * stream. */
Status call_recv(Call *call, void **out);
Status call_send(Call *call, const ProtobufCMessage *message);
const char *call_metadata(const Call *call, const char *key); /* "" when absent */

/* Checks a request against the rules of the API (validate.c). prefix: "validate request" or
 * "validate recv". */
Status api_validate(Ctx *ctx, const ProtobufCMessage *message, const char *prefix);

/* Appends a batched write to the open transaction `id` instead of running it
 * (transaction_rpc.c). */
Status transaction_append(Call *call, const char *id, const void *request, void **response);

/* What every call about auth is told, and the services that have no others (auth_rpc.c). */
Status auth_off(Ctx *ctx);
bool auth_serves(Str service);

/* GetLogs of neither a pipeline nor a job: the server's own lines (server_log.c). */
Status server_log(Call *call, const PpsV2__GetLogsRequest *request);

/* Fills in the cluster's own notes (metadata_rpc.c). */
Status metadata_of_cluster(Ctx *ctx, PfsTx *tx, AdminV2__ClusterInfo *info);

/* Message of type T in the call's arena, initialised. */
#define CALL_NEW(call, Type, init_fn)                                                              \
    __extension__({                                                                                \
        Type *new_message_ = ARENA_ONE((call)->ctx->arena, Type);                                  \
        init_fn(new_message_);                                                                     \
        new_message_;                                                                              \
    })
