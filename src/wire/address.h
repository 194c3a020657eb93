/* address.h - addresses of this module: "HOST:PORT", "[v6]:PORT", "unix:PATH", with an optional scheme. */
#pragma once

#include "base/ctx.h"

#define ADDRESS_PORT_DEFAULT "30650"

/* A listening socket, non-blocking; *out_name is the address as bound. Errors name the address. */
Status address_listen(Ctx *ctx, const char *address, int *out_fd, char **out_name);
/* A connected socket, non-blocking. Errors: UNAVAILABLE naming the address; INVALID_ARGUMENT. */
Status address_connect(Ctx *ctx, const char *address, int *out_fd);
