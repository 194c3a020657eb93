/* pcvd.c - the server's program: puts the floors on one another, waits for a signal, takes them
 * down again. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/process.h"
#include "base/text.h"
#include "cmd/here.h"
#include "cmd/host.h"
#include "cmd/pcvd_config.h"
#include "control/control.h"
#include "pps/log.h"
#include "s3/s3.h"
#include "worker/cgroup.h"

#define LOG_TAIL_BYTES (1 * MiB) /* of its log that the server can show */

typedef struct Server {
    PcvdConfig config;
    LogTail *log;
    uint8_t url_key[API_URL_KEY_BYTES];
    const char *cluster_id;
    const char *data_dir; /* full path */
    Db *db;
    StoreIndex index;
    Store *store;
    RemoteConfig remote;
    Pfs *pfs;
    ImageStore *images;
    Host *host;
    Pps *pps;
    Engine *engine;
    Control *control;
    Api *api;
    S3 *s3;
    WireHttpHandler front;   /* plain HTTP on the clients' port */
    WireServer *wire;        /* for clients */
    WireServer *s3_wire;     /* for S3 alone; NULL: not asked for */
    WireServer *worker_wire; /* for workers, on a socket in the data folder */
} Server;

/* --- opening, lowest floor first -------------------------------------------------------------- */

static Status open_db(Ctx *ctx, Server *server)
{
    const struct {
        const DbMigration *steps;
        size_t n;
    } lists[] = { { pfs_migrations, pfs_migration_count },
                  { pps_migrations, pps_migration_count },
                  { api_migrations, api_migration_count },
                  { image_migrations, image_migration_count } };
    DbMigration *all = ARENA_NEW(ctx->arena, DbMigration,
                                 pfs_migration_count + pps_migration_count + api_migration_count +
                                     image_migration_count);
    if (!all)
        return STATUS(RESOURCE_EXHAUSTED);
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        memcpy(all + n, lists[i].steps, lists[i].n * sizeof(*all));
        n += lists[i].n;
    }
    return db_open(ctx, text_printf(ctx->arena, "sqlite:%s/pcv.db", server->config.data), all, n,
                   &server->db);
}

/* What is made at the first start and kept in a file of the data folder. fresh: to begin with. */
static Status read_kept(Ctx *ctx, const Server *server, const char *file, const char *fresh,
                        mode_t mode, const char **out)
{
    const char *path = text_printf(ctx->arena, "%s/%s", server->config.data, file);
    Buf text = { 0 };
    Status s = file_read_path(ctx, path, &text);
    if (s.code == STATUS_NOT_FOUND) {
        buf_add_str(&text, str(fresh));
        s = file_replace(ctx, path, buf_bytes(&text), mode);
    }
    *out = str_z(ctx->arena, buf_str(&text));
    buf_done(&text);
    return s;
}

static Status read_cluster_id(Ctx *ctx, Server *server)
{
    Id id = id_new();
    return read_kept(ctx, server, "cluster-id", id.text, 0644, &server->cluster_id);
}

/* The key of the URLs that are given out. They are good for a day, so it must outlive us. */
static Status read_url_key(Ctx *ctx, Server *server)
{
    uint8_t fresh[API_URL_KEY_BYTES];
    char hex[2 * sizeof(fresh) + 1] = "";
    const char *kept;
    random_bytes(fresh, sizeof(fresh));
    hex_encode(fresh, sizeof(fresh), hex);
    TRY(read_kept(ctx, server, "url-key", hex, 0600, &kept));
    if (!hex_decode(str(kept), server->url_key, sizeof(server->url_key)))
        return FAIL(ctx, DATA_LOSS, "'%s/url-key' is not a key of %d bytes in hex",
                    server->config.data, API_URL_KEY_BYTES);
    return OK;
}

static Status open_engine(Ctx *ctx, Server *server)
{
    const PcvdConfig *config = &server->config;
    const EngineLocalConfig local = {
        .program = *config->worker ? config->worker : process_sibling(ctx, "pcv-worker"),
        .address = text_printf(ctx->arena, "unix:%s/worker.sock", config->data),
        .scratch = text_printf(ctx->arena, "%s/work", config->data),
        .hidden = server->data_dir,
        .workers_max = (size_t)(config->workers ? config->workers : sysconf(_SC_NPROCESSORS_ONLN)),
        .sandbox = config->sandbox,
        .require_sandbox = config->require_sandbox != 0,
    };
    const CgroupPlace place = cgroup_place(ctx);
    cgroup_make_room(ctx, &place);
    return engine_local_new(ctx, &local, &server->engine);
}

static Status image_user(void *self, Ctx *ctx, const char *digest, const char **out_by)
{
    const Server *server = self;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, server->pfs, &tx));
    return pps_image_user(ctx, tx, digest, out_by);
}

static Status open_images(Ctx *ctx, Server *server)
{
    const ImageStoreConfig config = {
        .db = server->db,
        .dir = text_printf(ctx->arena, "%s/images", server->config.data),
        .used = image_user,
        .self = server,
        .pull_missing = strcmp(server->config.pull, "missing") == 0,
        .auth_file = server->config.registry_auth,
        .insecure_hosts = server->config.registry_insecure,
    };
    TRY_WRAP(ctx, image_store_open(ctx, &config, &server->images), "could not open the images");
    return host_open(ctx, server->images, &server->host);
}

static Status open_files(Ctx *ctx, Server *server)
{
    TRY(file_make_dirs(ctx, server->config.data, 0700));
    char *full = realpath(server->config.data, NULL);
    server->data_dir = arena_strdup(ctx->arena, full ? full : server->config.data);
    free(full);
    TRY_WRAP(ctx, open_db(ctx, server), "could not open the database");
    TRY(read_cluster_id(ctx, server));
    TRY(read_url_key(ctx, server));
    server->index = db_store_index(server->db);
    const StoreConfig store = { .dir = server->config.data };
    TRY_WRAP(ctx, store_open(ctx, &store, &server->index, &server->store),
             "could not open the store");
    TRY(pfs_open(ctx, server->db, server->store, &server->pfs));
    server->remote = (RemoteConfig){ .program = process_sibling(ctx, "pcv-courier"),
                                     .hosts = server->config.url_hosts,
                                     .files = server->config.allow_file_urls != 0,
                                     .tries = server->config.url_tries,
                                     .stall_seconds = server->config.url_stall_seconds };
    pfs_set_remote(server->pfs, &server->remote);
    return OK;
}

static Status open_pipelines(Ctx *ctx, Server *server)
{
    const PpsLogLimits limits = { .age_ns = server->config.job_log_days * 24 * 3600 * NS_PER_SEC,
                                  .pipeline_bytes = server->config.job_log_mib * (int64_t)MiB };
    TRY(open_images(ctx, server));
    const PpsHost host = { host_resolve_image, server->host };
    TRY(pps_open(ctx, server->pfs, &host, &server->pps));
    pps_log_limit(server->pps, &limits);
    return OK;
}

static Status start_work(Ctx *ctx, Server *server)
{
    TRY(pfs_start(ctx, server->pfs));
    TRY(open_engine(ctx, server));
    const ControlConfig control = { .pps = server->pps,
                                    .spill_dir = server->config.data,
                                    .images = server->images,
                                    .gate = s3_gate(server->s3),
                                    .engine = server->engine,
                                    .machine = here_size(server->config.data),
                                    .silence_ns = server->config.worker_timeout * NS_PER_SEC,
                                    .waits_for_address = true };
    return control_start(ctx, &control, &server->control);
}

static Api *make_api(Ctx *ctx, Server *server)
{
    const ApiConfig api = { .pfs = server->pfs,
                            .pps = server->pps,
                            .images = server->images,
                            .control = server->control,
                            .log = server->log,
                            .url_key = server->url_key,
                            .cluster_id = server->cluster_id,
                            .eval_program = process_sibling(ctx, "pcv-eval"),
                            .data_dir = server->data_dir,
                            .sandbox = server->config.sandbox };
    return api_new(&api);
}

static Status open_floors(Ctx *ctx, Server *server)
{
    TRY(open_files(ctx, server));
    TRY(open_pipelines(ctx, server));
    server->s3 = s3_new(&(S3Config){ .pfs = server->pfs });
    TRY(start_work(ctx, server));
    server->api = make_api(ctx, server);
    return OK;
}

/* --- who serves what -------------------------------------------------------------------------- */

/* Proxies and probes ask so whether to send others here. That it answers is the answer. */
static bool asks_for_health(const WireHttp *http)
{
    Str target = str(wire_http_target(http));
    return str_eq_c(str_sub(target, 0, str_find(target, '?')), "/healthz");
}

/* HTTP on the port that serves all. */
static Status serve_http(void *self, Ctx *ctx, WireHttp *http)
{
    const Server *server = self;
    if (s3_claims(http)) {
        const WireHttpHandler *s3 = s3_handler(server->s3);
        return s3->handle(s3->self, ctx, http);
    }
    if (api_http_claims(http))
        return api_http(server->api, ctx, http);
    if (asks_for_health(http))
        return wire_http_answer(ctx, http, 200, "text/plain; charset=utf-8",
                                str_bytes(STR("healthy\n")));
    return FAIL(ctx, NOT_FOUND, "not found");
}

static const char *full_address(Ctx *ctx, const char *listen, int port)
{
    bool has_port =
        str_starts(str(listen), STR("unix:")) || strrchr(listen, ':') > strrchr(listen, ']');
    return has_port && strchr(listen, ':') ? listen
                                           : text_printf(ctx->arena, "%s:%d", listen, port);
}

static Status start_wire(Ctx *ctx, Server *server)
{
    const WireConfig workers = { .listen = text_printf(ctx->arena, "unix:%s/worker.sock",
                                                       server->config.data),
                                 .handle = api_handle,
                                 .self = server->api };
    TRY(wire_server_start(ctx, &workers, &server->worker_wire));
    chmod(workers.listen + strlen("unix:"), 0600);
    server->front = (WireHttpHandler){ serve_http, server };
    const WireConfig wire = { .listen = full_address(ctx, server->config.listen, 30650),
                              .handle = api_handle,
                              .http = &server->front,
                              .self = server->api };
    TRY(wire_server_start(ctx, &wire, &server->wire));
    const ControlAddress address = here_address(ctx, wire_server_address(server->wire));
    control_set_address(server->control, &address);
    if (!*server->config.s3_listen)
        return OK;
    const WireConfig s3 = { .listen = full_address(ctx, server->config.s3_listen, 30600),
                            .handle = s3_refuse_grpc,
                            .http = s3_handler(server->s3) };
    return wire_server_start(ctx, &s3, &server->s3_wire);
}

static Status write_port(Ctx *ctx, const char *file, const WireServer *wire)
{
    if (!file || !wire)
        return OK;
    const char *address = wire_server_address(wire);
    const char *port = strrchr(address, ':');
    return file_replace(ctx, file,
                        str_bytes(str(text_printf(ctx->arena, "%s\n", port ? port + 1 : address))),
                        0644);
}

/* That of S3 first: who waits for the other one finds both. */
static Status write_port_files(Ctx *ctx, const Server *server)
{
    TRY(write_port(ctx, server->config.s3_port_file, server->s3_wire));
    return write_port(ctx, server->config.port_file, server->wire);
}

/* --- closing, highest floor first ------------------------------------------------------------- */

static void close_floors(Ctx *ctx, Server *server)
{
    int64_t drain_ms = server->config.drain_seconds * 1000;
    server->s3_wire = wire_server_stop(server->s3_wire, drain_ms);
    server->wire = wire_server_stop(server->wire, drain_ms);
    if (server->engine)
        server->engine->ops->stop(server->engine, ctx, NULL, true);
    server->worker_wire = wire_server_stop(server->worker_wire, 2000);
    server->control = control_stop(server->control);
    server->s3 = s3_free(server->s3);
    server->api = api_free(server->api);
    server->engine = engine_free(server->engine);
    server->pps = pps_close(server->pps);
    server->host = host_close(server->host);
    server->images = image_store_close(server->images);
    server->pfs = pfs_close(server->pfs);
    server->store = store_close(server->store);
    server->db = db_close(server->db);
}

/* --- the program ------------------------------------------------------------------------------ */

static void block_signals(sigset_t *out)
{
    sigemptyset(out);
    sigaddset(out, SIGTERM);
    sigaddset(out, SIGINT);
    pthread_sigmask(SIG_BLOCK, out, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* Each connection is one; the usual limit of 1024 is for programs that use select(). */
#define DESCRIPTORS_WANTED (64 * KiB)

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = MAX(limit.rlim_cur, MIN(limit.rlim_max, (rlim_t)DESCRIPTORS_WANTED));
    setrlimit(RLIMIT_NOFILE, &limit);
}

static Status serve(Ctx *ctx, Server *server, const sigset_t *signals)
{
    int64_t began_ns = clock_mono_ns();
    TRY(open_floors(ctx, server));
    TRY(start_wire(ctx, server));
    TRY_WRAP(ctx, write_port_files(ctx, server), "could not write the port file");
    LOG_INFO(ctx, "server ready", "listen=%s data=%s started_ms=%lld",
             wire_server_address(server->wire), server->config.data,
             (long long)((clock_mono_ns() - began_ns) / NS_PER_MS));
    siginfo_t got = { 0 };
    while (sigwaitinfo(signals, &got) < 0)
        continue; /* EINTR: another signal was handled */
    LOG_INFO(ctx, "server stops", "signal=%s sender_pid=%d sender_uid=%d",
             got.si_signo == SIGTERM ? "SIGTERM" : "SIGINT", (int)got.si_pid, (int)got.si_uid);
    return OK;
}

static int complain(Status s)
{
    fprintf(stderr, "pcvd: %s\n", status_message(s));
    if (s.detail && s.detail->hint)
        fprintf(stderr, "%s\n", s.detail->hint);
    return 1;
}

int main(int argc, char **argv)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Server server = { 0 };
    sigset_t signals;
    Status s = pcvd_config_read(&ctx, argc, argv, &server.config);
    if (!status_ok(s))
        return complain(s);
    if (server.config.help || server.config.version) {
        fputs(server.config.help ? pcvd_config_help(&ctx) : "pcvd " PCV_VERSION "\n", stdout);
        return 0;
    }
    LogLevel level;
    log_parse_level(server.config.log_level, &level);
    log_set_level(level);
    log_set_json(strcmp(server.config.log_format, "json") == 0);
    server.log = log_tail_new(LOG_TAIL_BYTES);
    log_set_tail(server.log);
    block_signals(&signals);
    raise_descriptor_limit();
    s = serve(&ctx, &server, &signals);
    close_floors(&ctx, &server);
    log_set_tail(NULL);
    server.log = log_tail_free(server.log);
    return status_ok(s) ? 0 : complain(s);
}
