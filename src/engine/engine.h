/* engine.h - where workers run: five functions, whatever is behind them (processes of this machine,
 * pods).
 *
 * An engine starts workers that connect back to the server and serve the Work stream; it decides
 * nothing. Workers are grouped: a group is a set of alike workers (one group for all of this
 * machine; one a pipeline version on Kubernetes).
 */
#pragma once

#include "base/event.h"

typedef struct Engine Engine;

typedef struct EngineWorker {
    char id[48];
    char token[65];
    bool alive;
    int exit_status; /* as waitpid gives it, when not alive */
} EngineWorker;

typedef struct EngineOps {
    /* Makes the group and starts its first workers. */
    Status (*start)(Engine *engine, Ctx *ctx, const char *group, size_t workers);
    Status (*scale)(Engine *engine, Ctx *ctx, const char *group, size_t workers);
    /* Ends the group's workers; with kill at once. Waits until they are gone. */
    Status (*stop)(Engine *engine, Ctx *ctx, const char *group, bool kill);
    Status (*list)(Engine *engine, Ctx *ctx, const char *group, EngineWorker **out, size_t *out_n);
    /* Called from a thread of the engine whenever a worker ended or could not be started. */
    void (*watch)(Engine *engine, void (*fn)(void *arg, const EngineWorker *worker), void *arg);
    void (*free)(Engine *engine);
} EngineOps;

/* The head of every engine; an implementation embeds it first. */
struct Engine {
    const EngineOps *ops;
};

/* Is this a token given to a worker that lives? Constant time a candidate. */
bool engine_knows_token(Engine *engine, const char *worker_id, const char *token);
Engine *engine_free(Engine *engine); /* NULL is fine */

/* Processes on this machine. */
typedef struct EngineLocalConfig {
    const char *program; /* path of pcv-worker */
    const char *address; /* where workers connect: "unix:…" or "127.0.0.1:port" */
    const char *scratch; /* folder for caches and datums; created */
    const char *hidden;  /* the server's data folder, which no user code may see */
    const char *sandbox; /* who makes sandboxes: "own", "crun" or "runc" */
    size_t workers_max;
    bool require_sandbox; /* refuse to run user code where no sandbox is possible */
} EngineLocalConfig;
/* Errors: FAILED_PRECONDITION (the sandbox's runtime is not installed). */
Status engine_local_new(Ctx *ctx, const EngineLocalConfig *config, Engine **out) NODISCARD;
