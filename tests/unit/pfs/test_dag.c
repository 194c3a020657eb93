/* The rule of §8.1 against a naive model: random edges among branches, several in one transaction,
 * are refused exactly when two branches of a repo would be connected. Few repos are what
 * most are derived from, so that pieces of very different sizes meet. */
#include "base/text.h"
#include "pfs_fixture.h"

#define REPOS      160
#define HUBS       3
#define TWINS      2 /* branches of a repo */
#define BRANCHES   (REPOS * TWINS)
#define OPERATIONS 1500
#define AT_ONCE    3
#define UPS        2

typedef struct Model {
    bool up[BRANCHES][BRANCHES]; /* up[a][b]: a is derived from b */
    int group[BRANCHES];         /* scratch: the connected part it is in */
    uint64_t seed;
} Model;

static size_t roll(Model *m, size_t sides)
{
    return (size_t)(next_rand(&m->seed) % sides);
}

static const char *name_of(Fixture *fx, size_t branch)
{
    return text_printf(fx->ctx.arena, "r%03zu@b%zu", branch / TWINS, branch % TWINS);
}

static void spread(Model *m, size_t from, int group)
{
    m->group[from] = group;
    for (size_t to = 0; to < BRANCHES; to++)
        if (!m->group[to] && (m->up[from][to] || m->up[to][from]))
            spread(m, to, group);
}

static bool model_keeps_rule(Model *m)
{
    memset(m->group, 0, sizeof(m->group));
    for (size_t i = 0; i < BRANCHES; i++)
        if (!m->group[i])
            spread(m, i, (int)i + 1);
    for (size_t i = 0; i < BRANCHES; i++)
        for (size_t k = i + 1; k / TWINS == i / TWINS && k < BRANCHES; k++)
            if (m->group[i] == m->group[k])
                return false;
    return true;
}

/* Of the repos before, so that there are no cycles; mostly one of the hubs. */
static size_t pick_up(Model *m, size_t down)
{
    size_t hub = roll(m, MIN(HUBS, down / TWINS)) * TWINS;
    return roll(m, 4) ? hub : roll(m, down / TWINS * TWINS);
}

static PfsV2__CreateBranchRequest *rewire(Fixture *fx, Model *m, size_t down)
{
    PfsV2__CreateBranchRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__create_branch_request, PfsV2__CreateBranchRequest);
    request->branch = branch_of(fx, name_of(fx, down));
    request->provenance = arena_must(fx->ctx.arena, UPS * sizeof(PfsV2__Branch *));
    memset(m->up[down], 0, sizeof(m->up[down]));
    for (size_t ups = roll(m, UPS + 1); request->n_provenance < ups; request->n_provenance++) {
        size_t up = pick_up(m, down);
        m->up[down][up] = true;
        request->provenance[request->n_provenance] = branch_of(fx, name_of(fx, up));
    }
    return request;
}

/* Later repos each, as a repo gets one commit of a set. */
static Status rewire_some(Fixture *fx, Model *m, PfsTx *tx)
{
    size_t repo = 1 + roll(m, REPOS - 1);
    for (size_t n = roll(m, 3) ? 1 : AT_ONCE; n && repo < REPOS; n--, repo += 1 + roll(m, 8))
        TRY(pfs_create_branch(&fx->ctx, tx, rewire(fx, m, repo * TWINS + roll(m, TWINS))));
    return OK;
}

static void edges_are_refused_as_the_model_says(void **state)
{
    Fixture *fx = *state;
    static Model now, next;
    now = (Model){ .seed = 42 };
    for (size_t i = 0; i < BRANCHES; i++) {
        if (i % TWINS == 0)
            create_repo(fx, text_printf(fx->ctx.arena, "r%03zu", i / TWINS));
        create_branch(fx, name_of(fx, i), NULL, NULL);
    }
    size_t refused = 0;
    ArenaMark mark = arena_mark(fx->ctx.arena);
    for (size_t i = 0; i < OPERATIONS; i++, arena_rewind(fx->ctx.arena, mark)) {
        next = now;
        Status s;
        IN_TX(fx, s, rewire_some(fx, &next, tx));
        bool keeps = model_keeps_rule(&next);
        if (keeps)
            assert_ok(s);
        else
            assert_fails(s, UNKNOWN, "multiple branches from the same repo");
        refused += !keeps;
        if (!keeps)
            now.seed = next.seed;
        else
            now = next;
    }
    assert_in_range(refused, OPERATIONS / 10, OPERATIONS * 9 / 10); /* both ways are taken */
}

/* Two branches of one repo, each the last of very many that are derived from a hub. */
static void what_is_derived_last_counts_too(void **state)
{
    Fixture *fx = *state;
    create_repo(fx, "left");
    create_repo(fx, "right");
    create_repo(fx, "both");
    for (size_t i = 0; i < REPOS; i++) {
        create_repo(fx, text_printf(fx->ctx.arena, "r%03zu", i));
        create_branch(fx, name_of(fx, i * TWINS), i % 2 ? "left@m" : "right@m", NULL);
    }
    create_branch(fx, "both@a", "left@m right@m", NULL);
    create_branch(fx, "both@a", "", NULL);
    create_branch(fx, name_of(fx, REPOS * TWINS - 1), "right@m", NULL);
    assert_fails(try_create_branch(fx, "both@a", "left@m right@m", NULL), UNKNOWN,
                 "multiple branches from the same repo, \"default/r159\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PFS_TEST(edges_are_refused_as_the_model_says),
        PFS_TEST(what_is_derived_last_counts_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
