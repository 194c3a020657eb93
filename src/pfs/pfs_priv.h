/* pfs_priv.h - what the files that keep the rows share. */
#pragma once

#include "base/id.h"
#include "codec/pb.h"
#include "pfs/content.h"
#include "pfs/ids.h"
#include "pfs/pfs.h"

struct Pfs {
    Db *db;
    Store *store;
    Content content;
    PfsHooks hooks;
    RemoteConfig remote; /* program NULL: no URLs */
    PfsComputeFn compute; /* may be NULL */
    void *compute_self;
    PfsPromiseFn promise; /* may be NULL */
    void *promise_self;
    Cancel *closing; /* set when the Pfs closes: ends what runs in the background */
    Pool *pool;
    struct {
        pthread_mutex_t lock; /* guards what follows */
        Ids queue;            /* commits to finish that nobody waits for */
        bool running;         /* a thread works on it */
    } finisher;               /* finish.c */
    struct {
        pthread_mutex_t lock;
        pthread_t thread;
        bool started; /* when the first cron trigger came */
    } timer;          /* cron_timer.c */
};

/* One transaction. The lists are work for its end (tx.c). */
struct PfsTx {
    Pfs *pfs;
    DbTx *db;
    Id set_id;
    int64_t time_ns;
    Ids moved;        /* branches whose head moved: propagate downstream */
    Ids rewired;      /* branches that got upstream edges: check the rule of §8.1 */
    Ids headed;       /* repos whose heads must not be forgotten commits */
    Ids created;      /* commits of this set */
    size_t told;      /* of created, the hooks know this many */
    Ids finishing;    /* commits to finish */
    Ids late;         /* commits too big to finish under the writer's lock: right after */
    bool unsynced;    /* content was written in this transaction */
    const char *gone; /* a moved branch that was deleted since, in the ctx's arena; NULL: none */
};

/* --- rows ------------------------------------------------------------------------------------- */

typedef struct RepoRow {
    int64_t id, project_id;
    const char *project, *name, *type, *description;
    int64_t created_ns;
} RepoRow;

typedef struct BranchRow {
    int64_t id, repo_id, head_id;
    const char *project, *repo, *type, *name;
    int64_t trigger_id;         /* the branch that moves this one; 0: no trigger */
    const char *trigger_branch; /* its name */
    bool trigger_all;
    const char *trigger_rate, *trigger_size, *trigger_cron; /* "": not set */
    int64_t trigger_commits;
    int64_t cron_prev_ns; /* the tick last done; 0: none yet */
    const char *created_by;
    int64_t created_ns, updated_ns;
} BranchRow;

/* A query of repos, to be continued with a WHERE, and one row of what it returns. */
#define REPO_SELECT                                                                                \
    "SELECT r.id, r.project_id, p.name, r.name, r.type, r.description, r.created_ns "              \
    "FROM pfs_repo r JOIN pfs_project p ON p.id = r.project_id "
void repo_read(Ctx *ctx, const DbRows *rows, RepoRow *out);

/* By name or number. Errors: NOT_FOUND (bare): the caller knows what to call it; repo_find UNKNOWN
 * for a type that no repo has. */
Status project_find(Ctx *ctx, PfsTx *tx, const char *name, int64_t *out_id);
Status repo_find(Ctx *ctx, PfsTx *tx, const PfsV2__Repo *repo, RepoRow *out);
Status repo_get(Ctx *ctx, PfsTx *tx, int64_t id, RepoRow *out);
Status branch_find(Ctx *ctx, PfsTx *tx, int64_t repo_id, const char *name, BranchRow *out);
Status branch_get(Ctx *ctx, PfsTx *tx, int64_t id, BranchRow *out);
Status commit_find(Ctx *ctx, PfsTx *tx, int64_t repo_id, const char *set_id, int64_t *out_id);
Status commit_get(Ctx *ctx, PfsTx *tx, int64_t id, PfsCommitRow *out);

Status project_insert(Ctx *ctx, PfsTx *tx, const char *name, const char *description);

/* The first column of every row of a query with one number in it. */
Status ids_query(Ctx *ctx, PfsTx *tx, const char *sql, int64_t arg, Ids *out);

/* --- errors (§2.1) ---------------------------------------------------------------------------- */

Status err_repo_not_found(Ctx *ctx, const PfsV2__Repo *repo);
Status err_repo_row_not_found(Ctx *ctx, const PfsV2__Repo *repo);
Status err_branch_not_found(Ctx *ctx, const PfsV2__Branch *branch);
Status err_branch_row_not_found(Ctx *ctx, const PfsV2__Branch *branch);
Status err_commit_not_found(Ctx *ctx, const PfsV2__Commit *commit);
/* The row was there a moment ago. */
Status err_commit_deleted(Ctx *ctx, const PfsV2__Commit *commit);

/* The status of `found`, or `missing` (evaluated only then) when that is a bare NOT_FOUND. */
#define OR_MISSING(found, missing)                                                                 \
    __extension__({                                                                                \
        Status found_ = (found);                                                                   \
        found_.code == STATUS_NOT_FOUND && !found_.detail ? (missing) : found_;                    \
    })

/* --- names (§3.1, §3.2) ----------------------------------------------------------------------- */

Status name_check(Ctx *ctx, const char *name);
Status branch_name_check(Ctx *ctx, const char *name);
Status project_name_check(Ctx *ctx, const char *name);
/* Types outside the original's enum are errors wherever a repo is named (§2.1). */
Status repo_type_check(Ctx *ctx, const char *type);
Status err_repo_type(Ctx *ctx, const char *type);

/* --- messages --------------------------------------------------------------------------------- */

PfsV2__Repo *repo_ref(Ctx *ctx, const char *project, const char *name, const char *type);
char *repo_row_text(Ctx *ctx, const RepoRow *row);
PfsV2__Branch *branch_row_ref(Ctx *ctx, const BranchRow *row);
char *branch_row_text(Ctx *ctx, const BranchRow *row);
/* "project/repo.type@id" or "…@name", as the database layer's texts have it (§4). */
char *commit_row_key(Ctx *ctx, const PfsCommitRow *row);
char *branch_key(Ctx *ctx, const PfsV2__Branch *branch); /* of a filled handle */
Google__Protobuf__Timestamp *time_message(Ctx *ctx, int64_t ns); /* NULL for 0 */

int64_t time_ns_of(const Google__Protobuf__Timestamp *time); /* the nearest there is */

/* Pointers in an arena, for the repeated fields of messages. */
typedef struct PtrList {
    void **items;
    size_t n, capacity;
} PtrList;
void ptr_list_add(Ctx *ctx, PtrList *list, void *item);

/* The metadata of an object as map entries of the given type: each has key and value. */
Status metadata_entries(Ctx *ctx, PfsTx *tx, PfsObjectKind kind, int64_t object_id,
                        const ProtobufCMessageDescriptor *entry, PtrList *out);

/* --- walks over provenance (graph.c) ---------------------------------------------------------- */

typedef enum Edges {
    BRANCH_UP,   /* what a branch is derived from */
    BRANCH_DOWN, /* what is derived from it */
    BRANCH_FLOW, /* the same without edges that never propagate */
    COMMIT_UP,
    COMMIT_DOWN,
} Edges;

#define WALK_ITEMS_MAX 10000 /* what a walk returns when the caller sets no limit (§6.3) */
#define WALK_DEPTH_MAX 1000

Status graph_neighbours(Ctx *ctx, PfsTx *tx, Edges edges, int64_t id, Ids *out);
/* All that is reached from ids already in `seen`, nearest first, added to it; each visited once.
 * Stops when it holds items_max (0: no limit) or after depth_max steps (0: no limit). */
Status graph_closure(Ctx *ctx, PfsTx *tx, Edges edges, size_t items_max, size_t depth_max,
                     Ids *seen);
/* ids in an order in which each comes after all of ids it can reach directly by `edges`. */
Status graph_order(Ctx *ctx, PfsTx *tx, Edges edges, const Ids *ids, Ids *out);

/* --- commits ---------------------------------------------------------------------------------- */

typedef struct CommitNew {
    int64_t repo_id, branch_id, parent_id;
    PfsV2__OriginKind origin;
    const char *description; /* NULL is "" */
    bool closed;             /* finished and empty from the start */
    const Ids *provenance;   /* branches whose heads it depends on; NULL: none */
} CommitNew;
/* Errors: ALREADY_EXISTS when the repo has a commit of this set. */
Status commit_create(Ctx *ctx, PfsTx *tx, const CommitNew *spec, int64_t *out_id);
/* Makes the heads of these branches the commit's direct provenance. */
Status commit_set_provenance(Ctx *ctx, PfsTx *tx, int64_t id, const Ids *branches);
Status commit_has_provenance(Ctx *ctx, PfsTx *tx, int64_t id, bool *out);
/* Tells waiters that the row changed. */
void commit_notify(PfsTx *tx, const PfsCommitRow *row);
/* The commits of a set, in order of creation; none for an empty id. */
Status set_commits(Ctx *ctx, PfsTx *tx, const char *set_id, Ids *out);
/* Removes a commit (§11.5). */
Status commit_delete(Ctx *ctx, PfsTx *tx, int64_t id);
/* The info ListCommit sends: with the upper bound of the size. */
Status commit_info(Ctx *ctx, PfsTx *tx, const PfsCommitRow *row, bool with_bound,
                   PfsV2__CommitInfo **out);
Status infos_of(Ctx *ctx, PfsTx *tx, const Ids *ids, PtrList *out);
/* The info once the state is reached (§5.5). Errors: NOT_FOUND (bare) when there is no such row, or
 * none any more. */
Status commit_wait(Ctx *ctx, Pfs *pfs, int64_t id, PfsV2__CommitState state,
                   PfsV2__CommitInfo **out);

/* --- branches --------------------------------------------------------------------------------- */

/* A branch without a trigger and without provenance. */
Status branch_insert(Ctx *ctx, PfsTx *tx, int64_t id, int64_t repo_id, const char *name,
                     int64_t head_id);
Status branch_set_head(Ctx *ctx, PfsTx *tx, int64_t id, int64_t head_id);
/* Finds the branch or makes it, with an empty finished commit as its head. */
Status branch_ensure(Ctx *ctx, PfsTx *tx, const PfsV2__Branch *branch, BranchRow *out);
/* Pickers (§5.3). Errors: NOT_FOUND with the database layer's text. */
Status repo_pick(Ctx *ctx, PfsTx *tx, const PfsV2__RepoPicker *picker, RepoRow *out);
Status branch_pick(Ctx *ctx, PfsTx *tx, const PfsV2__BranchPicker *picker, BranchRow *out);
Status branch_resolve(Ctx *ctx, PfsTx *tx, const PfsV2__Branch *branch, BranchRow *out);
Status branch_delete(Ctx *ctx, PfsTx *tx, const BranchRow *row, bool force);
Status branch_info(Ctx *ctx, PfsTx *tx, const BranchRow *row, PfsV2__BranchInfo **out);

/* --- repos ------------------------------------------------------------------------------------ */

/* pfs_delete_repos without its prefix. */
Status repos_delete(Ctx *ctx, PfsTx *tx, const PfsV2__DeleteReposRequest *request,
                    PfsV2__DeleteReposResponse **out);

/* --- the end of a transaction ----------------------------------------------------------------- */

/* A set id of its own for what follows, when this one has commits already. */
void tx_renew_set(PfsTx *tx);
/* Errors: UNKNOWN when a head of the repo is a forgotten commit. */
Status check_heads(Ctx *ctx, PfsTx *tx, int64_t repo_id);
Status propagate(Ctx *ctx, PfsTx *tx);
/* Takes tx->rewired: their parts of the graph keep the rule of §8.1 (dag.c). Errors: UNKNOWN when one
 * does not, NOT_FOUND when a moved branch was deleted. */
Status dag_check(Ctx *ctx, PfsTx *tx);
/* Finishes a commit if what it needs is there; else leaves it, or puts it in tx->late. */
Status finish_try(Ctx *ctx, PfsTx *tx, int64_t id);
/* Finishes commits after the transaction that closed them; what cannot be done now is done in the
 * background. */
void finish_late(Ctx *ctx, Pfs *pfs, Ids *late);
/* Takes up what a stopped process left unfinished. */
Status finish_resume(Ctx *ctx, Pfs *pfs);
/* pfs_commit, but what is late is added to *late. */
Status tx_commit(Ctx *ctx, PfsTx *tx, Ids *late);

/* --- content of commits ----------------------------------------------------------------------- */

/* *out_unfinished is the commit whose end must be awaited first, or 0: then *out_root is valid. */
Status commit_base(Ctx *ctx, PfsTx *tx, const PfsCommitRow *row, Hash *out_root,
                   int64_t *out_unfinished);

typedef struct Total {
    Hash root;
    const char *error; /* the rule of §13.4 it breaks; "" when none */
} Total;
/* The layers of a commit that its view does not hold yet. */
typedef struct Pending {
    Hash *layers;
    size_t n;
    int64_t entries;
} Pending;
Status pending_load(Ctx *ctx, PfsTx *tx, const PfsCommitRow *row, Pending *out);
Status all_load(Ctx *ctx, PfsTx *tx, const PfsCommitRow *row, Pending *out); /* not only those */
/* base with the row's view and the pending layers on top. Runs outside of any transaction; writes
 * blobs that are not yet synced. `all` are all layers of the commit, looked at only when something
 * breaks a rule. */
Status total_compute(Ctx *ctx, Pfs *pfs, const PfsCommitRow *row, const Hash *base,
                     const Pending *pending, const Pending *all, Total *out);
Status view_save(Ctx *ctx, PfsTx *tx, const PfsCommitRow *row, const Total *total, int64_t layers);

/* --- triggers (§10) --------------------------------------------------------------------------- */

Status trigger_validate(Ctx *ctx, PfsTx *tx, const RepoRow *repo, const char *branch,
                        const PfsV2__Trigger *trigger);
Status trigger_store(Ctx *ctx, PfsTx *tx, int64_t branch_id, const RepoRow *repo,
                     const PfsV2__Trigger *trigger);
/* The branches that a branch moves. Few have a trigger, and only the second term lets the database use
 * that. */
#define TRIGGERED_SQL                                                                              \
    "SELECT id FROM pfs_branch WHERE trigger_id = ? AND trigger_id <> 0 ORDER BY id"
/* Moves the branches that wait for this commit, which finished without error. */
Status trigger_fire(Ctx *ctx, PfsTx *tx, int64_t commit_id);
uint64_t cron_topic(void);               /* published when a cron trigger came, changed or went */
Status cron_start(Ctx *ctx, Pfs *pfs);   /* if there is any cron trigger */
void cron_start_after_commit(PfsTx *tx); /* there will be one */
void cron_stop(Pfs *pfs);
/* Moves what is due at now_ns and says when the next tick is; INT64_MAX: never. */
Status cron_tick(Ctx *ctx, Pfs *pfs, int64_t now_ns, int64_t *out_next_ns);
