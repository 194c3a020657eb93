/* cgroup.c - see cgroup.h. */
#include "worker/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

#define OWN_PROCESSES 2 /* the keeper and pid 1 count too */
#define CPU_PERIOD_US 100000
#define NAME_PREFIX   "procavia-" /* then the worker's pid and a number */

static const char *const controller_names[CGROUP_CONTROLLER_COUNT] = {
    [CGROUP_MEMORY] = "memory",
    [CGROUP_PIDS] = "pids",
    [CGROUP_CPU] = "cpu",
};

struct Cgroup {
    char *dirs[CGROUP_CONTROLLER_COUNT]; /* on the heap; NULL when the controller cannot be had */
    bool v2[CGROUP_CONTROLLER_COUNT];
};

static bool list_has(Str list, const char *item)
{
    while (list.size) {
        if (str_eq_c(str_cut(&list, ','), item))
            return true;
    }
    return false;
}

/* Our own path in a hierarchy, from lines "4:memory:/a/b"; v2's line is "0::/a/b". */
static bool own_path(Str self_cgroup, const char *controller, Str *out)
{
    while (self_cgroup.size) {
        Str line = str_cut(&self_cgroup, '\n');
        Str id = str_cut(&line, ':'), names = str_cut(&line, ':');
        if (controller ? list_has(names, controller) : str_eq_c(id, "0") && names.size == 0) {
            *out = line;
            return true;
        }
    }
    return false;
}

typedef struct CgroupMount {
    Str root, point;
} CgroupMount;

/* "36 35 98:0 /root /point options [tags] - type source super_options" */
static bool parse_mount(Str line, const char *controller, CgroupMount *out)
{
    for (int i = 0; i < 3; i++)
        str_cut(&line, ' ');
    out->root = str_cut(&line, ' ');
    out->point = str_cut(&line, ' ');
    while (line.size && !str_eq_c(str_cut(&line, ' '), "-"))
        ;
    Str type = str_cut(&line, ' ');
    str_cut(&line, ' ');
    return controller ? str_eq_c(type, "cgroup") && list_has(line, controller)
                      : str_eq_c(type, "cgroup2");
}

static const char *find_in(Ctx *ctx, Str self_cgroup, Str mountinfo, const char *controller)
{
    Str path;
    if (!own_path(self_cgroup, controller, &path))
        return "";
    while (mountinfo.size) {
        CgroupMount mount;
        if (!parse_mount(str_cut(&mountinfo, '\n'), controller, &mount))
            continue;
        Str below = str_eq_c(mount.root, "/")      ? path
                    : str_starts(path, mount.root) ? str_sub(path, mount.root.size, path.size)
                                                   : STR("");
        if (str_eq_c(below, "/"))
            below = STR("");
        return text_printf(ctx->arena, STR_FMT STR_FMT, STR_ARG(mount.point), STR_ARG(below));
    }
    return "";
}

const char *cgroup_find(Ctx *ctx, Str self_cgroup, Str mountinfo, const char *controller,
                        bool *out_v2)
{
    *out_v2 = false;
    const char *dir = find_in(ctx, self_cgroup, mountinfo, controller);
    if (*dir)
        return dir;
    *out_v2 = true;
    return find_in(ctx, self_cgroup, mountinfo, NULL);
}

/* One write, as these files want it. 0 or an errno. */
static int write_setting(const char *dir, const char *name, const char *value)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    return write(fd, value, strlen(value)) < 0 ? errno : 0;
}

static int write_number(const char *dir, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    return write_setting(dir, name, text);
}

static int set_memory(const char *dir, bool v2, const SandboxLimits *limits)
{
    int error =
        write_number(dir, v2 ? "memory.max" : "memory.limit_in_bytes", limits->memory_bytes);
    if (error)
        return error;
    if (v2) /* hosts without swap accounting have neither file */
        write_number(dir, "memory.swap.max", 0);
    else
        write_number(dir, "memory.memsw.limit_in_bytes", limits->memory_bytes);
    return 0;
}

static int set_pids(const char *dir, bool v2, const SandboxLimits *limits)
{
    (void)v2;
    return write_number(dir, "pids.max", limits->pids + OWN_PROCESSES);
}

static int set_cpu(const char *dir, bool v2, const SandboxLimits *limits)
{
    uint64_t quota = MAX(limits->cpu_millis * CPU_PERIOD_US / 1000, 1000); /* the kernel's least */
    char both[64];
    snprintf(both, sizeof(both), "%llu %d", (unsigned long long)quota, CPU_PERIOD_US);
    if (v2)
        return write_setting(dir, "cpu.max", both);
    int error = write_number(dir, "cpu.cfs_period_us", CPU_PERIOD_US);
    return error ? error : write_number(dir, "cpu.cfs_quota_us", quota);
}

static int (*const setters[CGROUP_CONTROLLER_COUNT])(const char *, bool, const SandboxLimits *) = {
    [CGROUP_MEMORY] = set_memory,
    [CGROUP_PIDS] = set_pids,
    [CGROUP_CPU] = set_cpu,
};

static bool is_wanted(const SandboxLimits *limits, CgroupController controller)
{
    const uint64_t values[] = { limits->memory_bytes, limits->pids, limits->cpu_millis };
    return values[controller] != 0;
}

/* In v2 the controllers share one folder. */
static bool is_in_use(const Cgroup *cgroup, const char *path)
{
    for (CgroupController c = 0; c < CGROUP_CONTROLLER_COUNT; c++) {
        if (cgroup->dirs[c] && strcmp(cgroup->dirs[c], path) == 0)
            return true;
    }
    return false;
}

/* A folder below ours for this controller, limits set. 0 or an errno. */
static int make_dir(Cgroup *cgroup, CgroupController controller, const char *parent,
                    const char *name, const SandboxLimits *limits)
{
    char path[PATH_MAX], enable[32];
    if (snprintf(path, sizeof(path), "%s/%s", parent, name) >= (int)sizeof(path))
        return ENAMETOOLONG;
    bool v2 = cgroup->v2[controller];
    if (v2) { /* fails where it is on already, or where processes are in the way: the setter then
                 tells */
        snprintf(enable, sizeof(enable), "+%s", controller_names[controller]);
        write_setting(parent, "cgroup.subtree_control", enable);
    }
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return errno;
    int error = setters[controller](path, v2, limits);
    if (!error)
        cgroup->dirs[controller] = strdup(path);
    else if (!is_in_use(cgroup, path))
        rmdir(path);
    return error;
}

static void make_controller(Ctx *ctx, Cgroup *cgroup, CgroupController controller,
                            const Buf files[2], const char *name, const SandboxLimits *limits,
                            Buf *warnings)
{
    const char *wanted = controller_names[controller];
    const char *parent =
        cgroup_find(ctx, buf_str(&files[0]), buf_str(&files[1]), wanted, &cgroup->v2[controller]);
    int error = *parent ? make_dir(cgroup, controller, parent, name, limits) : ENOENT;
    bool rlimit_serves = controller == CGROUP_PIDS && geteuid() != 0;
    if (error && !rlimit_serves)
        buf_printf(warnings, "no writable cgroup for the %s limit: %s\n", wanted, strerror(error));
}

Cgroup *cgroup_new(Ctx *ctx, const SandboxLimits *limits, Buf *warnings)
{
    static _Atomic unsigned counter; /* names must differ within a process */
    char name[64];
    snprintf(name, sizeof(name), NAME_PREFIX "%d-%u", (int)getpid(), atomic_fetch_add(&counter, 1));
    Cgroup *cgroup = calloc(1, sizeof(*cgroup));
    if (!cgroup)
        abort();

    Buf files[2] = { 0 };
    Status read = file_read_path(ctx, "/proc/self/cgroup", &files[0]);
    if (status_ok(read))
        read = file_read_path(ctx, "/proc/self/mountinfo", &files[1]);
    for (CgroupController c = 0; c < CGROUP_CONTROLLER_COUNT; c++) {
        if (is_wanted(limits, c))
            make_controller(ctx, cgroup, c, files, name, limits, warnings);
    }
    buf_done(&files[0]);
    buf_done(&files[1]);
    return cgroup;
}

/* The worker of a folder's name is gone. */
static bool is_stale(const char *name)
{
    Str rest = str(name);
    int64_t pid;
    if (!str_starts(rest, STR(NAME_PREFIX)))
        return false;
    rest = str_sub(rest, strlen(NAME_PREFIX), rest.size);
    return str_to_i64(str_cut(&rest, '-'), &pid) && pid > 0 && pid < INT32_MAX &&
           kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

/* A folder that still has processes stays, as rmdir refuses. */
static void sweep_dir(const char *path)
{
    DIR *dir = *path ? opendir(path) : NULL;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (is_stale(entry->d_name))
            unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
    }
    if (dir)
        closedir(dir);
}

void cgroup_sweep(Ctx *ctx)
{
    Buf files[2] = { 0 };
    if (status_ok(file_read_path(ctx, "/proc/self/cgroup", &files[0])) &&
        status_ok(file_read_path(ctx, "/proc/self/mountinfo", &files[1]))) {
        for (CgroupController c = 0; c < CGROUP_CONTROLLER_COUNT; c++) {
            bool v2;
            sweep_dir(
                cgroup_find(ctx, buf_str(&files[0]), buf_str(&files[1]), controller_names[c], &v2));
        }
    }
    buf_done(&files[0]);
    buf_done(&files[1]);
}

Cgroup *cgroup_free(Cgroup *cgroup)
{
    for (CgroupController c = 0; cgroup && c < CGROUP_CONTROLLER_COUNT; c++) {
        if (cgroup->dirs[c])
            rmdir(cgroup->dirs[c]);
        free(cgroup->dirs[c]);
    }
    free(cgroup);
    return NULL;
}

bool cgroup_holds(const Cgroup *cgroup, CgroupController controller)
{
    return cgroup && cgroup->dirs[controller];
}

int cgroup_adopt(const Cgroup *cgroup, pid_t pid)
{
    for (CgroupController c = 0; c < CGROUP_CONTROLLER_COUNT; c++) {
        int error = cgroup_holds(cgroup, c)
                        ? write_number(cgroup->dirs[c], "cgroup.procs", (uint64_t)pid)
                        : 0;
        if (error)
            return error;
    }
    return 0;
}

uint64_t cgroup_oom_kills(const Cgroup *cgroup)
{
    if (!cgroup_holds(cgroup, CGROUP_MEMORY))
        return 0;
    char path[PATH_MAX], text[512];
    snprintf(path, sizeof(path), "%s/%s", cgroup->dirs[CGROUP_MEMORY],
             cgroup->v2[CGROUP_MEMORY] ? "memory.events" : "memory.oom_control");
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text));
    for (Str all = { text, size > 0 ? (size_t)size : 0 }; all.size;) {
        Str line = str_cut(&all, '\n');
        int64_t kills;
        if (str_eq_c(str_cut(&line, ' '), "oom_kill") && str_to_i64(line, &kills))
            return (uint64_t)kills;
    }
    return 0;
}
