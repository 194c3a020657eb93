/* call.c - calls to the server; see cli.h. */
#include <stdlib.h>

#include "base/file.h"
#include "cmd/pcv/cli.h"
#include "codec/pb.h"
#include "proto_methods.h"

/* --- the connection --------------------------------------------------------------------------- */

static const char *address_of(Cli *cli)
{
    const char *const candidates[] = {
        cli_text(cli, OPT_ADDRESS), getenv("PCV_ADDRESS"),
        getenv("PACHD_ADDRESS"),    settings_text(&cli->settings, "pachd_address"),
        SETTINGS_ADDRESS_PRESET,
    };
    for (size_t i = 0; i < ARRAY_LEN(candidates); i++) {
        if (candidates[i] && *candidates[i])
            return candidates[i];
    }
    return SETTINGS_ADDRESS_PRESET;
}

static void set_metadata(Cli *cli)
{
    const char *token = settings_text(&cli->settings, "session_token");
    if (*token)
        wire_client_metadata(cli->client, "authn-token", token);
    const char *transaction = settings_text(&cli->settings, "active_transaction");
    if (*transaction && cli->command->in_transaction)
        wire_client_metadata(cli->client, "pach-transaction", transaction);
}

Status cli_address(Cli *cli, const char **out)
{
    return settings_qualify(cli->ctx, str(address_of(cli)), out);
}

Status cli_client(Cli *cli, WireClient **out)
{
    if (!cli->client) {
        const char *address;
        TRY(cli_address(cli, &address));
        TRY(wire_client_open(cli->ctx, address, &cli->client));
        set_metadata(cli);
    }
    *out = cli->client;
    return OK;
}

/* --- messages --------------------------------------------------------------------------------- */

static int compare_path(const void *key, const void *row)
{
    return strcmp(key, ((const ProtoMethod *)row)->path);
}

static const ProtobufCMessageDescriptor *answer_type(const char *path)
{
    const ProtoMethod *method =
        bsearch(path, proto_methods, proto_method_count, sizeof(proto_methods[0]), compare_path);
    assert(method);
    return method->output;
}

static void buf_donep(Buf *buf)
{
    buf_done(buf);
}

Status cli_call(Cli *cli, const char *path, const void *request, void *out)
{
    CLEANUP(buf_donep) Buf answer = { 0 };
    WireClient *client;
    TRY(cli_client(cli, &client));
    TRY(wire_call_unary(cli->ctx, client, path, pb_pack_bytes(cli->ctx, request), &answer));
    if (!out)
        return OK;
    ProtobufCMessage *message;
    TRY(pb_unpack(cli->ctx, answer_type(path), buf_bytes(&answer), &message));
    *(ProtobufCMessage **)out = message;
    return OK;
}

static Status each_message(Cli *cli, WireStream *stream, const ProtobufCMessageDescriptor *type,
                           CliEach each, void *arg)
{
    CLEANUP(buf_donep) Buf piece = { 0 };
    for (bool end = false;;) {
        TRY(wire_stream_recv(cli->ctx, stream, &piece, &end));
        if (end)
            return OK;
        ArenaMark mark = arena_mark(cli->ctx->arena);
        ProtobufCMessage *message;
        TRY(pb_unpack(cli->ctx, type, buf_bytes(&piece), &message));
        TRY(each(cli, arg, message));
        arena_rewind(cli->ctx->arena, mark);
    }
}

Status cli_each(Cli *cli, const char *path, const void *request, CliEach each, void *arg)
{
    CLEANUP(wire_stream_closep) WireStream *stream = NULL;
    WireClient *client;
    TRY(cli_client(cli, &client));
    TRY(wire_stream_open(cli->ctx, client, path, &stream));
    TRY(wire_stream_send(cli->ctx, stream, pb_pack_bytes(cli->ctx, request)));
    TRY(wire_stream_close_send(cli->ctx, stream));
    return each_message(cli, stream, answer_type(path), each, arg);
}

Status cli_collect(Cli *cli, const char *path, const void *request, CliMessages *out)
{
    CLEANUP(wire_stream_closep) WireStream *stream = NULL;
    CLEANUP(buf_donep) Buf piece = { 0 };
    WireClient *client;
    size_t room = 0;
    *out = (CliMessages){ 0 };
    TRY(cli_client(cli, &client));
    TRY(wire_stream_open(cli->ctx, client, path, &stream));
    TRY(wire_stream_send(cli->ctx, stream, pb_pack_bytes(cli->ctx, request)));
    TRY(wire_stream_close_send(cli->ctx, stream));
    for (bool end = false;;) {
        TRY(wire_stream_recv(cli->ctx, stream, &piece, &end));
        if (end)
            return OK;
        if (out->count == room) {
            room = MAX((size_t)16, room * 2);
            void **grown = ARENA_NEW(cli->ctx->arena, void *, room);
            if (!grown)
                return STATUS(RESOURCE_EXHAUSTED);
            if (out->count)
                memcpy(grown, out->items, out->count * sizeof(*grown));
            out->items = grown;
        }
        ProtobufCMessage *message;
        TRY(pb_unpack(cli->ctx, answer_type(path), buf_bytes(&piece), &message));
        out->items[out->count++] = message;
    }
}

/* --- shared by verbs -------------------------------------------------------------------------- */

char *cli_text(const Cli *cli, OptionId id)
{
    static char empty[] = "";
    return cli->opt[id].text ? cli->opt[id].text : empty;
}

const char *cli_project_name(Cli *cli)
{
    const char *given = cli_text(cli, OPT_PROJECT);
    if (*given)
        return given;
    const char *of_context = settings_text(&cli->settings, "project");
    return *of_context ? of_context : SETTINGS_PROJECT_PRESET;
}

PfsV2__Project *cli_project(Cli *cli)
{
    PfsV2__Project *project = PB_NEW(cli->ctx, pfs_v2__project, PfsV2__Project);
    project->name = arena_strdup(cli->ctx->arena, cli_project_name(cli));
    return project;
}
