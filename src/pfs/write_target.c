/* write_target.c - which commit a stream writes, and how its layer gets there (§14.2). */
#include "base/id.h"
#include "codec/pb.h"
#include "pfs/view_priv.h"
#include "pfs/write_priv.h"

/* --- the choice ------------------------------------------------------------------------------- */

/* The branch a handle means: the one it names, or its id, if that can be a branch's name. NULL: it
 * names a commit. */
static PfsV2__Branch *handle_branch(Ctx *ctx, const PfsV2__Commit *commit)
{
    const PfsV2__Repo *repo = commit->repo ? commit->repo : commit->branch->repo;
    const char *name = commit->branch ? commit->branch->name : "";
    if (!*name && !id_is_v4(str(commit->id)) &&
        str_find_any(str(commit->id), "^~.") == strlen(commit->id))
        name = commit->id;
    if (!*name)
        return NULL;
    PfsV2__Branch *branch = PB_NEW(ctx, pfs_v2__branch, PfsV2__Branch);
    branch->repo = pfs_repo_fill(ctx, repo);
    branch->name = arena_strdup(ctx->arena, name);
    return branch;
}

/* Does the handle name one commit, rather than whatever the branch's head is? */
static bool names_commit(const PfsV2__Commit *commit, const PfsV2__Branch *branch)
{
    return *commit->id && !(branch && strcmp(branch->name, commit->id) == 0);
}

static void target_one_off(Target *target, const PfsV2__Branch *branch, int64_t head)
{
    target->kind = TARGET_ONE_OFF;
    target->commit = head;
    buf_clear(&target->branch);
    pb_pack(&branch->base, &target->branch);
}

static Status target_picked(Ctx *ctx, Target *target, const PfsV2__Commit *commit,
                            const PfsV2__Branch *branch, const PfsCommitRow *row)
{
    if (row->state == PFS_OPEN) {
        *target = (Target){ .kind = TARGET_OPEN, .commit = row->id, .branch = target->branch };
        memcpy(target->set_id, row->set_id, sizeof(target->set_id));
        return OK;
    }
    if (!branch || names_commit(commit, branch))
        return FAIL(ctx, UNKNOWN, "commit %s has already finished", pfs_commit_text(ctx, commit));
    target_one_off(target, branch, row->id);
    return OK;
}

/* Nothing was picked: a branch can still come to be, in a repo that exists. */
static Status target_missing(Ctx *ctx, PfsTx *tx, Target *target, const PfsV2__Branch *branch,
                             Status missing)
{
    if (!branch)
        return missing;
    PfsV2__RepoInfo *info;
    int64_t head;
    TRY(pfs_inspect_repo(ctx, tx, branch->repo, &info));
    TRY(pfs_branch_head(ctx, tx, branch, &head)); /* there is one when only the id was wrong */
    target_one_off(target, branch, head);
    return OK;
}

Status pfs_writer_target(Ctx *ctx, PfsWriter *writer, const PfsV2__Commit *commit)
{
    TRY(view_check_commit(ctx, commit));
    PfsV2__Branch *branch = handle_branch(ctx, commit);
    if (strcmp((commit->repo ? commit->repo : commit->branch->repo)->name, PFS_FILESETS_REPO) == 0)
        return FAIL(ctx, UNKNOWN, "commit %s has already finished", pfs_commit_text(ctx, commit));
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, writer->pfs, &tx));
    PfsCommitRow row;
    Status status = pfs_pick(ctx, tx, commit, &row);
    if (status.code == STATUS_NOT_FOUND)
        return target_missing(ctx, tx, &writer->target, branch, status);
    TRY(status);
    return target_picked(ctx, &writer->target, commit, branch, &row);
}

Status writer_base(Ctx *ctx, PfsWriter *writer, Hash *out_root)
{
    *out_root = (Hash){ 0 };
    if (writer->target.commit == 0)
        return OK;
    return pfs_commit_view(ctx, writer->pfs, writer->target.commit, out_root);
}

void pfs_writer_be_strict(PfsWriter *writer)
{
    writer->strict = true;
}

const char *pfs_writer_commit_id(const PfsWriter *writer)
{
    return writer->target.set_id;
}

/* --- the end ---------------------------------------------------------------------------------- */

/* What a strict writer's end must not do. */
static Status check_rules(Ctx *ctx, PfsWriter *writer, const Hash *base, const Hash *layer)
{
    Hash total;
    const char *error;
    TRY(content_apply(ctx, writer->content, base, layer, &total, &error));
    return *error ? FAIL(ctx, FAILED_PRECONDITION, "%s", error) : OK;
}

static Status attach_to_open(Ctx *ctx, PfsWriter *writer, const Hash *layer)
{
    if (hash_is_zero(layer))
        return OK;
    if (writer->strict) {
        Hash base;
        TRY(writer_base(ctx, writer, &base));
        TRY(check_rules(ctx, writer, &base, layer));
    }
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, writer->pfs, NULL, &tx));
    TRY(pfs_attach_layer(ctx, tx, writer->target.commit, layer));
    return pfs_commit(ctx, STEAL(tx));
}

/* Computes what the one-off commit will hold, if the branch's head stays what it is: the content's
 * memo has the answer ready when the transaction asks, and the writer's lock is held for rows
 * only. */
static Status apply_ahead(Ctx *ctx, PfsWriter *writer, const PfsV2__Branch *branch,
                          const Hash *layer)
{
    int64_t head;
    Hash base = { 0 };
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, writer->pfs, &tx));
    TRY(pfs_branch_head(ctx, tx, branch, &head));
    if (head != 0) {
        PfsCommitRow row;
        TRY(pfs_commit_row(ctx, tx, head, &row));
        if (row.state != PFS_FINISHED)
            return OK;
        base = row.root;
    }
    tx = pfs_rollback(tx);
    Hash total;
    const char *error;
    return content_apply(ctx, writer->content, &base, layer, &total, &error);
}

/* With the writer's turn: nobody changes the base between this look and the end. */
static Status check_one_off(Ctx *ctx, PfsTx *tx, PfsWriter *writer, const PfsCommitRow *row,
                            const Hash *layer)
{
    Hash base;
    if (!writer->strict || !status_ok(pfs_commit_base(ctx, tx, row, &base)))
        return OK; /* what it is built on is not finished: who finishes it will look */
    return check_rules(ctx, writer, &base, layer);
}

static Status commit_one_off(Ctx *ctx, PfsWriter *writer, PfsV2__Branch *branch, const Hash *layer)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, writer->pfs, NULL, &tx));
    PfsV2__StartCommitRequest *start =
        PB_NEW(ctx, pfs_v2__start_commit_request, PfsV2__StartCommitRequest);
    PfsV2__FinishCommitRequest *finish =
        PB_NEW(ctx, pfs_v2__finish_commit_request, PfsV2__FinishCommitRequest);
    PfsCommitRow row;
    start->branch = branch;
    TRY(pfs_start_commit(ctx, tx, start, &finish->commit));
    TRY(pfs_pick(ctx, tx, finish->commit, &row));
    if (!hash_is_zero(layer))
        TRY(pfs_attach_layer(ctx, tx, row.id, layer));
    TRY(check_one_off(ctx, tx, writer, &row, layer));
    memcpy(writer->target.set_id, row.set_id, sizeof(writer->target.set_id));
    TRY(pfs_finish_commit(ctx, tx, finish, false));
    return pfs_commit(ctx, STEAL(tx));
}

Status pfs_writer_commit(Ctx *ctx, PfsWriter *writer)
{
    assert(writer->target.kind != TARGET_NONE);
    Hash layer;
    TRY(writer_finish(ctx, writer, &layer));
    PfsV2__Branch *branch = NULL;
    if (writer->target.kind == TARGET_ONE_OFF) {
        TRY(PB_UNPACK(ctx, pfs_v2__branch, buf_bytes(&writer->target.branch), &branch));
        TRY(apply_ahead(ctx, writer, branch, &layer));
    }
    TRY(store_sync(ctx, writer->content->store));
    if (writer->target.kind == TARGET_OPEN)
        return attach_to_open(ctx, writer, &layer);
    return commit_one_off(ctx, writer, branch, &layer);
}
