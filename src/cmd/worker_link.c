/* worker_link.c - see worker_link.h. link->lock guards all but the connection. */
#include "cmd/worker_link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/thread.h"
#include "codec/pb.h"
#include "wire/wire.h"

#define PATH             "/procavia.work.Work/Serve"
#define QUEUED_BYTES_MAX (4 * MiB)   /* of log: beyond it user code that prints waits */
#define SOON_BYTES_MAX   (256 * KiB) /* queued, it goes out at once */

struct Link {
    WireClient *client; /* the link thread's own once it runs */
    WireStream *stream;
    pthread_t thread;
    int wake_fd;
    int linger_fd; /* a timer: what is queued has waited long enough */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_cond_t sent; /* the queue was emptied, or never will be */
    Buf queue;           /* reports: varint size and message, in order */
    Buf logs;            /* the body of a Logs message: repeated field 1 */
    bool lingers;        /* linger_fd is set */
    Buf parts;           /* of a set that has not come whole; the link thread's */
    Buf set;             /* the next set, packed; empty when there is none */
    bool closing, lost, quit;
    uint64_t lease;  /* being worked on; 0 none */
    Cancel *cancel;  /* of that lease */
    Cancel *attempt; /* of the datum at work */
    char attempt_id[LINK_DATUM_ID_SIZE];
    int64_t attempt_ns; /* when it began, wall clock */
};

/* --- the main thread's side ------------------------------------------------------------------- */

void link_flush(Link *link)
{
    uint64_t one = 1;
    ssize_t ignored = write(link->wake_fd, &one, sizeof(one));
    (void)ignored;
}

/* With the lock held, after something was queued. A thread woken for each line and each result
 * would cost more than a small datum. */
static void send_soon(Link *link)
{
    const struct itimerspec once = { .it_value = { .tv_nsec = LINK_LINGER_MS * NS_PER_MS } };
    if (link->queue.size + link->logs.size > SOON_BYTES_MAX)
        link_flush(link);
    else if (!link->lingers && timerfd_settime(link->linger_fd, 0, &once, NULL) == 0)
        link->lingers = true;
}

static void add_field(Buf *out, unsigned number, Bytes value)
{
    buf_add_varint(out, number << 3 | 2);
    buf_add_varint(out, value.size);
    buf_add_bytes(out, value);
}

/* With the lock held: gathered lines become one report, WorkReport { logs = 5 }. */
static void queue_logs(Link *link)
{
    if (!link->logs.size)
        return;
    Buf report = { 0 };
    add_field(&report, 5, buf_bytes(&link->logs));
    buf_add_varint(&link->queue, report.size);
    buf_add_bytes(&link->queue, buf_bytes(&report));
    buf_done(&report);
    buf_clear(&link->logs);
}

void link_report(Link *link, const Procavia__Work__WorkReport *report)
{
    Buf packed = { 0 };
    pb_pack(&report->base, &packed);
    {
        LOCKED(&link->lock);
        queue_logs(link);
        buf_add_varint(&link->queue, packed.size);
        buf_add_bytes(&link->queue, buf_bytes(&packed));
        if (report->body_case == PROCAVIA__WORK__WORK_REPORT__BODY_DONE)
            link->lease = 0;
        send_soon(link);
    }
    buf_done(&packed);
}

void link_log(Link *link, const Procavia__Work__WorkLog *line)
{
    Buf packed = { 0 };
    pb_pack(&line->base, &packed);
    {
        LOCKED(&link->lock);
        while (link->queue.size + link->logs.size > QUEUED_BYTES_MAX && !link->lost)
            pthread_cond_wait(&link->sent, &link->lock);
        add_field(&link->logs, 1, buf_bytes(&packed));
        send_soon(link);
    }
    buf_done(&packed);
}

void link_attempt(Link *link, const char *datum_id, Cancel *attempt)
{
    LOCKED(&link->lock);
    link->attempt = attempt;
    link->attempt_ns = clock_wall_ns();
    snprintf(link->attempt_id, sizeof(link->attempt_id), "%s", datum_id);
}

bool link_running(Link *link, char out_id[LINK_DATUM_ID_SIZE], int64_t *out_started_ns)
{
    LOCKED(&link->lock);
    memcpy(out_id, link->attempt_id, LINK_DATUM_ID_SIZE);
    *out_started_ns = link->attempt_ns;
    return link->attempt != NULL;
}

bool link_end_attempt(Link *link, const char *datum_id)
{
    Cancel *attempt = NULL;
    {
        LOCKED(&link->lock);
        if (link->attempt && strcmp(datum_id, link->attempt_id) == 0)
            attempt = cancel_ref(link->attempt);
    }
    bool ended = attempt != NULL;
    if (ended)
        cancel_set(attempt);
    cancel_unref(attempt);
    return ended;
}

/* With the lock held; false at the deadline. */
static bool wait_for_change(Link *link, int64_t deadline_ns)
{
    const struct timespec until = { deadline_ns / NS_PER_SEC, deadline_ns % NS_PER_SEC };
    if (deadline_ns != DEADLINE_NONE)
        return pthread_cond_timedwait(&link->changed, &link->lock, &until) == 0;
    return pthread_cond_wait(&link->changed, &link->lock) == 0;
}

Status link_take(Ctx *ctx, Link *link, Procavia__Work__WorkSet **out, Cancel **out_cancel)
{
    CLEANUP(buf_done) Buf packed = { 0 };
    {
        LOCKED(&link->lock);
        while (!link->set.size && !link->lost && !link->quit) {
            if (!wait_for_change(link, ctx->deadline_ns))
                return STATUS(DEADLINE_EXCEEDED);
        }
        if (link->quit)
            return FAIL(ctx, CANCELLED, "the server wants this worker to end");
        if (link->lost)
            return FAIL(ctx, UNAVAILABLE, "the connection to the server is over");
        packed = link->set;
        link->set = (Buf){ 0 };
        *out_cancel = link->cancel;
    }
    return PB_UNPACK(ctx, procavia__work__work_set, buf_bytes(&packed), out);
}

/* --- the link thread -------------------------------------------------------------------------- */

static void take_part(Link *link, const Procavia__Work__WorkOrder__Part *part)
{
    buf_add(&link->parts, part->packed.data, part->packed.len);
    if (!part->last)
        return;
    LOCKED(&link->lock);
    cancel_unref(link->cancel);
    link->cancel = cancel_new();
    link->lease = part->lease;
    buf_done(&link->set);
    link->set = link->parts;
    link->parts = (Buf){ 0 };
    pthread_cond_broadcast(&link->changed);
}

static void take_cancel(Link *link, const Procavia__Work__WorkOrder__Cancel *order)
{
    Cancel *whole = NULL;
    {
        LOCKED(&link->lock);
        if (order->lease != link->lease)
            return;
        if (!*order->datum_id && link->cancel)
            whole = cancel_ref(link->cancel);
    }
    if (*order->datum_id)
        link_end_attempt(link, order->datum_id);
    else if (whole)
        cancel_set(whole);
    cancel_unref(whole);
}

static void take_order(Link *link, const Procavia__Work__WorkOrder *order)
{
    if (order->body_case == PROCAVIA__WORK__WORK_ORDER__BODY_PART) {
        take_part(link, order->part);
    } else if (order->body_case == PROCAVIA__WORK__WORK_ORDER__BODY_CANCEL) {
        take_cancel(link, order->cancel);
    } else if (order->body_case == PROCAVIA__WORK__WORK_ORDER__BODY_QUIT) {
        LOCKED(&link->lock);
        link->quit = true;
        pthread_cond_broadcast(&link->changed);
    }
}

/* All orders that are here; an error when the stream is over. */
static Status take_orders(Link *link, Buf *buf)
{
    for (;;) {
        CLEANUP(ctx_done) Ctx ctx;
        ctx_init(&ctx);
        bool ready, end;
        Procavia__Work__WorkOrder *order;
        TRY(wire_stream_poll(&ctx, link->stream, buf, &ready, &end));
        if (end)
            return STATUS(UNAVAILABLE);
        if (!ready)
            return OK;
        TRY(PB_UNPACK(&ctx, procavia__work__work_order, buf_bytes(buf), &order));
        take_order(link, order);
    }
}

static Status send_queued(Link *link)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Buf queued;
    {
        LOCKED(&link->lock);
        queue_logs(link);
        queued = link->queue;
        link->queue = (Buf){ 0 };
        pthread_cond_broadcast(&link->sent);
        link->lingers = false;
    }
    Status s = OK;
    for (size_t at = 0; status_ok(s) && at < queued.size;) {
        uint64_t size = 0;
        bytes_read_varint(buf_bytes(&queued), &at, &size);
        s = wire_stream_send(&ctx, link->stream, bytes(queued.data + at, (size_t)size));
        at += (size_t)size;
    }
    buf_done(&queued);
    TRY(s);
    return wire_stream_flush(&ctx, link->stream);
}

static void lose(Link *link)
{
    Cancel *cancel = NULL;
    {
        LOCKED(&link->lock);
        link->lost = true;
        if (link->cancel)
            cancel = cancel_ref(link->cancel);
        pthread_cond_broadcast(&link->changed);
        pthread_cond_broadcast(&link->sent);
    }
    if (cancel)
        cancel_set(cancel);
    cancel_unref(cancel);
}

static bool is_closing(Link *link)
{
    LOCKED(&link->lock);
    return link->closing;
}

/* A server that hears nothing of a lease takes its worker for dead: so while there is one, this
 * thread says that it lives, whatever the other does. */
static bool has_lease(Link *link)
{
    LOCKED(&link->lock);
    return link->lease != 0;
}

static void say_alive(Link *link)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Procavia__Work__WorkReport *report =
        PB_NEW(&ctx, procavia__work__work_report, Procavia__Work__WorkReport);
    report->body_case = PROCAVIA__WORK__WORK_REPORT__BODY_ALIVE;
    report->alive =
        PB_NEW(&ctx, procavia__work__work_report__alive, Procavia__Work__WorkReport__Alive);
    link_report(link, report);
}

static void wait_for_any(Link *link)
{
    struct pollfd fds[] = { { .fd = wire_client_fd(link->client), .events = POLLIN },
                            { .fd = link->wake_fd, .events = POLLIN },
                            { .fd = link->linger_fd, .events = POLLIN } };
    bool at_work = has_lease(link);
    if (poll(fds, ARRAY_LEN(fds), at_work ? LINK_ALIVE_MS : -1) == 0)
        say_alive(link);
    for (size_t i = 1; i < ARRAY_LEN(fds); i++) {
        uint64_t ignored;
        ssize_t got = fds[i].revents ? read(fds[i].fd, &ignored, sizeof(ignored)) : 0;
        (void)got;
    }
}

static void *link_thread(void *arg)
{
    Link *link = arg;
    Buf buf = { 0 };
    for (Status s = OK; status_ok(s);) {
        bool closing = is_closing(link); /* before the queue is sent: what is queued by then goes */
        s = send_queued(link);
        if (status_ok(s))
            s = take_orders(link, &buf);
        if (closing || !status_ok(s))
            break;
        wait_for_any(link);
    }
    lose(link);
    buf_done(&buf);
    return NULL;
}

/* --- opening and closing ---------------------------------------------------------------------- */

static Status say_hello(Ctx *ctx, Link *link, const LinkConfig *config)
{
    Procavia__Work__WorkReport *report =
        PB_NEW(ctx, procavia__work__work_report, Procavia__Work__WorkReport);
    report->body_case = PROCAVIA__WORK__WORK_REPORT__BODY_HELLO;
    report->hello =
        PB_NEW(ctx, procavia__work__work_report__hello, Procavia__Work__WorkReport__Hello);
    report->hello->worker_id = arena_strdup(ctx->arena, config->worker_id);
    report->hello->token = arena_strdup(ctx->arena, config->token);
    report->hello->slots = 1;
    report->hello->version = arena_strdup(ctx->arena, PCV_VERSION);
    report->hello->sandbox = arena_strdup(ctx->arena, config->sandbox);
    report->hello->trouble = arena_strdup(ctx->arena, config->trouble);
    TRY(wire_stream_open(ctx, link->client, PATH, &link->stream));
    return wire_stream_send(ctx, link->stream, pb_pack_bytes(ctx, &report->base));
}

Status link_open(Ctx *ctx, const LinkConfig *config, Link **out)
{
    Link *link = calloc(1, sizeof(*link));
    if (!link)
        return STATUS(RESOURCE_EXHAUSTED);
    pthread_mutex_init(&link->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&link->changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_cond_init(&link->sent, NULL);
    link->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    link->linger_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    Status s = link->wake_fd < 0 || link->linger_fd < 0
                   ? status_errno(ctx, errno, "could not make an event")
                   : OK;
    if (status_ok(s))
        s = wire_client_open(ctx, config->address, &link->client);
    if (status_ok(s))
        s = say_hello(ctx, link, config);
    if (status_ok(s))
        s = thread_start(ctx, "link", link_thread, link, &link->thread);
    if (!status_ok(s)) {
        link->thread = 0;
        link_close(link);
        return s;
    }
    *out = link;
    return OK;
}

Link *link_close(Link *link)
{
    if (!link)
        return NULL;
    {
        LOCKED(&link->lock);
        link->closing = true;
    }
    link_flush(link);
    if (link->thread)
        pthread_join(link->thread, NULL);
    wire_stream_close(link->stream);
    wire_client_close(link->client);
    fd_closep(&link->wake_fd);
    fd_closep(&link->linger_fd);
    cancel_unref(link->cancel);
    buf_done(&link->queue);
    buf_done(&link->logs);
    buf_done(&link->parts);
    buf_done(&link->set);
    pthread_cond_destroy(&link->sent);
    pthread_cond_destroy(&link->changed);
    pthread_mutex_destroy(&link->lock);
    free(link);
    return NULL;
}
