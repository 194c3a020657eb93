/* Names of commits: what may follow the '@', what a miss is called, and the aliases of a set
 * (§5). */
#include "pfs/ref.h"
#include "pfs_fixture.h"

static void refs_parse(void **state)
{
    Fixture *fx = *state;
    static const struct {
        const char *text, *base;
        bool is_id, from_root;
        uint64_t steps;
    } cases[] = {
        { "master", "master", false, false, 0 },
        { "master^", "master", false, false, 1 },
        { "master~~~", "master", false, false, 3 },
        { "master^12", "master", false, false, 12 },
        { "master^0", "master", false, false, 0 },
        { "master.1", "master", false, true, 0 },
        { "master.3", "master", false, true, 2 },
        { "master.3^2", "master", false, true, 0 },
        { "master.3~", "master", false, true, 1 },
        { "ABCDEF0123454789abcdef0123456789^", "abcdef0123454789abcdef0123456789", true, false, 1 },
        { "abcdef0123455789abcdef0123456789", "abcdef0123455789abcdef0123456789", false, false, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].text);
        CommitRef ref;
        assert_ok(ref_parse(&fx->ctx, str(cases[i].text), &ref));
        assert_string_equal(ref.base, cases[i].base);
        assert_int_equal(ref.is_id, cases[i].is_id);
        assert_int_equal(ref.from_root, cases[i].from_root);
        assert_int_equal(ref.steps, cases[i].steps);
    }
}

static void bad_refs_do_not_parse(void **state)
{
    Fixture *fx = *state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "m^^3", "invalid ancestry format" },
        { "m^~", "invalid ancestry format" },
        { "m^-1", "invalid ancestry format" },
        { "m.-1", "invalid ancestry format" },
        { "m.", "invalid ancestry format" },
        { "m^1^", "invalid ancestry format" },
        { "m^.1", "invalid ancestry format" },
        { "m.1.2", "invalid ancestry format" },
        { "m^99999999999999999999", "invalid ancestor format" },
        { "m.0", "there should be less ancestors than descendants" },
        { "m.2^2", "there should be less ancestors than descendants" },
        { "abcdef0123454789abcdef0123456789.1", "name refers to a commit, not a branch" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].text);
        CommitRef ref;
        assert_fails(ref_parse(&fx->ctx, str(cases[i].text), &ref), UNKNOWN, cases[i].error);
    }
}

static void ancestry_walks_parents(void **state)
{
    Fixture *fx = *state;
    Arena *arena = fx->ctx.arena;
    create_repo(fx, "in");
    const char *ids[3];
    for (int i = 0; i < 3; i++)
        ids[i] = start_finish(fx, "in@master");
    static const struct {
        const char *ref;
        int index;
    } cases[] = {
        { "master", 2 },   { "master^", 1 },  { "master~", 1 },   { "master^1", 1 },
        { "master^^", 0 }, { "master~2", 0 }, { "master.1", 0 },  { "master.2", 1 },
        { "master.3", 2 }, { "master^0", 2 }, { "master.3^", 1 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].ref);
        PfsV2__CommitInfo *info = inspect(fx, text_printf(arena, "in@%s", cases[i].ref));
        assert_string_equal(info->commit->id, ids[cases[i].index]);
    }
    assert_string_equal(inspect(fx, text_printf(arena, "in@%s^1", ids[1]))->commit->id, ids[0]);
    PfsV2__CommitInfo *info;
    assert_fails(try_inspect(fx, "in@master^3", &info), UNKNOWN,
                 "invalid offset for ancestor of commit: default/in.user@");
    assert_fails(try_inspect(fx, "in@master^3", &info), UNKNOWN,
                 "offset requested: 3, offset traversable: 2");
    assert_fails(try_inspect(fx, "in@master.4", &info), UNKNOWN, "invalid offset from branch root");

    /* The same, with the branch in its own field. */
    PfsV2__InspectCommitRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__inspect_commit_request, PfsV2__InspectCommitRequest);
    request->commit = PB_NEW(&fx->ctx, pfs_v2__commit, PfsV2__Commit);
    request->commit->branch = branch_of(fx, "in@master");
    request->commit->id = arena_strdup(arena, "^");
    assert_ok(pfs_inspect_commit(&fx->ctx, fx->pfs, request, &info));
    assert_string_equal(info->commit->id, ids[1]);
}

static void misses_say_what_is_missing(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "in");
    PfsV2__CommitInfo *info;
    assert_fails(try_inspect(fx, "in@nob", &info), NOT_FOUND,
                 "pick commit tx: commit default/in@nob not found\n"
                 "branch \"nob\" not found in repo default/in");
    assert_fails(try_inspect(fx, "in@abcdef0123454789abcdef0123456789", &info), NOT_FOUND,
                 "commit default/in@abcdef0123454789abcdef0123456789 not found");
    assert_fails(try_inspect(fx, "nope@master", &info), NOT_FOUND, "repo default/nope not found");
    assert_fails(try_inspect(fx, "in@", &info), UNKNOWN, "cannot pick commit with no ID or branch");

    PfsV2__InspectCommitRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__inspect_commit_request, PfsV2__InspectCommitRequest);
    assert_fails(pfs_inspect_commit(&fx->ctx, fx->pfs, request, &info), UNKNOWN,
                 "commit cannot be nil");
    request->commit = PB_NEW(&fx->ctx, pfs_v2__commit, PfsV2__Commit);
    assert_fails(pfs_inspect_commit(&fx->ctx, fx->pfs, request, &info), UNKNOWN,
                 "commit must have a repo");
    request->commit->repo = pfs_repo_ref(&fx->ctx, "nowhere", "in", "user");
    request->commit->id = arena_strdup(fx->ctx.arena, "master");
    assert_fails(pfs_inspect_commit(&fx->ctx, fx->pfs, request, &info), NOT_FOUND,
                 "pick commit tx: project \"nowhere\" not found");
}

/* An input that did not change in a set stands there by the commit that the set depends on. */
static void sets_have_aliases(void **state)
{
    Fixture *fx = *state;
    Arena *arena = fx->ctx.arena;
    create_repo(fx, "a");
    create_repo(fx, "b");
    create_repo(fx, "c");
    create_branch(fx, "c@master", "a@master b@master", NULL);
    const char *b = start_finish(fx, "b@master");
    const char *a = start_finish(fx, "a@master");
    assert_string_equal(inspect(fx, text_printf(arena, "b@%s", a))->commit->id, b);
    assert_string_equal(set_repos(fx, a), "a c");
    PfsV2__CommitInfo *info;
    assert_fails(try_inspect(fx, text_printf(arena, "a@%s^9", b), &info), UNKNOWN, "offset");
}

static PfsV2__CommitPicker *head_picker(Fixture *fx, const char *repo, const char *branch)
{
    Ctx *ctx = &fx->ctx;
    PfsV2__CommitPicker *picker = PB_NEW(ctx, pfs_v2__commit_picker, PfsV2__CommitPicker);
    PfsV2__RepoPicker *in = PB_NEW(ctx, pfs_v2__repo_picker, PfsV2__RepoPicker);
    picker->picker_case = PFS_V2__COMMIT_PICKER__PICKER_BRANCH_HEAD;
    picker->branch_head = PB_NEW(ctx, pfs_v2__branch_picker, PfsV2__BranchPicker);
    picker->branch_head->picker_case = PFS_V2__BRANCH_PICKER__PICKER_NAME;
    picker->branch_head->name =
        PB_NEW(ctx, pfs_v2__branch_picker__branch_name, PfsV2__BranchPicker__BranchName);
    picker->branch_head->name->name = arena_strdup(ctx->arena, branch);
    picker->branch_head->name->repo = in;
    in->picker_case = PFS_V2__REPO_PICKER__PICKER_NAME;
    in->name = PB_NEW(ctx, pfs_v2__repo_picker__repo_name, PfsV2__RepoPicker__RepoName);
    in->name->name = arena_strdup(ctx->arena, repo);
    in->name->project = PB_NEW(ctx, pfs_v2__project_picker, PfsV2__ProjectPicker);
    in->name->project->picker_case = PFS_V2__PROJECT_PICKER__PICKER_NAME;
    in->name->project->name = arena_strdup(ctx->arena, "default");
    return picker;
}

static Status try_picker(Fixture *fx, const PfsV2__CommitPicker *picker, PfsCommitRow *out)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    assert_ok(pfs_begin_read(&fx->ctx, fx->pfs, &tx));
    return pfs_pick_by_picker(&fx->ctx, tx, picker, out);
}

static void pickers_pick(void **state)
{
    Fixture *fx = *state;
    Ctx *ctx = &fx->ctx;
    create_repo(fx, "in");
    const char *ids[3];
    for (int i = 0; i < 3; i++)
        ids[i] = start_finish(fx, "in@master");
    PfsCommitRow row;
    PfsV2__CommitPicker *head = head_picker(fx, "in", "master");
    assert_ok(try_picker(fx, head, &row));
    assert_string_equal(row.set_id, ids[2]);

    PfsV2__CommitPicker *back = PB_NEW(ctx, pfs_v2__commit_picker, PfsV2__CommitPicker);
    back->picker_case = PFS_V2__COMMIT_PICKER__PICKER_ANCESTOR;
    back->ancestor =
        PB_NEW(ctx, pfs_v2__commit_picker__ancestor_of, PfsV2__CommitPicker__AncestorOf);
    back->ancestor->start = head;
    back->ancestor->offset = 2;
    assert_ok(try_picker(fx, back, &row));
    assert_string_equal(row.set_id, ids[0]);
    back->ancestor->offset = 3;
    assert_fails(try_picker(fx, back, &row), UNKNOWN, "invalid offset");

    PfsV2__CommitPicker *root = PB_NEW(ctx, pfs_v2__commit_picker, PfsV2__CommitPicker);
    root->picker_case = PFS_V2__COMMIT_PICKER__PICKER_BRANCH_ROOT;
    root->branch_root =
        PB_NEW(ctx, pfs_v2__commit_picker__branch_root, PfsV2__CommitPicker__BranchRoot);
    root->branch_root->branch = head->branch_head;
    root->branch_root->offset = 1;
    assert_ok(try_picker(fx, root, &row));
    assert_string_equal(row.set_id, ids[1]);

    PfsV2__CommitPicker *by_id = PB_NEW(ctx, pfs_v2__commit_picker, PfsV2__CommitPicker);
    by_id->picker_case = PFS_V2__COMMIT_PICKER__PICKER_ID;
    by_id->id = PB_NEW(ctx, pfs_v2__commit_picker__commit_by_global_id,
                       PfsV2__CommitPicker__CommitByGlobalId);
    by_id->id->repo = head->branch_head->name->repo;
    by_id->id->id = arena_strdup(ctx->arena, ids[1]);
    assert_ok(try_picker(fx, by_id, &row));
    assert_string_equal(row.set_id, ids[1]);
    by_id->id->id = arena_strdup(ctx->arena, "master");
    assert_fails(try_picker(fx, by_id, &row), NOT_FOUND,
                 "picking commit: commit (int_id=0, commit_id=default/in.user@master) not found");

    assert_fails(try_picker(fx, NULL, &row), UNKNOWN, "commit picker cannot be nil");
    assert_fails(try_picker(fx, PB_NEW(ctx, pfs_v2__commit_picker, PfsV2__CommitPicker), &row),
                 UNKNOWN, "commit picker cannot be nil");
    assert_fails(try_picker(fx, head_picker(fx, "nope", "master"), &row), NOT_FOUND,
                 "picking commit: picking branch: picking repo: repo (id=0, project=default, "
                 "name=nope, type=user) not found");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PFS_TEST(refs_parse),
        PFS_TEST(bad_refs_do_not_parse),
        PFS_TEST(ancestry_walks_parents),
        PFS_TEST(misses_say_what_is_missing),
        PFS_TEST(sets_have_aliases),
        PFS_TEST(pickers_pick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
