/* leftovers.c - see leftovers.h. */
#include "worker/leftovers.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "worker/report.h"

#define REPORTED_MAX      100 /* of thousands, the first tell enough */
#define CMDLINE_BYTES_MAX 1024

static size_t read_proc(pid_t pid, const char *name, char *out, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, out, size - 1);
    size_t length = got > 0 ? (size_t)got : 0;
    out[length] = '\0';
    return length;
}

static void report_one(int report_fd, pid_t pid)
{
    char comm[64], cmdline[CMDLINE_BYTES_MAX], text[CMDLINE_BYTES_MAX + 128];
    read_proc(pid, "comm", comm, sizeof(comm));
    comm[strcspn(comm, "\n")] = '\0';
    size_t size = read_proc(pid, "cmdline", cmdline, sizeof(cmdline));
    for (size_t i = 0; i + 1 < size; i++) {
        if (cmdline[i] == '\0')
            cmdline[i] = ' ';
    }
    snprintf(text, sizeof(text), "pid=%d comm=%s cmdline=%s", (int)pid, comm, cmdline);
    report_send(report_fd, REPORT_LEFTOVER, (int)pid, -1, text);
}

void leftovers_report(int report_fd)
{
    if (waitpid(-1, NULL, WNOHANG) < 0) /* no child: then nobody, as orphans become ours */
        return;
    DIR *proc = opendir("/proc");
    if (!proc)
        return;
    size_t reported = 0;
    for (struct dirent *entry; reported < REPORTED_MAX && (entry = readdir(proc));) {
        pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? (pid_t)atoi(entry->d_name) : 0;
        if (pid > 1) {
            report_one(report_fd, pid);
            reported++;
        }
    }
    closedir(proc);
}

/* Reports and kills those who are children now; how many. */
static size_t kill_children(int report_fd, size_t *reported)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    FILE *list = fopen(path, "re");
    size_t killed = 0;
    for (int pid; list && fscanf(list, "%d", &pid) == 1; killed++) {
        if ((*reported)++ < REPORTED_MAX)
            report_one(report_fd, pid);
        kill(pid, SIGKILL);
    }
    if (list)
        fclose(list);
    return killed;
}

void leftovers_kill(int report_fd, pid_t main_pid)
{
    size_t reported = 0;
    size_t killed = kill_children(report_fd, &reported);
    kill(-main_pid,
         SIGKILL); /* its group at once; those who left it in turn, as their parents die */
    while (killed > 0) {
        while (killed-- > 0)
            waitpid(-1, NULL, 0);
        killed = kill_children(report_fd, &reported);
    }
}
