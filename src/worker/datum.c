/* datum.c - runs one datum: its tries, each of them inputs, process, outputs. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/event.h"
#include "base/file.h"
#include "base/text.h"
#include "codec/moment.h"
#include "worker/env.h"
#include "worker/folder.h"
#include "worker/outputs.h"
#include "worker/run_priv.h"

#define DISK_CHECK_NS    (100 * NS_PER_MS) /* how often a running process's disk use is looked at */
#define DISK_CHECK_SHARE 20                /* of the time, one part at most goes into looking */
/* Of /pfs/out itself: one that held more is slow to read. */
#define OUT_BYTES_MAX (64 * (off_t)KiB)

static const char *or_else(const char *text, const char *otherwise)
{
    return text && *text ? text : otherwise;
}

void run_log(Run *run, const char *line)
{
    Str masked = mask_text(run->ctx->arena, run->spec->mask, str(line));
    run->io->log(run->io, run->datum, false, SANDBOX_STDOUT, masked, clock_wall_ns());
}

/* --- the sandbox ----------------------------------------------------------------------------- */

Status run_open_sandbox(Run *run, unsigned nth, Sandbox **out)
{
    const WorkerSpec *spec = run->spec;
    SandboxConfig config = { .root_dir = spec->root_dir,
                             .files = spec->files,
                             .file_count = spec->file_count,
                             .hostname = or_else(spec->pod_name, NULL),
                             .uid = run->user.uid,
                             .gid = run->user.gid,
                             .no_network = spec->no_network,
                             .gpu = spec->gpu,
                             .limits = spec->limits };
    if (!config.limits.pids)
        config.limits.pids = WORKER_PIDS;
    if (!config.limits.tmp_bytes)
        config.limits.tmp_bytes = worker_tmp_bytes();
    if (!config.limits.file_bytes)
        config.limits.file_bytes = spec->disk_bytes;
    return worker_sandbox(run->ctx, run->worker, &config, nth, out);
}

/* --- preparing ------------------------------------------------------------------------------- */

/* Is it as run_make_out makes it? Then it need not be made again, which costs the disk's
 * journal. */
static bool is_out_fresh(Run *run, bool is_mapped)
{
    AUTO_FD out =
        openat(run->worker->pfs_fd, "out", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    uid_t uid = is_mapped ? geteuid() : run->user.uid;
    gid_t gid = is_mapped ? getegid() : run->user.gid;
    return out >= 0 && fstat(out, &st) == 0 && (st.st_mode & 07777) == 0755 && st.st_uid == uid &&
           st.st_gid == gid && st.st_size <= OUT_BYTES_MAX && flistxattr(out, NULL, 0) == 0 &&
           folder_is_empty(out);
}

/* Over what is there, of which old_bytes is the size. */
static Status write_env(Run *run, int fd, size_t old_bytes, size_t *out_bytes)
{
    Ctx *ctx = run->ctx;
    Str text = env_text(ctx, run->env);
    *out_bytes = text.size;
    TRY(file_pwrite_all(ctx, fd, text.data, text.size, 0));
    if (old_bytes > text.size && ftruncate(fd, (off_t)text.size) < 0)
        return status_errno(ctx, errno, "could not write file '/pfs/.env'");
    return OK;
}

static Status open_env(Run *run, int *out_fd, size_t *out_bytes)
{
    struct stat st;
    if (sandbox_level(run->sandbox) == SANDBOX_NONE)
        TRY(folder_remove(run->ctx, run->worker->pfs_fd, ".env"));
    *out_fd =
        openat(run->worker->pfs_fd, ".env", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (*out_fd < 0 || fstat(*out_fd, &st) < 0)
        return status_errno(run->ctx, errno, "could not create file '/pfs/.env'");
    *out_bytes = (size_t)st.st_size;
    return OK;
}

/* Written over what the last datum's was: inside a sandbox user code cannot change it, so it is
 * still ours. */
static Status write_env_file(Run *run)
{
    AUTO_FD fd = -1;
    size_t bytes = 0;
    RunKept *kept = run->kept;
    if (kept && kept->env_fd >= 0)
        return write_env(run, kept->env_fd, kept->env_bytes, &kept->env_bytes);
    TRY(open_env(run, &fd, &bytes));
    TRY(write_env(run, fd, bytes, &bytes));
    if (kept) {
        kept->env_fd = fd_steal(&fd);
        kept->env_bytes = bytes;
    }
    return OK;
}

/* What is in it goes, it stays: a process may have the folder as its own, and mounted; and to make
 * it anew costs more. */
static Status empty_out(Run *run)
{
    AUTO_FD out = folder_open(run->worker->pfs_fd, "out", O_RDONLY | O_DIRECTORY);
    if (out >= 0 && folder_is_empty(out))
        return fchmod(out, 0755) < 0
                   ? status_errno(run->ctx, errno, "could not set the mode of '/pfs/out'")
                   : OK;
    DIR *dir = out < 0 ? NULL : fdopendir(dup(out));
    if (!dir)
        return status_errno(run->ctx, errno, "could not open folder '/pfs/out'");
    Status s = OK;
    for (struct dirent *entry; status_ok(s) && (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            s = folder_remove(run->ctx, out, entry->d_name);
    }
    closedir(dir);
    if (status_ok(s) && fchmod(out, 0755) < 0)
        return status_errno(run->ctx, errno, "could not set the mode of '/pfs/out'");
    return s;
}

Status run_make_out(Run *run)
{
    Ctx *ctx = run->ctx;
    int pfs_fd = run->worker->pfs_fd;
    bool is_mapped = sandbox_level(run->sandbox) == SANDBOX_USER || geteuid() != 0;
    if (!run->spec->s3_out && (is_out_fresh(run, is_mapped) ||
                               (status_ok(empty_out(run)) && is_out_fresh(run, is_mapped))))
        return OK;
    TRY(folder_remove(ctx, pfs_fd, "out"));
    if (run->spec->s3_out)
        return OK;
    if (mkdirat(pfs_fd, "out", 0755) < 0 ||
        (!is_mapped &&
         fchownat(pfs_fd, "out", run->user.uid, run->user.gid, AT_SYMLINK_NOFOLLOW) < 0))
        return status_errno(ctx, errno, "could not make folder '/pfs/out'");
    return OK;
}

Status run_prepare(Run *run, Lazy *lazy, bool keep_out, WorkerStats *stats)
{
    int64_t start_ns = clock_mono_ns();
    bool private_copies = sandbox_level(run->sandbox) == SANDBOX_NONE;
    TRY(inputs_place(run->ctx, run->worker->inputs, run->io, run->datum, private_copies, lazy,
                     &stats->download_bytes));
    if (!keep_out)
        TRY(run_make_out(run));
    else if (!run->out_is_empty)
        TRY(empty_out(run));
    TRY(write_env_file(run));
    TRY(lazy_start(run->ctx, lazy));
    stats->download_ns = clock_mono_ns() - start_ns;
    return OK;
}

/* --- the process ----------------------------------------------------------------------------- */

static void pass_line(void *self, SandboxStream stream, Str line, int64_t wall_ns)
{
    Run *run = self;
    run->io->log(run->io, run->datum, true, stream, line, wall_ns);
}

static void tell_leftover(void *self, Str text)
{
    Run *run = self;
    run_log(run,
            text_printf(
                run->ctx->arena,
                "note: about to kill unexpectedly-remaining subprocess of the user code: " STR_FMT,
                STR_ARG(text)));
}

static Bytes join_lines(Arena *arena, const char *const *lines)
{
    CLEANUP(buf_done) Buf all = { 0 };
    if (!lines || !lines[0])
        return (Bytes){ 0 };
    for (; *lines; lines++) {
        buf_add_str(&all, str(*lines));
        buf_add_u8(&all, '\n');
    }
    return bytes(arena_memdup(arena, all.data, all.size), all.size);
}

/* The keeper may have died with an earlier datum: then there is a new one. */
Status run_start_process(Run *run, const SandboxRun *process)
{
    Status s = sandbox_start(run->ctx, run->sandbox, process);
    if (s.code != STATUS_UNAVAILABLE)
        return s;
    worker_drop_sandbox(run->worker, run->sandbox);
    TRY(run_open_sandbox(run, 0, &run->sandbox));
    return sandbox_start(run->ctx, run->sandbox, process);
}

/* Why the disk does not allow the process to go on; NULL when it does. */
static const char *check_disk(Run *run)
{
    Arena *arena = run->ctx->arena;
    struct statvfs fs;
    uint64_t reserve = run->worker->config.disk_reserve_bytes;
    if (fstatvfs(run->worker->pfs_fd, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < reserve)
        return text_printf(arena, "signal: killed: the worker's disk has less than %llu bytes left",
                           (unsigned long long)reserve);
    uint64_t limit = run->spec->disk_bytes;
    if (!limit || run->spec->s3_out)
        return NULL;
    AUTO_FD out = folder_open(run->worker->pfs_fd, "out", O_RDONLY | O_DIRECTORY);
    if (out >= 0 && folder_disk_bytes(run->ctx, out) > limit)
        return text_printf(arena, "signal: killed: /pfs/out is larger than the limit of %llu bytes",
                           (unsigned long long)limit);
    return NULL;
}

static void end_attempt(void *attempt)
{
    cancel_set(attempt);
}

typedef struct Wait {
    Cancel *attempt;
    const RunWake *wake;
    int64_t deadline_ns;
} Wait;

/* Time for a look at what else may end the process; why it is killed, or NULL. *look_ns: when the
 * next one is due. */
static const char *check_limits(Run *run, const Wait *wait, int64_t *look_ns)
{
    int64_t now_ns = clock_mono_ns();
    const char *cause = now_ns >= wait->deadline_ns ? "context deadline exceeded" : check_disk(run);
    int64_t end_ns = clock_mono_ns();
    *look_ns = end_ns + MAX(DISK_CHECK_NS, (end_ns - now_ns) * DISK_CHECK_SHARE);
    if (cause)
        sandbox_kill(run->sandbox);
    return cause;
}

static Status wait_attempt(Run *run, const Wait *wait, SandboxEvent *out_event,
                           SandboxExit *out_exit, const char **out_cause)
{
    Ctx attempt = *run->ctx;
    attempt.cancel = wait->attempt;
    int64_t look_ns = clock_mono_ns() + DISK_CHECK_NS;
    *out_cause = NULL;
    for (;;) {
        const RunWake *wake = *out_cause ? NULL : wait->wake;
        int64_t until_ns = *out_cause ? DEADLINE_NONE : MIN(wait->deadline_ns, look_ns);
        *out_event = SANDBOX_WOKEN;
        if (wake && wake->look(wake->self))
            return OK;
        Status s = sandbox_wait(&attempt, run->sandbox, wake ? wake->fd : -1, until_ns, out_event,
                                out_exit);
        if (s.code == STATUS_CANCELLED && !cancel_is_set(run->ctx->cancel)) {
            *out_event = SANDBOX_ENDED;
            *out_cause = "context canceled"; /* a restart: this attempt's end, not the set's */
            return OK;
        }
        TRY(s);
        if (*out_event == SANDBOX_ENDED)
            return OK;
        if (*out_event == SANDBOX_DEADLINE || clock_mono_ns() >= until_ns)
            *out_cause = check_limits(run, wait, &look_ns);
    }
}

/* The owner may end the attempt alone (a restart of the datum); whoever ends the set ends it
 * too. */
Status run_wait(Run *run, const RunWake *wake, int64_t deadline_ns, SandboxEvent *out_event,
                SandboxExit *out_exit, const char **out_cause)
{
    const Wait wait = { cancel_new(), wake, deadline_ns };
    CancelHook hook = { .fn = end_attempt, .arg = wait.attempt };
    if (run->ctx->cancel)
        cancel_hook(run->ctx->cancel, &hook);
    if (run->io->attempt)
        run->io->attempt(run->io, run->datum, wait.attempt);
    Status s = wait_attempt(run, &wait, out_event, out_exit, out_cause);
    if (run->io->attempt)
        run->io->attempt(run->io, run->datum, NULL);
    if (run->ctx->cancel)
        cancel_unhook(run->ctx->cancel, &hook);
    cancel_unref(wait.attempt);
    return s;
}

static bool is_accepted(const WorkerSpec *spec, const SandboxExit *ended)
{
    if (ended->end != SANDBOX_EXITED)
        return false;
    for (size_t i = 0; i < spec->accept_return_code_count; i++) {
        if (spec->accept_return_codes[i] == ended->value)
            return true;
    }
    return ended->value == 0;
}

const char *run_judge(Run *run, const SandboxExit *ended, const char *cause)
{
    if (!cause && is_accepted(run->spec, ended))
        return NULL;
    if (cause && str_starts(str(cause), str(ended->text)))
        return cause;
    if (ended->out_of_memory)
        return text_printf(run->ctx->arena, "%s: out of memory: limit %llu bytes", ended->text,
                           (unsigned long long)run->spec->limits.memory_bytes);
    return ended->text;
}

const char *run_because(Run *run, const char *reason, const char *cause)
{
    return cause && cause != reason ? text_printf(run->ctx->arena, "%s because %s", reason, cause)
                                    : reason;
}

static void pass_door(void *self, int door_fd)
{
    Run *run = self;
    run->door(run->door_self, door_fd);
}

SandboxRun run_process(Run *run, const char *const *argv, const char *const *stdin_lines)
{
    const WorkerSpec *spec = run->spec;
    return (SandboxRun){ .argv = argv,
                         .env = run->env,
                         .hostname = or_else(spec->pod_name, NULL),
                         .cwd = or_else(spec->working_dir, spec->image_working_dir),
                         .stdin_bytes = join_lines(run->ctx->arena, stdin_lines),
                         .no_out = spec->s3_out,
                         .mask = spec->mask,
                         .line = pass_line,
                         .leftover = tell_leftover,
                         .door = run->door ? pass_door : NULL,
                         .self = run };
}

Status run_command(Run *run, const char *what, const char *const *argv,
                   const char *const *stdin_lines, const char **out_reason)
{
    Ctx *ctx = run->ctx;
    SandboxRun process = run_process(run, argv, stdin_lines);
    int64_t timeout_ns = run->spec->timeout_ns;
    run_log(run, text_printf(ctx->arena, "beginning to run %s", what));
    int64_t start_ns = clock_mono_ns();
    SandboxExit ended;
    SandboxEvent event;
    const char *cause;
    TRY(run_start_process(run, &process));
    TRY(run_wait(run, NULL, timeout_ns > 0 ? clock_deadline_ns(timeout_ns) : DEADLINE_NONE, &event,
                 &ended, &cause));
    *out_reason = run_judge(run, &ended, cause);

    char took[DURATION_TEXT_SIZE];
    duration_format(clock_mono_ns() - start_ns, took);
    if (!*out_reason)
        run_log(run, text_printf(ctx->arena, "finished running %s after %s", what, took));
    else
        run_log(run, text_printf(ctx->arena, "errored running %s after %s: %s", what, took,
                                 run_because(run, *out_reason, cause)));
    return OK;
}

static bool has_command(const char *const *argv)
{
    return argv && argv[0];
}

Status run_handle_error(Run *run, Attempt *attempt)
{
    const char *reason;
    if (!attempt->reason || !has_command(run->spec->err_cmd))
        return OK;
    TRY(run_command(run, "user error handling code", run->spec->err_cmd, run->spec->err_stdin_lines,
                    &reason));
    attempt->was_recovered = !reason;
    return OK;
}

static Status run_code(Run *run, Attempt *attempt)
{
    const WorkerSpec *spec = run->spec;
    int64_t start_ns = clock_mono_ns();
    if (run->io->started)
        run->io->started(run->io, run->datum);
    TRY(run_command(run, "user code", spec->cmd, spec->stdin_lines, &attempt->reason));
    TRY(run_handle_error(run, attempt));
    attempt->stats.process_ns = clock_mono_ns() - start_ns;
    return OK;
}

/* --- the output ------------------------------------------------------------------------------ */

/* Sparse files may say that they are larger than anything; without a limit that is what the disk
 * could hold. */
static uint64_t output_bytes_max(Run *run)
{
    struct statvfs fs;
    if (run->spec->disk_bytes)
        return run->spec->disk_bytes;
    return fstatvfs(run->worker->pfs_fd, &fs) == 0 ? (uint64_t)fs.f_blocks * fs.f_frsize
                                                   : UINT64_MAX;
}

/* Most batched datums write nothing, or all is looked at. */
static void look_at_out(Run *run)
{
    struct stat st;
    RunKept *kept = run->kept;
    AUTO_FD opened = -1;
    int out = kept ? kept->out_fd : -1;
    if (out < 0)
        out = opened = folder_open(run->worker->pfs_fd, "out", O_RDONLY | O_DIRECTORY);
    run->out_is_empty =
        out >= 0 && fstat(out, &st) == 0 && (st.st_mode & 07777) == 0755 && folder_is_empty(out);
    if (kept && opened >= 0)
        kept->out_fd = fd_steal(&opened);
}

static Status upload_nothing(Run *run)
{
    TRY(run->io->output_begin(run->io, run->ctx, run->datum));
    Status s = run->io->output_finish(run->io, run->ctx);
    if (!status_ok(s))
        run->io->output_abort(run->io, run->ctx);
    return s;
}

Status run_upload(Run *run, Attempt *attempt)
{
    int64_t start_ns = clock_mono_ns();
    if (attempt->reason || run->spec->s3_out)
        return OK;
    look_at_out(run);
    if (run->out_is_empty) {
        TRY(upload_nothing(run));
        attempt->stats.upload_ns = clock_mono_ns() - start_ns;
        return OK;
    }
    Outputs outputs = { .io = run->io,
                        .sandbox = run->resolver,
                        .pfs_fd = run->worker->pfs_fd,
                        .pfs_dir = run->worker->pfs_dir,
                        .datum = run->datum,
                        .bytes_max = output_bytes_max(run) };
    uint64_t size_bytes = 0;
    TRY_WRAP(run->ctx, outputs_collect(run->ctx, &outputs, &attempt->reason, &size_bytes),
             "could not upload the output of datum '%s'", run->datum->id);
    attempt->stats.upload_ns = clock_mono_ns() - start_ns;
    attempt->stats.upload_bytes = attempt->reason ? 0 : size_bytes;
    if (attempt->reason)
        run_log(run, text_printf(run->ctx->arena, "errored uploading output: %s", attempt->reason));
    return OK;
}

/* --- tries ----------------------------------------------------------------------------------- */

static Status try_once(Run *run, Attempt *attempt)
{
    *attempt = (Attempt){ 0 };
    CLEANUP(lazy_freep) Lazy *lazy = lazy_new(run->io);
    TRY(run_prepare(run, lazy, false, &attempt->stats));
    TRY(run_code(run, attempt));
    TRY(lazy_stop(run->ctx, lazy, &attempt->stats.download_bytes));
    return run_upload(run, attempt);
}

void run_conclude(Run *run, const Attempt *attempt, bool was_recovered)
{
    WorkerResult *result = run->result;
    result->stats = attempt->stats;
    Str reason = mask_text(run->ctx->arena, run->spec->mask, str(attempt->reason));
    result->reason = str_z(run->ctx->arena, reason);
    if (attempt->reason)
        result->state = was_recovered ? WORKER_RECOVERED : WORKER_FAILED;
    result->finished_wall_ns = clock_wall_ns();
}

static Status try_all(Run *run)
{
    WorkerResult *result = run->result;
    bool was_recovered = false;
    Attempt attempt = { .reason = "" };
    while (attempt.reason && result->tries < MAX(run->spec->tries, 1)) {
        result->tries++;
        TRY(try_once(run, &attempt));
        was_recovered |= attempt.was_recovered;
    }
    run_conclude(run, &attempt, was_recovered);
    return OK;
}

static bool find_user(Run *run)
{
    const WorkerSpec *spec = run->spec;
    UserFiles files;
    user_files_read(run->ctx, spec->root_dir, &files);
    Status s = user_resolve(run->ctx, &files, or_else(spec->user, or_else(spec->image_user, "")),
                            &run->user);
    if (!status_ok(s))
        run->result->reason = status_message(s);
    return status_ok(s);
}

bool run_begin(Run *run)
{
    if (!has_command(run->spec->cmd))
        run->result->reason = "invalid pipeline transform, no command specified";
    if (!*run->result->reason && find_user(run))
        return true;
    run->result->state = WORKER_FAILED;
    return false;
}

/* What the sandbox lacks, into the job's log; once a job, as it is so for all its datums. */
static void warn(Run *run)
{
    Worker *worker = run->worker;
    Str rest = str(run->result->warning);
    if (!rest.size || strcmp(worker->warned_job, run->spec->job_id) == 0)
        return;
    snprintf(worker->warned_job, sizeof(worker->warned_job), "%s", run->spec->job_id);
    while (rest.size) {
        Str line = str_sub(rest, 0, str_find(rest, '\n'));
        rest = str_sub(rest, line.size + 1, rest.size);
        run_log(run, text_printf(run->ctx->arena, "warning: " STR_FMT, STR_ARG(line)));
    }
}

void run_log_unable(Run *run)
{
    run_log(run,
            text_printf(run->ctx->arena, "errored starting user code: %s", run->result->reason));
}

static Status run_datum(Run *run)
{
    if (!run_begin(run)) {
        run_log_unable(run);
        return OK;
    }
    TRY(run_open_sandbox(run, 0, &run->sandbox));
    run->resolver = run->sandbox;
    run->result->warning = arena_strdup(run->ctx->arena, sandbox_warnings(run->sandbox));
    warn(run);
    run->env = env_build(run->ctx, run->spec, run->datum, run->user.home);
    return try_all(run);
}

Status worker_run_datum(Ctx *ctx, Worker *worker, WorkerIo *io, const WorkerSpec *spec,
                        const WorkerDatum *datum, WorkerResult *out)
{
    *out = (WorkerResult){ .reason = "", .warning = "", .started_wall_ns = clock_wall_ns() };
    Run run = {
        .ctx = ctx, .worker = worker, .io = io, .spec = spec, .datum = datum, .result = out
    };
    Status s = run_datum(&run);
    out->finished_wall_ns = clock_wall_ns();
    return s;
}
