/* cluster_logs.c - kube-events, loki: what is logged around a server that runs on Kubernetes. */
#include "cmd/pcv/verbs_priv.h"
#include "codec/moment.h"
#include "codec/pbtime.h"

static PpsV2__LokiRequest *request_of(Cli *cli)
{
    PpsV2__LokiRequest *request = PB_NEW(cli->ctx, pps_v2__loki_request, PpsV2__LokiRequest);
    if (cli->opt[OPT_EVENTS_SINCE].set)
        request->since = pb_duration(cli->ctx, cli->opt[OPT_EVENTS_SINCE].number);
    return request;
}

static Status print_line(Cli *cli, void *arg, const void *message)
{
    (void)arg;
    cli_print(cli, "%s\n", ((const PpsV2__LokiLogMessage *)message)->message);
    return OK;
}

static Status loki(Cli *cli)
{
    PpsV2__LokiRequest *request = request_of(cli);
    request->query = cli->args[0];
    return cli_each(cli, "/pps_v2.API/QueryLoki", request, print_line, NULL);
}

/* --- kube-events ------------------------------------------------------------------------------ */

static const char *text_of(Cli *cli, const JsonValue *value, const char *name)
{
    return str_z(cli->ctx->arena, json_text(json_get(value, name)));
}

static const char *age_of(Cli *cli, const JsonValue *event)
{
    int64_t at_ns;
    const char *text = text_of(cli, event, "lastTimestamp");
    return moment_parse_ns(str(text), &at_ns) ? cli_ago(cli, pb_timestamp(cli->ctx, at_ns)) : "-";
}

/* A line of the server's log that has the event whole. */
static Status event_row(Cli *cli, void *arg, const void *message)
{
    const PpsV2__LokiLogMessage *line = message;
    JsonValue *value;
    if (cli->opt[OPT_RAW].flag)
        return print_line(cli, NULL, message);
    TRY_WRAP(cli->ctx, json_parse(cli->ctx, str(line->message), &value), "could not read an event");
    const JsonValue *inner = json_get(value, "kubeEvent");
    const JsonValue *event = json_is(inner, JSON_OBJECT) ? inner : value;
    const JsonValue *object = json_get(event, "involvedObject");
    TABLE_ROW(arg, age_of(cli, event), text_of(cli, event, "type"), text_of(cli, event, "reason"),
              text_printf(cli->ctx->arena, "%s/%s", text_of(cli, object, "kind"),
                          text_of(cli, object, "name")),
              text_of(cli, event, "message"));
    return OK;
}

static Status kube_events(Cli *cli)
{
    static const char *const header[] = { "LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE" };
    const PpsV2__LokiRequest *request = request_of(cli);
    Table table;
    if (cli->opt[OPT_RAW].flag)
        return cli_each(cli, "/pps_v2.API/GetKubeEvents", request, event_row, NULL);
    table_init(&table, cli, header, ARRAY_LEN(header));
    Status s = cli_each(cli, "/pps_v2.API/GetKubeEvents", request, event_row, &table);
    table_done(&table);
    return s;
}

/* clang-format off */
static const Command rows[] = {
    { .words = "kube-events", .args = "", .run = kube_events,
      .summary = "print what happened around a server on Kubernetes",
      .detail = "A server that runs on a machine of its own has no such events; 'logs' prints its log.",
      .options = { OPT_EVENTS_SINCE, OPT_RAW } },
    { .words = "loki", .args = "<query>", .args_min = 1, .args_max = 1, .run = loki,
      .summary = "ask the Loki that a server logs to",
      .detail = "A server that runs on a machine of its own has none; 'logs' prints its log, and those of\n"
                "pipelines and jobs.",
      .options = { OPT_EVENTS_SINCE } },
};
/* clang-format on */

const CommandTable cluster_log_commands = { rows, ARRAY_LEN(rows) };
