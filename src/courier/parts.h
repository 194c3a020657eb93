/* parts.h - an object written in parts, as the server sends its content. */
#pragma once

#include "courier/courier_priv.h"

/* What is larger than this is written in parts, at most PARTS_MAX of them. */
#define PART_BYTES_MIN (8 * MiB)
#define PARTS_MAX      9000

typedef struct PartsOps {
    Status (*whole)(void *arg, Bytes body); /* a small object at once */
    Status (*begin)(void *arg, const char **out_id);
    /* Numbers count from 1. What `end` is to be told goes to *parts. */
    Status (*part)(void *arg, const char *id, int number, Bytes body, Buf *parts);
    Status (*end)(void *arg, const char *id, Str parts);
    void (*drop)(void *arg, const char *id); /* after a failure; may be NULL */
} PartsOps;

Status parts_put(Transfer *transfer, const PartsOps *ops, void *arg);
