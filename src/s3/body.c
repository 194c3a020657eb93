/* body.c - see body.h. */
#include "s3/body.h"

#include <stdlib.h>

#include "codec/base64.h"

/* --- what the headers say --------------------------------------------------------------------- */

static Status add_check(S3Body *body, const BodyCheck *check)
{
    if (body->check_count == BODY_CHECKS_MAX)
        return s3_refuse(body->request, S3_INVALID_REQUEST);
    BodyCheck *added = &body->checks[body->check_count++];
    *added = *check;
    added->digest = digest_new(check->kind);
    return OK;
}

static bool decode_digest(Ctx *ctx, const char *text, DigestKind kind, uint8_t *out)
{
    Bytes value;
    if (!base64_decode(ctx, str(text), &value) || value.size != digest_size(kind))
        return false;
    memcpy(out, value.data, value.size);
    return true;
}

static Status expect_md5(S3Body *body)
{
    S3Request *request = body->request;
    BodyCheck check = { .kind = DIGEST_MD5, .error = S3_BAD_DIGEST };
    const char *value = wire_http_header(request->http, "content-md5", 0);
    if (!value)
        return OK;
    if (!decode_digest(request->ctx, value, check.kind, check.wanted))
        return s3_refuse(request, S3_INVALID_DIGEST);
    return add_check(body, &check);
}

static Status expect_payload_hash(S3Body *body)
{
    BodyCheck check = { .kind = DIGEST_SHA256, .error = S3_SHA256_MISMATCH };
    Str value = str(s3_header(body->request, "x-amz-content-sha256"));
    return hex_decode(value, check.wanted, 32) ? add_check(body, &check) : OK;
}

#define CHECKSUM STR("x-amz-checksum-")

static Status expect_checksum(S3Body *body, Str name, const char *value)
{
    S3Request *request = body->request;
    BodyCheck check = { .error = S3_BAD_DIGEST };
    if (!str_starts(name, CHECKSUM) ||
        !digest_kind_of(str_sub(name, CHECKSUM.size, name.size), &check.kind))
        return OK; /* "x-amz-checksum-algorithm", "-type", and what comes after our time */
    if (!value)
        check.trailer = str_z(request->ctx->arena, name);
    else if (!decode_digest(request->ctx, value, check.kind, check.wanted))
        return s3_refuse_with(request, S3_INVALID_REQUEST,
                              "Value for " STR_FMT " header is invalid.", STR_ARG(name));
    return add_check(body, &check);
}

static Status expect_checksums(S3Body *body)
{
    const WireHttp *http = body->request->http;
    const char *name, *value;
    for (size_t i = 0; wire_http_header_at(http, i, &name, &value); i++)
        TRY(expect_checksum(body, str(name), value));
    return body->chunked
               ? expect_checksum(body, str(s3_header(body->request, "x-amz-trailer")), NULL)
               : OK;
}

static const struct {
    const char *payload;
    bool is_signed;
} framings[] = {
    { "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", true },
    { "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", true },
    { "STREAMING-UNSIGNED-PAYLOAD-TRAILER", false },
};

static Status find_framing(S3Body *body)
{
    S3Request *request = body->request;
    const char *payload = s3_header(request, "x-amz-content-sha256");
    body->size = wire_http_body_size(request->http);
    if (!str_starts(str(payload), STR("STREAMING-")))
        return OK;
    for (size_t i = 0; i < ARRAY_LEN(framings) && !body->chunked; i++) {
        body->chunked = strcmp(payload, framings[i].payload) == 0;
        body->is_signed = framings[i].is_signed;
    }
    if (!body->chunked)
        return s3_refuse(request, S3_NOT_IMPLEMENTED);
    if (body->is_signed && !request->signer.known)
        return s3_refuse(request, S3_SIGNATURE_MISMATCH);
    body->chunk_digest = body->is_signed ? digest_new(DIGEST_SHA256) : NULL;
    const char *size = s3_header(request, "x-amz-decoded-content-length");
    body->size = -1;
    if (*size && (!str_to_i64(str(size), &body->size) || body->size < 0))
        return s3_refuse(request, S3_INVALID_ARGUMENT);
    return OK;
}

Status s3_body_begin(S3Request *request, bool needs_size, S3Body *out)
{
    *out = (S3Body){ .request = request };
    TRY(find_framing(out));
    if (needs_size && out->size < 0)
        return s3_refuse(request, S3_MISSING_CONTENT_LENGTH);
    /* No length beside no framing is an empty body; the size of a PUT must be said. */
    if (needs_size && !out->chunked && !*s3_header(request, "content-length"))
        return s3_refuse(request, S3_MISSING_CONTENT_LENGTH);
    TRY(expect_md5(out));
    TRY(expect_payload_hash(out));
    TRY(expect_checksums(out));
    out->piece = malloc(BODY_PIECE_BYTES);
    return out->piece ? OK : STATUS(RESOURCE_EXHAUSTED);
}

void s3_body_done(S3Body *body)
{
    for (size_t i = 0; i < body->check_count; i++)
        digest_free(body->checks[i].digest);
    digest_free(body->chunk_digest);
    chunks_done(&body->chunks);
    free(body->piece);
}

/* --- reading ---------------------------------------------------------------------------------- */

static Status refill(S3Body *body)
{
    size_t size;
    TRY(wire_http_read(body->request->ctx, body->request->http, body->piece, BODY_PIECE_BYTES,
                       &size));
    body->rest = bytes(body->piece, size);
    return OK;
}

static Status check_chunk(S3Body *body)
{
    uint8_t digest[DIGEST_BYTES_MAX];
    char hex[SIGN_HEX_SIZE];
    S3Request *request = body->request;
    if (!body->is_signed)
        return OK;
    digest_finish(body->chunk_digest, digest);
    hex_encode(digest, 32, hex);
    sign_v4_chunk(request->ctx, &request->signer, hex);
    return sign_equal(str(body->chunks.signature), str(request->signer.previous))
               ? OK
               : s3_refuse(request, S3_SIGNATURE_MISMATCH);
}

static Status check_trailers(S3Body *body)
{
    S3Request *request = body->request;
    if (!body->is_signed || !body->chunks.trailers.size)
        return OK;
    sign_v4_trailer(request->ctx, &request->signer, buf_bytes(&body->chunks.trailers));
    return sign_equal(str(body->chunks.trailer_signature), str(request->signer.previous))
               ? OK
               : s3_refuse(request, S3_SIGNATURE_MISMATCH);
}

/* Nothing may stand behind the trailers. */
static Status check_end(S3Body *body)
{
    if (!body->rest.size)
        TRY(refill(body));
    return body->rest.size ? s3_refuse(body->request, S3_SIGNATURE_MISMATCH) : check_trailers(body);
}

/* The next run out of its chunks; empty at the end. */
static Status read_chunked(S3Body *body, Bytes *out)
{
    for (;;) {
        switch (chunks_next(&body->chunks, &body->rest, out)) {
        case CHUNKS_DATA:
            if (body->is_signed)
                digest_add(body->chunk_digest, *out);
            return OK;
        case CHUNKS_CHUNK:
            TRY(check_chunk(body));
            break;
        case CHUNKS_OVER:
            return check_end(body);
        case CHUNKS_MORE:
            TRY(refill(body));
            if (!body->rest.size)
                return s3_refuse(body->request, S3_INCOMPLETE_BODY);
            break;
        case CHUNKS_BAD:
        default:
            return s3_refuse(body->request, S3_SIGNATURE_MISMATCH);
        }
    }
}

static Status check_digest(S3Body *body, BodyCheck *check)
{
    S3Request *request = body->request;
    uint8_t digest[DIGEST_BYTES_MAX];
    digest_finish(check->digest, digest);
    if (check->trailer) {
        const char *value = chunks_trailer(&body->chunks, request->ctx->arena, check->trailer);
        if (!value || !decode_digest(request->ctx, value, check->kind, check->wanted))
            return s3_refuse_with(request, S3_INVALID_REQUEST, "Value for %s trailer is invalid.",
                                  check->trailer);
    }
    if (memcmp(digest, check->wanted, digest_size(check->kind)) == 0)
        return OK;
    if (check->error == S3_BAD_DIGEST && check->kind != DIGEST_MD5)
        return s3_refuse_with(request, S3_BAD_DIGEST,
                              "The %s you specified did not match the calculated checksum.",
                              digest_name(check->kind));
    return s3_refuse(request, check->error);
}

static Status end(S3Body *body)
{
    body->over = true;
    if (body->size >= 0 && body->taken != (uint64_t)body->size)
        return s3_refuse(body->request, S3_INCOMPLETE_BODY);
    for (size_t i = 0; i < body->check_count; i++)
        TRY(check_digest(body, &body->checks[i]));
    return OK;
}

Status s3_body_read(S3Body *body, Bytes *out)
{
    *out = (Bytes){ 0 };
    if (body->over)
        return OK;
    if (body->chunked) {
        TRY(read_chunked(body, out));
    } else {
        TRY(refill(body));
        *out = body->rest;
    }
    if (!out->size)
        return end(body);
    body->taken += out->size;
    for (size_t i = 0; i < body->check_count; i++)
        digest_add(body->checks[i].digest, *out);
    return OK;
}

static Status read_all(S3Body *body, size_t size_max, Buf *out)
{
    for (;;) {
        Bytes piece;
        TRY(s3_body_read(body, &piece));
        if (!piece.size)
            return OK;
        if (out->size + piece.size > size_max)
            return s3_refuse(body->request, S3_ENTITY_TOO_LARGE);
        buf_add_bytes(out, piece);
    }
}

Status s3_body_all(S3Request *request, size_t size_max, Buf *out)
{
    CLEANUP(s3_body_done) S3Body body;
    TRY(s3_body_begin(request, false, &body));
    return read_all(&body, size_max, out);
}

#define XML_BYTES_MAX (4 * MiB)

Status s3_body_xml(S3Request *request, XmlNode **out)
{
    CLEANUP(buf_done) Buf text = { 0 };
    TRY(s3_body_all(request, XML_BYTES_MAX, &text));
    return status_ok(xml_parse(request->ctx, buf_bytes(&text), out))
               ? OK
               : s3_refuse(request, S3_MALFORMED_XML);
}
