/* Repos and branches: making, looking at and deleting them (§8, §12, §18.2). */
#include "pfs_fixture.h"

/* "repo@branch repo@branch" */
static const char *branches_text(Fixture *fx, PfsV2__Branch *const *branches, size_t n)
{
    PtrList names = { 0 };
    for (size_t i = 0; i < n; i++)
        ptr_list_add(
            &fx->ctx, &names,
            text_printf(fx->ctx.arena, "%s@%s", branches[i]->repo->name, branches[i]->name));
    return text_join(fx->ctx.arena, (const char *const *)names.items, names.n, " ");
}

/* --- repos ------------------------------------------------------------------------------------ */

static void repos_are_checked(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    assert_fails(try_create_repo(fx, "in"), ALREADY_EXISTS, "repo default/in already exists");
    assert_fails(try_create_repo(fx, "len,ny"), UNKNOWN,
                 "name (len,ny) invalid: only alphanumeric characters, underscores, and dashes are "
                 "allowed");
    assert_fails(try_create_repo(fx, ""), UNKNOWN, "name () invalid");
    assert_fails(try_create_repo(fx, "__filesets__"), UNKNOWN, "__filesets__ is a reserved name");
    assert_fails(try_create_repo(fx, "none.meta"), NOT_FOUND,
                 "cannot create a system repo without a corresponding 'user' repo");
    assert_fails(try_create_repo(fx, "in.odd"), UNKNOWN, "invalid input value for enum");
    create_repo(fx, "in.meta");

    PfsV2__CreateRepoRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__create_repo_request, PfsV2__CreateRepoRequest);
    Status s;
    IN_TX(fx, s, pfs_create_repo(&fx->ctx, tx, request));
    assert_fails(s, UNKNOWN, "repo cannot be nil");
    request->repo = pfs_repo_ref(&fx->ctx, "x", "in", "user");
    IN_TX(fx, s, pfs_create_repo(&fx->ctx, tx, request));
    assert_fails(s, NOT_FOUND,
                 "cannot find project \"x\": get project by name: project \"x\" not found");
}

static Status keep_repo(void *arg, Ctx *ctx, const PfsV2__RepoInfo *info)
{
    Fixture *fx = arg;
    (void)ctx;
    fx->seen = text_printf(fx->keep, "%s %s.%s=%lld", fx->seen, info->repo->name, info->repo->type,
                           (long long)info->size_bytes_upper_bound);
    return OK;
}

static const char *list_repos(Fixture *fx, const char *type, int64_t page_size, int64_t page_index)
{
    PfsV2__ListRepoRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__list_repo_request, PfsV2__ListRepoRequest);
    request->type = arena_strdup(fx->ctx.arena, type);
    if (page_size >= 0) {
        request->page = PB_NEW(&fx->ctx, pfs_v2__repo_page, PfsV2__RepoPage);
        request->page->page_size = page_size;
        request->page->page_index = page_index;
    }
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    assert_ok(pfs_begin_read(&fx->ctx, fx->pfs, &tx));
    fx->seen = arena_strdup(fx->keep, "");
    assert_ok(pfs_list_repo(&fx->ctx, tx, request, keep_repo, fx));
    return fx->seen;
}

static void repos_are_listed_in_order(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "b");
    create_repo(fx, "a");
    create_repo(fx, "b.spec");
    create_repo(fx, "b.meta");
    start(fx, "a@master");
    put_file(fx, "a@master", "/f", 'x', 12);
    assert_string_equal(list_repos(fx, "", -1, 0), " a.user=0 b.meta=0 b.spec=0 b.user=0");
    finish(fx, "a@master");
    assert_string_equal(list_repos(fx, "user", -1, 0), " a.user=12 b.user=0");
    assert_string_equal(list_repos(fx, "", 3, 1), " b.user=0");
    assert_string_equal(list_repos(fx, "", 0, 0), "");
    assert_string_equal(list_repos(fx, "", INT64_MAX, INT64_MAX), "");
}

static Status try_delete_repo(Fixture *fx, const char *repo, bool force, bool *out_deleted)
{
    PfsV2__DeleteRepoRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__delete_repo_request, PfsV2__DeleteRepoRequest);
    request->repo = repo_of(fx, repo);
    request->force = force;
    Status s;
    IN_TX(fx, s, pfs_delete_repo(&fx->ctx, tx, request, out_deleted));
    return s;
}

static void deleting_a_repo_takes_all_of_it(void **state)
{
    Fixture *fx = *state;
    bool deleted = true;
    assert_ok(try_delete_repo(fx, "nope", false, &deleted));
    assert_false(deleted);
    create_repo(fx, "in");
    create_repo(fx, "out");
    create_repo(fx, "out.spec");
    create_repo(fx, "out.meta");
    create_branch(fx, "out@master", "in@master out.spec@master", NULL);
    create_branch(fx, "out.meta@master", "out@master", NULL);
    start(fx, "in@master");
    put_file(fx, "in@master", "/f", 'x', 1);
    assert_fails(
        try_delete_repo(fx, "in", false, &deleted), UNKNOWN,
        "delete repo: delete branch default/in@master: branch \"default/in@master\" cannot "
        "be deleted because it's in the direct provenance of [default/out@master]");
    assert_ok(try_delete_repo(fx, "out", false, &deleted));
    assert_true(deleted);
    assert_string_equal(list_repos(fx, "", -1, 0), " in.user=0");
    assert_int_equal(inspect_branch(fx, "in@master")->n_subvenance, 0);
    assert_int_equal(inspect(fx, "in@master")->n_direct_subvenance, 0);
    assert_ok(try_delete_repo(fx, "in", false, &deleted));
    assert_string_equal(list_repos(fx, "", -1, 0), "");
}

/* --- branches --------------------------------------------------------------------------------- */

static void a_new_branch_has_an_empty_head(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    create_branch(fx, "in@b", NULL, NULL);
    PfsV2__CommitInfo *head = inspect(fx, "in@b");
    assert_int_equal(head->origin->kind, PFS_V2__ORIGIN_KIND__AUTO);
    assert_non_null(head->finished);
    assert_null(head->parent_commit);
    assert_null(head->details->compacting_time);
    assert_int_equal(sum_of(fx, "in@b").files, 0);

    /* Again: nothing changes. With a head: it moves, and no commit is made. */
    create_branch(fx, "in@b", NULL, NULL);
    assert_string_equal(inspect(fx, "in@b")->commit->id, head->commit->id);
    const char *id = start_finish(fx, "in@c");
    create_branch(fx, "in@b", NULL, "in@c");
    assert_string_equal(inspect_branch(fx, "in@b")->head->id, id);
    assert_string_equal(set_repos(fx, id), "in");
}

static void branches_are_checked(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    create_repo(fx, "out");
    start_finish(fx, "in@master");
    assert_fails(try_create_branch(fx, "test@m", NULL, NULL), NOT_FOUND,
                 "repo (id=0, project=default, name=test, type=user) not found");
    assert_fails(try_create_branch(fx, "out@m", NULL, "in@master"), UNKNOWN,
                 "branch and head commit must belong to the same repo");
    assert_fails(try_create_branch(fx, "in@abcdef0123454789abcdef0123456789", NULL, NULL), UNKNOWN,
                 "branch name cannot be a UUID V4");
    create_branch(fx, "in@ABCDEF0123454789ABCDEF0123456789", NULL, NULL);
    assert_fails(try_create_branch(fx, "in@a.b", NULL, NULL), UNKNOWN, "name (a.b) invalid");
    assert_fails(try_create_branch(fx, "out@m", "in@a.b", NULL), UNKNOWN, "name (a.b) invalid");
    assert_fails(try_create_branch(fx, "in@b", "in@master", NULL), UNKNOWN,
                 "repo default/in cannot be in the provenance of its own branch");
    assert_fails(try_create_branch(fx, "in@b", NULL, "in@nope"), NOT_FOUND,
                 "unable to inspect default/in@nope: ");
    assert_fails(try_create_branch(fx, "out@m", "nope@master", NULL), NOT_FOUND, "not found");
}

static void provenance_is_a_closure(void **state)
{
    Fixture *fx = *state;
    static const char *const repos[] = { "a", "b", "c", "d" };
    for (size_t i = 0; i < ARRAY_LEN(repos); i++)
        create_repo(fx, repos[i]);
    create_branch(fx, "b@m", "a@m", NULL);
    create_branch(fx, "d@m", "c@m", NULL);
    create_branch(fx, "c@m", "b@m", NULL);
    PfsV2__BranchInfo *d = inspect_branch(fx, "d@m");
    assert_string_equal(branches_text(fx, d->direct_provenance, d->n_direct_provenance), "c@m");
    assert_string_equal(branches_text(fx, d->provenance, d->n_provenance), "c@m b@m a@m");
    PfsV2__BranchInfo *a = inspect_branch(fx, "a@m");
    assert_string_equal(branches_text(fx, a->subvenance, a->n_subvenance), "b@m c@m d@m");

    assert_fails(try_create_branch(fx, "a@m", "d@m", NULL), INTERNAL,
                 "cycle detected because default/d.user@m is already in the subvenance of "
                 "default/a.user@m");
    create_branch(fx, "c@m", "", NULL);
    assert_int_equal(inspect_branch(fx, "d@m")->n_provenance, 1);
    create_branch(fx, "a@m", "d@m", NULL);
}

static void a_dag_has_one_branch_of_a_repo(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    create_repo(fx, "mid");
    create_repo(fx, "out");
    create_branch(fx, "mid@m", "in@a", NULL);
    assert_fails(try_create_branch(fx, "out@m", "mid@m in@b", NULL), UNKNOWN,
                 "validate DAG at end of transaction: multiple branches from the same repo, "
                 "\"default/in\", cannot participate in a DAG");
    assert_fails(try_create_branch(fx, "out@m", "in@x in@y", NULL), ALREADY_EXISTS,
                 "already has a commit in this transaction");
    create_branch(fx, "out@m", "mid@m in@a", NULL);
}

static void branches_in_use_are_not_deleted(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    create_repo(fx, "out");
    create_branch(fx, "out@master", "in@master", NULL);
    assert_fails(try_delete_branch(fx, "in@nope", false), NOT_FOUND,
                 "get branch \"default/in.user@nope\": branch (id=0, branch=default/in@nope) not found");
    Status s = try_delete_branch(fx, "in@master", false);
    assert_int_equal(s.code, STATUS_UNKNOWN);
    assert_string_equal(status_message(s),
                        "branch \"default/in@master\" cannot be deleted because it's in the direct "
                        "provenance of [default/out@master]");
    assert_ok(try_delete_branch(fx, "in@master", true));
    assert_int_equal(inspect_branch(fx, "out@master")->n_provenance, 0);
    create_branch(fx, "in@master", NULL, NULL);
    assert_ok(try_delete_branch(fx, "in@master", false));

    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    PfsV2__BranchInfo *info;
    assert_ok(pfs_begin_read(&fx->ctx, fx->pfs, &tx));
    s = pfs_inspect_branch(&fx->ctx, tx, branch_of(fx, "in@master"), &info);
    assert_string_equal(status_message(s),
                        "inspect branch in transaction: branch (id=0, branch=default/in@master) "
                        "not found\nbranch \"master\" not found in repo default/in");
}

static Status start_then_delete(Fixture *fx, PfsTx *tx)
{
    PfsV2__StartCommitRequest *start =
        PB_NEW(&fx->ctx, pfs_v2__start_commit_request, PfsV2__StartCommitRequest);
    PfsV2__DeleteBranchRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__delete_branch_request, PfsV2__DeleteBranchRequest);
    PfsV2__Commit *commit;
    start->branch = request->branch = branch_of(fx, "in@master");
    TRY(pfs_start_commit(&fx->ctx, tx, start, &commit));
    return pfs_delete_branch(&fx->ctx, tx, request);
}

static void a_moved_branch_may_not_vanish(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    Status s;
    IN_TX(fx, s, start_then_delete(fx, tx));
    assert_fails(
        s, NOT_FOUND,
        "validate DAG at end of transaction: loading branch info for \"default/in@master\" "
        "during validation: ");
}

static Status keep_branch(void *arg, Ctx *ctx, const PfsV2__BranchInfo *info)
{
    Fixture *fx = arg;
    (void)ctx;
    fx->seen =
        text_printf(fx->keep, "%s %s@%s", fx->seen, info->branch->repo->name, info->branch->name);
    return OK;
}

static const char *list_branches(Fixture *fx, const char *repo, bool reverse)
{
    PfsV2__ListBranchRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__list_branch_request, PfsV2__ListBranchRequest);
    request->repo = repo ? repo_of(fx, repo) : NULL;
    request->reverse = reverse;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    fx->seen = arena_strdup(fx->keep, "");
    assert_ok(pfs_begin_read(&fx->ctx, fx->pfs, &tx));
    assert_ok(pfs_list_branch(&fx->ctx, tx, request, keep_branch, fx));
    return fx->seen;
}

static void branches_are_listed_newest_first(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    create_repo(fx, "on");
    create_branch(fx, "in@a", NULL, NULL);
    create_branch(fx, "on@x", NULL, NULL);
    create_branch(fx, "in@b", NULL, NULL);
    assert_string_equal(list_branches(fx, "in", false), " in@b in@a");
    assert_string_equal(list_branches(fx, "in", true), " in@a in@b");
    assert_string_equal(list_branches(fx, NULL, false), " in@b on@x in@a");
}

/* --- projects --------------------------------------------------------------------------------- */

static Status try_create_project(Fixture *fx, const char *name, bool update)
{
    PfsV2__CreateProjectRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__create_project_request, PfsV2__CreateProjectRequest);
    request->project = PB_NEW(&fx->ctx, pfs_v2__project, PfsV2__Project);
    request->project->name = arena_strdup(fx->ctx.arena, name);
    request->update = update;
    Status s;
    IN_TX(fx, s, pfs_create_project(&fx->ctx, tx, request));
    return s;
}

static Status try_delete_project(Fixture *fx, const char *name)
{
    PfsV2__DeleteProjectRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__delete_project_request, PfsV2__DeleteProjectRequest);
    request->project = PB_NEW(&fx->ctx, pfs_v2__project, PfsV2__Project);
    request->project->name = arena_strdup(fx->ctx.arena, name);
    Status s;
    IN_TX(fx, s, pfs_delete_project(&fx->ctx, tx, request));
    return s;
}

static void projects_are_checked(void **state)
{
    Fixture *fx = *state;
    assert_ok(try_create_project(fx, "p", false));
    assert_fails(try_create_project(fx, "p", false), ALREADY_EXISTS,
                 "project \"p\" already exists");
    assert_ok(try_create_project(fx, "p", true));
    assert_fails(try_create_project(fx, "q", true), NOT_FOUND,
                 "get project q: project \"q\" not found");
    assert_fails(try_create_project(fx, "-p", false), UNKNOWN,
                 "invalid project name: project names must start with an alphanumeric character");
    assert_ok(try_create_project(fx, "123456789012345678901234567890123456789012345678901", false));
    assert_fails(
        try_create_project(fx, "1234567890123456789012345678901234567890123456789012", false),
        UNKNOWN, "is 1 characters longer than the 51 max");
    assert_fails(try_delete_project(fx, "q"), NOT_FOUND,
                 "delete project \"q\": project \"q\" not found");
    assert_ok(try_delete_project(fx, "p"));
    create_repo(fx, "in");
    assert_fails(try_delete_project(fx, "default"), FAILED_PRECONDITION,
                 "cannot delete project default: repo default/in still exists");
    Status s;
    IN_TX(fx, s, pfs_delete_all(&fx->ctx, tx));
    assert_ok(s);
    assert_fails(try_create_project(fx, "default", false), ALREADY_EXISTS, "already exists");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PFS_TEST(repos_are_checked),
        PFS_TEST(repos_are_listed_in_order),
        PFS_TEST(deleting_a_repo_takes_all_of_it),
        PFS_TEST(a_new_branch_has_an_empty_head),
        PFS_TEST(branches_are_checked),
        PFS_TEST(provenance_is_a_closure),
        PFS_TEST(a_dag_has_one_branch_of_a_repo),
        PFS_TEST(branches_in_use_are_not_deleted),
        PFS_TEST(a_moved_branch_may_not_vanish),
        PFS_TEST(branches_are_listed_newest_first),
        PFS_TEST(projects_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
