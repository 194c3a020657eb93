/* answer.c - documents, errors and the headers that all answers carry. */
#include "codec/moment.h"
#include "s3/s3_priv.h"

void s3_set_header(S3Request *request, const char *name, const char *value)
{
    if (*value)
        wire_http_set_header(request->http, name, value);
}

Status s3_answer_xml(S3Request *request, int http, const Buf *xml)
{
    return wire_http_answer(request->ctx, request->http, http, "application/xml", buf_bytes(xml));
}

Status s3_answer_empty(S3Request *request, int http)
{
    return wire_http_respond(request->ctx, request->http, http, 0);
}

Status s3_answer_error(S3Request *request, Status why)
{
    CLEANUP(buf_done) Buf xml = { 0 };
    S3Error error = s3_error_of(request, why);
    xml_begin(&xml);
    xml_open(&xml, "Error", NULL);
    xml_text(&xml, "Code", str(error.code));
    xml_text(&xml, "Message", str(error.message));
    xml_text(&xml, "Resource", request->raw_path);
    xml_text(&xml, "RequestId", str(request->id));
    xml_close(&xml, "Error");
    return s3_answer_xml(request, error.http, &xml);
}

void s3_write_owner(Buf *xml, const char *element)
{
    xml_open(xml, element, NULL);
    xml_text(xml, "ID", STR(S3_OWNER_ID));
    xml_text(xml, "DisplayName", STR("pachyderm"));
    xml_close(xml, element);
}

void s3_write_time(Buf *xml, const char *element, int64_t ns)
{
    char text[MOMENT_TEXT_SIZE];
    if (ns)
        moment_format_seconds(ns, text);
    else
        moment_format(MOMENT_SECONDS_MIN, 0, text);
    xml_text(xml, element, str(text));
}

const char *s3_etag(Ctx *ctx, const Hash *hash)
{
    char hex[HASH_HEX_SIZE];
    return text_printf(ctx->arena, "\"%s\"", hash_hex(hash, hex));
}

const char *s3_etag_marked(Ctx *ctx, const Hash *hash)
{
    char hex[HASH_HEX_SIZE];
    return text_printf(ctx->arena, "\"%s-1\"", hash_hex(hash, hex));
}
