/* debug_dump.c - DumpV2: what is asked for as files of a tar, gzipped, with a word on how far it
 * is.
 *
 *   pachd/version.txt, pachd/logs.txt, pachd/<profile>.txt, pachd/<program>
 *   database/tables.txt                      rows of each table
 *   defaults/cluster.json
 *   pipelines/<project>/<name>/spec.json     all versions, newest first
 *                             /jobs.json     the newest JOBS_MAX
 *                             /logs.txt      the newest LINES_MAX lines
 *   source-repos/<project>/<repo>.json       of pipelines' inputs
 *   errors.txt                               what could not be had, and why
 */
#include "api/debug_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/log_tail.h"
#include "base/file.h"
#include "base/text.h"
#include "codec/pbjson.h"
#include "codec/pbtime.h"
#include "codec/tar.h"
#include "pps/input.h"
#include "pps/log.h"

#define PIECE_BYTES    (256 * KiB)
#define JOBS_MAX       1000
#define LINES_MAX      10000
#define LOG_AGE_NS     (10 * 365 * 24 * 3600 * NS_PER_SEC)
#define GZIP_WINDOW    (15 + 16) /* zlib's way of saying gzip */
#define GZIP_MEM_LEVEL 8

typedef struct Dump {
    Call *call;
    const DebugV2__DumpV2Request *request;
    z_stream gzip;
    Buf file, tar, errors; /* the file that is made up; bytes to pack */
    int64_t total, done;
} Dump;

/* --- the archive ------------------------------------------------------------------------------ */

static Status send_content(Dump *dump, const uint8_t *data, size_t size)
{
    DebugV2__DumpContent content;
    DebugV2__DumpChunk chunk;
    debug_v2__dump_content__init(&content);
    debug_v2__dump_chunk__init(&chunk);
    content.content.data = (uint8_t *)(uintptr_t)data;
    content.content.len = size;
    chunk.content = &content;
    chunk.chunk_case = DEBUG_V2__DUMP_CHUNK__CHUNK_CONTENT;
    return size ? call_send(dump->call, &chunk.base) : OK;
}

/* Packs what is in dump->tar. */
static Status pack(Dump *dump, bool last)
{
    uint8_t *piece = arena_must(dump->call->ctx->arena, PIECE_BYTES);
    dump->gzip.next_in = dump->tar.data;
    dump->gzip.avail_in = (uInt)dump->tar.size;
    do {
        dump->gzip.next_out = piece;
        dump->gzip.avail_out = PIECE_BYTES;
        deflate(&dump->gzip, last ? Z_FINISH : Z_NO_FLUSH);
        TRY(send_content(dump, piece, PIECE_BYTES - dump->gzip.avail_out));
    } while (dump->gzip.avail_out == 0);
    buf_clear(&dump->tar);
    return OK;
}

static void begin_file(Dump *dump, const char *name, uint64_t size)
{
    const TarEntry entry = {
        .name = str(name), .mode = 0644, .size = size, .mtime_s = clock_wall_ns() / NS_PER_SEC
    };
    tar_write_header(&dump->tar, &entry);
}

/* Adds dump->file under a name, and empties it. */
static Status add_file(Dump *dump, const char *name)
{
    ArenaMark mark = arena_mark(dump->call->ctx->arena);
    begin_file(dump, name, dump->file.size);
    buf_add_bytes(&dump->tar, buf_bytes(&dump->file));
    tar_write_padding(&dump->tar, dump->file.size);
    buf_clear(&dump->file);
    TRY(pack(dump, false));
    arena_rewind(dump->call->ctx->arena, mark);
    return OK;
}

/* One thing that cannot be had does not end the dump. */
static Status or_note(Dump *dump, const char *what, Status s)
{
    if (status_ok(s) || s.code == STATUS_CANCELLED || s.code == STATUS_DEADLINE_EXCEEDED)
        return s;
    buf_printf(&dump->errors, "%s: %s\n", what, status_message(s));
    buf_clear(&dump->file);
    return OK;
}

static Status add_json(Ctx *ctx, Buf *out, const ProtobufCMessage *message)
{
    TRY(pbjson_print(ctx, message, NULL, out));
    buf_add_u8(out, '\n');
    return OK;
}

/* --- the server ------------------------------------------------------------------------------- */

static Status dump_version(Dump *dump)
{
    buf_printf(&dump->file, "procavia " PCV_VERSION "\ncluster %s\n",
               dump->call->api->config.cluster_id);
    return add_file(dump, "pachd/version.txt");
}

static Status count_tables(Dump *dump)
{
    Ctx *ctx = dump->call->ctx;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, dump->call->api->config.pfs, &tx));
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name", ""));
    DB_EACH (ctx, &rows) {
        const char *table = db_text(ctx, &rows, 0);
        int64_t count;
        TRY(db_query_int(ctx, pfs_tx_db(tx), &count,
                         text_printf(ctx->arena, "SELECT COUNT(*) FROM \"%s\"", table), ""));
        buf_printf(&dump->file, "%12lld  %s\n", (long long)count, table);
    }
    return OK;
}

static Status dump_database(Dump *dump)
{
    TRY(or_note(dump, "database", count_tables(dump)));
    return add_file(dump, "database/tables.txt");
}

static Status dump_server_log(Dump *dump)
{
    Ctx *ctx = dump->call->ctx;
    ArenaMark mark = arena_mark(ctx->arena);
    LogTailLine line;
    for (uint64_t at = 0; log_tail_next(ctx, dump->call->api->config.log, &at, &line);) {
        buf_add_str(&dump->file, line.text);
        buf_add_u8(&dump->file, '\n');
        arena_rewind(ctx->arena, mark);
    }
    return add_file(dump, "pachd/logs.txt");
}

static Status dump_profile(Dump *dump, const DebugV2__Profile *profile)
{
    const char *name = text_printf(dump->call->ctx->arena, "pachd/%s.txt", profile->name);
    Status s = debug_profile(dump->call, profile, &dump->file);
    TRY(or_note(dump, name, s));
    return status_ok(s) ? add_file(dump, name) : OK;
}

static Status dump_profiles(Dump *dump, const DebugV2__App *app)
{
    if (app->extra_args_case != DEBUG_V2__APP__EXTRA_ARGS_PROFILE_ARGS)
        return OK;
    for (size_t i = 0; i < app->profile_args->n_profiles; i++)
        TRY(dump_profile(dump, app->profile_args->profiles[i]));
    return OK;
}

static Status copy_program(Dump *dump, const char *path)
{
    Ctx *ctx = dump->call->ctx;
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return status_errno(ctx, errno, "could not open '%s'", path);
    begin_file(dump, text_printf(ctx->arena, "pachd%s", strrchr(path, '/')), (uint64_t)st.st_size);
    ArenaMark mark = arena_mark(ctx->arena);
    for (off_t left = st.st_size; left > 0;) {
        uint8_t piece[16 * KiB];
        ssize_t n = read(fd, piece, MIN(sizeof(piece), (size_t)left));
        if (n <= 0)
            return FAIL(ctx, ABORTED, "'%s' became shorter while it was read", path);
        buf_add(&dump->tar, piece, (size_t)n);
        TRY(pack(dump, false));
        arena_rewind(ctx->arena, mark);
        left -= n;
    }
    tar_write_padding(&dump->tar, (uint64_t)st.st_size);
    return OK;
}

static Status dump_program(Dump *dump)
{
    const char *path;
    TRY(debug_program(dump->call->ctx, NULL, &path));
    return copy_program(dump, path);
}

static Status dump_defaults(Dump *dump)
{
    Ctx *ctx = dump->call->ctx;
    const char *json = "";
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, dump->call->api->config.pfs, &tx));
    TRY(pps_get_cluster_defaults(ctx, tx, &json));
    buf_add_str(&dump->file, str(json));
    return add_file(dump, "defaults/cluster.json");
}

/* --- pipelines -------------------------------------------------------------------------------- */

static Status add_version(void *dump, Ctx *ctx, const PpsV2__PipelineInfo *info)
{
    return add_json(ctx, &((Dump *)dump)->file, &info->base);
}

static Status add_job(void *dump, Ctx *ctx, const PpsV2__JobInfo *info)
{
    return add_json(ctx, &((Dump *)dump)->file, &info->base);
}

static Status add_line(void *dump, Ctx *ctx, const PpsV2__LogMessage *line)
{
    return add_json(ctx, &((Dump *)dump)->file, &line->base);
}

static Status read_specs(Dump *dump, const PpsV2__Pipeline *pipeline)
{
    PpsV2__ListPipelineRequest request;
    pps_v2__list_pipeline_request__init(&request);
    request.pipeline = (PpsV2__Pipeline *)(uintptr_t)pipeline;
    request.history = -1;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(dump->call->ctx, dump->call->api->config.pfs, &tx));
    return pps_list_pipeline(dump->call->ctx, tx, &request, add_version, dump);
}

static Status read_jobs(Dump *dump, const PpsV2__Pipeline *pipeline)
{
    PpsV2__ListJobRequest request;
    pps_v2__list_job_request__init(&request);
    request.pipeline = (PpsV2__Pipeline *)(uintptr_t)pipeline;
    request.history = -1;
    request.number = JOBS_MAX;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(dump->call->ctx, dump->call->api->config.pfs, &tx));
    return pps_list_job(dump->call->ctx, tx, &request, add_job, dump);
}

static Status read_logs(Dump *dump, const PpsV2__Pipeline *pipeline)
{
    Ctx *ctx = dump->call->ctx;
    PpsV2__GetLogsRequest request;
    pps_v2__get_logs_request__init(&request);
    request.pipeline = (PpsV2__Pipeline *)(uintptr_t)pipeline;
    request.since = pb_duration(ctx, LOG_AGE_NS);
    request.tail = LINES_MAX;
    const PpsPending pending = { control_pending_datum, dump->call->api->config.control };
    return pps_get_logs(ctx, dump->call->api->config.pps, &request, &pending, add_line, dump);
}

typedef struct InputRepos {
    Dump *dump;
    PfsTx *tx;
} InputRepos;

static Status dump_repo(void *arg, Ctx *ctx, PpsV2__Input *node)
{
    const InputRepos *repos = arg;
    if (!node->pfs)
        return OK;
    PfsV2__RepoInfo *info;
    PfsV2__Repo *repo =
        pfs_repo_ref(ctx, node->pfs->project, node->pfs->repo, node->pfs->repo_type);
    const char *name =
        text_printf(ctx->arena, "source-repos/%s/%s.json", node->pfs->project, node->pfs->repo);
    Status s = pfs_inspect_repo(ctx, repos->tx, repo, &info);
    TRY(or_note(repos->dump, name, s));
    if (!status_ok(s))
        return OK;
    TRY(add_json(ctx, &repos->dump->file, &info->base));
    return add_file(repos->dump, name);
}

static Status dump_input_repos(Dump *dump, PpsV2__Pipeline *pipeline)
{
    Ctx *ctx = dump->call->ctx;
    PpsV2__InspectPipelineRequest request;
    pps_v2__inspect_pipeline_request__init(&request);
    request.pipeline = pipeline;
    request.details = true;
    PpsV2__PipelineInfo *info;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, dump->call->api->config.pfs, &tx));
    TRY(pps_inspect_pipeline(ctx, tx, &request, &info));
    InputRepos repos = { dump, tx };
    return info->details->input ? input_visit(ctx, info->details->input, dump_repo, &repos) : OK;
}

static Status dump_pipeline(Dump *dump, const DebugV2__Pipeline *named)
{
    static const struct {
        const char *file;
        Status (*read)(Dump *dump, const PpsV2__Pipeline *pipeline);
    } parts[] = { { "spec.json", read_specs },
                  { "jobs.json", read_jobs },
                  { "logs.txt", read_logs } };
    Ctx *ctx = dump->call->ctx;
    const char *project = *named->project ? named->project : "default";
    PpsV2__Pipeline *pipeline = CALL_NEW(dump->call, PpsV2__Pipeline, pps_v2__pipeline__init);
    pipeline->project = CALL_NEW(dump->call, PfsV2__Project, pfs_v2__project__init);
    pipeline->project->name = arena_strdup(ctx->arena, project);
    pipeline->name = named->name;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const char *name =
            text_printf(ctx->arena, "pipelines/%s/%s/%s", project, named->name, parts[i].file);
        Status s = parts[i].read(dump, pipeline);
        TRY(or_note(dump, name, s));
        if (status_ok(s))
            TRY(add_file(dump, name));
    }
    if (!dump->request->input_repos)
        return OK;
    return or_note(dump, "source-repos", dump_input_repos(dump, pipeline));
}

/* --- all of it -------------------------------------------------------------------------------- */

static Status tell(Dump *dump, const char *task)
{
    DebugV2__DumpProgress progress;
    DebugV2__DumpChunk chunk;
    debug_v2__dump_progress__init(&progress);
    debug_v2__dump_chunk__init(&chunk);
    progress.task = (char *)(uintptr_t)task;
    progress.total = dump->total;
    progress.progress = ++dump->done;
    chunk.progress = &progress;
    chunk.chunk_case = DEBUG_V2__DUMP_CHUNK__CHUNK_PROGRESS;
    return call_send(dump->call, &chunk.base);
}

static Status dump_system(Dump *dump, const DebugV2__System *system)
{
    const struct {
        bool wanted;
        const char *task;
        Status (*fn)(Dump *dump);
    } parts[] = { { system->version, "version", dump_version },
                  { system->database, "database", dump_database },
                  { system->n_logs > 0, "logs", dump_server_log },
                  { system->n_binaries > 0, "binaries", dump_program } };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (!parts[i].wanted)
            continue;
        TRY(tell(dump, parts[i].task));
        TRY(parts[i].fn(dump));
    }
    for (size_t i = 0; i < system->n_profiles; i++) {
        TRY(tell(dump, "profiles"));
        TRY(dump_profiles(dump, system->profiles[i]));
    }
    return OK;
}

/* What only a cluster has. */
static void note_missing(Dump *dump)
{
    const DebugV2__System *system = dump->request->system;
    const struct {
        bool wanted;
        const char *what;
    } parts[] = { { system && system->helm, "helm" },
                  { system && system->n_describes, "describes" },
                  { system && system->n_loki_logs, "loki logs" },
                  { dump->request->n_starlark_scripts > 0, "starlark scripts" } };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i].wanted)
            buf_printf(&dump->errors, "%s: this server has none\n", parts[i].what);
    }
}

static int64_t count_parts(const DebugV2__DumpV2Request *r)
{
    const DebugV2__System *system = r->system;
    int64_t n = 1 + (int64_t)r->n_pipelines + (r->defaults && r->defaults->cluster_defaults);
    if (!system)
        return n;
    return n + system->version + system->database + (system->n_logs > 0) +
           (system->n_binaries > 0) + (int64_t)system->n_profiles;
}

static Status dump_all(Dump *dump)
{
    const DebugV2__DumpV2Request *r = dump->request;
    TRY(tell(dump, "begin"));
    if (r->system)
        TRY(dump_system(dump, r->system));
    if (r->defaults && r->defaults->cluster_defaults) {
        TRY(tell(dump, "defaults"));
        TRY(dump_defaults(dump));
    }
    for (size_t i = 0; i < r->n_pipelines; i++) {
        TRY(tell(dump, r->pipelines[i]->name));
        TRY(dump_pipeline(dump, r->pipelines[i]));
    }
    note_missing(dump);
    buf_add_bytes(&dump->file, buf_bytes(&dump->errors));
    if (dump->file.size)
        TRY(add_file(dump, "errors.txt"));
    tar_write_end(&dump->tar);
    return pack(dump, true);
}

Status debug_dump(Call *call, const void *request)
{
    Dump dump = { .call = call, .request = request, .total = count_parts(request) };
    if (deflateInit2(&dump.gzip, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, GZIP_MEM_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return STATUS(RESOURCE_EXHAUSTED);
    Status s = dump_all(&dump);
    deflateEnd(&dump.gzip);
    buf_done(&dump.file);
    buf_done(&dump.tar);
    buf_done(&dump.errors);
    return s;
}
