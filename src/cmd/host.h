/* host.h - images, as pps asks for them: the host's own root, fingerprinted, and the image store's. */
#pragma once

#include "image/image.h"

typedef struct Host Host;

/* images must outlive it. */
Status host_open(Ctx *ctx, ImageStore *images, Host **out) NODISCARD;
Host *host_close(Host *host); /* NULL is fine */

/* PpsHost.resolve_image: "" and "host" are this machine's root, "host:<fingerprint>". Others are
 * the image store's digests; NOT_FOUND when it has none. */
Status host_resolve_image(void *self, Ctx *ctx, const char *image, const char **out_digest);
