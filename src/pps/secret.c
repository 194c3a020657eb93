/* secret.c - secrets, in the form clients send them: a Kubernetes Secret as JSON (§26.23). */
#include <stdlib.h>

#include "base/text.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "pfs/url.h"
#include "pps/pps_priv.h"

static JsonValue *encoded_string(Ctx *ctx, Str plain)
{
    Buf text = { 0 };
    base64_encode(str_bytes(plain), &text);
    JsonValue *value = json_string(ctx->arena, buf_str(&text));
    buf_done(&text);
    return value;
}

static Status from_base64(Ctx *ctx, Str text, Bytes *out)
{
    if (!base64_decode(ctx, text, out))
        return FAIL(ctx, UNKNOWN, "failed to unmarshal secret: illegal base64 data");
    return OK;
}

static Status unmarshal(Ctx *ctx, Bytes file, JsonValue **out)
{
    Status s = json_parse(ctx, bytes_str(file), out);
    return status_ok(s) ? OK
                        : FAIL(ctx, UNKNOWN, "failed to unmarshal secret: %s", status_message(s));
}

/* A map of the secret, or none. */
static Status map_of(Ctx *ctx, const JsonValue *secret, const char *name, const JsonValue **out)
{
    const JsonValue *value = json_get(secret, name);
    *out = json_is(value, JSON_OBJECT) ? value : NULL;
    if (value && !*out && !json_is(value, JSON_NULL))
        return FAIL(ctx, UNKNOWN, "failed to unmarshal secret: %s is not an object", name);
    return OK;
}

/* A secret's data as one JSON object: key to base64, as given in `data`; `stringData` is encoded.
 */
static Status data_of(Ctx *ctx, const JsonValue *secret, JsonValue **out)
{
    JsonValue *data = json_object(ctx->arena);
    const JsonValue *encoded, *plain;
    TRY(map_of(ctx, secret, "data", &encoded));
    TRY(map_of(ctx, secret, "stringData", &plain));
    for (size_t i = 0; encoded && i < encoded->count; i++) {
        Bytes ignored;
        TRY(from_base64(ctx, json_text(encoded->members[i].value), &ignored));
        json_set(ctx->arena, data, encoded->members[i].name, encoded->members[i].value);
    }
    for (size_t i = 0; plain && i < plain->count; i++)
        json_set(ctx->arena, data, plain->members[i].name,
                 encoded_string(ctx, json_text(plain->members[i].value)));
    *out = data;
    return OK;
}

Status pps_create_secret(Ctx *ctx, PfsTx *tx, Bytes file)
{
    JsonValue *secret, *data;
    TRY(unmarshal(ctx, file, &secret));
    Str name = json_text(json_path(secret, "metadata", "name", NULL));
    if (!name.size)
        return FAIL(ctx, UNKNOWN, "failed to unmarshal secret: metadata.name is missing");
    const JsonValue *suite = json_path(secret, "metadata", "labels", "suite", NULL);
    if (suite && !str_eq_c(json_text(suite), "pachyderm"))
        return FAIL(ctx, UNKNOWN, "invalid suite label set on secret: suite=" STR_FMT,
                    STR_ARG(json_text(suite)));
    TRY(data_of(ctx, secret, &data));
    Str type = json_text(json_get(secret, "type"));
    Status s = db_exec(ctx, pfs_tx_db(tx), NULL,
                       "INSERT INTO pps_secret (name, type, created, data) VALUES (?, ?, ?, ?)",
                       "ttit", name, type.size ? type : STR("Opaque"), pfs_tx_time_ns(tx),
                       json_print(ctx->arena, data, (JsonStyle){ 0 }));
    if (s.code == STATUS_ALREADY_EXISTS)
        return FAIL(ctx, UNKNOWN, "failed to create secret: secrets \"" STR_FMT "\" already exists",
                    STR_ARG(name));
    return s;
}

Status pps_delete_secret(Ctx *ctx, PfsTx *tx, const char *name)
{
    int64_t changes;
    TRY(db_exec(ctx, pfs_tx_db(tx), &changes, "DELETE FROM pps_secret WHERE name = ?", "s", name));
    if (!changes)
        return FAIL(ctx, UNKNOWN, "failed to delete secret: secrets \"%s\" not found", name);
    return OK;
}

static PpsV2__SecretInfo *info_of(Ctx *ctx, const DbRows *rows)
{
    PpsV2__SecretInfo *info = PB_NEW(ctx, pps_v2__secret_info, PpsV2__SecretInfo);
    info->secret = PB_NEW(ctx, pps_v2__secret, PpsV2__Secret);
    info->secret->name = arena_strdup(ctx->arena, db_text(ctx, rows, 0));
    info->type = arena_strdup(ctx->arena, db_text(ctx, rows, 1));
    info->creation_timestamp = pb_timestamp(ctx, db_int(rows, 2));
    return info;
}

Status pps_inspect_secret(Ctx *ctx, PfsTx *tx, const char *name, PpsV2__SecretInfo **out)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT name, type, created FROM pps_secret WHERE name = ?", "s", name));
    bool more;
    TRY(db_next(ctx, &rows, &more));
    if (!more)
        return FAIL(ctx, UNKNOWN, "failed to get secret: secrets \"%s\" not found", name);
    *out = info_of(ctx, &rows);
    return OK;
}

Status pps_list_secret(Ctx *ctx, PfsTx *tx, PpsV2__SecretInfos **out)
{
    int64_t count;
    TRY(db_query_int(ctx, pfs_tx_db(tx), &count, "SELECT COUNT(*) FROM pps_secret", ""));
    PpsV2__SecretInfos *infos = PB_NEW(ctx, pps_v2__secret_infos, PpsV2__SecretInfos);
    infos->secret_info = ARENA_NEW(ctx->arena, PpsV2__SecretInfo *, (size_t)count + 1);
    if (!infos->secret_info)
        return STATUS(RESOURCE_EXHAUSTED);
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows,
                 "SELECT name, type, created FROM pps_secret ORDER BY name", ""));
    DB_EACH (ctx, &rows)
        infos->secret_info[infos->n_secret_info++] = info_of(ctx, &rows);
    *out = infos;
    return OK;
}

static Status read_secret(Ctx *ctx, PfsTx *tx, const char *name, JsonValue **out)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(ctx, pfs_tx_db(tx), &rows, "SELECT data FROM pps_secret WHERE name = ?", "s",
                 name));
    bool more;
    TRY(db_next(ctx, &rows, &more));
    if (!more)
        return FAIL(ctx, NOT_FOUND, "secrets \"%s\" not found", name);
    return json_parse(ctx, str(db_text(ctx, &rows, 0)), out);
}

Status pps_secret_value(Ctx *ctx, PfsTx *tx, const char *name, const char *key, Bytes *out)
{
    JsonValue *data;
    TRY(read_secret(ctx, tx, name, &data));
    const JsonValue *value = json_get(data, key);
    if (!value)
        return FAIL(ctx, NOT_FOUND, "secret \"%s\" has no key \"%s\"", name, key);
    return from_base64(ctx, json_text(value), out);
}

/* --- logins at registries --------------------------------------------------------------------- */

/* The two forms: with "auths" around the hosts, and without. */
static Status logins_of(Ctx *ctx, PfsTx *tx, const char *name, JsonValue **out)
{
    Bytes text;
    Status s = pps_secret_value(ctx, tx, name, ".dockerconfigjson", &text);
    bool old = s.code == STATUS_NOT_FOUND;
    if (old)
        TRY(pps_secret_value(ctx, tx, name, ".dockercfg", &text));
    else
        TRY(s);
    JsonValue *file;
    TRY_WRAP(ctx, json_parse(ctx, bytes_str(text), &file), "secret \"%s\"", name);
    JsonValue *hosts = old ? file : json_get(file, "auths");
    if (!json_is(hosts, JSON_OBJECT))
        return FAIL(ctx, INVALID_ARGUMENT, "secret \"%s\" has no logins", name);
    *out = hosts;
    return OK;
}

static const char *trouble_of(Ctx *ctx, const char *name, Status s)
{
    return s.code == STATUS_NOT_FOUND
               ? text_printf(ctx->arena, "there is no image pull secret \"%s\" with logins", name)
               : status_message(s);
}

Status pps_pull_logins(Ctx *ctx, PfsTx *tx, char *const *names, size_t n, const char **out,
                       const char **out_trouble)
{
    JsonValue *all = json_object(ctx->arena), *file = json_object(ctx->arena);
    *out = *out_trouble = "";
    for (size_t i = 0; i < n; i++) {
        JsonValue *hosts = NULL;
        Status s = logins_of(ctx, tx, names[i], &hosts);
        if (!status_ok(s)) {
            *out_trouble = trouble_of(ctx, names[i], s);
            continue;
        }
        for (size_t k = 0; hosts && k < hosts->count; k++)
            if (!json_get_str(all, hosts->members[k].name))
                json_set(ctx->arena, all, hosts->members[k].name, hosts->members[k].value);
    }
    if (!all->count)
        return OK;
    json_set(ctx->arena, file, STR("auths"), all);
    *out = str_z(ctx->arena, json_print(ctx->arena, file, (JsonStyle){ 0 }));
    return OK;
}

/* --- egress ----------------------------------------------------------------------------------- */

Status pps_egress_password(Ctx *ctx, Pps *pps, const PfsV2__SQLDatabaseEgress *target,
                           const char **out)
{
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    Bytes value;
    TRY(pfs_url_check_secret(ctx, target));
    TRY(pfs_begin_read(ctx, pps_pfs(pps), &tx));
    Status s = pps_secret_value(ctx, tx, target->secret->name, target->secret->key, &value);
    const char *shared = getenv("PACHYDERM_SQL_PASSWORD");
    if (s.code == STATUS_NOT_FOUND && shared)
        *out = shared;
    else if (s.code == STATUS_NOT_FOUND)
        return status_wrap(ctx, s, "must set PACHYDERM_SQL_PASSWORD, or make the secret");
    else if (status_ok(s))
        *out = str_z(ctx->arena, bytes_str(value));
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

Status pps_secret_each(Ctx *ctx, PfsTx *tx, const char *name, PpsSecretFn fn, void *arg)
{
    JsonValue *data;
    TRY(read_secret(ctx, tx, name, &data));
    for (size_t i = 0; i < data->count; i++) {
        Bytes value;
        TRY(from_base64(ctx, json_text(data->members[i].value), &value));
        TRY(fn(arg, ctx, data->members[i].name, value));
    }
    return OK;
}
