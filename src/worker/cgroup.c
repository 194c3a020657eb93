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
#define SERVER_NAME   NAME_PREFIX "server"
#define KEEPER_NAME   "keeper"
#define RUN_NAME      "run"
#define UNIFIED_ROOT                                                                               \
    "/sys/fs/cgroup" /* where runtimes have v2's tree, if they take a host for v2 */

static const char *const controller_names[CGROUP_CONTROLLER_COUNT] = {
    [CGROUP_MEMORY] = "memory",
    [CGROUP_PIDS] = "pids",
    [CGROUP_CPU] = "cpu",
};

struct Cgroup {
    char *dirs[CGROUP_CONTROLLER_COUNT]; /* on the heap; NULL when the controller cannot be had */
    bool v2[CGROUP_CONTROLLER_COUNT];
    bool for_runtime;
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

const char *cgroup_find(Ctx *ctx, const CgroupPlace *place, const char *controller, bool *out_v2)
{
    *out_v2 = false;
    const char *dir = find_in(ctx, place->self_cgroup, place->mountinfo, controller);
    if (*dir)
        return dir;
    *out_v2 = true;
    dir = find_in(ctx, place->self_cgroup, place->mountinfo, NULL);
    Str base = str(dir);
    if (str_ends(base, STR("/" SERVER_NAME))) /* sandboxes go beside it */
        return arena_strndup(ctx->arena, dir, base.size - strlen("/" SERVER_NAME));
    return dir;
}

static Str read_text(Ctx *ctx, const char *path)
{
    CLEANUP(buf_done) Buf text = { 0 };
    if (!status_ok(file_read_path(ctx, path, &text)))
        return STR("");
    return str(str_z(ctx->arena, buf_str(&text)));
}

CgroupPlace cgroup_place(Ctx *ctx)
{
    return (CgroupPlace){ read_text(ctx, "/proc/self/cgroup"),
                          read_text(ctx, "/proc/self/mountinfo") };
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

/* With what a runtime left in it. One that still has processes stays, as rmdir refuses. */
static void remove_dir(int parent_fd, const char *name)
{
    AUTO_FD fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(dup(fd));
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            unlinkat(fd, entry->d_name, AT_REMOVEDIR);
    }
    if (dir)
        closedir(dir);
    unlinkat(parent_fd, name, AT_REMOVEDIR);
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
                            const CgroupPlace *place, const char *name, const SandboxLimits *limits,
                            Buf *warnings)
{
    const char *wanted = controller_names[controller];
    const char *parent = cgroup_find(ctx, place, wanted, &cgroup->v2[controller]);
    int error = *parent ? make_dir(cgroup, controller, parent, name, limits) : ENOENT;
    bool rlimit_serves = controller == CGROUP_PIDS && geteuid() != 0;
    if (error && !rlimit_serves)
        buf_printf(warnings, "no writable cgroup for the %s limit: %s\n", wanted, strerror(error));
}

/* In v2 a cgroup with processes cannot give controllers to a runtime's below it. */
static void make_keeper_dir(const Cgroup *cgroup)
{
    char path[PATH_MAX];
    for (CgroupController c = 0; c < CGROUP_CONTROLLER_COUNT; c++) {
        if (cgroup->for_runtime && cgroup->dirs[c] && cgroup->v2[c] &&
            snprintf(path, sizeof(path), "%s/" KEEPER_NAME, cgroup->dirs[c]) < (int)sizeof(path))
            mkdir(path, 0755);
    }
}

Cgroup *cgroup_new(Ctx *ctx, const CgroupPlace *place, const SandboxLimits *limits,
                   bool for_runtime, Buf *warnings)
{
    static _Atomic unsigned counter; /* names must differ within a process */
    char name[64];
    snprintf(name, sizeof(name), NAME_PREFIX "%d-%u", (int)getpid(), atomic_fetch_add(&counter, 1));
    Cgroup *cgroup = calloc(1, sizeof(*cgroup));
    if (!cgroup)
        abort();
    for (CgroupController c = 0; c < CGROUP_CONTROLLER_COUNT; c++) {
        if (is_wanted(limits, c))
            make_controller(ctx, cgroup, c, place, name, limits, warnings);
    }
    cgroup->for_runtime = for_runtime;
    make_keeper_dir(cgroup);
    return cgroup;
}

const char *cgroup_for_container(Ctx *ctx, const Cgroup *cgroup)
{
    Str root = STR(UNIFIED_ROOT "/");
    for (CgroupController c = 0; c < CGROUP_CONTROLLER_COUNT; c++) {
        if (cgroup->dirs[c] && cgroup->v2[c] && str_starts(str(cgroup->dirs[c]), root) &&
            access(UNIFIED_ROOT "/cgroup.controllers", F_OK) == 0)
            return text_printf(ctx->arena, "%s/" RUN_NAME, cgroup->dirs[c] + root.size - 1);
    }
    return "";
}

/* Of v2's own files: the root has no type. */
static bool is_root(Ctx *ctx, const char *dir)
{
    return access(text_printf(ctx->arena, "%s/cgroup.type", dir), F_OK) < 0;
}

static bool is_alone(Ctx *ctx, const char *dir)
{
    Str all = read_text(ctx, text_printf(ctx->arena, "%s/cgroup.procs", dir));
    int64_t pid;
    return str_to_i64(str_cut(&all, '\n'), &pid) && pid == getpid() && all.size == 0;
}

void cgroup_make_room(Ctx *ctx, const CgroupPlace *place)
{
    bool is_v2;
    const char *dir = cgroup_find(ctx, place, controller_names[CGROUP_MEMORY], &is_v2);
    if (!*dir || !is_v2 || is_root(ctx, dir) || !is_alone(ctx, dir))
        return;
    const char *below = text_printf(ctx->arena, "%s/" SERVER_NAME, dir);
    if (mkdir(below, 0755) == 0 || errno == EEXIST)
        write_number(below, "cgroup.procs", (uint64_t)getpid());
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

static void sweep_dir(const char *path)
{
    DIR *dir = *path ? opendir(path) : NULL;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (is_stale(entry->d_name))
            remove_dir(dirfd(dir), entry->d_name);
    }
    if (dir)
        closedir(dir);
}

void cgroup_sweep(Ctx *ctx, const CgroupPlace *place)
{
    for (CgroupController c = 0; c < CGROUP_CONTROLLER_COUNT; c++) {
        bool v2;
        sweep_dir(cgroup_find(ctx, place, controller_names[c], &v2));
    }
}

Cgroup *cgroup_free(Cgroup *cgroup)
{
    for (CgroupController c = 0; cgroup && c < CGROUP_CONTROLLER_COUNT; c++) {
        if (cgroup->dirs[c])
            remove_dir(AT_FDCWD, cgroup->dirs[c]);
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
        const char *file =
            cgroup->for_runtime && cgroup->v2[c] ? KEEPER_NAME "/cgroup.procs" : "cgroup.procs";
        int error =
            cgroup_holds(cgroup, c) ? write_number(cgroup->dirs[c], file, (uint64_t)pid) : 0;
        if (error)
            return error;
    }
    return 0;
}

/* The number in the line "oom_kill N" of a folder's file. */
static uint64_t kills_in(int dir_fd, const char *folder, const char *name)
{
    char path[PATH_MAX], text[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    AUTO_FD fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text));
    for (Str all = { text, size > 0 ? (size_t)size : 0 }; all.size;) {
        Str line = str_cut(&all, '\n');
        int64_t kills;
        if (str_eq_c(str_cut(&line, ' '), "oom_kill") && str_to_i64(line, &kills))
            return (uint64_t)kills;
    }
    return 0;
}

static uint64_t kills_below(const char *path, const char *name)
{
    DIR *dir = opendir(path);
    uint64_t kills = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            kills += kills_in(dirfd(dir), entry->d_name, name);
    }
    if (dir)
        closedir(dir);
    return kills;
}

uint64_t cgroup_oom_kills(const Cgroup *cgroup, bool below)
{
    if (!cgroup_holds(cgroup, CGROUP_MEMORY))
        return 0;
    bool v2 = cgroup->v2[CGROUP_MEMORY];
    const char *dir = cgroup->dirs[CGROUP_MEMORY];
    const char *name = v2 ? "memory.events" : "memory.oom_control";
    return kills_in(AT_FDCWD, dir, name) + (below && !v2 ? kills_below(dir, name) : 0);
}
