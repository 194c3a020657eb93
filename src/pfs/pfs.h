/* pfs.h - the versioned file system: projects, repos, branches, commits, provenance. (view.h reads
 * files, write.h writes them.)
 *
 * Requests and infos are the API's own messages (proto/pfs/pfs.proto), made in ctx's arena: every
 * way in (gRPC, JSON, S3, mount, CLI) goes through these functions, so validation and errors are
 * the same everywhere. Behaviour: the reference's pfs.md; its section is named at each function.
 *
 * A PfsTx is one transaction (§7): it carries the commit-set id and the one timestamp of all it
 * does, and work to do at its end (propagation, jobs). pfs_commit does that work and makes all
 * durable at once.
 */
#pragma once

#include "db/db.h"
#include "pfs/pfs.pb-c.h"
#include "procavia/v1/procavia.pb-c.h"
#include "remote/remote.h"
#include "store/store.h"

typedef struct Pfs Pfs;
typedef struct PfsTx PfsTx;

/* What the floor above (pps) wants to know and do inside a transaction; any member may be NULL. */
typedef struct PfsHooks {
    /* End of a write transaction: commits newly created in this set, as rows (id), in creation
     * order. */
    Status (*commits_created)(void *self, Ctx *ctx, PfsTx *tx, const int64_t *commits, size_t n);
    /* A commit of a user repo became finished; error is "" or the commit's error. */
    Status (*commit_finished)(void *self, Ctx *ctx, PfsTx *tx, int64_t commit, const char *error);
    /* A commit is about to be deleted. */
    Status (*commit_deleting)(void *self, Ctx *ctx, PfsTx *tx, int64_t commit);
    /* May this repo be deleted / finished by a user? Non-OK says why not. */
    Status (*repo_delete_check)(void *self, Ctx *ctx, PfsTx *tx, const PfsV2__Repo *repo);
    Status (*user_finish_check)(void *self, Ctx *ctx, PfsTx *tx, const PfsV2__Repo *repo);
    /* May ctx's user start commits on this branch, although it is derived from others? */
    Status (*user_may_start)(void *self, Ctx *ctx, PfsTx *tx, const PfsV2__Branch *branch,
                             bool *out);
    void *self;
} PfsHooks;

/* db must have been opened with pfs_migrations. Creates project "default" on a fresh database. A
 * Pfs may be shared by threads; a PfsTx belongs to one. */
extern const DbMigration pfs_migrations[];
extern const size_t pfs_migration_count;
/* Opens the file system over a database and a store that outlive it. out: the caller's, to be
 * closed. Errors: those of the database. */
Status pfs_open(Ctx *ctx, Db *db, Store *store, Pfs **out) NODISCARD;
/* Takes up what the last run left unfinished, and starts the timers; once the hooks are set. */
Status pfs_start(Ctx *ctx, Pfs *pfs) NODISCARD;
Pfs *pfs_close(Pfs *pfs); /* stops its timers; NULL is fine */
static inline void pfs_closep(Pfs **pfs)
{
    *pfs = pfs_close(*pfs);
}
void pfs_set_hooks(Pfs *pfs, const PfsHooks *hooks); /* before there are requests */
const PfsHooks *pfs_hooks(const Pfs *pfs);           /* as set; all NULL at first */
/* How URLs are reached (§20): without it they are not. Texts must outlive the Pfs; before there are
 * requests. */
void pfs_set_remote(Pfs *pfs, const RemoteConfig *config);
/* Who computes what commits of ".meta" repos show. *out: in ctx's arena; NULL: what is stored. */
struct TreeSource;
struct PfsCommitRow;
typedef Status (*PfsComputeFn)(void *self, Ctx *ctx, const struct PfsCommitRow *row,
                               const struct TreeSource **out);
void pfs_set_computed(Pfs *pfs, PfsComputeFn fn, void *self); /* before there are requests */
/* Who fills file sets that were named before they are made: one is made when it is first asked for.
 * token: 32 hex digits. Errors: NOT_FOUND (bare) for a name that nobody gave. */
struct PfsWriter;
typedef Status (*PfsPromiseFn)(void *self, Ctx *ctx, const char *token, struct PfsWriter *writer);
void pfs_set_promises(Pfs *pfs, PfsPromiseFn fn, void *self); /* before there are requests */
/* The database under it, not owned by the caller. */
Db *pfs_db(Pfs *pfs);
/* The store under it, not owned by the caller. */
Store *pfs_store(Pfs *pfs);
struct Content *pfs_content(Pfs *pfs); /* content.h */

/* --- transactions ----------------------------------------------------------------------------- */

/* set_id: the id of an explicit transaction, or NULL for a fresh one. */
Status pfs_begin_write(Ctx *ctx, Pfs *pfs, const char *set_id, PfsTx **out) NODISCARD;
/* A snapshot: what others commit meanwhile is not seen. out: to be rolled back. Errors:
 * UNAVAILABLE. */
Status pfs_begin_read(Ctx *ctx, Pfs *pfs, PfsTx **out) NODISCARD;
Status pfs_commit(Ctx *ctx, PfsTx *tx) NODISCARD; /* ends and frees tx, whatever it returns */
Status pfs_commit_lazily(Ctx *ctx, PfsTx *tx) NODISCARD; /* as db_commit_lazily */
/* Does the work of the end without ending tx, which is then only good to be rolled back: a
 * trial. */
Status pfs_settle(Ctx *ctx, PfsTx *tx) NODISCARD;
/* Ends tx with nothing changed; NULL is fine; always returns NULL. */
PfsTx *pfs_rollback(PfsTx *tx);
static inline void pfs_rollbackp(PfsTx **tx)
{
    *tx = pfs_rollback(*tx);
}
/* The rows' transaction inside tx, for floors above with rows of their own. */
DbTx *pfs_tx_db(PfsTx *tx);
/* Whose transaction this is. */
Pfs *pfs_tx_pfs(PfsTx *tx);
/* The id that each commit made in tx bears: 32 lower-case hex digits. */
const char *pfs_tx_set_id(const PfsTx *tx);
/* The one time of all that tx does: wall clock, ns since 1970. */
int64_t pfs_tx_time_ns(const PfsTx *tx);

/* --- handles as text (§4) --------------------------------------------------------------------- */

/* "project/name[.type]" */
char *pfs_repo_text(Ctx *ctx, const PfsV2__Repo *repo);       /* "project/name[.type]" */
char *pfs_branch_text(Ctx *ctx, const PfsV2__Branch *branch); /* "project/name@branch" */
char *pfs_commit_text(Ctx *ctx, const PfsV2__Commit *commit);
/* Copies with project, type and repo filled in by the defaults of §3.3; NULL stays NULL. */
PfsV2__Repo *pfs_repo_fill(Ctx *ctx, const PfsV2__Repo *repo);
/* As pfs_repo_fill; the branch's repo is filled in too. */
PfsV2__Branch *pfs_branch_fill(Ctx *ctx, const PfsV2__Branch *branch);
/* The same for a commit, whose repo may stand in its branch. Errors: UNKNOWN "commit cannot be
 * nil", "commit must have a repo". */
Status pfs_commit_fill(Ctx *ctx, const PfsV2__Commit *commit, PfsV2__Commit **out) NODISCARD;
/* Does the handle name a file set (§17.2)? Those have no rows here and cannot be picked. */
#define PFS_FILESETS_REPO "__filesets__"
bool pfs_is_fileset(const PfsV2__Commit *commit);

/* Messages in ctx's arena. */
PfsV2__Repo *pfs_repo_ref(Ctx *ctx, const char *project, const char *name, const char *type);
/* As pfs_repo_ref, with its repo of type "user". */
PfsV2__Branch *pfs_branch_ref(Ctx *ctx, const char *project, const char *repo, const char *branch);
/* As pfs_repo_ref; the commit names no branch. */
PfsV2__Commit *pfs_commit_ref(Ctx *ctx, const char *project, const char *repo, const char *id);

/* --- picking a commit (§5) -------------------------------------------------------------------- */

typedef enum PfsState { PFS_OPEN = 1, PFS_FINISHING = 3, PFS_FINISHED = 4 } PfsState;

/* A commit's row, as internal callers need it. Text is in the arena of the ctx it was read with. */
typedef struct PfsCommitRow {
    int64_t id; /* creation order */
    int64_t repo_id;
    int64_t parent_id; /* 0: none */
    int64_t branch_id; /* 0: none or deleted */
    char set_id[33];
    PfsState state;
    bool forgotten;
    int origin;        /* PfsV2__OriginKind */
    const char *error; /* "" when none */
    const char *project, *repo, *repo_type, *branch;
    const char *description, *created_by;
    int64_t started_ns, finishing_ns, finished_ns, updated_ns; /* 0: not yet */
    Hash root;          /* finished: total content; finished with an error: what it was built on */
    bool root_known;    /* root is valid: always so once finished without error */
    int64_t size_bytes; /* of the total; 0 until finished */
    int64_t computing_ns; /* how long the content took; -1: never computed */
    int64_t layer_count, layer_bytes;
    Hash view_root; /* content up to the first view_layers layers */
    int64_t view_layers;
    const char *view_error; /* the rule (§13.4) that the view breaks; "" when none */
} PfsCommitRow;

/* The commit that a handle means: an id, a branch's head, and ancestry from there (§5). Errors:
 * NOT_FOUND naming the commit, repo or project; UNKNOWN (a malformed handle, history too short). */
Status pfs_pick(Ctx *ctx, PfsTx *tx, const PfsV2__Commit *commit, PfsCommitRow *out);
/* The same for a picker. Errors: as pfs_pick; UNKNOWN (an empty picker). */
Status pfs_pick_by_picker(Ctx *ctx, PfsTx *tx, const PfsV2__CommitPicker *picker,
                          PfsCommitRow *out);
/* A row by its number. Errors: NOT_FOUND. */
Status pfs_commit_row(Ctx *ctx, PfsTx *tx, int64_t id, PfsCommitRow *out);
/* A commit as the API shows it. Errors: NOT_FOUND. */
Status pfs_commit_info(Ctx *ctx, PfsTx *tx, int64_t id, PfsV2__CommitInfo **out);
PfsV2__Commit *pfs_commit_row_ref(Ctx *ctx, const PfsCommitRow *row); /* repo and id, no branch */
/* "project/repo@id", for messages. */
char *pfs_commit_row_text(Ctx *ctx, const PfsCommitRow *row);

/* For pps: head of a branch (0 when the branch is missing); the commit of a repo in a set (0:
 * none). */
Status pfs_branch_head(Ctx *ctx, PfsTx *tx, const PfsV2__Branch *branch, int64_t *out_commit);
/* The repo's commit that bears the set's id; 0 when there is none. */
Status pfs_commit_in_set(Ctx *ctx, PfsTx *tx, const PfsV2__Repo *repo, const char *set_id,
                         int64_t *out_commit);

/* Topics of the event bus (db_events): a commit changed its state, or vanished before it was
 * finished; a repo got or lost a commit, or vanished. */
uint64_t pfs_topic_commit(int64_t commit);
/* A repo got or lost a commit, or vanished. */
uint64_t pfs_topic_repo(int64_t repo);

/* Called once for each item of a stream; an error ends the stream and is returned. */
typedef Status (*PfsCommitFn)(void *arg, Ctx *ctx, const PfsV2__CommitInfo *info);
typedef Status (*PfsRepoFn)(void *arg, Ctx *ctx, const PfsV2__RepoInfo *info);
typedef Status (*PfsBranchFn)(void *arg, Ctx *ctx, const PfsV2__BranchInfo *info);
typedef Status (*PfsProjectFn)(void *arg, Ctx *ctx, const PfsV2__ProjectInfo *info);
typedef Status (*PfsSetFn)(void *arg, Ctx *ctx, const PfsV2__CommitSetInfo *info);

/* --- projects (§18.1), repos (§18.2) ---------------------------------------------------------- */

/* With request->update, changes the description of one that exists, or creates it. Errors:
 * ALREADY_EXISTS; UNKNOWN (a bad name, §3.2). */
Status pfs_create_project(Ctx *ctx, PfsTx *tx, const PfsV2__CreateProjectRequest *request);
/* Errors: NOT_FOUND; UNKNOWN (no project given). */
Status pfs_inspect_project(Ctx *ctx, PfsTx *tx, const PfsV2__Project *project,
                           PfsV2__ProjectInfo **out);
/* Every project, oldest first. */
Status pfs_list_project(Ctx *ctx, PfsTx *tx, PfsProjectFn fn, void *arg);
/* Errors: NOT_FOUND; UNKNOWN (it still has repos, and force was not asked for). */
Status pfs_delete_project(Ctx *ctx, PfsTx *tx, const PfsV2__DeleteProjectRequest *request);

/* With request->update, changes the description of one that exists, or creates it. Errors:
 * ALREADY_EXISTS; NOT_FOUND (its project); UNKNOWN (a bad or reserved name). */
Status pfs_create_repo(Ctx *ctx, PfsTx *tx, const PfsV2__CreateRepoRequest *request);
/* Errors: NOT_FOUND; UNKNOWN (no repo given). */
Status pfs_inspect_repo(Ctx *ctx, PfsTx *tx, const PfsV2__Repo *repo, PfsV2__RepoInfo **out);
/* Repos of the given type and projects (none: all), page by page when the request says so.
 * Errors: UNKNOWN (an unknown order). */
Status pfs_list_repo(Ctx *ctx, PfsTx *tx, const PfsV2__ListRepoRequest *request, PfsRepoFn fn,
                     void *arg);
/* out_deleted: false when there was none, which is no error. Its spec and meta repos go with it.
 * Errors: INVALID_ARGUMENT (no repo given); UNKNOWN (it is in the provenance of others and force
 * was not asked for; it belongs to a pipeline). */
Status pfs_delete_repo(Ctx *ctx, PfsTx *tx, const PfsV2__DeleteRepoRequest *request,
                       bool *out_deleted);
/* All repos of the named projects, or of all; a project that is not there has none. out: what
 * was deleted. Errors: as pfs_delete_repo; one repo that may not go keeps all. */
Status pfs_delete_repos(Ctx *ctx, PfsTx *tx, const PfsV2__DeleteReposRequest *request,
                        PfsV2__DeleteReposResponse **out);
/* Count and bytes of the user's repos in each named project that has any; bytes are those at the
 * heads of "master". Errors: UNKNOWN (a picker that is not a name). */
Status pfs_repos_summary(Ctx *ctx, PfsTx *tx, const PfsV2__ReposSummaryRequest *request,
                         PfsV2__ReposSummaryResponse **out);
/* Every repo and project but "default", which is empty then. */
Status pfs_delete_all(Ctx *ctx, PfsTx *tx);

/* --- branches (§8, §12.1, §18.4) -------------------------------------------------------------- */

/* Creates or changes a branch: head, provenance, trigger; what follows from it downstream comes
 * with the end of tx. Errors: NOT_FOUND (repo, head, a branch of the provenance); UNKNOWN (a
 * cycle; head of another repo; both provenance and trigger; the rules of §8). */
Status pfs_create_branch(Ctx *ctx, PfsTx *tx, const PfsV2__CreateBranchRequest *request);
/* Errors: NOT_FOUND; UNKNOWN (no branch or repo given). */
Status pfs_inspect_branch(Ctx *ctx, PfsTx *tx, const PfsV2__Branch *branch,
                          PfsV2__BranchInfo **out);
/* The branches of a repo, or of all repos; newest first unless reverse. Errors: NOT_FOUND (the
 * repo). */
Status pfs_list_branch(Ctx *ctx, PfsTx *tx, const PfsV2__ListBranchRequest *request, PfsBranchFn fn,
                       void *arg);
/* Errors: NOT_FOUND; UNKNOWN (no branch or repo given; others have it in their provenance or
 * triggers, and force was not asked for). */
Status pfs_delete_branch(Ctx *ctx, PfsTx *tx, const PfsV2__DeleteBranchRequest *request);
/* Breadth first along the provenance, each branch once; 0 is no limit. Errors: NOT_FOUND (one of
 * start). */
Status pfs_walk_branches(Ctx *ctx, PfsTx *tx, PfsV2__BranchPicker *const *start, size_t n,
                         bool downstream, uint64_t max_branches, uint64_t max_depth, PfsBranchFn fn,
                         void *arg);

/* --- commits (§9, §11, §18.3) ----------------------------------------------------------------- */

/* Opens a commit at the branch's head, making the branch when it is missing. Errors:
 * ALREADY_EXISTS (the set has one on this branch); NOT_FOUND (repo, parent); UNKNOWN (an output
 * branch; parent unfinished). */
Status pfs_start_commit(Ctx *ctx, PfsTx *tx, const PfsV2__StartCommitRequest *request,
                        PfsV2__Commit **out);
/* internal: finish by the system (pps): no user checks, error may be "". */
Status pfs_finish_commit(Ctx *ctx, PfsTx *tx, const PfsV2__FinishCommitRequest *request,
                         bool internal);
/* Takes back all that was put into an open commit. Errors: NOT_FOUND; UNKNOWN (finished). */
Status pfs_clear_commit(Ctx *ctx, PfsTx *tx, const PfsV2__Commit *commit);
/* Removes a commit, its changes staying in its children; recursive: those that came of it too.
 * Errors: NOT_FOUND; UNKNOWN (no children, or open ones; others came of it and it is not
 * recursive; it updated a pipeline). */
Status pfs_squash_commit(Ctx *ctx, PfsTx *tx, const PfsV2__Commit *commit, bool recursive);
/* Removes a commit with its changes. Errors: NOT_FOUND; UNKNOWN (it has children; the rest as
 * pfs_squash_commit). */
Status pfs_drop_commit(Ctx *ctx, PfsTx *tx, const PfsV2__Commit *commit, bool recursive);
/* Squashes every commit of a set. Errors: NOT_FOUND; UNKNOWN (commits of other sets came of it). */
Status pfs_squash_set(Ctx *ctx, PfsTx *tx, const PfsV2__CommitSet *set);
/* Drops every commit of a set. Errors: as pfs_squash_set; UNKNOWN (a commit of it has children). */
Status pfs_drop_set(Ctx *ctx, PfsTx *tx, const PfsV2__CommitSet *set);
/* Gives up the content of an output commit, which keeps its place in history (§11). Errors:
 * NOT_FOUND; UNKNOWN (not of an output repo; its children are open). */
Status pfs_forget_commit(Ctx *ctx, PfsTx *tx, const PfsV2__CommitPicker *picker);

/* These take the Pfs, as they may wait between transactions. */
/* Waits until the commit is in request->wait. Errors: NOT_FOUND; UNKNOWN (deleted meanwhile);
 * CANCELLED, DEADLINE_EXCEEDED. */
Status pfs_inspect_commit(Ctx *ctx, Pfs *pfs, const PfsV2__InspectCommitRequest *request,
                          PfsV2__CommitInfo **out);
/* Newest first unless reverse; between from and to, of one origin, at most number. Errors:
 * NOT_FOUND (repo, from, to); UNKNOWN (from without to; from or to of another repo). */
Status pfs_list_commit(Ctx *ctx, Pfs *pfs, const PfsV2__ListCommitRequest *request, PfsCommitFn fn,
                       void *arg);
/* The commits there are, then each new one once it is in request->state; ends only by ctx or fn.
 * Errors: NOT_FOUND; UNKNOWN (the repo was deleted); CANCELLED, DEADLINE_EXCEEDED. */
Status pfs_subscribe_commit(Ctx *ctx, Pfs *pfs, const PfsV2__SubscribeCommitRequest *request,
                            PfsCommitFn fn, void *arg);
/* The commits of a set in the order of their provenance; with wait, each as it is finished.
 * Errors: NOT_FOUND; CANCELLED, DEADLINE_EXCEEDED. */
Status pfs_inspect_set(Ctx *ctx, Pfs *pfs, const PfsV2__InspectCommitSetRequest *request,
                       PfsCommitFn fn, void *arg);
/* Every set, newest first; of one project when it is given. */
Status pfs_list_set(Ctx *ctx, Pfs *pfs, const PfsV2__Project *project, PfsSetFn fn, void *arg);
/* Breadth first along the provenance, each commit once; 0 is no limit. Errors: NOT_FOUND (one of
 * start). */
Status pfs_walk_commits(Ctx *ctx, Pfs *pfs, PfsV2__CommitPicker *const *start, size_t n,
                        bool downstream, uint64_t max_commits, uint64_t max_depth, PfsCommitFn fn,
                        void *arg);

/* Consistency of the rows, and of the tops of the trees that they name (§21): fn gets the text of
 * each fault. */
typedef Status (*PfsFsckFn)(void *arg, Ctx *ctx, const char *error);
Status pfs_fsck(Ctx *ctx, PfsTx *tx, PfsFsckFn fn, void *arg);

/* Brings the changes of `from` into `into`, a branch of the same repo, as a commit on it:
 * O(changes). Heads must be finished. Nothing to bring: no commit, and no files changed. A path
 * that both sides changed in different ways is a conflict: by policy nothing is merged, or one
 * side's stays; all are in the answer. What breaks a rule of §13.4 after the merge is one under any
 * policy, at "/". Errors: NOT_FOUND; INVALID_ARGUMENT; UNKNOWN "commit … not finished"; ABORTED
 * when heads keep moving. */
Status pfs_merge_branch(Ctx *ctx, Pfs *pfs, const Procavia__V1__MergeBranchRequest *request,
                        Procavia__V1__MergeBranchResponse **out);

/* --- metadata: what users note on objects ----------------------------------------------------- */

/* The last two belong to floors above, which number and delete them. */
typedef enum PfsObjectKind {
    PFS_PROJECT,
    PFS_REPO,
    PFS_BRANCH,
    PFS_COMMIT,
    PFS_PIPELINE,
    PFS_CLUSTER,
} PfsObjectKind;

/* Rows by picker (a commit's is pfs_pick_by_picker). */
Status pfs_pick_project(Ctx *ctx, PfsTx *tx, const PfsV2__ProjectPicker *picker, int64_t *out_id);
/* Errors: NOT_FOUND; UNKNOWN (an empty picker). */
Status pfs_pick_repo(Ctx *ctx, PfsTx *tx, const PfsV2__RepoPicker *picker, int64_t *out_id);
/* Errors: NOT_FOUND; UNKNOWN (an empty picker). */
Status pfs_pick_branch(Ctx *ctx, PfsTx *tx, const PfsV2__BranchPicker *picker, int64_t *out_id);

/* Sets a key, there or not. */
Status pfs_metadata_set(Ctx *ctx, PfsTx *tx, PfsObjectKind kind, int64_t id, const char *key,
                        const char *value);
/* Errors: ALREADY_EXISTS. */
Status pfs_metadata_add(Ctx *ctx, PfsTx *tx, PfsObjectKind kind, int64_t id, const char *key,
                        const char *value);
/* Removes a key; none there is no error. */
Status pfs_metadata_remove(Ctx *ctx, PfsTx *tx, PfsObjectKind kind, int64_t id, const char *key);
/* Removes every key. */
Status pfs_metadata_clear(Ctx *ctx, PfsTx *tx, PfsObjectKind kind, int64_t id);
/* An object's metadata by key, as entries (of type `entry`) of a map<string, string>. */
Status pfs_metadata_read(Ctx *ctx, PfsTx *tx, PfsObjectKind kind, int64_t id,
                         const ProtobufCMessageDescriptor *entry, void ***out, size_t *out_n);

/* --- layers of open commits (used by write.h and pps) ----------------------------------------- */

/* Adds a layer (a tree of puts, appends and deletes) on top of an open commit. The layer's blobs
 * must be synced. Errors: UNKNOWN "commit … has already finished". */
Status pfs_attach_layer(Ctx *ctx, PfsTx *tx, int64_t commit, const Hash *layer);
/* The layers of a commit, bottom first, in ctx's arena: its diff. */
Status pfs_commit_layers(Ctx *ctx, PfsTx *tx, int64_t commit, Hash **out, size_t *out_n);
/* What a commit is built on: the content of its nearest ancestor that did not fail.
 * Errors: UNKNOWN "base commit … unfinished", "the commit is forgotten". */
Status pfs_commit_base(Ctx *ctx, PfsTx *tx, const PfsCommitRow *row, Hash *out_root);
/* Total content of a commit as readers see it now (§9.4): base ∘ layers for an open one. May
 * compute and wait. Also prepares the commit's finishing: pfs_finish_commit then has nothing left
 * to compute. */
Status pfs_commit_view(Ctx *ctx, Pfs *pfs, int64_t commit, Hash *out_root);
