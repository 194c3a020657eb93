/* status.h - errors are values: a code, and a message that gathers context on its way up.
 *
 * An expected outcome is a bare STATUS(NOT_FOUND) and costs nothing. A message lives in the arena
 * of the ctx it was made with; a status that outlives its ctx is copied into the next one
 * (status_copy). Programmer errors are asserted, never returned. A function either logs or returns.
 */
#pragma once

#include "base/bytes.h"

typedef enum StatusCode {
#define X(name, grpc, http, s3, exit_code, retry) STATUS_##name = grpc,
#include "base/status_codes.def"
#undef X
} StatusCode;

#define STATUS_CODE_COUNT 17

typedef struct StatusInfo {
    const char *name;    /* "NOT_FOUND" */
    const char *s3_code; /* "NoSuchKey" */
    uint16_t http;
    uint8_t exit_code;
    bool retry;
} StatusInfo;

/* The row of a code; codes out of range give UNKNOWN's. */
const StatusInfo *status_info(StatusCode code);

/* A google.rpc detail: its type URL and its encoded bytes (grpc-status-details-bin). */
typedef struct StatusAny {
    const char *type_url;
    Bytes value;
    const struct StatusAny *next;
} StatusAny;

typedef struct StatusDetail {
    const char *message;
    const char *hint;     /* a full sentence for a person, or NULL */
    const StatusAny *any; /* details for the wire, or NULL */
} StatusDetail;

typedef struct Status {
    StatusCode code; /* STATUS_OK is 0 */
    const StatusDetail *detail;
} Status;

struct Ctx;

#define OK           ((Status){ STATUS_OK, NULL })
#define STATUS(name) ((Status){ STATUS_##name, NULL })

static inline bool status_ok(Status s)
{
    return s.code == STATUS_OK;
}

/* "" when the status has no message of its own: then its code's name. Never NULL. */
const char *status_message(Status s);

Status status_new(struct Ctx *ctx, StatusCode code, const char *format, ...) PRINTF_LIKE(3, 4);
/* The code that fits an errno, and "<message>: <strerror>". */
Status status_errno(struct Ctx *ctx, int error, const char *format, ...) PRINTF_LIKE(3, 4);
/* The same code and details, "<message>: <old message>". */
Status status_wrap(struct Ctx *ctx, Status inner, const char *format, ...) PRINTF_LIKE(3, 4);
Status status_with_hint(struct Ctx *ctx, Status inner, const char *hint);
Status status_with_any(struct Ctx *ctx, Status inner, const char *type_url, Bytes value);
Status status_copy(struct Ctx *ctx, Status s); /* into ctx's arena */

#define FAIL(ctx, name, ...) status_new((ctx), STATUS_##name, __VA_ARGS__)

/* Returns the callee's status from this function unless it is OK. */
#define TRY(expression)                                                                            \
    do {                                                                                           \
        Status try_status_ = (expression);                                                         \
        if (try_status_.code != STATUS_OK)                                                         \
            return try_status_;                                                                    \
    } while (0)

/* The same, adding what this floor was doing. */
#define TRY_WRAP(ctx, expression, ...)                                                             \
    do {                                                                                           \
        Status try_status_ = (expression);                                                         \
        if (try_status_.code != STATUS_OK)                                                         \
            return status_wrap((ctx), try_status_, __VA_ARGS__);                                   \
    } while (0)
