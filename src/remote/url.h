/* url.h - URLs of places outside, parsed. Pure.
 *
 *   http://, https://                     whatever answers GET
 *   s3://bucket/key                       Amazon S3, or what stands in for it (README.md)
 *   gs://bucket/key, gcs://…              Google's store, by its S3 dialect
 *   minio://host[:port]/bucket/key        S3 at that address; also test-minio://
 *   azblob://container/key                Azure's store; az:// is short for it
 *   wasb://container@account[.host]/key   the same, naming its account
 *   file:///path                          this machine's files
 */
#pragma once

#include "base/ctx.h"

typedef enum RemoteKind {
    REMOTE_HTTP,
    REMOTE_S3,
    REMOTE_GS,
    REMOTE_MINIO,
    REMOTE_AZURE,
    REMOTE_FILE,
} RemoteKind;

/* Texts are in the arena of the ctx it was parsed with, and end in NUL. */
typedef struct RemoteUrl {
    RemoteKind kind;
    const char *scheme; /* as given, lower case */
    const char *host;   /* minio: host[:port]; Azure: the account, or ""; else "" */
    const char *bucket; /* bucket or container; http and file: "" */
    const char *key;    /* percent-decoded, no slash at either end; file: an absolute path */
    const char *region; /* parameter `region`; "": not given */
} RemoteUrl;

#define REMOTE_URL_BYTES_MAX ((size_t)8192)

/* Errors: UNKNOWN "unrecognized object store: <scheme>", as clients know it; INVALID_ARGUMENT
 * naming the URL and what is wrong with it. */
Status remote_url_parse(Ctx *ctx, const char *url, RemoteUrl *out) NODISCARD;

/* The URL as messages and logs may show it: without user, password and parameters, which may hold
 * secrets. */
const char *remote_url_shown(Ctx *ctx, const char *url);

/* A key and a path below it: "a" and "/b/c" are "a/b/c". */
const char *remote_key_join(Ctx *ctx, const char *key, Str path);

/* A database: scheme://user[:password]@host[:port]/name[?parameter=value…]. */
typedef struct RemoteDbUrl {
    const char *scheme;                               /* "postgres" or "mysql" */
    const char *user, *password, *host, *port, *name; /* decoded; "": not given */
    const char *params;                               /* as given */
} RemoteDbUrl;

/* Errors: UNKNOWN "database protocol "x" not supported"; INVALID_ARGUMENT. */
Status remote_db_url_parse(Ctx *ctx, const char *url, RemoteDbUrl *out) NODISCARD;

/* The next "name=value" of parameters, decoded; false at the end. */
bool remote_param_next(Ctx *ctx, Str *params, const char **out_name, const char **out_value);

/* Percent-encodes all but unreserved characters (and '/', if kept). */
void remote_encode(Buf *out, Str text, bool keep_slashes);
