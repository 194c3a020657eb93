/* get.h - reading contents, for verbs that need them. */
#pragma once

#include "cmd/pcv/cli.h"

/* Writes the content of one file. */
Status get_to_fd(Cli *cli, PfsV2__File *file, int fd) NODISCARD;
