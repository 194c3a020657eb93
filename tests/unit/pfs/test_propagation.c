/* How new heads reach what is derived from them (§8.3, §8.4). */
#include "pfs_fixture.h"

/* "repo@id repo@id" with ids shown as the letters they have in `names`: names[0] is 'a', and so on;
 * '?' otherwise. */
static const char *provenance_of(Fixture *fx, const char *commit, const char *const *names,
                                 size_t n)
{
    PfsV2__CommitInfo *info = inspect(fx, commit);
    PtrList parts = { 0 };
    for (size_t i = 0; i < info->n_direct_provenance; i++) {
        char letter = '?';
        for (size_t j = 0; j < n; j++)
            if (strcmp(info->direct_provenance[i]->id, names[j]) == 0)
                letter = (char)('a' + j);
        ptr_list_add(
            &fx->ctx, &parts,
            text_printf(fx->ctx.arena, "%s@%c", info->direct_provenance[i]->repo->name, letter));
    }
    return text_join(fx->ctx.arena, (const char *const *)parts.items, parts.n, " ");
}

static void create_repos(Fixture *fx, const char *names)
{
    char *rest = arena_strdup(fx->ctx.arena, names);
    for (char *name; (name = strsep(&rest, " "));)
        create_repo(fx, name);
}

/* The example of §8.5. */
static void a_commit_reaches_what_is_derived(void **state)
{
    Fixture *fx = *state;
    create_repos(fx, "a b c");
    const char *sets[3];
    sets[0] = start_finish(fx, "a@master");
    sets[1] = start_finish(fx, "b@master");
    create_branch(fx, "c@master", "a@master b@master", NULL);
    assert_string_equal(provenance_of(fx, "c@master", sets, 2), "a@a b@b");
    assert_null(inspect(fx, "c@master")->finishing);

    sets[2] = start(fx, "a@master");
    assert_string_equal(set_repos(fx, sets[2]), "a c");
    assert_string_equal(provenance_of(fx, "c@master", sets, 3), "b@b a@c");
    PfsV2__CommitInfo *c = inspect(fx, "c@master");
    assert_int_equal(c->origin->kind, PFS_V2__ORIGIN_KIND__AUTO);
    assert_non_null(c->parent_commit);
    assert_string_equal(c->direct_provenance[0]->branch->name, "master");
    assert_int_equal(inspect(fx, "b@master")->n_direct_subvenance, 2);
}

static void a_chain_gets_one_set(void **state)
{
    Fixture *fx = *state;
    create_repos(fx, "a b c d");
    create_branch(fx, "b@m", "a@m", NULL);
    create_branch(fx, "c@m", "b@m", NULL);
    create_branch(fx, "d@m", "c@m b@m", NULL);
    const char *sets[1] = { start(fx, "a@m") };
    assert_string_equal(set_repos(fx, sets[0]), "a b c d");
    assert_string_equal(provenance_of(fx, "b@m", sets, 1), "a@a");
    assert_string_equal(provenance_of(fx, "d@m", sets, 1), "b@a c@a");
}

static void provenance_can_be_toggled(void **state)
{
    Fixture *fx = *state;
    create_repos(fx, "a b c");
    create_branch(fx, "c@m", "a@m", NULL);
    const char *first = inspect(fx, "c@m")->commit->id;
    create_branch(fx, "c@m", "a@m", NULL); /* the same: no commit */
    assert_string_equal(inspect(fx, "c@m")->commit->id, first);
    create_branch(fx, "c@m", "", NULL); /* none: no commit either */
    assert_string_equal(inspect(fx, "c@m")->commit->id, first);
    assert_string_equal(set_repos(fx, start_finish(fx, "a@m")), "a");
    create_branch(fx, "c@m", "b@m", NULL);
    assert_string_not_equal(inspect(fx, "c@m")->commit->id, first);
    assert_string_equal(inspect(fx, "c@m")->parent_commit->id, first);
    assert_string_equal(set_repos(fx, start_finish(fx, "a@m")), "a");
    assert_string_equal(set_repos(fx, start_finish(fx, "b@m")), "b c");
}

static void a_rewind_makes_a_new_set_downstream(void **state)
{
    Fixture *fx = *state;
    create_repos(fx, "a b c");
    create_branch(fx, "b@m", "a@m", NULL);
    create_branch(fx, "c@m", "b@m", NULL);
    const char *sets[2] = { start_finish(fx, "a@m"), start_finish(fx, "a@m") };
    create_branch(fx, "a@m", NULL, "a@m^");
    assert_string_equal(inspect(fx, "a@m")->commit->id, sets[0]);
    assert_string_equal(provenance_of(fx, "b@m", sets, 2), "a@a");
    const char *set = inspect(fx, "c@m")->commit->id;
    assert_string_equal(set_repos(fx, set), "b c");
    assert_string_equal(inspect(fx, "b@m")->parent_commit->id, sets[1]);
}

static void never_edges_do_not_carry_moves(void **state)
{
    Fixture *fx = *state;
    create_repos(fx, "a b c d");
    create_branch(fx, "c@m", "!a@m b@m", NULL);
    create_branch(fx, "d@m", "c@m", NULL);
    const char *sets[2] = { start_finish(fx, "a@m") };
    assert_string_equal(set_repos(fx, sets[0]), "a");
    sets[1] = start_finish(fx, "b@m");
    assert_string_equal(set_repos(fx, sets[1]), "b c d");
    assert_string_equal(provenance_of(fx, "c@m", sets, 2), "a@a b@b");
    PfsV2__BranchInfo *info = inspect_branch(fx, "c@m");
    assert_int_equal(info->n_branch_propagation_specs, 1);
    assert_string_equal(info->branch_propagation_specs[0]->branch->repo->name, "a");

    create_branch(fx, "c@m", "a@m b@m", NULL); /* not mentioned: not never */
    assert_string_equal(set_repos(fx, start_finish(fx, "a@m")), "a c d");
    /* A never edge beside a path that carries. */
    create_branch(fx, "d@m", "c@m !a@m", NULL);
    assert_string_equal(set_repos(fx, start_finish(fx, "a@m")), "a c d");
}

static void never_specs_name_provenance(void **state)
{
    Fixture *fx = *state;
    create_repos(fx, "a b");
    PfsV2__CreateBranchRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__create_branch_request, PfsV2__CreateBranchRequest);
    PfsV2__BranchPropagationSpec *spec =
        PB_NEW(&fx->ctx, pfs_v2__branch_propagation_spec, PfsV2__BranchPropagationSpec);
    spec->branch = branch_of(fx, "a@m");
    request->branch = branch_of(fx, "b@m");
    request->branch_propagation_specs = &spec;
    request->n_branch_propagation_specs = 1;
    Status s;
    IN_TX(fx, s, pfs_create_branch(&fx->ctx, tx, request));
    assert_fails(s, UNKNOWN, "branch propagation spec must reference provenant branch (referenced");
}

/* A branch derived from its spec alone is a spout: it commits when its own program does. */
static void spouts_do_not_follow_their_spec(void **state)
{
    Fixture *fx = *state;
    create_repos(fx, "s s.spec");
    create_branch(fx, "s@master", "s.spec@master", NULL);
    assert_string_equal(set_repos(fx, start_finish(fx, "s.spec@master")), "s");
    create_repos(fx, "in");
    create_branch(fx, "s@master", "s.spec@master in@master", NULL);
    assert_string_equal(set_repos(fx, start_finish(fx, "s.spec@master")), "s s");
}

/* --- several steps in one transaction --------------------------------------------------------- */

static Status start_in(Fixture *fx, PfsTx *tx, const char *branch)
{
    PfsV2__StartCommitRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__start_commit_request, PfsV2__StartCommitRequest);
    PfsV2__Commit *commit;
    request->branch = branch_of(fx, branch);
    TRY(pfs_start_commit(&fx->ctx, tx, request, &commit));
    fx->seen = arena_strdup(fx->keep, commit->id);
    return OK;
}

static Status derive_in(Fixture *fx, PfsTx *tx, const char *branch, const char *upstream)
{
    PfsV2__CreateBranchRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__create_branch_request, PfsV2__CreateBranchRequest);
    PfsV2__Branch *up = branch_of(fx, upstream);
    request->branch = branch_of(fx, branch);
    request->provenance = &up;
    request->n_provenance = 1;
    return pfs_create_branch(&fx->ctx, tx, request);
}

static Status start_two(Fixture *fx, PfsTx *tx)
{
    TRY(start_in(fx, tx, "a@m"));
    return start_in(fx, tx, "b@m");
}

static void two_inputs_give_one_output(void **state)
{
    Fixture *fx = *state;
    create_repos(fx, "a b c");
    create_branch(fx, "c@m", "a@m b@m", NULL);
    Status s;
    IN_TX(fx, s, start_two(fx, tx));
    assert_ok(s);
    const char *sets[1] = { fx->seen };
    assert_string_equal(set_repos(fx, fx->seen), "a b c");
    assert_string_equal(provenance_of(fx, "c@m", sets, 1), "a@a b@a");
}

static Status derive_then_start(Fixture *fx, PfsTx *tx)
{
    TRY(derive_in(fx, tx, "b@m", "a@m"));
    TRY(derive_in(fx, tx, "c@m", "b@m"));
    return start_in(fx, tx, "a@m");
}

/* The derived branches' heads were made before their input's: they depend on it all the same. */
static void heads_made_early_follow_their_inputs(void **state)
{
    Fixture *fx = *state;
    create_repos(fx, "a b c");
    start_finish(fx, "a@m");
    Status s;
    IN_TX(fx, s, derive_then_start(fx, tx));
    assert_ok(s);
    const char *sets[1] = { fx->seen };
    assert_string_equal(set_repos(fx, fx->seen), "b c a");
    assert_string_equal(provenance_of(fx, "b@m", sets, 1), "a@a");
    assert_string_equal(provenance_of(fx, "c@m", sets, 1), "b@a");
}

/* --- hooks ------------------------------------------------------------------------------------ */

static Status note_created(void *self, Ctx *ctx, PfsTx *tx, const int64_t *commits, size_t n)
{
    Fixture *fx = self;
    for (size_t i = 0; i < n; i++) {
        PfsCommitRow row;
        TRY(pfs_commit_row(ctx, tx, commits[i], &row));
        fx->seen = text_printf(fx->keep, "%s +%s", fx->seen, row.repo);
    }
    return OK;
}

static Status note_finished(void *self, Ctx *ctx, PfsTx *tx, int64_t commit, const char *error)
{
    Fixture *fx = self;
    PfsCommitRow row;
    TRY(pfs_commit_row(ctx, tx, commit, &row));
    fx->seen = text_printf(fx->keep, "%s =%s%s", fx->seen, row.repo, error);
    return OK;
}

static Status forbid(void *self, Ctx *ctx, PfsTx *tx, const PfsV2__Repo *repo)
{
    (void)self;
    (void)tx;
    return FAIL(ctx, UNKNOWN, "not %s", repo->name);
}

static void hooks_hear_of_it(void **state)
{
    Fixture *fx = *state;
    create_repos(fx, "a b b.meta");
    create_branch(fx, "b@m", "a@m", NULL);
    create_branch(fx, "b.meta@m", "a@m", NULL);
    finish(fx, "b@m");
    PfsHooks hooks = { .self = fx,
                       .commits_created = note_created,
                       .commit_finished = note_finished,
                       .user_finish_check = forbid };
    pfs_set_hooks(fx->pfs, &hooks);
    fx->seen = arena_strdup(fx->keep, "");
    start_finish(fx, "a@m");
    assert_string_equal(fx->seen, " +a +b +b =a");
    assert_fails(try_finish(fx, "b@m", NULL), UNKNOWN, "finish commit in transaction: not b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PFS_TEST(a_commit_reaches_what_is_derived),
        PFS_TEST(a_chain_gets_one_set),
        PFS_TEST(provenance_can_be_toggled),
        PFS_TEST(a_rewind_makes_a_new_set_downstream),
        PFS_TEST(never_edges_do_not_carry_moves),
        PFS_TEST(never_specs_name_provenance),
        PFS_TEST(spouts_do_not_follow_their_spec),
        PFS_TEST(two_inputs_give_one_output),
        PFS_TEST(heads_made_early_follow_their_inputs),
        PFS_TEST(hooks_hear_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
