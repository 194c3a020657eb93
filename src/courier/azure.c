/* azure.c - containers of Azure's blob store, which speaks a dialect of its own. Requests are
 * signed with the account's key ("Shared Key"), or carry a token in their URL ("SAS"). */
#include <openssl/hmac.h>
#include <stdlib.h>
#include <time.h>

#include "base/text.h"
#include "codec/base64.h"
#include "courier/azure.h"
#include "courier/http.h"
#include "courier/listing.h"
#include "courier/parts.h"

#define PARAMS_MAX 4

typedef struct Param {
    const char *name, *value;
} Param;

typedef struct Azure {
    Transfer *transfer;
    const char *account, *key; /* key "": anonymous, or by token */
    const char *token;         /* "" or "sv=…&sig=…" */
    const char *base;          /* "https://account.blob.core.windows.net" */
    Param params[PARAMS_MAX];  /* of the request at work, by name; name NULL ends them */
    Http http;
} Azure;

static const char *env(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

/* The key is sent to nobody but the account that it is for. */
static Status azure_open(Transfer *transfer, Azure *out)
{
    Ctx *ctx = transfer->ctx;
    const char *own = env("AZURE_STORAGE_ACCOUNT"), *named = transfer->at.host;
    bool is_own = !*named || strcmp(named, own) == 0;
    const char *token = env("AZURE_STORAGE_SAS_TOKEN"), *endpoint = env("AZURE_STORAGE_ENDPOINT");
    *out = (Azure){ .transfer = transfer,
                    .account = *named ? named : own,
                    .key = is_own ? env("AZURE_STORAGE_KEY") : "",
                    .token = is_own ? token + (*token == '?') : "",
                    .base = is_own ? endpoint : "" };
    if (!*out->account)
        return FAIL(ctx, FAILED_PRECONDITION,
                    "\"%s\" names no account, and AZURE_STORAGE_ACCOUNT is not set",
                    transfer->shown);
    if (!*out->base)
        out->base = text_printf(ctx->arena, "https://%s.blob.core.windows.net", out->account);
    return OK;
}

static void azure_done(Azure *azure)
{
    http_done(&azure->http);
}

/* --- signing ---------------------------------------------------------------------------------- */

/* The value of one of the request's headers, "" when it has none of that name. */
static const char *header(const Http *http, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; http->headers[i]; i++)
        if (strncmp(http->headers[i], name, size) == 0 && http->headers[i][size] == ':')
            return http->headers[i] + size + 2;
    return "";
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All headers of Azure's own, in the order of their names. */
static void add_own_headers(const Http *http, const char *date, Buf *out)
{
    const char *own[HTTP_HEADERS_MAX + 1] = { date };
    size_t n = 1;
    for (size_t i = 0; http->headers[i]; i++)
        if (str_starts(str(http->headers[i]), STR("x-ms-")))
            own[n++] = http->headers[i];
    qsort(own, n, sizeof(own[0]), compare_texts);
    for (size_t i = 0; i < n; i++) {
        size_t colon = str_find(str(own[i]), ':');
        buf_printf(out, "%.*s:%s\n", (int)colon, own[i], own[i] + colon + 2);
    }
}

static void add_resource(const Azure *azure, const Http *http, Buf *out)
{
    const char *path = strchr(strstr(http->url, "://") + 3, '/');
    Str text = str(path);
    buf_printf(out, "/%s" STR_FMT, azure->account, STR_ARG(str_sub(text, 0, str_find(text, '?'))));
    for (size_t i = 0; i < PARAMS_MAX && azure->params[i].name; i++)
        buf_printf(out, "\n%s:%s", azure->params[i].name, azure->params[i].value);
}

const char *azure_signature(Ctx *ctx, const char *key, Str text)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    Bytes secret;
    Buf signature = { 0 };
    if (base64_decode(ctx, str(key), &secret) &&
        HMAC(EVP_sha256(), secret.data, (int)secret.size, (const uint8_t *)text.data, text.size,
             digest, &size))
        base64_encode(bytes(digest, size), &signature);
    const char *out = str_z(ctx->arena, buf_str(&signature));
    buf_done(&signature);
    return out;
}

static Status sign(const void *arg, Http *http, CURL *curl)
{
    const Azure *azure = arg;
    Ctx *ctx = azure->transfer->ctx;
    char date[64];
    struct tm utc;
    time_t now = time(NULL);
    gmtime_r(&now, &utc);
    strftime(date, sizeof(date), "x-ms-date: %a, %d %b %Y %H:%M:%S GMT", &utc);
    (void)curl;
    Buf text = { 0 };
    buf_printf(&text, "%s\n\n\n", http->method); /* no encoding, no language */
    if (http->body.size)
        buf_printf(&text, "%zu", http->body.size);
    buf_printf(&text, "\n\n%s\n\n\n%s\n\n\n%s\n", header(http, "Content-Type"),
               header(http, "If-Match"), header(http, "Range"));
    add_own_headers(http, date, &text);
    add_resource(azure, http, &text);
    const char *signature = azure_signature(ctx, azure->key, buf_str(&text));
    buf_done(&text);
    if (!*signature)
        return FAIL(ctx, FAILED_PRECONDITION, "AZURE_STORAGE_KEY is not base64");
    http_add_attempt_header(http, date);
    http_add_attempt_header(
        http, text_printf(ctx->arena, "Authorization: SharedKey %s:%s", azure->account, signature));
    return OK;
}

/* --- one request ------------------------------------------------------------------------------ */

/* key NULL: the container. */
static const char *url_of(const Azure *azure, const char *key)
{
    Buf url = { 0 };
    buf_printf(&url, "%s/%s", azure->base, azure->transfer->at.bucket);
    if (key)
        buf_add_u8(&url, '/');
    remote_encode(&url, str(key), true);
    char mark = '?';
    for (size_t i = 0; i < PARAMS_MAX && azure->params[i].name; i++, mark = '&') {
        buf_printf(&url, "%c%s=", mark, azure->params[i].name);
        remote_encode(&url, str(azure->params[i].value), false);
    }
    if (*azure->token)
        buf_printf(&url, "%c%s", mark, azure->token);
    const char *text = str_z(azure->transfer->ctx->arena, buf_str(&url));
    buf_done(&url);
    return text;
}

/* params by name, PARAMS_MAX at most; what follows the first without a name is not looked at. */
static void prepare(Azure *azure, const char *method, const char *doing, const char *key,
                    const Param *params)
{
    http_done(&azure->http);
    memset(azure->params, 0, sizeof(azure->params));
    for (size_t i = 0; params && params[i].name; i++)
        azure->params[i] = params[i];
    azure->http = (Http){ .transfer = azure->transfer,
                          .method = method,
                          .doing = doing,
                          .url = url_of(azure, key),
                          .sign = *azure->key && !*azure->token ? sign : NULL,
                          .signer = azure };
    http_add_header(&azure->http, "x-ms-version: 2021-08-06");
}

static void set_body(Azure *azure, Bytes body, const char *type)
{
    azure->http.body = body;
    azure->http.has_body = true;
    http_add_header(&azure->http, "Content-Type: %s", type);
}

/* --- get, list, delete ------------------------------------------------------------------------ */

static Status get(Transfer *transfer)
{
    CLEANUP(azure_done) Azure azure;
    TRY(azure_open(transfer, &azure));
    prepare(&azure, "GET", "retrieving content from", transfer->key, NULL);
    return http_get(&azure.http, "If-Match");
}

static Status say_object(void *arg, Str key, uint64_t size)
{
    return transfer_say_object(arg, key, size);
}

static Status list_page(Azure *azure, Buf *marker)
{
    Transfer *transfer = azure->transfer;
    Ctx *ctx = transfer->ctx;
    ListingPage page = { .object = say_object, .arg = transfer };
    const Param params[] = { { "comp", "list" },
                             { "marker", str_z(ctx->arena, buf_str(marker)) },
                             { "prefix", transfer->key },
                             { "restype", "container" },
                             { 0 } };
    prepare(azure, "GET", "listing", NULL, params);
    TRY(http_run(&azure->http));
    TRY_WRAP(ctx, listing_read(ctx, buf_bytes(&azure->http.answer), &page), "error listing \"%s\"",
             transfer->shown);
    buf_clear(marker);
    buf_add_str(marker, str(page.next));
    return OK;
}

static Status list(Transfer *transfer)
{
    CLEANUP(azure_done) Azure azure;
    CLEANUP(buf_done) Buf marker = { 0 };
    TRY(azure_open(transfer, &azure));
    do {
        ArenaMark mark = arena_mark(transfer->ctx->arena);
        TRY(list_page(&azure, &marker));
        arena_rewind(transfer->ctx->arena, mark);
    } while (marker.size);
    return OK;
}

static Status delete_blob(Transfer *transfer)
{
    CLEANUP(azure_done) Azure azure;
    TRY(azure_open(transfer, &azure));
    prepare(&azure, "DELETE", "deleting", transfer->key, NULL);
    Status s = http_run(&azure.http);
    return s.code == STATUS_NOT_FOUND && azure.http.status == 404 ? OK : s;
}

/* --- put -------------------------------------------------------------------------------------- */

static const char writing[] = "writing to", bytes_type[] = "application/octet-stream";

static Status put_whole(void *arg, Bytes body)
{
    Azure *azure = arg;
    prepare(azure, "PUT", writing, azure->transfer->key, NULL);
    http_add_header(&azure->http, "x-ms-blob-type: BlockBlob");
    set_body(azure, body, bytes_type);
    return http_run(&azure->http);
}

/* Blocks need no beginning: what is not named at the end goes after a week. */
static Status begin_parts(void *arg, const char **out_id)
{
    (void)arg;
    *out_id = "";
    return OK;
}

static Status put_part(void *arg, const char *id, int number, Bytes body, Buf *parts)
{
    Azure *azure = arg;
    Arena *arena = azure->transfer->ctx->arena;
    Buf name = { 0 };
    (void)id;
    base64_encode(str_bytes(str(text_printf(arena, "%08d", number))), &name);
    const Param params[] = { { "blockid", str_z(arena, buf_str(&name)) },
                             { "comp", "block" },
                             { 0 } };
    buf_printf(parts, "<Latest>" STR_FMT "</Latest>", STR_ARG(buf_str(&name)));
    buf_done(&name);
    prepare(azure, "PUT", writing, azure->transfer->key, params);
    set_body(azure, body, bytes_type);
    return http_run(&azure->http);
}

static Status end_parts(void *arg, const char *id, Str parts)
{
    Azure *azure = arg;
    (void)id;
    const char *body = text_printf(azure->transfer->ctx->arena,
                                   "<BlockList>" STR_FMT "</BlockList>", STR_ARG(parts));
    const Param params[] = { { "comp", "blocklist" }, { 0 } };
    prepare(azure, "PUT", writing, azure->transfer->key, params);
    set_body(azure, str_bytes(str(body)), "application/xml");
    return http_run(&azure->http);
}

static Status put(Transfer *transfer)
{
    CLEANUP(azure_done) Azure azure;
    static const PartsOps ops = { put_whole, begin_parts, put_part, end_parts, NULL };
    TRY(azure_open(transfer, &azure));
    return parts_put(transfer, &ops, &azure);
}

const PlaceOps place_azure = { get, list, put, delete_blob };
