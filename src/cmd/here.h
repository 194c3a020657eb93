/* here.h - what the server must know of the machine it runs on. */
#pragma once

#include "control/control.h"

/* Processors, memory, the disk that `data` is on, GPUs. What cannot be learned is 0. */
MachineSize here_size(const char *data);

/* How others, and user code on this machine, reach what listens on `bound` ("127.0.0.1:30650",
 * "[::]:30650"); a socket in the file system is reached by none of them. In ctx's arena. */
ControlAddress here_address(Ctx *ctx, const char *bound);
