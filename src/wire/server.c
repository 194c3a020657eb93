/* server.c - the network thread: one epoll loop that owns the listener, all connections and their
 * sessions.
 *
 * A turn of the loop: read from who sent, look at the calls that were posted, write what both made.
 * Connections to write to (or to close) are on the dirty list, so that a turn costs a few system
 * calls per busy connection, and an idle server none.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "wire/address_priv.h"
#include "wire/conn_priv.h"

#define READ_BYTES (256 * KiB)
/* Written to one connection before the others get their turn. */
#define FLUSH_BYTES_MAX (2 * MiB)
#define EVENTS_MAX      64
/* How often silent connections are looked for, while there are any that must not be silent. */
#define SWEEP_NS (15 * NS_PER_SEC)
/* After calls were cancelled, how long their last answers may take to leave. */
#define LINGER_NS NS_PER_SEC

struct WireServer {
    Calls calls;
    int epoll_fd, listen_fd, wake_fd;
    int spare_fd; /* given up to accept and close a connection when there are no more descriptors */
    char address[ADDRESS_SIZE];
    pthread_t thread;
    _Atomic bool stop;
    _Atomic int64_t drain_until_ns; /* valid once stop is set */

    /* The network thread's. */
    Conn *conns, *dirty;
    uint8_t *input;
    int64_t sweep_at_ns; /* INT64_MAX: never */
    bool draining, cancelled;
    int64_t linger_until_ns;
};

/* --- connections ----------------------------------------------------------------------------- */

static void mark_dirty(WireServer *server, Conn *conn)
{
    if (!conn->dirty) {
        conn->dirty = true;
        conn->next_dirty = server->dirty;
        server->dirty = conn;
    }
}

static void watch(WireServer *server, Conn *conn, int operation)
{
    uint32_t events = (conn->reads ? EPOLLIN : 0u) | (conn->waits_for_room ? EPOLLOUT : 0u);
    struct epoll_event event = { .events = events, .data.ptr = conn };
    if (epoll_ctl(server->epoll_fd, operation, conn->fd, &event) != 0) {
        conn->broken = true;
        mark_dirty(server, conn);
    }
}

/* Watches for what the connection waits for now. */
static void rewatch(WireServer *server, Conn *conn, bool waits_for_room)
{
    if (conn->waits_for_room == waits_for_room && conn->reads == !conn->paused)
        return;
    conn->waits_for_room = waits_for_room;
    conn->reads = !conn->paused;
    watch(server, conn, EPOLL_CTL_MOD);
}

static void add_conn(WireServer *server, int fd)
{
    char peer[ADDRESS_SIZE];
    address_tune(fd);
    address_of_peer(fd, peer);
    Conn *conn = conn_new(&server->calls, peer);
    conn->fd = fd;
    conn->reads = conn->progress = true;
    conn->next = server->conns;
    if (server->conns)
        server->conns->prev = conn;
    server->conns = conn;
    watch(server, conn, EPOLL_CTL_ADD);
    mark_dirty(server, conn);
}

/* Closing alone does not end a watch while a process that is being spawned holds the socket too:
 * the set would go on naming what is gone. */
static void unwatch(const WireServer *server, int fd)
{
    epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* It must not be on the dirty list. */
static void close_conn(WireServer *server, Conn *conn)
{
    assert(!conn->dirty);
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        server->conns = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    unwatch(server, conn->fd);
    close(conn->fd);
    conn_free(conn);
}

/* With no descriptor left, accept fails for ever and epoll spins: turn the client away instead. */
static void turn_away(WireServer *server)
{
    close(server->spare_fd);
    int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    LOG_WARN(NULL, "turned a client away: no file descriptors left", "listen=%s", server->address);
}

static void accept_conns(WireServer *server)
{
    for (int i = 0; i < EVENTS_MAX && server->listen_fd >= 0; i++) {
        int fd = accept4(server->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            add_conn(server, fd);
        else if (errno == EMFILE || errno == ENFILE)
            turn_away(server);
        else if (errno != EINTR && errno != ECONNABORTED)
            break;
    }
}

static void read_conn(WireServer *server, Conn *conn)
{
    ssize_t size = recv(conn->fd, server->input, READ_BYTES, 0);
    if (size > 0 && conn->lingers)
        return; /* nobody wants it */
    if (size > 0)
        conn_feed(conn, bytes(server->input, (size_t)size));
    else if (size == 0 || (errno != EAGAIN && errno != EINTR))
        conn->broken = true;
    mark_dirty(server, conn);
}

typedef enum Sent { SENT_ALL, SENT_SOME, SENT_FAILED } Sent;

static Sent send_chain(int fd, OutChain *chain)
{
    struct iovec views[OUT_PIECES_MAX];
    struct msghdr message = { .msg_iov = views, .msg_iovlen = out_chain_view(chain, views) };
    ssize_t size = sendmsg(fd, &message, MSG_NOSIGNAL);
    if (size < 0)
        return errno == EAGAIN || errno == EINTR ? SENT_SOME : SENT_FAILED;
    out_chain_sent(chain, (size_t)size);
    return chain->size ? SENT_SOME : SENT_ALL;
}

/* Closing a socket that has unread bytes resets it, and the client may lose the answer that it did
 * not read yet. So the connection only says that no more comes, and is closed when the client has
 * closed it, or after a while. */
static bool begin_linger(WireServer *server, Conn *conn)
{
    if (!conn->linger || shutdown(conn->fd, SHUT_WR) != 0)
        return false;
    conn->lingers = conn->progress = true;
    conn->paused = false;
    rewatch(server, conn, false);
    return true;
}

/* Writes what the connection has to say, as far as the socket takes it. False: it is to be
 * closed. */
static bool flush(WireServer *server, Conn *conn)
{
    if (conn->lingers)
        return !conn->broken;
    for (size_t turn = 0; turn < FLUSH_BYTES_MAX / OUT_CHAIN_BYTES_MAX; turn++) {
        bool open = conn_fill(conn);
        if (conn->broken)
            return false;
        if (!conn->link.out.size) {
            rewatch(server, conn, false);
            return open || begin_linger(server, conn);
        }
        Sent sent = send_chain(conn->fd, &conn->link.out);
        if (sent == SENT_FAILED)
            return false;
        if (sent == SENT_SOME) {
            rewatch(server, conn, true);
            return true;
        }
    }
    mark_dirty(server, conn);
    return true;
}

/* --- patience -------------------------------------------------------------------------------- */

static int64_t patience_ns(const Conn *conn)
{
    return conn->lingers ? LINGER_NS : conn_patience_ns(conn);
}

/* A sweep is due only while some connection's patience is limited, so idle gRPC clients cost no
 * wake-ups. */
static void note_progress(WireServer *server, Conn *conn)
{
    if (!conn->progress && server->sweep_at_ns != INT64_MAX)
        return;
    int64_t now_ns = clock_mono_ns(), limit_ns = patience_ns(conn);
    if (conn->progress)
        conn->since_ns = now_ns;
    conn->progress = false;
    if (limit_ns != INT64_MAX)
        server->sweep_at_ns = MIN(server->sweep_at_ns, now_ns + MIN(limit_ns, SWEEP_NS));
}

/* Drops connections that have made no progress for longer than they may. */
static void sweep(WireServer *server)
{
    int64_t now_ns = clock_mono_ns();
    if (now_ns < server->sweep_at_ns)
        return;
    server->sweep_at_ns = INT64_MAX;
    for (Conn *conn = server->conns; conn; conn = conn->next) {
        int64_t limit_ns = patience_ns(conn);
        if (limit_ns == INT64_MAX || conn->progress) /* progress of this turn is noted after it */
            continue;
        if (now_ns - conn->since_ns > limit_ns) {
            conn->broken = true;
            mark_dirty(server, conn);
        }
        server->sweep_at_ns = MIN(server->sweep_at_ns, now_ns + MIN(limit_ns, SWEEP_NS));
    }
}

static void flush_dirty(WireServer *server)
{
    Conn *conn = server->dirty;
    server->dirty = NULL;
    for (Conn *next; conn; conn = next) {
        next = conn->next_dirty;
        conn->dirty = false;
        if (!flush(server, conn))
            close_conn(server, conn);
        else
            note_progress(server, conn);
    }
}

/* --- the loop -------------------------------------------------------------------------------- */

/* False: none was. */
static bool serve_posted(WireServer *server)
{
    WireCall *call = calls_take_posted(&server->calls);
    bool any = call != NULL;
    for (WireCall *next; call; call = next) {
        next = call->next_taken;
        if (call->conn) {
            conn_serve(call->conn, call);
            mark_dirty(server, call->conn);
        } else if (call->ended) {
            call_free(call);
        }
    }
    return any;
}

static int sleep_ms(WireServer *server)
{
    if (!calls_may_sleep(&server->calls) || server->dirty)
        return 0;
    int64_t now_ns = clock_mono_ns(), until_ns = server->sweep_at_ns;
    int64_t drain_ns =
        server->cancelled ? server->linger_until_ns : atomic_load(&server->drain_until_ns);
    if (server->draining && drain_ns > now_ns) /* past it, only a handler's return matters */
        until_ns = MIN(until_ns, drain_ns);
    return until_ns == INT64_MAX ? -1
                                 : (int)MIN(MAX(until_ns - now_ns, 0) / NS_PER_MS + 1, INT32_MAX);
}

static void take_events(WireServer *server, int wait_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(server->epoll_fd, events, EVENTS_MAX, wait_ms);
    for (int i = 0; i < n; i++) {
        Conn *conn = events[i].data.ptr;
        if (!conn)
            accept_conns(server);
        else if ((void *)conn == server)
            continue; /* woken: the wake descriptor is edge-triggered and is never read */
        else if (events[i].events & ~(uint32_t)EPOLLOUT)
            read_conn(server, conn);
        else
            mark_dirty(server, conn);
    }
}

static void begin_drain(WireServer *server)
{
    server->draining = true;
    unwatch(server, server->listen_fd);
    close(server->listen_fd);
    server->listen_fd = -1;
    for (Conn *conn = server->conns; conn; conn = conn->next) {
        conn_shut(conn);
        mark_dirty(server, conn);
    }
}

static void cancel_all(WireServer *server)
{
    server->cancelled = true;
    server->linger_until_ns = clock_mono_ns() + LINGER_NS;
    for (Conn *conn = server->conns; conn; conn = conn->next) {
        for (WireCall *call = conn->streams; call; call = call->next) {
            if (call->started && !call->ended)
                cancel_set(call->ctx.cancel);
        }
    }
}

/* Moves a stop forward; true when nothing is left to do. Handlers that run are always waited
 * for. */
static bool drained(WireServer *server)
{
    if (!atomic_load(&server->stop))
        return false;
    if (!server->draining)
        begin_drain(server);
    if (!server->cancelled && clock_mono_ns() >= atomic_load(&server->drain_until_ns))
        cancel_all(server);
    bool answered =
        !server->conns || (server->cancelled && clock_mono_ns() >= server->linger_until_ns);
    return answered && server->calls.running == 0;
}

static void turn(WireServer *server, int wait_ms)
{
    take_events(server, wait_ms);
    serve_posted(server);
    sweep(server);
    flush_dirty(server);
}

static void *network_thread(void *arg)
{
    WireServer *server = arg;
    while (!drained(server))
        turn(server, sleep_ms(server));
    return NULL;
}

int wire_server_fd(const WireServer *server)
{
    return server->epoll_fd;
}

/* What came while something else was to be done goes on making the descriptor readable. */
void wire_server_turn(WireServer *server)
{
    if (serve_posted(server))
        flush_dirty(server);
    else
        turn(server, 0);
    while (server->dirty)
        turn(server, 0);
}

/* --- start and stop -------------------------------------------------------------------------- */

static WireServer *server_free(WireServer *server)
{
    while (server->conns) {
        server->conns->dirty = false;
        close_conn(server, server->conns);
    }
    calls_done(&server->calls);
    fd_closep(&server->epoll_fd);
    fd_closep(&server->listen_fd);
    fd_closep(&server->wake_fd);
    fd_closep(&server->spare_fd);
    if (str_starts(str(server->address), STR("unix:")))
        unlink(server->address + strlen("unix:"));
    free(server->input);
    free(server);
    return NULL;
}

static bool watch_fd(WireServer *server, int fd, uint32_t events, void *tag)
{
    struct epoll_event event = { .events = events, .data.ptr = tag };
    return epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static Status open_all(Ctx *ctx, WireServer *server, const char *listen)
{
    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    server->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (server->epoll_fd < 0 || server->wake_fd < 0 || server->spare_fd < 0)
        return status_errno(ctx, errno, "could not make the descriptors of a server");
    TRY(address_listen(ctx, listen, &server->listen_fd, server->address));
    if (!watch_fd(server, server->listen_fd, EPOLLIN, NULL) ||
        !watch_fd(server, server->wake_fd, EPOLLIN | EPOLLET, server))
        return status_errno(ctx, errno, "could not watch '%s'", server->address);
    return OK;
}

Status wire_server_start(Ctx *ctx, const WireConfig *config, WireServer **out)
{
    WireServer *server = calloc(1, sizeof(*server));
    if (!server || !(server->input = malloc(READ_BYTES)))
        abort();
    server->sweep_at_ns = INT64_MAX;
    server->listen_fd = server->epoll_fd = server->wake_fd = server->spare_fd = -1;
    Status s = open_all(ctx, server, config->listen);
    calls_init(&server->calls, config, server->wake_fd, !config->turned);
    if (status_ok(s) && !config->turned)
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

WireServer *wire_server_stop(WireServer *server, int64_t drain_ms)
{
    if (!server)
        return NULL;
    atomic_store(&server->drain_until_ns, clock_mono_ns() + drain_ms * NS_PER_MS);
    atomic_store(&server->stop, true);
    if (server->calls.config.turned) {
        network_thread(server);
    } else {
        eventfd_write(server->wake_fd, 1);
        pthread_join(server->thread, NULL);
    }
    return server_free(server);
}
