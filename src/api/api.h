/* api.h - the services: one table of methods onto pfs, pps and the rest.
 *
 * Every way in ends here: gRPC calls this with wire's messages, the JSON gateway with its own
 * CallIo. A call is checked (the method exists, the request obeys the validation rules, the caller
 * may), run, and answered, whoever carried it.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "base/log_tail.h"
#include "control/control.h"
#include "pfs/pfs.h"
#include "pps/pps.h"
#include "wire/http.h"
#include "wire/wire.h"

typedef struct Api Api;

/* What the database must have been opened with, after pps's. */
extern const DbMigration api_migrations[];
extern const size_t api_migration_count;

#define API_URL_KEY_BYTES 32

typedef struct ApiConfig {
    Pfs *pfs;
    Pps *pps;
    ImageStore *images;
    Control *control;
    LogTail *log;             /* what the server logged lately */
    const uint8_t *url_key;   /* API_URL_KEY_BYTES, secret: signs the URLs that are given out */
    const char *cluster_id;   /* a UUID made at first start */
    const char *eval_program; /* path of pcv-eval */
    const char *data_dir;     /* of the server; full path */
    const char *sandbox;      /* as EngineLocalConfig's */
} ApiConfig;

Api *api_new(const ApiConfig *config); /* config's strings must outlive it */
Api *api_free(Api *api);               /* no call may be running; NULL is fine */

/* wire's handle: self is the Api. Unknown methods of known services answer UNIMPLEMENTED naming
 * themselves. */
Status api_handle(void *self, Ctx *ctx, WireCall *call);

/* What the services serve over plain HTTP: pieces of files, by URLs that they gave out. claims: is
 * the request for them? */
bool api_http_claims(const WireHttp *http);
Status api_http(Api *api, Ctx *ctx, WireHttp *http);

/* How messages reach a call, for ways in other than gRPC. */
typedef struct CallIo {
    Status (*recv)(void *self, Ctx *ctx, Buf *buf, bool *out_end);
    Status (*send)(void *self, Ctx *ctx, Bytes message);
    /* NULL: none. ":authority" is the host that the client called. */
    const char *(*metadata)(void *self, const char *key, size_t nth);
    void *self;
} CallIo;

/* Runs the method at path ("/pfs_v2.API/CreateRepo") over io. */
Status api_call(Api *api, Ctx *ctx, const char *path, const CallIo *io);
