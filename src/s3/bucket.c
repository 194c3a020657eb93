/* bucket.c - buckets of the server: each branch of each user repo is one. */
#include "base/id.h"
#include "codec/pbtime.h"
#include "pfs/write.h"
#include "s3/body.h"

/* --- finding ---------------------------------------------------------------------------------- */

/* Status of a lookup: what is missing is the bucket. */
static Status or_no_bucket(S3Request *request, Status status)
{
    return status.code == STATUS_NOT_FOUND ? s3_refuse(request, S3_NO_SUCH_BUCKET) : status;
}

/* The commit that the name pins. */
static Status find_pinned(S3Request *request, PfsTx *tx, const S3Name *name, S3Bucket *out)
{
    Ctx *ctx = request->ctx;
    PfsCommitRow row;
    out->commit = pfs_commit_ref(ctx, name->project, name->repo, name->commit);
    TRY(or_no_bucket(request, pfs_pick(ctx, tx, out->commit, &row)));
    out->target = out->commit;
    out->version_id = arena_strdup(ctx->arena, row.set_id);
    return OK;
}

/* Whatever is the branch's head when it is read or written. */
static Status find_head(S3Request *request, const PfsV2__BranchInfo *info, S3Bucket *out)
{
    Ctx *ctx = request->ctx;
    PfsV2__Commit *head = PB_NEW(ctx, pfs_v2__commit, PfsV2__Commit);
    head->repo = info->branch->repo;
    head->branch = info->branch;
    out->target = head;
    out->commit = info->head ? head : NULL;
    return OK;
}

static Status find_branch(S3Request *request, const char *bucket, S3Bucket *out)
{
    Ctx *ctx = request->ctx;
    S3Name name;
    *out = (S3Bucket){ .version_id = "" };
    TRY(s3_name_parse(ctx, str(bucket), &name));
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, request->s3->config.pfs, &tx));
    PfsV2__BranchInfo *info;
    PfsV2__Branch *branch = pfs_branch_ref(ctx, name.project, name.repo, name.branch);
    TRY(or_no_bucket(request, pfs_inspect_branch(ctx, tx, branch, &info)));
    out->is_output = info->n_direct_provenance > 0;
    return *name.commit ? find_pinned(request, tx, &name, out) : find_head(request, info, out);
}

Status s3_find_bucket(S3Request *request, S3Bucket *out)
{
    return request->driver->find(request, request->bucket, out);
}

Status s3_open_bucket(S3Request *request, const S3Bucket *bucket, PfsView *out, bool *out_empty)
{
    *out_empty = !bucket->commit;
    if (*out_empty)
        return OK;
    return pfs_view_open(request->ctx, request->s3->config.pfs, bucket->commit, out);
}

Status s3_pick_version(S3Request *request, S3Bucket *bucket, const char *id)
{
    Ctx *ctx = request->ctx;
    if (!*id)
        return OK;
    if (!request->driver->versions)
        return s3_refuse(request, S3_NOT_IMPLEMENTED);
    if (!id_is_v4(str(id)))
        return s3_refuse(request, S3_NO_SUCH_VERSION);
    PfsCommitRow row;
    const PfsV2__Repo *repo = bucket->target->repo;
    PfsV2__Commit *commit = pfs_commit_ref(ctx, repo->project->name, repo->name, id);
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, request->s3->config.pfs, &tx));
    Status found = pfs_pick(ctx, tx, commit, &row);
    if (found.code == STATUS_NOT_FOUND)
        return s3_refuse(request, S3_NO_SUCH_VERSION);
    TRY(found);
    bucket->commit = commit;
    bucket->version_id = arena_strdup(ctx->arena, row.set_id);
    return OK;
}

/* --- listing ---------------------------------------------------------------------------------- */

typedef struct Walk {
    PfsTx *tx;
    int64_t created_ns; /* of the repo that is walked */
    S3BucketFn fn;
    void *arg;
} Walk;

static Status give_branch(void *arg, Ctx *ctx, const PfsV2__BranchInfo *info)
{
    const Walk *walk = arg;
    const PfsV2__Repo *repo = info->branch->repo;
    return walk->fn(
        walk->arg, ctx,
        text_printf(ctx->arena, "%s.%s.%s", info->branch->name, repo->name, repo->project->name),
        walk->created_ns);
}

static Status give_repo(void *arg, Ctx *ctx, const PfsV2__RepoInfo *info)
{
    Walk *walk = arg;
    PfsV2__ListBranchRequest *list =
        PB_NEW(ctx, pfs_v2__list_branch_request, PfsV2__ListBranchRequest);
    walk->created_ns = pb_timestamp_ns(info->created);
    list->repo = info->repo;
    return pfs_list_branch(ctx, walk->tx, list, give_branch, walk);
}

static Status each_branch(S3Request *request, S3BucketFn fn, void *arg)
{
    Ctx *ctx = request->ctx;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, request->s3->config.pfs, &tx));
    PfsV2__ListRepoRequest *list = PB_NEW(ctx, pfs_v2__list_repo_request, PfsV2__ListRepoRequest);
    list->type = arena_strdup(ctx->arena, "user");
    Walk walk = { .tx = tx, .fn = fn, .arg = arg };
    return pfs_list_repo(ctx, tx, list, give_repo, &walk);
}

static Status write_bucket(void *arg, Ctx *ctx, const char *name, int64_t created_ns)
{
    Buf *xml = arg;
    (void)ctx;
    xml_open(xml, "Bucket", NULL);
    xml_text(xml, "Name", str(name));
    s3_write_time(xml, "CreationDate", created_ns);
    xml_close(xml, "Bucket");
    return OK;
}

Status s3_list_buckets(S3Request *request)
{
    CLEANUP(buf_done) Buf xml = { 0 };
    xml_begin(&xml);
    xml_open(&xml, "ListAllMyBucketsResult", S3_NAMESPACE);
    s3_write_owner(&xml, "Owner");
    xml_open(&xml, "Buckets", NULL);
    TRY(request->driver->each(request, write_bucket, &xml));
    xml_close(&xml, "Buckets");
    xml_close(&xml, "ListAllMyBucketsResult");
    return s3_answer_xml(request, 200, &xml);
}

/* --- making ----------------------------------------------------------------------------------- */

/* What pfs does not take as a name. S3 has no word for a project that is not there: that stays an
 * error of ours, as its text says what is missing. */
static Status or_bad_name(S3Request *request, Status status)
{
    if (status.code == STATUS_UNKNOWN)
        return s3_refuse(request, S3_INVALID_BUCKET_NAME);
    return status.code == STATUS_NOT_FOUND
               ? FAIL(request->ctx, UNKNOWN, "%s", status_message(status))
               : status;
}

static Status make_repo(S3Request *request, PfsTx *tx, const S3Name *name)
{
    Ctx *ctx = request->ctx;
    PfsV2__RepoInfo *info;
    PfsV2__CreateRepoRequest *create =
        PB_NEW(ctx, pfs_v2__create_repo_request, PfsV2__CreateRepoRequest);
    create->repo = pfs_repo_ref(ctx, name->project, name->repo, "user");
    Status found = pfs_inspect_repo(ctx, tx, create->repo, &info);
    if (found.code != STATUS_NOT_FOUND)
        return found;
    return or_bad_name(request, pfs_create_repo(ctx, tx, create));
}

static Status make_branch(S3Request *request, PfsTx *tx, const S3Name *name)
{
    Ctx *ctx = request->ctx;
    PfsV2__BranchInfo *info;
    PfsV2__CreateBranchRequest *create =
        PB_NEW(ctx, pfs_v2__create_branch_request, PfsV2__CreateBranchRequest);
    create->branch = pfs_branch_ref(ctx, name->project, name->repo, name->branch);
    Status found = pfs_inspect_branch(ctx, tx, create->branch, &info);
    if (status_ok(found))
        return s3_refuse(request, S3_BUCKET_EXISTS);
    if (found.code != STATUS_NOT_FOUND)
        return found;
    return or_bad_name(request, pfs_create_branch(ctx, tx, create));
}

/* The name of a branch, not of a commit: that is neither made nor removed by hand. */
static Status parse_branch(S3Request *request, S3Name *out)
{
    TRY(s3_name_parse(request->ctx, str(request->bucket), out));
    return *out->commit
               ? s3_refuse_with(request, S3_INVALID_BUCKET_NAME,
                                "A bucket that names a commit cannot be created or deleted.")
               : OK;
}

static Status create_branch(S3Request *request)
{
    Ctx *ctx = request->ctx;
    S3Name name;
    TRY(parse_branch(request, &name));
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, request->s3->config.pfs, NULL, &tx));
    TRY(make_repo(request, tx, &name));
    TRY(make_branch(request, tx, &name));
    return pfs_commit(ctx, STEAL(tx));
}

/* --- removing --------------------------------------------------------------------------------- */

static Status find_any(void *arg, Ctx *ctx, const PfsMatch *match, bool *out_done)
{
    bool *any = arg;
    (void)ctx;
    (void)match;
    *any = *out_done = true;
    return OK;
}

static Status check_is_empty(S3Request *request)
{
    S3Bucket bucket;
    PfsView view;
    bool empty, any = false;
    TRY(s3_find_bucket(request, &bucket));
    TRY(s3_open_bucket(request, &bucket, &view, &empty));
    if (!empty)
        TRY(pfs_view_prefix(request->ctx, &view, &(PfsPrefix){ .prefix = STR("/") }, find_any,
                            &any));
    return any ? s3_refuse(request, S3_BUCKET_NOT_EMPTY) : OK;
}

/* What a branch holds changes when its head or the layers of that do. */
typedef struct HeadMark {
    int64_t commit, layers;
} HeadMark;

static Status mark_head(Ctx *ctx, PfsTx *tx, const PfsV2__Branch *branch, HeadMark *out)
{
    PfsCommitRow row = { 0 };
    *out = (HeadMark){ 0 };
    TRY(pfs_branch_head(ctx, tx, branch, &out->commit));
    if (out->commit)
        TRY(pfs_commit_row(ctx, tx, out->commit, &row));
    out->layers = row.layer_count;
    return OK;
}

static Status mark_head_now(S3Request *request, const PfsV2__Branch *branch, HeadMark *out)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(request->ctx, request->s3->config.pfs, &tx));
    return mark_head(request->ctx, tx, branch, out);
}

static Status count_branch(void *arg, Ctx *ctx, const PfsV2__BranchInfo *info)
{
    size_t *n = arg;
    (void)ctx;
    (void)info;
    ++*n;
    return OK;
}

static Status remove_last(Ctx *ctx, PfsTx *tx, PfsV2__Repo *repo)
{
    size_t left = 0;
    PfsV2__ListBranchRequest *list =
        PB_NEW(ctx, pfs_v2__list_branch_request, PfsV2__ListBranchRequest);
    list->repo = repo;
    TRY(pfs_list_branch(ctx, tx, list, count_branch, &left));
    if (left)
        return OK;
    PfsV2__DeleteRepoRequest *remove =
        PB_NEW(ctx, pfs_v2__delete_repo_request, PfsV2__DeleteRepoRequest);
    bool deleted;
    remove->repo = repo;
    return pfs_delete_repo(ctx, tx, remove, &deleted);
}

/* The branch, and its repo when it was the last one. */
static Status remove_branch(S3Request *request)
{
    Ctx *ctx = request->ctx;
    S3Name name;
    HeadMark before, now;
    TRY(parse_branch(request, &name));
    PfsV2__DeleteBranchRequest *remove =
        PB_NEW(ctx, pfs_v2__delete_branch_request, PfsV2__DeleteBranchRequest);
    remove->branch = pfs_branch_ref(ctx, name.project, name.repo, name.branch);
    TRY(mark_head_now(request, remove->branch, &before));
    TRY(check_is_empty(request));
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, request->s3->config.pfs, NULL, &tx));
    TRY(mark_head(ctx, tx, remove->branch, &now));
    if (now.commit != before.commit || now.layers != before.layers) /* it may not be empty now */
        return s3_refuse(request, S3_BUCKET_NOT_EMPTY);
    TRY(or_no_bucket(request, pfs_delete_branch(ctx, tx, remove)));
    TRY(remove_last(ctx, tx, remove->branch->repo));
    return pfs_commit(ctx, STEAL(tx));
}

const S3Driver s3_branches = {
    .each = each_branch,
    .find = find_branch,
    .create = create_branch,
    .remove = remove_branch,
    .versions = true,
};

Status s3_create_bucket(S3Request *request)
{
    if (!request->driver->create)
        return s3_refuse(request, S3_NOT_IMPLEMENTED);
    TRY(request->driver->create(request));
    s3_set_header(request, "location", text_printf(request->ctx->arena, "/%s", request->bucket));
    return s3_answer_empty(request, 200);
}

Status s3_delete_bucket(S3Request *request)
{
    if (!request->driver->remove)
        return s3_refuse(request, S3_NOT_IMPLEMENTED);
    TRY(request->driver->remove(request));
    return s3_answer_empty(request, 204);
}

/* --- what there is to say of a bucket --------------------------------------------------------- */

Status s3_head_bucket(S3Request *request)
{
    S3Bucket bucket;
    TRY(s3_find_bucket(request, &bucket));
    return s3_answer_empty(request, 200);
}

Status s3_get_location(S3Request *request)
{
    S3Bucket bucket;
    TRY(s3_find_bucket(request, &bucket));
    CLEANUP(buf_done) Buf xml = { 0 };
    xml_begin(&xml);
    buf_printf(&xml, "<LocationConstraint %s>%s</LocationConstraint>", S3_NAMESPACE, S3_LOCATION);
    return s3_answer_xml(request, 200, &xml);
}

/* They are always versioned, or never. */
Status s3_put_versioning(S3Request *request)
{
    S3Bucket bucket;
    XmlNode *root;
    TRY(s3_find_bucket(request, &bucket));
    TRY(s3_body_xml(request, &root));
    Str status = xml_child_text(root, "Status");
    bool enabled = str_eq_c(status, "Enabled");
    if (!enabled && !str_eq_c(status, "Suspended"))
        return s3_refuse(request, S3_ILLEGAL_VERSIONING);
    return enabled && request->driver->versions ? s3_answer_empty(request, 200)
                                                : s3_refuse(request, S3_NOT_IMPLEMENTED);
}

Status s3_get_versioning(S3Request *request)
{
    S3Bucket bucket;
    TRY(s3_find_bucket(request, &bucket));
    CLEANUP(buf_done) Buf xml = { 0 };
    xml_begin(&xml);
    xml_open(&xml, "VersioningConfiguration", S3_NAMESPACE);
    if (request->driver->versions)
        xml_text(&xml, "Status", STR("Enabled"));
    xml_close(&xml, "VersioningConfiguration");
    return s3_answer_xml(request, 200, &xml);
}
