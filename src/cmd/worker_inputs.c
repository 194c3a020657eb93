/* worker_inputs.c - see worker_inputs.h. */
#include "cmd/worker_inputs.h"

#include "codec/pb.h"
#include "procavia/work/work.pb-c.h"

/* Files of a directory that are looked at together. */
#define LISTED_MAX FETCH_AHEAD_FILES

PfsV2__File *input_repo_file(Ctx *ctx, const WorkerInput *input, const char *path)
{
    const Procavia__Work__WorkInput *source = input->source;
    PfsV2__File *file = PB_NEW(ctx, pfs_v2__file, PfsV2__File);
    file->commit = source->file->commit;
    file->path = arena_strdup(ctx->arena, path);
    return file;
}

static bool is_dir(const char *path)
{
    return str_ends(str(path), STR("/"));
}

static bool is_whole(const WorkerInput *input, const char *path)
{
    return strcmp(path, input->path) == 0;
}

bool input_is_here(const WorkerInput *input, const char *path)
{
    const Procavia__Work__WorkInput *source = input->source;
    return is_whole(input, path) && (is_dir(path) ? source->has_files : input->has_content);
}

/* What was asked for is not what comes next. */
static void start_over(InputReader *reader)
{
    fetch_drop(&reader->fetch);
    reader->asked = reader->taken;
}

static Status ask(Ctx *ctx, InputReader *reader, const WorkerInput *input, const char *path,
                  uint64_t size_bytes)
{
    ArenaMark mark = arena_mark(ctx->arena);
    TRY(fetch_ask(ctx, &reader->fetch, input_repo_file(ctx, input, path), size_bytes));
    arena_rewind(ctx->arena, mark);
    return OK;
}

/* --- directories ------------------------------------------------------------------------------ */

/* One that came with the datum. */
static Status pass_files(Ctx *ctx, const Procavia__Work__WorkInput *from, WorkerSink *sink)
{
    for (size_t i = 0; i < from->n_files; i++) {
        const Procavia__Work__WorkFile *file = from->files[i];
        ArenaMark mark = arena_mark(ctx->arena);
        bool wanted;
        TRY(sink->file(sink, ctx, file->path, bytes(file->hash.data, file->hash.len),
                       file->content.len, &wanted));
        if (wanted && file->content.len)
            TRY(sink->data(sink, ctx, bytes(file->content.data, file->content.len)));
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}

typedef struct Listed {
    const char *path;
    Bytes hash;
    uint64_t size_bytes;
    bool is_asked;
} Listed;

typedef struct Listing {
    InputReader *reader;
    const WorkerInput *input;
    WorkerSink *sink;
    WireStream *stream;
    Buf buf;
    bool ended;
    Listed files[LISTED_MAX];
    size_t count;
} Listing;

static void listing_done(Listing *listing)
{
    wire_stream_close(listing->stream);
    buf_done(&listing->buf);
}

static Status open_listing(Ctx *ctx, Listing *listing, const char *path)
{
    PfsV2__WalkFileRequest *request =
        PB_NEW(ctx, pfs_v2__walk_file_request, PfsV2__WalkFileRequest);
    request->file = input_repo_file(ctx, listing->input, path);
    TRY(wire_stream_open(ctx, listing->reader->fetch.client, "/pfs_v2.API/WalkFile",
                         &listing->stream));
    TRY(wire_stream_send(ctx, listing->stream, pb_pack_bytes(ctx, &request->base)));
    return wire_stream_close_send(ctx, listing->stream);
}

/* The next files, as many as are looked at together; what names them is in ctx's arena. */
static Status list_more(Ctx *ctx, Listing *listing)
{
    listing->count = 0;
    while (listing->count < LISTED_MAX) {
        PfsV2__FileInfo *info;
        TRY(wire_stream_recv(ctx, listing->stream, &listing->buf, &listing->ended));
        if (listing->ended)
            break;
        TRY(PB_UNPACK(ctx, pfs_v2__file_info, buf_bytes(&listing->buf), &info));
        if (info->file_type == PFS_V2__FILE_TYPE__FILE)
            listing->files[listing->count++] =
                (Listed){ .path = info->file->path,
                          .hash = bytes(info->hash.data, info->hash.len),
                          .size_bytes = (uint64_t)info->size_bytes };
    }
    return OK;
}

static Status ask_listed(Ctx *ctx, Listing *listing, Listed *file)
{
    file->is_asked = true;
    return ask(ctx, listing->reader, listing->input, file->path, file->size_bytes);
}

/* Those that the sink will likely want, from the one at `at` on; *next is the first that was not
 * looked at. */
static Status ask_ahead(Ctx *ctx, Listing *listing, size_t *next)
{
    for (; *next < listing->count && fetch_has_room(&listing->reader->fetch); ++*next) {
        Listed *file = &listing->files[*next];
        if (file->size_bytes &&
            (!listing->sink->needs || listing->sink->needs(listing->sink, file->hash)))
            TRY(ask_listed(ctx, listing, file));
    }
    return OK;
}

static Status read_listed(Ctx *ctx, Listing *listing, size_t at, size_t *next)
{
    bool wanted;
    Listed *file = &listing->files[at];
    TRY(ask_ahead(ctx, listing, next));
    TRY(listing->sink->file(listing->sink, ctx, file->path, file->hash, file->size_bytes, &wanted));
    wanted = wanted && file->size_bytes;
    if (wanted && !file->is_asked) { /* it was at hand, and is not any more */
        start_over(listing->reader);
        for (size_t i = at; i < *next; i++)
            listing->files[i].is_asked = false;
        *next = at + 1;
        TRY(ask_listed(ctx, listing, file));
    }
    return file->is_asked ? fetch_take(ctx, &listing->reader->fetch, file->size_bytes,
                                       wanted ? listing->sink : NULL)
                          : OK;
}

static Status read_dir(Ctx *ctx, InputReader *reader, const WorkerInput *input, const char *path,
                       WorkerSink *sink)
{
    CLEANUP(listing_done) Listing listing = { .reader = reader, .input = input, .sink = sink };
    TRY(open_listing(ctx, &listing, path));
    while (!listing.ended) {
        ArenaMark mark = arena_mark(ctx->arena);
        TRY(list_more(ctx, &listing));
        for (size_t i = 0, next = 0; i < listing.count; i++)
            TRY(read_listed(ctx, &listing, i, &next));
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}

/* --- files ------------------------------------------------------------------------------------ */

void input_reader_expect(InputReader *reader, const WorkerInput *const *inputs, size_t n)
{
    if (reader->fetch.files)
        fetch_drop(&reader->fetch);
    reader->coming = inputs;
    reader->coming_count = n;
    reader->asked = reader->taken = 0;
}

static bool is_next(const InputReader *reader, const WorkerInput *input, const char *path)
{
    return is_whole(input, path) && reader->taken < reader->coming_count &&
           reader->coming[reader->taken] == input;
}

/* Of a file that was expected. */
static Status take_next(Ctx *ctx, InputReader *reader, WorkerSink *sink)
{
    while (reader->asked < reader->coming_count && fetch_has_room(&reader->fetch)) {
        const WorkerInput *ahead = reader->coming[reader->asked++];
        TRY(ask(ctx, reader, ahead, ahead->path, ahead->size_bytes));
    }
    const WorkerInput *input = reader->coming[reader->taken++];
    return fetch_take(ctx, &reader->fetch, input->size_bytes, sink);
}

/* Where its size is not known, it is asked for. */
static Status take_alone(Ctx *ctx, InputReader *reader, const WorkerInput *input, const char *path,
                         WorkerSink *sink)
{
    CLEANUP(buf_done) Buf buf = { 0 };
    PfsV2__FileInfo *info;
    PfsV2__InspectFileRequest *request =
        PB_NEW(ctx, pfs_v2__inspect_file_request, PfsV2__InspectFileRequest);
    request->file = input_repo_file(ctx, input, path);
    uint64_t size_bytes = input->size_bytes;
    start_over(reader);
    if (!is_whole(input, path)) {
        TRY(wire_call_unary(ctx, reader->fetch.client, "/pfs_v2.API/InspectFile",
                            pb_pack_bytes(ctx, &request->base), &buf));
        TRY(PB_UNPACK(ctx, pfs_v2__file_info, buf_bytes(&buf), &info));
        size_bytes = (uint64_t)info->size_bytes;
    }
    TRY(ask(ctx, reader, input, path, size_bytes));
    return fetch_take(ctx, &reader->fetch, size_bytes, sink);
}

static Status read_file(Ctx *ctx, InputReader *reader, const WorkerInput *input, const char *path,
                        WorkerSink *sink)
{
    bool wanted, whole = is_whole(input, path);
    TRY(sink->file(sink, ctx, path, whole ? input->hash : (Bytes){ 0 },
                   whole ? input->size_bytes : 0, &wanted));
    if (input_is_here(input, path))
        return wanted ? sink->data(sink, ctx, input->content) : OK;
    if (is_next(reader, input, path))
        return take_next(ctx, reader, wanted ? sink : NULL);
    return wanted ? take_alone(ctx, reader, input, path, sink) : OK;
}

Status input_read(Ctx *ctx, InputReader *reader, const WorkerInput *input, const char *path,
                  WorkerSink *sink)
{
    if (is_dir(path) && input_is_here(input, path))
        return pass_files(ctx, input->source, sink);
    Status s = is_dir(path) ? read_dir(ctx, reader, input, path, sink)
                            : read_file(ctx, reader, input, path, sink);
    if (!status_ok(s))
        start_over(reader);
    return s;
}
