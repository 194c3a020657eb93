/* pcv_courier.c - carries bytes between the server and places outside: web servers, object stores,
 * databases. It may hang or crash without harm to the server. */
#include <curl/curl.h>
#include <mysql.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "courier/courier.h"

/* Is standard input what the server gives us? */
static bool is_ours(void)
{
    int type = 0;
    socklen_t size = sizeof(type);
    return getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
           type == SOCK_SEQPACKET;
}

int main(void)
{
    const struct rlimit no_core = { 0, 0 }; /* it would hold credentials */
    if (!is_ours()) {
        fprintf(stderr, "pcv-courier is started by pcvd, to transfer files and rows\n");
        return 1;
    }
    setrlimit(RLIMIT_CORE, &no_core);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    signal(SIGPIPE, SIG_IGN);
    srandom((unsigned)clock_mono_ns());
    curl_global_init(CURL_GLOBAL_ALL);
    mysql_library_init(0, NULL, NULL);
    courier_serve(STDIN_FILENO);
}
