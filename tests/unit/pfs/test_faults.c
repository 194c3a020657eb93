/* test_faults.c - the nth allocation, read, write, sync or query fails, once or for good, while
 * somebody writes: what he did is then there whole, or not at all, and the next one can write. */
#include <dirent.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "files_fixture.h"

/* --- what there is ---------------------------------------------------------------------------- */

static Status add_commit(void *arg, Ctx *ctx, const PfsV2__CommitInfo *info)
{
    (void)ctx;
    buf_printf(arg, " %s%s%s", info->finished ? "finished" : "open", *info->error ? ":" : "",
               info->error);
    return OK;
}

/* The state of every commit of a repo, newest first; or why they cannot be listed. */
static void dump_commits(Fixture *f, const char *repo, Buf *out)
{
    PfsV2__ListCommitRequest request;
    pfs_v2__list_commit_request__init(&request);
    request.repo = repo_of(f, repo);
    request.all = true;
    Status s = pfs_list_commit(&f->ctx, f->pfs, &request, add_commit, out);
    buf_printf(out, " %s\n", status_message(s));
}

static Status add_fault(void *arg, Ctx *ctx, const char *error)
{
    (void)ctx;
    buf_printf(arg, " fault: %s", error);
    return OK;
}

static void dump_fsck(Fixture *f, Buf *out)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    assert_ok(pfs_begin_read(&f->ctx, f->pfs, &tx));
    assert_ok(pfs_fsck(&f->ctx, tx, add_fault, out));
}

/* All that a client can see, without ids and times. */
static char *dump(Fixture *f)
{
    static const char *const repos[] = { "main", "down", "new" };
    static const char *const heads[] = { "main@master", "main@other" };
    CLEANUP(buf_done) Buf out = { 0 };
    for (size_t i = 0; i < ARRAY_LEN(repos); i++) {
        buf_printf(&out, "%s:", repos[i]);
        dump_commits(f, repos[i], &out);
    }
    for (size_t i = 0; i < ARRAY_LEN(heads); i++)
        buf_printf(&out, "%s: %s\n", heads[i], show(f, heads[i]));
    dump_fsck(f, &out);
    return str_z(f->ctx.arena, buf_str(&out));
}

/* --- what is done ----------------------------------------------------------------------------- */

#define WRITES(f, commit, ...)                                                                     \
    try_write(&(f)->ctx, (f)->pfs, (commit), (const char *const[]){ __VA_ARGS__ },                 \
              ARRAY_LEN(((const char *const[]){ __VA_ARGS__ })))

static Status put_into_a_branch(Fixture *f)
{
    return WRITES(f, "main@other", "put /big x", "add /base more", "del /gone", "add /d/e new",
                  "copy main@master:/base /copied");
}

static Status put_into_an_open_commit(Fixture *f)
{
    return WRITES(f, "main@master", "add /late x", "del /base");
}

/* IN_TX of the fixture wants to begin. */
#define TRY_TX(f, body)                                                                            \
    do {                                                                                           \
        CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;                                                   \
        TRY(pfs_begin_write(&(f)->ctx, (f)->pfs, NULL, &tx));                                      \
        TRY(body);                                                                                 \
        return pfs_commit(&(f)->ctx, STEAL(tx));                                                   \
    } while (0)

static Status finish_with_downstream(Fixture *f)
{
    PfsV2__FinishCommitRequest *request =
        PB_NEW(&f->ctx, pfs_v2__finish_commit_request, PfsV2__FinishCommitRequest);
    request->commit = handle_of(&f->ctx, "main@master");
    TRY_TX(f, pfs_finish_commit(&f->ctx, tx, request, false));
}

static Status start_on_a_branch(Fixture *f)
{
    PfsV2__StartCommitRequest *request =
        PB_NEW(&f->ctx, pfs_v2__start_commit_request, PfsV2__StartCommitRequest);
    PfsV2__Commit *commit;
    request->branch = branch_of(f, "main@other");
    TRY_TX(f, pfs_start_commit(&f->ctx, tx, request, &commit));
}

static Status make_a_repo(Fixture *f)
{
    PfsV2__CreateRepoRequest *request =
        PB_NEW(&f->ctx, pfs_v2__create_repo_request, PfsV2__CreateRepoRequest);
    request->repo = repo_of(f, "new");
    TRY_TX(f, pfs_create_repo(&f->ctx, tx, request));
}

static Status make_a_derived_branch(Fixture *f)
{
    PfsV2__CreateBranchRequest *request =
        PB_NEW(&f->ctx, pfs_v2__create_branch_request, PfsV2__CreateBranchRequest);
    PfsV2__Branch *upstream[] = { branch_of(f, "main@other") };
    request->branch = branch_of(f, "down@second");
    request->provenance = upstream;
    request->n_provenance = ARRAY_LEN(upstream);
    TRY_TX(f, pfs_create_branch(&f->ctx, tx, request));
}

static Status delete_a_repo(Fixture *f)
{
    PfsV2__DeleteRepoRequest *request =
        PB_NEW(&f->ctx, pfs_v2__delete_repo_request, PfsV2__DeleteRepoRequest);
    bool deleted;
    request->repo = repo_of(f, "down");
    request->force = true;
    TRY_TX(f, pfs_delete_repo(&f->ctx, tx, request, &deleted));
}

static Status drop_a_commit(Fixture *f)
{
    TRY_TX(f, pfs_drop_commit(&f->ctx, tx, handle_of(&f->ctx, "main@other"), true));
}

static Status put_by_a_file_set(Fixture *f)
{
    Ctx *ctx = &f->ctx;
    const char *id;
    CLEANUP(pfs_writer_freep) PfsWriter *writer = pfs_writer_new(f->pfs);
    TRY(pfs_writer_put(ctx, writer, STR("/set/a"), STR(""), str_bytes(STR("a"))));
    TRY(pfs_writer_put(ctx, writer, STR("/set/b"), STR(""), str_bytes(STR("b"))));
    TRY(pfs_fileset_from_writer(ctx, writer, &id));
    PfsV2__AddFileSetRequest *request =
        PB_NEW(ctx, pfs_v2__add_file_set_request, PfsV2__AddFileSetRequest);
    request->commit = handle_of(ctx, "main@master");
    request->file_set_id = arena_strdup(ctx->arena, id);
    return pfs_fileset_add(ctx, f->pfs, request);
}

static Status merge(Fixture *f)
{
    Procavia__V1__MergeBranchRequest *request =
        PB_NEW(&f->ctx, procavia__v1__merge_branch_request, Procavia__V1__MergeBranchRequest);
    Procavia__V1__MergeBranchResponse *response;
    request->from = branch_of(f, "main@side");
    request->into = branch_of(f, "main@other");
    return pfs_merge_branch(&f->ctx, f->pfs, request, &response);
}

/* --- sweeps ----------------------------------------------------------------------------------- */

/* main@master has an open commit, from which down@master derives; main@other and main@side have
 * finished ones. */
static void prepare(Fixture *f)
{
    create_repo(f, "main");
    create_repo(f, "down");
    create_branch(f, "down@master", "main@master", NULL);
    WRITE(f, "main@master", "add /base x", "add /dir/f y");
    WRITE(f, "main@other", "add /base z", "add /gone y");
    create_branch(f, "main@side", NULL, "main@other");
    WRITE(f, "main@side", "add /from-side s");
    WRITE(f, "main@other", "add /from-other o");
    start(f, "main@master");
    WRITE(f, "main@master", "add /more m");
}

static Fixture *fresh(void)
{
    void *state;
    fixture_setup_on_disk(&state);
    prepare(state);
    return state;
}

static size_t count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void check(Fixture *f, Status s, const char *before, const char *after)
{
    fixture_reopen(f); /* a failed write or sync is final until then */
    char *now = dump(f);
    if (strcmp(now, after) != 0 && (status_ok(s) || strcmp(now, before) != 0))
        fail_msg("%s '%s', and between:\n%s\nbefore:\n%s\nafter:\n%s", status_info(s.code)->name,
                 status_message(s), now, before, after);
    if (!status_ok(s) && !*status_message(s))
        fail_msg("a failure without a word: %s", status_info(s.code)->name);
    WRITE(f, "main@third", "add /works y"); /* and all goes on */
    assert_string_equal(show(f, "main@third"), "/works=y");
}

static void sweep(const char *label, Status (*act)(Fixture *), unsigned kinds)
{
    void *fixture = fresh();
    size_t runs = 0;
    char *before = strdup(dump(fixture));
    assert_ok(act(fixture));
    char *after = strdup(dump(fixture));
    fixture_teardown(&fixture);
    size_t fds = count_fds();
    FAULT_SWEEP (fs, kinds) {
        fault_pause();
        fixture = fresh();
        fault_resume();
        Status s = act(fixture);
        fault_sweep_stop(&fs);
        assert_true(status_ok(s) || fs.fired > 0);
        check(fixture, s, before, after);
        fixture_teardown(&fixture);
        assert_int_equal(count_fds(), fds);
        runs++;
    }
    say_case("%s: %zu runs", label, runs);
    free(before);
    free(after);
}

static void a_fault_leaves_all_or_nothing(void **state)
{
    static const struct {
        const char *label;
        Status (*act)(Fixture *);
    } cases[] = {
        { "put into a branch", put_into_a_branch },
        { "put into an open commit", put_into_an_open_commit },
        { "finish, with a branch below", finish_with_downstream },
        { "start", start_on_a_branch },
        { "make a repo", make_a_repo },
        { "make a derived branch", make_a_derived_branch },
        { "delete a repo", delete_a_repo },
        { "drop", drop_a_commit },
        { "put by a file set", put_by_a_file_set },
        { "merge", merge },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        sweep(cases[i].label, cases[i].act, FAULT_ALLOC | FAULT_IO | FAULT_QUERY);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_fault_leaves_all_or_nothing) };
    log_set_level(LOG_LEVEL_OFF); /* warnings are what it is all about */
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0); /* thousands of syncs; the faults are not the disk's own */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
