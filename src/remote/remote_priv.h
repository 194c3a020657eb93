/* remote_priv.h - what the files of this module share. */
#pragma once

#include "codec/json.h"
#include "remote/protocol.h"
#include "remote/remote.h"

struct RemoteOp {
    Remote *remote;
    int fd;
    char *shown;     /* the URL, for messages and logs */
    bool ended;      /* the server's side of it */
    size_t size;     /* of packet */
    uint8_t *packet; /* REMOTE_PACKET_BYTES, from the first use: most ops of a window only wait */
};

/* What every request says; key may be NULL. In ctx's arena. */
JsonValue *remote_request(Ctx *ctx, const Remote *remote, const char *op, const char *url,
                          const char *key);
Status remote_open(Ctx *ctx, Remote *remote, const char *url, const JsonValue *request,
                   RemoteOp **out);

Status remote_send(Ctx *ctx, RemoteOp *op, RemoteSay kind, Bytes data);
/* The next packet that is no note; a failure is returned as the status it is. */
Status remote_recv(Ctx *ctx, RemoteOp *op, RemoteSay *out_kind, Bytes *out);
/* Waits for the answer, which is then parsed. */
Status remote_await_done(Ctx *ctx, RemoteOp *op, JsonValue **out);
