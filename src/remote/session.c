/* session.c - the helper process, and packets to and from it.
 *
 * Nothing here blocks but in wait_for, which a deadline and a cancellation end. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "remote/remote_priv.h"

struct Remote {
    const RemoteConfig *config;
    pid_t pid;   /* 0: not started */
    int control; /* requests; -1: not started */
    int wake;    /* an event that a cancellation raises; -1: not made */
    size_t open; /* transfers */
};

Remote *remote_new(const RemoteConfig *config)
{
    Remote *remote = calloc(1, sizeof(*remote));
    if (!remote)
        abort();
    *remote = (Remote){ .config = config, .control = -1, .wake = -1 };
    return remote;
}

static void stop(Remote *remote)
{
    if (remote->pid)
        process_end(remote->pid);
    remote->pid = 0;
    fd_closep(&remote->control);
}

Remote *remote_free(Remote *remote)
{
    if (!remote)
        return NULL;
    stop(remote);
    fd_closep(&remote->wake);
    free(remote);
    return NULL;
}

/* Each has a descriptor here; the helper has that one's other end, and a connection or two. */
#define DESCRIPTORS_PER_OP 4

size_t remote_ops_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 1;
    return (size_t)MIN(MAX(limit.rlim_cur / DESCRIPTORS_PER_OP, (rlim_t)2), (rlim_t)REMOTE_OPS_MAX);
}

static Status packet_sockets(Ctx *ctx, int *out_ours, int *out_theirs)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return status_errno(ctx, errno, "could not make a socket pair");
    *out_ours = fds[0];
    *out_theirs = fds[1];
    return OK;
}

static Status start(Ctx *ctx, Remote *remote)
{
    AUTO_FD ours = -1;
    AUTO_FD theirs = -1;
    if (remote->wake < 0 && (remote->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
        return status_errno(ctx, errno, "could not make an event");
    TRY(packet_sockets(ctx, &ours, &theirs));
    char *argv[] = { arena_strdup(ctx->arena, remote->config->program), NULL };
    TRY(process_start(ctx, argv, environ, theirs, false, &remote->pid));
    remote->control = fd_steal(&ours);
    return OK;
}

/* --- requests --------------------------------------------------------------------------------- */

static void add(Ctx *ctx, JsonValue *object, const char *name, JsonValue *value)
{
    json_set(ctx->arena, object, str(name), value);
}

JsonValue *remote_request(Ctx *ctx, const Remote *remote, const char *op, const char *url,
                          const char *key)
{
    const RemoteConfig *config = remote->config;
    JsonValue *request = json_object(ctx->arena);
    add(ctx, request, "op", json_string(ctx->arena, str(op)));
    add(ctx, request, "url", json_string(ctx->arena, str(url)));
    add(ctx, request, "key", key ? json_string(ctx->arena, str(key)) : json_null(ctx->arena));
    add(ctx, request, "hosts", json_string(ctx->arena, str(config->hosts)));
    add(ctx, request, "files", json_bool(ctx->arena, config->files));
    add(ctx, request, "tries", json_i64(ctx->arena, config->tries));
    add(ctx, request, "stall_seconds", json_i64(ctx->arena, config->stall_seconds));
    return request;
}

/* A packet with one descriptor. */
static ssize_t send_fd(int control, Str text, int fd)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } with = { 0 };
    struct iovec piece = { (void *)(uintptr_t)text.data, text.size };
    struct msghdr message = { .msg_iov = &piece,
                              .msg_iovlen = 1,
                              .msg_control = with.room,
                              .msg_controllen = sizeof(with.room) };
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    *head = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                              .cmsg_type = SCM_RIGHTS,
                              .cmsg_len = CMSG_LEN(sizeof(int)) };
    memcpy(CMSG_DATA(head), &fd, sizeof(fd));
    return sendmsg(control, &message, MSG_NOSIGNAL);
}

/* A helper that died since the last request is replaced, once. */
static Status send_request(Ctx *ctx, Remote *remote, Str text, int fd)
{
    if (text.size > REMOTE_PACKET_BYTES)
        return FAIL(ctx, INVALID_ARGUMENT, "the request for a transfer is too long");
    for (int tries = 0; tries < 2; tries++) {
        if (!remote->pid)
            TRY(start(ctx, remote));
        if (send_fd(remote->control, text, fd) >= 0)
            return OK;
        stop(remote);
    }
    return status_errno(ctx, errno, "could not reach the helper for transfers");
}

/* What waits in the sockets is memory, too: of so many transfers each may have much of it. */
#define ROOMY_OPS          64
#define TIGHT_BUFFER_BYTES (64 * KiB) /* the kernel doubles it: one packet, and the next */

static void tighten(int ours, int theirs)
{
    const int size = TIGHT_BUFFER_BYTES;
    setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    setsockopt(theirs, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

Status remote_open(Ctx *ctx, Remote *remote, const char *url, const JsonValue *request,
                   RemoteOp **out)
{
    AUTO_FD ours = -1;
    AUTO_FD theirs = -1;
    TRY(packet_sockets(ctx, &ours, &theirs));
    if (remote->open >= ROOMY_OPS)
        tighten(ours, theirs);
    TRY(send_request(ctx, remote, json_print(ctx->arena, request, (JsonStyle){ 0 }), theirs));
    RemoteOp *op = calloc(1, sizeof(*op));
    if (!op)
        return STATUS(RESOURCE_EXHAUSTED);
    op->remote = remote;
    op->fd = fd_steal(&ours);
    op->shown = strdup(remote_url_shown(ctx, url));
    remote->open++;
    *out = op;
    return OK;
}

RemoteOp *remote_close(RemoteOp *op)
{
    if (!op)
        return NULL;
    op->remote->open--;
    close(op->fd);
    free(op->packet);
    free(op->shown);
    free(op);
    return NULL;
}

/* --- packets ---------------------------------------------------------------------------------- */

static void raise_event(void *arg)
{
    const uint64_t one = 1;
    ssize_t n = write(*(const int *)arg, &one, sizeof(one));
    (void)n; /* it is raised already */
}

static int wait_ms(const Ctx *ctx)
{
    int64_t left_ms = (ctx->deadline_ns - clock_mono_ns()) / NS_PER_MS + 1;
    return ctx->deadline_ns == DEADLINE_NONE ? -1 : (int)MIN(MAX(left_ms, 0), INT32_MAX);
}

static Status wait_for(Ctx *ctx, RemoteOp *op, short events)
{
    struct pollfd ready[] = { { .fd = op->fd, .events = events },
                              { .fd = op->remote->wake, .events = POLLIN } };
    CancelHook hook = { .fn = raise_event, .arg = &op->remote->wake };
    if (ctx->cancel)
        cancel_hook(ctx->cancel, &hook);
    int n = poll(ready, ARRAY_LEN(ready), wait_ms(ctx));
    int error = n < 0 ? errno : 0;
    if (ctx->cancel)
        cancel_unhook(ctx->cancel, &hook);
    if (error && error != EINTR)
        return status_errno(ctx, error, "could not wait for a transfer");
    return ctx_check(ctx);
}

/* The helper closed the transfer's socket before it said how it ended. */
static Status broke_off(Ctx *ctx, const RemoteOp *op)
{
    return FAIL(ctx, UNAVAILABLE, "the transfer of \"%s\" broke off: its process ended", op->shown);
}

static Status need_packet(RemoteOp *op)
{
    if (!op->packet)
        op->packet = malloc(REMOTE_PACKET_BYTES);
    return op->packet ? OK : STATUS(RESOURCE_EXHAUSTED);
}

static Status recv_packet(Ctx *ctx, RemoteOp *op)
{
    TRY(need_packet(op));
    for (;;) {
        ssize_t n = recv(op->fd, op->packet, REMOTE_PACKET_BYTES, MSG_DONTWAIT);
        op->size = (size_t)MAX(n, 0);
        if (n > 0)
            return OK;
        if (n == 0)
            return broke_off(ctx, op);
        if (errno == EAGAIN)
            TRY(wait_for(ctx, op, POLLIN));
        else if (errno != EINTR && errno != ECONNRESET) /* data of ours was not read: go on */
            return status_errno(ctx, errno, "could not read from a transfer");
    }
}

Status remote_recv(Ctx *ctx, RemoteOp *op, RemoteSay *out_kind, Bytes *out)
{
    for (;;) {
        TRY(recv_packet(ctx, op));
        *out_kind = (RemoteSay)op->packet[0];
        *out = bytes(op->packet + 1, op->size - 1);
        if (*out_kind == REMOTE_SAY_FAIL && out->size)
            return status_new(ctx, (StatusCode)MIN(out->data[0], STATUS_CODE_COUNT - 1), STR_FMT,
                              STR_ARG(str_sub(bytes_str(*out), 1, out->size)));
        if (*out_kind != REMOTE_SAY_NOTE)
            return OK;
        LOG_WARN(ctx, "a transfer is tried again", "url=%s reason=" STR_FMT, op->shown,
                 STR_ARG(bytes_str(*out)));
    }
}

/* Why the helper closed the socket; its last word is still to be read. */
static Status why_closed(Ctx *ctx, RemoteOp *op)
{
    RemoteSay kind;
    Bytes data;
    TRY(remote_recv(ctx, op, &kind, &data));
    return broke_off(ctx, op);
}

static Status send_packet(Ctx *ctx, RemoteOp *op, Bytes packet)
{
    for (;;) {
        ssize_t n = send(op->fd, packet.data, packet.size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0)
            return OK;
        if (errno == EAGAIN)
            TRY(wait_for(ctx, op, POLLOUT));
        else if (errno == EPIPE || errno == ECONNRESET)
            return why_closed(ctx, op);
        else if (errno != EINTR)
            return status_errno(ctx, errno, "could not write to a transfer");
    }
}

Status remote_send(Ctx *ctx, RemoteOp *op, RemoteSay kind, Bytes data)
{
    TRY(need_packet(op));
    do {
        Bytes piece = bytes(data.data, MIN(data.size, REMOTE_PACKET_BYTES - 1));
        op->packet[0] = (uint8_t)kind;
        if (piece.size)
            memcpy(op->packet + 1, piece.data, piece.size);
        TRY(send_packet(ctx, op, bytes(op->packet, piece.size + 1)));
        data = bytes(data.data + piece.size, data.size - piece.size);
    } while (data.size);
    return OK;
}

Status remote_await_done(Ctx *ctx, RemoteOp *op, JsonValue **out)
{
    RemoteSay kind;
    Bytes data;
    TRY(remote_recv(ctx, op, &kind, &data));
    if (kind != REMOTE_SAY_DONE)
        return FAIL(ctx, INTERNAL, "the helper for transfers said '%c' out of turn", (int)kind);
    char *text = arena_memdup(ctx->arena, data.data, data.size); /* the tree refers to it */
    return json_parse(ctx, (Str){ text, data.size }, out);
}
