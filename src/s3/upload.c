/* upload.c - objects in parts: create, upload, list, complete, abort. */
#include "pfs/upload.h"

#include "s3/body.h"
#include "s3/condition.h"
#include "s3/write.h"

#define PART_NUMBER_MAX    10000
#define PART_BYTES_MIN     ((int64_t)(5 * MiB)) /* of all but the last */
#define PARTS_LISTED_MAX   1000
#define UPLOADS_LISTED_MAX 1000

typedef struct Upload {
    S3Request *request;
    Pfs *pfs;
    S3Bucket bucket;
    Str path;
    PfsUpload row;
} Upload;

const char *s3_place_of(Ctx *ctx, const PfsV2__Commit *target)
{
    const char *branch = target->branch ? target->branch->name : "";
    return text_printf(ctx->arena, "%s@%s=%s", pfs_repo_text(ctx, target->repo), branch,
                       target->id);
}

static const char *place_of(const Upload *upload)
{
    return s3_place_of(upload->request->ctx, upload->bucket.target);
}

static Status or_no_upload(S3Request *request, Status status)
{
    return status.code == STATUS_NOT_FOUND ? s3_refuse(request, S3_NO_SUCH_UPLOAD) : status;
}

static Status begin(S3Request *request, Upload *out)
{
    *out = (Upload){ .request = request, .pfs = request->s3->config.pfs };
    return s3_writable(request, &out->bucket, &out->path);
}

static Status find(S3Request *request, Upload *out)
{
    TRY(begin(request, out));
    return or_no_upload(request,
                        pfs_upload_find(request->ctx, out->pfs, place_of(out), request->key,
                                        s3_param(request, "uploadId"), &out->row));
}

static void write_names(const Upload *upload, Buf *xml, const char *id)
{
    xml_text(xml, "Bucket", str(upload->request->bucket));
    xml_text(xml, "Key", str(upload->request->key));
    xml_text(xml, "UploadId", str(id));
}

/* --- create, abort ---------------------------------------------------------------------------- */

Status s3_create_upload(S3Request *request)
{
    Upload upload;
    const char *id;
    CLEANUP(buf_done) Buf xml = { 0 };
    TRY(begin(request, &upload));
    TRY(pfs_upload_create(request->ctx, upload.pfs, place_of(&upload), request->key, &id));
    xml_begin(&xml);
    xml_open(&xml, "InitiateMultipartUploadResult", S3_NAMESPACE);
    write_names(&upload, &xml, id);
    xml_close(&xml, "InitiateMultipartUploadResult");
    return s3_answer_xml(request, 200, &xml);
}

Status s3_abort_upload(S3Request *request)
{
    Upload upload;
    TRY(find(request, &upload));
    TRY(or_no_upload(request, pfs_upload_delete(request->ctx, upload.pfs, place_of(&upload),
                                                request->key, upload.row.id)));
    return s3_answer_empty(request, 204);
}

/* --- parts ------------------------------------------------------------------------------------ */

static Status read_part_number(S3Request *request, int64_t *out)
{
    const char *text = s3_param(request, "partNumber");
    if (!text || !str_to_i64(str(text), out) || *out < 0 || *out > PART_NUMBER_MAX)
        return s3_refuse(request, S3_INVALID_ARGUMENT);
    return OK;
}

Status s3_upload_part(S3Request *request)
{
    Upload upload;
    int64_t number;
    Hash hash;
    PfsUploadPart part;
    TRY(find(request, &upload));
    TRY(read_part_number(request, &number));
    CLEANUP(pfs_writer_freep) PfsWriter *writer = pfs_writer_new(upload.pfs);
    TRY(s3_take_body(request, writer, PFS_UPLOAD_PATH, &hash));
    TRY(or_no_upload(
        request, pfs_upload_part(request->ctx, upload.pfs, upload.row.id, number, writer, &part)));
    s3_set_header(request, "etag", s3_etag_marked(request->ctx, &part.hash));
    return s3_answer_empty(request, 200);
}

/* "bytes=a-b" of the source; all of it when there is none. */
static Status read_source_range(S3Request *request, const S3Source *source, S3Range *out)
{
    S3Range ranges[S3_RANGES_MAX];
    size_t n;
    Str header = str(s3_header(request, "x-amz-copy-source-range"));
    *out = (S3Range){ 0, source->file.size };
    if (!header.size)
        return OK;
    if (s3_ranges(header, source->file.size, ranges, &n) != S3_PART || n != 1)
        return s3_refuse(request, S3_INVALID_ARGUMENT);
    *out = ranges[0];
    return OK;
}

static Status append_piece(void *arg, Ctx *ctx, Bytes piece)
{
    return pfs_writer_append(ctx, arg, PFS_UPLOAD_PATH, STR(""), piece);
}

/* A whole file moves as its record; of a part of one, the bytes are cut anew. */
static Status copy_source(S3Request *request, const S3Source *source, PfsWriter *writer)
{
    S3Range range;
    TRY(read_source_range(request, source, &range));
    if (range.size == source->file.size)
        return pfs_writer_copy(request->ctx, writer, PFS_UPLOAD_PATH, STR(""), &source->view,
                               source->path, false);
    TRY(pfs_writer_put(request->ctx, writer, PFS_UPLOAD_PATH, STR(""), (Bytes){ 0 }));
    return pfs_view_read(request->ctx, &source->view, source->path, range.from, range.size,
                         append_piece, writer);
}

Status s3_copy_part(S3Request *request)
{
    Upload upload;
    S3Source source;
    int64_t number;
    PfsUploadPart part;
    CLEANUP(buf_done) Buf xml = { 0 };
    TRY(find(request, &upload));
    TRY(read_part_number(request, &number));
    TRY(s3_find_source(request, &source));
    CLEANUP(pfs_writer_freep) PfsWriter *writer = pfs_writer_new(upload.pfs);
    TRY(copy_source(request, &source, writer));
    TRY(or_no_upload(
        request, pfs_upload_part(request->ctx, upload.pfs, upload.row.id, number, writer, &part)));
    xml_begin(&xml);
    xml_open(&xml, "CopyPartResult", S3_NAMESPACE);
    s3_write_time(&xml, "LastModified", part.written_ns);
    xml_text(&xml, "ETag", str(s3_etag_marked(request->ctx, &part.hash)));
    xml_close(&xml, "CopyPartResult");
    return s3_answer_xml(request, 200, &xml);
}

static void write_part(Ctx *ctx, Buf *xml, const PfsUploadPart *part)
{
    xml_open(xml, "Part", NULL);
    xml_number(xml, "PartNumber", part->number);
    s3_write_time(xml, "LastModified", part->written_ns);
    xml_text(xml, "ETag", str(s3_etag_marked(ctx, &part->hash)));
    xml_number(xml, "Size", part->size_bytes);
    xml_close(xml, "Part");
}

Status s3_list_parts(S3Request *request)
{
    Upload upload;
    PfsUploadPart *parts;
    size_t n;
    int64_t max, after;
    CLEANUP(buf_done) Buf xml = { 0 };
    TRY(find(request, &upload));
    TRY(s3_number_param(request, "max-parts", 0, PARTS_LISTED_MAX, PARTS_LISTED_MAX, &max));
    TRY(s3_number_param(request, "part-number-marker", 0, PART_NUMBER_MAX, -1, &after));
    TRY(pfs_upload_parts(request->ctx, upload.pfs, upload.row.id, after, (size_t)max + 1, &parts,
                         &n));
    size_t given = MIN(n, (size_t)max);
    xml_begin(&xml);
    xml_open(&xml, "ListPartsResult", S3_NAMESPACE);
    write_names(&upload, &xml, upload.row.id);
    s3_write_owner(&xml, "Initiator");
    s3_write_owner(&xml, "Owner");
    xml_text(&xml, "StorageClass", STR("STANDARD"));
    xml_number(&xml, "PartNumberMarker", MAX(after, 0));
    xml_number(&xml, "NextPartNumberMarker", given ? parts[given - 1].number : 0);
    xml_number(&xml, "MaxParts", max);
    xml_text(&xml, "IsTruncated", str(n > given && max ? "true" : "false"));
    for (size_t i = 0; i < given; i++)
        write_part(request->ctx, &xml, &parts[i]);
    xml_close(&xml, "ListPartsResult");
    return s3_answer_xml(request, 200, &xml);
}

/* --- uploads of a bucket ---------------------------------------------------------------------- */

static void write_upload(Buf *xml, const PfsUpload *row)
{
    xml_open(xml, "Upload", NULL);
    xml_text(xml, "Key", str(row->key));
    xml_text(xml, "UploadId", str(row->id));
    s3_write_owner(xml, "Initiator");
    s3_write_owner(xml, "Owner");
    xml_text(xml, "StorageClass", STR("STANDARD"));
    s3_write_time(xml, "Initiated", row->created_ns);
    xml_close(xml, "Upload");
}

Status s3_list_uploads(S3Request *request)
{
    Upload upload;
    PfsUpload *rows;
    size_t n;
    int64_t max;
    CLEANUP(buf_done) Buf xml = { 0 };
    const char *key_marker = s3_text_param(request, "key-marker");
    const char *id_marker = s3_text_param(request, "upload-id-marker");
    const char *prefix = s3_text_param(request, "prefix");
    TRY(begin(request, &upload));
    TRY(s3_number_param(request, "max-uploads", 0, UPLOADS_LISTED_MAX, UPLOADS_LISTED_MAX, &max));
    TRY(pfs_upload_list(request->ctx, upload.pfs, place_of(&upload), prefix, key_marker, id_marker,
                        (size_t)max + 1, &rows, &n));
    size_t given = MIN(n, (size_t)max);
    bool truncated = n > given && max;
    xml_begin(&xml);
    xml_open(&xml, "ListMultipartUploadsResult", S3_NAMESPACE);
    xml_text(&xml, "Bucket", str(request->bucket));
    xml_text(&xml, "KeyMarker", str(key_marker));
    xml_text(&xml, "UploadIdMarker", str(id_marker));
    xml_text(&xml, "NextKeyMarker", str(truncated ? rows[given - 1].key : ""));
    xml_text(&xml, "NextUploadIdMarker", str(truncated ? rows[given - 1].id : ""));
    xml_text(&xml, "Prefix", str(prefix));
    xml_number(&xml, "MaxUploads", max);
    xml_text(&xml, "IsTruncated", str(truncated ? "true" : "false"));
    for (size_t i = 0; i < given; i++)
        write_upload(&xml, &rows[i]);
    xml_close(&xml, "ListMultipartUploadsResult");
    return s3_answer_xml(request, 200, &xml);
}

/* --- complete --------------------------------------------------------------------------------- */

/* The stored part of this number; parts[n] are in order. */
static const PfsUploadPart *find_part(const PfsUploadPart *parts, size_t n, int64_t number)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (parts[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && parts[low].number == number ? &parts[low] : NULL;
}

/* The parts that the client names, in its order, which must be ascending. */
static Status choose_parts(S3Request *request, const XmlNode *root, const PfsUploadPart *stored,
                           size_t stored_n, PfsUploadPart *out, size_t *out_n)
{
    int64_t number, last = -1;
    *out_n = 0;
    for (const XmlNode *node = root->first; node; node = node->next) {
        if (strcmp(node->name, "Part") != 0)
            continue;
        if (!str_to_i64(xml_child_text(node, "PartNumber"), &number))
            return s3_refuse(request, S3_MALFORMED_XML);
        if (number <= last)
            return s3_refuse(request, S3_INVALID_PART_ORDER);
        const PfsUploadPart *part = find_part(stored, stored_n, number);
        if (!part)
            return s3_refuse(request, S3_INVALID_PART);
        out[(*out_n)++] = *part;
        last = number;
    }
    return *out_n ? OK : s3_refuse(request, S3_INVALID_PART_ORDER);
}

static Status check_sizes(S3Request *request, const PfsUploadPart *parts, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++) {
        if (parts[i].size_bytes < PART_BYTES_MIN)
            return s3_refuse(request, S3_ENTITY_TOO_SMALL);
    }
    return OK;
}

static Status commit_parts(Upload *upload, const PfsUploadPart *parts, size_t n, Hash *out_hash)
{
    S3Request *request = upload->request;
    CLEANUP(pfs_writer_freep) PfsWriter *writer = NULL;
    TRY(s3_writer_open(request, &upload->bucket, &writer));
    TRY(pfs_upload_put(request->ctx, upload->pfs, writer, upload->path, parts, n, out_hash));
    return s3_writer_commit(request, writer);
}

/* Should we end in between, the file is there and so is the upload: completing it again does no
 * harm. Who aborted it meanwhile came too late. */
static Status forget_upload(Upload *upload)
{
    Status s = pfs_upload_delete(upload->request->ctx, upload->pfs, place_of(upload),
                                 upload->request->key, upload->row.id);
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

Status s3_complete_upload(S3Request *request)
{
    Upload upload;
    XmlNode *root;
    PfsUploadPart *stored;
    size_t stored_n, n;
    Hash hash;
    CLEANUP(buf_done) Buf xml = { 0 };
    TRY(find(request, &upload));
    TRY(s3_body_xml(request, &root));
    TRY(pfs_upload_parts(request->ctx, upload.pfs, upload.row.id, -1, PART_NUMBER_MAX + 1, &stored,
                         &stored_n));
    PfsUploadPart *parts = ARENA_NEW(request->ctx->arena, PfsUploadPart, stored_n + 1);
    if (!parts)
        return STATUS(RESOURCE_EXHAUSTED);
    TRY(choose_parts(request, root, stored, stored_n, parts, &n));
    TRY(check_sizes(request, parts, n));
    TRY(commit_parts(&upload, parts, n, &hash));
    TRY(forget_upload(&upload));
    xml_begin(&xml);
    xml_open(&xml, "CompleteMultipartUploadResult", S3_NAMESPACE);
    xml_text(&xml, "Location", STR(S3_LOCATION));
    xml_text(&xml, "Bucket", str(request->bucket));
    xml_text(&xml, "Key", str(request->key));
    xml_text(&xml, "ETag", str(s3_etag(request->ctx, &hash)));
    xml_close(&xml, "CompleteMultipartUploadResult");
    return s3_answer_xml(request, 200, &xml);
}
