/* pps.c - opening, handles as text, topics. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "pps/pps_priv.h"

static Status write_fresh_defaults(Ctx *ctx, Pfs *pfs)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pfs, NULL, &tx));
    TRY(db_exec(ctx, pfs_tx_db(tx), NULL,
                "INSERT INTO pps_spec_defaults (scope, json, created_by, created) VALUES "
                "('cluster', ?, '', ?) "
                "ON CONFLICT (scope) DO NOTHING",
                "si", SPEC_CLUSTER_DEFAULTS_FRESH, clock_wall_ns()));
    return pfs_commit(ctx, STEAL(tx));
}

Status pps_open(Ctx *ctx, Pfs *pfs, const PpsHost *host, Pps **out)
{
    TRY_WRAP(ctx, write_fresh_defaults(ctx, pfs), "could not write the first defaults");
    Pps *pps = calloc(1, sizeof(*pps));
    if (!pps)
        return STATUS(RESOURCE_EXHAUSTED);
    pps->pfs = pfs;
    pps->host = *host;
    pps->log = logbook_new(pps);
    pps->stirred = stirred_new(pps);
    const PfsHooks hooks = { .commits_created = pps_commits_created,
                             .commit_finished = pps_commit_finished,
                             .commit_deleting = pps_commit_deleting,
                             .repo_delete_check = pps_repo_delete_check,
                             .user_finish_check = pps_user_finish_check,
                             .user_may_start = pps_user_may_start,
                             .self = pps };
    pfs_set_hooks(pfs, &hooks);
    *out = pps;
    return OK;
}

Pps *pps_close(Pps *pps)
{
    if (!pps)
        return NULL;
    const PfsHooks none = { 0 };
    pfs_set_hooks(pps->pfs, &none);
    logbook_free(pps->log);
    stirred_free(pps->stirred);
    free(pps);
    return NULL;
}

Pfs *pps_pfs(Pps *pps)
{
    return pps->pfs;
}

uint64_t pps_topic_pipeline(const char *project, const char *name)
{
    return event_topic(project, str(name));
}

uint64_t pps_topic_job(int64_t job)
{
    return event_topic_num("job", job);
}

uint64_t pps_topic_stirred(void)
{
    return event_topic_num("pps", 0);
}

uint64_t pps_topic_logs(int64_t job)
{
    return event_topic_num("job logs", job);
}

uint64_t pps_topic_pipeline_logs(int64_t pipeline)
{
    return event_topic_num("pipeline logs", pipeline);
}

void pps_note_pipeline(PfsTx *tx, int64_t id, const char *project, const char *name)
{
    db_notify(pfs_tx_db(tx), pps_topic_pipeline(project, name));
    pps_stir_pipeline(tx, id);
}

void pps_note_job(PfsTx *tx, int64_t job)
{
    db_notify(pfs_tx_db(tx), pps_topic_job(job));
}

char *pps_pipeline_text(Ctx *ctx, const char *project, const char *name)
{
    return text_printf(ctx->arena, "%s/%s", project, name);
}

char *pps_job_text(Ctx *ctx, const char *project, const char *name, const char *id)
{
    return text_printf(ctx->arena, "%s/%s@%s", project, name, id);
}

const char *pps_project_of(const PfsV2__Project *project)
{
    return project && *project->name ? project->name : "default";
}

const char *pps_pipeline_project(const PpsV2__Pipeline *pipeline)
{
    return pps_project_of(pipeline ? pipeline->project : NULL);
}

bool pps_in_projects(PfsV2__Project *const *projects, size_t n, const char *project)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(pps_project_of(projects[i]), project) == 0)
            return true;
    }
    return n == 0;
}

PpsV2__Pipeline *pps_pipeline_ref(Ctx *ctx, const char *project, const char *name)
{
    PpsV2__Pipeline *pipeline = PB_NEW(ctx, pps_v2__pipeline, PpsV2__Pipeline);
    pipeline->project = PB_NEW(ctx, pfs_v2__project, PfsV2__Project);
    pipeline->project->name = arena_strdup(ctx->arena, project);
    pipeline->name = arena_strdup(ctx->arena, name);
    return pipeline;
}

PpsV2__Job *pps_job_ref(Ctx *ctx, const char *project, const char *name, const char *id)
{
    PpsV2__Job *job = PB_NEW(ctx, pps_v2__job, PpsV2__Job);
    job->pipeline = pps_pipeline_ref(ctx, project, name);
    job->id = arena_strdup(ctx->arena, id);
    return job;
}

PpsV2__Job *pps_job_of_text(Ctx *ctx, Str text)
{
    size_t slash = str_find(text, '/'), at = str_find(text, '@');
    if (at == text.size || slash > at)
        return NULL;
    return pps_job_ref(ctx, str_z(ctx->arena, str_sub(text, 0, slash)),
                       str_z(ctx->arena, str_sub(text, slash + 1, at)),
                       str_z(ctx->arena, str_sub(text, at + 1, text.size)));
}
