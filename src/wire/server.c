/* server.c - the network thread: accepts, reads, writes, and attends to calls whose handlers moved. */
#include "wire/wire_priv.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "wire/address.h"

#define EVENTS_AT_ONCE 64

/* --- waking ------------------------------------------------------------------------------------------------------------ */

static void wake(WireServer *server)
{
    uint64_t one = 1;
    ssize_t ignored = write(server->wake_fd, &one, sizeof(one));
    (void)ignored; /* full means it wakes anyway */
}

void call_attend(WireCall *call)
{
    WireServer *server = call->server;
    bool first;
    {
        LOCKED(&server->lock);
        if (call->attention)
            return;
        first = !server->attention;
        call->attention = true;
        atomic_fetch_add(&call->refs, 1);
        call->next_attention = server->attention;
        server->attention = call;
    }
    if (first)
        wake(server);
}

void server_call_began(WireServer *server)
{
    atomic_fetch_add(&server->calls, 1);
}

void server_call_ended(WireServer *server)
{
    LOCKED(&server->lock);
    if (atomic_fetch_sub(&server->calls, 1) == 1)
        pthread_cond_broadcast(&server->idle);
}

/* --- the network thread -------------------------------------------------------------------------------------------------- */

static void watch(WireServer *server, Conn *conn, int how)
{
    struct epoll_event event = { .events = EPOLLIN | (conn->wants_write ? (uint32_t)EPOLLOUT : 0), .data.ptr = conn };
    epoll_ctl(server->epoll_fd, how, conn->fd, &event);
}

/* Writes; a connection that is over goes. False when it went. */
static bool settle(WireServer *server, Conn *conn)
{
    bool wanted = conn->wants_write;
    if (!conn_write(conn)) {
        conn_free(conn);
        return false;
    }
    if (conn->wants_write != wanted)
        watch(server, conn, EPOLL_CTL_MOD);
    return true;
}

static void accept_all(WireServer *server)
{
    for (;;) {
        struct sockaddr_storage address;
        socklen_t size = sizeof(address);
        int fd = accept4(server->listen_fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (fd < 0)
            return;
        int yes = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        char host[48] = "local", port[8] = "";
        if (address.ss_family != AF_UNIX)
            getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port, sizeof(port),
                        NI_NUMERICHOST | NI_NUMERICSERV);
        char peer[64];
        snprintf(peer, sizeof(peer), "%s:%s", host, port);
        watch(server, conn_new(server, fd, peer), EPOLL_CTL_ADD);
    }
}

/* Calls that moved are attended to, then each of their connections writes once. */
static void attend_calls(WireServer *server)
{
    uint64_t ignored;
    ssize_t got = read(server->wake_fd, &ignored, sizeof(ignored));
    (void)got;
    WireCall *list;
    {
        LOCKED(&server->lock);
        list = server->attention;
        server->attention = NULL;
    }
    while (list) {
        WireCall *call = list;
        {
            LOCKED(&server->lock); /* from here on it may be put into the next list */
            list = call->next_attention;
            call->attention = false;
        }
        Conn *conn = call->conn;
        if (conn)
            conn_attend_call(conn, call);
        call_unref(call);
        if (conn && !conn->wants_write)
            settle(server, conn);
    }
}

static void start_drain(WireServer *server)
{
    if (server->listen_fd < 0)
        return;
    close(server->listen_fd);
    server->listen_fd = -1;
    for (Conn *conn = server->conns, *next; conn; conn = next) {
        next = conn->next;
        conn_go_away(conn);
        settle(server, conn);
    }
}

static void on_event(WireServer *server, const struct epoll_event *event)
{
    if (event->data.ptr == server) {
        attend_calls(server);
    } else if (event->data.ptr == &server->listen_fd) {
        accept_all(server);
    } else {
        Conn *conn = event->data.ptr;
        if ((event->events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !conn_read(conn))
            conn_free(conn);
        else
            settle(server, conn);
    }
}

static void *network_thread(void *arg)
{
    WireServer *server = arg;
    for (;;) {
        struct epoll_event events[EVENTS_AT_ONCE];
        int n = epoll_wait(server->epoll_fd, events, EVENTS_AT_ONCE, -1);
        /* Attention comes last: it may free connections that later events of this batch speak of. */
        bool attention = false;
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == server)
                attention = true;
            else
                on_event(server, &events[i]);
        }
        if (attention)
            attend_calls(server);
        bool draining, stopping;
        {
            LOCKED(&server->lock);
            draining = server->draining;
            stopping = server->stopping;
        }
        if (stopping)
            break;
        if (draining)
            start_drain(server);
    }
    while (server->conns)
        conn_free(server->conns);
    return NULL;
}

/* --- starting and stopping --------------------------------------------------------------------------------------------- */

static Status open_fds(Ctx *ctx, WireServer *server)
{
    char *name;
    TRY(address_listen(ctx, server->config.listen, &server->listen_fd, &name));
    server->address = strdup(name);
    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event listen_event = { .events = EPOLLIN, .data.ptr = &server->listen_fd };
    struct epoll_event wake_event = { .events = EPOLLIN, .data.ptr = server };
    if (server->epoll_fd < 0 || server->wake_fd < 0 ||
        epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, server->listen_fd, &listen_event) < 0 ||
        epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, server->wake_fd, &wake_event) < 0)
        return status_errno(ctx, errno, "could not watch sockets");
    return OK;
}

static WireServer *server_free(WireServer *server)
{
    pool_free(server->pool);
    while (server->attention) {
        WireCall *call = server->attention;
        server->attention = call->next_attention;
        call_unref(call);
    }
    fd_closep(&server->listen_fd);
    fd_closep(&server->epoll_fd);
    fd_closep(&server->wake_fd);
    pthread_cond_destroy(&server->idle);
    pthread_mutex_destroy(&server->lock);
    free(server->address);
    free(server->read_buf);
    free(server);
    return NULL;
}

Status wire_server_start(Ctx *ctx, const WireConfig *config, WireServer **out)
{
    WireServer *server = calloc(1, sizeof(*server));
    if (!server)
        return STATUS(RESOURCE_EXHAUSTED);
    server->config = *config;
    server->read_buf = malloc(READ_BYTES);
    if (!server->read_buf)
        abort();
    server->listen_fd = server->epoll_fd = server->wake_fd = -1;
    server->pool = pool_new("call", config->calls_max ? config->calls_max : WIRE_CALLS_MAX);
    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&server->idle, &attr);
    pthread_condattr_destroy(&attr);
    Status s = open_fds(ctx, server);
    if (status_ok(s))
        s = thread_start(ctx, "wire", network_thread, server, &server->thread);
    if (!status_ok(s)) {
        server_free(server);
        return s;
    }
    *out = server;
    return OK;
}

const char *wire_server_address(const WireServer *server)
{
    return server->address;
}

static void signal_thread(WireServer *server, bool stop)
{
    {
        LOCKED(&server->lock);
        server->draining = true;
        server->stopping = stop;
    }
    wake(server);
}

static void wait_idle(WireServer *server, int64_t deadline_ns)
{
    struct timespec until = { deadline_ns / NS_PER_SEC, deadline_ns % NS_PER_SEC };
    LOCKED(&server->lock);
    while (atomic_load(&server->calls) > 0) {
        if (pthread_cond_timedwait(&server->idle, &server->lock, &until) != 0)
            return;
    }
}

WireServer *wire_server_stop(WireServer *server, int64_t drain_ms)
{
    if (!server)
        return NULL;
    signal_thread(server, false);
    wait_idle(server, clock_mono_ns() + drain_ms * NS_PER_MS);
    signal_thread(server, true); /* connections that are left go, and with them their calls are cancelled */
    pthread_join(server->thread, NULL);
    return server_free(server);
}
