/* image_config.c - manifests, indexes and configs are read to the end or refused; what is read out
 * holds: as many layers as hashes, environments that end.
 *
 * The first byte chooses docker's format or OCI's; the rest is two files, cut at the first 0xff: the
 * manifest (or index), and what it points to.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "image/image_priv.h"

/* What an index points to in every input: a digest of zeros. */
#define BLOB "blobs/sha256/0000000000000000000000000000000000000000000000000000000000000000"

static char dir[4096];

static void remove_dir(void)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    PROP(status_ok(file_remove_tree(&ctx, dir)));
}

static int dir_fd(void)
{
    static int fd = -1;
    if (fd >= 0)
        return fd;
    const char *base = getenv("TMPDIR");
    snprintf(dir, sizeof(dir), "%s/pcv-fuzz-XXXXXX", base ? base : "/tmp");
    PROP(mkdtemp(dir) != NULL);
    atexit(remove_dir);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    PROP(fd >= 0 && mkdirat(fd, "blobs", 0755) == 0 && mkdirat(fd, "blobs/sha256", 0755) == 0);
    return fd;
}

static void write_at(Ctx *ctx, const char *path, Bytes content)
{
    AUTO_FD fd = openat(dir_fd(), path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    PROP(fd >= 0 && status_ok(file_write_all(ctx, fd, content.data, content.size)));
}

static void check_root(Ctx *ctx, Bytes config)
{
    ImageRoot root;
    if (!status_ok(manifest_config(ctx, config, &root)))
        return;
    for (size_t i = 0; i < root.env_count; i++)
        PROP(root.env[i]);
    PROP(!root.env[root.env_count] && root.working_dir && root.user && root.entrypoint);
}

static void check_parts(Ctx *ctx, const char *format)
{
    ImageParts parts;
    if (!status_ok(manifest_read(ctx, dir_fd(), format, &parts)))
        return;
    PROP(!parts.is_root && parts.name && parts.layer_count <= 1024);
    for (size_t i = 0; i < parts.layer_count; i++)
        PROP(parts.layers[i]);
    check_root(ctx, parts.config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    const uint8_t *cut = memchr(data + 1, 0xff, size - 1);
    size_t first = cut ? (size_t)(cut - data - 1) : size - 1;
    Bytes manifest = bytes(data + 1, first);
    Bytes config = cut ? bytes(cut + 1, size - first - 2) : (Bytes){ 0 };
    bool oci = data[0] & 1;
    write_at(&ctx, oci ? "index.json" : "manifest.json", manifest);
    write_at(&ctx, oci ? BLOB : "config.json", config);
    check_parts(&ctx, oci ? "oci-layout" : "docker-archive");
    check_root(&ctx, config);
    return 0;
}
