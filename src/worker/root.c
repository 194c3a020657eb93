/* root.c - the steps that build a root out of mounts.
 *
 * An image's folder is not to be trusted: its links may point anywhere. So every path is resolved
 * inside the new root (RESOLVE_IN_ROOT) and mounts are moved onto descriptors, never onto names.
 */
#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "worker/perform_priv.h"
#include "worker/report.h"

#define PROC_FD_SIZE 32

/* A path of /proc that names an open descriptor, for calls that only take paths. */
static const char *proc_fd_path(int fd, char out[PROC_FD_SIZE])
{
    snprintf(out, PROC_FD_SIZE, "/proc/self/fd/%d", fd);
    return out;
}

static int root_fd(Performer *performer)
{
    if (performer->root_fd < 0)
        performer->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return performer->root_fd;
}

static int open_inside(Performer *performer, const char *path, int flags)
{
    struct open_how how = { .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
                            .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
    return (int)syscall(SYS_openat2, root_fd(performer), path, &how, sizeof(how));
}

/* Opens the folder that holds path's last element, which is *out_name; missing folders are made. */
static int open_parent(Performer *performer, const char *path, const char **out_name)
{
    const char *slash = strrchr(path, '/');
    *out_name = slash ? slash + 1 : path;
    char dir[PATH_MAX];
    size_t size = slash ? (size_t)(slash - path) : 0;
    if (size >= sizeof(dir)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(dir, path, size);
    dir[size] = '\0';
    int fd = open_inside(performer, size ? dir : "/", O_PATH | O_DIRECTORY);
    if (fd >= 0 || errno != ENOENT)
        return fd;

    const char *name;
    AUTO_FD above = open_parent(performer, dir, &name);
    if (above < 0 || (mkdirat(above, name, 0755) < 0 && errno != EEXIST))
        return -1;
    return open_inside(performer, dir, O_PATH | O_DIRECTORY);
}

/* Opens path inside as something to mount on; makes an empty folder or file when nothing is
 * there. */
static int open_mount_point(Performer *performer, const char *path, bool is_dir)
{
    int fd = open_inside(performer, path, O_PATH);
    if (fd >= 0 || errno != ENOENT)
        return fd;
    const char *name;
    AUTO_FD parent = open_parent(performer, path, &name);
    if (parent < 0)
        return -1;
    if (is_dir)
        return mkdirat(parent, name, 0755) < 0 ? -1 : open_inside(performer, path, O_PATH);
    return openat(parent, name, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
}

static int set_attributes(int mount_fd, unsigned flags, bool recursive)
{
    struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID, .propagation = MS_PRIVATE };
    if (!(flags & STEP_DEVICES))
        attr.attr_set |= MOUNT_ATTR_NODEV;
    if (flags & STEP_RO)
        attr.attr_set |= MOUNT_ATTR_RDONLY;
    else if (!(flags & STEP_DEVICES) && !recursive)
        attr.attr_clr |= MOUNT_ATTR_RDONLY;
    unsigned at = AT_EMPTY_PATH | (recursive ? (unsigned)AT_RECURSIVE : 0);
    return mount_setattr(mount_fd, "", at, &attr, sizeof(attr)) < 0 ? errno : 0;
}

int do_unshare(Performer *performer, const Step *step)
{
    (void)performer;
    return unshare((int)step->number) < 0 ? errno : 0;
}

static int write_proc(const char *path, const char *text)
{
    AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    return write(fd, text, strlen(text)) < 0 ? errno : 0;
}

/* Without privilege one id can be mapped, our own, and only after giving up setgroups. */
int do_map_ids(Performer *performer, const Step *step)
{
    char map[64];
    int error = write_proc("/proc/self/setgroups", "deny");
    if (error && error != ENOENT)
        return error;
    snprintf(map, sizeof(map), "%u %u 1", (unsigned)step->number, performer->outer_uid);
    error = write_proc("/proc/self/uid_map", map);
    if (error)
        return error;
    snprintf(map, sizeof(map), "%u %u 1", (unsigned)step->extra, performer->outer_gid);
    return write_proc("/proc/self/gid_map", map);
}

int do_private(Performer *performer, const Step *step)
{
    (void)performer;
    (void)step;
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? errno : 0;
}

int do_root(Performer *performer, const Step *step)
{
    if (mkdir(step->path, 0700) < 0 && errno != EEXIST)
        return errno;
    if (mount("tmpfs", step->path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
        return errno;
    performer->root_fd = open(step->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return performer->root_fd < 0 ? errno : 0;
}

int do_bind(Performer *performer, const Step *step)
{
    bool recursive = (step->flags & STEP_RECURSIVE) != 0;
    unsigned clone = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? (unsigned)AT_RECURSIVE : 0);
    AUTO_FD tree = open_tree(AT_FDCWD, step->source, clone);
    struct stat st;
    if (tree < 0 || fstat(tree, &st) < 0)
        return errno;
    int error = set_attributes(tree, step->flags, recursive);
    if (error)
        return error;
    AUTO_FD target = open_mount_point(performer, step->path, S_ISDIR(st.st_mode));
    if (target < 0)
        return errno;
    unsigned empty = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    return move_mount(tree, "", target, "", empty) < 0 ? errno : 0;
}

int do_symlink(Performer *performer, const Step *step)
{
    const char *name;
    AUTO_FD parent = open_parent(performer, step->path, &name);
    if (parent < 0)
        return errno;
    return symlinkat(step->source, parent, name) < 0 ? errno : 0;
}

int do_mkdir(Performer *performer, const Step *step)
{
    const char *name;
    AUTO_FD parent = open_parent(performer, step->path, &name);
    if (parent < 0)
        return errno;
    mode_t mode = (mode_t)step->number;
    if (mkdirat(parent, name, mode) < 0)
        return errno == EEXIST ? 0 : errno;
    return fchmodat(parent, name, mode, 0) < 0 ? errno : 0; /* whatever the umask */
}

static int mount_inside(Performer *performer, const char *path, const char *type,
                        unsigned long flags, const char *options)
{
    AUTO_FD target = open_mount_point(performer, path, true);
    char at[PROC_FD_SIZE];
    if (target < 0)
        return errno;
    return mount(type, proc_fd_path(target, at), type, flags, options) < 0 ? errno : 0;
}

int do_tmpfs(Performer *performer, const Step *step)
{
    char options[64];
    int size = snprintf(options, sizeof(options), "mode=%llo", (unsigned long long)step->extra);
    if (step->number)
        snprintf(options + size, sizeof(options) - (size_t)size, ",size=%llu",
                 (unsigned long long)step->number);
    return mount_inside(performer, step->path, "tmpfs", MS_NOSUID | MS_NODEV, options);
}

int do_devpts(Performer *performer, const Step *step)
{
    return mount_inside(performer, step->path, "devpts", MS_NOSUID | MS_NOEXEC,
                        "newinstance,ptmxmode=0666,mode=620");
}

/* A folder is covered by an empty one, anything else by /dev/null. */
int do_mask(Performer *performer, const Step *step)
{
    AUTO_FD target = open_inside(performer, step->path, O_PATH);
    struct stat st;
    if (target < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : errno;
    if (fstat(target, &st) < 0)
        return errno;
    char at[PROC_FD_SIZE];
    proc_fd_path(target, at);
    if (S_ISDIR(st.st_mode))
        return mount("tmpfs", at, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                     "size=4k,mode=0555") < 0
                   ? errno
                   : 0;
    return mount("/dev/null", at, NULL, MS_BIND, NULL) < 0 ? errno : 0;
}

int do_file(Performer *performer, const Step *step)
{
    const char *name;
    AUTO_FD parent = open_parent(performer, step->path, &name);
    if (parent < 0)
        return errno;
    AUTO_FD fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return errno;
    for (Bytes left = step->data; left.size;) {
        ssize_t put = write(fd, left.data, left.size);
        if (put < 0)
            return errno;
        left = bytes(left.data + put, left.size - (size_t)put);
    }
    return 0;
}

int do_read_only(Performer *performer, const Step *step)
{
    AUTO_FD fd = open_inside(performer, step->path, O_PATH);
    if (fd < 0)
        return errno;
    struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
    return mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ? errno : 0;
}

int do_hostname(Performer *performer, const Step *step)
{
    (void)performer;
    size_t size = strlen(step->source);
    return sethostname(step->source, MIN(size, 64)) < 0 ? errno : 0; /* the kernel's limit */
}

int do_loopback(Performer *performer, const Step *step)
{
    (void)performer;
    (void)step;
    AUTO_FD fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
    return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? errno : 0;
}

int do_door(Performer *performer, const Step *step)
{
    int pair[2];
    (void)step;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return errno;
    bool told = report_send(performer->report_fd, REPORT_DOOR, 0, pair[1], "");
    close(pair[1]);
    performer->door_fd = pair[0];
    return told ? 0 : EPIPE;
}

/* The old root ends up stacked on the new one, from where it is taken off. */
int do_pivot(Performer *performer, const Step *step)
{
    (void)step;
    if (fchdir(performer->root_fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
        umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return errno;
    close(performer->root_fd);
    performer->root_fd = -1;
    return 0;
}

/* All of it is read-only: to a uid 0 without any capability, /proc/sys and others would be
 * writable. */
int do_proc(Performer *performer, const Step *step)
{
    (void)performer;
    return mount("proc", step->path, "proc", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0
               ? errno
               : 0;
}
