/* engine.h - where workers run: five functions, whatever is behind them (processes of this machine,
 * pods).
 *
 * An engine starts workers that connect back to the server and serve the Work stream; it decides
 * nothing. Workers are grouped: a group is a set of alike workers (on this machine one for all
 * datums, and one for each process that runs for long; one a pipeline version on Kubernetes).
 */
#pragma once

#include "base/event.h"

typedef struct Engine Engine;

#define ENGINE_GROUP_SIZE  48
#define ENGINE_GROUP_LOCAL "local" /* the workers that run datums */

typedef struct EngineWorker {
    char id[48];
    char group[ENGINE_GROUP_SIZE];
    char token[65];
    bool alive;
    int exit_status; /* as waitpid gives it, when not alive */
} EngineWorker;

typedef struct EngineOps {
    /* Makes the group and starts its first workers; 0: as many as the machine is to have. */
    Status (*start)(Engine *engine, Ctx *ctx, const char *group, size_t workers);
    /* Ends the group's workers, with kill at once, and forgets it. Waits until they are gone.
     * group NULL: all, and none is started any more. */
    Status (*stop)(Engine *engine, Ctx *ctx, const char *group, bool kill);
    /* group NULL: all. */
    Status (*list)(Engine *engine, Ctx *ctx, const char *group, EngineWorker **out, size_t *out_n);
    /* Kills one worker, which does not answer; another is started in its place. */
    void (*replace)(Engine *engine, const char *worker_id);
    /* Called from a thread of the engine whenever a worker ended or could not be started. */
    void (*watch)(Engine *engine, void (*fn)(void *arg, const EngineWorker *worker), void *arg);
    void (*free)(Engine *engine);
} EngineOps;

/* The head of every engine; an implementation embeds it first. */
struct Engine {
    const EngineOps *ops;
};

/* Is this a token given to a worker that lives? Constant time a candidate. out_group: whose. */
bool engine_knows_token(Engine *engine, const char *worker_id, const char *token,
                        char out_group[ENGINE_GROUP_SIZE]);
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
