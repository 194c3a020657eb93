/* address.c - see address.h. */
#include "wire/address.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#define CONNECT_TIMEOUT_NS (30 * NS_PER_SEC)

typedef struct Parts {
    bool is_unix;
    char *host, *port; /* or the path in host */
} Parts;

static Str without_scheme(Str address)
{
    static const char *const schemes[] = { "grpc://", "http://", "tcp://" };
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (str_starts(address, str(schemes[i])))
            return str_sub(address, strlen(schemes[i]), address.size);
    }
    return address;
}

static Status parse(Ctx *ctx, const char *address, Parts *out)
{
    Str rest = without_scheme(str(address));
    *out = (Parts){ 0 };
    if (str_starts(rest, STR("unix:"))) {
        out->is_unix = true;
        out->host = str_z(ctx->arena, str_sub(rest, 5, rest.size));
        return OK;
    }
    while (rest.size && rest.data[rest.size - 1] == '/')
        rest.size--;
    size_t close = rest.size && rest.data[0] == '[' ? str_find(rest, ']') : 0;
    size_t colon = close + str_find(str_sub(rest, close, rest.size), ':');
    bool bare_v6 = !close && colon < rest.size && str_find(str_sub(rest, colon + 1, rest.size), ':') + colon + 1 < rest.size;
    if (bare_v6)
        colon = rest.size;
    Str host = close ? str_sub(rest, 1, close) : str_sub(rest, 0, colon);
    Str port = str_sub(rest, colon + 1, rest.size);
    int64_t number = 0;
    if (port.size && (!str_to_i64(port, &number) || number < 0 || number > 65535))
        return FAIL(ctx, INVALID_ARGUMENT, "address '%s' has no valid port", address);
    if (!host.size && !port.size)
        return FAIL(ctx, INVALID_ARGUMENT, "address '%s' names no host", address);
    out->host = str_z(ctx->arena, host.size ? host : STR("127.0.0.1"));
    out->port = port.size ? str_z(ctx->arena, port) : arena_strdup(ctx->arena, ADDRESS_PORT_DEFAULT);
    return OK;
}

static Status unix_address(Ctx *ctx, const char *path, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof(out->sun_path))
        return FAIL(ctx, INVALID_ARGUMENT, "socket path '%s' is longer than %zu bytes", path, sizeof(out->sun_path) - 1);
    memcpy(out->sun_path, path, strlen(path) + 1);
    return OK;
}

static Status resolve(Ctx *ctx, const Parts *parts, bool passive, struct addrinfo **out)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = passive ? AI_PASSIVE : 0 };
    int error = getaddrinfo(parts->host, parts->port, &hints, out);
    if (error)
        return FAIL(ctx, UNAVAILABLE, "could not resolve '%s': %s", parts->host, gai_strerror(error));
    return OK;
}

static Status listen_unix(Ctx *ctx, const char *path, int *out_fd)
{
    struct sockaddr_un address;
    TRY(unix_address(ctx, path, &address));
    AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(path);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, SOMAXCONN) < 0)
        return status_errno(ctx, errno, "could not listen on 'unix:%s'", path);
    *out_fd = fd_steal(&fd);
    return OK;
}

static Status bind_one(Ctx *ctx, const struct addrinfo *info, const char *address, int *out_fd)
{
    AUTO_FD fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int yes = 1;
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (fd < 0 || bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0)
        return status_errno(ctx, errno, "could not listen on '%s'", address);
    *out_fd = fd_steal(&fd);
    return OK;
}

static char *bound_name(Ctx *ctx, int fd)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof(bound);
    char host[NI_MAXHOST], port[NI_MAXSERV];
    if (getsockname(fd, (struct sockaddr *)&bound, &size) < 0 ||
        getnameinfo((struct sockaddr *)&bound, size, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return arena_strdup(ctx->arena, "?");
    return text_printf(ctx->arena, bound.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

Status address_listen(Ctx *ctx, const char *address, int *out_fd, char **out_name)
{
    Parts parts;
    TRY(parse(ctx, address, &parts));
    if (parts.is_unix) {
        *out_name = text_printf(ctx->arena, "unix:%s", parts.host);
        return listen_unix(ctx, parts.host, out_fd);
    }
    struct addrinfo *infos;
    TRY(resolve(ctx, &parts, true, &infos));
    Status s = bind_one(ctx, infos, address, out_fd);
    freeaddrinfo(infos);
    TRY(s);
    *out_name = bound_name(ctx, *out_fd);
    return OK;
}

/* Waits for a non-blocking connect; 0 or an errno. */
static int finish_connect(int fd, int64_t deadline_ns)
{
    int64_t left_ns = deadline_ns - clock_mono_ns();
    struct pollfd wait = { .fd = fd, .events = POLLOUT };
    int ready = poll(&wait, 1, (int)MAX(left_ns / NS_PER_MS, INT64_C(0)));
    if (ready <= 0)
        return ready == 0 ? ETIMEDOUT : errno;
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return error;
}

static int connect_one(int family, const struct sockaddr *address, socklen_t size, int64_t deadline_ns, int *out_fd)
{
    AUTO_FD fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    int yes = 1;
    if (family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    int error = connect(fd, address, size) == 0 ? 0 : errno;
    if (error == EINPROGRESS)
        error = finish_connect(fd, deadline_ns);
    if (!error)
        *out_fd = fd_steal(&fd);
    return error;
}

Status address_connect(Ctx *ctx, const char *address, int *out_fd)
{
    Parts parts;
    TRY(parse(ctx, address, &parts));
    int64_t deadline_ns = MIN(ctx->deadline_ns, clock_mono_ns() + CONNECT_TIMEOUT_NS);
    int error = ECONNREFUSED;
    if (parts.is_unix) {
        struct sockaddr_un unix_sockaddr;
        TRY(unix_address(ctx, parts.host, &unix_sockaddr));
        error = connect_one(AF_UNIX, (const struct sockaddr *)&unix_sockaddr, sizeof(unix_sockaddr), deadline_ns, out_fd);
    } else {
        struct addrinfo *infos;
        TRY(resolve(ctx, &parts, false, &infos));
        for (const struct addrinfo *info = infos; info && error; info = info->ai_next)
            error = connect_one(info->ai_family, info->ai_addr, info->ai_addrlen, deadline_ns, out_fd);
        freeaddrinfo(infos);
    }
    if (!error)
        return OK;
    char reason[128];
    return FAIL(ctx, UNAVAILABLE, "could not connect to server at '%s': %s", address,
                strerror_r(error, reason, sizeof(reason)));
}
