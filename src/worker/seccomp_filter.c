/* seccomp_filter.c - see seccomp_filter.h.
 *
 * User code is any program there is, so what is not known to reach out of a sandbox is allowed;
 * what is denied takes privilege, sees other processes' memory, makes namespaces (which give back
 * privilege inside) or is kernel surface that data processing does not need. Capabilities are gone
 * anyway: this is the second lock.
 */
#include "worker/seccomp_filter.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"

static const int denied[] = {
    /* other processes */
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(kcmp),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(process_madvise),
    /* mounts and roots */
    SCMP_SYS(mount),
    SCMP_SYS(umount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(open_tree),
    SCMP_SYS(move_mount),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount),
    SCMP_SYS(fspick),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(setns),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(name_to_handle_at),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(quotactl),
    SCMP_SYS(quotactl_fd),
    SCMP_SYS(fanotify_init),
    /* the kernel itself */
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(reboot),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(syslog),
    SCMP_SYS(acct),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(adjtimex),
    SCMP_SYS(lookup_dcookie),
    SCMP_SYS(vhangup),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    /* keys live longer than processes */
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
};

static const int owner_changes[] = {
    SCMP_SYS(chown),
    SCMP_SYS(fchown),
    SCMP_SYS(lchown),
    SCMP_SYS(fchownat),
};

#define NAMESPACES                                                                                 \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |     \
     CLONE_NEWCGROUP)

/* clone's flags are its first argument but for one architecture. */
#ifdef __s390x__
#define CLONE_FLAGS_ARG 1
#else
#define CLONE_FLAGS_ARG 0
#endif

static int add_denied(scmp_filter_ctx filter)
{
    for (size_t i = 0; i < ARRAY_LEN(denied); i++) {
        int rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), denied[i], 0);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The call fails with `error` when the bits of `mask` in its argument are those of `value`. */
static int deny_when(scmp_filter_ctx filter, int call, int error, unsigned arg, uint64_t mask,
                     uint64_t value)
{
    struct scmp_arg_cmp match = {
        .arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value
    };
    return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((unsigned)error), call, 1, &match);
}

/* clone3 hides its flags in memory, where no filter sees them: it looks missing, and libc uses
 * clone. */
static int add_namespace_rules(scmp_filter_ctx filter)
{
    int rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    for (unsigned bit = 0; rc >= 0 && bit < 32; bit++) {
        uint64_t flag = UINT64_C(1) << bit;
        if (!(flag & NAMESPACES))
            continue;
        rc = deny_when(filter, SCMP_SYS(clone), EPERM, CLONE_FLAGS_ARG, flag, flag);
        if (rc >= 0)
            rc = deny_when(filter, SCMP_SYS(unshare), EPERM, 0, flag, flag);
    }
    return rc;
}

/* Typing into a terminal of someone else, and the sockets of a virtual machine's host. */
static int add_argument_rules(scmp_filter_ctx filter)
{
    int rc = deny_when(filter, SCMP_SYS(ioctl), EPERM, 1, UINT32_MAX, TIOCSTI);
    return rc < 0 ? rc : deny_when(filter, SCMP_SYS(socket), EAFNOSUPPORT, 0, UINT32_MAX, AF_VSOCK);
}

/* Root without CAP_CHOWN fails where programs that see uid 0 do not expect it: tar keeps the owners
 * of what it unpacks, and gives up. Owners are not part of an output, so changing them succeeds and
 * does nothing. */
static int add_owner_rules(scmp_filter_ctx filter)
{
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < ARRAY_LEN(owner_changes); i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), owner_changes[i], 0);
    return rc;
}

static void release_filter(scmp_filter_ctx *filter)
{
    if (*filter)
        seccomp_release(*filter);
}

static Status export_filter(Ctx *ctx, scmp_filter_ctx filter, Bytes *out)
{
    AUTO_FD fd = memfd_create("seccomp", MFD_CLOEXEC);
    if (fd < 0)
        return status_errno(ctx, errno, "could not make memory for the seccomp filter");
    int rc = seccomp_export_bpf(filter, fd);
    if (rc < 0)
        return status_errno(ctx, -rc, "could not export the seccomp filter");
    off_t size = lseek(fd, 0, SEEK_END);
    void *program = arena_must(ctx->arena, (size_t)size);
    TRY(file_pread_all(ctx, fd, program, (size_t)size, 0));
    *out = bytes(program, (size_t)size);
    return OK;
}

Status seccomp_filter_build(Ctx *ctx, bool as_root, Bytes *out)
{
    CLEANUP(release_filter) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return FAIL(ctx, INTERNAL, "could not make a seccomp filter");
    int rc = add_denied(filter);
    if (rc >= 0)
        rc = add_namespace_rules(filter);
    if (rc >= 0)
        rc = add_argument_rules(filter);
    if (rc >= 0 && as_root)
        rc = add_owner_rules(filter);
    if (rc < 0)
        return status_errno(ctx, -rc, "could not build the seccomp filter");
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE,
                     2); /* a tree; older libraries keep the list */
    return export_filter(ctx, filter, out);
}
