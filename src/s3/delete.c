/* delete.c - DeleteObject and DeleteObjects. */
#include "codec/path.h"
#include "s3/body.h"
#include "s3/write.h"

#define OBJECTS_MAX 1000

/* Deletes the file of a key, if there is one: what is not there makes no commit. */
static Status delete_key(S3Request *request, PfsWriter *writer, const PfsView *view,
                         const char *key, bool *any)
{
    Str path;
    PfsMatch file;
    if (!view || !s3_key_path(request, key, &path))
        return OK;
    Status found = pfs_view_stat(request->ctx, view, path, &file);
    if (found.code == STATUS_NOT_FOUND || (status_ok(found) && file.is_dir))
        return OK;
    TRY(found);
    *any = true;
    return pfs_writer_delete(request->ctx, writer, path, STR(""));
}

typedef struct Deletion {
    S3Bucket bucket;
    PfsView view;
    bool empty, any;
    PfsWriter *writer;
} Deletion;

static void deletion_done(Deletion *deletion)
{
    pfs_writer_free(deletion->writer);
}

static Status deletion_begin(S3Request *request, Deletion *out)
{
    Str path;
    *out = (Deletion){ 0 };
    const char *key = request->key;
    request->key = ""; /* one that cannot be is not there */
    Status s = s3_writable(request, &out->bucket, &path);
    request->key = key;
    TRY(s);
    /* What only takes writes can still be looked at by us. */
    PfsV2__Commit *now = out->bucket.commit        ? out->bucket.commit
                         : *out->bucket.target->id ? out->bucket.target
                                                   : NULL;
    TRY(s3_open_bucket(request, &(S3Bucket){ .commit = now }, &out->view, &out->empty));
    return s3_writer_open(request, &out->bucket, &out->writer);
}

static Status deletion_add(S3Request *request, Deletion *deletion, const char *key)
{
    const PfsView *view = deletion->empty ? NULL : &deletion->view;
    return delete_key(request, deletion->writer, view, key, &deletion->any);
}

static Status deletion_end(S3Request *request, Deletion *deletion)
{
    return deletion->any ? s3_writer_commit(request, deletion->writer) : OK;
}

Status s3_delete_object(S3Request *request)
{
    CLEANUP(deletion_done) Deletion deletion = { 0 };
    if (s3_param(request, "versionId"))
        return s3_refuse(request, S3_NOT_IMPLEMENTED);
    TRY(deletion_begin(request, &deletion));
    TRY(deletion_add(request, &deletion, request->key));
    TRY(deletion_end(request, &deletion));
    return s3_answer_empty(request, 204);
}

/* --- many ------------------------------------------------------------------------------------- */

static void write_outcome(S3Request *request, Buf *xml, const char *key, Status outcome, bool quiet)
{
    if (status_ok(outcome) && quiet)
        return;
    xml_open(xml, status_ok(outcome) ? "Deleted" : "Error", NULL);
    xml_text(xml, "Key", str(key));
    if (!status_ok(outcome)) {
        S3Error error = s3_error_of(request, outcome);
        xml_text(xml, "Code", str(error.code));
        xml_text(xml, "Message", str(error.message));
        request->error = (S3Error){ 0 };
    }
    xml_close(xml, status_ok(outcome) ? "Deleted" : "Error");
}

static Status delete_one(S3Request *request, Deletion *deletion, const XmlNode *object,
                         const char *key)
{
    if (xml_child_text(object, "VersionId").size)
        return s3_refuse(request, S3_NOT_IMPLEMENTED);
    return deletion_add(request, deletion, key);
}

static Status delete_all(S3Request *request, Deletion *deletion, const XmlNode *root, Buf *xml)
{
    size_t n = 0;
    bool quiet = str_eq_c(xml_child_text(root, "Quiet"), "true");
    for (const XmlNode *object = root->first; object; object = object->next) {
        if (strcmp(object->name, "Object") != 0)
            continue;
        Str key = xml_child_text(object, "Key");
        if (!key.size || ++n > OBJECTS_MAX)
            return s3_refuse(request, S3_MALFORMED_XML);
        const char *text = str_z(request->ctx->arena, key);
        write_outcome(request, xml, text, delete_one(request, deletion, object, text), quiet);
    }
    return n ? OK : s3_refuse(request, S3_MALFORMED_XML);
}

/* All at once, or none: one commit. */
Status s3_delete_objects(S3Request *request)
{
    CLEANUP(deletion_done) Deletion deletion = { 0 };
    CLEANUP(buf_done) Buf xml = { 0 };
    XmlNode *root;
    TRY(s3_body_xml(request, &root));
    TRY(deletion_begin(request, &deletion));
    xml_begin(&xml);
    xml_open(&xml, "DeleteResult", S3_NAMESPACE);
    TRY(delete_all(request, &deletion, root, &xml));
    TRY(deletion_end(request, &deletion));
    xml_close(&xml, "DeleteResult");
    return s3_answer_xml(request, 200, &xml);
}
