/* manifest.c - which layers and which config an unpacked archive holds: docker's manifest.json, or
 * an OCI layout's index.json and what it points to. */
#include <errno.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "image/image_priv.h"

#define JSON_BYTES_MAX  (16 * MiB)
#define LAYERS_MAX      1024
#define INDEX_DEPTH_MAX 4 /* indexes that point to indexes */

static Status read_file(Ctx *ctx, int dir_fd, const char *path, Bytes *out)
{
    AUTO_FD fd = place_open(dir_fd, path, O_RDONLY | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? STATUS(NOT_FOUND)
                               : status_errno(ctx, errno, "could not open '%s' of the image", path);
    off_t size = lseek(fd, 0, SEEK_END);
    if (size < 0 || (uint64_t)size > JSON_BYTES_MAX)
        return FAIL(ctx, INVALID_ARGUMENT, "'%s' of the image is no readable file", path);
    uint8_t *data = arena_alloc(ctx->arena, (size_t)size + 1);
    if (!data)
        return STATUS(RESOURCE_EXHAUSTED);
    TRY(file_pread_all(ctx, fd, data, (size_t)size, 0));
    *out = bytes(data, (size_t)size);
    return OK;
}

static Status read_json(Ctx *ctx, int dir_fd, const char *path, JsonValue **out, Bytes *out_bytes)
{
    Bytes content;
    Status s = read_file(ctx, dir_fd, path, &content);
    if (s.code == STATUS_NOT_FOUND)
        return FAIL(ctx, INVALID_ARGUMENT, "the image has no file '%s'", path);
    TRY(s);
    TRY_WRAP(ctx, json_parse(ctx, bytes_str(content), out), "could not read '%s' of the image",
             path);
    if (out_bytes)
        *out_bytes = content;
    return OK;
}

static size_t count_of(const JsonValue *value)
{
    return json_is(value, JSON_ARRAY) ? value->count : 0;
}

/* "sha256:<hex>" */
static Status parse_digest(Ctx *ctx, const JsonValue *value, Hash *out)
{
    Str text = json_text(value);
    if (!str_starts(text, STR("sha256:")) || !hash_parse(str_sub(text, 7, text.size), out))
        return FAIL(ctx, INVALID_ARGUMENT, "%s is no sha256 digest", text_quote(ctx->arena, text));
    return OK;
}

static Status blob_path(Ctx *ctx, const JsonValue *descriptor, const char **out)
{
    Hash hash;
    char hex[HASH_HEX_SIZE];
    TRY(parse_digest(ctx, json_get(descriptor, "digest"), &hash));
    *out = text_printf(ctx->arena, "blobs/sha256/%s", hash_hex(&hash, hex));
    return OK;
}

static Status room_for_layers(Ctx *ctx, size_t count, ImageParts *out)
{
    if (count > LAYERS_MAX)
        return FAIL(ctx, INVALID_ARGUMENT, "the image has %zu layers, more than %d", count,
                    LAYERS_MAX);
    out->layers = ARENA_NEW(ctx->arena, const char *, count + 1);
    out->diff_ids = ARENA_NEW(ctx->arena, Hash, count + 1);
    return out->layers && out->diff_ids ? OK : STATUS(RESOURCE_EXHAUSTED);
}

/* The config says what the layers hash to, so that its own hash stands for all of the image. */
static Status read_config(Ctx *ctx, int dir_fd, const char *path, ImageParts *out)
{
    JsonValue *config;
    TRY(read_json(ctx, dir_fd, path, &config, &out->config));
    JsonValue *ids = json_path(config, "rootfs", "diff_ids", NULL);
    if (count_of(ids) != out->layer_count)
        return FAIL(ctx, INVALID_ARGUMENT, "the image has %zu layers, but its config names %zu",
                    out->layer_count, count_of(ids));
    for (size_t i = 0; i < out->layer_count; i++)
        TRY(parse_digest(ctx, ids->items[i], &out->diff_ids[i]));
    return OK;
}

static Status read_docker(Ctx *ctx, int dir_fd, ImageParts *out)
{
    JsonValue *manifest;
    TRY(read_json(ctx, dir_fd, "manifest.json", &manifest, NULL));
    if (count_of(manifest) != 1)
        return FAIL(ctx, INVALID_ARGUMENT, "the archive holds %zu images, not one",
                    count_of(manifest));
    const JsonValue *image = manifest->items[0];
    JsonValue *layers = json_get(image, "Layers");
    JsonValue *tags = json_get(image, "RepoTags");
    if (count_of(tags))
        out->name = str_z(ctx->arena, json_text(tags->items[0]));
    TRY(room_for_layers(ctx, count_of(layers), out));
    for (size_t i = 0; i < count_of(layers); i++)
        out->layers[out->layer_count++] = str_z(ctx->arena, json_text(layers->items[i]));
    return read_config(ctx, dir_fd, str_z(ctx->arena, json_text(json_get(image, "Config"))), out);
}

static const char *machine_in_go(const char *machine)
{
    static const struct {
        const char *kernel, *go;
    } names[] = {
        { "x86_64", "amd64" },
        { "aarch64", "arm64" },
        { "i686", "386" },
        { "armv7l", "arm" },
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(machine, names[i].kernel) == 0)
            return names[i].go;
    }
    return machine;
}

/* The manifest for this machine; one that names no machine is for all. NULL when there is none. */
static const JsonValue *choose(const JsonValue *manifests)
{
    struct utsname name = { 0 };
    uname(&name);
    for (size_t i = 0; i < count_of(manifests); i++) {
        const JsonValue *platform = json_get(manifests->items[i], "platform");
        if (!platform ||
            str_eq_c(json_text(json_get(platform, "architecture")), machine_in_go(name.machine)))
            return manifests->items[i];
    }
    return NULL;
}

static Status read_oci_manifest(Ctx *ctx, int dir_fd, const JsonValue *manifest, ImageParts *out)
{
    JsonValue *layers = json_get(manifest, "layers");
    TRY(room_for_layers(ctx, count_of(layers), out));
    for (size_t i = 0; i < count_of(layers); i++)
        TRY(blob_path(ctx, layers->items[i], &out->layers[out->layer_count++]));
    const char *config;
    TRY(blob_path(ctx, json_get(manifest, "config"), &config));
    return read_config(ctx, dir_fd, config, out);
}

static Status read_oci(Ctx *ctx, int dir_fd, ImageParts *out)
{
    JsonValue *index;
    TRY(read_json(ctx, dir_fd, "index.json", &index, NULL));
    for (int depth = 0; json_get(index, "manifests"); depth++) {
        const JsonValue *chosen = choose(json_get(index, "manifests"));
        if (!chosen || depth == INDEX_DEPTH_MAX)
            return FAIL(ctx, INVALID_ARGUMENT, "the image is not for this machine's architecture");
        JsonValue *name =
            json_path(chosen, "annotations", "org.opencontainers.image.ref.name", NULL);
        if (name)
            out->name = str_z(ctx->arena, json_text(name));
        const char *path;
        TRY(blob_path(ctx, chosen, &path));
        TRY(read_json(ctx, dir_fd, path, &index, NULL));
    }
    return read_oci_manifest(ctx, dir_fd, index, out);
}

static bool has_file(int dir_fd, const char *path)
{
    AUTO_FD fd = place_open(dir_fd, path, O_PATH);
    return fd >= 0;
}

static bool is_oci_name(const char *format)
{
    return strcmp(format, "oci-archive") == 0 || strcmp(format, "oci-layout") == 0;
}

Status manifest_read(Ctx *ctx, int dir_fd, const char *format, ImageParts *out)
{
    bool is_any = !*format;
    *out = (ImageParts){ .name = "", .format = "rootfs" };
    if (is_oci_name(format) ||
        (is_any && has_file(dir_fd, "oci-layout") && has_file(dir_fd, "index.json"))) {
        out->format = "oci-layout";
        return read_oci(ctx, dir_fd, out);
    }
    if (strcmp(format, "docker-archive") == 0 || (is_any && has_file(dir_fd, "manifest.json"))) {
        out->format = "docker-archive";
        return read_docker(ctx, dir_fd, out);
    }
    if (!is_any && strcmp(format, "rootfs") != 0)
        return FAIL(ctx, INVALID_ARGUMENT,
                    "format \"%s\" is none of docker-archive, oci-archive, oci-layout, rootfs",
                    format);
    out->is_root = true;
    return OK;
}

static Status strings_of(Ctx *ctx, const JsonValue *array, const char *const **out, size_t *out_n)
{
    size_t count = count_of(array);
    const char **list = ARENA_NEW(ctx->arena, const char *, count + 1);
    if (!list)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < count; i++)
        list[i] = str_z(ctx->arena, json_text(array->items[i]));
    *out = list;
    *out_n = count;
    return OK;
}

Status manifest_config(Ctx *ctx, Bytes content, ImageRoot *out)
{
    JsonValue *all;
    TRY(json_parse(ctx, bytes_str(content), &all));
    const JsonValue *config = json_get(all, "config");
    size_t count;
    out->working_dir = str_z(ctx->arena, json_text(json_get(config, "WorkingDir")));
    out->user = str_z(ctx->arena, json_text(json_get(config, "User")));
    TRY(strings_of(ctx, json_get(config, "Entrypoint"), &out->entrypoint, &count));
    return strings_of(ctx, json_get(config, "Env"), &out->env, &out->env_count);
}
