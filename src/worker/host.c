/* host.c - see host.h. */
#include "worker/host.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

#define HOST_PFS         "/pfs"
#define ROOT_ENTRIES_MAX 1024 /* each becomes a mount */
#define DEVICES_MAX      64

/* What a host keeps for root's eyes only; user code in a host's root may be root in name. */
static const char *const secret_paths[] = {
    "/etc/shadow",          "/etc/shadow-",     "/etc/gshadow",    "/etc/gshadow-",
    "/etc/ssl/private",     "/etc/krb5.keytab", "/etc/kubernetes", "/root/.ssh",
    "/root/.aws",           "/root/.kube",      "/root/.docker",   "/root/.gnupg",
    "/root/.config/gcloud",
};

static void close_dirp(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static const char *link_target(Ctx *ctx, DIR *dir, const char *name)
{
    char target[PATH_MAX];
    ssize_t size = readlinkat(dirfd(dir), name, target, sizeof(target));
    return size < 0 ? NULL : arena_strndup(ctx->arena, target, (size_t)size);
}

static Status look_at_root(Ctx *ctx, const char *root, HostFacts *out)
{
    CLEANUP(close_dirp) DIR *dir = opendir(root);
    if (!dir)
        return status_errno(ctx, errno, "could not open root folder '%s'", root);
    HostEntry *entries = arena_must(ctx->arena, ROOT_ENTRIES_MAX * sizeof(*entries));
    size_t n = 0;
    for (struct dirent *entry; n < ROOT_ENTRIES_MAX && (entry = readdir(dir));) {
        if (is_dot(entry->d_name))
            continue;
        entries[n++] = (HostEntry){ arena_strdup(ctx->arena, entry->d_name),
                                    link_target(ctx, dir, entry->d_name) };
    }
    if (n == ROOT_ENTRIES_MAX)
        return FAIL(ctx, FAILED_PRECONDITION, "root folder '%s' has too many entries", root);
    out->entries = entries;
    out->entry_count = n;
    return OK;
}

static void look_at_devices(Ctx *ctx, HostFacts *out)
{
    CLEANUP(close_dirp) DIR *dir = opendir("/dev");
    size_t n = 0;
    const char **paths = arena_must(ctx->arena, DEVICES_MAX * sizeof(*paths));
    for (struct dirent *entry; dir && n < DEVICES_MAX && (entry = readdir(dir));) {
        if (str_starts(str(entry->d_name), STR("nvidia")))
            paths[n++] = text_printf(ctx->arena, "/dev/%s", entry->d_name);
    }
    out->devices = paths;
    out->device_count = n;
}

static const char *real_path(Ctx *ctx, const char *path)
{
    char real[PATH_MAX];
    return realpath(path, real) ? arena_strdup(ctx->arena, real) : "";
}

static void look_at_hidden(Ctx *ctx, const SandboxConfig *config, HostFacts *out)
{
    size_t n = 0, room = config->hidden_count + ARRAY_LEN(secret_paths) + 1;
    const char **hidden = arena_must(ctx->arena, room * sizeof(*hidden));
    hidden[n++] = config->slot_dir;
    for (size_t i = 0; i < config->hidden_count; i++)
        hidden[n++] = config->hidden[i];
    for (size_t i = 0; i < ARRAY_LEN(secret_paths); i++)
        hidden[n++] = secret_paths[i];
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const char *real = real_path(ctx, hidden[i]);
        if (*real)
            hidden[kept++] = real;
    }
    out->hidden = hidden;
    out->hidden_count = kept;
}

Status host_look(Ctx *ctx, const SandboxConfig *config, HostFacts *out)
{
    *out = (HostFacts){ .resolv_conf = real_path(ctx, "/etc/resolv.conf") };
    bool is_image = config->root_dir && *config->root_dir;
    TRY(look_at_root(ctx, is_image ? config->root_dir : "/", out));
    if (config->gpu)
        look_at_devices(ctx, out);
    look_at_hidden(ctx, config, out);
    return OK;
}

static const struct {
    const char *path, *value;
} user_namespace_settings[] = {
    { "/proc/sys/user/max_user_namespaces", "0" },
    { "/proc/sys/kernel/unprivileged_userns_clone", "0" },
    { "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1" },
};

const char *host_user_namespaces_off(Ctx *ctx)
{
    for (size_t i = 0; i < ARRAY_LEN(user_namespace_settings); i++) {
        const char *path = user_namespace_settings[i].path;
        CLEANUP(buf_done) Buf text = { 0 };
        if (!status_ok(file_read_path(ctx, path, &text)))
            continue;
        Str value = buf_str(&text);
        value = str_sub(value, 0, str_find(value, '\n'));
        if (str_eq_c(value, user_namespace_settings[i].value))
            return text_printf(ctx->arena, " (%s is %s)", path, user_namespace_settings[i].value);
    }
    return "";
}

Status host_claim_pfs(Ctx *ctx, int *lock)
{
    if (*lock >= 0)
        return OK;
    if (mkdir(HOST_PFS, 0755) < 0 && errno != EEXIST)
        return FAIL(ctx, FAILED_PRECONDITION, "could not create folder '" HOST_PFS "': %s",
                    strerror(errno));
    AUTO_FD fd = open(HOST_PFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || faccessat(AT_FDCWD, HOST_PFS, W_OK, AT_EACCESS) < 0)
        return FAIL(ctx, FAILED_PRECONDITION, "could not write to folder '" HOST_PFS "': %s",
                    strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return FAIL(ctx, FAILED_PRECONDITION,
                    "folder '" HOST_PFS "' is in use by another worker of this machine");
    *lock = fd_steal(&fd);
    return OK;
}

/* Only links are removed: what else is in the folder is not ours. */
static Status remove_links(Ctx *ctx, int lock)
{
    int fd = openat(lock, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(close_dirp) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return status_errno(ctx, errno, "could not list folder '" HOST_PFS "'");
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_type == DT_LNK && unlinkat(lock, entry->d_name, 0) < 0)
            return status_errno(ctx, errno, "could not remove '" HOST_PFS "/%s'", entry->d_name);
    }
    return OK;
}

Status host_link_pfs(Ctx *ctx, int lock, const char *pfs_dir)
{
    TRY(remove_links(ctx, lock));
    CLEANUP(close_dirp) DIR *dir = opendir(pfs_dir);
    if (!dir)
        return status_errno(ctx, errno, "could not list folder '%s'", pfs_dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (is_dot(entry->d_name))
            continue;
        char target[PATH_MAX];
        snprintf(target, sizeof(target), "%s/%s", pfs_dir, entry->d_name);
        if (symlinkat(target, lock, entry->d_name) < 0)
            return status_errno(ctx, errno, "could not link '" HOST_PFS "/%s'", entry->d_name);
    }
    return OK;
}

void host_release_pfs(int *lock)
{
    if (*lock < 0)
        return;
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Status left = remove_links(&ctx, *lock); /* what stays is removed by who claims it next */
    (void)left;
    fd_closep(lock);
}
