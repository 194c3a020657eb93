/* put.c - PutObject, and how all writes find where they go. */
#include "codec/path.h"
#include "s3/body.h"
#include "s3/write.h"

Status s3_writable(S3Request *request, S3Bucket *out_bucket, Str *out_path)
{
    TRY(s3_find_bucket(request, out_bucket));
    if (!out_bucket->target)
        return s3_refuse(request, S3_NOT_IMPLEMENTED);
    if (out_bucket->is_output)
        return s3_refuse(request, S3_WRITE_TO_OUTPUT);
    *out_path = STR("");
    if (!*request->key)
        return OK;
    if (!s3_key_path(request, request->key, out_path) ||
        !status_ok(path_validate(request->ctx, *out_path)))
        return s3_refuse(request, S3_INVALID_FILE_PATH);
    return OK;
}

Status s3_writer_open(S3Request *request, const S3Bucket *bucket, PfsWriter **out)
{
    CLEANUP(pfs_writer_freep) PfsWriter *writer = pfs_writer_new(request->s3->config.pfs);
    TRY(pfs_writer_target(request->ctx, writer, bucket->target));
    pfs_writer_be_strict(writer);
    *out = STEAL(writer);
    return OK;
}

Status s3_writer_commit(S3Request *request, PfsWriter *writer)
{
    Status s = pfs_writer_commit(request->ctx, writer);
    if (s.code == STATUS_FAILED_PRECONDITION)
        return s3_refuse(request, S3_INVALID_PARENT_PATH);
    /* The branch became one while the body came. */
    if (strstr(status_message(s), "cannot start a commit on an output branch"))
        return s3_refuse(request, S3_WRITE_TO_OUTPUT);
    TRY(s);
    if (request->driver->versions)
        s3_set_header(request, "x-amz-version-id", pfs_writer_commit_id(writer));
    return OK;
}

/* Conditions on what is there already are not checked; to act as if they held would lose data. */
static Status refuse_conditions(S3Request *request)
{
    bool any = *s3_header(request, "if-match") || *s3_header(request, "if-none-match");
    return any ? s3_refuse(request, S3_NOT_IMPLEMENTED) : OK;
}

Status s3_take_body(S3Request *request, PfsWriter *writer, Str path, Hash *out)
{
    Ctx *ctx = request->ctx;
    CLEANUP(s3_body_done) S3Body body;
    TRY(s3_body_begin(request, true, &body));
    TRY(pfs_writer_put(ctx, writer, path, STR(""), (Bytes){ 0 }));
    for (;;) {
        Bytes piece;
        TRY(s3_body_read(&body, &piece));
        if (!piece.size)
            break;
        TRY(pfs_writer_append(ctx, writer, path, STR(""), piece));
    }
    return pfs_writer_end_put(ctx, writer, out);
}

/* s3cmd, which is known by this header, takes an ETag without a '-' for an MD5 of what it sent, and
 * sends it again and again. */
static const char *etag_for(const S3Request *request, const Hash *hash)
{
    bool is_s3cmd = *s3_header(request, "x-amz-meta-s3cmd-attrs");
    return is_s3cmd ? s3_etag_marked(request->ctx, hash) : s3_etag(request->ctx, hash);
}

Status s3_put_object(S3Request *request)
{
    S3Bucket bucket;
    Str path;
    Hash hash;
    CLEANUP(pfs_writer_freep) PfsWriter *writer = NULL;
    TRY(refuse_conditions(request));
    TRY(s3_writable(request, &bucket, &path));
    TRY(s3_writer_open(request, &bucket, &writer));
    TRY(s3_take_body(request, writer, path, &hash));
    TRY(s3_writer_commit(request, writer));
    s3_set_header(request, "etag", etag_for(request, &hash));
    return s3_answer_empty(request, 200);
}
