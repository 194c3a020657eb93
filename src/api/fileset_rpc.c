/* fileset_rpc.c - storage.Fileset: file sets made, read and combined by clients that cut their own
 * work.
 *
 * The same file sets as pfs_v2.API's; only the messages differ.
 */
#include "api/fileset.h"
#include "base/text.h"
#include "codec/pb.h"
#include "codec/regex.h"
#include "pfs/view.h"
#include "pfs/write.h"
#include "storage/fileset.pb-c.h"

#define TTL_SECONDS_MAX 1800

/* --- making ----------------------------------------------------------------------------------- */

static Status append_file(Ctx *ctx, PfsWriter *writer, const Storage__AppendFile *append)
{
    const Google__Protobuf__BytesValue *data = append->data;
    Bytes content = data ? bytes(data->value.data, data->value.len) : bytes(NULL, 0);
    return pfs_writer_append(ctx, writer, str(append->path), STR(""), content);
}

static Status copy_file(Ctx *ctx, Pfs *pfs, PfsWriter *writer, const Storage__CopyFile *copy)
{
    PfsView view = { .pfs = pfs, .content = pfs_content(pfs) };
    Hash layer;
    TRY(pfs_fileset_roots(ctx, pfs, copy->fileset_id, &layer, &view.root));
    const char *dst = *copy->dst ? copy->dst : copy->src;
    return pfs_writer_copy(ctx, writer, str(dst), STR(""), &view, str(copy->src), false);
}

static Status modify(Call *call, PfsWriter *writer, const Storage__CreateFilesetRequest *r)
{
    switch (r->modification_case) {
    case STORAGE__CREATE_FILESET_REQUEST__MODIFICATION_APPEND_FILE:
        return append_file(call->ctx, writer, r->append_file);
    case STORAGE__CREATE_FILESET_REQUEST__MODIFICATION_DELETE_FILE:
        return pfs_writer_delete(call->ctx, writer, str(r->delete_file->path), STR(""));
    case STORAGE__CREATE_FILESET_REQUEST__MODIFICATION_COPY_FILE:
        return copy_file(call->ctx, call->api->config.pfs, writer, r->copy_file);
    case STORAGE__CREATE_FILESET_REQUEST__MODIFICATION__NOT_SET:
    case _STORAGE__CREATE_FILESET_REQUEST__MODIFICATION__CASE_IS_INT_SIZE:
    default:
        return FAIL(call->ctx, UNKNOWN, "unknown modification of a file set");
    }
}

static Status create_fileset(Call *call)
{
    CLEANUP(pfs_writer_freep) PfsWriter *writer = pfs_writer_new(call->api->config.pfs);
    for (;;) {
        ArenaMark mark = arena_mark(call->ctx->arena);
        void *request;
        TRY(call_recv(call, &request));
        if (!request)
            break;
        TRY(modify(call, writer, request));
        arena_rewind(call->ctx->arena, mark);
    }
    const char *id;
    TRY(pfs_fileset_from_writer(call->ctx, writer, &id));
    Storage__CreateFilesetResponse answer;
    storage__create_fileset_response__init(&answer);
    answer.fileset_id = arena_strdup(call->ctx->arena, id);
    return call_send(call, &answer.base);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* A file is read when it is in all ranges, which are one, and matches all expressions. */
typedef struct Filter {
    const char *lower, *upper; /* "": open */
    Regex **regexes;
    size_t n_regexes;
} Filter;

static void filter_done(Filter *filter)
{
    for (size_t i = 0; i < filter->n_regexes; i++)
        regex_free(filter->regexes[i]);
}

static void narrow(Filter *filter, const Storage__PathRange *range)
{
    if (!range)
        return;
    if (strcmp(range->lower, filter->lower) > 0)
        filter->lower = range->lower;
    if (*range->upper && (!*filter->upper || strcmp(range->upper, filter->upper) < 0))
        filter->upper = range->upper;
}

static Status filter_make(Ctx *ctx, Storage__FileFilter *const *filters, size_t n, Filter *out)
{
    out->lower = out->upper = "";
    out->regexes = ARENA_NEW(ctx->arena, Regex *, n);
    if (!out->regexes)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < n; i++) {
        if (filters[i]->filter_case == STORAGE__FILE_FILTER__FILTER_PATH_RANGE)
            narrow(out, filters[i]->path_range);
        else if (filters[i]->filter_case == STORAGE__FILE_FILTER__FILTER_PATH_REGEX)
            TRY(regex_compile(ctx, str(filters[i]->path_regex), &out->regexes[out->n_regexes++]));
    }
    return OK;
}

static Status filter_passes(Ctx *ctx, const Filter *filter, Str path, bool *out)
{
    *out = true;
    for (size_t i = 0; *out && i < filter->n_regexes; i++)
        TRY(regex_search(ctx, filter->regexes[i], path, out));
    return OK;
}

static Status each_in_range(Ctx *ctx, const TreeIo *io, const Hash *root, const Filter *filter,
                            FilesetFn fn, void *arg)
{
    CLEANUP(tree_cursor_freep) TreeCursor *cursor = tree_cursor_new(io, root);
    TRY(tree_cursor_seek(ctx, cursor, str(filter->lower), STR("")));
    for (;;) {
        const TreeEntry *entry = tree_cursor_entry(cursor);
        if (!entry || (*filter->upper && str_cmp(entry->path, str(filter->upper)) >= 0))
            return OK;
        ArenaMark mark = arena_mark(ctx->arena);
        bool wanted;
        TRY(filter_passes(ctx, filter, entry->path, &wanted));
        if (wanted)
            TRY(fn(arg, ctx, root, entry));
        arena_rewind(ctx->arena, mark);
        TRY(tree_cursor_next(ctx, cursor));
    }
}

Status fileset_each(Call *call, const Storage__ReadFilesetRequest *request, FilesetFn fn, void *arg)
{
    Pfs *pfs = call->api->config.pfs;
    CLEANUP(filter_done) Filter filter = { 0 };
    TRY(filter_make(call->ctx, request->filters, request->n_filters, &filter));
    Hash layer, root;
    TRY(pfs_fileset_roots(call->ctx, pfs, request->fileset_id, &layer, &root));
    return each_in_range(call->ctx, &pfs_content(pfs)->io, &root, &filter, fn, arg);
}

typedef struct Reading {
    Call *call;
    char *path;
    bool empty_files;
} Reading;

static Status send_piece(void *arg, Ctx *ctx, Bytes piece)
{
    (void)ctx;
    Reading *reading = arg;
    Google__Protobuf__BytesValue data;
    google__protobuf__bytes_value__init(&data);
    data.value = (ProtobufCBinaryData){ piece.size, (uint8_t *)(uintptr_t)piece.data };
    Storage__ReadFilesetResponse answer;
    storage__read_fileset_response__init(&answer);
    answer.path = reading->path;
    answer.data = &data;
    return call_send(reading->call, &answer.base);
}

static Status send_file(void *arg, Ctx *ctx, const Hash *root, const TreeEntry *entry)
{
    (void)root;
    Reading *reading = arg;
    reading->path = str_z(ctx->arena, entry->path);
    if (entry->record.size == 0)
        return reading->empty_files ? send_piece(reading, ctx, bytes(NULL, 0)) : OK;
    return content_read(ctx, pfs_content(reading->call->api->config.pfs), &entry->record, 0,
                        UINT64_MAX, send_piece, reading);
}

static Status read_fileset(Call *call, const void *request)
{
    Reading reading = { .call = call,
                        .empty_files = ((const Storage__ReadFilesetRequest *)request)->empty_files };
    return fileset_each(call, request, send_file, &reading);
}

/* --- the rest --------------------------------------------------------------------------------- */

static Status renew_fileset(Call *call, const void *request, void **response)
{
    (void)response;
    const Storage__RenewFilesetRequest *r = request;
    if (r->ttl_seconds < 1)
        return FAIL(call->ctx, UNKNOWN, "ttl (%lld) must be at least one second",
                    (long long)r->ttl_seconds);
    if (r->ttl_seconds > TTL_SECONDS_MAX)
        return FAIL(call->ctx, UNKNOWN, "ttl (%llds) exceeds max ttl (%ds)",
                    (long long)r->ttl_seconds, TTL_SECONDS_MAX);
    return pfs_fileset_renew(call->ctx, call->api->config.pfs, r->fileset_id, r->ttl_seconds);
}

static Status compose_fileset(Call *call, const void *request, void **response)
{
    const Storage__ComposeFilesetRequest *r = request;
    const char *id;
    TRY(pfs_fileset_compose(call->ctx, call->api->config.pfs, r->fileset_ids, r->n_fileset_ids,
                            r->ttl_seconds, &id));
    Storage__ComposeFilesetResponse *answer =
        CALL_NEW(call, Storage__ComposeFilesetResponse, storage__compose_fileset_response__init);
    answer->fileset_id = arena_strdup(call->ctx->arena, id);
    *response = answer;
    return OK;
}

static Status shard_fileset(Call *call, const void *request, void **response)
{
    const Storage__ShardFilesetRequest *r = request;
    PfsV2__ShardFileSetRequest inner;
    pfs_v2__shard_file_set_request__init(&inner);
    inner.file_set_id = r->fileset_id;
    inner.num_files = r->num_files;
    inner.size_bytes = r->size_bytes;
    PfsV2__ShardFileSetResponse *shards;
    TRY(pfs_fileset_shard(call->ctx, call->api->config.pfs, &inner, &shards));
    Storage__ShardFilesetResponse *answer =
        CALL_NEW(call, Storage__ShardFilesetResponse, storage__shard_fileset_response__init);
    answer->shards = ARENA_NEW(call->ctx->arena, Storage__PathRange *, shards->n_shards);
    if (!answer->shards)
        return STATUS(RESOURCE_EXHAUSTED);
    for (; answer->n_shards < shards->n_shards; answer->n_shards++) {
        Storage__PathRange *range = CALL_NEW(call, Storage__PathRange, storage__path_range__init);
        range->lower = shards->shards[answer->n_shards]->lower;
        range->upper = shards->shards[answer->n_shards]->upper;
        answer->shards[answer->n_shards] = range;
    }
    *response = answer;
    return OK;
}

static const ApiMethod methods[] = {
    { .path = "/storage.Fileset/CreateFileset", .bidi = create_fileset },
    { .path = "/storage.Fileset/ReadFileset", .stream = read_fileset },
    { .path = "/storage.Fileset/RenewFileset", .unary = renew_fileset },
    { .path = "/storage.Fileset/ComposeFileset", .unary = compose_fileset },
    { .path = "/storage.Fileset/ShardFileset", .unary = shard_fileset },
};

const ApiTable api_fileset_table = { methods, ARRAY_LEN(methods) };
