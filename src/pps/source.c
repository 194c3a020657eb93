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

/* Enumeration keeps what it is told in its own ctx, while pfs rewinds the one it is given: so pfs
 * works in a scratch ctx, and what it finds is passed on with the caller's. */
typedef struct MatchRelay {
    Ctx *ctx;
    Status (*fn)(void *arg, Ctx *ctx, const PfsMatch *match);
    void *arg;
} MatchRelay;

static Status relay_match(void *arg, Ctx *scratch, const PfsMatch *match)
{
    (void)scratch;
    const MatchRelay *relay = arg;
    return relay->fn(relay->arg, relay->ctx, match);
}

static Status source_list(void *self, Ctx *ctx, const PpsV2__PFSInput *input,
                          Status (*fn)(void *arg, Ctx *ctx, const PfsMatch *match), void *arg)
{
    const PpsSource *source = self;
    CLEANUP(ctx_done) Ctx scratch;
    ctx_scratch(&scratch, ctx);
    PfsView view;
    MatchRelay relay = { ctx, fn, arg };
    Status s = pps_input_view(&scratch, source->pps, input, input->commit, &view);
    if (status_ok(s))
        s = pfs_view_glob(&scratch, &view, *input->glob ? input->glob : "/", relay_match, &relay);
    return status_copy(ctx, s);
}

static Status source_stat(void *self, Ctx *ctx, const PpsV2__PFSInput *input, Str path,
                          PfsMatch *out)
{
    const PpsSource *source = self;
    PfsView view;
    TRY(pps_input_view(ctx, source->pps, input, input->commit, &view));
    return pfs_view_stat(ctx, &view, path, out);
}

typedef struct PathRelay {
    Ctx *ctx;
    Status (*fn)(void *arg, Ctx *ctx, Str path);
    void *arg;
} PathRelay;

static Status relay_path(void *arg, Ctx *scratch, const TreeEntry *old_entry,
                         const TreeEntry *new_entry)
{
    (void)scratch;
    const PathRelay *relay = arg;
    return relay->fn(relay->arg, relay->ctx, new_entry ? new_entry->path : old_entry->path);
}

static Status changes_of(Ctx *scratch, const PpsSource *source, const PpsV2__PFSInput *input,
                         PathRelay *relay)
{
    PfsView now, before;
    TRY(pps_input_view(scratch, source->pps, input, input->commit, &now));
    TRY(pps_input_view(scratch, source->pps, input, source->base_set, &before));
    Content content;
    content_init(&content, pfs_store(source->pps->pfs));
    const Str everything = { "", 0 };
    return tree_diff(scratch, &content.io, &before.root, &now.root, everything, everything,
                     relay_path, relay);
}

static Status source_changes(void *self, Ctx *ctx, const PpsV2__PFSInput *input,
                             Status (*fn)(void *arg, Ctx *ctx, Str path), void *arg)
{
    CLEANUP(ctx_done) Ctx scratch;
    ctx_scratch(&scratch, ctx);
    PathRelay relay = { ctx, fn, arg };
    return status_copy(ctx, changes_of(&scratch, self, input, &relay));
}

InputSource pps_source(PpsSource *source)
{
    return (InputSource){ source_list, source_stat, source_changes, source };
}
