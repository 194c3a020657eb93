/* source.c - files for the enumeration of datums, read from pfs. */
#include <stdlib.h>

#include "base/text.h"
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

/* Enumerating looks up one path after the other: a commit is picked once. */
typedef struct PpsOpenView {
    struct PpsOpenView *next;
    Ctx ctx; /* holds all of it */
    const char *text;
    PfsView view;
} PpsOpenView;

static const char *input_text(Ctx *ctx, const PpsV2__PFSInput *input, const char *set_id)
{
    return text_printf(ctx->arena, "%s/%s.%s@%s=%s", input->project, input->repo, input->repo_type,
                       input->branch, set_id);
}

static void open_view_free(PpsOpenView *open)
{
    ctx_done(&open->ctx);
    free(open);
}

static Status open_view(Ctx *ctx, PpsSource *source, const PpsV2__PFSInput *input,
                        const char *set_id, PfsView *out)
{
    const char *text = input_text(ctx, input, set_id);
    PpsOpenView *open = source->views;
    while (open && strcmp(open->text, text) != 0)
        open = open->next;
    if (!open) {
        open = calloc(1, sizeof(*open));
        if (!open)
            return STATUS(RESOURCE_EXHAUSTED);
        ctx_scratch(&open->ctx, ctx);
        Status s = pps_input_view(&open->ctx, source->pps, input, set_id, &open->view);
        if (!status_ok(s)) {
            s = status_copy(ctx, s);
            open_view_free(open);
            return s;
        }
        open->text = arena_strdup(open->ctx.arena, text);
        open->next = source->views;
        source->views = open;
    }
    *out = open->view;
    return OK;
}

void pps_source_done(PpsSource *source)
{
    while (source->views) {
        PpsOpenView *next = source->views->next;
        open_view_free(source->views);
        source->views = next;
    }
}

static Status source_stat(void *self, Ctx *ctx, const PpsV2__PFSInput *input, Str path,
                          PfsMatch *out)
{
    PfsView view;
    TRY(open_view(ctx, self, input, input->commit, &view));
    return pfs_view_stat(ctx, &view, path, out);
}

static Status source_stat_before(void *self, Ctx *ctx, const PpsV2__PFSInput *input, Str path,
                                 PfsMatch *out)
{
    PpsSource *source = self;
    PfsView view;
    TRY(open_view(ctx, source, input, source->base_set, &view));
    return pfs_view_stat(ctx, &view, path, out);
}

typedef struct BaseCheck {
    const PpsSource *source;
    bool has;
} BaseCheck;

static Status check_base(void *arg, Ctx *ctx, PpsV2__Input *node)
{
    BaseCheck *check = arg;
    PfsView view;
    const PpsV2__PFSInput *leaf = input_leaf(ctx, node);
    if (!leaf || !check->has)
        return OK;
    Status s = pps_input_view(ctx, check->source->pps, leaf, check->source->base_set, &view);
    check->has = status_ok(s);
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

Status pps_source_has_base(Ctx *ctx, const PpsSource *source, PpsV2__Input *input, bool *out)
{
    BaseCheck check = { source, true };
    CLEANUP(ctx_done) Ctx scratch;
    ctx_scratch(&scratch, ctx);
    Status s = input_visit(&scratch, input, check_base, &check);
    *out = check.has;
    return status_copy(ctx, s);
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
    return (InputSource){ source_list, source_stat, source_stat_before, source_changes, source };
}
