/* serve.c - requests in, a thread each; and what a transfer says and hears.
 *
 * The process holds nothing that must outlive it: at the end of its input it is gone at once, and
 * so are transfers that hang. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "base/thread.h"
#include "courier/courier.h"
#include "courier/courier_priv.h"
#include "remote/remote.h"

/* Above what one server may have open at once: those given up still end. */
#define THREADS_MAX (2 * REMOTE_OPS_MAX)

/* --- a transfer's socket ---------------------------------------------------------------------- */

static Status say(Transfer *transfer, const void *packet, size_t size)
{
    ssize_t n;
    do
        n = send(transfer->fd, packet, size, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? STATUS(CANCELLED) : OK;
}

Status transfer_say(Transfer *transfer, RemoteSay kind, Bytes data)
{
    do {
        size_t size = MIN(data.size, sizeof(transfer->packet) - 1);
        transfer->packet[0] = (uint8_t)kind;
        if (size)
            memcpy(transfer->packet + 1, data.data, size);
        TRY(say(transfer, transfer->packet, size + 1));
        data = bytes(data.data + size, data.size - size);
    } while (data.size && kind == REMOTE_SAY_DATA); /* what is no data is cut */
    return OK;
}

Status transfer_give(void *transfer, Bytes data)
{
    return data.size ? transfer_say(transfer, REMOTE_SAY_DATA, data) : OK;
}

Status transfer_say_object(Transfer *transfer, Str key, uint64_t size)
{
    uint8_t head[8];
    store_le64(head, size);
    Buf packet = { 0 };
    buf_add(&packet, head, sizeof(head));
    buf_add_str(&packet, key);
    Status s = transfer_say(transfer, REMOTE_SAY_OBJECT, buf_bytes(&packet));
    buf_done(&packet);
    return s;
}

Status transfer_hear(Transfer *transfer, RemoteSay *out_kind, Bytes *out)
{
    ssize_t n;
    do
        n = recv(transfer->fd, transfer->packet, sizeof(transfer->packet), 0);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return STATUS(CANCELLED);
    *out_kind = (RemoteSay)transfer->packet[0];
    *out = bytes(transfer->packet + 1, (size_t)n - 1);
    return OK;
}

Status transfer_hear_all(Transfer *transfer, size_t size, Buf *out)
{
    buf_reserve(out, size);
    while (out->size < size) {
        RemoteSay kind;
        Bytes data;
        TRY(transfer_hear(transfer, &kind, &data));
        if (kind != REMOTE_SAY_DATA)
            return FAIL(transfer->ctx, INVALID_ARGUMENT,
                        "error writing to \"%s\": less was sent than its size", transfer->shown);
        buf_add_bytes(out, data);
    }
    return OK;
}

bool transfer_gone(const Transfer *transfer)
{
    struct pollfd socket = { .fd = transfer->fd };
    return poll(&socket, 1, 0) > 0 && (socket.revents & (POLLHUP | POLLERR));
}

/* --- what is to be done ----------------------------------------------------------------------- */

static const PlaceOps *const places[] = {
    [REMOTE_HTTP] = &place_http, [REMOTE_S3] = &place_s3,       [REMOTE_GS] = &place_s3,
    [REMOTE_MINIO] = &place_s3,  [REMOTE_AZURE] = &place_azure, [REMOTE_FILE] = &place_file,
};

static const struct {
    const char *name, *words;
    size_t offset; /* of its function */
} verbs[] = {
    { "get", "reading", offsetof(PlaceOps, get) },
    { "list", "listing", offsetof(PlaceOps, list) },
    { "put", "writing", offsetof(PlaceOps, put) },
    { "delete", "deleting", offsetof(PlaceOps, delete_) },
};

static Status run_at_place(Transfer *transfer, Str op)
{
    const PlaceOps *place = places[transfer->at.kind];
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (!str_eq_c(op, verbs[i].name))
            continue;
        Status (*run)(Transfer *);
        memcpy(&run, (const char *)place + verbs[i].offset, sizeof(run));
        return run ? run(transfer)
                   : FAIL(transfer->ctx, UNIMPLEMENTED, "%s is not possible for '%s://' URLs",
                          verbs[i].words, transfer->at.scheme);
    }
    return FAIL(transfer->ctx, INVALID_ARGUMENT, "transfer '" STR_FMT "' is not known",
                STR_ARG(op));
}

static int64_t number(const JsonValue *request, const char *name)
{
    int64_t value = 0;
    str_to_i64(json_text(json_get(request, name)), &value);
    return value;
}

/* The object that the URL, or a key in its place, names. */
static Status set_object(Transfer *transfer)
{
    Ctx *ctx = transfer->ctx;
    const JsonValue *key = json_get(transfer->request, "key");
    TRY(remote_url_parse(ctx, transfer->url, &transfer->at));
    if (transfer->at.kind == REMOTE_FILE && !json_get(transfer->request, "files")->boolean)
        return FAIL(ctx, UNIMPLEMENTED, "files are not enabled");
    transfer->key = transfer->at.key;
    if (!json_is(key, JSON_STRING))
        return OK;
    transfer->key = str_z(ctx->arena, json_text(key));
    transfer->shown =
        text_printf(ctx->arena, "%s://%s%s%s/%s", transfer->at.scheme, transfer->at.host,
                    *transfer->at.host ? "/" : "", transfer->at.bucket, transfer->key);
    return OK;
}

static Status run(Transfer *transfer)
{
    const JsonValue *request = transfer->request;
    Str op = json_text(json_get(request, "op"));
    transfer->url = str_z(transfer->ctx->arena, json_text(json_get(request, "url")));
    transfer->shown = remote_url_shown(transfer->ctx, transfer->url);
    transfer->hosts = str_z(transfer->ctx->arena, json_text(json_get(request, "hosts")));
    transfer->tries = MAX(number(request, "tries"), 1);
    transfer->stall_ns = MAX(number(request, "stall_seconds"), 1) * NS_PER_SEC;
    transfer->offset = (uint64_t)number(request, "offset");
    transfer->size = (uint64_t)number(request, "size");
    if (str_eq_c(op, "load"))
        return sql_load(transfer);
    TRY(set_object(transfer));
    TRY(run_at_place(transfer, op));
    return transfer_say(transfer, REMOTE_SAY_DONE, str_bytes(STR("{}")));
}

static void say_failure(Transfer *transfer, Status s)
{
    Buf packet = { 0 };
    buf_add_u8(&packet, (uint8_t)s.code);
    buf_add_str(&packet, str(status_message(s)));
    s = transfer_say(transfer, REMOTE_SAY_FAIL, buf_bytes(&packet));
    (void)s; /* nobody is there to hear it */
    buf_done(&packet);
}

/* --- requests --------------------------------------------------------------------------------- */

typedef struct Order {
    int fd;
    Buf text;
} Order;

static void serve_order(void *arg)
{
    Order *order = arg;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Transfer *transfer = calloc(1, sizeof(*transfer));
    if (!transfer)
        abort();
    JsonValue *request;
    *transfer = (Transfer){ .ctx = &ctx, .fd = order->fd, .shown = "" };
    Status s = json_parse(&ctx, buf_str(&order->text), &request);
    transfer->request = request;
    if (status_ok(s))
        s = run(transfer);
    if (!status_ok(s))
        say_failure(transfer, s);
    close(order->fd);
    buf_done(&order->text);
    free(transfer);
    free(order);
}

/* The next request and the socket that came with it; NULL at the end. */
static Order *take_order(int control_fd, Buf *room)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } with = { 0 };
    Order *order = calloc(1, sizeof(*order));
    if (!order)
        abort();
    struct iovec piece = { room->data, REMOTE_PACKET_BYTES };
    struct msghdr message = { .msg_iov = &piece,
                              .msg_iovlen = 1,
                              .msg_control = with.room,
                              .msg_controllen = sizeof(with.room) };
    ssize_t n;
    do
        n = recvmsg(control_fd, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (n > 0 && head && head->cmsg_type == SCM_RIGHTS) {
        memcpy(&order->fd, CMSG_DATA(head), sizeof(order->fd));
        buf_add(&order->text, room->data, (size_t)n);
        return order;
    }
    free(order);
    return NULL;
}

/* No thread is to be had: the server is told, on the transfer's own socket. */
static void refuse(Order *order)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Transfer *transfer = calloc(1, sizeof(*transfer));
    if (!transfer)
        abort();
    *transfer = (Transfer){ .ctx = &ctx, .fd = order->fd, .shown = "" };
    say_failure(transfer, FAIL(&ctx, RESOURCE_EXHAUSTED,
                               "this machine cannot run so many transfers at once"));
    free(transfer);
    close(order->fd);
    buf_done(&order->text);
    free(order);
}

void courier_serve(int control_fd)
{
    CLEANUP(buf_done) Buf room = { 0 };
    buf_reserve(&room, REMOTE_PACKET_BYTES);
    Pool *pool = pool_new("transfer", THREADS_MAX);
    for (Order *order; (order = take_order(control_fd, &room));) {
        Status s = pool_run(pool, serve_order, order);
        if (!status_ok(s))
            refuse(order);
    }
    _exit(0);
}
