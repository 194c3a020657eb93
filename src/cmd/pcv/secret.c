/* secret.c - verbs of secrets: what user code may know and nobody else should. */
#include "cmd/pcv/verbs_priv.h"
#include "codec/yaml.h"

static const char *const header[] = { "NAME", "TYPE", "CREATED" };

static void secret_row(Cli *cli, Table *table, const void *message)
{
    const PpsV2__SecretInfo *info = message;
    TABLE_ROW(table, info->secret->name, info->type, cli_ago(cli, info->creation_timestamp));
}

static const Listing listing = { header, ARRAY_LEN(header), secret_row };

/* The server takes JSON; people have YAML too. */
static Status as_json(Cli *cli, Buf *text, const char *file)
{
    JsonValue **documents;
    size_t count;
    TRY(yaml_parse_all(cli->ctx, buf_str(text), file, &documents, &count));
    if (count != 1)
        return FAIL(cli->ctx, INVALID_ARGUMENT, "'%s' holds %zu secrets, not one", file, count);
    buf_clear(text);
    json_write(text, documents[0], (JsonStyle){ 0 });
    return OK;
}

static Status create_secret(Cli *cli)
{
    const char *file = cli_text(cli, OPT_SPEC_FILE);
    PpsV2__CreateSecretRequest *request =
        PB_NEW(cli->ctx, pps_v2__create_secret_request, PpsV2__CreateSecretRequest);
    Buf text = { 0 };
    Status s = read_source(cli, *file ? file : "-", &text);
    if (status_ok(s))
        s = as_json(cli, &text, *file ? file : "-");
    request->file = (ProtobufCBinaryData){ text.size, text.data };
    if (status_ok(s))
        s = cli_call(cli, "/pps_v2.API/CreateSecret", request, NULL);
    buf_done(&text);
    return s;
}

static Status delete_secret(Cli *cli)
{
    PpsV2__DeleteSecretRequest *request =
        PB_NEW(cli->ctx, pps_v2__delete_secret_request, PpsV2__DeleteSecretRequest);
    PpsV2__Secret *secret = PB_NEW(cli->ctx, pps_v2__secret, PpsV2__Secret);
    secret->name = cli->args[0];
    request->secret = secret;
    return cli_call(cli, "/pps_v2.API/DeleteSecret", request, NULL);
}

static Status inspect_secret(Cli *cli)
{
    PpsV2__InspectSecretRequest *request =
        PB_NEW(cli->ctx, pps_v2__inspect_secret_request, PpsV2__InspectSecretRequest);
    PpsV2__Secret *secret = PB_NEW(cli->ctx, pps_v2__secret, PpsV2__Secret);
    void *info;
    secret->name = cli->args[0];
    request->secret = secret;
    TRY(cli_call(cli, "/pps_v2.API/InspectSecret", request, &info));
    return cli_list_messages(cli, &info, 1, &listing);
}

static Status list_secret(Cli *cli)
{
    Google__Protobuf__Empty *request =
        PB_NEW(cli->ctx, google__protobuf__empty, Google__Protobuf__Empty);
    PpsV2__SecretInfos *infos;
    TRY(cli_call(cli, "/pps_v2.API/ListSecret", request, &infos));
    return cli_list_messages(cli, (void *const *)infos->secret_info, infos->n_secret_info,
                             &listing);
}

/* clang-format off */
static const Command rows[] = {
    { .words = "create secret", .args = "", .run = create_secret,
      .summary = "create a secret from a Kubernetes manifest", .options = { OPT_SPEC_FILE } },
    { .words = "delete secret", .args = "<name>", .args_min = 1, .args_max = 1, .run = delete_secret,
      .summary = "delete a secret" },
    { .words = "inspect secret", .args = "<name>", .args_min = 1, .args_max = 1, .run = inspect_secret,
      .summary = "show that a secret exists, not what it holds", .options = { OPT_FULL_TIMESTAMPS } },
    { .words = "list secret", .args = "", .run = list_secret, .summary = "list secrets",
      .options = { OPT_FULL_TIMESTAMPS } },
};
/* clang-format on */

const CommandTable secret_commands = { rows, ARRAY_LEN(rows) };
