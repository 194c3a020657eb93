/* host.c - see host.h.
 *
 * The host's fingerprint is what its packages are: a hash over the system's release, its
 * architecture and the package database. So an upgrade of R or Python's packages runs datums anew,
 * and nothing else does. */
#include "cmd/host.h"

#include <stdlib.h>
#include <sys/utsname.h>

#include "base/file.h"
#include "base/text.h"
#include "chunk/chunk.h"

struct Host {
    char *digest; /* "host:<hex>" */
    ImageStore *images;
};

static void add_file(Ctx *ctx, Hasher *hasher, const char *path)
{
    Buf content = { 0 };
    if (status_ok(file_read_path(ctx, path, &content)))
        hasher_add(hasher, buf_bytes(&content));
    hasher_add(hasher, str_bytes(STR("\0")));
    buf_done(&content);
}

Status host_open(Ctx *ctx, ImageStore *images, Host **out)
{
    CLEANUP(hasher_freep) Hasher *hasher = hasher_new();
    struct utsname name;
    if (uname(&name) == 0)
        hasher_add(hasher, str_bytes(str(name.machine)));
    add_file(ctx, hasher, "/etc/os-release");
    add_file(ctx, hasher, "/var/lib/dpkg/status");
    Hash hash = hasher_finish(hasher);
    char hex[HASH_HEX_SIZE];
    Host *host = calloc(1, sizeof(*host));
    if (!host)
        return STATUS(RESOURCE_EXHAUSTED);
    host->digest = strdup(text_printf(ctx->arena, "host:%s", hash_hex(&hash, hex)));
    host->images = images;
    *out = host;
    return OK;
}

Host *host_close(Host *host)
{
    if (host) {
        free(host->digest);
        free(host);
    }
    return NULL;
}

Status host_resolve_image(void *self, Ctx *ctx, const char *image, const char **out_digest)
{
    const Host *host = self;
    if (*image && strcmp(image, "host") != 0)
        return image_find(ctx, host->images, image, out_digest);
    *out_digest = host->digest;
    return OK;
}
