/* oci_bundle.c - a run's plan in the words of the OCI runtime specification; pure. */
#include <sched.h>

#include "base/text.h"
#include "codec/json.h"
#include "worker/oci.h"

/* What pcv-init needs to become someone else (the last one to map the runtime's root to another
 * id), and nothing more; user code has none of it. */
static const char *const init_capabilities[] = { "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP",
                                                 "CAP_KILL", "CAP_SETFCAP" };
/* What root could write to in a /proc that is not read-only as a whole. */
static const char *const proc_read_only[] = {
    "/proc/acpi", "/proc/asound", "/proc/bus",           "/proc/driver",   "/proc/fs",
    "/proc/irq",  "/proc/mtrr",   "/proc/latency_stats", "/proc/pressure", "/proc/scsi",
    "/proc/sys",  "/proc/tty",    "/proc/sysrq-trigger",
};
static const char *const capability_sets[] = { "bounding", "effective", "permitted", "inheritable",
                                               "ambient" };

typedef struct Bundle {
    Arena *arena;
    const OciConfig *config;
    JsonValue *mounts;
    bool maps_ids; /* pid 1 will, which takes a /proc that can be written to */
} Bundle;

static void put(Bundle *bundle, JsonValue *object, const char *name, JsonValue *value)
{
    json_set(bundle->arena, object, str(name), value);
}

static JsonValue *text(Bundle *bundle, const char *value)
{
    return json_string(bundle->arena, str(value));
}

/* options: "ro,nosuid" */
static JsonValue *list(Bundle *bundle, const char *options)
{
    JsonValue *array = json_array(bundle->arena);
    for (Str rest = str(options); rest.size;) {
        Str option = str_sub(rest, 0, str_find(rest, ','));
        rest = str_sub(rest, option.size + 1, rest.size);
        json_append(bundle->arena, array, json_string(bundle->arena, option));
    }
    return array;
}

static void add_mount(Bundle *bundle, const char *path, const char *type, const char *source,
                      const char *options)
{
    JsonValue *mount = json_object(bundle->arena);
    put(bundle, mount, "destination", text(bundle, path));
    put(bundle, mount, "type", text(bundle, type));
    put(bundle, mount, "source", text(bundle, source));
    put(bundle, mount, "options", list(bundle, options));
    json_append(bundle->arena, bundle->mounts, mount);
}

/* Nodes and links that every container has are the runtime's to make. */
static void add_devices(Bundle *bundle)
{
    const OciConfig *config = bundle->config;
    add_mount(bundle, "/dev", "tmpfs", "tmpfs", "ro,nosuid,mode=0755,size=65536");
    add_mount(bundle, "/dev/pts", "devpts", "devpts",
              "nosuid,noexec,newinstance,ptmxmode=0666,mode=620");
    for (size_t i = 0; i < config->device_count; i++)
        add_mount(bundle, config->devices[i], "bind", config->devices[i], "rbind,rw,nosuid");
}

/* A folder of files is shown as a whole: the runtime has no word for a file's content. */
static bool is_of_files(const StepList *run, const char *path)
{
    for (size_t i = 0; i < run->count; i++) {
        if (run->steps[i].op == STEP_READ_ONLY && strcmp(run->steps[i].path, path) == 0)
            return true;
    }
    return false;
}

static void add_tmpfs(Bundle *bundle, const StepList *run, const Step *step)
{
    Arena *arena = bundle->arena;
    if (is_of_files(run, step->path)) {
        const char *source = text_printf(arena, "%s/files%s", bundle->config->dir, step->path);
        add_mount(bundle, step->path, "bind", source, "bind,ro,nosuid,nodev");
        return;
    }
    const char *mode =
        text_printf(arena, "nosuid,nodev,mode=%llo", (unsigned long long)step->extra);
    const char *options =
        step->number ? text_printf(arena, "%s,size=%llu", mode, (unsigned long long)step->number)
                     : mode;
    add_mount(bundle, step->path, "tmpfs", "tmpfs", options);
}

/* Sources of a run's binds are paths inside; the runtime wants the host's. */
static Status add_bind(Ctx *ctx, Bundle *bundle, const Step *step)
{
    if (!str_starts(str(step->source), STR("/pfs/")))
        return FAIL(ctx, INTERNAL, "no runtime can bind '%s'", step->source);
    const char *source =
        text_printf(bundle->arena, "%s%s", bundle->config->pfs_dir, step->source + strlen("/pfs"));
    add_mount(bundle, step->path, "bind", source, "bind,rw,nosuid,nodev");
    return OK;
}

static Status add_step(Ctx *ctx, Bundle *bundle, const StepList *run, const Step *step,
                       StepList *out_init)
{
    if (step->op == STEP_TMPFS)
        add_tmpfs(bundle, run, step);
    else if (step->op == STEP_PROC)
        add_mount(bundle, step->path, "proc", "proc",
                  bundle->maps_ids ? "nosuid,nodev,noexec" : "ro,nosuid,nodev,noexec");
    else if (step->op == STEP_BIND)
        return add_bind(ctx, bundle, step);
    else if (step->op != STEP_FILE && step->op != STEP_READ_ONLY)
        steps_add(out_init, *step);
    return OK;
}

static JsonValue *process(Bundle *bundle)
{
    JsonValue *process = json_object(bundle->arena), *user = json_object(bundle->arena);
    JsonValue *capabilities = json_object(bundle->arena);
    JsonValue *names = json_array(bundle->arena);
    for (size_t i = 0; i < ARRAY_LEN(init_capabilities); i++)
        json_append(bundle->arena, names, text(bundle, init_capabilities[i]));
    for (size_t i = 0; i < ARRAY_LEN(capability_sets); i++)
        put(bundle, capabilities, capability_sets[i], names);
    put(bundle, user, "uid", json_i64(bundle->arena, 0));
    put(bundle, user, "gid", json_i64(bundle->arena, 0));
    put(bundle, process, "user", user);
    put(bundle, process, "cwd", text(bundle, "/"));
    put(bundle, process, "args",
        list(bundle, text_printf(bundle->arena, "/proc/self/fd/%d", OCI_FD_INIT)));
    put(bundle, process, "env", list(bundle, "PATH=/"));
    put(bundle, process, "noNewPrivileges", json_bool(bundle->arena, true));
    put(bundle, process, "capabilities", capabilities);
    return process;
}

/* Limits are those of the cgroup that keeper, runtime and container are born in. */
static JsonValue *linux_part(Bundle *bundle)
{
    JsonValue *part = json_object(bundle->arena), *namespaces = json_array(bundle->arena);
    JsonValue *names = list(bundle, bundle->config->no_network ? "mount,pid,ipc,uts,network"
                                                               : "mount,pid,ipc,uts");
    for (size_t i = 0; i < names->count; i++) {
        JsonValue *entry = json_object(bundle->arena);
        put(bundle, entry, "type", names->items[i]);
        json_append(bundle->arena, namespaces, entry);
    }
    JsonValue *devices = json_array(bundle->arena), *all = json_object(bundle->arena);
    put(bundle, all, "allow", json_bool(bundle->arena, true)); /* which there are, mounts say */
    put(bundle, all, "access", text(bundle, "rwm"));
    json_append(bundle->arena, devices, all);
    JsonValue *resources = json_object(bundle->arena);
    put(bundle, resources, "devices", devices);
    put(bundle, part, "namespaces", namespaces);
    if (bundle->maps_ids) {
        JsonValue *paths = json_array(bundle->arena);
        for (size_t i = 0; i < ARRAY_LEN(proc_read_only); i++)
            json_append(bundle->arena, paths, text(bundle, proc_read_only[i]));
        put(bundle, part, "readonlyPaths", paths);
    }
    if (*bundle->config->cgroup)
        put(bundle, part, "cgroupsPath", text(bundle, bundle->config->cgroup));
    put(bundle, part, "rootfsPropagation", text(bundle, "private"));
    put(bundle, part, "resources", resources);
    return part;
}

static Str print(Bundle *bundle)
{
    JsonValue *all = json_object(bundle->arena), *root = json_object(bundle->arena);
    put(bundle, root, "path", text(bundle, bundle->config->root_dir));
    put(bundle, root, "readonly", json_bool(bundle->arena, true));
    put(bundle, all, "ociVersion", text(bundle, "1.0.2"));
    put(bundle, all, "root", root);
    if (bundle->config->hostname)
        put(bundle, all, "hostname", text(bundle, bundle->config->hostname));
    put(bundle, all, "process", process(bundle));
    put(bundle, all, "mounts", bundle->mounts);
    put(bundle, all, "linux", linux_part(bundle));
    return json_print(bundle->arena, all, (JsonStyle){ .indent = 1 });
}

static bool has_op(const StepList *run, StepOp op)
{
    for (size_t i = 0; i < run->count; i++) {
        if (run->steps[i].op == op)
            return true;
    }
    return false;
}

Status oci_bundle(Ctx *ctx, const OciConfig *config, const StepList *run, Str *out_config,
                  StepList *out_init)
{
    Bundle bundle = { ctx->arena, config, json_array(ctx->arena), has_op(run, STEP_MAP_IDS) };
    steps_init(out_init, ctx->arena);
    add_devices(&bundle);
    bool forked = false;
    for (size_t i = 0; i < run->count; i++) {
        forked |= run->steps[i].op == STEP_FORK;
        if (forked)
            steps_add(out_init, run->steps[i]);
        else
            TRY(add_step(ctx, &bundle, run, &run->steps[i], out_init));
    }
    *out_config = print(&bundle);
    return OK;
}
