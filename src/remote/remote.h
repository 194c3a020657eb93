/* remote.h - bytes from and to places outside: HTTP, object stores, files of this machine, SQL
 * databases. What the URLs are: url.h. Where credentials come from and how it works: README.md.
 *
 * The work is done by a helper process, pcv-courier, which may hang or crash without harm: a call
 * here waits for its answer until the ctx's deadline or cancellation at the latest. The helper
 * tries again what may be tried again, resumes reads, and keeps credentials to itself. Memory is
 * bounded, whatever the size of what is transferred.
 *
 * Errors of all calls, unless said: INVALID_ARGUMENT and UNKNOWN for URLs (url.h), UNIMPLEMENTED
 * for a kind that the configuration switches off, NOT_FOUND, PERMISSION_DENIED, UNAVAILABLE once
 * trying again did not help, ABORTED when an object changed while it was read; CANCELLED,
 * DEADLINE_EXCEEDED. They name the URL, without what may be secret in it.
 */
#pragma once

#include "remote/url.h"

typedef struct RemoteConfig {
    const char *program;   /* path of pcv-courier; NULL: no URL is available */
    const char *hosts;     /* which hosts may be reached, see README.md; "" any but link-local */
    bool files;            /* may URLs of files be used? */
    int64_t tries;         /* of each request, 1 or more */
    int64_t stall_seconds; /* a transfer that moves nothing for so long is tried again */
} RemoteConfig;

/* A helper and its connections, started with the first transfer. Belongs to one thread at a
 * time. */
typedef struct Remote Remote;
Remote *remote_new(const RemoteConfig *config); /* config must outlive it */
Remote *remote_free(Remote *remote);            /* ends what is under way; NULL is fine */
static inline void remote_freep(Remote **remote)
{
    *remote = remote_free(*remote);
}

/* Would this URL be served at all? Parses it, and looks at its kind. */
Status remote_check(Ctx *ctx, const RemoteConfig *config, const char *url,
                    RemoteUrl *out) NODISCARD;

/* One transfer under way. Any number up to remote_ops_max() may be open; they run in parallel. */
typedef struct RemoteOp RemoteOp;
#define REMOTE_OPS_MAX 1001
size_t remote_ops_max(void);          /* fewer where the limit of open descriptors is low */
RemoteOp *remote_close(RemoteOp *op); /* gives up what is not finished; NULL is fine */
static inline void remote_closep(RemoteOp **op)
{
    *op = remote_close(*op);
}

/* `key` names an object of the URL's bucket (or an absolute path, of a file URL); NULL: the URL's
 * own. Not for http. */

/* Bytes [offset, offset + size) of an object, as far as there are any; UINT64_MAX is all. */
Status remote_get(Ctx *ctx, Remote *remote, const char *url, const char *key, uint64_t offset,
                  uint64_t size, RemoteOp **out) NODISCARD;
/* The next piece, valid until the next call on the op; empty at the end. */
Status remote_read(Ctx *ctx, RemoteOp *op, Bytes *out) NODISCARD;

/* All objects whose key starts with the URL's, in the store's order. Not for http. */
typedef struct RemoteObject {
    Str key; /* valid until the next call on the op; empty at the end */
    uint64_t size;
} RemoteObject;
Status remote_list(Ctx *ctx, Remote *remote, const char *url, RemoteOp **out) NODISCARD;
Status remote_next(Ctx *ctx, RemoteOp *op, RemoteObject *out) NODISCARD;

/* Writes an object of exactly `size` bytes over what is there, atomically: it appears with
 * remote_finish, or never. Not for http. */
Status remote_put(Ctx *ctx, Remote *remote, const char *url, const char *key, uint64_t size,
                  RemoteOp **out) NODISCARD;
Status remote_write(Ctx *ctx, RemoteOp *op, Bytes data) NODISCARD;
Status remote_end(Ctx *ctx, RemoteOp *op) NODISCARD;    /* that was all; does not wait */
Status remote_finish(Ctx *ctx, RemoteOp *op) NODISCARD; /* ends it if need be, and waits */

/* OK as well when there is no such object. Not for http. */
Status remote_delete(Ctx *ctx, Remote *remote, const char *url, const char *key) NODISCARD;

/* --- SQL -------------------------------------------------------------------------------------- */

typedef enum RemoteRows { REMOTE_ROWS_CSV, REMOTE_ROWS_JSON } RemoteRows;

/* Files that become rows of tables, in one transaction. CSV: without columns a file has no header,
 * and as many fields as the table has columns; with columns it begins with a header that names them
 * in any order. JSON: objects one after the other, whose members `columns` names; one that is
 * missing is NULL. An empty field of CSV is NULL. */
typedef struct RemoteLoad {
    const char *url;      /* see RemoteDbUrl */
    const char *password; /* over the URL's */
    RemoteRows format;
    const char *const *columns; /* [column_count], in the table's order */
    size_t column_count;
} RemoteLoad;

/* Errors: also what the database says. */
Status remote_load(Ctx *ctx, Remote *remote, const RemoteLoad *load, RemoteOp **out) NODISCARD;
/* What is written from here on is a file for this table, which was emptied when it was first
 * named. */
Status remote_load_file(Ctx *ctx, RemoteOp *op, Str table, const char *file) NODISCARD;
/* Commits: all tables are replaced, or none. rows(arg, table, n) is called once for each. */
typedef Status (*RemoteRowsFn)(void *arg, Ctx *ctx, Str table, int64_t rows);
Status remote_load_commit(Ctx *ctx, RemoteOp *op, RemoteRowsFn fn, void *arg) NODISCARD;
