/* process.c - the steps that turn a child of pid 1 into the user's process. */
#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "worker/exit_text.h"
#include "worker/perform_priv.h"
#include "worker/report.h"

#define NOT_STARTED_STATUS 127 /* as shells say it */

int do_session(Performer *performer, const Step *step)
{
    umask(022);
    if (setsid() < 0)
        return errno;
    return step->number && ioctl(performer->stdio[0], TIOCSCTTY, 0) < 0 ? errno : 0;
}

/* A limit above what we may set at all is as good as none. */
int do_rlimit(Performer *performer, const Step *step)
{
    (void)performer;
    struct rlimit now;
    __rlimit_resource_t resource = (__rlimit_resource_t)step->number;
    if (getrlimit(resource, &now) < 0)
        return errno;
    rlim_t value = MIN((rlim_t)step->extra, now.rlim_max);
    struct rlimit limit = { value, value };
    return setrlimit(resource, &limit) < 0 ? errno : 0;
}

int do_no_bound(Performer *performer, const Step *step)
{
    (void)performer;
    (void)step;
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            return errno;
    }
    return 0;
}

int do_ids(Performer *performer, const Step *step)
{
    (void)performer;
    uid_t uid = (uid_t)step->number;
    gid_t gid = (gid_t)step->extra;
    if (setgroups(1, &gid) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return errno;
    return 0;
}

int do_no_caps(Performer *performer, const Step *step)
{
    (void)performer;
    (void)step;
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &header, none) < 0 ? errno : 0;
}

int do_env(Performer *performer, const Step *step)
{
    performer->env[performer->envc++] = step->source;
    return 0;
}

int do_arg(Performer *performer, const Step *step)
{
    performer->argv[performer->argc++] = step->source;
    return 0;
}

/* The filter is told to cost no speculation barriers: user code that attacks itself may. */
int do_seccomp(Performer *performer, const Step *step)
{
    (void)performer;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return errno;
    struct sock_filter filter[BPF_MAXINSNS];
    size_t count = step->data.size / sizeof(filter[0]);
    if (count > BPF_MAXINSNS)
        return E2BIG;
    memcpy(filter, step->data.data, count * sizeof(filter[0]));
    struct sock_fprog program = { (unsigned short)count, filter };
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) <
                   0
               ? errno
               : 0;
}

static bool is_below_pfs(const char *path)
{
    return strncmp(path, "/pfs/", 5) == 0;
}

/* Files below /pfs are the worker's own to read; only of others it gets what this user can open. */
int do_resolve(Performer *performer, const Step *step)
{
    AUTO_FD found = open(step->path, O_PATH | O_CLOEXEC);
    struct stat st;
    if (found < 0 || fstat(found, &st) < 0) {
        report_send(performer->report_fd, REPORT_TARGET, errno, -1, "");
        return 0;
    }
    char link[32], real[PATH_MAX];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
    ssize_t size = readlink(link, real, sizeof(real) - 1);
    if (size < 0)
        return errno;
    real[size] = '\0';

    int value = S_ISDIR(st.st_mode) ? REPORT_IS_DIR : 0;
    AUTO_FD content = -1;
    if (S_ISREG(st.st_mode) && !is_below_pfs(real)) {
        content = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        value = content < 0 ? errno : 0;
    } else if (!S_ISDIR(st.st_mode) && !is_below_pfs(real)) {
        value = EINVAL;
    }
    report_send(performer->report_fd, REPORT_TARGET, value, content, real);
    return 0;
}

static const char *env_value(const Performer *performer, const char *key)
{
    size_t size = strlen(key);
    for (size_t i = performer->envc; i-- > 0;) {
        if (strncmp(performer->env[i], key, size) == 0 && performer->env[i][size] == '=')
            return performer->env[i] + size + 1;
    }
    return "";
}

static _Noreturn void not_started(const Performer *performer, const char *text)
{
    report_send(performer->report_fd, REPORT_NOT_STARTED, 0, -1, text);
    _exit(NOT_STARTED_STATUS);
}

static _Noreturn void not_found(const Performer *performer, const char *name)
{
    char text[PATH_MAX + 64];
    snprintf(text, sizeof(text), "exec: \"%s\": executable file not found in $PATH", name);
    not_started(performer, text);
}

static _Noreturn void not_executed(const Performer *performer, const char *program, int error)
{
    char text[PATH_MAX + 128], reason[EXIT_TEXT_SIZE];
    exit_errno_text(error, reason);
    snprintf(text, sizeof(text), "fork/exec %s: %s", program, reason);
    not_started(performer, text);
}

static bool take_stdio(const Performer *performer)
{
    for (int i = 0; i < 3; i++) {
        if (performer->stdio[i] >= 0 && dup2(performer->stdio[i], i) < 0)
            return false;
    }
    return syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0 || errno == ENOSYS;
}

int do_exec(Performer *performer, const Step *step)
{
    char found[PATH_MAX];
    const char *program = performer->argv[0];
    if (!strchr(program, '/')) {
        if (!file_find_in_path(program, env_value(performer, "PATH"), found, sizeof(found)))
            not_found(performer, program);
        program = found;
    }
    if (chdir(step->path) == 0 && take_stdio(performer))
        execve(program, exec_vector(performer->argv), exec_vector(performer->env));
    not_executed(performer, program, errno);
}
