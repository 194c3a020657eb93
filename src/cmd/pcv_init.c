/* pcv_init.c - pid 1 of a container that an OCI runtime made for a run: see worker/oci.h. Linked
 * statically, as the container's root need have no libraries. Not for people to run. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "worker/init.h"
#include "worker/oci.h"

/* The keeper's end of the pipe closes when it ends: that reaches us as SIGTERM, which is blocked
 * until the user's process is there to be ended. */
static void end_with_keeper(void)
{
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    fcntl(OCI_FD_LIFE, F_SETOWN, getpid());
    fcntl(OCI_FD_LIFE, F_SETSIG, SIGTERM);
    fcntl(OCI_FD_LIFE, F_SETFL, O_ASYNC);
    struct pollfd life = { .fd = OCI_FD_LIFE };
    if (poll(&life, 1, 0) > 0) /* it was gone before we listened */
        _exit(1);
}

int main(void)
{
    int fds[REQUEST_FD_COUNT];
    for (int i = 0; i < REQUEST_FD_COUNT; i++) {
        fds[i] = OCI_FD_RUN + i;
        if (fcntl(fds[i], F_SETFD, FD_CLOEXEC) < 0) {
            fprintf(stderr, "pcv-init: it is started by pcv-worker\n");
            return 1;
        }
    }
    close(OCI_FD_INIT);
    end_with_keeper();
    init_main(fds, true);
}
