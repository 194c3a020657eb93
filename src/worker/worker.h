/* worker.h - one datum: inputs in, sandbox, user code, outputs out (pps.md §13-§15).
 *
 * A Worker owns a folder (a cache of input content, and one slot for the datum at work) and the
 * sandboxes it opened. It knows no transport: all it reads from and hands to the server goes
 * through WorkerIo, a table its owner binds. A Worker is used by one thread at a time; a program
 * that overlaps datums has a Worker for each.
 */
#pragma once

#include "worker/sandbox.h"

typedef struct Worker Worker;

typedef struct WorkerConfig {
    const char *dir; /* created; its old content is removed */
    const char *const
        *hidden; /* what no user code may see: the server's data folder, other workers' folders */
    size_t hidden_count;
    uint64_t
        cache_bytes_max; /* of unpacked inputs; 0: WORKER_CACHE_BYTES. One datum may exceed it */
    uint64_t disk_reserve_bytes;        /* user code is killed when the disk has less left; 0:
                                           WORKER_DISK_RESERVE_BYTES */
    const char *runtime, *runtime_init; /* as in SandboxConfig */
    bool require_sandbox;               /* refuse to run user code as a plain process */
    const char *tool; /* pcv, which user code finds in its PATH, also as pachctl; NULL: none */
    SandboxLevel level_max; /* as in SandboxConfig */
} WorkerConfig;
#define WORKER_CACHE_BYTES        (10 * GiB)
#define WORKER_DISK_RESERVE_BYTES (256 * MiB)
#define WORKER_PIDS               4096 /* processes and threads of a datum, when the spec sets no limit */

Status worker_open(Ctx *ctx, const WorkerConfig *config, Worker **out) NODISCARD;
Worker *worker_close(Worker *worker); /* removes its folder; NULL is fine */
static inline void worker_closep(Worker **worker)
{
    *worker = worker_close(*worker);
}

/* --- what to do ------------------------------------------------------------------------------ */

typedef struct WorkerPair {
    const char *key;
    const char *value;
} WorkerPair;

/* What is the same for all datums of a set. Strings may be NULL where they may be "". */
typedef struct WorkerSpec {
    const char *project, *pipeline, *job_id;
    const char *output_commit; /* PACH_OUTPUT_COMMIT_ID; "" : the job's id */
    const char *pod_name, *spec_commit, *worker_id;
    const char *const *cmd; /* NULL-terminated */
    const char *const *err_cmd;
    const char *const *stdin_lines; /* NULL-terminated; none: /dev/null */
    const char *const *err_stdin_lines;
    const int64_t *accept_return_codes;
    size_t accept_return_code_count;
    const WorkerPair *env; /* transform.env */
    size_t env_count;
    const WorkerPair *server_env; /* secrets, S3_ENDPOINT, PACH_TOKEN: wins over env */
    size_t server_env_count;
    const char *const *image_env; /* NULL-terminated "KEY=value" */
    const char *image_working_dir, *image_user;
    const char *working_dir, *user; /* of the transform: win over the image's */
    const char *root_dir;           /* unpacked image; "": the host */
    const SandboxFile *files;       /* secrets with a mount path */
    size_t file_count;
    const MaskSet *mask; /* secrets that no log nor reason shows; NULL: none */
    SandboxLimits limits;
    uint64_t disk_bytes;   /* of /pfs/out; 0 is no limit */
    int64_t tries;         /* at least one is made */
    int64_t timeout_ns;    /* of one attempt's process; 0 is none */
    const char *grpc_port; /* where this worker answers; NULL: nowhere */
    bool s3_out, no_network, gpu;
} WorkerSpec;

/* A file, or a directory (its path ends with '/') with all below it. */
typedef struct WorkerInput {
    const char *name;   /* /pfs/<name> */
    const char *commit; /* id, for <name>_COMMIT */
    const char *path;   /* "/dir/a" in the repo */
    Bytes hash;         /* of the content, and nothing else; empty: unknown, never cached */
    uint64_t size_bytes;
    bool lazy, empty_files, s3;
    const char *join_on, *group_by; /* expanded; NULL or "" is none */
    bool has_content;
    Bytes content;      /* the whole file, when has_content */
    const void *source; /* the owner's handle on the file; passed through */
} WorkerInput;

typedef struct WorkerDatum {
    const char *id;
    const WorkerInput *inputs;
    size_t input_count;
    uint64_t index; /* the owner's number for it; passed through */
} WorkerDatum;

/* --- how to reach the server ----------------------------------------------------------------- */

/* Takes files one after the other: file() starts one and says whether its bytes are wanted; then
 * data() any number of times. Errors stop the fetch and are returned by it. */
typedef struct WorkerSink WorkerSink;
struct WorkerSink {
    /* path: absolute in the repo. hash as in WorkerInput, may be empty. */
    Status (*file)(WorkerSink *sink, Ctx *ctx, const char *path, Bytes hash, uint64_t size_bytes,
                   bool *out_wanted);
    Status (*data)(WorkerSink *sink, Ctx *ctx, Bytes piece);
    /* May be NULL: yes. Will file() likely want the bytes of this hash? */
    bool (*needs)(WorkerSink *sink, Bytes hash);
};

typedef struct WorkerIo WorkerIo;
struct WorkerIo {
    /* Streams the regular files at `path` of the input's commit (a file, or a directory ending with
     * '/') into sink, in path order. names_only: no file's bytes will be wanted. Called from other
     * threads too for lazy inputs. */
    Status (*fetch)(WorkerIo *io, Ctx *ctx, const WorkerInput *input, const char *path,
                    bool names_only, WorkerSink *sink);
    /* May be NULL. The files that are fetched next, most likely all and in this order; they and the
     * list stay until it is called again, with n = 0 when the datum's inputs are placed. */
    void (*expect)(WorkerIo *io, const WorkerInput *const *inputs, size_t n);
    /* The output, after an attempt succeeded: begin, then any number of file+data and copy in path
     * order, then finish; or abort at any point after begin. A path comes once. data pieces are at
     * most 1 MiB. */
    Status (*output_begin)(WorkerIo *io, Ctx *ctx, const WorkerDatum *datum);
    Status (*output_file)(WorkerIo *io, Ctx *ctx, const char *path, uint64_t size_bytes);
    Status (*output_data)(WorkerIo *io, Ctx *ctx, Bytes piece);
    /* source_path of the input's commit (file, or directory ending with '/') appears at path: no
     * bytes move. */
    Status (*output_copy)(WorkerIo *io, Ctx *ctx, const char *path, const WorkerInput *input,
                          const char *source_path);
    Status (*output_finish)(WorkerIo *io, Ctx *ctx);
    void (*output_abort)(WorkerIo *io, Ctx *ctx);
    /* One line of log: the user's code's (is_user), or the worker's own. */
    void (*log)(WorkerIo *io, const WorkerDatum *datum, bool is_user, SandboxStream stream,
                Str line, int64_t wall_ns);
    /* An attempt's user code is about to run. May be NULL. */
    void (*started)(WorkerIo *io, const WorkerDatum *datum);
    /* May be NULL. The process that runs now; who sets attempt fails this try. NULL: it ended, and
     * attempt must not be used any more. */
    void (*attempt)(WorkerIo *io, const WorkerDatum *datum, Cancel *attempt);
};

/* --- what came of it ------------------------------------------------------------------------- */

typedef enum WorkerState { WORKER_PROCESSED, WORKER_FAILED, WORKER_RECOVERED } WorkerState;

/* Of the last attempt. */
typedef struct WorkerStats {
    int64_t download_ns, process_ns, upload_ns;
    uint64_t download_bytes, upload_bytes;
} WorkerStats;

typedef struct WorkerResult {
    WorkerState state;
    const char *reason;  /* of a datum that failed or was recovered, in ctx's arena; else "" */
    const char *warning; /* as sandbox_warnings */
    WorkerStats stats;
    int64_t tries;
    int64_t started_wall_ns, finished_wall_ns;
} WorkerResult;

/* Runs a datum with all its tries. OK says that the datum has a result, also a failed one; anything
 * else that it has none, for reasons that are not its own (server gone, no sandbox, cancelled): run
 * it again later, anywhere. */
Status worker_run_datum(Ctx *ctx, Worker *worker, WorkerIo *io, const WorkerSpec *spec,
                        const WorkerDatum *datum, WorkerResult *out) NODISCARD;

/* --- many datums in one process (pps.md §17) -------------------------------------------------- */

/* The process asks for one datum after the other, which also says how the last one went. How its
 * calls come in is the owner's business: a door, opened anew for each process, so that no call of
 * one that was killed is taken for the next one's. All from the thread that runs the batch. */

typedef struct WorkerDoor WorkerDoor;
struct WorkerDoor {
    /* Lets calls in. *out_port: as the process is told, in ctx's arena. *out_fd, the door's own:
     * readable when `turn` has something to do. */
    Status (*open)(WorkerDoor *door, Ctx *ctx, const char **out_port, int *out_fd);
    /* Serves what came and sends what was answered, without waiting. What the oldest call that asks
     * for a datum says of the one before ("": it went well, or there was none), valid until it is
     * answered; NULL: nobody asks. */
    const char *(*turn)(WorkerDoor *door);
    /* Answers that call with the datum's environment, NULL-terminated. False: who asked is gone. */
    bool (*answer)(WorkerDoor *door, const char *const *env);
    void (*close)(WorkerDoor *door); /* calls that are not answered are dropped */
};

/* Runs datums[n], and tells of each as it is done. As worker_run_datum else; datums that `done` was
 * not called for have no result. */
typedef void (*WorkerDoneFn)(void *arg, size_t index, const WorkerResult *result);
Status worker_run_batch(Ctx *ctx, Worker *worker, WorkerIo *io, const WorkerSpec *spec,
                        WorkerDoor *door, const WorkerDatum *datums, size_t n, WorkerDoneFn done,
                        void *arg) NODISCARD;

/* --- a process that is kept running (pps.md §18, §19) ----------------------------------------- */

typedef struct WorkerService {
    uint16_t internal_port;  /* where the process listens; 0: it does not */
    uint16_t external_port;  /* where it is to be reached; 0 or internal_port: as it listens */
    const char *listen_host; /* a numeric address, of external_port */
    /* How it goes: error is why the process cannot run now, "" when it does. It is tried again
     * until ctx ends. */
    void (*tell)(void *self, const char *error);
    void *self;
} WorkerService;
#define WORKER_SERVICE_PAUSE_NS_MIN (NS_PER_SEC)
#define WORKER_SERVICE_PAUSE_NS_MAX (60 * NS_PER_SEC)

/* Runs the command again and again, with the inputs of datum (NULL: none) freshly placed; after
 * each end it pauses, the longer the shorter the process lived. Nothing is taken up from /pfs/out.
 * Returns when ctx is cancelled, or when the connection to the server is lost. */
Status worker_serve(Ctx *ctx, Worker *worker, WorkerIo *io, const WorkerSpec *spec,
                    const WorkerDatum *datum, const WorkerService *service) NODISCARD;

/* What isolation this machine gives a worker; opens and closes a sandbox to find out. */
Status worker_probe(Ctx *ctx, Worker *worker, SandboxLevel *out) NODISCARD;
