/* meta.c - opens the computed content of a meta repo's commit. */
#include "control/meta_priv.h"
#include "worker/user.h"
#include "worker/work_spec.h"

const Str meta_sections[META_SECTIONS] = { { "/meta/", 6 }, { "/pfs/", 5 } };

static Status find_job(Ctx *ctx, MetaSource *source, const PfsCommitRow *row)
{
    PpsV2__Job job;
    PpsV2__Pipeline pipeline;
    PfsV2__Project project;
    pps_v2__job__init(&job);
    pps_v2__pipeline__init(&pipeline);
    pfs_v2__project__init(&project);
    project.name = arena_strdup(ctx->arena, row->project);
    pipeline.project = &project;
    pipeline.name = arena_strdup(ctx->arena, row->repo);
    job.pipeline = &pipeline;
    job.id = arena_strdup(ctx->arena, row->set_id);
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pps_pfs(source->control->pps), &tx));
    TRY(pps_find_job(ctx, tx, &job, &source->job));
    return pps_job_spec(ctx, tx, &source->job, &source->spec);
}

/* Whose home it is only shows in the environment: a user that is nobody's has "/". */
static const char *home_of(Ctx *ctx, const Procavia__Work__WorkSet *set)
{
    UserFiles files;
    UserIds ids = { .home = "/" };
    user_files_read(ctx, set->root_dir, &files);
    const char *user = *set->transform->user ? set->transform->user
                       : set->image          ? set->image->user
                                             : "";
    Status s = user_resolve(ctx, &files, user, &ids);
    return status_ok(s) ? ids.home : "/";
}

Status control_meta(void *self, Ctx *ctx, const PfsCommitRow *row, const TreeSource **out)
{
    MetaSource *source = ARENA_ONE(ctx->arena, MetaSource);
    *source = (MetaSource){ .base = meta_walk, .control = self };
    source->base.self = source;
    *out = NULL;
    Status s = find_job(ctx, source, row);
    if (s.code == STATUS_NOT_FOUND) /* the commit a pipeline began with, or whose job was deleted */
        return OK;
    TRY(s);
    s = order_recipe(ctx, source->control, &source->job, &source->spec, false, &source->set);
    if (s.code == STATUS_NOT_FOUND) /* the image was deleted: its variables are not known */
        s = OK;
    TRY(s);
    source->home = source->set ? home_of(ctx, source->set) : "/";
    *out = &source->base;
    return OK;
}
