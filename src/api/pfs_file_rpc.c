/* pfs_file_rpc.c - pfs_v2.API: files and file sets. */
#include "api/api_priv.h"

#include "codec/pbjson.h"
#include "pfs/view.h"
#include "pfs/write.h"

static Status modify(Call *call, PfsWriter *writer, bool with_target)
{
    bool targeted = !with_target;
    for (;;) {
        ArenaMark mark = arena_mark(call->ctx->arena);
        PfsV2__ModifyFileRequest *request;
        TRY(call_recv(call, (void **)&request));
        if (!request)
            break;
        bool names_commit = request->body_case == PFS_V2__MODIFY_FILE_REQUEST__BODY_SET_COMMIT;
        if (!targeted && !names_commit)
            return FAIL(call->ctx, UNKNOWN, "first message must be a commit");
        if (targeted && names_commit)
            return FAIL(call->ctx, UNKNOWN, "cannot set commit");
        if (names_commit) {
            TRY(pfs_writer_target(call->ctx, writer, request->set_commit));
            targeted = true;
            continue; /* the writer keeps what it needs of the target in the call's arena */
        }
        TRY(pfs_writer_modify(call->ctx, writer, request));
        arena_rewind(call->ctx->arena, mark);
    }
    return targeted ? OK : FAIL(call->ctx, UNKNOWN, "EOF");
}

static Status modify_file(Call *call)
{
    CLEANUP(pfs_writer_freep) PfsWriter *writer = pfs_writer_new(call->api->config.pfs);
    TRY(modify(call, writer, true));
    TRY(pfs_writer_commit(call->ctx, writer));
    return call_send(call, pb_new(call->ctx, call->method->output));
}

static Status answer_fileset(Call *call, const char *id, void **response)
{
    PfsV2__CreateFileSetResponse *answer =
        CALL_NEW(call, PfsV2__CreateFileSetResponse, pfs_v2__create_file_set_response__init);
    answer->file_set_id = arena_strdup(call->ctx->arena, id);
    *response = answer;
    return OK;
}

static Status create_fileset(Call *call)
{
    CLEANUP(pfs_writer_freep) PfsWriter *writer = pfs_writer_new(call->api->config.pfs);
    TRY(modify(call, writer, false));
    const char *id;
    TRY(pfs_fileset_from_writer(call->ctx, writer, &id));
    void *answer;
    TRY(answer_fileset(call, id, &answer));
    return call_send(call, answer);
}

static Status get_fileset(Call *call, const void *request, void **response)
{
    const char *id;
    TRY(pfs_fileset_get(call->ctx, call->api->config.pfs, request, &id));
    return answer_fileset(call, id, response);
}

static Status add_fileset(Call *call, const void *request, void **response)
{
    (void)response;
    return pfs_fileset_add(call->ctx, call->api->config.pfs, request);
}

static Status renew_fileset(Call *call, const void *request, void **response)
{
    (void)response;
    const PfsV2__RenewFileSetRequest *r = request;
    return pfs_fileset_renew(call->ctx, call->api->config.pfs, r->file_set_id, r->ttl_seconds);
}

static Status compose_fileset(Call *call, const void *request, void **response)
{
    const PfsV2__ComposeFileSetRequest *r = request;
    const char *id;
    TRY(pfs_fileset_compose(call->ctx, call->api->config.pfs, r->file_set_ids, r->n_file_set_ids,
                            r->ttl_seconds, &id));
    return answer_fileset(call, id, response);
}

static Status shard_fileset(Call *call, const void *request, void **response)
{
    return pfs_fileset_shard(call->ctx, call->api->config.pfs, request,
                             (PfsV2__ShardFileSetResponse **)response);
}

static Status inspect_file(Call *call, const void *request, void **response)
{
    const PfsV2__InspectFileRequest *r = request;
    return pfs_inspect_file(call->ctx, call->api->config.pfs, r->file,
                            (PfsV2__FileInfo **)response);
}

static Status send_file(void *call, Ctx *ctx, const PfsV2__FileInfo *info)
{
    (void)ctx;
    return call_send(call, &info->base);
}

static Status list_file(Call *call, const void *request)
{
    return pfs_list_file(call->ctx, call->api->config.pfs, request, send_file, call);
}

static Status walk_file(Call *call, const void *request)
{
    return pfs_walk_file(call->ctx, call->api->config.pfs, request, send_file, call);
}

static Status glob_file(Call *call, const void *request)
{
    return pfs_glob_file(call->ctx, call->api->config.pfs, request, send_file, call);
}

static Status send_diff(void *call, Ctx *ctx, const PfsV2__FileInfo *new_file,
                        const PfsV2__FileInfo *old_file)
{
    PfsV2__DiffFileResponse answer;
    pfs_v2__diff_file_response__init(&answer);
    answer.new_file = new_file ? arena_memdup(ctx->arena, new_file, sizeof(*new_file)) : NULL;
    answer.old_file = old_file ? arena_memdup(ctx->arena, old_file, sizeof(*old_file)) : NULL;
    return call_send(call, &answer.base);
}

static Status diff_file(Call *call, const void *request)
{
    return pfs_diff_file(call->ctx, call->api->config.pfs, request, send_diff, call);
}

/* A google.protobuf.BytesValue around the piece: field 1, length, bytes. */
static Status send_bytes(void *arg, Ctx *ctx, Bytes piece)
{
    Call *call = arg;
    if (!piece.size)
        return OK;
    buf_clear(&call->buf);
    buf_add_u8(&call->buf, 1 << 3 | 2);
    buf_add_varint(&call->buf, piece.size);
    buf_add_bytes(&call->buf, piece);
    return call->io->send(call->io->self, ctx, buf_bytes(&call->buf));
}

static Status get_file(Call *call, const void *request)
{
    return pfs_get_file(call->ctx, call->api->config.pfs, request, send_bytes, call);
}

static Status get_file_tar(Call *call, const void *request)
{
    return pfs_get_file_tar(call->ctx, call->api->config.pfs, request, send_bytes, call);
}

static Status send_found(void *call, Ctx *ctx, const PfsV2__FindCommitsResponse *response)
{
    (void)ctx;
    return call_send(call, &response->base);
}

static Status find_commits(Call *call, const void *request)
{
    return pfs_find_commits(call->ctx, call->api->config.pfs, request, send_found, call);
}

static const ApiMethod methods[] = {
    { .path = "/pfs_v2.API/ModifyFile", .bidi = modify_file },
    { .path = "/pfs_v2.API/GetFile", .stream = get_file },
    { .path = "/pfs_v2.API/GetFileTAR", .stream = get_file_tar },
    { .path = "/pfs_v2.API/InspectFile", .unary = inspect_file },
    { .path = "/pfs_v2.API/ListFile", .stream = list_file },
    { .path = "/pfs_v2.API/WalkFile", .stream = walk_file },
    { .path = "/pfs_v2.API/GlobFile", .stream = glob_file },
    { .path = "/pfs_v2.API/DiffFile", .stream = diff_file },
    { .path = "/pfs_v2.API/FindCommits", .stream = find_commits },
    { .path = "/pfs_v2.API/CreateFileSet", .bidi = create_fileset },
    { .path = "/pfs_v2.API/GetFileSet", .unary = get_fileset },
    { .path = "/pfs_v2.API/AddFileSet", .unary = add_fileset },
    { .path = "/pfs_v2.API/RenewFileSet", .unary = renew_fileset },
    { .path = "/pfs_v2.API/ComposeFileSet", .unary = compose_fileset },
    { .path = "/pfs_v2.API/ShardFileSet", .unary = shard_fileset },
};

const ApiTable api_pfs_file_table = { methods, ARRAY_LEN(methods) };
