/* metadata_rpc.c - metadata.API: what users note on projects, repos, branches, commits, pipelines
 * and the cluster. */
#include "api/api_priv.h"

#include "base/text.h"
#include "metadata/metadata.pb-c.h"

typedef Metadata__Edit Edit;

/* The cluster is one object. */
#define CLUSTER_ID 1

typedef struct Target {
    PfsObjectKind kind;
    int64_t id;
} Target;

/* --- targets ---------------------------------------------------------------------------------- */

static Status pick_commit(Ctx *ctx, PfsTx *tx, const PfsV2__CommitPicker *picker, int64_t *out_id)
{
    PfsCommitRow row;
    TRY(pfs_pick_by_picker(ctx, tx, picker, &row));
    *out_id = row.id;
    return OK;
}

static Status pick_pipeline(Ctx *ctx, PfsTx *tx, const PpsV2__PipelinePicker *picker,
                            int64_t *out_id)
{
    if (picker->picker_case != PPS_V2__PIPELINE_PICKER__PICKER_NAME || !picker->name)
        return FAIL(ctx, UNKNOWN, "pipeline picker cannot be nil");
    const PfsV2__ProjectPicker *project = picker->name->project;
    bool named = project && project->picker_case == PFS_V2__PROJECT_PICKER__PICKER_NAME;
    const char *project_name = named && *project->name ? project->name : "default";
    return pps_find_pipeline(ctx, tx, project_name, picker->name->name, out_id);
}

static Status pick(Ctx *ctx, PfsTx *tx, const Edit *edit, Target *out)
{
    switch (edit->target_case) {
    case METADATA__EDIT__TARGET_PROJECT:
        out->kind = PFS_PROJECT;
        TRY_WRAP(ctx, pfs_pick_project(ctx, tx, edit->project, &out->id), "pick project");
        return OK;
    case METADATA__EDIT__TARGET_COMMIT:
        out->kind = PFS_COMMIT;
        TRY_WRAP(ctx, pick_commit(ctx, tx, edit->commit, &out->id), "pick commit");
        return OK;
    case METADATA__EDIT__TARGET_BRANCH:
        out->kind = PFS_BRANCH;
        TRY_WRAP(ctx, pfs_pick_branch(ctx, tx, edit->branch, &out->id), "pick branch");
        return OK;
    case METADATA__EDIT__TARGET_REPO:
        out->kind = PFS_REPO;
        TRY_WRAP(ctx, pfs_pick_repo(ctx, tx, edit->repo, &out->id), "pick repo");
        return OK;
    case METADATA__EDIT__TARGET_PIPELINE:
        out->kind = PFS_PIPELINE;
        TRY_WRAP(ctx, pick_pipeline(ctx, tx, edit->pipeline, &out->id), "pick pipeline");
        return OK;
    case METADATA__EDIT__TARGET_CLUSTER:
        *out = (Target){ PFS_CLUSTER, CLUSTER_ID };
        return OK;
    case METADATA__EDIT__TARGET__NOT_SET:
    case _METADATA__EDIT__TARGET__CASE_IS_INT_SIZE:
    default:
        return FAIL(ctx, UNKNOWN, "unknown target");
    }
}

/* --- operations ------------------------------------------------------------------------------- */

static Status replace(Ctx *ctx, PfsTx *tx, const Target *target, const Metadata__Edit__Replace *by)
{
    TRY(pfs_metadata_clear(ctx, tx, target->kind, target->id));
    for (size_t i = 0; i < by->n_replacement; i++)
        TRY(pfs_metadata_set(ctx, tx, target->kind, target->id, by->replacement[i]->key,
                             by->replacement[i]->value));
    return OK;
}

static Status apply(Ctx *ctx, PfsTx *tx, const Edit *edit)
{
    Target t = { 0 };
    TRY(pick(ctx, tx, edit, &t));
    switch (edit->op_case) {
    case METADATA__EDIT__OP_REPLACE:
        return replace(ctx, tx, &t, edit->replace);
    case METADATA__EDIT__OP_ADD_KEY:
        return pfs_metadata_add(ctx, tx, t.kind, t.id, edit->add_key->key, edit->add_key->value);
    case METADATA__EDIT__OP_EDIT_KEY:
        return pfs_metadata_set(ctx, tx, t.kind, t.id, edit->edit_key->key, edit->edit_key->value);
    case METADATA__EDIT__OP_DELETE_KEY:
        return pfs_metadata_remove(ctx, tx, t.kind, t.id, edit->delete_key->key);
    case METADATA__EDIT__OP__NOT_SET:
    case _METADATA__EDIT__OP__CASE_IS_INT_SIZE:
    default:
        return FAIL(ctx, UNKNOWN, "unknown operation");
    }
}

/* The code goes by what went wrong; a missing target is UNKNOWN, as clients know it. */
static StatusCode code_of(StatusCode inner)
{
    return inner == STATUS_ALREADY_EXISTS      ? STATUS_FAILED_PRECONDITION
           : inner == STATUS_PERMISSION_DENIED ? STATUS_PERMISSION_DENIED
           : inner == STATUS_ABORTED           ? STATUS_ABORTED
                                               : STATUS_UNKNOWN;
}

/* All edits are tried, so that one answer tells every fault; a failing one fails all. */
static Status edit_metadata(Call *call, PfsTx *tx, const void *request, void **response)
{
    (void)response;
    const Metadata__EditMetadataRequest *r = request;
    StatusCode code = STATUS_OK;
    const char *faults = "";
    for (size_t i = 0; i < r->n_edits; i++) {
        Status s = apply(call->ctx, tx, r->edits[i]);
        if (status_ok(s))
            continue;
        code = code == STATUS_OK || code == STATUS_UNKNOWN ? code_of(s.code) : code;
        faults = text_printf(call->ctx->arena, "%s%sedit #%zu: %s", faults, *faults ? "\n" : "", i,
                             status_message(s));
    }
    return code ? status_new(call->ctx, code, "apply edits: %s", faults) : OK;
}

Status metadata_of_cluster(Ctx *ctx, PfsTx *tx, AdminV2__ClusterInfo *info)
{
    return pfs_metadata_read(ctx, tx, PFS_CLUSTER, CLUSTER_ID,
                             &admin_v2__cluster_info__metadata_entry__descriptor,
                             (void ***)&info->metadata, &info->n_metadata);
}

static const ApiMethod methods[] = {
    { .path = "/metadata.API/EditMetadata", .write = edit_metadata },
};

const ApiTable api_metadata_table = { methods, ARRAY_LEN(methods) };
