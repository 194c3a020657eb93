/* here.c - see here.h. */
#include "cmd/here.h"

#include <ctype.h>
#include <dirent.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/text.h"

/* --- its size --------------------------------------------------------------------------------- */

static uint64_t count_gpus(void)
{
    uint64_t count = 0;
    DIR *dir = opendir("/dev");
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        const char *number = entry->d_name + strlen("nvidia");
        count += str_starts(str(entry->d_name), STR("nvidia")) && isdigit((unsigned char)*number);
    }
    if (dir)
        closedir(dir);
    return count;
}

MachineSize here_size(const char *data)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES);
    long page_bytes = sysconf(_SC_PAGESIZE);
    struct statvfs fs;
    bool has_disk = statvfs(data, &fs) == 0;
    return (MachineSize){
        .cpu_millis = (uint64_t)MAX(processors, 1L) * 1000,
        .memory_bytes = pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : 0,
        .disk_bytes = has_disk ? (uint64_t)fs.f_blocks * fs.f_frsize : UINT64_MAX,
        .gpus = count_gpus(),
    };
}

/* --- its address ------------------------------------------------------------------------------ */

static bool is_any(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* An address of this machine that others may know; its loopback when there is none. */
static const char *own_address(Ctx *ctx)
{
    struct ifaddrs *all = NULL;
    const char *found = "127.0.0.1";
    char host[NI_MAXHOST];
    if (getifaddrs(&all) != 0)
        return found;
    for (const struct ifaddrs *one = all; one; one = one->ifa_next) {
        if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET ||
            (one->ifa_flags & (IFF_LOOPBACK | IFF_UP)) != IFF_UP ||
            getnameinfo(one->ifa_addr, sizeof(struct sockaddr_in), host, sizeof(host), NULL, 0,
                        NI_NUMERICHOST) != 0)
            continue;
        found = arena_strdup(ctx->arena, host);
        break;
    }
    freeifaddrs(all);
    return found;
}

ControlAddress here_address(Ctx *ctx, const char *bound)
{
    const char *colon = strrchr(bound, ':');
    int64_t port;
    if (str_starts(str(bound), STR("unix:")) || !colon || !str_to_i64(str(colon + 1), &port))
        return (ControlAddress){ "127.0.0.1", "127.0.0.1", "", 0 };
    Str host = { bound, (size_t)(colon - bound) };
    if (host.size >= 2 && host.data[0] == '[')
        host = str_sub(host, 1, host.size - 1);
    const char *listen = str_z(ctx->arena, host);
    const char *shown = is_any(listen) ? own_address(ctx) : listen;
    const char *local = is_any(listen)        ? "127.0.0.1"
                        : strchr(listen, ':') ? text_printf(ctx->arena, "[%s]", listen)
                                              : listen;
    return (ControlAddress){ listen, shown, local, (uint16_t)port };
}
