/* forward.h - makes a port of this machine lead to another: connections to the one are carried,
 * byte for byte, to the other on the loopback. One thread for all connections of a forwarder. */
#pragma once

#include "base/ctx.h"

typedef struct Forward Forward;

/* Listens on host:from, host a numeric address, and carries connections to 127.0.0.1:to. Errors:
 * those of the socket, naming the address (FAILED_PRECONDITION where the port is in use). */
Status forward_open(Ctx *ctx, const char *host, uint16_t from, uint16_t to,
                    Forward **out) NODISCARD;
Forward *forward_close(Forward *forward); /* ends its connections; NULL is fine */
static inline void forward_closep(Forward **forward)
{
    *forward = forward_close(*forward);
}
#define FORWARD_CONNECTIONS_MAX 512 /* more wait to be accepted */

/* Can a process listen on this port, on any address? FAILED_PRECONDITION when it is taken. */
Status forward_port_is_free(Ctx *ctx, uint16_t port) NODISCARD;
