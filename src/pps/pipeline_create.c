/* pipeline_create.c - creating and updating a pipeline: one transaction (§6). */
#include "base/clock.h"
#include "base/text.h"
#include "pps/pps_priv.h"

/* --- lookups of spec.h ------------------------------------------------------------------------ */

static Status defaults_of(Ctx *ctx, PfsTx *tx, const char *scope, const char **out_json)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows, "SELECT json FROM pps_spec_defaults WHERE scope = ?",
                 "s", scope));
    bool more;
    TRY(db_next(ctx, &rows, &more));
    *out_json = more ? db_text(ctx, &rows, 0) : "{}";
    return OK;
}

static Status lookup_cluster(void *self, Ctx *ctx, const char **out_json)
{
    return defaults_of(ctx, self, "cluster", out_json);
}

static Status lookup_project(void *self, Ctx *ctx, const char *project, const char **out_json)
{
    PfsV2__Project handle;
    pfs_v2__project__init(&handle);
    handle.name = arena_strdup(ctx->arena, project);
    PfsV2__ProjectInfo *info;
    TRY(pfs_inspect_project(ctx, self, &handle, &info));
    return defaults_of(ctx, self, text_printf(ctx->arena, "project:%s", project), out_json);
}

static Status lookup_secret(void *self, Ctx *ctx, const char *name, const char *key,
                            bool *out_secret, bool *out_key)
{
    PpsV2__SecretInfo *info;
    Status s = pps_inspect_secret(ctx, self, name, &info);
    *out_secret = status_ok(s);
    *out_key = false;
    if (!status_ok(s))
        return s.code == STATUS_UNKNOWN || s.code == STATUS_NOT_FOUND ? OK : s;
    Bytes value;
    s = pps_secret_value(ctx, self, name, key, &value);
    *out_key = status_ok(s);
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

static Status lookup_repo(void *self, Ctx *ctx, const PfsV2__Repo *repo)
{
    PfsV2__RepoInfo *info;
    return pfs_inspect_repo(ctx, self, repo, &info);
}

SpecLookups pps_lookups(PfsTx *tx)
{
    return (SpecLookups){ lookup_cluster, lookup_project, lookup_secret, lookup_repo, tx };
}

/* --- preparing: what is fixed before the transaction ------------------------------------------ */

static Status prepared_of(Ctx *ctx, const Spec *spec, PpsV2__CreatePipelineTransaction **out)
{
    PpsV2__CreatePipelineTransaction *prepared =
        PB_NEW(ctx, pps_v2__create_pipeline_transaction, PpsV2__CreatePipelineTransaction);
    prepared->create_pipeline_request = spec->request;
    prepared->user_json = arena_strdup(ctx->arena, spec->user_json);
    prepared->effective_json = arena_strdup(ctx->arena, spec->effective_json);
    prepared->created_by = arena_strdup(ctx->arena, ctx->user);
    *out = prepared;
    return OK;
}

Status pps_prepare(Ctx *ctx, PfsTx *tx, const PpsV2__CreatePipelineV2Request *request,
                   PpsV2__CreatePipelineTransaction **out)
{
    const SpecLookups lookups = pps_lookups(tx);
    Spec spec;
    TRY(spec_effective(ctx, &lookups, request->create_pipeline_request_json, &spec));
    TRY(spec_apply_flags(ctx, &spec, request->update, request->reprocess));
    return prepared_of(ctx, &spec, out);
}

Status pps_prepare_v1(Ctx *ctx, PfsTx *tx, const PpsV2__CreatePipelineRequest *request,
                      PpsV2__CreatePipelineTransaction **out)
{
    const SpecLookups lookups = pps_lookups(tx);
    Spec spec;
    TRY(spec_effective_of(ctx, &lookups, request, &spec));
    TRY(spec_apply_flags(ctx, &spec, request->update, request->reprocess));
    return prepared_of(ctx, &spec, out);
}

Status pps_prepare_again(Ctx *ctx, const PpsPipelineRow *row, bool reprocess,
                         PpsV2__CreatePipelineTransaction **out)
{
    Spec spec;
    TRY(spec_of_stored(ctx, row->info, &spec));
    spec.request->pipeline = pps_pipeline_ref(ctx, row->project, row->name);
    TRY(spec_apply_flags(ctx, &spec, true, reprocess));
    return prepared_of(ctx, &spec, out);
}

Status pps_prepared_json(Ctx *ctx, const PpsV2__CreatePipelineTransaction *prepared,
                         char **out_json)
{
    const Spec spec = { prepared->create_pipeline_request, prepared->user_json,
                        prepared->effective_json };
    const char *json;
    TRY(spec_response_json(ctx, &spec, &json));
    *out_json = arena_strdup(ctx->arena, json);
    return OK;
}

/* --- branches --------------------------------------------------------------------------------- */

static Status create_repo(Ctx *ctx, PfsTx *tx, const PfsV2__Repo *repo, const char *description)
{
    PfsV2__RepoInfo *info;
    Status s = pfs_inspect_repo(ctx, tx, repo, &info);
    if (s.code != STATUS_NOT_FOUND)
        return s;
    PfsV2__CreateRepoRequest request;
    pfs_v2__create_repo_request__init(&request);
    request.repo = PB_CLONE(ctx, PfsV2__Repo, repo);
    request.description = arena_strdup(ctx->arena, description);
    return pfs_create_repo(ctx, tx, &request);
}

static PfsV2__Branch *branch_of(Ctx *ctx, const PpsV2__PipelineInfo *info, const char *type,
                                const char *branch)
{
    PfsV2__Branch *handle = PB_NEW(ctx, pfs_v2__branch, PfsV2__Branch);
    handle->repo = pfs_repo_ref(ctx, info->pipeline->project->name, info->pipeline->name, type);
    handle->name = arena_strdup(ctx->arena, branch);
    return handle;
}

static Status set_trigger(Ctx *ctx, PfsTx *tx, const InputBranch *input)
{
    PfsV2__CreateBranchRequest request;
    pfs_v2__create_branch_request__init(&request);
    request.branch = input->branch;
    request.trigger = PB_CLONE(ctx, PfsV2__Trigger, input->trigger);
    return pfs_create_branch(ctx, tx, &request);
}

static PfsV2__BranchPropagationSpec *never_spec(Ctx *ctx, PfsV2__Branch *branch)
{
    PfsV2__BranchPropagationSpec *spec =
        PB_NEW(ctx, pfs_v2__branch_propagation_spec, PfsV2__BranchPropagationSpec);
    spec->branch = branch;
    spec->propagation_spec = PB_NEW(ctx, pfs_v2__propagation_spec, PfsV2__PropagationSpec);
    spec->propagation_spec->never = true;
    return spec;
}

/* The request that gives `branch` its provenance: each input's branch, then the spec branch. */
static Status provenance_request(Ctx *ctx, const PpsV2__PipelineInfo *info,
                                 const InputBranch *inputs, size_t n, PfsV2__Branch *branch,
                                 PfsV2__CreateBranchRequest *request)
{
    pfs_v2__create_branch_request__init(request);
    request->branch = branch;
    request->provenance = ARENA_NEW(ctx->arena, PfsV2__Branch *, n + 1);
    request->branch_propagation_specs =
        ARENA_NEW(ctx->arena, PfsV2__BranchPropagationSpec *, n + 1);
    if (!request->provenance || !request->branch_propagation_specs)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < n; i++) {
        request->provenance[request->n_provenance++] = inputs[i].branch;
        if (!inputs[i].propagate)
            request->branch_propagation_specs[request->n_branch_propagation_specs++] =
                never_spec(ctx, inputs[i].branch);
    }
    request->provenance[request->n_provenance++] = branch_of(ctx, info, "spec", "master");
    return OK;
}

static Status connect(Ctx *ctx, PfsTx *tx, const PpsV2__PipelineInfo *info,
                      const InputBranch *inputs, size_t n, const char *type, bool connected)
{
    PfsV2__CreateBranchRequest request;
    PfsV2__Branch *branch = branch_of(ctx, info, type, info->details->output_branch);
    TRY(provenance_request(ctx, info, inputs, n, branch, &request));
    if (!connected)
        request.n_provenance = request.n_branch_propagation_specs = 0;
    TRY_WRAP(ctx, pfs_create_branch(ctx, tx, &request), "could not create/update %s branch",
             strcmp(type, "meta") == 0 ? "meta" : "output");
    return OK;
}

static bool has_meta(const PpsV2__PipelineInfo *info)
{
    return info->type == PPS_V2__PIPELINE_INFO__PIPELINE_TYPE__PIPELINE_TYPE_TRANSFORM;
}

Status pps_connect_branches(Ctx *ctx, PfsTx *tx, const PpsV2__PipelineInfo *info, bool connected)
{
    InputBranch *inputs;
    size_t n;
    TRY(input_branches(ctx, info->details->input, &inputs, &n));
    TRY(connect(ctx, tx, info, inputs, n, "user", connected));
    for (size_t i = 0; connected && i < n; i++) {
        if (inputs[i].trigger)
            TRY_WRAP(ctx, set_trigger(ctx, tx, &inputs[i]),
                     "could not create/update trigger branch");
    }
    if (!has_meta(info))
        return OK;
    TRY(create_repo(ctx, tx,
                    pfs_repo_ref(ctx, info->pipeline->project->name, info->pipeline->name, "meta"),
                    text_printf(ctx->arena, "Meta repo for pipeline %s", info->pipeline->name)));
    return connect(ctx, tx, info, inputs, n, "meta", connected);
}

/* --- the steps of a creation ------------------------------------------------------------------ */

typedef struct Creation {
    Pps *pps;
    const PpsV2__CreatePipelineTransaction *prepared;
    const PpsV2__CreatePipelineRequest *request;
    const char *project, *name;
    int64_t id;         /* row; 0 until it exists */
    PpsPipelineRow old; /* valid when is_update */
    bool is_update;
    PpsV2__PipelineInfo *info; /* the new version */
    int64_t spec_commit;
    const char *image_digest;
} Creation;

static Status find_old(Ctx *ctx, PfsTx *tx, Creation *c)
{
    bool found;
    TRY(pps_has_pipeline(ctx, tx, c->project, c->name, &found, &c->id));
    if (!found)
        c->id = 0;
    else if (!c->request->update)
        return FAIL(ctx, ALREADY_EXISTS, "pipeline \"%s/%s\" already exists", c->project, c->name);
    else
        TRY(pps_pipeline_row(ctx, tx, c->id, &c->old));
    c->is_update = found;
    return OK;
}

static Status check_and_fill(Ctx *ctx, PfsTx *tx, Creation *c)
{
    TRY(spec_check_request(ctx, c->request));
    if (c->is_update && c->request->spec_commit)
        return FAIL(ctx, UNKNOWN,
                    "Cannot update a pipeline and provide a spec commit at the same time");
    const Spec spec = { PB_CLONE(ctx, PpsV2__CreatePipelineRequest, c->request),
                        c->prepared->user_json, c->prepared->effective_json };
    const SpecStored stored = { c->is_update ? c->old.info : NULL, pfs_tx_time_ns(tx),
                                c->prepared->created_by };
    c->info = spec_pipeline_info(ctx, &spec, &stored);
    TRY(spec_check_pipeline(ctx, c->info));
    const SpecLookups lookups = pps_lookups(tx);
    return spec_check_repos(ctx, &lookups, c->info);
}

static Status create_repos(Ctx *ctx, PfsTx *tx, Creation *c)
{
    InputBranch *inputs;
    size_t n;
    TRY(input_branches(ctx, c->info->details->input, &inputs, &n));
    const char *text = pps_pipeline_text(ctx, c->project, c->name);
    for (size_t i = 0; i < n; i++) {
        if (inputs[i].is_cron)
            TRY(create_repo(ctx, tx, inputs[i].branch->repo,
                            text_printf(ctx->arena, "Cron tick repo for pipeline %s.", text)));
    }
    if (c->is_update)
        return OK;
    PfsV2__CreateRepoRequest request;
    pfs_v2__create_repo_request__init(&request);
    request.repo = pfs_repo_ref(ctx, c->project, c->name, "user");
    request.description = text_printf(ctx->arena, "Output repo for pipeline %s.", text);
    Status s = pfs_create_repo(ctx, tx, &request);
    if (s.code == STATUS_ALREADY_EXISTS)
        return FAIL(
            ctx, UNKNOWN,
            "pipeline \"%s\" cannot be created because a repo with the same name already exists",
            c->name);
    TRY_WRAP(ctx, s, "error creating output repo for %s", c->name);
    return create_repo(ctx, tx, pfs_repo_ref(ctx, c->project, c->name, "spec"),
                       text_printf(ctx->arena, "Spec repo for pipeline %s.", text));
}

/* A new pipeline may name the commit that marks its version. */
static Status use_spec_commit(Ctx *ctx, PfsTx *tx, Creation *c)
{
    const PfsV2__Commit *named = c->request->spec_commit;
    PfsCommitRow row;
    if (!named->repo && !(named->branch && named->branch->repo))
        return FAIL(
            ctx, UNKNOWN,
            "error inspecting spec commit: pick commit tx: cannot pick commit with no repo");
    TRY_WRAP(ctx, pfs_pick(ctx, tx, named, &row), "error inspecting spec commit");
    c->spec_commit = row.id;
    c->info->spec_commit = PB_CLONE(ctx, PfsV2__Commit, named);
    return OK;
}

/* An empty, finished commit on spec@master marks the version. */
static Status create_spec_commit(Ctx *ctx, PfsTx *tx, Creation *c)
{
    if (c->request->spec_commit)
        return use_spec_commit(ctx, tx, c);
    PfsV2__StartCommitRequest start;
    pfs_v2__start_commit_request__init(&start);
    start.branch = branch_of(ctx, c->info, "spec", "master");
    PfsV2__FinishCommitRequest finish;
    pfs_v2__finish_commit_request__init(&finish);
    TRY(pfs_start_commit(ctx, tx, &start, &finish.commit));
    finish.commit->repo = start.branch->repo;
    TRY(pfs_finish_commit(ctx, tx, &finish, true));
    PfsCommitRow row;
    TRY(pfs_pick(ctx, tx, finish.commit, &row));
    c->spec_commit = row.id;
    c->info->spec_commit = finish.commit;
    c->info->spec_commit->branch = start.branch;
    return OK;
}

/* The version's info without what its row says: state, reason, stopped. */
static Bytes pack_info(Ctx *ctx, const Creation *c)
{
    PpsV2__PipelineInfo plain = *c->info;
    plain.state = PPS_V2__PIPELINE_STATE__PIPELINE_STATE_UNKNOWN;
    plain.stopped = false;
    return pb_pack_bytes(ctx, &plain.base);
}

static Status note_cron(void *arg, Ctx *ctx, PpsV2__Input *node)
{
    (void)ctx;
    *(bool *)arg = *(bool *)arg || input_kind(node) == INPUT_CRON;
    return OK;
}

static Status write_pipeline(Ctx *ctx, PfsTx *tx, Creation *c)
{
    bool has_cron = false;
    if (c->info->details->input)
        TRY(input_visit(ctx, c->info->details->input, note_cron, &has_cron));
    DbTx *db = pfs_tx_db(tx);
    int64_t version = (int64_t)c->info->version;
    if (c->is_update)
        return db_exec(ctx, db, NULL,
                       "UPDATE pps_pipeline SET version = ?, state = ?, reason = '', has_cron = ? "
                       "WHERE id = ?",
                       "iiii", version, (int64_t)PPS_V2__PIPELINE_STATE__PIPELINE_STARTING,
                       (int64_t)has_cron, c->id);
    TRY(db_next_id(ctx, db, "pipeline", &c->id));
    return db_exec(ctx, db, NULL,
                   "INSERT INTO pps_pipeline (id, project, name, version, state, reason, stopped, "
                   "workers_started, has_cron) "
                   "VALUES (?, ?, ?, ?, ?, '', 0, 0, ?)",
                   "issiii", c->id, c->project, c->name, version,
                   (int64_t)PPS_V2__PIPELINE_STATE__PIPELINE_STARTING, (int64_t)has_cron);
}

static Status write_version(Ctx *ctx, PfsTx *tx, Creation *c)
{
    DbTx *db = pfs_tx_db(tx);
    int64_t seq;
    TRY(db_next_id(ctx, db, "pipeline_version", &seq));
    int64_t not_before = c->is_update ? c->old.results_not_before_ns : 0;
    if (c->request->reprocess)
        not_before = pfs_tx_time_ns(tx);
    return db_exec(ctx, db, NULL,
                   "INSERT INTO pps_pipeline_version (pipeline, version, seq, spec_commit, info, "
                   "image_digest, not_before) "
                   "VALUES (?, ?, ?, ?, ?, ?, ?)",
                   "iiiibsi", c->id, (int64_t)c->info->version, seq, c->spec_commit,
                   pack_info(ctx, c), c->image_digest, not_before);
}

/* A name that is not there leaves the digest empty: the controller makes the pipeline CRASHING with
 * the reason. */
static Status resolve_image(Ctx *ctx, Creation *c)
{
    c->image_digest = "";
    Status s = c->pps->host.resolve_image(c->pps->host.self, ctx,
                                          c->info->details->transform->image, &c->image_digest);
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

/* A spout's first output commit ends at once; later ones are its process's own (§19). */
static Status close_spout_commit(Ctx *ctx, PfsTx *tx, Creation *c)
{
    PfsV2__Branch *branch = branch_of(ctx, c->info, "user", c->info->details->output_branch);
    int64_t head;
    PfsCommitRow row;
    TRY(pfs_branch_head(ctx, tx, branch, &head));
    if (!head)
        return OK;
    TRY(pfs_commit_row(ctx, tx, head, &row));
    if (row.state != PFS_OPEN)
        return OK;
    PfsV2__FinishCommitRequest finish;
    pfs_v2__finish_commit_request__init(&finish);
    finish.commit = pfs_commit_ref(ctx, c->project, c->name, row.set_id);
    finish.description = arena_strdup(ctx->arena, "close spout commit");
    return pfs_finish_commit(ctx, tx, &finish, true);
}

/* Takes the version before off its branches, where they do not just go on. An output branch that is
 * another's now becomes an ordinary one, as does the meta branch of what is a service or spout now:
 * nobody would finish its commits. And each version of a pipeline without inputs runs once: as
 * nothing but its spec moves, which makes no commit below, its branches are derived anew. */
static Status leave_branches(Ctx *ctx, PfsTx *tx, const Creation *c)
{
    if (!c->is_update)
        return OK;
    if (has_meta(c->old.info) && !has_meta(c->info))
        TRY(connect(ctx, tx, c->old.info, NULL, 0, "meta", false));
    const PpsV2__PipelineInfo__Details *old = c->old.info->details, *details = c->info->details;
    bool runs_once = !details->input && !pps_is_spout(c->info);
    if (!runs_once && strcmp(old->output_branch, details->output_branch) == 0)
        return OK;
    return pps_connect_branches(ctx, tx, c->old.info, false);
}

static const char *who(Ctx *ctx)
{
    return *ctx->user ? ctx->user : "unknown_username";
}

Status pps_create_pipeline(Ctx *ctx, PfsTx *tx, Pps *pps,
                           const PpsV2__CreatePipelineTransaction *prepared)
{
    const PpsV2__CreatePipelineRequest *request = prepared->create_pipeline_request;
    if (!request || !request->pipeline)
        return FAIL(ctx, UNKNOWN, "request.Pipeline cannot be nil");
    const SpecLookups lookups = pps_lookups(tx);
    TRY(spec_check_secrets(ctx, &lookups, request));
    Creation c = { .pps = pps,
                   .prepared = prepared,
                   .request = request,
                   .project = pps_pipeline_project(request->pipeline),
                   .name = request->pipeline->name };
    TRY(find_old(ctx, tx, &c));
    TRY(check_and_fill(ctx, tx, &c));
    TRY(resolve_image(ctx, &c));
    TRY(create_repos(ctx, tx, &c));
    TRY(create_spec_commit(ctx, tx, &c));
    TRY(write_pipeline(ctx, tx, &c));
    TRY(write_version(ctx, tx, &c));
    if (c.is_update)
        TRY(pps_kill_jobs(ctx, tx, c.id,
                          text_printf(ctx->arena,
                                      "all jobs killed because pipeline was updated for user %s",
                                      who(ctx))));
    TRY(leave_branches(ctx, tx, &c));
    TRY(pps_connect_branches(ctx, tx, c.info, !(c.is_update && c.old.stopped)));
    if (c.info->type == PPS_V2__PIPELINE_INFO__PIPELINE_TYPE__PIPELINE_TYPE_SPOUT)
        TRY(close_spout_commit(ctx, tx, &c));
    pps_note_pipeline(tx, c.id, c.project, c.name);
    return OK;
}
