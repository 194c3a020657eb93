/* name.c - which names repos, branches and projects may have (§3.1, §3.2), and what a miss is
 * called (§2.1). */
#include "base/id.h"
#include "base/text.h"
#include "pfs/pfs_priv.h"

#define NAME_BYTES_MAX         1000 /* keys are made of several names and are indexed */
#define PROJECT_NAME_BYTES_MAX 51   /* what Kubernetes leaves of a label's 63 */

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

Status name_check(Ctx *ctx, const char *name)
{
    size_t size = strlen(name);
    bool valid = size > 0;
    for (size_t i = 0; i < size; i++)
        valid = valid && (is_alnum(name[i]) || name[i] == '_' || name[i] == '-');
    if (!valid)
        return FAIL(ctx, UNKNOWN,
                    "name (%s) invalid: only alphanumeric characters, underscores, and dashes are "
                    "allowed",
                    name);
    if (size > NAME_BYTES_MAX)
        return FAIL(ctx, UNKNOWN, "name (%.32s…) is %zu characters longer than the %d max", name,
                    size - NAME_BYTES_MAX, NAME_BYTES_MAX);
    return OK;
}

Status branch_name_check(Ctx *ctx, const char *name)
{
    TRY(name_check(ctx, name));
    /* Only lower case: what was created in upper case exists. */
    if (id_is_v4(str(name)) && !strpbrk(name, "ABCDEF"))
        return FAIL(ctx, UNKNOWN, "branch name cannot be a UUID V4");
    return OK;
}

Status project_name_check(Ctx *ctx, const char *name)
{
    if (strcmp(name, "default") == 0)
        return OK;
    size_t size = strlen(name);
    if (size > PROJECT_NAME_BYTES_MAX)
        return FAIL(ctx, UNKNOWN, "project name %s is %zu characters longer than the %d max",
                    text_quote(ctx->arena, str(name)), size - PROJECT_NAME_BYTES_MAX,
                    PROJECT_NAME_BYTES_MAX);
    TRY(name_check(ctx, name));
    if (!is_alnum(name[0]))
        return FAIL(ctx, UNKNOWN, "project names must start with an alphanumeric character");
    return OK;
}

/* "unknown" is one of the enum, though no repo is of that type. */
Status repo_type_check(Ctx *ctx, const char *type)
{
    static const char *const types[] = { "user", "meta", "spec", "unknown" };
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(type, types[i]) == 0)
            return OK;
    return err_repo_type(ctx, type);
}

Status err_repo_type(Ctx *ctx, const char *type)
{
    return FAIL(ctx, UNKNOWN,
                "ERROR: invalid input value for enum pfs.repo_type: %s (SQLSTATE 22P02)",
                text_quote(ctx->arena, str(type)));
}

/* --- misses ----------------------------------------------------------------------------------- */

Status err_repo_not_found(Ctx *ctx, const PfsV2__Repo *repo)
{
    return FAIL(ctx, NOT_FOUND, "repo %s not found", pfs_repo_text(ctx, repo));
}

Status err_repo_row_not_found(Ctx *ctx, const PfsV2__Repo *repo)
{
    return FAIL(ctx, NOT_FOUND, "repo (id=0, project=%s, name=%s, type=%s) not found",
                repo->project->name, repo->name, repo->type);
}

Status err_branch_not_found(Ctx *ctx, const PfsV2__Branch *branch)
{
    return FAIL(ctx, NOT_FOUND, "branch %s not found in repo %s",
                text_quote(ctx->arena, str(branch->name)), pfs_repo_text(ctx, branch->repo));
}

Status err_branch_row_not_found(Ctx *ctx, const PfsV2__Branch *branch)
{
    return FAIL(ctx, NOT_FOUND, "branch (id=0, branch=%s) not found", pfs_branch_text(ctx, branch));
}

Status err_commit_not_found(Ctx *ctx, const PfsV2__Commit *commit)
{
    return FAIL(ctx, NOT_FOUND, "commit %s not found", pfs_commit_text(ctx, commit));
}

Status err_commit_deleted(Ctx *ctx, const PfsV2__Commit *commit)
{
    return FAIL(ctx, UNKNOWN, "commit %s was deleted", pfs_commit_text(ctx, commit));
}
