/* address.c - see address_priv.h. */
#include "wire/address_priv.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#define LISTEN_BACKLOG 1024
/* A peer that does not acknowledge for this long is gone. */
#define PEER_SILENT_SECONDS 60

typedef struct Place {
    const char *unix_path; /* or NULL: */
    const char *host;      /* "" is any */
    const char *port;
} Place;

static bool is_unix(const char *text)
{
    return str_starts(str(text), STR("unix:"));
}

const char *address_authority(const char *text)
{
    static const char *const schemes[] = { "grpc://", "http://" };
    if (is_unix(text))
        return "localhost";
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (str_starts(str(text), str(schemes[i])))
            return text + strlen(schemes[i]);
    }
    return text;
}

static Status parse_unix(Ctx *ctx, const char *text, Place *out)
{
    const char *path = text + strlen("unix:");
    out->unix_path = strncmp(path, "//", 2) == 0 ? path + 2 : path;
    if (!*out->unix_path || strlen(out->unix_path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return FAIL(ctx, INVALID_ARGUMENT, "address '%s' has no path that fits a unix socket",
                    text);
    return OK;
}

static Status parse(Ctx *ctx, const char *text, Place *out)
{
    *out = (Place){ 0 };
    if (is_unix(text))
        return parse_unix(ctx, text, out);
    Str rest = str(address_authority(text));
    const char *colon = memrchr(rest.data, ':', rest.size);
    if (!colon || !colon[1] || (rest.data[0] != '[' && memchr(rest.data, ':', rest.size) != colon))
        return FAIL(ctx, INVALID_ARGUMENT,
                    "address '%s' is not HOST:PORT, [IPV6]:PORT or unix:PATH", text);
    Str host = str_sub(rest, 0, (size_t)(colon - rest.data));
    if (str_starts(host, STR("[")) && str_ends(host, STR("]")))
        host = str_sub(host, 1, host.size - 1);
    out->host = str_z(ctx->arena, host);
    out->port = colon + 1;
    return OK;
}

static void free_infop(struct addrinfo **infos)
{
    if (*infos)
        freeaddrinfo(*infos);
}

static Status resolve(Ctx *ctx, const Place *place, const char *text, int flags,
                      struct addrinfo **out)
{
    struct addrinfo hints = { .ai_flags = flags,
                              .ai_family = AF_UNSPEC,
                              .ai_socktype = SOCK_STREAM };
    int error = getaddrinfo(*place->host ? place->host : NULL, place->port, &hints, out);
    if (error)
        return FAIL(ctx, UNAVAILABLE, "could not resolve address '%s': %s", text,
                    gai_strerror(error));
    return OK;
}

static struct sockaddr_un unix_address(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    memcpy(address.sun_path, path, strlen(path) + 1);
    return address;
}

static int open_socket(int family)
{
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* --- listening ------------------------------------------------------------------------------- */

static bool nobody_listens(const struct sockaddr_un *address)
{
    AUTO_FD fd = open_socket(AF_UNIX);
    return connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
           errno == ECONNREFUSED;
}

static Status listen_unix(Ctx *ctx, const char *path, int *out_fd)
{
    struct sockaddr_un address = unix_address(path);
    struct stat found;
    if (lstat(path, &found) == 0 && S_ISSOCK(found.st_mode) && nobody_listens(&address))
        unlink(path);
    AUTO_FD fd = open_socket(AF_UNIX);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, LISTEN_BACKLOG) != 0)
        return status_errno(ctx, errno, "could not listen on 'unix:%s'", path);
    *out_fd = fd_steal(&fd);
    return OK;
}

static int listen_one(const struct addrinfo *info)
{
    AUTO_FD fd = open_socket(info->ai_family);
    int on = 1, off = 0;
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, LISTEN_BACKLOG) != 0)
        return -1;
    return fd_steal(&fd);
}

static void print_address(const struct sockaddr *address, socklen_t size, char out[ADDRESS_SIZE])
{
    char host[64], port[8];
    if (address->sa_family == AF_UNIX ||
        getnameinfo(address, size, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        snprintf(out, ADDRESS_SIZE, "unix");
    else
        snprintf(out, ADDRESS_SIZE, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static void print_bound(int fd, char out[ADDRESS_SIZE])
{
    struct sockaddr_storage bound = { 0 };
    socklen_t size = sizeof(bound);
    getsockname(fd, (struct sockaddr *)&bound, &size);
    print_address((struct sockaddr *)&bound, size, out);
}

Status address_listen(Ctx *ctx, const char *text, int *out_fd, char out_bound[ADDRESS_SIZE])
{
    Place place;
    TRY(parse(ctx, text, &place));
    if (place.unix_path) {
        TRY(listen_unix(ctx, place.unix_path, out_fd));
        snprintf(out_bound, ADDRESS_SIZE, "unix:%s", place.unix_path);
        return OK;
    }
    CLEANUP(free_infop) struct addrinfo *infos = NULL;
    TRY(resolve(ctx, &place, text, AI_PASSIVE, &infos));
    int fd = -1;
    for (const struct addrinfo *info = infos; info && fd < 0; info = info->ai_next)
        fd = listen_one(info);
    if (fd < 0)
        return status_errno(ctx, errno, "could not listen on '%s'", text);
    print_bound(fd, out_bound);
    *out_fd = fd;
    return OK;
}

void address_of_peer(int fd, char out[ADDRESS_SIZE])
{
    struct sockaddr_storage peer = { .ss_family = AF_UNIX };
    socklen_t size = sizeof(peer);
    getpeername(fd, (struct sockaddr *)&peer, &size);
    print_address((struct sockaddr *)&peer, size, out);
}

void address_tune(int fd)
{
    /* On a unix socket these fail, and are not needed. */
    static const struct {
        int level, name, value;
    } options[] = {
        { IPPROTO_TCP, TCP_NODELAY, 1 },
        { SOL_SOCKET, SO_KEEPALIVE, 1 },
        { IPPROTO_TCP, TCP_KEEPIDLE, PEER_SILENT_SECONDS },
        { IPPROTO_TCP, TCP_KEEPINTVL, PEER_SILENT_SECONDS / 4 },
        { IPPROTO_TCP, TCP_USER_TIMEOUT, PEER_SILENT_SECONDS * 1000 },
    };
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                   sizeof(options[i].value));
}

/* --- connecting ------------------------------------------------------------------------------ */

/* Waits until the socket is connected; the errno if it is not. */
static Status wait_connected(Ctx *ctx, int fd, int *out_error)
{
    struct pollfd one = { .fd = fd, .events = POLLOUT };
    for (;;) {
        TRY(ctx_check(ctx));
        int64_t left_ms = ctx->deadline_ns == DEADLINE_NONE
                              ? -1
                              : (ctx->deadline_ns - clock_mono_ns()) / NS_PER_MS + 1;
        if (poll(&one, 1, (int)MIN(left_ms, INT32_MAX)) > 0)
            break;
    }
    socklen_t size = sizeof(*out_error);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, out_error, &size);
    return OK;
}

static Status connect_one(Ctx *ctx, const struct sockaddr *address, socklen_t size, int *out_fd,
                          int *out_error)
{
    AUTO_FD fd = open_socket(address->sa_family);
    *out_error = 0;
    if (fd < 0 || connect(fd, address, size) != 0)
        *out_error = errno;
    if (*out_error == EINPROGRESS)
        TRY(wait_connected(ctx, fd, out_error));
    if (!*out_error)
        *out_fd = fd_steal(&fd);
    return OK;
}

static Status nobody_answers(Ctx *ctx, const char *text, int error)
{
    char reason[128];
    return FAIL(ctx, UNAVAILABLE, "could not connect to '%s': %s", text,
                strerror_r(error, reason, sizeof(reason)));
}

Status address_connect(Ctx *ctx, const char *text, int *out_fd)
{
    Place place;
    int error = 0;
    *out_fd = -1;
    TRY(parse(ctx, text, &place));
    if (place.unix_path) {
        struct sockaddr_un address = unix_address(place.unix_path);
        TRY(connect_one(ctx, (struct sockaddr *)&address, sizeof(address), out_fd, &error));
        return error ? nobody_answers(ctx, text, error) : OK;
    }
    CLEANUP(free_infop) struct addrinfo *infos = NULL;
    TRY(resolve(ctx, &place, text, 0, &infos));
    for (const struct addrinfo *info = infos; info && *out_fd < 0; info = info->ai_next)
        TRY_WRAP(ctx, connect_one(ctx, info->ai_addr, info->ai_addrlen, out_fd, &error),
                 "could not connect to '%s'", text);
    return *out_fd < 0 ? nobody_answers(ctx, text, error) : OK;
}
