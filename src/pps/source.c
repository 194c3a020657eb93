/* source.c - files for the enumeration of datums, read from pfs. */
#include "pfs/content.h"
#include "pps/pps_priv.h"

Status pps_input_view(Ctx *ctx, Pps *pps, const PpsV2__PFSInput *input, const char *set_id,
                      PfsView *out)
{
    PfsV2__Commit commit;
    pfs_v2__commit__init(&commit);
    PfsV2__Branch branch;
    pfs_v2__branch__init(&branch);
    commit.repo = pfs_repo_ref(ctx, *input->project ? input->project : "default", input->repo,
                               *input->repo_type ? input->repo_type : "user");
    if (*set_id) {
        commit.id = arena_strdup(ctx->arena, set_id);
    } else {
        branch.repo = commit.repo;
        branch.name = *input->branch ? input->branch : arena_strdup(ctx->arena, "master");
        commit.branch = &branch;
    }
    return pfs_view_open(ctx, pps->pfs, &commit, out);
}

static Status source_list(void *self, Ctx *ctx, const PpsV2__PFSInput *input,
                          Status (*fn)(void *arg, Ctx *ctx, const PfsMatch *match), void *arg)
{
    const PpsSource *source = self;
    PfsView view;
    TRY(pps_input_view(ctx, source->pps, input, input->commit, &view));
    return pfs_view_glob(ctx, &view, *input->glob ? input->glob : "/", fn, arg);
}

static Status source_stat(void *self, Ctx *ctx, const PpsV2__PFSInput *input, Str path,
                          PfsMatch *out)
{
    const PpsSource *source = self;
    PfsView view;
    TRY(pps_input_view(ctx, source->pps, input, input->commit, &view));
    return pfs_view_stat(ctx, &view, path, out);
}

typedef struct ChangeWalk {
    Status (*fn)(void *arg, Ctx *ctx, Str path);
    void *arg;
} ChangeWalk;

static Status tell_change(void *arg, Ctx *ctx, const TreeEntry *old_entry,
                          const TreeEntry *new_entry)
{
    const ChangeWalk *walk = arg;
    return walk->fn(walk->arg, ctx, new_entry ? new_entry->path : old_entry->path);
}

static Status source_changes(void *self, Ctx *ctx, const PpsV2__PFSInput *input,
                             Status (*fn)(void *arg, Ctx *ctx, Str path), void *arg)
{
    const PpsSource *source = self;
    PfsView now, before;
    TRY(pps_input_view(ctx, source->pps, input, input->commit, &now));
    TRY(pps_input_view(ctx, source->pps, input, source->base_set, &before));
    Content content;
    content_init(&content, pfs_store(source->pps->pfs));
    ChangeWalk walk = { fn, arg };
    const Str everything = { "", 0 };
    return tree_diff(ctx, &content.io, &before.root, &now.root, everything, everything, tell_change,
                     &walk);
}

InputSource pps_source(PpsSource *source)
{
    return (InputSource){ source_list, source_stat, source_changes, source };
}
