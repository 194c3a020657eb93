/* sandbox.c - see sandbox.h: the worker's side of a keeper. */
#include "worker/sandbox.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "worker/host.h"
#include "worker/keeper.h"
#include "worker/sandbox_priv.h"
#include "worker/seccomp_filter.h"

static const char *const level_names[] = {
    [SANDBOX_NONE] = "none",
    [SANDBOX_USER] = "user",
    [SANDBOX_ROOT] = "root",
};

const char *sandbox_level_name(SandboxLevel level)
{
    return level_names[level];
}

SandboxLevel sandbox_level(const Sandbox *sandbox)
{
    return sandbox->base.level;
}

const char *sandbox_warnings(const Sandbox *sandbox)
{
    return (const char *)sandbox->warnings.data;
}

/* --- opening --------------------------------------------------------------------------------- */

static const SandboxFile *copy_files(Arena *arena, const SandboxConfig *from)
{
    SandboxFile *files = arena_must(arena, (from->file_count + 1) * sizeof(*files));
    for (size_t i = 0; i < from->file_count; i++) {
        Bytes content = from->files[i].content;
        files[i] = (SandboxFile){ .path = arena_strdup(arena, from->files[i].path),
                                  .content = bytes(arena_memdup(arena, content.data, content.size),
                                                   content.size) };
    }
    return files;
}

static SandboxConfig copy_config(Arena *arena, const SandboxConfig *from)
{
    SandboxConfig copy = *from;
    copy.slot_dir = arena_strdup(arena, from->slot_dir);
    copy.root_dir = arena_strdup(arena, from->root_dir ? from->root_dir : "");
    copy.hostname = from->hostname ? arena_strdup(arena, from->hostname) : NULL;
    copy.runtime = arena_strdup(arena, from->runtime ? from->runtime : "");
    copy.runtime_init = arena_strdup(arena, from->runtime_init ? from->runtime_init : "");
    copy.tool = NULL; /* these are for building the root only */
    copy.hidden = NULL;
    copy.hidden_count = 0;
    copy.files = copy_files(arena, from); /* those below /tmp are placed by each run */
    return copy;
}

static Sandbox *sandbox_new(const SandboxConfig *config)
{
    Sandbox *sandbox = calloc(1, sizeof(*sandbox));
    uint8_t *buffer = malloc(SANDBOX_READ_BYTES);
    if (!sandbox || !buffer)
        abort();
    sandbox->arena = arena_new(0);
    sandbox->config = copy_config(sandbox->arena, config);
    sandbox->base.config = &sandbox->config;
    sandbox->base.privileged = geteuid() == 0;
    sandbox->buffer = buffer;
    sandbox->keeper = -1;
    sandbox->control_fd = sandbox->own_claim = sandbox->cancel_fd = -1;
    sandbox->pidfd = sandbox->report_fd = -1;
    for (size_t i = 0; i < ARRAY_LEN(sandbox->outputs); i++) {
        sandbox->outputs[i] = (Output){ .sandbox = sandbox, .stream = (SandboxStream)i, .fd = -1 };
        lines_init(&sandbox->outputs[i].cutter, SANDBOX_LINE_BYTES_MAX);
    }
    return sandbox;
}

/* The keeper ends when its socket closes, and takes what runs with it. */
static void stop_keeper(Sandbox *sandbox)
{
    fd_closep(&sandbox->control_fd);
    if (sandbox->keeper > 0)
        waitpid(sandbox->keeper, NULL, 0);
    sandbox->keeper = -1;
}

static Status start_keeper(Ctx *ctx, Sandbox *sandbox, const KeeperConfig *config)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return status_errno(ctx, errno, "could not make a socket for the sandbox");
    sandbox->control_fd = pair[0];
    sandbox->keeper = fork();
    if (sandbox->keeper == 0)
        keeper_main(pair[1], config);
    int error = errno;
    close(pair[1]);
    if (sandbox->keeper < 0)
        return status_errno(ctx, error, "could not start the sandbox");
    error = sandbox->cgroup ? cgroup_adopt(sandbox->cgroup, sandbox->keeper) : 0;
    if (error)
        return status_errno(ctx, error, "could not put the sandbox into its cgroup");
    return OK;
}

Status sandbox_hear(Ctx *ctx, Sandbox *sandbox)
{
    Report *report = &sandbox->report;
    if (!report_receive(sandbox->control_fd, report))
        return FAIL(ctx, UNAVAILABLE, "the sandbox's keeper is gone");
    if (report->kind == REPORT_BROKEN)
        return FAIL(ctx, INTERNAL, "%s", report->text);
    return OK;
}

/* What a plain process cannot give is refused, not left out. */
static Status check_plain(Ctx *ctx, const SandboxConfig *config)
{
    if (config->root_dir && *config->root_dir)
        return FAIL(ctx, FAILED_PRECONDITION, "an image needs a sandbox");
    if (config->file_count)
        return FAIL(ctx, FAILED_PRECONDITION, "secrets with a mount path need a sandbox");
    if (config->no_network)
        return FAIL(ctx, FAILED_PRECONDITION, "a network of its own needs a sandbox");
    return OK;
}

static bool has_runtime(const SandboxConfig *config)
{
    return config->runtime && *config->runtime;
}

static OciConfig oci_config(Ctx *ctx, const Sandbox *sandbox, const SandboxConfig *config,
                            const HostFacts *facts)
{
    return (OciConfig){ .program = config->runtime,
                        .init_path = config->runtime_init,
                        .dir = plan_runtime_dir(ctx->arena, config),
                        .root_dir = plan_root_dir(ctx->arena, config),
                        .pfs_dir = text_printf(ctx->arena, "%s/pfs", config->slot_dir),
                        .hostname = config->hostname,
                        .cgroup = cgroup_for_container(ctx, sandbox->cgroup),
                        .devices = facts->devices,
                        .device_count = config->gpu ? facts->device_count : 0,
                        .no_network = config->no_network };
}

/* Who asks for a runtime that is not there made a mistake, which no weaker sandbox mends. */
static Status check_runtime(Ctx *ctx, const SandboxConfig *config)
{
    if (!has_runtime(config))
        return OK;
    char path[PATH_MAX];
    if (!file_find_in_path(config->runtime, FILE_SYSTEM_PATH, path, sizeof(path)))
        return FAIL(ctx, FAILED_PRECONDITION, "the sandbox's runtime '%s' is not installed",
                    config->runtime);
    if (!config->runtime_init || access(config->runtime_init, X_OK) < 0)
        return FAIL(ctx, FAILED_PRECONDITION, "could not find program pcv-init, which '%s' starts",
                    config->runtime);
    return OK;
}

/* Builds the root and proves with an empty run that all steps are allowed. */
static Status try_level(Ctx *ctx, Sandbox *sandbox, const HostFacts *facts,
                        const SandboxConfig *config)
{
    if (!sandbox_is_isolated(sandbox)) {
        TRY(check_plain(ctx, config));
        TRY(host_claim_pfs(ctx, sandbox_pfs_claim(sandbox)));
    }
    PlanBase with_all = sandbox->base;
    with_all.config = config;
    StepList root;
    steps_init(&root, ctx->arena);
    plan_template(&with_all, facts, &root);
    StepList fresh;
    steps_init(&fresh, ctx->arena);
    plan_fresh(&with_all, &fresh);
    const OciConfig oci = oci_config(ctx, sandbox, config, facts);
    const KeeperConfig keeper = { &root, &fresh, sandbox_is_isolated(sandbox),
                                  with_all.by_runtime ? &oci : NULL };
    TRY(start_keeper(ctx, sandbox, &keeper));
    TRY(sandbox_hear(ctx, sandbox));
    return sandbox_resolve(ctx, sandbox, NULL, 0, NULL);
}

static void warn_if_plain(Sandbox *sandbox)
{
    if (!sandbox_is_isolated(sandbox) && sandbox->warnings.size)
        buf_printf(&sandbox->warnings, "user code runs as a plain process, not in a sandbox\n");
}

static const char *in_one_line(Ctx *ctx, const Buf *lines)
{
    CLEANUP(buf_done) Buf text = { 0 };
    for (Str rest = buf_str(lines); rest.size;) {
        Str line = str_sub(rest, 0, str_find(rest, '\n'));
        rest = str_sub(rest, line.size + 1, rest.size);
        buf_printf(&text, "%s" STR_FMT, text.size ? "; " : "", STR_ARG(line));
    }
    return str_z(ctx->arena, buf_str(&text));
}

/* The strongest level that works; why each stronger one did not becomes a warning. */
static Status find_level(Ctx *ctx, Sandbox *sandbox, const HostFacts *facts,
                         const SandboxConfig *config)
{
    int strongest = sandbox->base.privileged ? SANDBOX_ROOT : SANDBOX_USER;
    for (int level = MIN(strongest, (int)config->level_max); level >= (int)config->level_min;
         level--) {
        sandbox->base.level = (SandboxLevel)level;
        sandbox->base.by_runtime = has_runtime(config) && level != SANDBOX_NONE;
        Status s = try_level(ctx, sandbox, facts, config);
        if (status_ok(s)) {
            warn_if_plain(sandbox);
            return OK;
        }
        stop_keeper(sandbox);
        TRY(ctx_check(ctx)); /* it may have been us who gave up */
        buf_printf(&sandbox->warnings, "no sandbox of level '%s': %s%s\n", level_names[level],
                   status_message(s), level == SANDBOX_USER ? host_user_namespaces_off(ctx) : "");
    }
    return FAIL(ctx, FAILED_PRECONDITION, "could not open a sandbox of level '%s': %s",
                level_names[config->level_min], in_one_line(ctx, &sandbox->warnings));
}

Status sandbox_open(Ctx *ctx, const SandboxConfig *config, Sandbox **out)
{
    TRY(check_runtime(ctx, config));
    CLEANUP(sandbox_closep) Sandbox *sandbox = sandbox_new(config);
    sandbox->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (sandbox->cancel_fd < 0)
        return status_errno(ctx, errno, "could not make an event descriptor");
    HostFacts facts;
    TRY(host_look(ctx, config, &facts));
    Bytes filter;
    TRY(seccomp_filter_build(ctx, config->uid == 0, &filter));
    sandbox->base.seccomp =
        bytes(arena_memdup(sandbox->arena, filter.data, filter.size), filter.size);
    const CgroupPlace place = cgroup_place(ctx);
    sandbox->cgroup =
        cgroup_new(ctx, &place, &config->limits, has_runtime(config), &sandbox->warnings);
    sandbox->base.pids_elsewhere = cgroup_holds(sandbox->cgroup, CGROUP_PIDS);
    sandbox->base.memory_elsewhere = cgroup_holds(sandbox->cgroup, CGROUP_MEMORY);
    TRY(find_level(ctx, sandbox, &facts, config));
    if (sandbox->warnings.size) /* the last newline becomes the end */
        sandbox->warnings.size--;
    buf_add_u8(&sandbox->warnings, '\0');
    *out = STEAL(sandbox);
    return OK;
}

void sandbox_end_run(Sandbox *sandbox)
{
    fd_closep(&sandbox->pidfd);
    fd_closep(&sandbox->report_fd);
    for (size_t i = 0; i < ARRAY_LEN(sandbox->outputs); i++)
        fd_closep(&sandbox->outputs[i].fd);
    sandbox->run = NULL;
    sandbox->targets = NULL;
}

Sandbox *sandbox_close(Sandbox *sandbox)
{
    if (!sandbox)
        return NULL;
    stop_keeper(sandbox);
    sandbox_end_run(sandbox);
    for (size_t i = 0; i < ARRAY_LEN(sandbox->outputs); i++) {
        lines_done(&sandbox->outputs[i].cutter);
        masker_done(&sandbox->outputs[i].masker);
        buf_done(&sandbox->outputs[i].masked);
    }
    cgroup_free(sandbox->cgroup);
    fd_closep(&sandbox->cancel_fd);
    host_release_pfs(&sandbox->own_claim);
    buf_done(&sandbox->warnings);
    arena_free(sandbox->arena);
    free(sandbox->buffer);
    free(sandbox);
    return NULL;
}
