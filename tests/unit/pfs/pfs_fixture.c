/* pfs_fixture.c - see pfs_fixture.h. */
#include "pfs_fixture.h"

/* --- the server ------------------------------------------------------------------------------- */

static void open_all(Fixture *fx)
{
    StoreConfig config = { .dir = fx->dir };
    assert_ok(db_open(&fx->ctx, fx->url, pfs_migrations, pfs_migration_count, &fx->db));
    fx->index = db_store_index(fx->db);
    assert_ok(store_open(&fx->ctx, &config, &fx->index, &fx->store));
    assert_ok(pfs_open(&fx->ctx, fx->db, fx->store, &fx->pfs));
    assert_ok(pfs_start(&fx->ctx, fx->pfs));
}

static void close_all(Fixture *fx)
{
    fx->pfs = pfs_close(fx->pfs);
    fx->store = store_close(fx->store);
    fx->db = db_close(fx->db);
}

static int set_up(void **state, bool on_disk)
{
    Fixture *fx = calloc(1, sizeof(*fx));
    ctx_init(&fx->ctx);
    fx->keep = arena_new(0);
    fx->dir = scratch_dir(&fx->ctx);
    fx->url = on_disk ? text_printf(fx->ctx.arena, "sqlite:%s/pcv.db", fx->dir) : "sqlite::memory:";
    open_all(fx);
    *state = fx;
    return 0;
}

int fixture_setup(void **state)
{
    return set_up(state, false);
}

int fixture_setup_on_disk(void **state)
{
    return set_up(state, true);
}

void fixture_reopen(Fixture *fx)
{
    close_all(fx);
    open_all(fx);
}

int fixture_teardown(void **state)
{
    Fixture *fx = *state;
    close_all(fx);
    assert_ok(file_remove_tree(&fx->ctx, fx->dir));
    ctx_done(&fx->ctx);
    arena_free(fx->keep);
    free(fx);
    return 0;
}

/* --- handles ---------------------------------------------------------------------------------- */

PfsV2__Repo *repo_of(Fixture *fx, const char *repo)
{
    Str name = str(repo);
    size_t dot = str_find(name, '.');
    const char *type = dot < name.size ? repo + dot + 1 : "user";
    return pfs_repo_ref(&fx->ctx, "default", str_z(fx->ctx.arena, str_sub(name, 0, dot)), type);
}

/* The part before '@', and *rest what follows. */
static PfsV2__Repo *split(Fixture *fx, const char *text, const char **rest)
{
    size_t at = str_find(str(text), '@');
    assert_true(text[at] == '@');
    *rest = text + at + 1;
    return repo_of(fx, str_z(fx->ctx.arena, str_sub(str(text), 0, at)));
}

PfsV2__Branch *branch_of(Fixture *fx, const char *branch)
{
    const char *name;
    PfsV2__Branch *handle = PB_NEW(&fx->ctx, pfs_v2__branch, PfsV2__Branch);
    handle->repo = split(fx, branch, &name);
    handle->name = arena_strdup(fx->ctx.arena, name);
    return handle;
}

PfsV2__Commit *commit_of(Fixture *fx, const char *commit)
{
    const char *id;
    PfsV2__Commit *handle = PB_NEW(&fx->ctx, pfs_v2__commit, PfsV2__Commit);
    handle->repo = split(fx, commit, &id);
    handle->id = arena_strdup(fx->ctx.arena, id);
    return handle;
}

/* --- repos and branches ----------------------------------------------------------------------- */

Status try_create_repo(Fixture *fx, const char *repo)
{
    PfsV2__CreateRepoRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__create_repo_request, PfsV2__CreateRepoRequest);
    request->repo = repo_of(fx, repo);
    Status s;
    IN_TX(fx, s, pfs_create_repo(&fx->ctx, tx, request));
    return s;
}

void create_repo(Fixture *fx, const char *repo)
{
    assert_ok(try_create_repo(fx, repo));
}

static PfsV2__BranchPropagationSpec *never_spec(Fixture *fx, PfsV2__Branch *branch)
{
    PfsV2__BranchPropagationSpec *spec =
        PB_NEW(&fx->ctx, pfs_v2__branch_propagation_spec, PfsV2__BranchPropagationSpec);
    spec->branch = branch;
    spec->propagation_spec = PB_NEW(&fx->ctx, pfs_v2__propagation_spec, PfsV2__PropagationSpec);
    spec->propagation_spec->never = true;
    return spec;
}

static void add_upstream(Fixture *fx, const char *upstream, PfsV2__CreateBranchRequest *request)
{
    PtrList branches = { 0 }, specs = { 0 };
    char *rest = arena_strdup(fx->ctx.arena, upstream);
    for (char *word; (word = strsep(&rest, " "));) {
        if (!*word)
            continue;
        PfsV2__Branch *branch = branch_of(fx, word + (*word == '!'));
        ptr_list_add(&fx->ctx, &branches, branch);
        if (*word == '!')
            ptr_list_add(&fx->ctx, &specs, never_spec(fx, branch));
    }
    request->provenance = (PfsV2__Branch **)branches.items;
    request->n_provenance = branches.n;
    request->branch_propagation_specs = (PfsV2__BranchPropagationSpec **)specs.items;
    request->n_branch_propagation_specs = specs.n;
}

Status try_create_branch(Fixture *fx, const char *branch, const char *upstream, const char *head)
{
    PfsV2__CreateBranchRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__create_branch_request, PfsV2__CreateBranchRequest);
    request->branch = branch_of(fx, branch);
    if (upstream)
        add_upstream(fx, upstream, request);
    if (head)
        request->head = commit_of(fx, head);
    Status s;
    IN_TX(fx, s, pfs_create_branch(&fx->ctx, tx, request));
    return s;
}

void create_branch(Fixture *fx, const char *branch, const char *upstream, const char *head)
{
    assert_ok(try_create_branch(fx, branch, upstream, head));
}

Status try_delete_branch(Fixture *fx, const char *branch, bool force)
{
    PfsV2__DeleteBranchRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__delete_branch_request, PfsV2__DeleteBranchRequest);
    request->branch = branch_of(fx, branch);
    request->force = force;
    Status s;
    IN_TX(fx, s, pfs_delete_branch(&fx->ctx, tx, request));
    return s;
}

PfsV2__BranchInfo *inspect_branch(Fixture *fx, const char *branch)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    PfsV2__BranchInfo *info;
    assert_ok(pfs_begin_read(&fx->ctx, fx->pfs, &tx));
    assert_ok(pfs_inspect_branch(&fx->ctx, tx, branch_of(fx, branch), &info));
    return info;
}

/* --- commits ---------------------------------------------------------------------------------- */

Status try_start(Fixture *fx, const char *branch, const char **out_id)
{
    PfsV2__StartCommitRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__start_commit_request, PfsV2__StartCommitRequest);
    request->branch = branch_of(fx, branch);
    PfsV2__Commit *commit = NULL;
    Status s;
    IN_TX(fx, s, pfs_start_commit(&fx->ctx, tx, request, &commit));
    if (status_ok(s))
        *out_id = commit->id;
    return s;
}

const char *start(Fixture *fx, const char *branch)
{
    const char *id = NULL;
    assert_ok(try_start(fx, branch, &id));
    return id;
}

Status try_finish(Fixture *fx, const char *commit, const char *error)
{
    PfsV2__FinishCommitRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__finish_commit_request, PfsV2__FinishCommitRequest);
    request->commit = commit_of(fx, commit);
    request->error = arena_strdup(fx->ctx.arena, error ? error : "");
    Status s;
    IN_TX(fx, s, pfs_finish_commit(&fx->ctx, tx, request, false));
    return s;
}

void finish(Fixture *fx, const char *commit)
{
    assert_ok(try_finish(fx, commit, NULL));
}

const char *start_finish(Fixture *fx, const char *branch)
{
    const char *id = start(fx, branch);
    finish(fx, branch);
    return id;
}

Status try_inspect(Fixture *fx, const char *commit, PfsV2__CommitInfo **out)
{
    PfsV2__InspectCommitRequest *request =
        PB_NEW(&fx->ctx, pfs_v2__inspect_commit_request, PfsV2__InspectCommitRequest);
    request->commit = commit_of(fx, commit);
    return pfs_inspect_commit(&fx->ctx, fx->pfs, request, out);
}

PfsV2__CommitInfo *inspect(Fixture *fx, const char *commit)
{
    PfsV2__CommitInfo *info = NULL;
    assert_ok(try_inspect(fx, commit, &info));
    return info;
}

/* --- content ---------------------------------------------------------------------------------- */

static int64_t pick_id(Fixture *fx, const char *commit)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    PfsCommitRow row;
    assert_ok(pfs_begin_read(&fx->ctx, fx->pfs, &tx));
    assert_ok(pfs_pick(&fx->ctx, tx, commit_of(fx, commit), &row));
    return row.id;
}

static Hash one_file_layer(Fixture *fx, const char *path, char fill, size_t size)
{
    Ctx *ctx = &fx->ctx;
    uint8_t *data = arena_must(ctx->arena, size);
    memset(data, fill, size);
    ContentWriter *writer = content_writer_new(&fx->pfs->content);
    TreeEntry entry = { .path = str(path), .tag = STR("default") };
    assert_ok(content_writer_add(ctx, writer, bytes(data, size)));
    assert_ok(content_writer_finish(ctx, writer, &entry.record));
    content_writer_free(writer);
    TreeBuilder *builder = tree_builder_new(&fx->pfs->content.io);
    Hash root;
    assert_ok(tree_builder_add(ctx, builder, &entry));
    assert_ok(tree_builder_finish(ctx, builder, &root));
    tree_builder_free(builder);
    assert_ok(store_sync(ctx, fx->store));
    return root;
}

void put_file(Fixture *fx, const char *commit, const char *path, char fill, size_t size)
{
    int64_t id = pick_id(fx, commit);
    Hash layer = one_file_layer(fx, path, fill, size);
    Status s;
    IN_TX(fx, s, pfs_attach_layer(&fx->ctx, tx, id, &layer));
    assert_ok(s);
}

TreeSum sum_of(Fixture *fx, const char *commit)
{
    Hash root;
    TreeSum sum = { 0 };
    assert_ok(pfs_commit_view(&fx->ctx, fx->pfs, pick_id(fx, commit), &root));
    assert_ok(tree_sum(&fx->ctx, &fx->pfs->content.io, &root, STR(""), STR(""), &sum));
    return sum;
}

const char *set_repos(Fixture *fx, const char *set_id)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    CLEANUP(ids_done) Ids ids = { 0 };
    PtrList names = { 0 };
    assert_ok(pfs_begin_read(&fx->ctx, fx->pfs, &tx));
    assert_ok(set_commits(&fx->ctx, tx, set_id, &ids));
    for (size_t i = 0; i < ids.n; i++) {
        PfsCommitRow row;
        assert_ok(pfs_commit_row(&fx->ctx, tx, ids.items[i], &row));
        ptr_list_add(&fx->ctx, &names, arena_strdup(fx->ctx.arena, row.repo));
    }
    return text_join(fx->ctx.arena, (const char *const *)names.items, names.n, " ");
}
