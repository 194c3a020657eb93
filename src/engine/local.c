/* local.c - workers as processes of this machine.
 *
 * There is one group: workers are generic, so all pipelines share them. A worker that ends is
 * started again, after a pause that doubles while it keeps ending at once. Its token goes to it
 * through a pipe that is its standard input, so that no other process can read it from arguments or
 * environment.
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
    pid_t pid;  /* 0: not running */
    int pid_fd; /* readable when it ended; -1: not running, or no pidfds here */
    int64_t started_ns, restart_at_ns, pause_ns;
} LocalWorker;

typedef struct LocalEngine {
    Engine base;
    char *program, *address, *scratch, *hidden, *sandbox;
    bool require_sandbox;
    size_t workers_max;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a worker started or ended */
    int wake_fd;            /* tells the reaper that what is wanted changed */
    LocalWorker *workers;   /* [workers_max] */
    struct pollfd *fds;     /* [workers_max + 1], the reaper's */
    size_t wanted;
    bool stopping, reaping;
    pthread_t reaper;
    void (*watcher)(void *arg, const EngineWorker *worker);
    void *watcher_arg;
} LocalEngine;

/* --- one process ------------------------------------------------------------------------------ */

static void new_identity(LocalWorker *worker, size_t slot)
{
    uint8_t secret[32];
    Id id = id_new();
    random_bytes(secret, sizeof(secret));
    hex_encode(secret, sizeof(secret), worker->info.token);
    snprintf(worker->info.id, sizeof(worker->info.id), "local-%zu-%.8s", slot, id.text);
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
static int start_worker(LocalEngine *engine, size_t slot)
{
    LocalWorker *worker = &engine->workers[slot];
    CLEANUP(arena_freep) Arena *arena = arena_new(64 * KiB);
    new_identity(worker, slot);
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
                     text_printf(arena, "%s/%zu", engine->scratch, slot),
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
    if (!engine->stopping)
        LOG_WARN(NULL, "worker ended", "worker=%s status=%d", worker->info.id, status);
    if (engine->watcher)
        engine->watcher(engine->watcher_arg, &worker->info);
}

/* --- the reaper ------------------------------------------------------------------------------- */

static void reap(LocalEngine *engine)
{
    for (size_t i = 0; i < engine->workers_max; i++) {
        LocalWorker *worker = &engine->workers[i];
        int status;
        if (worker->pid && waitpid(worker->pid, &status, WNOHANG) == worker->pid)
            note_end(engine, worker, status);
    }
}

/* Starts what should run; *out_next_ns is when the next start is due. */
static void start_due(LocalEngine *engine, int64_t *out_next_ns)
{
    int64_t now = clock_mono_ns();
    *out_next_ns = DEADLINE_NONE;
    for (size_t i = 0; i < engine->wanted && !engine->stopping; i++) {
        LocalWorker *worker = &engine->workers[i];
        if (worker->pid)
            continue;
        int error = worker->restart_at_ns <= now ? start_worker(engine, i) : 0;
        if (error) {
            char reason[128];
            LOG_ERROR(NULL, "could not start a worker", "program=%s reason=%s", engine->program,
                      strerror_r(error, reason, sizeof(reason)));
            worker->pause_ns = MIN(MAX(worker->pause_ns * 2, PAUSE_NS_MIN), PAUSE_NS_MAX);
            worker->restart_at_ns = now + worker->pause_ns;
        }
        if (!worker->pid)
            *out_next_ns = MIN(*out_next_ns, worker->restart_at_ns);
    }
}

static bool any_running(const LocalEngine *engine)
{
    for (size_t i = 0; i < engine->workers_max; i++) {
        if (engine->workers[i].pid)
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

/* With the lock held: what to wait for. *due_ns comes nearer where a worker cannot be watched. */
static nfds_t watched(const LocalEngine *engine, struct pollfd *fds, int64_t *due_ns)
{
    nfds_t n = 0;
    fds[n++] = (struct pollfd){ .fd = engine->wake_fd, .events = POLLIN };
    for (size_t i = 0; i < engine->workers_max; i++) {
        const LocalWorker *worker = &engine->workers[i];
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
    while (!engine->stopping || any_running(engine)) {
        int64_t due_ns;
        eventfd_t ignored;
        reap(engine);
        start_due(engine, &due_ns);
        pthread_cond_broadcast(&engine->changed);
        if (engine->stopping && !any_running(engine))
            break;
        nfds_t n = watched(engine, engine->fds, &due_ns);
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

static Status local_scale(Engine *base, Ctx *ctx, const char *group, size_t workers)
{
    (void)group;
    LocalEngine *engine = local_of(base);
    LOCKED(&engine->lock);
    engine->wanted = workers && workers < engine->workers_max ? workers : engine->workers_max;
    for (size_t i = engine->wanted; i < engine->workers_max; i++) {
        if (engine->workers[i].pid)
            kill(engine->workers[i].pid, SIGTERM);
    }
    eventfd_write(engine->wake_fd, 1);
    if (engine->reaping)
        return OK;
    TRY(thread_start(ctx, "reaper", reaper_thread, engine, &engine->reaper));
    engine->reaping = true;
    return OK;
}

static Status local_stop(Engine *base, Ctx *ctx, const char *group, bool kill_now)
{
    (void)ctx;
    (void)group;
    LocalEngine *engine = local_of(base);
    int64_t deadline_ns = clock_mono_ns() + STOP_NS;
    struct timespec until = { deadline_ns / NS_PER_SEC, deadline_ns % NS_PER_SEC };
    pthread_mutex_lock(&engine->lock);
    bool reaping = engine->reaping;
    engine->stopping = true;
    engine->wanted = 0;
    int signal = kill_now ? SIGKILL : SIGTERM;
    for (size_t i = 0; i < engine->workers_max; i++) {
        if (engine->workers[i].pid)
            kill(engine->workers[i].pid, signal);
    }
    eventfd_write(engine->wake_fd, 1);
    while (engine->reaping && pthread_cond_timedwait(&engine->changed, &engine->lock, &until) == 0)
        continue;
    for (size_t i = 0; i < engine->workers_max; i++) {
        if (engine->workers[i].pid)
            kill(engine->workers[i].pid, SIGKILL);
    }
    pthread_mutex_unlock(&engine->lock);
    if (reaping)
        pthread_join(engine->reaper, NULL);
    return OK;
}

static Status local_list(Engine *base, Ctx *ctx, const char *group, EngineWorker **out,
                         size_t *out_n)
{
    (void)group;
    LocalEngine *engine = local_of(base);
    LOCKED(&engine->lock);
    *out = ARENA_NEW(ctx->arena, EngineWorker, engine->workers_max + 1);
    if (!*out)
        return STATUS(RESOURCE_EXHAUSTED);
    *out_n = engine->workers_max;
    for (size_t i = 0; i < engine->workers_max; i++)
        (*out)[i] = engine->workers[i].info;
    return OK;
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
    if (!engine->stopping)
        local_stop(base, NULL, NULL, true);
    pthread_cond_destroy(&engine->changed);
    pthread_mutex_destroy(&engine->lock);
    fd_closep(&engine->wake_fd);
    free(engine->fds);
    free(engine->workers);
    free(engine->program);
    free(engine->address);
    free(engine->scratch);
    free(engine->hidden);
    free(engine->sandbox);
    free(engine);
}

static const EngineOps local_ops = { local_scale, local_scale, local_stop,
                                     local_list,  local_watch, local_free };

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
    engine->workers = calloc(engine->workers_max, sizeof(*engine->workers));
    engine->fds = calloc(engine->workers_max + 1, sizeof(*engine->fds));
    engine->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (size_t i = 0; engine->workers && i < engine->workers_max; i++)
        engine->workers[i].pid_fd = -1;
    pthread_mutex_init(&engine->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&engine->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (!engine->workers || !engine->fds || engine->wake_fd < 0) {
        engine->stopping = true;
        local_free(&engine->base);
        return STATUS(RESOURCE_EXHAUSTED);
    }
    *out = &engine->base;
    return OK;
}
