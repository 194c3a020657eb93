/* local.c - workers as processes of this machine.
 *
 * Workers are generic, so all pipelines' datums share those of one group; what runs for long has a
 * group of its own. A worker that ends is started again while its group wants it, after a pause
 * that doubles while it keeps ending at once. Its token goes to it through a pipe that is its
 * standard input, so that no other process can read it from arguments or environment.
 *
 * engine->lock guards the workers. The reaper thread waits for children and starts them again; it
 * exists while there are workers. It waits on their pidfds and on wake_fd, so that other children
 * of the process are not its business and a change of what is wanted is seen at once. Lock order:
 * the lock is not held while fork or exec run in the child (posix_spawn). */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "base/text.h"
#include "base/thread.h"
#include "engine/engine.h"

#define SHORT_LIFE_NS (5 * NS_PER_SEC) /* a worker that ended sooner is restarted with a pause */
#define PAUSE_NS_MIN  (100 * NS_PER_MS)
#define PAUSE_NS_MAX  (10 * NS_PER_SEC)
#define BLIND_NS      (NS_PER_SEC)     /* how often to look where the kernel has no pidfds */
#define STOP_NS       (5 * NS_PER_SEC) /* from a polite end to SIGKILL */

typedef struct LocalWorker {
    EngineWorker info;
    size_t slot; /* in its group */
    bool wanted; /* else it goes, and its record after it */
    pid_t pid;   /* 0: not running */
    int pid_fd;  /* readable when it ended; -1: not running, or no pidfds here */
    int64_t started_ns, restart_at_ns, pause_ns;
    struct LocalWorker *next;
} LocalWorker;

typedef struct LocalEngine {
    Engine base;
    char *program, *address, *scratch, *hidden, *sandbox;
    bool require_sandbox;
    size_t workers_max;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a worker started or ended */
    int wake_fd;            /* tells the reaper that what is wanted changed */
    LocalWorker *workers;   /* records on the heap */
    struct pollfd *fds;     /* [fds_capacity], the reaper's */
    size_t fds_capacity;
    bool stopping, reaping;
    pthread_t reaper;
    void (*watcher)(void *arg, const EngineWorker *worker);
    void *watcher_arg;
} LocalEngine;

/* --- one process ------------------------------------------------------------------------------ */

static void new_identity(LocalWorker *worker)
{
    uint8_t secret[32];
    Id id = id_new();
    random_bytes(secret, sizeof(secret));
    hex_encode(secret, sizeof(secret), worker->info.token);
    snprintf(worker->info.id, sizeof(worker->info.id), "%.28s-%zu-%.8s", worker->info.group,
             worker->slot, id.text);
}

static bool is_local(const LocalWorker *worker)
{
    return strcmp(worker->info.group, ENGINE_GROUP_LOCAL) == 0;
}

/* The worker's folder: nobody else's. */
static char *scratch_of(Arena *arena, const LocalEngine *engine, const LocalWorker *worker)
{
    if (is_local(worker))
        return text_printf(arena, "%s/%zu", engine->scratch, worker->slot);
    return text_printf(arena, "%s/%s-%zu", engine->scratch, worker->info.group, worker->slot);
}

static int spawn_with_stdin(LocalEngine *engine, char *const *argv, int input, pid_t *out_pid)
{
    char path[] = "PATH=" FILE_SYSTEM_PATH;
    char *const environment[] = { path, NULL }; /* nothing of the server's own */
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawnattr_init(&attr);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                        POSIX_SPAWN_SETPGROUP);
    int error = posix_spawn(out_pid, engine->program, &actions, &attr, argv, environment);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* With the lock held. */
static int start_worker(LocalEngine *engine, LocalWorker *worker)
{
    CLEANUP(arena_freep) Arena *arena = arena_new(64 * KiB);
    new_identity(worker);
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return errno;
    AUTO_FD read_end = pipe_fds[0];
    AUTO_FD write_end = pipe_fds[1];
    char *argv[] = { engine->program,
                     arena_strdup(arena, "--server"),
                     engine->address,
                     arena_strdup(arena, "--id"),
                     worker->info.id,
                     arena_strdup(arena, "--scratch"),
                     scratch_of(arena, engine, worker),
                     arena_strdup(arena, "--hide"),
                     engine->hidden,
                     arena_strdup(arena, "--sandbox"),
                     engine->sandbox,
                     engine->require_sandbox ? arena_strdup(arena, "--require-sandbox") : NULL,
                     NULL };
    ssize_t put = write(write_end, worker->info.token, strlen(worker->info.token));
    int error = put < 0 ? errno : spawn_with_stdin(engine, argv, read_end, &worker->pid);
    worker->pid_fd = error ? -1 : (int)syscall(SYS_pidfd_open, worker->pid, 0);
    worker->info.alive = !error;
    worker->started_ns = clock_mono_ns();
    if (error)
        worker->pid = 0;
    return error;
}

static void note_end(LocalEngine *engine, LocalWorker *worker, int status)
{
    int64_t now = clock_mono_ns();
    bool short_life = now - worker->started_ns < SHORT_LIFE_NS;
    worker->pid = 0;
    fd_closep(&worker->pid_fd);
    worker->info.alive = false;
    worker->info.exit_status = status;
    worker->pause_ns = !short_life ? 0 : MIN(MAX(worker->pause_ns * 2, PAUSE_NS_MIN), PAUSE_NS_MAX);
    worker->restart_at_ns = now + worker->pause_ns;
    if (!engine->stopping && worker->wanted)
        LOG_WARN(NULL, "worker ended", "worker=%s status=%d", worker->info.id, status);
    if (engine->watcher)
        engine->watcher(engine->watcher_arg, &worker->info);
}

/* --- the reaper ------------------------------------------------------------------------------- */

static void reap(LocalEngine *engine)
{
    for (LocalWorker *worker = engine->workers; worker; worker = worker->next) {
        int status;
        if (worker->pid && waitpid(worker->pid, &status, WNOHANG) == worker->pid)
            note_end(engine, worker, status);
    }
}

static void start_one(LocalEngine *engine, LocalWorker *worker, int64_t now)
{
    int error = start_worker(engine, worker);
    if (!error)
        return;
    char reason[128];
    LOG_ERROR(NULL, "could not start a worker", "program=%s reason=%s", engine->program,
              strerror_r(error, reason, sizeof(reason)));
    worker->pause_ns = MIN(MAX(worker->pause_ns * 2, PAUSE_NS_MIN), PAUSE_NS_MAX);
    worker->restart_at_ns = now + worker->pause_ns;
}

/* Starts what should run; *out_next_ns is when the next start is due. */
static void start_due(LocalEngine *engine, int64_t *out_next_ns)
{
    int64_t now = clock_mono_ns();
    *out_next_ns = DEADLINE_NONE;
    for (LocalWorker *worker = engine->workers; worker; worker = worker->next) {
        if (worker->pid || !worker->wanted || engine->stopping)
            continue;
        if (worker->restart_at_ns <= now)
            start_one(engine, worker, now);
        if (!worker->pid)
            *out_next_ns = MIN(*out_next_ns, worker->restart_at_ns);
    }
}

static bool any_running(const LocalEngine *engine, const char *group)
{
    for (const LocalWorker *worker = engine->workers; worker; worker = worker->next) {
        if (worker->pid && (!group || strcmp(worker->info.group, group) == 0))
            return true;
    }
    return false;
}

static int timeout_ms(int64_t due_ns)
{
    if (due_ns == DEADLINE_NONE)
        return -1;
    int64_t left_ns = MAX(due_ns - clock_mono_ns(), INT64_C(0));
    return (int)(MIN(left_ns, PAUSE_NS_MAX) / NS_PER_MS) + 1;
}

static struct pollfd *room_for(LocalEngine *engine, size_t n)
{
    if (n > engine->fds_capacity) {
        struct pollfd *fds = realloc(engine->fds, 2 * n * sizeof(*fds));
        if (!fds)
            abort();
        engine->fds = fds;
        engine->fds_capacity = 2 * n;
    }
    return engine->fds;
}

/* With the lock held: what to wait for. *due_ns comes nearer where a worker cannot be watched. */
static nfds_t watched(LocalEngine *engine, int64_t *due_ns)
{
    size_t most = 1;
    for (const LocalWorker *worker = engine->workers; worker; worker = worker->next)
        most++;
    struct pollfd *fds = room_for(engine, most);
    nfds_t n = 0;
    fds[n++] = (struct pollfd){ .fd = engine->wake_fd, .events = POLLIN };
    for (const LocalWorker *worker = engine->workers; worker; worker = worker->next) {
        if (worker->pid && worker->pid_fd < 0)
            *due_ns = MIN(*due_ns, clock_mono_ns() + BLIND_NS);
        else if (worker->pid)
            fds[n++] = (struct pollfd){ .fd = worker->pid_fd, .events = POLLIN };
    }
    return n;
}

static void *reaper_thread(void *arg)
{
    LocalEngine *engine = arg;
    pthread_mutex_lock(&engine->lock);
    while (!engine->stopping || any_running(engine, NULL)) {
        int64_t due_ns;
        eventfd_t ignored;
        reap(engine);
        start_due(engine, &due_ns);
        pthread_cond_broadcast(&engine->changed);
        if (engine->stopping && !any_running(engine, NULL))
            break;
        nfds_t n = watched(engine, &due_ns);
        pthread_mutex_unlock(&engine->lock);
        poll(engine->fds, n, timeout_ms(due_ns));
        eventfd_read(engine->wake_fd, &ignored);
        pthread_mutex_lock(&engine->lock);
    }
    engine->reaping = false;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}

/* --- the five functions ----------------------------------------------------------------------- */

static LocalEngine *local_of(Engine *engine)
{
    return CONTAINER_OF(engine, LocalEngine, base);
}

static LocalWorker *find_worker(LocalEngine *engine, const char *group, size_t slot)
{
    for (LocalWorker *worker = engine->workers; worker; worker = worker->next) {
        if (worker->slot == slot && strcmp(worker->info.group, group) == 0)
            return worker;
    }
    return NULL;
}

static Status add_worker(LocalEngine *engine, const char *group, size_t slot)
{
    LocalWorker *worker = find_worker(engine, group, slot);
    if (!worker) {
        worker = calloc(1, sizeof(*worker));
        if (!worker)
            return STATUS(RESOURCE_EXHAUSTED);
        snprintf(worker->info.group, sizeof(worker->info.group), "%s", group);
        worker->slot = slot;
        worker->pid_fd = -1;
        worker->next = engine->workers;
        engine->workers = worker;
    }
    worker->wanted = true;
    return OK;
}

static Status local_start(Engine *base, Ctx *ctx, const char *group, size_t workers)
{
    LocalEngine *engine = local_of(base);
    LOCKED(&engine->lock);
    for (size_t i = 0; i < (workers ? workers : engine->workers_max); i++)
        TRY(add_worker(engine, group, i));
    eventfd_write(engine->wake_fd, 1);
    if (engine->reaping || engine->stopping)
        return OK;
    TRY(thread_start(ctx, "reaper", reaper_thread, engine, &engine->reaper));
    engine->reaping = true;
    return OK;
}

/* With the lock held: signals a group's workers, or all. */
static void signal_workers(LocalEngine *engine, const char *group, int signal)
{
    for (LocalWorker *worker = engine->workers; worker; worker = worker->next) {
        if (group && strcmp(worker->info.group, group) != 0)
            continue;
        worker->wanted = false;
        if (worker->pid)
            kill(worker->pid, signal);
    }
}

/* With the lock held: records of workers that are gone for good, and their folders, which one that
 * was killed leaves behind. The next workers of the common group empty theirs themselves. */
static void forget_workers(LocalEngine *engine)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    for (LocalWorker **at = &engine->workers; *at;) {
        LocalWorker *worker = *at;
        if (worker->wanted || worker->pid) {
            at = &worker->next;
            continue;
        }
        *at = worker->next;
        Status s =
            is_local(worker) ? OK : file_remove_tree(&ctx, scratch_of(ctx.arena, engine, worker));
        if (!status_ok(s) && s.code != STATUS_NOT_FOUND)
            LOG_WARN(NULL, "could not remove a worker's folder", "reason=%s", status_message(s));
        free(worker);
    }
}

static Status local_stop(Engine *base, Ctx *ctx, const char *group, bool kill_now)
{
    (void)ctx;
    LocalEngine *engine = local_of(base);
    int64_t deadline_ns = clock_mono_ns() + STOP_NS;
    struct timespec until = { deadline_ns / NS_PER_SEC, deadline_ns % NS_PER_SEC };
    pthread_mutex_lock(&engine->lock);
    bool join = !group && engine->reaping && !engine->stopping;
    engine->stopping = engine->stopping || !group;
    signal_workers(engine, group, kill_now ? SIGKILL : SIGTERM);
    eventfd_write(engine->wake_fd, 1);
    while (engine->reaping && any_running(engine, group) &&
           pthread_cond_timedwait(&engine->changed, &engine->lock, &until) == 0)
        continue;
    signal_workers(engine, group, SIGKILL);
    while (engine->reaping && any_running(engine, group))
        pthread_cond_wait(&engine->changed, &engine->lock);
    forget_workers(engine);
    pthread_mutex_unlock(&engine->lock);
    if (join)
        pthread_join(engine->reaper, NULL);
    return OK;
}

static Status local_list(Engine *base, Ctx *ctx, const char *group, EngineWorker **out,
                         size_t *out_n)
{
    LocalEngine *engine = local_of(base);
    LOCKED(&engine->lock);
    size_t count = 0;
    for (const LocalWorker *worker = engine->workers; worker; worker = worker->next)
        count++;
    *out_n = 0;
    *out = ARENA_NEW(ctx->arena, EngineWorker, count + 1);
    if (!*out)
        return STATUS(RESOURCE_EXHAUSTED);
    for (const LocalWorker *worker = engine->workers; worker; worker = worker->next) {
        if (!group || strcmp(worker->info.group, group) == 0)
            (*out)[(*out_n)++] = worker->info;
    }
    return OK;
}

static void local_replace(Engine *base, const char *worker_id)
{
    LocalEngine *engine = local_of(base);
    LOCKED(&engine->lock);
    for (LocalWorker *worker = engine->workers; worker; worker = worker->next) {
        if (worker->pid && strcmp(worker->info.id, worker_id) == 0)
            kill(worker->pid, SIGKILL);
    }
}

static void local_watch(Engine *base, void (*fn)(void *arg, const EngineWorker *worker), void *arg)
{
    LocalEngine *engine = local_of(base);
    LOCKED(&engine->lock);
    engine->watcher = fn;
    engine->watcher_arg = arg;
}

static void local_free(Engine *base)
{
    LocalEngine *engine = local_of(base);
    local_stop(base, NULL, NULL, true);
    pthread_cond_destroy(&engine->changed);
    pthread_mutex_destroy(&engine->lock);
    fd_closep(&engine->wake_fd);
    free(engine->fds);
    free(engine->program);
    free(engine->address);
    free(engine->scratch);
    free(engine->hidden);
    free(engine->sandbox);
    free(engine);
}

static const EngineOps local_ops = { local_start,   local_stop,  local_list,
                                     local_replace, local_watch, local_free };

/* Better said at the start than by each worker. */
static Status check_runtime(Ctx *ctx, const char *runtime)
{
    char path[PATH_MAX];
    if (!runtime || strcmp(runtime, "own") == 0 ||
        file_find_in_path(runtime, FILE_SYSTEM_PATH, path, sizeof(path)))
        return OK;
    return FAIL(ctx, FAILED_PRECONDITION, "the sandbox's runtime '%s' is not installed", runtime);
}

Status engine_local_new(Ctx *ctx, const EngineLocalConfig *config, Engine **out)
{
    TRY(check_runtime(ctx, config->sandbox));
    TRY(file_make_dirs(ctx, config->scratch, 0711));
    LocalEngine *engine = calloc(1, sizeof(*engine));
    if (!engine)
        return STATUS(RESOURCE_EXHAUSTED);
    engine->base.ops = &local_ops;
    engine->program = strdup(config->program);
    engine->address = strdup(config->address);
    engine->scratch = strdup(config->scratch);
    engine->hidden = strdup(config->hidden);
    engine->sandbox = strdup(config->sandbox ? config->sandbox : "own");
    engine->require_sandbox = config->require_sandbox;
    engine->workers_max = MAX(config->workers_max, (size_t)1);
    engine->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&engine->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&engine->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (engine->wake_fd < 0) {
        local_free(&engine->base);
        return STATUS(RESOURCE_EXHAUSTED);
    }
    *out = &engine->base;
    return OK;
}
