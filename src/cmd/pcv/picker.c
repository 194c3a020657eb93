/* picker.c - see picker.h. */
#include "cmd/pcv/picker.h"

#include "base/text.h"
#include "codec/pb.h"
#include "pfs/ref.h"

/* "[project/]rest": the project, or the preset. */
static const char *take_project(Ctx *ctx, const char *preset, Str *text)
{
    size_t slash = str_find(*text, '/');
    if (slash == text->size)
        return preset;
    const char *project = str_z(ctx->arena, str_sub(*text, 0, slash));
    *text = str_sub(*text, slash + 1, text->size);
    return *project ? project : preset;
}

PfsV2__ProjectPicker *picker_project(Ctx *ctx, const char *name)
{
    PfsV2__ProjectPicker *picker = PB_NEW(ctx, pfs_v2__project_picker, PfsV2__ProjectPicker);
    picker->picker_case = PFS_V2__PROJECT_PICKER__PICKER_NAME;
    picker->name = arena_strdup(ctx->arena, name);
    return picker;
}

Status picker_repo(Ctx *ctx, const char *project, Str text, PfsV2__RepoPicker **out)
{
    project = take_project(ctx, project, &text);
    size_t dot = str_find(text, '.');
    if (dot == 0)
        return FAIL(ctx, INVALID_ARGUMENT, "repo cannot be empty");
    if (str_find(text, '@') < text.size)
        return FAIL(ctx, INVALID_ARGUMENT, "a repo is named without '@'");
    PfsV2__RepoPicker__RepoName *name =
        PB_NEW(ctx, pfs_v2__repo_picker__repo_name, PfsV2__RepoPicker__RepoName);
    name->project = picker_project(ctx, project);
    name->name = str_z(ctx->arena, str_sub(text, 0, dot));
    name->type = str_z(ctx->arena,
                       dot < text.size ? str_sub(text, dot + 1, text.size) : STR("user"));
    *out = PB_NEW(ctx, pfs_v2__repo_picker, PfsV2__RepoPicker);
    (*out)->picker_case = PFS_V2__REPO_PICKER__PICKER_NAME;
    (*out)->name = name;
    return OK;
}

/* "repo@ref" apart. */
static Status split_at(Ctx *ctx, const char *project, Str text, PfsV2__RepoPicker **out_repo,
                       Str *out_ref)
{
    size_t at = str_find(text, '@');
    if (at + 1 >= text.size)
        return FAIL(ctx, INVALID_ARGUMENT, "nothing follows '@'");
    *out_ref = str_sub(text, at + 1, text.size);
    return picker_repo(ctx, project, str_sub(text, 0, at), out_repo);
}

static PfsV2__BranchPicker *branch_in(Ctx *ctx, PfsV2__RepoPicker *repo, const char *branch)
{
    PfsV2__BranchPicker__BranchName *name =
        PB_NEW(ctx, pfs_v2__branch_picker__branch_name, PfsV2__BranchPicker__BranchName);
    name->repo = repo;
    name->name = arena_strdup(ctx->arena, branch);
    PfsV2__BranchPicker *picker = PB_NEW(ctx, pfs_v2__branch_picker, PfsV2__BranchPicker);
    picker->picker_case = PFS_V2__BRANCH_PICKER__PICKER_NAME;
    picker->name = name;
    return picker;
}

Status picker_branch(Ctx *ctx, const char *project, Str text, PfsV2__BranchPicker **out)
{
    PfsV2__RepoPicker *repo;
    Str ref;
    TRY(split_at(ctx, project, text, &repo, &ref));
    if (str_find_any(ref, "^~.") < ref.size)
        return FAIL(ctx, INVALID_ARGUMENT, "cannot specify a commit or ancestry");
    *out = branch_in(ctx, repo, str_z(ctx->arena, ref));
    return OK;
}

static PfsV2__CommitPicker *commit_from_root(Ctx *ctx, PfsV2__RepoPicker *repo,
                                             const CommitRef *ref)
{
    PfsV2__CommitPicker *picker = PB_NEW(ctx, pfs_v2__commit_picker, PfsV2__CommitPicker);
    picker->picker_case = PFS_V2__COMMIT_PICKER__PICKER_BRANCH_ROOT;
    picker->branch_root =
        PB_NEW(ctx, pfs_v2__commit_picker__branch_root, PfsV2__CommitPicker__BranchRoot);
    picker->branch_root->branch = branch_in(ctx, repo, ref->base);
    picker->branch_root->offset = (uint32_t)ref->steps;
    return picker;
}

static PfsV2__CommitPicker *commit_at(Ctx *ctx, PfsV2__RepoPicker *repo, const CommitRef *ref)
{
    PfsV2__CommitPicker *picker = PB_NEW(ctx, pfs_v2__commit_picker, PfsV2__CommitPicker);
    if (!ref->is_id) {
        picker->picker_case = PFS_V2__COMMIT_PICKER__PICKER_BRANCH_HEAD;
        picker->branch_head = branch_in(ctx, repo, ref->base);
        return picker;
    }
    picker->picker_case = PFS_V2__COMMIT_PICKER__PICKER_ID;
    picker->id = PB_NEW(ctx, pfs_v2__commit_picker__commit_by_global_id,
                        PfsV2__CommitPicker__CommitByGlobalId);
    picker->id->repo = repo;
    picker->id->id = arena_strdup(ctx->arena, ref->base);
    return picker;
}

Status picker_commit(Ctx *ctx, const char *project, Str text, PfsV2__CommitPicker **out)
{
    PfsV2__RepoPicker *repo;
    Str rest;
    CommitRef ref;
    TRY(split_at(ctx, project, text, &repo, &rest));
    TRY(ref_parse(ctx, rest, &ref));
    if (ref.steps > UINT32_MAX)
        return FAIL(ctx, INVALID_ARGUMENT, "invalid ancestor format");
    *out = ref.from_root ? commit_from_root(ctx, repo, &ref) : commit_at(ctx, repo, &ref);
    if (ref.from_root || !ref.steps)
        return OK;
    PfsV2__CommitPicker *above = PB_NEW(ctx, pfs_v2__commit_picker, PfsV2__CommitPicker);
    above->picker_case = PFS_V2__COMMIT_PICKER__PICKER_ANCESTOR;
    above->ancestor =
        PB_NEW(ctx, pfs_v2__commit_picker__ancestor_of, PfsV2__CommitPicker__AncestorOf);
    above->ancestor->start = *out;
    above->ancestor->offset = (uint32_t)ref.steps;
    *out = above;
    return OK;
}

Status picker_pipeline(Ctx *ctx, const char *project, Str text, PpsV2__PipelinePicker **out)
{
    project = take_project(ctx, project, &text);
    if (!text.size)
        return FAIL(ctx, INVALID_ARGUMENT, "pipeline cannot be empty");
    PpsV2__PipelinePicker__PipelineName *name =
        PB_NEW(ctx, pps_v2__pipeline_picker__pipeline_name, PpsV2__PipelinePicker__PipelineName);
    name->project = picker_project(ctx, project);
    name->name = str_z(ctx->arena, text);
    *out = PB_NEW(ctx, pps_v2__pipeline_picker, PpsV2__PipelinePicker);
    (*out)->picker_case = PPS_V2__PIPELINE_PICKER__PICKER_NAME;
    (*out)->name = name;
    return OK;
}
