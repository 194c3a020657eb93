/* id.h - random ids: UUID v4 as 32 lower-case hex digits, the form of every global id. */
#pragma once

#include "base/bytes.h"

#define ID_SIZE 33 /* 32 digits and NUL */

typedef struct Id {
    char text[ID_SIZE];
} Id;

Id id_new(void);         /* from the kernel's randomness */
bool id_is_v4(Str text); /* 32 hex digits of either case with '4' at index 12 */
void random_bytes(void *out, size_t size);
uint64_t random_u64(void); /* fast, per thread, not for secrets */
