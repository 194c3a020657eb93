/* handle.c - handles: their text forms (§4), their defaults (§3.3), and how rows become handles. */
#include "base/text.h"
#include "pfs/pfs_priv.h"

static const char *or_default(const char *text, const char *otherwise)
{
    return text && *text ? text : otherwise;
}

/* --- text ------------------------------------------------------------------------------------- */

static char *repo_text(Ctx *ctx, const char *project, const char *name, const char *type)
{
    bool has_type = *type && strcmp(type, "user") != 0;
    return text_printf(ctx->arena, "%s%s%s%s%s", project, *project ? "/" : "", name,
                       has_type ? "." : "", has_type ? type : "");
}

char *pfs_repo_text(Ctx *ctx, const PfsV2__Repo *repo)
{
    if (!repo)
        return text_printf(ctx->arena, "<nil>");
    const char *project = repo->project ? or_default(repo->project->name, "") : "";
    return repo_text(ctx, project, repo->name, repo->type);
}

char *pfs_branch_text(Ctx *ctx, const PfsV2__Branch *branch)
{
    if (!branch)
        return text_printf(ctx->arena, "<nil>");
    return text_printf(ctx->arena, "%s@%s", pfs_repo_text(ctx, branch->repo), branch->name);
}

char *pfs_commit_text(Ctx *ctx, const PfsV2__Commit *commit)
{
    if (!commit)
        return text_printf(ctx->arena, "<nil>");
    bool relative = !*commit->id || strchr(".^~", commit->id[0]);
    const char *branch = relative && commit->branch ? commit->branch->name : "";
    return text_printf(ctx->arena, "%s@%s%s", pfs_repo_text(ctx, commit->repo), branch, commit->id);
}

char *pfs_commit_row_text(Ctx *ctx, const PfsCommitRow *row)
{
    return text_printf(ctx->arena, "%s@%s", repo_text(ctx, row->project, row->repo, row->repo_type),
                       row->set_id);
}

char *commit_row_key(Ctx *ctx, const PfsCommitRow *row)
{
    return text_printf(ctx->arena, "%s/%s.%s@%s", row->project, row->repo, row->repo_type,
                       row->set_id);
}

char *branch_key(Ctx *ctx, const PfsV2__Branch *branch)
{
    if (!branch || !branch->repo)
        return text_printf(ctx->arena, "<nil>");
    const PfsV2__Repo *repo = branch->repo;
    return text_printf(ctx->arena, "%s/%s.%s@%s", repo->project->name, repo->name, repo->type,
                       branch->name);
}

char *branch_row_text(Ctx *ctx, const BranchRow *row)
{
    return text_printf(ctx->arena, "%s@%s", repo_text(ctx, row->project, row->repo, row->type),
                       row->name);
}

/* --- making messages -------------------------------------------------------------------------- */

PfsV2__Repo *repo_ref(Ctx *ctx, const char *project, const char *name, const char *type)
{
    PfsV2__Repo *repo = PB_NEW(ctx, pfs_v2__repo, PfsV2__Repo);
    repo->project = PB_NEW(ctx, pfs_v2__project, PfsV2__Project);
    repo->project->name = arena_strdup(ctx->arena, project);
    repo->name = arena_strdup(ctx->arena, name);
    repo->type = arena_strdup(ctx->arena, type);
    return repo;
}

PfsV2__Repo *pfs_repo_ref(Ctx *ctx, const char *project, const char *name, const char *type)
{
    return repo_ref(ctx, project, name, type);
}

static PfsV2__Branch *branch_of(Ctx *ctx, PfsV2__Repo *repo, const char *name)
{
    PfsV2__Branch *branch = PB_NEW(ctx, pfs_v2__branch, PfsV2__Branch);
    branch->repo = repo;
    branch->name = arena_strdup(ctx->arena, name);
    return branch;
}

PfsV2__Branch *pfs_branch_ref(Ctx *ctx, const char *project, const char *repo, const char *branch)
{
    return branch_of(ctx, repo_ref(ctx, project, repo, "user"), branch);
}

PfsV2__Branch *branch_row_ref(Ctx *ctx, const BranchRow *row)
{
    return branch_of(ctx, repo_ref(ctx, row->project, row->repo, row->type), row->name);
}

static PfsV2__Commit *commit_of(Ctx *ctx, PfsV2__Repo *repo, const char *id)
{
    PfsV2__Commit *commit = PB_NEW(ctx, pfs_v2__commit, PfsV2__Commit);
    commit->repo = repo;
    commit->id = arena_strdup(ctx->arena, id);
    return commit;
}

PfsV2__Commit *pfs_commit_ref(Ctx *ctx, const char *project, const char *repo, const char *id)
{
    return commit_of(ctx, repo_ref(ctx, project, repo, "user"), id);
}

PfsV2__Commit *pfs_commit_row_ref(Ctx *ctx, const PfsCommitRow *row)
{
    return commit_of(ctx, repo_ref(ctx, row->project, row->repo, row->repo_type), row->set_id);
}

Google__Protobuf__Timestamp *time_message(Ctx *ctx, int64_t ns)
{
    if (!ns)
        return NULL;
    Google__Protobuf__Timestamp *time =
        PB_NEW(ctx, google__protobuf__timestamp, Google__Protobuf__Timestamp);
    time->seconds = ns / NS_PER_SEC;
    time->nanos = (int32_t)(ns % NS_PER_SEC);
    return time;
}

int64_t time_ns_of(const Google__Protobuf__Timestamp *time)
{
    int64_t ns;
    if (__builtin_mul_overflow(time->seconds, NS_PER_SEC, &ns) ||
        __builtin_add_overflow(ns, (int64_t)time->nanos, &ns))
        return time->seconds < 0 ? INT64_MIN : INT64_MAX;
    return ns;
}

void ptr_list_add(Ctx *ctx, PtrList *list, void *item)
{
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 4;
        void **items = arena_must(ctx->arena, capacity * sizeof(*items));
        if (list->n)
            memcpy(items, list->items, list->n * sizeof(*items));
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->n++] = item;
}

/* --- defaults --------------------------------------------------------------------------------- */

PfsV2__Repo *pfs_repo_fill(Ctx *ctx, const PfsV2__Repo *repo)
{
    if (!repo)
        return NULL;
    const char *project = repo->project ? repo->project->name : NULL;
    return repo_ref(ctx, or_default(project, "default"), repo->name,
                    or_default(repo->type, "user"));
}

PfsV2__Branch *pfs_branch_fill(Ctx *ctx, const PfsV2__Branch *branch)
{
    return branch ? branch_of(ctx, pfs_repo_fill(ctx, branch->repo), branch->name) : NULL;
}

Status pfs_commit_fill(Ctx *ctx, const PfsV2__Commit *commit, PfsV2__Commit **out)
{
    if (!commit)
        return FAIL(ctx, UNKNOWN, "commit cannot be nil");
    const PfsV2__Repo *repo = commit->repo;
    if (!repo && commit->branch)
        repo = commit->branch->repo;
    if (!repo)
        return FAIL(ctx, UNKNOWN, "commit must have a repo");
    PfsV2__Commit *filled = commit_of(ctx, pfs_repo_fill(ctx, repo), commit->id);
    if (commit->branch)
        filled->branch = branch_of(ctx, filled->repo, commit->branch->name);
    *out = filled;
    return OK;
}

bool pfs_is_fileset(const PfsV2__Commit *commit)
{
    if (!commit)
        return false;
    const PfsV2__Repo *repo = commit->repo;
    if (!repo && commit->branch)
        repo = commit->branch->repo;
    return repo && strcmp(repo->name, PFS_FILESETS_REPO) == 0;
}
