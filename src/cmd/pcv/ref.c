/* ref.c - see ref.h. */
#include "cmd/pcv/ref.h"

#include <ctype.h>

#include "base/id.h"
#include "base/text.h"
#include "codec/pb.h"

PfsV2__Project *ref_project(Ctx *ctx, const char *name)
{
    PfsV2__Project *project = PB_NEW(ctx, pfs_v2__project, PfsV2__Project);
    project->name = arena_strdup(ctx->arena, name);
    return project;
}

static Status make_repo(Ctx *ctx, const char *project, Str name, Str whole, PfsV2__Repo **out)
{
    size_t dot = str_find(name, '.');
    if (dot == 0)
        return FAIL(ctx, INVALID_ARGUMENT, "invalid format \"" STR_FMT "\": repo cannot be empty",
                    STR_ARG(whole));
    PfsV2__Repo *repo = PB_NEW(ctx, pfs_v2__repo, PfsV2__Repo);
    repo->project = ref_project(ctx, project);
    repo->name = str_z(ctx->arena, str_sub(name, 0, dot));
    repo->type =
        str_z(ctx->arena, dot < name.size ? str_sub(name, dot + 1, name.size) : STR("user"));
    *out = repo;
    return OK;
}

Status ref_repo(Ctx *ctx, const char *project, const char *text, PfsV2__Repo **out)
{
    return make_repo(ctx, project, str(text), str(text), out);
}

/* May the server have a branch of this name? */
static bool is_branch_name(Str name)
{
    for (size_t i = 0; i < name.size; i++) {
        if (!isalnum((unsigned char)name.data[i]) && name.data[i] != '_' && name.data[i] != '-')
            return false;
    }
    return name.size > 0;
}

static bool is_commit_id(Str text)
{
    char bytes_of_id[16];
    return text.size == ID_SIZE - 1 && hex_decode(text, bytes_of_id, sizeof(bytes_of_id));
}

static Status make_commit(Ctx *ctx, const char *project, Str text, Str whole, PfsV2__Commit **out)
{
    size_t at = str_find(text, '@');
    PfsV2__Commit *commit = PB_NEW(ctx, pfs_v2__commit, PfsV2__Commit);
    TRY(make_repo(ctx, project, str_sub(text, 0, at), whole, &commit->repo));
    commit->branch = PB_NEW(ctx, pfs_v2__branch, PfsV2__Branch);
    commit->branch->repo = commit->repo;
    Str ref = str_sub(text, at + 1, text.size);
    size_t equals = str_find(ref, '=');
    if (equals < ref.size) {
        commit->branch->name = str_z(ctx->arena, str_sub(ref, 0, equals));
        commit->id = str_z(ctx->arena, str_sub(ref, equals + 1, ref.size));
    } else if (is_commit_id(ref) || !is_branch_name(ref)) {
        commit->id = str_z(ctx->arena, ref);
    } else {
        commit->branch->name = str_z(ctx->arena, ref);
    }
    *out = commit;
    return OK;
}

/* Where the path begins: the first ':' after '@', or the end. */
static size_t find_path(Str text)
{
    size_t at = str_find(text, '@');
    return MIN(text.size, at + str_find(str_sub(text, at, text.size), ':'));
}

Status ref_commit(Ctx *ctx, const char *project, const char *text, PfsV2__Commit **out)
{
    Str whole = str(text);
    if (find_path(whole) < whole.size)
        return FAIL(ctx, INVALID_ARGUMENT, "invalid format \"%s\": cannot specify a file path",
                    text);
    return make_commit(ctx, project, whole, whole, out);
}

Status ref_branch(Ctx *ctx, const char *project, const char *text, PfsV2__Branch **out)
{
    PfsV2__Commit *commit;
    TRY(ref_commit(ctx, project, text, &commit));
    if (*commit->id)
        return FAIL(ctx, INVALID_ARGUMENT,
                    "invalid branch \"%s\": cannot specify a commit or ancestry", text);
    *out = commit->branch;
    return OK;
}

Status ref_file(Ctx *ctx, const char *project, const char *text, PfsV2__File **out)
{
    Str whole = str(text);
    size_t colon = find_path(whole);
    PfsV2__File *file = PB_NEW(ctx, pfs_v2__file, PfsV2__File);
    TRY(make_commit(ctx, project, str_sub(whole, 0, colon), whole, &file->commit));
    file->path = str_z(ctx->arena, str_sub(whole, colon + 1, whole.size));
    *out = file;
    return OK;
}

PpsV2__Pipeline *ref_pipeline(Ctx *ctx, const char *project, const char *name)
{
    PpsV2__Pipeline *pipeline = PB_NEW(ctx, pps_v2__pipeline, PpsV2__Pipeline);
    pipeline->project = ref_project(ctx, project);
    pipeline->name = arena_strdup(ctx->arena, name);
    return pipeline;
}

Status ref_job(Ctx *ctx, const char *project, const char *text, PpsV2__Job **out)
{
    Str whole = str(text);
    size_t at = str_find(whole, '@');
    if (at == 0)
        return FAIL(ctx, INVALID_ARGUMENT, "invalid format \"%s\": pipeline must be specified",
                    text);
    if (at + 1 >= whole.size)
        return FAIL(ctx, INVALID_ARGUMENT, "invalid format \"%s\": expected pipeline@job-id", text);
    PpsV2__Job *job = PB_NEW(ctx, pps_v2__job, PpsV2__Job);
    job->pipeline = ref_pipeline(ctx, project, str_z(ctx->arena, str_sub(whole, 0, at)));
    job->id = str_z(ctx->arena, str_sub(whole, at + 1, whole.size));
    *out = job;
    return OK;
}

char *ref_repo_text(Ctx *ctx, const PfsV2__Repo *repo)
{
    if (!repo)
        return arena_strdup(ctx->arena, "");
    bool plain = !*repo->type || strcmp(repo->type, "user") == 0;
    return text_printf(ctx->arena, "%s%s%s", repo->name, plain ? "" : ".", plain ? "" : repo->type);
}

char *ref_branch_text(Ctx *ctx, const PfsV2__Branch *branch)
{
    return text_printf(ctx->arena, "%s@%s", ref_repo_text(ctx, branch->repo), branch->name);
}

char *ref_commit_text(Ctx *ctx, const PfsV2__Commit *commit)
{
    const char *ref = *commit->id || !commit->branch ? commit->id : commit->branch->name;
    return text_printf(ctx->arena, "%s@%s", ref_repo_text(ctx, commit->repo), ref);
}

bool ref_is_url(const char *text)
{
    size_t i = 0;
    while (isalnum((unsigned char)text[i]) || (i && strchr("+-.", text[i]) && text[i]))
        i++;
    return i && strncmp(text + i, "://", 3) == 0;
}
