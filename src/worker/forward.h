/* forward.h - makes a port of this machine lead to another: connections to the one are carried,
 * byte for byte, to the other on the loopback. One thread for all connections of a forwarder. */
#pragma once

#include "base/ctx.h"

typedef struct Forward Forward;

/* Listens on host:from, host a numeric address, and carries connections to 127.0.0.1:to. Errors:
 * those of the socket, naming the address (FAILED_PRECONDITION where the port is in use).
 * by_door: the other port is one of another network, to which forward_set_door leads. */
Status forward_open(Ctx *ctx, const char *host, uint16_t from, uint16_t to, bool by_door,
                    Forward **out) NODISCARD;
/* A socket of packets, taken over: for each question (a byte) it answers with a TCP socket of the
 * network it leads to, as REPORT_DOOR (report.h). It replaces the one before; -1: the network is
 * gone, and who calls is hung up on. What answers is not trusted. */
void forward_set_door(Forward *forward, int door_fd);
Forward *forward_close(Forward *forward); /* ends its connections; NULL is fine */
static inline void forward_closep(Forward **forward)
{
    *forward = forward_close(*forward);
}
#define FORWARD_CONNECTIONS_MAX 512 /* more wait to be accepted */

/* Can a process listen on this port, on any address? FAILED_PRECONDITION when it is taken. */
Status forward_port_is_free(Ctx *ctx, uint16_t port) NODISCARD;
