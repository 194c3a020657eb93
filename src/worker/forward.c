/* forward.c - see forward.h.
 *
 *   client -- fds[0] --> pipes[0] --> fds[1] -- service
 *   client <-- fds[0] -- pipes[1] <-- fds[1] -- service
 *
 * A pipe holds what was read on one side and not yet written on the other. While it is full nothing
 * is read, so who sends faster than the other side takes is slowed down. The end of a side is
 * passed on once its pipe is empty; when both have ended, the connection is over. */
#include "worker/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/file.h"
#include "base/thread.h"
#include "worker/report.h"

#define PIPE_BYTES     (64 * KiB)
#define LISTEN_BACKLOG 128

typedef struct Pipe {
    size_t from, to; /* bytes[from, to) wait to be written */
    bool ended;      /* nothing more comes */
    bool shut;       /* and the other side was told */
    uint8_t bytes[PIPE_BYTES];
} Pipe;

/* pipes[i] carries what fds[i] sends. */
typedef struct Link {
    int fds[2];
    bool connecting; /* to the service */
    Pipe pipes[2];
} Link;

struct Forward {
    int listen_fd, stop_fd;
    uint16_t to;
    bool by_door;
    pthread_mutex_t lock; /* guards door_fd */
    int door_fd;          /* -1: none */
    pthread_t thread;
    Link **links; /* [link_count] */
    size_t link_count;
    struct pollfd fds[2 + 2 * FORWARD_CONNECTIONS_MAX];
};

/* --- connections ----------------------------------------------------------------------------- */

static Link *link_free(Link *link)
{
    fd_closep(&link->fds[0]);
    fd_closep(&link->fds[1]);
    free(link);
    return NULL;
}

/* Whoever is behind the door may be slow, or gone; it is given a moment. */
#define DOOR_SECONDS 2

static int socket_by_door(Forward *forward)
{
    const struct timeval limit = { .tv_sec = DOOR_SECONDS };
    Report report;
    LOCKED(&forward->lock);
    if (forward->door_fd < 0)
        return -1;
    setsockopt(forward->door_fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (send(forward->door_fd, "?", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 &&
        report_receive(forward->door_fd, &report))
        return report.fd;
    fd_closep(&forward->door_fd); /* a late answer would be taken for the next one's */
    return -1;
}

static int connect_to(Forward *forward)
{
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons(forward->to),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    AUTO_FD fd =
        forward->by_door ? socket_by_door(forward) : socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 && errno != EINPROGRESS)
        return -1;
    return fd_steal(&fd);
}

/* A client whose service cannot be reached is hung up on. */
static void accept_one(Forward *forward)
{
    AUTO_FD client = accept4(forward->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    AUTO_FD service = client < 0 ? -1 : connect_to(forward);
    if (service < 0)
        return;
    Link *link = calloc(1, sizeof(*link));
    if (!link)
        return;
    link->connecting = true;
    link->fds[0] = fd_steal(&client);
    link->fds[1] = fd_steal(&service);
    forward->links[forward->link_count++] = link;
}

static bool has_connected(int fd)
{
    int error = 0;
    socklen_t size = sizeof(error);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

/* What a call that did not move any bytes says: go on later, or give the connection up. */
static bool try_later(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static bool fill(Pipe *pipe, int fd)
{
    if (pipe->ended || pipe->to == PIPE_BYTES)
        return true;
    ssize_t got = read(fd, pipe->bytes + pipe->to, PIPE_BYTES - pipe->to);
    if (got < 0)
        return try_later();
    pipe->ended = got == 0;
    pipe->to += (size_t)got;
    return true;
}

static bool drain(Pipe *pipe, int fd)
{
    if (pipe->from < pipe->to) {
        ssize_t put = send(fd, pipe->bytes + pipe->from, pipe->to - pipe->from, MSG_NOSIGNAL);
        if (put < 0)
            return try_later();
        pipe->from += (size_t)put;
    }
    if (pipe->from == pipe->to)
        pipe->from = pipe->to = 0;
    if (pipe->ended && !pipe->shut && pipe->to == 0) {
        shutdown(fd, SHUT_WR);
        pipe->shut = true;
    }
    return true;
}

/* What can be done now; false when the connection is over. */
static bool link_turn(Link *link, const struct pollfd fds[2])
{
    if (link->connecting) {
        if (!fds[1].revents)
            return !(fds[0].revents & (POLLERR | POLLHUP));
        if (!has_connected(link->fds[1]))
            return false;
        link->connecting = false;
    }
    for (int side = 0; side < 2; side++) {
        bool readable = fds[side].revents & (POLLIN | POLLHUP | POLLERR);
        if ((readable && !fill(&link->pipes[side], link->fds[side])) ||
            !drain(&link->pipes[side], link->fds[1 - side]))
            return false;
    }
    return !link->pipes[0].shut || !link->pipes[1].shut;
}

/* --- the thread ------------------------------------------------------------------------------ */

static short wanted_events(const Link *link, int side)
{
    const Pipe *in = &link->pipes[side], *out = &link->pipes[1 - side];
    if (link->connecting)
        return side == 1 ? POLLOUT : 0;
    bool reads = !in->ended && in->to < PIPE_BYTES;
    return (short)((reads ? POLLIN : 0) | (out->from < out->to ? POLLOUT : 0));
}

/* A side without a wish is left out: its end would be told again and again. */
static size_t gather(Forward *forward)
{
    bool has_room = forward->link_count < FORWARD_CONNECTIONS_MAX;
    size_t n = 0;
    forward->fds[n++] = (struct pollfd){ .fd = forward->stop_fd, .events = POLLIN };
    forward->fds[n++] =
        (struct pollfd){ .fd = has_room ? forward->listen_fd : -1, .events = POLLIN };
    for (size_t i = 0; i < forward->link_count; i++) {
        for (int side = 0; side < 2; side++) {
            short events = wanted_events(forward->links[i], side);
            forward->fds[n++] = (struct pollfd){ .fd = events ? forward->links[i]->fds[side] : -1,
                                                 .events = events };
        }
    }
    return n;
}

static void take_turns(Forward *forward)
{
    size_t kept = 0, count = forward->link_count;
    for (size_t i = 0; i < count; i++) {
        Link *link = forward->links[i];
        if (link_turn(link, &forward->fds[2 + 2 * i]))
            forward->links[kept++] = link;
        else
            link_free(link);
    }
    forward->link_count = kept;
}

static void *forward_thread(void *arg)
{
    Forward *forward = arg;
    for (;;) {
        size_t n = gather(forward);
        if (poll(forward->fds, n, -1) < 0)
            continue;
        if (forward->fds[0].revents)
            return NULL;
        bool called = forward->fds[1].revents != 0;
        take_turns(forward);
        if (called)
            accept_one(forward);
    }
}

/* --- opening and closing --------------------------------------------------------------------- */

static Status err_listen(Ctx *ctx, int error, const char *host, uint16_t port)
{
    if (error == EADDRINUSE)
        return FAIL(ctx, FAILED_PRECONDITION, "port %u of %s is already in use", port, host);
    return status_errno(ctx, error, "could not listen on port %u of %s", port, host);
}

static Status listen_at(Ctx *ctx, const char *host, uint16_t port, int *out_fd)
{
    char service[8];
    snprintf(service, sizeof(service), "%u", port);
    const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                                    .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    int wrong = getaddrinfo(host, service, &hints, &found);
    if (wrong)
        return FAIL(ctx, INVALID_ARGUMENT, "'%s' is not an address to listen on: %s", host,
                    gai_strerror(wrong));
    int on = 1;
    AUTO_FD fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
              bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, LISTEN_BACKLOG) == 0;
    int error = errno;
    freeaddrinfo(found);
    if (!ok)
        return err_listen(ctx, error, host, port);
    *out_fd = fd_steal(&fd);
    return OK;
}

void forward_set_door(Forward *forward, int door_fd)
{
    LOCKED(&forward->lock);
    fd_closep(&forward->door_fd);
    forward->door_fd = door_fd;
}

Status forward_open(Ctx *ctx, const char *host, uint16_t from, uint16_t to, bool by_door,
                    Forward **out)
{
    CLEANUP(forward_closep) Forward *forward = calloc(1, sizeof(*forward));
    if (!forward)
        return STATUS(RESOURCE_EXHAUSTED);
    forward->to = to;
    forward->by_door = by_door;
    forward->door_fd = -1;
    pthread_mutex_init(&forward->lock, NULL);
    forward->listen_fd = -1;
    forward->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    forward->links = calloc(FORWARD_CONNECTIONS_MAX, sizeof(Link *));
    if (forward->stop_fd < 0 || !forward->links)
        return STATUS(RESOURCE_EXHAUSTED);
    TRY(listen_at(ctx, host, from, &forward->listen_fd));
    TRY(thread_start(ctx, "forward", forward_thread, forward, &forward->thread));
    *out = STEAL(forward);
    return OK;
}

Forward *forward_close(Forward *forward)
{
    if (!forward)
        return NULL;
    if (forward->thread) {
        eventfd_write(forward->stop_fd, 1);
        pthread_join(forward->thread, NULL);
    }
    for (size_t i = 0; i < forward->link_count; i++)
        link_free(forward->links[i]);
    fd_closep(&forward->listen_fd);
    fd_closep(&forward->stop_fd);
    fd_closep(&forward->door_fd);
    pthread_mutex_destroy(&forward->lock);
    free(forward->links);
    free(forward);
    return NULL;
}

Status forward_port_is_free(Ctx *ctx, uint16_t port)
{
    AUTO_FD fd = -1;
    return listen_at(ctx, "0.0.0.0", port, &fd);
}
