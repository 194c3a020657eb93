/* merge.c - one branch's changes brought into another one of the same repo.
 *
 * The trees of both heads are merged over that of their common ancestor; what came out differently
 * from `into` becomes one layer of a new commit on it. The commit remembers the head it took in, so
 * that the next merge of the same branches starts from there. Trees are merged outside of any
 * transaction; the commit is made only if both heads are still where they were.
 */
#include "base/text.h"
#include "pfs/pfs_priv.h"

typedef Procavia__V1__MergeBranchRequest Request;
typedef Procavia__V1__MergeBranchResponse Response;
typedef Procavia__V1__MergeBranchResponse__Conflict Conflict;

/* How often heads may move away under a merge before it gives up. */
#define MERGE_ATTEMPTS 8

typedef struct Side {
    BranchRow branch;
    PfsCommitRow head;
} Side;

typedef struct Merge {
    Pfs *pfs;
    const Request *request;
    Side from, into;
    int64_t base_id; /* 0: none */
    Hash base, merged, layer;
    PtrList conflicts;
    Ctx *keep; /* whose arena holds the conflicts */
} Merge;

/* --- the common ancestor ---------------------------------------------------------------------- */

/* A commit whose ancestors were not looked at yet, and whose ancestor it is. */
typedef struct Ancestor {
    int64_t id;
    unsigned sides;
} Ancestor;

#define SIDE_FROM 1u
#define SIDE_INTO 2u
#define SIDE_BOTH (SIDE_FROM | SIDE_INTO)

/* Commits side by side: as many as merges crossed each other without being looked at. */
#define FRONTIER_MAX 1024

typedef struct Frontier {
    Ancestor items[FRONTIER_MAX];
    size_t n;
} Frontier;

static Status frontier_add(Ctx *ctx, Frontier *frontier, int64_t id, unsigned sides)
{
    if (!id)
        return OK;
    for (size_t i = 0; i < frontier->n; i++) {
        if (frontier->items[i].id == id) {
            frontier->items[i].sides |= sides;
            return OK;
        }
    }
    if (frontier->n == FRONTIER_MAX)
        return FAIL(ctx, RESOURCE_EXHAUSTED, "could not find a common ancestor: too many merges");
    frontier->items[frontier->n++] = (Ancestor){ id, sides };
    return OK;
}

/* The newest: all that descend from it were taken before, as a commit is newer than its parents. */
static Ancestor frontier_take(Frontier *frontier)
{
    size_t newest = 0;
    for (size_t i = 1; i < frontier->n; i++) {
        if (frontier->items[i].id > frontier->items[newest].id)
            newest = i;
    }
    Ancestor taken = frontier->items[newest];
    frontier->items[newest] = frontier->items[--frontier->n];
    return taken;
}

static Status frontier_add_parents(Ctx *ctx, PfsTx *tx, Frontier *frontier, const Ancestor *commit)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx->db, &rows,
                 "SELECT parent_id FROM pfs_commit WHERE id = ? UNION ALL "
                 "SELECT m.from_id FROM pfs_merge m JOIN pfs_commit c ON c.id = m.from_id "
                 "WHERE m.commit_id = ?",
                 "ii", commit->id, commit->id));
    DB_EACH (ctx, &rows)
        TRY(frontier_add(ctx, frontier, db_int(&rows, 0), commit->sides));
    return OK;
}

/* The newest commit that both heads come from; 0 when there is none. */
static Status common_ancestor(Ctx *ctx, PfsTx *tx, int64_t from, int64_t into, int64_t *out)
{
    Frontier *frontier = ARENA_ONE(ctx->arena, Frontier);
    TRY(frontier_add(ctx, frontier, from, SIDE_FROM));
    TRY(frontier_add(ctx, frontier, into, SIDE_INTO));
    *out = 0;
    while (frontier->n) {
        Ancestor commit = frontier_take(frontier);
        if (commit.sides == SIDE_BOTH) {
            *out = commit.id;
            return OK;
        }
        TRY(frontier_add_parents(ctx, tx, frontier, &commit));
    }
    return OK;
}

/* --- looking ---------------------------------------------------------------------------------- */

static Status open_side(Ctx *ctx, PfsTx *tx, const PfsV2__Branch *branch, const char *which,
                        Side *out)
{
    if (!branch || !branch->repo || !*branch->name)
        return FAIL(ctx, INVALID_ARGUMENT, "no branch to merge %s was given", which);
    TRY(branch_resolve(ctx, tx, pfs_branch_fill(ctx, branch), &out->branch));
    TRY(commit_get(ctx, tx, out->branch.head_id, &out->head));
    const char *head = pfs_commit_row_text(ctx, &out->head);
    if (out->head.state != PFS_FINISHED)
        return FAIL(ctx, UNKNOWN, "commit %s not finished", head);
    if (*out->head.error)
        return FAIL(ctx, UNKNOWN, "commit %s finished with an error", head);
    return out->head.forgotten ? FAIL(ctx, UNKNOWN, "the commit is forgotten") : OK;
}

static Status look(Ctx *ctx, Merge *merge)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, merge->pfs, &tx));
    TRY(open_side(ctx, tx, merge->request->from, "from", &merge->from));
    TRY(open_side(ctx, tx, merge->request->into, "into", &merge->into));
    if (merge->from.branch.repo_id != merge->into.branch.repo_id)
        return FAIL(ctx, INVALID_ARGUMENT, "branches %s and %s are not of the same repo",
                    branch_row_text(ctx, &merge->from.branch),
                    branch_row_text(ctx, &merge->into.branch));
    TRY(common_ancestor(ctx, tx, merge->from.head.id, merge->into.head.id, &merge->base_id));
    PfsCommitRow base = { 0 };
    if (merge->base_id)
        TRY(commit_get(ctx, tx, merge->base_id, &base));
    if (merge->base_id && !base.root_known)
        return FAIL(ctx, UNKNOWN, "the common ancestor %s has no content any more",
                    pfs_commit_row_text(ctx, &base));
    merge->base = base.root;
    return OK;
}

/* --- merging ---------------------------------------------------------------------------------- */

static void add_conflict(Merge *merge, Str path, const char *reason)
{
    Conflict *conflict = PB_NEW(merge->keep, procavia__v1__merge_branch_response__conflict,
                                Procavia__V1__MergeBranchResponse__Conflict);
    conflict->path = str_z(merge->keep->arena, path);
    conflict->reason = arena_strdup(merge->keep->arena, reason);
    ptr_list_add(merge->keep, &merge->conflicts, conflict);
}

static Status on_conflict(void *arg, Ctx *ctx, const TreeEntry *base, const TreeEntry *ours,
                          const TreeEntry *theirs, TreeTake *out_take)
{
    (void)ctx;
    Merge *merge = arg;
    const TreeEntry *any = ours ? ours : theirs ? theirs : base;
    add_conflict(merge, any->path,
                 !ours     ? "deleted in the branch merged into, changed in the branch merged from"
                 : !theirs ? "changed in the branch merged into, deleted in the branch merged from"
                 : !base   ? "added in both branches, differently"
                           : "changed in both branches, differently");
    bool theirs_win =
        merge->request->policy == PROCAVIA__V1__MERGE_BRANCH_REQUEST__CONFLICT_POLICY__THEIRS;
    *out_take = theirs_win ? TREE_TAKE_THEIRS : TREE_TAKE_OURS;
    return OK;
}

typedef struct Layer {
    TreeBuilder *builder;
    uint64_t changes;
} Layer;

static Status add_change(void *arg, Ctx *ctx, const TreeEntry *old_entry,
                         const TreeEntry *new_entry)
{
    Layer *layer = arg;
    layer->changes++;
    if (new_entry)
        return tree_builder_add(ctx, layer->builder, new_entry);
    const TreeEntry gone = { old_entry->path, old_entry->tag, { .op = TREE_DELETE } };
    return tree_builder_add(ctx, layer->builder, &gone);
}

/* What makes `merged` out of the content of `into`. */
static Status make_layer(Ctx *ctx, Merge *merge, uint64_t *out_changes)
{
    const TreeIo *io = &merge->pfs->content.io;
    CLEANUP(tree_builder_freep) TreeBuilder *builder = tree_builder_new(io);
    Layer layer = { builder, 0 };
    TRY(tree_diff(ctx, io, &merge->into.head.root, &merge->merged, STR(""), STR(""), add_change,
                  &layer));
    *out_changes = layer.changes;
    return tree_builder_finish(ctx, builder, &merge->layer);
}

/* Two clean sides can break a rule together: a file of one at a directory of the other. */
static Status check_rules(Ctx *ctx, Merge *merge)
{
    Hash total;
    const char *error;
    TRY(content_apply(ctx, &merge->pfs->content, &merge->into.head.root, &merge->layer, &total,
                      &error));
    if (*error)
        add_conflict(merge, STR("/"), error);
    return OK;
}

static Status merge_trees(Ctx *ctx, Merge *merge, Response *answer)
{
    merge->conflicts = (PtrList){ 0 };
    TRY(look(ctx, merge));
    answer->fast_forward =
        merge->base_id == merge->into.head.id && merge->base_id != merge->from.head.id;
    uint64_t changes;
    TRY(tree_merge3(ctx, &merge->pfs->content.io, &merge->base, &merge->into.head.root,
                    &merge->from.head.root, on_conflict, merge, &merge->merged, &changes));
    TRY(make_layer(ctx, merge, &answer->files_changed));
    size_t settled = merge->conflicts.n;
    TRY(check_rules(ctx, merge));
    answer->conflicts = (Conflict **)merge->conflicts.items;
    answer->n_conflicts = merge->conflicts.n;
    bool fails =
        merge->request->policy == PROCAVIA__V1__MERGE_BRANCH_REQUEST__CONFLICT_POLICY__FAIL;
    if (merge->conflicts.n > (fails ? 0 : settled))
        answer->files_changed = 0;
    return OK;
}

/* --- the commit ------------------------------------------------------------------------------- */

static Status still(Ctx *ctx, PfsTx *tx, const Side *side, bool *inout_still)
{
    BranchRow now;
    Status s = branch_get(ctx, tx, side->branch.id, &now);
    if (s.code == STATUS_NOT_FOUND)
        return err_branch_not_found(ctx, branch_row_ref(ctx, &side->branch));
    TRY(s);
    *inout_still &= now.head_id == side->head.id;
    return OK;
}

static Status commit_merge(Ctx *ctx, const Merge *merge, PfsTx *tx, PfsV2__Commit **out)
{
    PfsV2__StartCommitRequest *start =
        PB_NEW(ctx, pfs_v2__start_commit_request, PfsV2__StartCommitRequest);
    PfsV2__FinishCommitRequest *finish =
        PB_NEW(ctx, pfs_v2__finish_commit_request, PfsV2__FinishCommitRequest);
    start->branch = branch_row_ref(ctx, &merge->into.branch);
    start->description = *merge->request->message
                             ? merge->request->message
                             : text_printf(ctx->arena, "merge of branch %s",
                                           text_quote(ctx->arena, str(merge->from.branch.name)));
    TRY(pfs_start_commit(ctx, tx, start, &finish->commit));
    PfsCommitRow row;
    TRY(pfs_pick(ctx, tx, finish->commit, &row));
    TRY(pfs_attach_layer(ctx, tx, row.id, &merge->layer));
    TRY(db_exec(ctx, tx->db, NULL, "INSERT INTO pfs_merge (commit_id, from_id) VALUES (?, ?)", "ii",
                row.id, merge->from.head.id));
    *out = finish->commit;
    return pfs_finish_commit(ctx, tx, finish, false);
}

/* *out_done is false when a head moved since it was looked at. */
static Status try_commit(Ctx *ctx, const Merge *merge, Response *answer, bool *out_done)
{
    TRY(store_sync(ctx, merge->pfs->store));
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, merge->pfs, NULL, &tx));
    *out_done = true;
    TRY(still(ctx, tx, &merge->from, out_done));
    TRY(still(ctx, tx, &merge->into, out_done));
    if (!*out_done)
        return OK;
    TRY(commit_merge(ctx, merge, tx, &answer->commit));
    return pfs_commit(ctx, STEAL(tx));
}

Status pfs_merge_branch(Ctx *ctx, Pfs *pfs, const Request *request, Response **out)
{
    Response *answer =
        PB_NEW(ctx, procavia__v1__merge_branch_response, Procavia__V1__MergeBranchResponse);
    Merge merge = { .pfs = pfs, .request = request, .keep = ctx };
    *out = answer;
    for (int attempt = 0; attempt < MERGE_ATTEMPTS; attempt++) {
        bool done;
        TRY_WRAP(ctx, merge_trees(ctx, &merge, answer), "merge branch");
        if (request->dry_run || !answer->files_changed)
            return OK;
        TRY_WRAP(ctx, try_commit(ctx, &merge, answer, &done), "merge branch");
        if (done)
            return OK;
    }
    return FAIL(ctx, ABORTED, "merge branch: the branches keep moving, try again");
}
