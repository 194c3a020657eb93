/* Two thousand random operations, held against a naive model of branches, commits and provenance.
 *
 * The model has one branch "m" in each repo and keeps everything in arrays that it searches from
 * end to end. After each operation both must agree on whether it was allowed, on every head and on
 * what the heads depend on, and the consistency check must find exactly the edges that the model
 * knows to be out of step (only dropping a commit that re-derived a branch can do that).
 */
#include "pfs_fixture.h"

#define REPOS       10
#define COMMITS_MAX 20000
#define SETS_MAX    4000
#define OPERATIONS  2000
#define NONE        (-1)

typedef enum { OPEN, CLOSED, DONE, GONE } State;

typedef struct Commit {
    int repo, set, parent;
    State state;
    bool up[REPOS];   /* depends on a commit of that repo */
    int up_of[REPOS]; /* which */
} Commit;

typedef struct Model {
    Commit commits[COMMITS_MAX];
    int n_commits;
    char sets[SETS_MAX][33]; /* "": not yet known what the server called it */
    int n_sets;
    int head[REPOS];       /* NONE: no branch */
    bool up[REPOS][REPOS]; /* up[a][b]: branch a is derived from b */
    uint64_t seed;
} Model;

static uint64_t roll(Model *m, uint64_t sides)
{
    return next_rand(&m->seed) % sides;
}

/* --- the model -------------------------------------------------------------------------------- */

static bool reaches(const Model *m, int from, int to)
{
    for (int b = 0; b < REPOS; b++)
        if (m->up[from][b] && (b == to || reaches(m, b, to)))
            return true;
    return false;
}

static int new_commit(Model *m, int repo, int parent, State state)
{
    assert_true(m->n_commits < COMMITS_MAX);
    Commit *c = &m->commits[m->n_commits];
    *c = (Commit){ .repo = repo, .set = m->n_sets - 1, .parent = parent, .state = state };
    for (int b = 0; b < REPOS; b++) {
        c->up[b] = m->up[repo][b];
        c->up_of[b] = m->head[b];
    }
    return m->n_commits++;
}

static void new_set(Model *m)
{
    assert_true(m->n_sets < SETS_MAX);
    m->sets[m->n_sets++][0] = '\0';
}

static bool in_set(const Model *m, int repo, int set)
{
    return m->head[repo] != NONE && m->commits[m->head[repo]].set == set;
}

/* Commits on all that is derived from `repo`: whatever has all its inputs done, until nothing
 * changes. */
static void flow(Model *m, int repo)
{
    bool pending[REPOS], again = true;
    for (int b = 0; b < REPOS; b++)
        pending[b] = reaches(m, b, repo) && !in_set(m, b, m->n_sets - 1);
    while (again) {
        again = false;
        for (int b = 0; b < REPOS; b++) {
            bool ready = pending[b];
            for (int u = 0; u < REPOS; u++)
                ready = ready && !(m->up[b][u] && pending[u]);
            if (!ready)
                continue;
            m->head[b] = new_commit(m, b, m->head[b], OPEN);
            pending[b] = false;
            again = true;
        }
    }
}

static bool model_derive(Model *m, int repo, const bool *ups)
{
    bool any = false, same = true;
    for (int u = 0; u < REPOS; u++) {
        if (ups[u] && (u == repo || reaches(m, u, repo)))
            return false;
        any = any || ups[u];
        same = same && ups[u] == m->up[repo][u];
    }
    new_set(m);
    for (int u = 0; u < REPOS; u++)
        if (ups[u] && m->head[u] == NONE)
            m->head[u] = new_commit(m, u, NONE, DONE);
    memcpy(m->up[repo], ups, sizeof(m->up[repo]));
    if (m->head[repo] == NONE || (any && !same)) {
        m->head[repo] = new_commit(m, repo, m->head[repo], any ? OPEN : DONE);
        flow(m, repo);
    }
    return true;
}

static bool model_start(Model *m, int repo)
{
    if (m->head[repo] != NONE && m->commits[m->head[repo]].state == OPEN)
        return false;
    for (int u = 0; u < REPOS; u++)
        if (m->up[repo][u])
            return false;
    new_set(m);
    m->head[repo] = new_commit(m, repo, m->head[repo], OPEN);
    flow(m, repo);
    return true;
}

static bool model_finish(Model *m, int commit)
{
    if (m->commits[commit].state != OPEN)
        return false;
    m->commits[commit].state = CLOSED;
    for (bool again = true; again;) {
        again = false;
        for (int i = 0; i < m->n_commits; i++) {
            Commit *c = &m->commits[i];
            bool based = c->parent == NONE || m->commits[c->parent].state == DONE;
            if (c->state != CLOSED || !based)
                continue;
            c->state = DONE;
            again = true;
        }
    }
    return true;
}

static bool depends_on_set(const Model *m, const Commit *c, const bool *sets)
{
    for (int u = 0; u < REPOS; u++)
        if (c->up[u] && sets[m->commits[c->up_of[u]].set])
            return true;
    return false;
}

static bool has_later_set(const Model *m, int set)
{
    static bool sets[SETS_MAX];
    memset(sets, 0, sizeof(sets));
    sets[set] = true;
    for (int i = 0; i < m->n_commits; i++)
        if (m->commits[i].state != GONE && m->commits[i].set != set &&
            depends_on_set(m, &m->commits[i], sets))
            return true;
    return false;
}

/* In the way of deleting commit i: by the rule of squash or drop, or an unfinished child. */
static bool is_stuck(const Model *m, int i, bool squash)
{
    bool child = false;
    for (int j = 0; j < m->n_commits; j++) {
        if (m->commits[j].state == GONE || m->commits[j].parent != i)
            continue;
        child = true;
        if (m->commits[j].state != DONE)
            return true;
    }
    return child != squash;
}

static void remove_commit(Model *m, int i)
{
    Commit *c = &m->commits[i];
    c->state = GONE;
    for (int j = 0; j < m->n_commits; j++) {
        Commit *other = &m->commits[j];
        if (other->state != GONE && other->parent == i)
            other->parent = c->parent;
        if (other->up[c->repo] && other->up_of[c->repo] == i)
            other->up[c->repo] = false;
    }
    if (m->head[c->repo] != i)
        return;
    bool derived = false;
    for (int u = 0; u < REPOS; u++)
        derived = derived || m->up[c->repo][u];
    m->head[c->repo] = c->parent;
    if (c->parent == NONE)
        m->head[c->repo] = new_commit(m, c->repo, NONE, derived ? OPEN : DONE);
}

/* Commit i is the next of its set to go: the set's other commits that it depends on went before. */
static bool is_next(const Model *m, int i, int set)
{
    const Commit *c = &m->commits[i];
    if (c->state == GONE || c->set != set)
        return false;
    for (int u = 0; u < REPOS; u++)
        if (c->up[u] && m->commits[c->up_of[u]].set == set && m->commits[c->up_of[u]].state != GONE)
            return false;
    return true;
}

static bool model_delete_set(Model *m, int set, bool squash)
{
    if (has_later_set(m, set))
        return false;
    int end = m->n_commits;
    for (int i = 0; i < end; i++)
        if (m->commits[i].state != GONE && m->commits[i].set == set && is_stuck(m, i, squash))
            return false;
    new_set(m);
    for (bool again = true; again;) {
        again = false;
        for (int i = 0; i < end; i++)
            if (is_next(m, i, set)) {
                remove_commit(m, i);
                again = true;
            }
    }
    return true;
}

/* The branch's head becomes another commit of its repo: no commit there, but on what is derived. */
static bool model_move(Model *m, int commit)
{
    int repo = m->commits[commit].repo;
    new_set(m);
    m->head[repo] = commit;
    flow(m, repo);
    return true;
}

static bool model_delete_branch(Model *m, int repo)
{
    for (int b = 0; b < REPOS; b++)
        if (m->up[b][repo])
            return false;
    if (m->head[repo] == NONE)
        return false;
    m->head[repo] = NONE;
    memset(m->up[repo], 0, sizeof(m->up[repo]));
    return true;
}

/* --- the server ------------------------------------------------------------------------------- */

static const char *repo_name(Fixture *fx, int repo)
{
    return text_printf(fx->ctx.arena, "r%d", repo);
}

static char *branch_name(Fixture *fx, int repo)
{
    return text_printf(fx->ctx.arena, "r%d@m", repo);
}

static char *upstream_text(Fixture *fx, const bool *ups)
{
    char *upstream = text_printf(fx->ctx.arena, "%s", "");
    for (int u = 0; u < REPOS; u++)
        if (ups[u])
            upstream = text_printf(fx->ctx.arena, "%s %s", upstream, branch_name(fx, u));
    return upstream;
}

static Status server_derive(Fixture *fx, int repo, const bool *ups)
{
    return try_create_branch(fx, branch_name(fx, repo), upstream_text(fx, ups), NULL);
}

static Status server_move(Fixture *fx, const Model *m, int commit)
{
    const Commit *c = &m->commits[commit];
    return try_create_branch(fx, branch_name(fx, c->repo), upstream_text(fx, m->up[c->repo]),
                             text_printf(fx->ctx.arena, "r%d@%s", c->repo, m->sets[c->set]));
}

static Status server_finish(Fixture *fx, const Model *m, int commit)
{
    const Commit *c = &m->commits[commit];
    return try_finish(fx, text_printf(fx->ctx.arena, "r%d@%s", c->repo, m->sets[c->set]), NULL);
}

static Status server_delete_set(Fixture *fx, const Model *m, int set, bool squash)
{
    PfsV2__CommitSet *handle = PB_NEW(&fx->ctx, pfs_v2__commit_set, PfsV2__CommitSet);
    handle->id = arena_strdup(fx->ctx.arena, m->sets[set]);
    Status s;
    IN_TX(fx, s,
          squash ? pfs_squash_set(&fx->ctx, tx, handle) : pfs_drop_set(&fx->ctx, tx, handle));
    return s;
}

/* --- both ------------------------------------------------------------------------------------- */

static void check_name(Model *m, int set, const char *id)
{
    if (!*m->sets[set])
        snprintf(m->sets[set], sizeof(m->sets[set]), "%s", id);
    assert_string_equal(m->sets[set], id);
}

static void check_head(Fixture *fx, Model *m, PfsTx *tx, int repo)
{
    int64_t head;
    PfsCommitRow row;
    assert_ok(pfs_branch_head(&fx->ctx, tx, branch_of(fx, branch_name(fx, repo)), &head));
    assert_int_equal(head != 0, m->head[repo] != NONE);
    if (!head)
        return;
    const Commit *c = &m->commits[m->head[repo]];
    assert_ok(pfs_commit_row(&fx->ctx, tx, head, &row));
    check_name(m, c->set, row.set_id);
    static const PfsState states[] = { PFS_OPEN, PFS_FINISHING, PFS_FINISHED };
    assert_int_equal(row.state, states[c->state]);

    PfsV2__CommitInfo *info;
    size_t n = 0;
    assert_ok(pfs_commit_info(&fx->ctx, tx, head, &info));
    for (int u = 0; u < REPOS; u++)
        n += c->up[u];
    assert_int_equal(info->n_direct_provenance, n);
    for (size_t i = 0; i < n; i++) {
        int repo_up = atoi(info->direct_provenance[i]->repo->name + 1);
        assert_true(c->up[repo_up]);
        check_name(m, m->commits[c->up_of[repo_up]].set, info->direct_provenance[i]->id);
    }
}

static Status count_fault(void *arg, Ctx *ctx, const char *error)
{
    (void)ctx;
    (void)error;
    ++*(size_t *)arg;
    return OK;
}

static size_t edges_out_of_step(const Model *m)
{
    size_t n = 0;
    for (int a = 0; a < REPOS; a++)
        for (int b = 0; b < REPOS; b++) {
            const Commit *head = &m->commits[m->head[a] == NONE ? 0 : m->head[a]];
            n += m->up[a][b] && !(head->up[b] && head->up_of[b] == m->head[b]);
        }
    return n;
}

static void check_all(Fixture *fx, Model *m)
{
    PfsTx *tx;
    size_t faults = 0;
    assert_ok(pfs_begin_read(&fx->ctx, fx->pfs, &tx));
    for (int repo = 0; repo < REPOS; repo++)
        check_head(fx, m, tx, repo);
    assert_ok(pfs_fsck(&fx->ctx, tx, count_fault, &faults));
    assert_int_equal(faults, edges_out_of_step(m));
    pfs_rollback(tx);
}

static void check_closures(Fixture *fx, const Model *m)
{
    for (int repo = 0; repo < REPOS; repo++) {
        if (m->head[repo] == NONE)
            continue;
        PfsV2__BranchInfo *info = inspect_branch(fx, branch_name(fx, repo));
        size_t above = 0, below = 0;
        for (int b = 0; b < REPOS; b++) {
            above += reaches(m, repo, b);
            below += reaches(m, b, repo);
        }
        assert_int_equal(info->n_provenance, above);
        assert_int_equal(info->n_subvenance, below);
    }
}

static int recent(Model *m, int n)
{
    return n - 1 - (int)roll(m, (uint64_t)MIN(n, 60));
}

/* Mostly one that can be finished. */
static int pick_commit(Model *m)
{
    int commit = recent(m, m->n_commits);
    for (int tries = 0; tries < 8 && m->commits[commit].state != OPEN; tries++)
        commit = recent(m, m->n_commits);
    return commit;
}

/* A recent commit whose branch may move to it; NONE when there is no such. Mostly of a branch that
 * nothing was derived for: moving others puts them out of step. */
static int pick_target(Model *m)
{
    static const bool none[REPOS];
    bool derived_too = roll(m, 8) == 0;
    for (int tries = 0; tries < 20 && m->n_commits; tries++) {
        int i = recent(m, m->n_commits);
        const Commit *c = &m->commits[i];
        bool derived = memcmp(m->up[c->repo], none, sizeof(none)) != 0;
        if (c->state != GONE && *m->sets[c->set] && m->head[c->repo] != NONE &&
            (derived_too || !derived))
            return i;
    }
    return NONE;
}

/* Mostly one that a user may start a commit in. */
static int pick_input(Model *m)
{
    static const bool none[REPOS];
    int repo = (int)roll(m, REPOS);
    for (int tries = 0; tries < 8 && memcmp(m->up[repo], none, sizeof(none)) != 0; tries++)
        repo = (int)roll(m, REPOS);
    return repo;
}

static void operate(Fixture *fx, Model *m)
{
    int repo = (int)roll(m, REPOS);
    uint64_t kind = roll(m, 100);
    Status s;
    bool allowed;
    if (kind < 6) {
        bool ups[REPOS] = { false };
        for (uint64_t n = roll(m, 4); n; n--)
            ups[roll(m, REPOS)] = true;
        allowed = model_derive(m, repo, ups);
        s = server_derive(fx, repo, ups);
    } else if (kind < 10) {
        int commit = pick_target(m);
        if (commit == NONE)
            return;
        s = server_move(fx, m, commit);
        allowed = model_move(m, commit);
    } else if (kind < 38 || !m->n_commits) {
        const char *id;
        repo = pick_input(m);
        allowed = model_start(m, repo);
        s = try_start(fx, branch_name(fx, repo), &id);
    } else if (kind < 85) {
        int commit = pick_commit(m);
        if (m->commits[commit].state == GONE)
            return;
        s = server_finish(fx, m, commit);
        allowed = model_finish(m, commit);
    } else if (kind < 97) {
        int set = recent(m, m->n_sets);
        bool squash = kind < 91;
        if (!*m->sets[set])
            return;
        s = server_delete_set(fx, m, set, squash);
        allowed = model_delete_set(m, set, squash);
    } else {
        allowed = model_delete_branch(m, repo);
        s = try_delete_branch(fx, branch_name(fx, repo), false);
    }
    if (status_ok(s) != allowed)
        fail_msg("operation %d: model says %d, server %s", (int)kind, allowed, status_message(s));
}

static void agrees_with_the_model(void **state)
{
    Fixture *fx = *state;
    Model *m = calloc(1, sizeof(*m));
    m->seed = 0x9e3779b97f4a7c15;
    for (int repo = 0; repo < REPOS; repo++) {
        m->head[repo] = NONE;
        create_repo(fx, repo_name(fx, repo));
    }
    ArenaMark mark = arena_mark(fx->ctx.arena);
    for (int i = 0; i < OPERATIONS; i++, arena_rewind(fx->ctx.arena, mark)) {
        operate(fx, m);
        check_all(fx, m);
        if (i % 50 == 0)
            check_closures(fx, m);
    }
    say_case("%d commits, %d sets", m->n_commits, m->n_sets);
    Status s;
    IN_TX(fx, s, pfs_delete_all(&fx->ctx, tx));
    assert_ok(s);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = { PFS_TEST(agrees_with_the_model) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
