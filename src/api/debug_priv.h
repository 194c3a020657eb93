/* debug_priv.h - what the files of debug_v2.Debug share. */
#pragma once

#include "api/api_priv.h"
#include "debug/debug.pb-c.h"

/* What the server's own process is doing, as text: "cpu" (over profile->duration), "heap",
 * "goroutine" or "threads". Errors: UNKNOWN for other names. */
Status debug_profile(Call *call, const DebugV2__Profile *profile, Buf *out);

/* The program of the server; of its workers when the filter asks for one of them. */
Status debug_program(Ctx *ctx, const DebugV2__Filter *filter, const char **out_path);

/* DumpV2. */
Status debug_dump(Call *call, const void *request);
