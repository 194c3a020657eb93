/* worker.c - a worker's folder, its cache and its sandboxes.
 *
 *   <dir>/cache/       content of inputs, by hash
 *   <dir>/slot/pfs/    what becomes /pfs: inputs, .env, out
 *   <dir>/slot/root    where sandboxes build their roots
 *   <dir>/slot/spares  files of inputs that are gone, for the next ones
 */
#include "worker/worker.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "worker/cgroup.h"
#include "worker/folder.h"
#include "worker/host.h"
#include "worker/worker_priv.h"

static void copy_config(Worker *worker, const WorkerConfig *config)
{
    Arena *arena = worker->arena;
    size_t n = config->hidden_count;
    const char **hidden = arena_must(arena, (n + 1) * sizeof(*hidden));
    for (size_t i = 0; i < n; i++)
        hidden[i] = arena_strdup(arena, config->hidden[i]);
    hidden[n] = worker->dir;
    worker->config = *config;
    worker->config.dir = worker->dir;
    worker->config.tool = config->tool ? arena_strdup(arena, config->tool) : NULL;
    worker->config.hidden = hidden;
    worker->config.runtime = arena_strdup(arena, config->runtime ? config->runtime : "");
    worker->config.runtime_init =
        arena_strdup(arena, config->runtime_init ? config->runtime_init : "");
    worker->config.hidden_count = n + 1;
    if (!worker->config.cache_bytes_max)
        worker->config.cache_bytes_max = WORKER_CACHE_BYTES;
    if (!worker->config.disk_reserve_bytes)
        worker->config.disk_reserve_bytes = WORKER_DISK_RESERVE_BYTES;
}

static Status make_folders(Ctx *ctx, Worker *worker)
{
    TRY(file_make_dirs(ctx, worker->dir, 0700));
    AUTO_FD dir = open(worker->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return status_errno(ctx, errno, "could not open folder '%s'", worker->dir);
    TRY(folder_remove(ctx, dir, "cache"));
    TRY(folder_remove(ctx, dir, "slot"));
    TRY(file_make_dirs(ctx, text_printf(ctx->arena, "%s/cache", worker->dir), 0755));
    TRY(file_make_dirs(ctx, worker->pfs_dir, 0755));
    worker->pfs_fd = open(worker->pfs_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (worker->pfs_fd < 0)
        return status_errno(ctx, errno, "could not open folder '%s'", worker->pfs_dir);
    return OK;
}

/* Relative paths would be lost on processes that change their folder. */
static char *absolute(Arena *arena, const char *path)
{
    char cwd[PATH_MAX];
    if (*path == '/' || !getcwd(cwd, sizeof(cwd)))
        return arena_strdup(arena, path);
    return text_printf(arena, "%s/%s", cwd, path);
}

Status worker_open(Ctx *ctx, const WorkerConfig *config, Worker **out)
{
    CLEANUP(worker_closep) Worker *worker = calloc(1, sizeof(*worker));
    if (!worker)
        abort();
    worker->arena = arena_new(0);
    worker->pfs_fd = worker->pfs_claim = -1;
    worker->dir = absolute(worker->arena, config->dir);
    worker->slot_dir = text_printf(worker->arena, "%s/slot", worker->dir);
    worker->pfs_dir = text_printf(worker->arena, "%s/pfs", worker->slot_dir);
    copy_config(worker, config);
    TRY_WRAP(ctx, make_folders(ctx, worker), "could not prepare the worker's folder '%s'",
             worker->dir);
    const CgroupPlace place = cgroup_place(ctx);
    cgroup_sweep(ctx, &place);
    char *cache = text_printf(ctx->arena, "%s/cache", worker->dir);
    worker->cache = input_cache_new(cache, worker->config.cache_bytes_max);
    worker->spares = spares_new(text_printf(ctx->arena, "%s/spares", worker->slot_dir));
    worker->inputs = inputs_new(worker->pfs_fd, worker->cache, worker->spares);
    *out = STEAL(worker);
    return OK;
}

static void close_box(Box *box)
{
    box->sandbox = sandbox_close(box->sandbox);
    buf_done(&box->key);
    *box = (Box){ 0 };
}

Worker *worker_close(Worker *worker)
{
    if (!worker)
        return NULL;
    for (size_t i = 0; i < BOXES_MAX; i++)
        close_box(&worker->boxes[i]);
    host_release_pfs(&worker->pfs_claim);
    worker->inputs = inputs_free(worker->inputs);
    worker->spares = spares_free(worker->spares);
    worker->cache = input_cache_free(worker->cache);
    fd_closep(&worker->pfs_fd);
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    AUTO_FD dir = open(worker->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool gone =
        status_ok(folder_remove(&ctx, dir, "slot")) && status_ok(folder_remove(&ctx, dir, "cache"));
    if (gone)
        rmdir(worker->dir);
    arena_free(worker->arena);
    free(worker);
    return NULL;
}

/* --- sandboxes ------------------------------------------------------------------------------- */

/* All that a root depends on, as bytes that can be compared. */
static void key_of(const SandboxConfig *config, Buf *out)
{
    const SandboxLimits *limits = &config->limits;
    buf_printf(out, "%s\n%s\n%u:%u %d %d %llu %llu %llu %llu %llu\n",
               config->root_dir ? config->root_dir : "", config->hostname ? config->hostname : "",
               config->uid, config->gid, config->no_network, config->gpu,
               (unsigned long long)limits->memory_bytes, (unsigned long long)limits->cpu_millis,
               (unsigned long long)limits->pids, (unsigned long long)limits->tmp_bytes,
               (unsigned long long)limits->file_bytes);
    for (size_t i = 0; i < config->file_count; i++) {
        buf_printf(out, "%s %zu\n", config->files[i].path, config->files[i].content.size);
        buf_add_bytes(out, config->files[i].content);
    }
}

static Box *least_used_box(Worker *worker)
{
    Box *least = &worker->boxes[0];
    for (size_t i = 1; i < BOXES_MAX; i++) {
        if (worker->boxes[i].used_at < least->used_at)
            least = &worker->boxes[i];
    }
    return least;
}

static Box *make_room(Worker *worker)
{
    Box *box = least_used_box(worker);
    close_box(box);
    return box;
}

static Box *find_box(Worker *worker, Bytes key)
{
    for (size_t i = 0; i < BOXES_MAX; i++) {
        Box *box = &worker->boxes[i];
        if (box->sandbox && bytes_eq(buf_bytes(&box->key), key))
            return box;
    }
    return NULL;
}

Status worker_sandbox(Ctx *ctx, Worker *worker, SandboxConfig *config, unsigned nth, Sandbox **out)
{
    config->slot_dir = worker->slot_dir;
    config->hidden = worker->config.hidden;
    config->hidden_count = worker->config.hidden_count;
    config->runtime = worker->config.runtime;
    config->runtime_init = worker->config.runtime_init;
    config->tool = worker->config.tool; /* of all, as the one of a probe may be used again */
    if (!*config->runtime) /* each run sets its own: pipelines that are alike share a root */
        config->hostname = NULL;
    config->pfs_claim = &worker->pfs_claim;
    config->level_max = worker->config.level_max;
    config->level_min = worker->config.require_sandbox ? SANDBOX_USER : SANDBOX_NONE;
    CLEANUP(buf_done) Buf key = { 0 };
    key_of(config, &key);
    buf_printf(&key, "%u\n", nth);
    Box *box = find_box(worker, buf_bytes(&key));
    if (!box) {
        box = make_room(worker);
        TRY(sandbox_open(ctx, config, &box->sandbox));
        buf_add_bytes(&box->key, buf_bytes(&key));
    }
    box->used_at = ++worker->uses;
    *out = box->sandbox;
    return OK;
}

void worker_drop_sandbox(Worker *worker, const Sandbox *sandbox)
{
    for (size_t i = 0; i < BOXES_MAX; i++) {
        if (worker->boxes[i].sandbox == sandbox)
            close_box(&worker->boxes[i]);
    }
}

/* A quarter of the memory each for /tmp, /var/tmp and /dev/shm. */
uint64_t worker_tmp_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    return pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes / 4 : 1 * GiB;
}

Status worker_probe(Ctx *ctx, Worker *worker, SandboxLevel *out)
{
    SandboxConfig config = { .limits = { .pids = WORKER_PIDS, .tmp_bytes = worker_tmp_bytes() } };
    Sandbox *sandbox;
    TRY(worker_sandbox(ctx, worker, &config, 0, &sandbox));
    *out = sandbox_level(sandbox);
    return OK;
}
