/* serve.c - a process that is kept running: a service, or a spout (pps.md §18, §19).
 *
 * It shares the machine's network, so the port it listens on is the machine's: where somebody else
 * has it, the process is not started, and the reason is told until the port is free. With a network
 * of its own all ports are free there; it is reached by way of the external port alone. */
#include "base/event.h"
#include "base/text.h"
#include "worker/env.h"
#include "worker/forward.h"
#include "worker/run_priv.h"

typedef struct Serving {
    Run run;
    const WorkerService *service;
    Forward *forward;
    EventBus *bus; /* nothing is published: a pause is a wait for it */
    int64_t pause_ns;
} Serving;

static bool is_forwarded(const Serving *self)
{
    const WorkerService *service = self->service;
    return service->external_port && service->internal_port &&
           (self->run.spec->no_network || service->external_port != service->internal_port);
}

static void take_door(void *arg, int door_fd)
{
    const Serving *self = arg;
    forward_set_door(self->forward, door_fd);
}

/* The ports, before the process begins. */
static Status take_ports(Ctx *ctx, Serving *self)
{
    const WorkerService *service = self->service;
    bool own_network = self->run.spec->no_network;
    if (service->internal_port && !own_network)
        TRY(forward_port_is_free(ctx, service->internal_port));
    if (is_forwarded(self) && !self->forward)
        TRY(forward_open(ctx, service->listen_host, service->external_port, service->internal_port,
                         own_network, &self->forward));
    if (own_network && self->forward) {
        self->run.door = take_door;
        self->run.door_self = self;
    }
    return OK;
}

static Status prepare(Serving *self, Lazy *lazy)
{
    Run *run = &self->run;
    WorkerStats ignored = { 0 };
    if (!run_begin(run))
        return FAIL(run->ctx, FAILED_PRECONDITION, "%s", run->result->reason);
    TRY(run_open_sandbox(run, 0, &run->sandbox));
    const WorkerDatum *datum = run->datum->input_count ? run->datum : NULL;
    run->env = env_build(run->ctx, run->spec, datum, run->user.home);
    return run_prepare(run, lazy, false, &ignored);
}

/* One life of the process. What hinders it is told; only the end of ctx, or of the connection, is
 * an error. */
static Status live_once(Serving *self)
{
    Run *run = &self->run;
    Ctx *ctx = run->ctx;
    CLEANUP(lazy_freep) Lazy *lazy = lazy_new(run->io);
    uint64_t ignored_bytes = 0;
    const char *ignored;
    TRY(prepare(self, lazy));
    TRY(take_ports(ctx, self));
    self->service->tell(self->service->self, "");
    if (run->io->started)
        run->io->started(run->io, run->datum);
    TRY(run_command(run, "user code", run->spec->cmd, run->spec->stdin_lines, &ignored));
    return lazy_stop(ctx, lazy, &ignored_bytes);
}

/* The more short lives in a row, the longer until the next; what hindered it may be gone soon. */
static Status pause_after(Serving *self, bool lived, int64_t lived_ns)
{
    Ctx pause = *self->run.ctx;
    const uint64_t topic = 0;
    bool anew = !lived || lived_ns >= WORKER_SERVICE_PAUSE_NS_MAX;
    self->pause_ns = anew ? WORKER_SERVICE_PAUSE_NS_MIN
                          : MIN(MAX(self->pause_ns * 2, WORKER_SERVICE_PAUSE_NS_MIN),
                                WORKER_SERVICE_PAUSE_NS_MAX);
    pause.deadline_ns = clock_mono_ns() + self->pause_ns;
    Status s = event_wait(&pause, self->bus, &topic, 1, event_epoch(self->bus));
    return s.code == STATUS_DEADLINE_EXCEEDED ? OK : s;
}

static Status serve(Serving *self)
{
    Ctx *ctx = self->run.ctx;
    for (;;) {
        ArenaMark mark = arena_mark(ctx->arena);
        int64_t began_ns = clock_mono_ns();
        *self->run.result = (WorkerResult){ .reason = "", .warning = "" };
        Status s = live_once(self);
        TRY(ctx_check(ctx));
        if (s.code == STATUS_UNAVAILABLE)
            return s;
        if (!status_ok(s)) {
            run_log(&self->run, status_message(s));
            self->service->tell(self->service->self, status_message(s));
        }
        TRY(pause_after(self, status_ok(s), clock_mono_ns() - began_ns));
        arena_rewind(ctx->arena, mark);
    }
}

Status worker_serve(Ctx *ctx, Worker *worker, WorkerIo *io, const WorkerSpec *spec,
                    const WorkerDatum *datum, const WorkerService *service)
{
    static const WorkerDatum none = { .id = "" };
    WorkerResult result;
    Serving self = { .run = { .ctx = ctx,
                              .worker = worker,
                              .io = io,
                              .spec = spec,
                              .datum = datum ? datum : &none,
                              .result = &result },
                     .service = service,
                     .bus = event_bus_new() };
    Status s = serve(&self);
    forward_close(self.forward);
    event_bus_free(self.bus);
    return s;
}
