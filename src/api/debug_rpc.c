/* debug_rpc.c - debug_v2.Debug: programs, profiles, and what a dump may hold. */
#include "api/debug_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "codec/pbtime.h"
#include "codec/tar.h"

#define PIECE_BYTES    MiB
#define TIMEOUT_NS     (30 * 60 * NS_PER_SEC)
#define PROFILE_FILE   "pachd/%s.txt"
#define WORKER_PROGRAM "pcv-worker"

static Status send_piece(Call *call, Bytes piece)
{
    Google__Protobuf__BytesValue value;
    google__protobuf__bytes_value__init(&value);
    value.value.data = (uint8_t *)(uintptr_t)piece.data;
    value.value.len = piece.size;
    return call_send(call, &value.base);
}

/* --- programs --------------------------------------------------------------------------------- */

Status debug_program(Ctx *ctx, const DebugV2__Filter *filter, const char **out_path)
{
    char path[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (size < 0)
        return status_errno(ctx, errno, "could not find the server's program");
    path[size] = '\0';
    bool of_worker = filter && (filter->filter_case == DEBUG_V2__FILTER__FILTER_PIPELINE ||
                                filter->filter_case == DEBUG_V2__FILTER__FILTER_WORKER);
    if (of_worker)
        *strrchr(path, '/') = '\0';
    *out_path = of_worker ? text_printf(ctx->arena, "%s/" WORKER_PROGRAM, path)
                          : arena_strdup(ctx->arena, path);
    return OK;
}

static Status binary(Call *call, const void *request)
{
    const DebugV2__BinaryRequest *r = request;
    const char *path;
    TRY(debug_program(call->ctx, r->filter, &path));
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return status_errno(call->ctx, errno, "could not open '%s'", path);
    uint8_t *piece = arena_must(call->ctx->arena, PIECE_BYTES);
    for (;;) {
        ssize_t n = read(fd, piece, PIECE_BYTES);
        if (n <= 0)
            return n ? status_errno(call->ctx, errno, "could not read '%s'", path) : OK;
        TRY(send_piece(call, bytes(piece, (size_t)n)));
    }
}

/* --- profiles --------------------------------------------------------------------------------- */

/* A tar of one file. */
static Status profile(Call *call, const void *request)
{
    const DebugV2__ProfileRequest *r = request;
    CLEANUP(buf_done) Buf text = { 0 };
    CLEANUP(buf_done) Buf tar = { 0 };
    TRY(debug_profile(call, r->profile, &text));
    const char *name = text_printf(call->ctx->arena, PROFILE_FILE, r->profile->name);
    const TarEntry entry = { .name = str(name), .mode = 0644, .size = text.size };
    tar_write_header(&tar, &entry);
    buf_add_bytes(&tar, buf_bytes(&text));
    tar_write_padding(&tar, text.size);
    tar_write_end(&tar);
    return send_piece(call, buf_bytes(&tar));
}

/* --- what a dump may hold --------------------------------------------------------------------- */

static Status old_dump(Call *call, const void *request)
{
    (void)request;
    return FAIL(call->ctx, UNIMPLEMENTED, "Dump gRPC is deprecated in favor of DumpV2");
}

static DebugV2__App *server_app(Call *call)
{
    DebugV2__App *app = CALL_NEW(call, DebugV2__App, debug_v2__app__init);
    DebugV2__Pod *pod = CALL_NEW(call, DebugV2__Pod, debug_v2__pod__init);
    Arena *arena = call->ctx->arena;
    app->name = pod->name = arena_strdup(arena, "pachd");
    pod->containers = arena_memdup(arena, &app->name, sizeof(app->name));
    pod->n_containers = 1;
    app->pods = arena_memdup(arena, &pod, sizeof(pod));
    app->n_pods = 1;
    return app;
}

static DebugV2__App *profiled_app(Call *call)
{
    static const char *const names[] = { "cpu", "heap", "threads" };
    DebugV2__App *app = server_app(call);
    DebugV2__ProfileArgs *args = CALL_NEW(call, DebugV2__ProfileArgs, debug_v2__profile_args__init);
    args->profiles = arena_must(call->ctx->arena, sizeof(names));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        DebugV2__Profile *wanted = CALL_NEW(call, DebugV2__Profile, debug_v2__profile__init);
        wanted->name = arena_strdup(call->ctx->arena, names[i]);
        if (i == 0)
            wanted->duration = pb_duration(call->ctx, NS_PER_SEC);
        args->profiles[args->n_profiles++] = wanted;
    }
    app->profile_args = args;
    app->extra_args_case = DEBUG_V2__APP__EXTRA_ARGS_PROFILE_ARGS;
    return app;
}

static bool is_wanted(const DebugV2__GetDumpV2TemplateRequest *request, const char *part)
{
    for (size_t i = 0; i < request->n_filters; i++) {
        if (strcmp(request->filters[i], part) == 0)
            return true;
    }
    return request->n_filters == 0;
}

/* Apps of one kind: the server is all there is. */
static DebugV2__App **one_app(Call *call, DebugV2__App *app, bool wanted, size_t *out_n)
{
    *out_n = wanted;
    return wanted ? arena_memdup(call->ctx->arena, &app, sizeof(app)) : NULL;
}

static DebugV2__System *system_of(Call *call, const DebugV2__GetDumpV2TemplateRequest *request)
{
    DebugV2__System *system = CALL_NEW(call, DebugV2__System, debug_v2__system__init);
    system->database = is_wanted(request, "database");
    system->version = is_wanted(request, "version");
    system->logs = one_app(call, server_app(call), is_wanted(request, "logs"), &system->n_logs);
    system->binaries =
        one_app(call, server_app(call), is_wanted(request, "binaries"), &system->n_binaries);
    system->profiles =
        one_app(call, profiled_app(call), is_wanted(request, "profiles"), &system->n_profiles);
    return system;
}

typedef struct PipelineNames {
    DebugV2__DumpV2Request *into;
    Ctx *ctx; /* where they are kept */
    size_t capacity;
} PipelineNames;

static Status add_pipeline(void *arg, Ctx *ctx, const PpsPipelineRow *row)
{
    (void)ctx;
    PipelineNames *names = arg;
    DebugV2__DumpV2Request *into = names->into;
    if (into->n_pipelines == names->capacity) {
        names->capacity = MAX(names->capacity * 2, (size_t)16);
        DebugV2__Pipeline **more =
            ARENA_NEW(names->ctx->arena, DebugV2__Pipeline *, names->capacity);
        if (!more)
            return STATUS(RESOURCE_EXHAUSTED);
        if (into->n_pipelines)
            memcpy(more, into->pipelines, into->n_pipelines * sizeof(*more));
        into->pipelines = more;
    }
    DebugV2__Pipeline *pipeline = ARENA_ONE(names->ctx->arena, DebugV2__Pipeline);
    debug_v2__pipeline__init(pipeline);
    pipeline->project = arena_strdup(names->ctx->arena, row->project);
    pipeline->name = arena_strdup(names->ctx->arena, row->name);
    into->pipelines[into->n_pipelines++] = pipeline;
    return OK;
}

static Status dump_template(Call *call, PfsTx *tx, const void *request, void **response)
{
    const DebugV2__GetDumpV2TemplateRequest *r = request;
    DebugV2__DumpV2Request *template =
        CALL_NEW(call, DebugV2__DumpV2Request, debug_v2__dump_v2_request__init);
    template->system = system_of(call, r);
    template->input_repos = is_wanted(r, "input-repos");
    template->timeout = pb_duration(call->ctx, TIMEOUT_NS);
    template->defaults =
        CALL_NEW(call, DebugV2__DumpV2Request__Defaults, debug_v2__dump_v2_request__defaults__init);
    template->defaults->cluster_defaults = is_wanted(r, "defaults");
    PipelineNames names = { template, call->ctx, 0 };
    if (is_wanted(r, "pipelines"))
        TRY(pps_each_pipeline(call->ctx, tx, add_pipeline, &names));
    DebugV2__GetDumpV2TemplateResponse *answer = CALL_NEW(
        call, DebugV2__GetDumpV2TemplateResponse, debug_v2__get_dump_v2_template_response__init);
    answer->request = template;
    *response = answer;
    return OK;
}

static const ApiMethod methods[] = {
    { .path = "/debug_v2.Debug/Binary", .stream = binary },
    { .path = "/debug_v2.Debug/Profile", .stream = profile },
    { .path = "/debug_v2.Debug/Dump", .stream = old_dump },
    { .path = "/debug_v2.Debug/GetDumpV2Template", .read = dump_template },
    { .path = "/debug_v2.Debug/DumpV2", .stream = debug_dump },
};

const ApiTable api_debug_table = { methods, ARRAY_LEN(methods) };
