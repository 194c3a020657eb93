/* fileset.c - file sets (§17): roots with a name that whoever knows it may use, until their time is
 * over.
 *
 * A row holds the layer (with its deletes and appends, for those who lay it over something) and the
 * plain content (for those who read it). Both are whole: a file set made of others does not need
 * them any more. Rows whose time is over are as good as gone, and go when the next one is made.
 * Some names are given before there is a row (pfs_set_promises): who asks first has it made. */
#include <stdio.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/text.h"
#include "pfs/view_priv.h"
#include "pfs/write_priv.h"

#define TTL_DEFAULT_S  600
#define TTL_PROMISED_S 900
#define TTL_MAX_S      1800
#define TOKEN_SIZE     32

/* --- ids -------------------------------------------------------------------------------------- */

/* The token part of an id: up to the first '.', without dashes, in lower case. */
static Status parse_token(Ctx *ctx, const char *id, Id *out)
{
    size_t n = 0;
    for (const char *c = id; *c && *c != '.'; c++) {
        if (*c == '-')
            continue;
        if (n < TOKEN_SIZE)
            out->text[n] = (char)(*c >= 'A' && *c <= 'F' ? *c - 'A' + 'a' : *c);
        n++;
    }
    if (n != TOKEN_SIZE)
        return FAIL(ctx, UNKNOWN, "parsing fileset.Token: too %s to be Token len=%zu",
                    n < TOKEN_SIZE ? "short" : "long", n);
    out->text[n] = '\0';
    size_t hex = strspn(out->text, "0123456789abcdef");
    if (hex != TOKEN_SIZE)
        return FAIL(ctx, UNKNOWN, "parsing fileset.Token: encoding/hex: invalid byte: %s",
                    text_quote(ctx->arena, (Str){ out->text + hex, 1 }));
    return OK;
}

/* --- rows ------------------------------------------------------------------------------------- */

typedef struct Roots {
    Hash layer, root;
} Roots;

static Status find(Ctx *ctx, PfsTx *tx, const Id *token, Roots *out)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT layer, root FROM pfs_fileset "
                 "WHERE token = ? AND (expires_ns > ? OR pins > 0)",
                 "si", token->text, clock_wall_ns()));
    bool more;
    TRY(db_next(ctx, &rows, &more));
    if (!more)
        return STATUS(NOT_FOUND);
    out->layer = db_hash(&rows, 0);
    out->root = db_hash(&rows, 1);
    return OK;
}

static Status find_by_id(Ctx *ctx, PfsTx *tx, const char *id, Roots *out)
{
    Id token;
    TRY(parse_token(ctx, id, &token));
    Status status = find(ctx, tx, &token, out);
    if (status.code == STATUS_NOT_FOUND)
        return FAIL(ctx, UNKNOWN, "path does not exist");
    return status;
}

static int64_t ttl_clamp(int64_t ttl_s)
{
    return ttl_s <= 0 ? TTL_DEFAULT_S : MIN(ttl_s, TTL_MAX_S);
}

static Status insert(Ctx *ctx, PfsTx *tx, const Id *token, const Roots *roots, int64_t ttl_s)
{
    int64_t now_ns = clock_wall_ns();
    TRY(db_exec(ctx, pfs_tx_db(tx), NULL,
                "DELETE FROM pfs_fileset WHERE expires_ns <= ? AND pins = 0", "i", now_ns));
    return db_exec(ctx, pfs_tx_db(tx), NULL,
                   "INSERT INTO pfs_fileset (token, layer, root, expires_ns) VALUES (?, ?, ?, ?) "
                   "ON CONFLICT (token) DO NOTHING",
                   "shhi", token->text, &roots->layer, &roots->root, now_ns + ttl_s * NS_PER_SEC);
}

/* Makes a file set of a layer whose blobs are in the store. */
static Status create_as(Ctx *ctx, Pfs *pfs, const Id *token, const Hash *layer, int64_t ttl_s)
{
    Content *content = pfs_content(pfs);
    Roots roots = { .layer = *layer };
    const char *collision; /* told to those who read it */
    TRY(content_apply(ctx, content, &(Hash){ 0 }, layer, &roots.root, &collision));
    TRY(store_sync(ctx, content->store));
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pfs, NULL, &tx));
    TRY(insert(ctx, tx, token, &roots, ttl_s));
    return pfs_commit(ctx, STEAL(tx));
}

static Status create(Ctx *ctx, Pfs *pfs, const Hash *layer, int64_t ttl_s, const char **out_id)
{
    Id token = id_new();
    TRY(create_as(ctx, pfs, &token, layer, ttl_s));
    char hex[HASH_HEX_SIZE];
    *out_id = text_printf(ctx->arena, "%s.%s", token.text, hash_hex(layer, hex));
    return OK;
}

/* --- promised ones ---------------------------------------------------------------------------- */

/* find in a transaction of its own. */
static Status look(Ctx *ctx, Pfs *pfs, const Id *token, Roots *out)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    return find(ctx, tx, token, out);
}

static Status keep_promise(Ctx *ctx, Pfs *pfs, const Id *token)
{
    CLEANUP(pfs_writer_freep) PfsWriter *writer = pfs_writer_new(pfs);
    Status s = pfs_fill_promised(ctx, pfs, token->text, writer);
    if (s.code == STATUS_NOT_FOUND && !s.detail)
        return OK; /* whoever looks for it says so */
    TRY(s);
    Hash layer;
    TRY(writer_finish(ctx, writer, &layer));
    return create_as(ctx, pfs, token, &layer, TTL_PROMISED_S);
}

/* Before a file set is looked for: if it was promised, it is there now. */
static Status demand(Ctx *ctx, Pfs *pfs, const char *id)
{
    Id token;
    Roots ignored;
    if (!status_ok(parse_token(ctx, id, &token)))
        return OK; /* likewise */
    Status s = look(ctx, pfs, &token, &ignored);
    return s.code == STATUS_NOT_FOUND ? keep_promise(ctx, pfs, &token) : s;
}

Status pfs_fileset_roots(Ctx *ctx, Pfs *pfs, const char *id, Hash *out_layer, Hash *out_root)
{
    Id token;
    Roots roots;
    TRY(parse_token(ctx, id, &token));
    Status s = look(ctx, pfs, &token, &roots);
    if (s.code == STATUS_NOT_FOUND) {
        TRY(keep_promise(ctx, pfs, &token));
        s = look(ctx, pfs, &token, &roots);
    }
    if (s.code == STATUS_NOT_FOUND)
        return FAIL(ctx, UNKNOWN, "path does not exist");
    TRY(s);
    *out_layer = roots.layer;
    *out_root = roots.root;
    return OK;
}

/* --- making them ------------------------------------------------------------------------------ */

Status pfs_fileset_from_writer(Ctx *ctx, PfsWriter *writer, const char **out_id)
{
    Hash layer;
    TRY(writer_finish(ctx, writer, &layer));
    return create(ctx, writer->pfs, &layer, TTL_DEFAULT_S, out_id);
}

/* layers[n], bottom first, as one. */
static Status compose(Ctx *ctx, Content *content, const Hash *layers, size_t n, Hash *out)
{
    *out = (Hash){ 0 };
    for (size_t i = 0; i < n; i++) {
        Hash lower = *out;
        TRY(tree_compose(ctx, &content->io, &content->append, &lower, &layers[i], out));
    }
    return OK;
}

/* What the commit itself did. */
static Status commit_diff(Ctx *ctx, Pfs *pfs, int64_t commit, Hash *out)
{
    Hash *layers;
    size_t n;
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    TRY(view_layers(ctx, tx, commit, &layers, &n));
    tx = pfs_rollback(tx);
    return compose(ctx, pfs_content(pfs), layers, n, out);
}

static Status get(Ctx *ctx, Pfs *pfs, const PfsV2__GetFileSetRequest *request, const char **out_id)
{
    TRY(view_check_commit(ctx, request->commit));
    const PfsV2__Commit *commit = request->commit;
    if (strcmp((commit->repo ? commit->repo : commit->branch->repo)->name, PFS_FILESETS_REPO) == 0)
        return FAIL(ctx, UNKNOWN, "the commit is forgotten");
    PfsView view;
    TRY(pfs_view_open(ctx, pfs, commit, &view));
    Hash layer = view.root;
    if (request->type == PFS_V2__GET_FILE_SET_REQUEST__FILE_SET_TYPE__DIFF)
        TRY(commit_diff(ctx, pfs, view.commit_id, &layer));
    return create(ctx, pfs, &layer, TTL_DEFAULT_S, out_id);
}

Status pfs_fileset_get(Ctx *ctx, Pfs *pfs, const PfsV2__GetFileSetRequest *request,
                       const char **out_id)
{
    TRY_WRAP(ctx, get(ctx, pfs, request, out_id), "get file set");
    return OK;
}

static Status err_dangling(Ctx *ctx, const Id *token)
{
    return FAIL(ctx, UNKNOWN, "dangling reference: file set %s does not exist", token->text);
}

static Status compose_layers(Ctx *ctx, Pfs *pfs, char *const *ids, size_t n, Hash *layers)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pfs, &tx));
    for (size_t i = 0; i < n; i++) {
        Id token;
        Roots roots;
        TRY(parse_token(ctx, ids[i], &token));
        Status status = find(ctx, tx, &token, &roots);
        if (status.code == STATUS_NOT_FOUND)
            return err_dangling(ctx, &token);
        TRY(status);
        layers[i] = roots.layer;
    }
    return OK;
}

Status pfs_fileset_compose(Ctx *ctx, Pfs *pfs, char *const *ids, size_t n, int64_t ttl_seconds,
                           const char **out_id)
{
    Hash *layers = ARENA_NEW(ctx->arena, Hash, n), layer;
    if (!layers)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < n; i++)
        TRY(demand(ctx, pfs, ids[i]));
    TRY(compose_layers(ctx, pfs, ids, n, layers));
    TRY(compose(ctx, pfs_content(pfs), layers, n, &layer));
    return create(ctx, pfs, &layer, ttl_clamp(ttl_seconds), out_id);
}

/* --- using them ------------------------------------------------------------------------------- */

Status pfs_fileset_add(Ctx *ctx, Pfs *pfs, const PfsV2__AddFileSetRequest *request)
{
    TRY(view_check_commit(ctx, request->commit));
    TRY(demand(ctx, pfs, request->file_set_id));
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pfs, NULL, &tx));
    PfsCommitRow row;
    TRY(pfs_pick(ctx, tx, request->commit, &row));
    if (row.state != PFS_OPEN)
        return FAIL(ctx, UNKNOWN, "commit %s has already finished",
                    pfs_commit_text(ctx, request->commit));
    Roots roots;
    TRY_WRAP(ctx, find_by_id(ctx, tx, request->file_set_id, &roots), "add file set");
    if (!hash_is_zero(&roots.layer))
        TRY(pfs_attach_layer(ctx, tx, row.id, &roots.layer));
    return pfs_commit(ctx, STEAL(tx));
}

Status pfs_fileset_renew(Ctx *ctx, Pfs *pfs, const char *id, int64_t ttl_seconds)
{
    if (ttl_seconds < 1)
        return FAIL(ctx, UNKNOWN, "ttl (%.0f) must be at least one second",
                    (double)ttl_seconds * (double)NS_PER_SEC);
    if (ttl_seconds > TTL_MAX_S)
        return FAIL(ctx, UNKNOWN, "ttl (%.0f) exceeds max ttl (%lld)",
                    (double)ttl_seconds * (double)NS_PER_SEC, (long long)(TTL_MAX_S * NS_PER_SEC));
    Id token;
    TRY(parse_token(ctx, id, &token));
    TRY(demand(ctx, pfs, id));
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_write(ctx, pfs, NULL, &tx));
    int64_t now_ns = clock_wall_ns(), changes;
    TRY(db_exec(ctx, pfs_tx_db(tx), &changes,
                "UPDATE pfs_fileset SET expires_ns = ? WHERE token = ? "
                "AND (expires_ns > ? OR pins > 0)",
                "isi", now_ns + ttl_seconds * NS_PER_SEC, token.text, now_ns));
    if (changes == 0)
        return FAIL(ctx, NOT_FOUND, "tracker does not contain item: (fileset/%s)", token.text);
    return pfs_commit(ctx, STEAL(tx));
}

/* --- keeping them ----------------------------------------------------------------------------- */

Status pfs_fileset_pin(Ctx *ctx, PfsTx *tx, const char *id)
{
    Id token;
    int64_t changes;
    TRY(parse_token(ctx, id, &token));
    TRY(db_exec(ctx, pfs_tx_db(tx), &changes,
                "UPDATE pfs_fileset SET pins = pins + 1 WHERE token = ? "
                "AND (expires_ns > ? OR pins > 0)",
                "si", token.text, clock_wall_ns()));
    return changes ? OK : err_dangling(ctx, &token);
}

Status pfs_fileset_unpin(Ctx *ctx, PfsTx *tx, const char *id)
{
    Id token;
    if (!status_ok(parse_token(ctx, id, &token)))
        return OK; /* it names none */
    return db_exec(ctx, pfs_tx_db(tx), NULL,
                   "UPDATE pfs_fileset SET pins = pins - 1 WHERE token = ? AND pins > 0", "s",
                   token.text);
}
