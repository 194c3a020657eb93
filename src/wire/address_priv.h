/* address_priv.h - sockets from the text of an address: "HOST:PORT", "[v6]:PORT" or "unix:PATH". */
#pragma once

#include "base/ctx.h"

#define ADDRESS_SIZE 128 /* the longest text of a bound or peer address, with its NUL */

/* A listening socket, not blocking. out_bound: the address as bound, with the real port. A unix
 * socket that nobody listens on any more is replaced. Errors: INVALID_ARGUMENT (text), and what the
 * system says, naming the address. */
Status address_listen(Ctx *ctx, const char *text, int *out_fd,
                      char out_bound[ADDRESS_SIZE]) NODISCARD;

/* A connected socket, not blocking. A "grpc://" or "http://" before HOST is skipped. Errors:
 * INVALID_ARGUMENT; UNAVAILABLE when nobody answers; CANCELLED, DEADLINE_EXCEEDED. */
Status address_connect(Ctx *ctx, const char *text, int *out_fd) NODISCARD;

const char *address_authority(const char *text); /* "HOST:PORT" of it; "localhost" for a path */
void address_of_peer(int fd, char out[ADDRESS_SIZE]);
/* No delay for small writes, and dead peers are noticed by the kernel. */
void address_tune(int fd);
