/* ref.h - the names that people type for things: repo, repo@branch, repo@branch=id:/path,
 * pipeline@job.
 *
 *   repo            repo.type
 *   repo@branch     repo@commit-id    repo@branch=commit-id    repo@branch^2    repo@branch.3
 *   <any of these>:path
 *   pipeline@job-id
 *
 * Ancestry is resolved by the server. All results live in ctx's arena; the project never is part of
 * the text. Errors: INVALID_ARGUMENT naming the text. */
#pragma once

#include "base/ctx.h"
#include "pfs/pfs.pb-c.h"
#include "pps/pps.pb-c.h"

PfsV2__Project *ref_project(Ctx *ctx, const char *name);
Status ref_repo(Ctx *ctx, const char *project, const char *text, PfsV2__Repo **out) NODISCARD;
Status ref_branch(Ctx *ctx, const char *project, const char *text, PfsV2__Branch **out) NODISCARD;
/* The part after '@' may be missing: then neither id nor branch is set. */
Status ref_commit(Ctx *ctx, const char *project, const char *text, PfsV2__Commit **out) NODISCARD;
/* The path is kept as typed, and may be missing. */
Status ref_file(Ctx *ctx, const char *project, const char *text, PfsV2__File **out) NODISCARD;
PpsV2__Pipeline *ref_pipeline(Ctx *ctx, const char *project, const char *name);
Status ref_job(Ctx *ctx, const char *project, const char *text, PpsV2__Job **out) NODISCARD;

/* How tables and errors write them: "repo" or "repo.type", "repo@branch", "repo@id" (the branch,
 * when there is no id). */
char *ref_repo_text(Ctx *ctx, const PfsV2__Repo *repo);
char *ref_branch_text(Ctx *ctx, const PfsV2__Branch *branch);
char *ref_commit_text(Ctx *ctx, const PfsV2__Commit *commit);

bool ref_is_url(const char *text); /* "scheme://…" */
