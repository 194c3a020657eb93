/* host.h - images, as pps asks for them: for now the host's own root, fingerprinted. */
#pragma once

#include "base/ctx.h"

typedef struct Host Host;

Status host_open(Ctx *ctx, const char *data, Host **out) NODISCARD;
Host *host_close(Host *host); /* NULL is fine */

/* PpsHost.resolve_image: "" and "host" are this machine's root, "host:<fingerprint>". NOT_FOUND for
 * any other. */
Status host_resolve_image(void *self, Ctx *ctx, const char *image, const char **out_digest);
