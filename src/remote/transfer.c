/* transfer.c - the operations, as requests to the helper and packets. */
#include "base/text.h"
#include "remote/remote_priv.h"

Status remote_check(Ctx *ctx, const RemoteConfig *config, const char *url, RemoteUrl *out)
{
    TRY(remote_url_parse(ctx, url, out));
    if (!config->program || (out->kind == REMOTE_FILE && !config->files))
        return FAIL(ctx, UNIMPLEMENTED, "use of '%s://' URLs is not enabled on this server",
                    out->scheme);
    return OK;
}

static JsonValue *size_json(Ctx *ctx, uint64_t size)
{
    return json_i64(ctx->arena, size > INT64_MAX ? -1 : (int64_t)size);
}

Status remote_get(Ctx *ctx, Remote *remote, const char *url, const char *key, uint64_t offset,
                  uint64_t size, RemoteOp **out)
{
    JsonValue *request = remote_request(ctx, remote, "get", url, key);
    json_set(ctx->arena, request, STR("offset"), size_json(ctx, offset));
    json_set(ctx->arena, request, STR("size"), size_json(ctx, size));
    return remote_open(ctx, remote, url, request, out);
}

Status remote_read(Ctx *ctx, RemoteOp *op, Bytes *out)
{
    RemoteSay kind;
    TRY(remote_recv(ctx, op, &kind, out));
    if (kind == REMOTE_SAY_DONE)
        out->size = 0;
    return OK;
}

Status remote_list(Ctx *ctx, Remote *remote, const char *url, RemoteOp **out)
{
    return remote_open(ctx, remote, url, remote_request(ctx, remote, "list", url, NULL), out);
}

Status remote_next(Ctx *ctx, RemoteOp *op, RemoteObject *out)
{
    RemoteSay kind;
    Bytes data;
    *out = (RemoteObject){ .key = STR("") };
    TRY(remote_recv(ctx, op, &kind, &data));
    if (kind == REMOTE_SAY_DONE)
        return OK;
    if (kind != REMOTE_SAY_OBJECT || data.size <= 8)
        return FAIL(ctx, INTERNAL, "the helper for transfers listed no object");
    out->size = load_le64(data.data);
    out->key = str_sub(bytes_str(data), 8, data.size);
    return OK;
}

Status remote_put(Ctx *ctx, Remote *remote, const char *url, const char *key, uint64_t size,
                  RemoteOp **out)
{
    JsonValue *request = remote_request(ctx, remote, "put", url, key);
    json_set(ctx->arena, request, STR("size"), size_json(ctx, size));
    return remote_open(ctx, remote, url, request, out);
}

Status remote_write(Ctx *ctx, RemoteOp *op, Bytes data)
{
    return data.size ? remote_send(ctx, op, REMOTE_SAY_DATA, data) : OK;
}

Status remote_end(Ctx *ctx, RemoteOp *op)
{
    if (!op->ended)
        TRY(remote_send(ctx, op, REMOTE_SAY_END, bytes(NULL, 0)));
    op->ended = true;
    return OK;
}

Status remote_finish(Ctx *ctx, RemoteOp *op)
{
    JsonValue *answer;
    TRY(remote_end(ctx, op));
    return remote_await_done(ctx, op, &answer);
}

Status remote_delete(Ctx *ctx, Remote *remote, const char *url, const char *key)
{
    CLEANUP(remote_closep) RemoteOp *op = NULL;
    JsonValue *answer;
    TRY(remote_open(ctx, remote, url, remote_request(ctx, remote, "delete", url, key), &op));
    return remote_await_done(ctx, op, &answer);
}

/* --- SQL -------------------------------------------------------------------------------------- */

static const char *const formats[] = { [REMOTE_ROWS_CSV] = "csv", [REMOTE_ROWS_JSON] = "json" };

Status remote_load(Ctx *ctx, Remote *remote, const RemoteLoad *load, RemoteOp **out)
{
    Arena *arena = ctx->arena;
    JsonValue *request = remote_request(ctx, remote, "load", load->url, NULL);
    JsonValue *columns = json_array(arena);
    for (size_t i = 0; i < load->column_count; i++)
        json_append(arena, columns, json_string(arena, str(load->columns[i])));
    json_set(arena, request, STR("columns"), columns);
    json_set(arena, request, STR("format"), json_string(arena, str(formats[load->format])));
    json_set(arena, request, STR("password"), json_string(arena, str(load->password)));
    return remote_open(ctx, remote, load->url, request, out);
}

Status remote_load_file(Ctx *ctx, RemoteOp *op, Str table, const char *file)
{
    JsonValue *what = json_object(ctx->arena);
    json_set(ctx->arena, what, STR("table"), json_string(ctx->arena, table));
    json_set(ctx->arena, what, STR("file"), json_string(ctx->arena, str(file)));
    Str text = json_print(ctx->arena, what, (JsonStyle){ 0 });
    return remote_send(ctx, op, REMOTE_SAY_TABLE, str_bytes(text));
}

Status remote_load_commit(Ctx *ctx, RemoteOp *op, RemoteRowsFn fn, void *arg)
{
    JsonValue *rows;
    TRY(remote_end(ctx, op));
    TRY(remote_await_done(ctx, op, &rows));
    for (size_t i = 0; i < rows->count; i++) {
        int64_t n = 0;
        str_to_i64(json_text(rows->members[i].value), &n);
        TRY(fn(arg, ctx, rows->members[i].name, n));
    }
    return OK;
}
