/* plan.c - see plan.h. */
#include "worker/plan.h"

#include <sched.h>
#include <sys/resource.h>

#include "base/text.h"

/* Entries of the root folder that are not brought in as they are: each is made anew, or has no
 * place inside. */
static const char *const own_entries[] = {
    "proc", "dev", "sys", "run", "tmp", "pfs", "lost+found"
};

static const char *const devices[] = { "null", "zero", "full", "random", "urandom", "tty" };

static const struct {
    const char *path, *target;
} device_links[] = {
    { "/dev/fd", "/proc/self/fd" },       { "/dev/stdin", "/proc/self/fd/0" },
    { "/dev/stdout", "/proc/self/fd/1" }, { "/dev/stderr", "/proc/self/fd/2" },
    { "/dev/ptmx", "pts/ptmx" },
};

#define DEV_BYTES     (64 * KiB) /* holds names only */
#define SECRETS_BYTES (4 * MiB)  /* Kubernetes allows 1 MiB a secret */

static bool is_own_entry(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(own_entries); i++) {
        if (strcmp(name, own_entries[i]) == 0)
            return true;
    }
    return false;
}

static void add_bind(StepList *out, const char *path, const char *source, unsigned flags)
{
    steps_add(out, (Step){ .op = STEP_BIND, .path = path, .source = source, .flags = flags });
}

static void add_symlink(StepList *out, const char *path, const char *target)
{
    steps_add(out, (Step){ .op = STEP_SYMLINK, .path = path, .source = target });
}

static void add_mkdir(StepList *out, const char *path)
{
    steps_add(out, (Step){ .op = STEP_MKDIR, .path = path, .number = 0755 });
}

static void add_tmpfs(StepList *out, const char *path, uint64_t size, uint64_t mode, unsigned flags)
{
    steps_add(
        out,
        (Step){ .op = STEP_TMPFS, .path = path, .number = size, .extra = mode, .flags = flags });
}

static void add_path(StepList *out, StepOp op, const char *path)
{
    steps_add(out, (Step){ .op = op, .path = path });
}

static bool is_image(const SandboxConfig *config)
{
    return config->root_dir && *config->root_dir;
}

static uint64_t own_namespaces(const PlanBase *base)
{
    uint64_t flags = CLONE_NEWNS;
    if (base->level == SANDBOX_USER)
        flags |= CLONE_NEWUSER;
    if (base->by_runtime)
        return flags;
    return flags | CLONE_NEWUTS | (base->config->no_network ? CLONE_NEWNET : 0);
}

/* A runtime wants to be root, if only of its own user namespace. */
static void add_namespaces(const PlanBase *base, StepList *out)
{
    const SandboxConfig *config = base->config;
    steps_add(out, (Step){ .op = STEP_UNSHARE, .number = own_namespaces(base) });
    if (base->level == SANDBOX_USER && base->by_runtime)
        steps_add(out, (Step){ .op = STEP_MAP_IDS });
    else if (base->level == SANDBOX_USER)
        steps_add(out, (Step){ .op = STEP_MAP_IDS, .number = config->uid, .extra = config->gid });
    if (config->no_network && !base->by_runtime)
        steps_add(out, (Step){ .op = STEP_LOOPBACK });
    if (config->hostname && !base->by_runtime)
        steps_add(out, (Step){ .op = STEP_HOSTNAME, .source = config->hostname });
    steps_add(out, (Step){ .op = STEP_PRIVATE });
}

char *plan_runtime_dir(Arena *arena, const SandboxConfig *config)
{
    return text_printf(arena, "%s/oci", config->slot_dir);
}

char *plan_root_dir(Arena *arena, const SandboxConfig *config)
{
    return text_printf(arena, "%s/root", config->slot_dir);
}

/* The runtime's folder is a tmpfs that only the keeper sees. crun refuses hosts with both layouts
 * of cgroups mounted; as limits are the keeper's business, it sees none. */
static void add_runtime_dir(const PlanBase *base, StepList *out)
{
    if (!base->by_runtime)
        return;
    add_path(out, STEP_MASK, "/sys/fs/cgroup/unified");
    add_tmpfs(out, plan_runtime_dir(out->arena, base->config), 0, 0700, 0);
}

/* The image's entries or the host's, each read-only with all that is mounted below it. */
static void add_root_entries(const SandboxConfig *config, const HostFacts *facts, StepList *out)
{
    const char *root = is_image(config) ? config->root_dir : "";
    for (size_t i = 0; i < facts->entry_count; i++) {
        const HostEntry *entry = &facts->entries[i];
        if (is_own_entry(entry->name))
            continue;
        const char *path = text_printf(out->arena, "/%s", entry->name);
        if (entry->target)
            add_symlink(out, path, entry->target);
        else
            add_bind(out, path, text_printf(out->arena, "%s%s", root, path),
                     STEP_RECURSIVE | STEP_RO);
    }
}

/* A process in a user namespace may mount a fresh /proc only while it can see a whole one. */
static void add_system_dirs(const PlanBase *base, StepList *out)
{
    if (base->level == SANDBOX_USER && !base->by_runtime)
        add_bind(out, "/proc", "/proc", STEP_RECURSIVE);
    else
        add_mkdir(out, "/proc");
    add_bind(out, "/sys", "/sys", STEP_RECURSIVE | STEP_RO | STEP_OPTIONAL);
    add_mkdir(out, "/run");
    /* Some runtimes give what they mount here the mode of what was here. */
    steps_add(out, (Step){ .op = STEP_MKDIR, .path = "/tmp", .number = 01777 });
}

static void add_devices(const SandboxConfig *config, const HostFacts *facts, StepList *out)
{
    add_tmpfs(out, "/dev", DEV_BYTES, 0755, 0);
    for (size_t i = 0; i < ARRAY_LEN(devices); i++) {
        const char *path = text_printf(out->arena, "/dev/%s", devices[i]);
        add_bind(out, path, path, STEP_DEVICES | STEP_OPTIONAL);
    }
    for (size_t i = 0; config->gpu && i < facts->device_count; i++)
        add_bind(out, facts->devices[i], facts->devices[i],
                 STEP_RECURSIVE | STEP_DEVICES | STEP_OPTIONAL);
    for (size_t i = 0; i < ARRAY_LEN(device_links); i++)
        add_symlink(out, device_links[i].path, device_links[i].target);
    add_mkdir(out, "/dev/shm");
    add_mkdir(out, "/dev/pts");
    steps_add(out, (Step){ .op = STEP_DEVPTS, .path = "/dev/pts", .flags = STEP_OPTIONAL });
    add_path(out, STEP_READ_ONLY, "/dev");
}

/* Names are resolved as the host resolves them, also where its file is below /run, which is not
 * brought in. */
static void add_name_resolution(const SandboxConfig *config, const HostFacts *facts, StepList *out)
{
    const char *real = facts->resolv_conf;
    if (is_image(config)) {
        add_bind(out, "/etc/hosts", "/etc/hosts", STEP_RO | STEP_OPTIONAL);
        if (*real)
            add_bind(out, "/etc/resolv.conf", real, STEP_RO | STEP_OPTIONAL);
    } else if (str_starts(str(real), STR("/run/"))) {
        add_bind(out, real, real, STEP_RO | STEP_OPTIONAL);
    }
}

/* Where the PATH of workers leads to (env.c). */
static void add_tool(const SandboxConfig *config, StepList *out)
{
    static const char *const names[] = { "/pach-bin/pcv", "/pach-bin/pachctl" };
    for (size_t i = 0; config->tool && i < ARRAY_LEN(names); i++)
        add_bind(out, names[i], config->tool, STEP_RO | STEP_OPTIONAL);
}

static const char *parent_of(Arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash != path ? arena_strndup(arena, path, (size_t)(slash - path)) : "/";
}

static bool has_tmpfs_since(const StepList *list, size_t first, const char *path)
{
    for (size_t i = list->count; i-- > first;) {
        if (list->steps[i].op == STEP_TMPFS && strcmp(list->steps[i].path, path) == 0)
            return true;
    }
    return false;
}

/* What each run has anew. */
static const char *const fresh_dirs[] = { "/tmp", "/var/tmp", "/dev/shm" };

static bool is_below_fresh(const char *path)
{
    for (size_t i = 0; i < ARRAY_LEN(fresh_dirs); i++) {
        size_t size = strlen(fresh_dirs[i]);
        if (strncmp(path, fresh_dirs[i], size) == 0 && path[size] == '/')
            return true;
    }
    return false;
}

/* Each folder that gets files shows only those, as a mounted secret does. Those below a folder that
 * each run has anew are placed by each run (fresh), or they would lie hidden under it. */
static void add_files(const SandboxConfig *config, bool fresh, StepList *out)
{
    size_t first = out->count;
    for (size_t i = 0; i < config->file_count; i++) {
        const SandboxFile *file = &config->files[i];
        const char *dir = parent_of(out->arena, file->path);
        if (is_below_fresh(file->path) != fresh)
            continue;
        if (!has_tmpfs_since(out, first, dir))
            add_tmpfs(out, dir, SECRETS_BYTES, 0755, 0);
        steps_add(out, (Step){ .op = STEP_FILE, .path = file->path, .data = file->content });
    }
    size_t end = out->count;
    for (size_t i = first; i < end; i++) {
        if (out->steps[i].op == STEP_TMPFS)
            add_path(out, STEP_READ_ONLY, out->steps[i].path);
    }
}

void plan_template(const PlanBase *base, const HostFacts *facts, StepList *out)
{
    if (base->level == SANDBOX_NONE)
        return;
    const SandboxConfig *config = base->config;
    add_namespaces(base, out);
    add_runtime_dir(base, out);
    add_path(out, STEP_ROOT, plan_root_dir(out->arena, config));
    add_root_entries(config, facts, out);
    add_system_dirs(base, out);
    if (base->by_runtime)
        add_mkdir(out, "/dev");
    else
        add_devices(config, facts, out);
    add_name_resolution(config, facts, out);
    add_tool(config, out);
    for (size_t i = 0; !is_image(config) && i < facts->hidden_count; i++)
        add_path(out, STEP_MASK, facts->hidden[i]);
    add_bind(out, "/pfs", text_printf(out->arena, "%s/pfs", config->slot_dir), STEP_RO);
    add_files(config, false, out);
    add_path(out, STEP_READ_ONLY, "/");
    if (!base->by_runtime)
        steps_add(out, (Step){ .op = STEP_PIVOT });
}

/* In the runtime's user namespace there is root only: another user needs one of its own. */
static void add_own_ids(const SandboxConfig *config, StepList *out)
{
    if (!config->uid && !config->gid)
        return;
    steps_add(out, (Step){ .op = STEP_UNSHARE, .number = CLONE_NEWUSER });
    steps_add(out, (Step){ .op = STEP_MAP_IDS, .number = config->uid, .extra = config->gid });
}

static void add_fresh_mounts(const PlanBase *base, StepList *out)
{
    uint64_t tmp_bytes = base->config->limits.tmp_bytes;
    add_path(out, STEP_PROC, "/proc");
    for (size_t i = 0; i < ARRAY_LEN(fresh_dirs); i++) /* an image may have no /var */
        add_tmpfs(out, fresh_dirs[i], tmp_bytes, 01777, i == 1 ? STEP_OPTIONAL : 0);
    add_files(base->config, true, out);
}

/* What else pid 1 does in its namespaces. */
static void add_run_mounts(const PlanBase *base, bool no_out, StepList *out)
{
    if (base->level == SANDBOX_NONE)
        return;
    if (base->by_runtime)
        add_fresh_mounts(base, out);
    if (!no_out)
        add_bind(out, "/pfs/out", "/pfs/out", 0);
    if (base->by_runtime && base->level == SANDBOX_USER)
        add_own_ids(base->config, out);
}

static void add_rlimit(StepList *out, uint64_t resource, uint64_t value)
{
    steps_add(out, (Step){ .op = STEP_RLIMIT, .number = resource, .extra = value });
}

static void add_rlimits(const PlanBase *base, StepList *out)
{
    const SandboxLimits *limits = &base->config->limits;
    add_rlimit(out, RLIMIT_CORE, 0);
    if (limits->file_bytes)
        add_rlimit(out, RLIMIT_FSIZE, limits->file_bytes);
    if (limits->pids && !base->pids_elsewhere)
        add_rlimit(out, RLIMIT_NPROC, limits->pids);
    if (limits->memory_bytes && !base->memory_elsewhere)
        add_rlimit(out, RLIMIT_AS, limits->memory_bytes);
}

/* What turns a child of pid 1 into a process that may do no harm. In a user namespace the ids are
 * mapped already. */
static void add_confinement(const PlanBase *base, StepList *out)
{
    const SandboxConfig *config = base->config;
    if (base->privileged || base->level == SANDBOX_USER)
        steps_add(out, (Step){ .op = STEP_NO_BOUND });
    if (base->privileged && base->level != SANDBOX_USER)
        steps_add(out, (Step){ .op = STEP_IDS, .number = config->uid, .extra = config->gid });
    steps_add(out, (Step){ .op = STEP_NO_CAPS });
    if (base->seccomp.size)
        steps_add(out, (Step){ .op = STEP_SECCOMP, .data = base->seccomp });
}

void plan_fresh(const PlanBase *base, StepList *out)
{
    if (base->by_runtime)
        return;
    if (base->level != SANDBOX_NONE)
        add_fresh_mounts(base, out);
    steps_add(out, (Step){ .op = STEP_FORK });
    add_confinement(base, out);
}

/* The limits come with the run: under them there may be no memory for its plan. */
static void add_process(const PlanBase *base, bool terminal, StepList *out)
{
    steps_add(out, (Step){ .op = STEP_FORK });
    steps_add(out, (Step){ .op = STEP_SESSION, .number = terminal });
    add_rlimits(base, out);
    if (base->by_runtime)
        add_confinement(base, out);
}

void plan_run(const PlanBase *base, const SandboxRun *run, StepList *out)
{
    if (run->hostname && base->level != SANDBOX_NONE && !base->by_runtime)
        steps_add(out, (Step){ .op = STEP_HOSTNAME, .source = run->hostname });
    add_run_mounts(base, run->no_out, out);
    if (run->door && base->level != SANDBOX_NONE)
        steps_add(out, (Step){ .op = STEP_DOOR });
    add_process(base, run->terminal, out);
    for (const char *const *env = run->env; *env; env++)
        steps_add(out, (Step){ .op = STEP_ENV, .source = *env });
    for (const char *const *arg = run->argv; *arg; arg++)
        steps_add(out, (Step){ .op = STEP_ARG, .source = *arg });
    add_path(out, STEP_EXEC, run->cwd && *run->cwd ? run->cwd : "/");
}

void plan_resolve(const PlanBase *base, const char *const *paths, size_t n, StepList *out)
{
    add_run_mounts(base, true, out);
    add_process(base, false, out);
    for (size_t i = 0; i < n; i++)
        add_path(out, STEP_RESOLVE, paths[i]);
}
