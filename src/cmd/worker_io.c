/* worker_io.c - see worker_io.h. */
#include "cmd/worker_io.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "codec/pb.h"
#include "codec/pbtime.h"
#include "google/protobuf/wrappers.pb-c.h"
#include "cmd/worker_inputs.h"
#include "wire/wire.h"

#define RIDE_ALONG_SUM_MAX   (1 * MiB) /* of output that goes with the result */
#define RIDE_ALONG_FILES_MAX 1024

typedef struct OutputFile {
    char *path;
    Buf content;
    struct OutputFile *next;
} OutputFile;

struct ServerIo {
    WorkerIo base;
    char *address;
    Link *link;
    uint64_t lease;
    pthread_t owner;
    WireClient *client; /* the owner thread's */
    InputReader reader; /* too */
    const WorkerDatum *datum;

    OutputFile *files, **files_end; /* while small */
    size_t file_count, bytes;
    WireStream *set; /* once it is not small, or copies */
    char *set_path;  /* of the file being sent */
    bool set_begun;  /* its first piece was sent */
    char *set_id;
};

static ServerIo *of(WorkerIo *base)
{
    return CONTAINER_OF(base, ServerIo, base);
}

/* --- inputs ----------------------------------------------------------------------------------- */

/* The connection of this thread: lazy inputs read on threads of their own. */
static Status connect_client(Ctx *ctx, ServerIo *io, WireClient **out, bool *out_temporary)
{
    *out_temporary = !pthread_equal(pthread_self(), io->owner);
    if (*out_temporary)
        return wire_client_open(ctx, io->address, out);
    if (!io->client)
        TRY(wire_client_open(ctx, io->address, &io->client));
    *out = io->client;
    return OK;
}

static Status io_fetch(WorkerIo *base, Ctx *ctx, const WorkerInput *input, const char *path,
                       bool names_only, WorkerSink *sink)
{
    (void)names_only;
    ServerIo *io = of(base);
    bool temporary = false;
    WireClient *client = NULL;
    if (!input_is_here(input, path))
        TRY(connect_client(ctx, io, &client, &temporary));
    if (!temporary) {
        io->reader.fetch.client = io->client;
        return input_read(ctx, &io->reader, input, path, sink);
    }
    InputReader reader = { .fetch.client = client };
    Status s = input_read(ctx, &reader, input, path, sink);
    fetch_done(&reader.fetch);
    wire_client_close(client);
    return s;
}

static void io_expect(WorkerIo *base, const WorkerInput *const *inputs, size_t n)
{
    input_reader_expect(&of(base)->reader, inputs, n);
}

/* --- outputs ---------------------------------------------------------------------------------- */

static void drop_files(ServerIo *io)
{
    while (io->files) {
        OutputFile *next = io->files->next;
        free(io->files->path);
        buf_done(&io->files->content);
        free(io->files);
        io->files = next;
    }
    io->files_end = &io->files;
    io->file_count = io->bytes = 0;
}

static void drop_output(ServerIo *io)
{
    drop_files(io);
    io->set = wire_stream_close(io->set);
    free(io->set_path);
    io->set_path = NULL;
    free(io->set_id);
    io->set_id = NULL;
}

/* What was made since the mark goes: an output is of any size. */
static Status send_modify(Ctx *ctx, ServerIo *io, const PfsV2__ModifyFileRequest *request,
                          ArenaMark mark)
{
    TRY(wire_stream_send(ctx, io->set, pb_pack_bytes(ctx, &request->base)));
    arena_rewind(ctx->arena, mark);
    return OK;
}

static Status send_piece(Ctx *ctx, ServerIo *io, const char *path, Bytes piece)
{
    ArenaMark mark = arena_mark(ctx->arena);
    PfsV2__ModifyFileRequest *request =
        PB_NEW(ctx, pfs_v2__modify_file_request, PfsV2__ModifyFileRequest);
    request->body_case = PFS_V2__MODIFY_FILE_REQUEST__BODY_ADD_FILE;
    request->add_file = PB_NEW(ctx, pfs_v2__add_file, PfsV2__AddFile);
    request->add_file->path = arena_strdup(ctx->arena, path);
    request->add_file->source_case = PFS_V2__ADD_FILE__SOURCE_RAW;
    request->add_file->raw =
        PB_NEW(ctx, google__protobuf__bytes_value, Google__Protobuf__BytesValue);
    request->add_file->raw->value.data = arena_memdup(ctx->arena, piece.data, piece.size);
    request->add_file->raw->value.len = piece.size;
    return send_modify(ctx, io, request, mark);
}

/* From files that ride along to a file set: what was gathered goes first. */
static Status open_set(Ctx *ctx, ServerIo *io)
{
    WireClient *client;
    bool temporary;
    TRY(connect_client(ctx, io, &client, &temporary));
    TRY(wire_stream_open(ctx, client, "/pfs_v2.API/CreateFileSet", &io->set));
    for (const OutputFile *file = io->files; file; file = file->next) {
        TRY(send_piece(ctx, io, file->path, buf_bytes(&file->content)));
        if (!file->next) {
            free(io->set_path);
            io->set_path = strdup(file->path);
        }
    }
    io->set_begun = io->files != NULL;
    drop_files(io);
    return OK;
}

static Status io_output_begin(WorkerIo *base, Ctx *ctx, const WorkerDatum *datum)
{
    (void)ctx;
    ServerIo *io = of(base);
    drop_output(io);
    io->datum = datum;
    return OK;
}

/* A file without bytes is a file too: its empty piece is sent when the next file comes, or at the
 * end. */
static Status end_set_file(Ctx *ctx, ServerIo *io)
{
    if (!io->set_path || io->set_begun)
        return OK;
    io->set_begun = true;
    return send_piece(ctx, io, io->set_path, (Bytes){ 0 });
}

static Status io_output_file(WorkerIo *base, Ctx *ctx, const char *path, uint64_t size_bytes)
{
    ServerIo *io = of(base);
    if (!io->set &&
        (io->bytes + size_bytes > RIDE_ALONG_SUM_MAX || io->file_count == RIDE_ALONG_FILES_MAX))
        TRY(open_set(ctx, io));
    if (io->set) {
        TRY(end_set_file(ctx, io));
        free(io->set_path);
        io->set_path = strdup(path);
        io->set_begun = false;
        return OK;
    }
    OutputFile *file = calloc(1, sizeof(*file));
    if (!file)
        return STATUS(RESOURCE_EXHAUSTED);
    file->path = strdup(path);
    *io->files_end = file;
    io->files_end = &file->next;
    io->file_count++;
    return OK;
}

static OutputFile *last_file(ServerIo *io)
{
    return CONTAINER_OF(io->files_end, OutputFile, next);
}

static Status io_output_data(WorkerIo *base, Ctx *ctx, Bytes piece)
{
    ServerIo *io = of(base);
    if (!io->set && io->bytes + piece.size > RIDE_ALONG_SUM_MAX) /* it grew while it was read */
        TRY(open_set(ctx, io));
    if (io->set) {
        io->set_begun = true;
        return send_piece(ctx, io, io->set_path, piece);
    }
    io->bytes += piece.size;
    buf_add_bytes(&last_file(io)->content, piece);
    return OK;
}

static Status io_output_copy(WorkerIo *base, Ctx *ctx, const char *path, const WorkerInput *input,
                             const char *source_path)
{
    ServerIo *io = of(base);
    if (!io->set)
        TRY(open_set(ctx, io));
    TRY(end_set_file(ctx, io));
    ArenaMark mark = arena_mark(ctx->arena);
    PfsV2__ModifyFileRequest *request =
        PB_NEW(ctx, pfs_v2__modify_file_request, PfsV2__ModifyFileRequest);
    request->body_case = PFS_V2__MODIFY_FILE_REQUEST__BODY_COPY_FILE;
    request->copy_file = PB_NEW(ctx, pfs_v2__copy_file, PfsV2__CopyFile);
    request->copy_file->dst = arena_strdup(ctx->arena, path);
    request->copy_file->src = input_repo_file(ctx, input, source_path);
    return send_modify(ctx, io, request, mark);
}

static Status io_output_finish(WorkerIo *base, Ctx *ctx)
{
    ServerIo *io = of(base);
    if (!io->set)
        return OK;
    TRY(end_set_file(ctx, io));
    TRY(wire_stream_close_send(ctx, io->set));
    Buf buf = { 0 };
    bool end;
    PfsV2__CreateFileSetResponse *answer = NULL;
    Status s = wire_stream_recv(ctx, io->set, &buf, &end);
    if (status_ok(s) && !end)
        s = PB_UNPACK(ctx, pfs_v2__create_file_set_response, buf_bytes(&buf), &answer);
    if (status_ok(s) && answer)
        io->set_id = strdup(answer->file_set_id);
    buf_done(&buf);
    io->set = wire_stream_close(io->set);
    if (status_ok(s) && !io->set_id)
        return FAIL(ctx, INTERNAL, "the server made no file set of the output");
    return s;
}

static void io_output_abort(WorkerIo *base, Ctx *ctx)
{
    (void)ctx;
    drop_output(of(base));
}

void server_io_result(Ctx *ctx, ServerIo *io, Procavia__Work__WorkResult *result)
{
    if (io->set_id)
        result->file_set_id = arena_strdup(ctx->arena, io->set_id);
    result->files = ARENA_NEW(ctx->arena, Procavia__Work__WorkOutputFile *, io->file_count + 1);
    for (const OutputFile *file = io->files; file && result->files; file = file->next) {
        Procavia__Work__WorkOutputFile *out =
            PB_NEW(ctx, procavia__work__work_output_file, Procavia__Work__WorkOutputFile);
        out->path = arena_strdup(ctx->arena, file->path);
        out->content.data = arena_memdup(ctx->arena, file->content.data, file->content.size);
        out->content.len = file->content.size;
        result->files[result->n_files++] = out;
    }
    drop_output(io);
}

/* --- logs ------------------------------------------------------------------------------------- */

static void io_log(WorkerIo *base, const WorkerDatum *datum, bool is_user, SandboxStream stream,
                   Str text, int64_t wall_ns)
{
    const ServerIo *io = of(base);
    if (!io->link)
        return;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Procavia__Work__WorkLog *line = PB_NEW(&ctx, procavia__work__work_log, Procavia__Work__WorkLog);
    line->lease = io->lease;
    line->datum_id = arena_strdup(ctx.arena, datum->id);
    line->index = datum->index;
    line->ts = pb_timestamp(&ctx, wall_ns);
    line->user = is_user;
    line->is_stderr = stream == SANDBOX_STDERR;
    line->message = str_z(ctx.arena, text);
    link_log(io->link, line);
}

static void io_started(WorkerIo *base, const WorkerDatum *datum)
{
    const ServerIo *io = of(base);
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Procavia__Work__WorkReport *report =
        PB_NEW(&ctx, procavia__work__work_report, Procavia__Work__WorkReport);
    report->body_case = PROCAVIA__WORK__WORK_REPORT__BODY_STARTED;
    report->started =
        PB_NEW(&ctx, procavia__work__work_report__started, Procavia__Work__WorkReport__Started);
    report->started->lease = io->lease;
    report->started->datum_id = arena_strdup(ctx.arena, datum->id);
    link_report(io->link, report);
}

static void io_attempt(WorkerIo *base, const WorkerDatum *datum, Cancel *attempt)
{
    link_attempt(of(base)->link, datum->id, attempt);
}

/* --- the object ------------------------------------------------------------------------------- */

ServerIo *server_io_new(const char *address, Link *link)
{
    ServerIo *io = calloc(1, sizeof(*io));
    if (!io)
        abort();
    io->base = (WorkerIo){ .fetch = io_fetch,
                           .expect = io_expect,
                           .output_begin = io_output_begin,
                           .output_file = io_output_file,
                           .output_data = io_output_data,
                           .output_copy = io_output_copy,
                           .output_finish = io_output_finish,
                           .output_abort = io_output_abort,
                           .log = io_log,
                           .started = io_started,
                           .attempt = io_attempt };
    io->address = strdup(address);
    io->link = link;
    io->owner = pthread_self();
    io->files_end = &io->files;
    return io;
}

ServerIo *server_io_free(ServerIo *io)
{
    if (!io)
        return NULL;
    drop_output(io);
    fetch_done(&io->reader.fetch);
    wire_client_close(io->client);
    free(io->address);
    free(io);
    return NULL;
}

WorkerIo *server_io_for(ServerIo *io, uint64_t lease)
{
    io->lease = lease;
    return &io->base;
}
