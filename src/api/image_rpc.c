/* image_rpc.c - procavia.v1.API: the store of images. */
#include "api/api_priv.h"

#include <unistd.h>

#include "base/file.h"
#include "codec/pbtime.h"

static Procavia__V1__ImageInfo *info_of(Call *call, const ImageRow *row)
{
    Arena *arena = call->ctx->arena;
    Procavia__V1__ImageInfo *info =
        CALL_NEW(call, Procavia__V1__ImageInfo, procavia__v1__image_info__init);
    info->name = arena_strdup(arena, row->name);
    info->digest = arena_strdup(arena, row->digest);
    info->size_bytes = (int64_t)row->size_bytes;
    info->created = pb_timestamp(call->ctx, row->created_at);
    return info;
}

/* Writes the pieces of the archive to a file. */
static Status receive_pieces(Call *call, int fd)
{
    for (;;) {
        ArenaMark mark = arena_mark(call->ctx->arena);
        Procavia__V1__ImportImageRequest *request;
        TRY(call_recv(call, (void **)&request));
        if (!request)
            return OK;
        if (request->body_case != PROCAVIA__V1__IMPORT_IMAGE_REQUEST__BODY_CHUNK)
            return FAIL(call->ctx, INVALID_ARGUMENT, "only the first message may be a header");
        TRY_WRAP(call->ctx, file_write_all(call->ctx, fd, request->chunk.data, request->chunk.len),
                 "could not keep the archive");
        arena_rewind(call->ctx->arena, mark);
    }
}

static Status receive_archive(Call *call, ImageStore *images, const char **out_path)
{
    AUTO_FD fd = -1;
    TRY(image_upload_file(call->ctx, images, &fd, out_path));
    Status s = receive_pieces(call, fd);
    if (!status_ok(s))
        unlink(*out_path);
    return s;
}

static Status import_image(Call *call)
{
    ImageStore *images = call->api->config.images;
    Procavia__V1__ImportImageRequest *first;
    TRY(call_recv(call, (void **)&first));
    if (!first || first->body_case != PROCAVIA__V1__IMPORT_IMAGE_REQUEST__BODY_HEADER)
        return FAIL(call->ctx, INVALID_ARGUMENT, "the first message must be a header");
    const char *path;
    TRY(receive_archive(call, images, &path));
    ImageRow row;
    Status s =
        image_import(call->ctx, images, first->header->name, first->header->format, path, &row);
    unlink(path);
    TRY(s);
    return call_send(call, &info_of(call, &row)->base);
}

static Status list_images(Call *call, const void *request)
{
    (void)request;
    ImageRow *rows;
    size_t n;
    TRY(image_list(call->ctx, call->api->config.images, &rows, &n));
    for (size_t i = 0; i < n; i++)
        TRY(call_send(call, &info_of(call, &rows[i])->base));
    return OK;
}

static Status delete_image(Call *call, const void *request, void **response)
{
    (void)response;
    const Procavia__V1__DeleteImageRequest *r = request;
    return image_delete(call->ctx, call->api->config.images, r->name, r->force);
}

static Status pull_image(Call *call, const void *request, void **response)
{
    const Procavia__V1__PullImageRequest *r = request;
    const ImagePull pull = { .name = r->name,
                             .username = r->username,
                             .password = r->password,
                             .logins = "",
                             .insecure = r->insecure };
    ImageRow row;
    TRY(image_pull(call->ctx, call->api->config.images, &pull, &row));
    *response = info_of(call, &row);
    return OK;
}

static const ApiMethod methods[] = {
    { .path = "/procavia.v1.API/ImportImage", .bidi = import_image },
    { .path = "/procavia.v1.API/ListImages", .stream = list_images },
    { .path = "/procavia.v1.API/DeleteImage", .unary = delete_image },
    { .path = "/procavia.v1.API/PullImage", .unary = pull_image },
};

const ApiTable api_image_table = { methods, ARRAY_LEN(methods) };
