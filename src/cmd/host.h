/* host.h - images, as pps asks for them: for now the host's own root, fingerprinted. */
#pragma once

#include "base/ctx.h"

typedef struct Host Host;

Status host_open(Ctx *ctx, const char *data, Host **out) NODISCARD;
Host *host_close(Host *host); /* NULL is fine */

/* PpsHost.resolve_image: "" and "host" are this machine's root, "host:<fingerprint>"; a name that no store of images
 * knows is taken as the host too, with its name in the digest, so that a spec made for containers runs here. */
Status host_resolve_image(void *self, Ctx *ctx, const char *image, const char **out_digest);
