/* hosts.c - which hosts may be reached: by default all but link-local addresses, behind which
 * clouds keep the credentials of their machines. */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>

#include "courier/courier_priv.h"

/* An address as 16 bytes, those of version 4 as IPv6 maps them. */
typedef struct Address {
    uint8_t bytes[16];
} Address;

static Address mapped(const void *v4)
{
    Address a = { { [10] = 0xff, [11] = 0xff } };
    memcpy(a.bytes + 12, v4, 4);
    return a;
}

static bool address_of(const struct sockaddr *from, Address *out)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (from->sa_family == AF_INET) {
        memcpy(&v4, from, sizeof(v4));
        *out = mapped(&v4.sin_addr);
        return true;
    }
    if (from->sa_family != AF_INET6)
        return false;
    memcpy(&v6, from, sizeof(v6));
    memcpy(out->bytes, &v6.sin6_addr, sizeof(out->bytes));
    return true;
}

/* "10.0.0.0/8", "::1": false when it is no such thing. */
static bool range_of(Str text, Address *out, unsigned *out_bits)
{
    char address[64];
    size_t slash = str_find(text, '/');
    int64_t bits = -1;
    struct in_addr v4;
    snprintf(address, sizeof(address), STR_FMT, STR_ARG(str_sub(text, 0, slash)));
    if (slash < text.size && (!str_to_i64(str_sub(text, slash + 1, text.size), &bits) || bits < 0))
        return false;
    if (inet_pton(AF_INET, address, &v4) == 1) {
        *out = mapped(&v4);
        *out_bits = (unsigned)(bits < 0 ? 128 : MIN(bits, 32) + 96);
        return true;
    }
    *out_bits = (unsigned)(bits < 0 ? 128 : MIN(bits, 128));
    return inet_pton(AF_INET6, address, out->bytes) == 1;
}

static bool in_range(const Address *a, const Address *range, unsigned bits)
{
    for (unsigned i = 0; i < bits; i++) {
        uint8_t mask = (uint8_t)(0x80 >> i % 8);
        if ((a->bytes[i / 8] ^ range->bytes[i / 8]) & mask)
            return false;
    }
    return true;
}

static bool name_matches(Str rule, const char *name)
{
    Str host = str(name);
    if (str_starts(rule, STR("*.")) && host.size > rule.size - 1) {
        rule = str_sub(rule, 1, rule.size);
        host = str_sub(host, host.size - rule.size, host.size);
    }
    return rule.size == host.size && strncasecmp(rule.data, host.data, rule.size) == 0;
}

static bool rule_matches(Str rule, const char *name, const Address *address)
{
    Address range;
    unsigned bits;
    if (str_eq_c(rule, "*"))
        return true;
    return range_of(rule, &range, &bits) ? in_range(address, &range, bits)
                                         : name_matches(rule, name);
}

static bool is_link_local(const Address *address)
{
    return rule_matches(STR("169.254.0.0/16"), "", address) ||
           rule_matches(STR("fe80::/10"), "", address) ||
           rule_matches(STR("fd00:ec2::254"), "", address);
}

bool host_allowed(const char *hosts, const char *name, const struct sockaddr *from)
{
    Address address;
    if (!address_of(from, &address))
        return false;
    if (!*hosts)
        return !is_link_local(&address);
    for (Str rest = str(hosts); rest.size;) {
        size_t end = str_find_any(rest, ", ");
        Str rule = str_sub(rest, 0, end);
        rest = str_sub(rest, end + 1, rest.size);
        if (rule.size && rule_matches(rule, name, &address))
            return true;
    }
    return false;
}

const char *host_text(Ctx *ctx, const struct sockaddr *address)
{
    char text[NI_MAXHOST] = "?";
    socklen_t size =
        address->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    getnameinfo(address, size, text, sizeof(text), NULL, 0, NI_NUMERICHOST);
    return arena_strdup(ctx->arena, text);
}

Status host_resolve(Ctx *ctx, const char *hosts, const char *name, const char **out_address)
{
    struct addrinfo *all = NULL;
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    int error = getaddrinfo(name, NULL, &hints, &all);
    if (error)
        return FAIL(ctx, UNAVAILABLE, "could not resolve host '%s': %s", name, gai_strerror(error));
    const char *refused = "", *found = NULL;
    for (const struct addrinfo *at = all; at && !found; at = at->ai_next) {
        if (host_allowed(hosts, name, at->ai_addr))
            found = host_text(ctx, at->ai_addr);
        else
            refused = host_text(ctx, at->ai_addr);
    }
    freeaddrinfo(all);
    *out_address = found;
    return found ? OK
                 : FAIL(ctx, PERMISSION_DENIED, "address %s may not be reached from this server",
                        refused);
}
