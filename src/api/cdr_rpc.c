/* cdr_rpc.c - storage.Fileset/ReadFilesetCDR: recipes by which clients fetch files themselves, piece
 * by piece, over HTTP and into caches of their own.
 *
 *   recipe   concat[ content_hash(http(URL)) … ]      a piece is a chunk, or a whole small file
 *   URL      http://HOST/cdr/EXPIRES/ROOT/FROM-TO/SIGNATURE/TAG/PATH
 *
 * A URL names bytes that never change: FROM up to TO of a file of the content ROOT. The signature
 * (HMAC-SHA256 of all but itself) is by a key that the data folder keeps, so that only what
 * was handed out can be fetched, across restarts too, and until EXPIRES (seconds since the epoch, in hex).
 */
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#include "api/fileset.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/text.h"
#include "codec/blake2b.h"
#include "codec/pb.h"
#include "codec/percent.h"
#include "pfs/content.h"

#define PREFIX         "/cdr/"
#define URL_LIFE_S     (24 * 3600)
#define SIGNATURE_SIZE 32

/* The bytes that a URL names. */
typedef struct Piece {
    int64_t expires_s;
    Hash root;
    uint64_t from, to;
    Str tag, path;
} Piece;

static char *sign(Ctx *ctx, const Api *api, Str before, Str after)
{
    char *text = text_printf(ctx->arena, STR_FMT "/" STR_FMT, STR_ARG(before), STR_ARG(after));
    uint8_t mac[SIGNATURE_SIZE];
    HMAC(EVP_sha256(), api->config.url_key, API_URL_KEY_BYTES, (const uint8_t *)text, strlen(text), mac,
         NULL);
    char *hex = arena_must(ctx->arena, 2 * SIGNATURE_SIZE + 1);
    hex_encode(mac, sizeof(mac), hex);
    hex[2 * SIGNATURE_SIZE] = '\0';
    return hex;
}

/* --- making recipes --------------------------------------------------------------------------- */

/* The recipe of one file in the making. */
typedef struct Cooking {
    const Api *api;
    const char *host;
    Ctx *keep;   /* what the recipe is made in: reading rewinds the arena it is given */
    Piece piece; /* the next one begins where it ends */
    Cdr__Concat *concat;
    size_t room; /* of concat->refs */
} Cooking;

static char *piece_url(Ctx *ctx, const Cooking *cooking)
{
    const Piece *piece = &cooking->piece;
    char root[HASH_HEX_SIZE];
    CLEANUP(buf_done) Buf file = { 0 };
    percent_encode(&file, piece->tag, "");
    percent_encode(&file, piece->path, "/"); /* begins with one */
    char *what = text_printf(ctx->arena, "%llx/%s/%llu-%llu", (unsigned long long)piece->expires_s,
                             hash_hex(&piece->root, root), (unsigned long long)piece->from,
                             (unsigned long long)piece->to);
    return text_printf(ctx->arena, "http://%s" PREFIX "%s/%s/" STR_FMT, cooking->host, what,
                       sign(ctx, cooking->api, str(what), buf_str(&file)),
                       STR_ARG(buf_str(&file)));
}

static Cdr__Ref *piece_ref(Ctx *ctx, const Cooking *cooking, Bytes data)
{
    Cdr__Ref *http = PB_NEW(ctx, cdr__ref, Cdr__Ref), *ref = PB_NEW(ctx, cdr__ref, Cdr__Ref);
    http->body_case = CDR__REF__BODY_HTTP;
    http->http = PB_NEW(ctx, cdr__http, Cdr__HTTP);
    http->http->url = piece_url(ctx, cooking);
    ref->body_case = CDR__REF__BODY_CONTENT_HASH;
    ref->content_hash = PB_NEW(ctx, cdr__content_hash, Cdr__ContentHash);
    ref->content_hash->inner = http;
    ref->content_hash->algo = CDR__HASH_ALGO__BLAKE2b_256;
    uint8_t *hash = arena_must(ctx->arena, BLAKE2B_256_SIZE);
    blake2b_256(data, hash);
    ref->content_hash->hash = (ProtobufCBinaryData){ BLAKE2B_256_SIZE, hash };
    return ref;
}

static void add_ref(Cooking *cooking, Cdr__Ref *ref)
{
    Cdr__Concat *concat = cooking->concat;
    if (concat->n_refs == cooking->room) {
        cooking->room = MAX(2 * cooking->room, (size_t)4);
        Cdr__Ref **refs = arena_must(cooking->keep->arena, cooking->room * sizeof(*refs));
        if (concat->n_refs)
            memcpy(refs, concat->refs, concat->n_refs * sizeof(*refs));
        concat->refs = refs;
    }
    concat->refs[concat->n_refs++] = ref;
}

/* content_read gives one chunk at a time, or a small file whole. */
static Status add_piece(void *arg, Ctx *ctx, Bytes data)
{
    (void)ctx;
    Cooking *cooking = arg;
    cooking->piece.from = cooking->piece.to;
    cooking->piece.to += data.size;
    add_ref(cooking, piece_ref(cooking->keep, cooking, data));
    return OK;
}

typedef struct Serving {
    Call *call;
    const char *host;
} Serving;

static Status cook(Ctx *ctx, Ctx *keep, const Serving *serving, const Hash *root,
                   const TreeEntry *entry)
{
    const Api *api = serving->call->api;
    Cooking cooking = { .api = api,
                        .host = serving->host,
                        .keep = keep,
                        .piece = { .expires_s = clock_wall_ns() / NS_PER_SEC + URL_LIFE_S,
                                   .root = *root,
                                   .tag = entry->tag,
                                   .path = entry->path },
                        .concat = PB_NEW(keep, cdr__concat, Cdr__Concat) };
    TRY(content_read(ctx, pfs_content(api->config.pfs), &entry->record, 0, UINT64_MAX, add_piece,
                     &cooking));
    Cdr__Ref *recipe = PB_NEW(keep, cdr__ref, Cdr__Ref);
    recipe->body_case = CDR__REF__BODY_CONCAT;
    recipe->concat = cooking.concat;
    Storage__ReadFilesetCDRResponse answer;
    storage__read_fileset_cdrresponse__init(&answer);
    answer.path = str_z(keep->arena, entry->path);
    answer.ref = recipe;
    return call_send(serving->call, &answer.base);
}

static Status send_recipe(void *serving, Ctx *ctx, const Hash *root, const TreeEntry *entry)
{
    CLEANUP(ctx_done) Ctx keep;
    ctx_scratch(&keep, ctx);
    Status s = cook(ctx, &keep, serving, root, entry);
    return status_copy(ctx, s);
}

static Status read_fileset_cdr(Call *call, const void *request)
{
    const char *host = call_metadata(call, ":authority");
    Serving serving = { call, *host ? host : "localhost" };
    return fileset_each(call, request, send_recipe, &serving);
}

/* --- serving the pieces ----------------------------------------------------------------------- */

static bool take_number(Str *text, int base, char end, uint64_t *out)
{
    char *stop = NULL;
    *out = text->size ? strtoull(text->data, &stop, base) : 0;
    if (!stop || stop == text->data || stop >= text->data + text->size || *stop != end)
        return false;
    *text = str_sub(*text, (size_t)(stop - text->data) + 1, text->size);
    return true;
}

static bool take_root(Str *text, Hash *out)
{
    size_t slash = str_find(*text, '/');
    bool parsed = hash_parse(str_sub(*text, 0, slash), out);
    *text = str_sub(*text, MIN(slash + 1, text->size), text->size);
    return parsed;
}

/* "TAG/PATH", both encoded. */
static bool read_file_name(Ctx *ctx, Str text, Piece *out)
{
    size_t slash = str_find(text, '/');
    return slash < text.size && percent_decode(ctx, str_sub(text, 0, slash), false, &out->tag) &&
           percent_decode(ctx, str_sub(text, slash, text.size), false, &out->path);
}

/* The piece of a URL that we signed. target: what follows PREFIX. */
static bool read_url(Ctx *ctx, const Api *api, Str target, Piece *out)
{
    uint64_t expires_s;
    Str rest = target;
    if (!take_number(&rest, 16, '/', &expires_s) || !take_root(&rest, &out->root) ||
        !take_number(&rest, 10, '-', &out->from) || !take_number(&rest, 10, '/', &out->to))
        return false;
    out->expires_s = (int64_t)MIN(expires_s, (uint64_t)INT64_MAX);
    Str before = { target.data, (size_t)(rest.data - target.data) - 1 };
    size_t slash = str_find(rest, '/');
    Str signature = str_sub(rest, 0, slash), after = str_sub(rest, slash + 1, rest.size);
    const char *wanted = sign(ctx, api, before, after);
    return signature.size == strlen(wanted) &&
           CRYPTO_memcmp(signature.data, wanted, signature.size) == 0 &&
           read_file_name(ctx, after, out);
}

static Status write_piece(void *http, Ctx *ctx, Bytes piece)
{
    return wire_http_write(ctx, http, piece);
}

bool api_http_claims(const WireHttp *http)
{
    return str_starts(str(wire_http_target(http)), STR(PREFIX));
}

Status api_http(Api *api, Ctx *ctx, WireHttp *http)
{
    Piece piece = { 0 };
    bool head = strcmp(wire_http_method(http), "HEAD") == 0;
    if (!head && strcmp(wire_http_method(http), "GET") != 0)
        return FAIL(ctx, UNIMPLEMENTED, "pieces of files are fetched by GET");
    if (!read_url(ctx, api, str(wire_http_target(http) + strlen(PREFIX)), &piece))
        return FAIL(ctx, PERMISSION_DENIED, "this URL is not one that this server gave out");
    if (clock_wall_ns() / NS_PER_SEC >= piece.expires_s)
        return FAIL(ctx, PERMISSION_DENIED, "this URL has expired");
    Content *content = pfs_content(api->config.pfs);
    TreeRecord record;
    Status found = tree_get(ctx, &content->io, &piece.root, piece.path, piece.tag, &record);
    if (!status_ok(found))
        return FAIL(ctx, NOT_FOUND, "file '" STR_FMT "' is not stored any more",
                    STR_ARG(piece.path));
    wire_http_set_header(http, "content-type", "application/octet-stream");
    TRY(wire_http_respond(ctx, http, 200, (int64_t)(piece.to - piece.from)));
    return head ? OK
                : content_read(ctx, content, &record, piece.from, piece.to - piece.from,
                               write_piece, http);
}

static const ApiMethod methods[] = {
    { .path = "/storage.Fileset/ReadFilesetCDR", .stream = read_fileset_cdr },
};

const ApiTable api_cdr_table = { methods, ARRAY_LEN(methods) };
