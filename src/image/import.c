/* import.c - from an archive or a folder to an unpacked image. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "image/image_priv.h"

typedef struct Import {
    ImageStore *store;
    const char *path, *format;
    const char *work;  /* the folder of work in progress */
    const char *outer; /* where the archive's own files are */
    const char *rootfs;
    ImageParts parts;
} Import;

static Status open_dir(Ctx *ctx, const char *path, int *out)
{
    *out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *out < 0 ? status_errno(ctx, errno, "could not open folder '%s'", path) : OK;
}

static Status make_dir(Ctx *ctx, const char *path, int *out)
{
    if (mkdir(path, 0755) < 0)
        return status_errno(ctx, errno, "could not make folder '%s'", path);
    return open_dir(ctx, path, out);
}

/* An archive is unpacked as it is first: what it holds says what it is. */
static Status open_outer(Ctx *ctx, Import *import, int *out)
{
    struct stat at;
    if (stat(import->path, &at) < 0)
        return status_errno(ctx, errno, "could not open image '%s'", import->path);
    if (S_ISDIR(at.st_mode)) {
        import->outer = import->path;
        return open_dir(ctx, import->outer, out);
    }
    if (S_ISREG(at.st_mode) && at.st_size == 0)
        return FAIL(ctx, INVALID_ARGUMENT, "the archive is empty");
    import->outer = text_printf(ctx->arena, "%s/outer", import->work);
    TRY(make_dir(ctx, import->outer, out));
    return unpack_archive(ctx, import->path, *out, false);
}

/* One layer: uncompressed and hashed into a file, then unpacked over the ones below. */
static Status add_layer(Ctx *ctx, Import *import, int outer, int rootfs, size_t i)
{
    const char *plain = text_printf(ctx->arena, "%s/layer.tar", import->work);
    AUTO_FD layer = place_open(outer, import->parts.layers[i], O_RDONLY | O_NONBLOCK);
    AUTO_FD fd = open(plain, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (layer < 0 || fd < 0)
        return status_errno(ctx, errno, "could not open layer '%s'", import->parts.layers[i]);
    Hash got;
    TRY(unpack_plain(ctx, text_printf(ctx->arena, "/proc/self/fd/%d", layer), fd, &got));
    if (!hash_eq(&got, &import->parts.diff_ids[i])) {
        char is[HASH_HEX_SIZE], should_be[HASH_HEX_SIZE];
        return FAIL(ctx, INVALID_ARGUMENT, "layer '%s' hashes to %s, but the config says %s",
                    import->parts.layers[i], hash_hex(&got, is),
                    hash_hex(&import->parts.diff_ids[i], should_be));
    }
    return unpack_archive(ctx, plain, rootfs, true);
}

static Status unpack_layers(Ctx *ctx, Import *import, int outer)
{
    AUTO_FD rootfs = -1;
    TRY(make_dir(ctx, import->rootfs, &rootfs));
    for (size_t i = 0; i < import->parts.layer_count; i++)
        TRY_WRAP(ctx, add_layer(ctx, import, outer, rootfs, i), "could not unpack layer %zu of %zu",
                 i + 1, import->parts.layer_count);
    return OK;
}

/* A root that is a folder of ours is taken as it is; someone else's is copied. */
static Status take_root(Ctx *ctx, const Import *import)
{
    if (import->outer != import->path)
        return rename(import->outer, import->rootfs) < 0
                   ? status_errno(ctx, errno, "could not move '%s'", import->outer)
                   : OK;
    AUTO_FD rootfs = -1;
    TRY(make_dir(ctx, import->rootfs, &rootfs));
    return unpack_folder(ctx, import->path, rootfs);
}

static Status digest_root(Ctx *ctx, const Import *import, ImageRow *row)
{
    Hash hash;
    char hex[HASH_HEX_SIZE];
    TRY(tree_digest(ctx, import->rootfs, &hash, &row->size_bytes));
    if (!import->parts.is_root)
        hash = hash_of(import->parts.config);
    row->digest = text_printf(ctx->arena, "sha256:%s", hash_hex(&hash, hex));
    return OK;
}

static Status write_config(Ctx *ctx, const Import *import)
{
    Bytes config = import->parts.is_root ? str_bytes(STR("{}")) : import->parts.config;
    ImageRoot checked;
    TRY_WRAP(ctx, manifest_config(ctx, config, &checked), "could not read the image's config");
    return file_replace(ctx, text_printf(ctx->arena, "%s/config.json", import->work), config, 0600);
}

static Status unpack_all(Ctx *ctx, Import *import)
{
    AUTO_FD outer = -1;
    TRY(open_outer(ctx, import, &outer));
    TRY(manifest_read(ctx, outer, import->format, &import->parts));
    TRY(import->parts.is_root ? take_root(ctx, import) : unpack_layers(ctx, import, outer));
    /* The image's root is passed through by whoever it says its user is. */
    if (chmod(import->rootfs, 0755) < 0)
        return status_errno(ctx, errno, "could not set the mode of '%s'", import->rootfs);
    return write_config(ctx, import);
}

static Status choose_name(Ctx *ctx, const Import *import, const char *name, ImageRow *row)
{
    const char *chosen = *name ? name : import->parts.name;
    if (!*chosen)
        return FAIL(ctx, INVALID_ARGUMENT, "the image needs a name, as its archive has none");
    row->name = image_name_canonical(ctx->arena, str(chosen));
    return row->name ? OK
                     : FAIL(ctx, INVALID_ARGUMENT, "%s cannot be the name of an image",
                            text_quote(ctx->arena, str(chosen)));
}

Status image_import(Ctx *ctx, ImageStore *store, const char *name, const char *format,
                    const char *path, ImageRow *out)
{
    Import import = { .store = store, .path = path, .format = format };
    *out = (ImageRow){ .created_at = clock_wall_ns() };
    if (*name && !image_name_canonical(ctx->arena, str(name)))
        return FAIL(ctx, INVALID_ARGUMENT, "%s cannot be the name of an image",
                    text_quote(ctx->arena, str(name)));
    TRY(image_work_dir(ctx, store, &import.work));
    import.rootfs = text_printf(ctx->arena, "%s/rootfs", import.work);
    Status s = unpack_all(ctx, &import);
    if (status_ok(s))
        s = choose_name(ctx, &import, name, out);
    if (status_ok(s))
        s = digest_root(ctx, &import, out);
    if (status_ok(s))
        s = image_publish(ctx, store, import.work, out);
    Status removed = file_remove_tree(ctx, import.work);
    return status_ok(s) ? removed : s;
}
