/* courier_priv.h - what the files of this module share: a transfer, and the kinds of places. */
#pragma once

#include "codec/json.h"
#include "remote/protocol.h"
#include "remote/url.h"

/* One request being served. Belongs to its thread. */
typedef struct Transfer {
    Ctx *ctx;
    int fd;
    const JsonValue *request;
    const char *url, *shown;
    RemoteUrl at;    /* not for SQL */
    const char *key; /* of the object: the request's, or the URL's */
    const char *hosts;
    int64_t tries, stall_ns;
    uint64_t offset, size; /* size UINT64_MAX: all */
    uint8_t packet[REMOTE_PACKET_BYTES];
} Transfer;

/* To the server. Errors: CANCELLED when it is not interested any more. */
Status transfer_say(Transfer *transfer, RemoteSay kind, Bytes data);
Status transfer_say_object(Transfer *transfer, Str key, uint64_t size);
Status transfer_give(void *transfer, Bytes data); /* data, as a sink */
/* From the server; valid until the next call. Errors: CANCELLED. */
Status transfer_hear(Transfer *transfer, RemoteSay *out_kind, Bytes *out);
/* Appends data to *out until it holds `size` bytes; it may be more by what a packet holds. Errors:
 * INVALID_ARGUMENT when the data ends before. */
Status transfer_hear_all(Transfer *transfer, size_t size, Buf *out);
/* The server closed the transfer's socket. */
bool transfer_gone(const Transfer *transfer);

/* What can be done at a kind of place; NULL: nothing of that sort. */
typedef struct PlaceOps {
    Status (*get)(Transfer *transfer);
    Status (*list)(Transfer *transfer);
    Status (*put)(Transfer *transfer); /* hears the content, and its end */
    Status (*delete_)(Transfer *transfer);
} PlaceOps;
extern const PlaceOps place_http, place_s3, place_azure, place_file;

Status sql_load(Transfer *transfer);

/* hosts.c: may this address be reached? What is a list of hosts: remote/README.md. */
struct sockaddr;
bool host_allowed(const char *hosts, const char *name, const struct sockaddr *address);
/* The numeric form, for messages. */
const char *host_text(Ctx *ctx, const struct sockaddr *address);
/* Resolves a name to an address (numeric) that may be reached. Errors: UNAVAILABLE,
 * PERMISSION_DENIED. */
Status host_resolve(Ctx *ctx, const char *hosts, const char *name, const char **out_address);
