/* project.c - projects (§12.4, §18.1). */
#include "base/text.h"
#include "pfs/pfs_priv.h"

static Status err_project_not_found(Ctx *ctx, const char *name)
{
    return FAIL(ctx, NOT_FOUND, "project %s not found", text_quote(ctx->arena, str(name)));
}

static Status project_handle_check(Ctx *ctx, const PfsV2__Project *project)
{
    if (!project)
        return FAIL(ctx, UNKNOWN, "invalid project name: nil project");
    TRY_WRAP(ctx, project_name_check(ctx, project->name), "invalid project name");
    return OK;
}

Status project_insert(Ctx *ctx, PfsTx *tx, const char *name, const char *description)
{
    int64_t id;
    TRY(db_next_id(ctx, tx->db, "pfs_project", &id));
    return db_exec(ctx, tx->db, NULL,
                   "INSERT INTO pfs_project (id, name, description, created_by, created_ns) "
                   "VALUES (?, ?, ?, ?, ?)",
                   "isssi", id, name, description, ctx->user, tx->time_ns);
}

static Status project_update(Ctx *ctx, PfsTx *tx, const char *name, const char *description)
{
    int64_t changes;
    TRY(db_exec(ctx, tx->db, &changes, "UPDATE pfs_project SET description = ? WHERE name = ?",
                "ss", description, name));
    if (!changes)
        return status_wrap(ctx, err_project_not_found(ctx, name), "get project %s", name);
    return OK;
}

Status pfs_create_project(Ctx *ctx, PfsTx *tx, const PfsV2__CreateProjectRequest *request)
{
    TRY(project_handle_check(ctx, request->project));
    const char *name = request->project->name;
    if (request->update)
        return project_update(ctx, tx, name, request->description);
    int64_t id;
    Status found = project_find(ctx, tx, name, &id);
    if (status_ok(found))
        return FAIL(ctx, ALREADY_EXISTS, "project %s already exists\nproject %s already exists",
                    text_quote(ctx->arena, str(name)), name);
    if (found.code != STATUS_NOT_FOUND)
        return found;
    return project_insert(ctx, tx, name, request->description);
}

/* --- reading ---------------------------------------------------------------------------------- */

#define PROJECT_SELECT "SELECT id, name, description, created_by, created_ns FROM pfs_project "

static Status project_info(Ctx *ctx, PfsTx *tx, const DbRows *rows, PfsV2__ProjectInfo **out)
{
    PfsV2__ProjectInfo *info = PB_NEW(ctx, pfs_v2__project_info, PfsV2__ProjectInfo);
    info->project = PB_NEW(ctx, pfs_v2__project, PfsV2__Project);
    info->project->name = arena_strdup(ctx->arena, db_text(ctx, rows, 1));
    info->description = arena_strdup(ctx->arena, db_text(ctx, rows, 2));
    info->created_by = arena_strdup(ctx->arena, db_text(ctx, rows, 3));
    info->created_at = time_message(ctx, db_int(rows, 4));
    PtrList metadata = { 0 };
    TRY(metadata_entries(ctx, tx, PFS_PROJECT, db_int(rows, 0),
                         &pfs_v2__project_info__metadata_entry__descriptor, &metadata));
    info->metadata = (PfsV2__ProjectInfo__MetadataEntry **)metadata.items;
    info->n_metadata = metadata.n;
    *out = info;
    return OK;
}

static Status project_inspect(Ctx *ctx, PfsTx *tx, const char *name, PfsV2__ProjectInfo **out)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx->db, &rows, PROJECT_SELECT "WHERE name = ?", "s", name));
    bool more;
    TRY(db_next(ctx, &rows, &more));
    if (!more)
        return status_wrap(ctx, err_project_not_found(ctx, name), "get project by name");
    return project_info(ctx, tx, &rows, out);
}

Status pfs_inspect_project(Ctx *ctx, PfsTx *tx, const PfsV2__Project *project,
                           PfsV2__ProjectInfo **out)
{
    if (!project)
        return FAIL(ctx, UNKNOWN, "project cannot be nil");
    TRY_WRAP(ctx, project_inspect(ctx, tx, project->name, out), "error getting project %s",
             text_quote(ctx->arena, str(project->name)));
    return OK;
}

Status pfs_list_project(Ctx *ctx, PfsTx *tx, PfsProjectFn fn, void *arg)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, tx->db, &rows, PROJECT_SELECT "ORDER BY id", ""));
    DB_EACH (ctx, &rows) {
        ArenaMark mark = arena_mark(ctx->arena);
        PfsV2__ProjectInfo *info;
        TRY(project_info(ctx, tx, &rows, &info));
        TRY(fn(arg, ctx, info));
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}

/* --- deleting --------------------------------------------------------------------------------- */

/* Names every repo that keeps the project alive, one a line. */
static Status project_must_be_empty(Ctx *ctx, PfsTx *tx, int64_t project_id, const char *name)
{
    CLEANUP(ids_done) Ids repos = { 0 };
    TRY(ids_query(ctx, tx, "SELECT id FROM pfs_repo WHERE project_id = ? ORDER BY name, type",
                  project_id, &repos));
    PtrList lines = { 0 };
    for (size_t i = 0; i < repos.n; i++) {
        RepoRow repo;
        TRY(repo_get(ctx, tx, repos.items[i], &repo));
        ptr_list_add(ctx, &lines,
                     text_printf(ctx->arena, "cannot delete project %s: repo %s still exists", name,
                                 repo_row_text(ctx, &repo)));
    }
    if (!lines.n)
        return OK;
    return FAIL(ctx, FAILED_PRECONDITION, "%s",
                text_join(ctx->arena, (const char *const *)lines.items, lines.n, "\n"));
}

Status pfs_delete_project(Ctx *ctx, PfsTx *tx, const PfsV2__DeleteProjectRequest *request)
{
    TRY(project_handle_check(ctx, request->project));
    const char *name = request->project->name;
    int64_t id;
    TRY_WRAP(ctx, OR_MISSING(project_find(ctx, tx, name, &id), err_project_not_found(ctx, name)),
             "delete project %s", text_quote(ctx->arena, str(name)));
    TRY(project_must_be_empty(ctx, tx, id, name));
    TRY(pfs_metadata_clear(ctx, tx, PFS_PROJECT, id));
    return db_exec(ctx, tx->db, NULL, "DELETE FROM pfs_project WHERE id = ?", "i", id);
}

Status pfs_delete_all(Ctx *ctx, PfsTx *tx)
{
    PfsV2__DeleteReposRequest *every =
        PB_NEW(ctx, pfs_v2__delete_repos_request, PfsV2__DeleteReposRequest);
    every->all = true;
    every->force = true;
    PfsV2__DeleteReposResponse *deleted;
    TRY_WRAP(ctx, repos_delete(ctx, tx, every, &deleted), "could not delete all repos");
    TRY(db_exec(ctx, tx->db, NULL, "DELETE FROM pfs_metadata WHERE kind = 'project'", ""));
    TRY(db_exec(ctx, tx->db, NULL, "DELETE FROM pfs_project", ""));
    return project_insert(ctx, tx, "default", "");
}
