/* sign_v4.c - AWS Signature Version 4: of requests in a header or their query, and of chunks.
 *
 *   key        HMAC over "AWS4" + secret, by date, region, service, "aws4_request"
 *   to sign    algorithm, time, scope, SHA-256 of the canonical request
 */
#include <ctype.h>
#include <stdlib.h>

#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "base/text.h"
#include "codec/percent.h"
#include "s3/sign.h"

#define ALGORITHM     "AWS4-HMAC-SHA256"
#define EMPTY_SHA_256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void hmac(const void *key, size_t key_size, Str text, uint8_t out[32])
{
    HMAC(EVP_sha256(), key, (int)key_size, (const uint8_t *)text.data, text.size, out, NULL);
}

void sign_sha256_hex(Bytes data, char out[SIGN_HEX_SIZE])
{
    uint8_t digest[32];
    SHA256(data.data, data.size, digest);
    hex_encode(digest, sizeof(digest), out);
}

/* --- what the request says -------------------------------------------------------------------- */

/* "<key>/<date>/<region>/<service>/aws4_request"; the key may hold slashes. */
static bool parse_credential(Str text, SignV4 *out)
{
    Str parts[5];
    for (size_t i = 5; i-- > 1;) {
        size_t slash = text.size;
        while (slash > 0 && text.data[slash - 1] != '/')
            slash--;
        if (!slash)
            return false;
        parts[i] = str_sub(text, slash, text.size);
        text = str_sub(text, 0, slash - 1);
    }
    out->access_key = text;
    out->date = parts[1];
    out->region = parts[2];
    out->service = parts[3];
    return text.size && parts[1].size == 8 && str_eq_c(parts[4], "aws4_request");
}

static bool is_hex_64(Str text)
{
    uint8_t digest[32];
    return hex_decode(text, digest, sizeof(digest));
}

/* Takes "<name>=<value>" and what separates it from the next off *text. */
static bool take_field(Str *text, Str name, Str *out)
{
    while (text->size && strchr(" ,", text->data[0]))
        *text = str_sub(*text, 1, text->size);
    if (!str_starts(*text, name))
        return false;
    *text = str_sub(*text, name.size, text->size);
    *out = str_sub(*text, 0, str_find_any(*text, ", "));
    *text = str_sub(*text, out->size, text->size);
    return out->size > 0;
}

bool sign_v4_parse(Str authorization, SignV4 *out)
{
    Str credential, prefix = STR(ALGORITHM " ");
    *out = (SignV4){ 0 };
    if (!str_starts(authorization, prefix))
        return false;
    Str text = str_sub(authorization, prefix.size, authorization.size);
    return take_field(&text, STR("Credential="), &credential) &&
           take_field(&text, STR("SignedHeaders="), &out->signed_headers) &&
           take_field(&text, STR("Signature="), &out->signature) && !text.size &&
           is_hex_64(out->signature) && parse_credential(credential, out);
}

const char *sign_param(const S3Params *query, const char *name)
{
    for (size_t i = 0; i < query->n; i++) {
        if (strcmp(query->items[i].name, name) == 0)
            return query->items[i].value;
    }
    return NULL;
}

bool sign_v4_parse_query(const S3Params *query, SignV4 *out)
{
    const char *algorithm = sign_param(query, "X-Amz-Algorithm");
    *out = (SignV4){ .signed_headers = str(sign_param(query, "X-Amz-SignedHeaders")),
                     .signature = str(sign_param(query, "X-Amz-Signature")),
                     .in_query = true };
    return algorithm && strcmp(algorithm, ALGORITHM) == 0 && out->signed_headers.size &&
           is_hex_64(out->signature) &&
           parse_credential(str(sign_param(query, "X-Amz-Credential")), out);
}

/* --- the canonical request -------------------------------------------------------------------- */

/* Each part between slashes decoded and encoded again, so that all spellings are one. */
static void add_path(Ctx *ctx, Buf *out, Str path)
{
    Str plain;
    bool decoded = percent_decode(ctx, path, false, &plain);
    percent_encode(out, decoded ? plain : path, "/");
}

typedef struct EncodedParam {
    Str name, value;
} EncodedParam;

static int compare_params(const void *a, const void *b)
{
    const EncodedParam *x = a, *y = b;
    int order = str_cmp(x->name, y->name);
    return order ? order : str_cmp(x->value, y->value);
}

static Str encoded(Ctx *ctx, const char *text)
{
    CLEANUP(buf_done) Buf out = { 0 };
    percent_encode(&out, str(text), "");
    return str(str_z(ctx->arena, buf_str(&out)));
}

static void add_query(Ctx *ctx, Buf *out, const S3Params *query)
{
    EncodedParam *params = arena_must(ctx->arena, (query->n + 1) * sizeof(*params));
    size_t n = 0;
    for (size_t i = 0; i < query->n; i++) {
        const S3Param *param = &query->items[i];
        if (strcmp(param->name, "X-Amz-Signature") != 0)
            params[n++] = (EncodedParam){ encoded(ctx, param->name), encoded(ctx, param->value) };
    }
    qsort(params, n, sizeof(*params), compare_params);
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s" STR_FMT "=" STR_FMT, i ? "&" : "", STR_ARG(params[i].name),
                   STR_ARG(params[i].value));
}

/* Without blanks at its ends, runs of blanks as one. */
static void add_trimmed(Buf *out, const char *value)
{
    bool any = false, blank = false;
    for (; *value; value++) {
        if (*value == ' ' || *value == '\t') {
            blank = any;
            continue;
        }
        if (blank)
            buf_add_u8(out, ' ');
        buf_add_u8(out, (uint8_t)*value);
        blank = false;
        any = true;
    }
}

static void add_header(Buf *out, const SignRequest *request, const char *name)
{
    const char *value;
    buf_printf(out, "%s:", name);
    for (size_t i = 0; (value = request->header(request->self, name, i)); i++) {
        if (i)
            buf_add_u8(out, ',');
        add_trimmed(out, value);
    }
    buf_add_u8(out, '\n');
}

static void add_headers(Ctx *ctx, Buf *out, const SignRequest *request, Str names)
{
    while (names.size) {
        Str name = str_sub(names, 0, str_find(names, ';'));
        names = str_sub(names, name.size + 1, names.size);
        add_header(out, request, str_z(ctx->arena, name));
    }
}

static void hash_request(Ctx *ctx, const SignRequest *request, const SignV4 *v4,
                         const char *payload_hash, char out[SIGN_HEX_SIZE])
{
    CLEANUP(buf_done) Buf text = { 0 };
    buf_printf(&text, "%s\n", request->method);
    add_path(ctx, &text, request->path);
    buf_add_u8(&text, '\n');
    add_query(ctx, &text, &request->query);
    buf_add_u8(&text, '\n');
    add_headers(ctx, &text, request, v4->signed_headers);
    buf_printf(&text, "\n" STR_FMT "\n%s", STR_ARG(v4->signed_headers), payload_hash);
    sign_sha256_hex(buf_bytes(&text), out);
}

/* --- signing ---------------------------------------------------------------------------------- */

static void make_key(Ctx *ctx, const SignV4 *v4, const char *secret, uint8_t out[32])
{
    const char *first = text_printf(ctx->arena, "AWS4%s", secret);
    hmac(first, strlen(first), v4->date, out);
    hmac(out, 32, v4->region, out);
    hmac(out, 32, v4->service, out);
    hmac(out, 32, STR("aws4_request"), out);
}

static void sign_text(S3Signer *signer, const char *text)
{
    uint8_t digest[32];
    hmac(signer->key, sizeof(signer->key), str(text), digest);
    hex_encode(digest, sizeof(digest), signer->previous);
}

void sign_v4(Ctx *ctx, const SignRequest *request, const SignV4 *v4, const char *secret,
             const char *time, const char *payload_hash, S3Signer *out)
{
    char hash[SIGN_HEX_SIZE];
    *out = (S3Signer){ .known = true, .time = time };
    out->scope = text_printf(ctx->arena, STR_FMT "/" STR_FMT "/" STR_FMT "/aws4_request",
                             STR_ARG(v4->date), STR_ARG(v4->region), STR_ARG(v4->service));
    make_key(ctx, v4, secret, out->key);
    hash_request(ctx, request, v4, payload_hash, hash);
    sign_text(out, text_printf(ctx->arena, ALGORITHM "\n%s\n%s\n%s", time, out->scope, hash));
}

void sign_v4_chunk(Ctx *ctx, S3Signer *signer, const char *chunk_sha256)
{
    ArenaMark mark = arena_mark(ctx->arena);
    sign_text(signer,
              text_printf(ctx->arena, ALGORITHM "-PAYLOAD\n%s\n%s\n%s\n" EMPTY_SHA_256 "\n%s",
                          signer->time, signer->scope, signer->previous, chunk_sha256));
    arena_rewind(ctx->arena, mark);
}

void sign_v4_trailer(Ctx *ctx, S3Signer *signer, Bytes trailers)
{
    char hash[SIGN_HEX_SIZE];
    sign_sha256_hex(trailers, hash);
    sign_text(signer, text_printf(ctx->arena, ALGORITHM "-TRAILER\n%s\n%s\n%s\n%s", signer->time,
                                  signer->scope, signer->previous, hash));
}

bool sign_equal(Str a, Str b)
{
    unsigned different = a.size != b.size;
    for (size_t i = 0; i < MIN(a.size, b.size); i++)
        different |= (unsigned char)a.data[i] ^ (unsigned char)b.data[i];
    return !different;
}
