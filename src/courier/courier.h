/* courier.h - the helper process behind remote/remote.h: carries bytes between sockets of the
 * server and places outside. What it may do, and with whose credentials, is in remote/README.md.
 *
 * Each transfer is straight-line code on a thread of its own; it ends when its socket is closed.
 */
#pragma once

/* Serves requests (remote/protocol.h) from a socket of packets until that is closed, and then ends
 * the process at once, whatever is under way. */
_Noreturn void courier_serve(int control_fd);
