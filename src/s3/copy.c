/* copy.c - CopyObject: records move, bytes stay. */
#include "base/id.h"
#include "codec/percent.h"
#include "s3/condition.h"
#include "s3/write.h"

/* "[/]bucket/key[?versionId=…]", percent-encoded. */
static Status parse_source(S3Request *request, S3Source *out, Str *out_version)
{
    Ctx *ctx = request->ctx;
    Str text = str(s3_header(request, "x-amz-copy-source")), plain;
    Str query = STR("?versionId=");
    size_t mark = str_find(text, '?');
    *out_version = str_sub(text, mark, text.size);
    if (out_version->size && !str_starts(*out_version, query))
        return s3_refuse(request, S3_INVALID_ARGUMENT);
    *out_version = str_sub(*out_version, query.size, out_version->size);
    if (!percent_decode(ctx, str_sub(text, 0, mark), false, &plain))
        return s3_refuse(request, S3_INVALID_ARGUMENT);
    if (str_starts(plain, STR("/")))
        plain = str_sub(plain, 1, plain.size);
    size_t slash = str_find(plain, '/');
    out->bucket = str_z(ctx->arena, str_sub(plain, 0, slash));
    out->key = str_z(ctx->arena, str_sub(plain, slash + 1, plain.size));
    if (!*out->bucket)
        return s3_refuse(request, S3_INVALID_BUCKET_NAME);
    return *out->key ? OK : s3_refuse(request, S3_NO_SUCH_KEY);
}

static Status judge_source(S3Request *request, const S3Source *source)
{
    char hex[HASH_HEX_SIZE];
    const S3Conditions conditions = {
        .if_match = s3_header(request, "x-amz-copy-source-if-match"),
        .if_none_match = s3_header(request, "x-amz-copy-source-if-none-match"),
        .if_modified_since = s3_header(request, "x-amz-copy-source-if-modified-since"),
        .if_unmodified_since = s3_header(request, "x-amz-copy-source-if-unmodified-since"),
    };
    S3Verdict verdict = s3_judge(&conditions, hash_hex(&source->file.hash, hex),
                                 source->view.committed_ns / NS_PER_SEC);
    return verdict == S3_GO_ON ? OK : s3_refuse(request, S3_PRECONDITION_FAILED);
}

Status s3_find_source(S3Request *request, S3Source *out)
{
    S3Bucket bucket;
    Str version;
    bool empty;
    *out = (S3Source){ 0 };
    TRY(parse_source(request, out, &version));
    TRY(request->driver->find(request, out->bucket, &bucket));
    TRY(s3_pick_version(request, &bucket, version.size ? version.data : ""));
    TRY(s3_open_bucket(request, &bucket, &out->view, &empty));
    if (empty || !s3_key_path(request, out->key, &out->path))
        return s3_refuse(request, S3_NO_SUCH_KEY);
    Status found = pfs_view_stat(request->ctx, &out->view, out->path, &out->file);
    if (found.code == STATUS_NOT_FOUND || (status_ok(found) && out->file.is_dir))
        return s3_refuse(request, S3_NO_SUCH_KEY);
    TRY(found);
    out->version_id = bucket.version_id;
    return judge_source(request, out);
}

static bool is_itself(const S3Request *request, const S3Source *source)
{
    return strcmp(source->bucket, request->bucket) == 0 && strcmp(source->key, request->key) == 0 &&
           !*source->version_id;
}

Status s3_copy_object(S3Request *request)
{
    S3Source source;
    S3Bucket bucket;
    Str path;
    CLEANUP(pfs_writer_freep) PfsWriter *writer = NULL;
    CLEANUP(buf_done) Buf xml = { 0 };
    TRY(s3_writable(request, &bucket, &path));
    TRY(s3_find_source(request, &source));
    if (is_itself(request, &source))
        return s3_refuse_with(request, S3_INVALID_REQUEST, "source and destination are the same");
    TRY(s3_writer_open(request, &bucket, &writer));
    TRY(pfs_writer_copy(request->ctx, writer, path, STR(""), &source.view, source.path, false));
    TRY(s3_writer_commit(request, writer));
    s3_set_header(request, "x-amz-copy-source-version-id", source.version_id);
    xml_begin(&xml);
    xml_open(&xml, "CopyObjectResult", S3_NAMESPACE);
    s3_write_time(&xml, "LastModified", source.view.committed_ns);
    xml_text(&xml, "ETag", str(s3_etag(request->ctx, &source.file.hash)));
    xml_close(&xml, "CopyObjectResult");
    return s3_answer_xml(request, 200, &xml);
}
