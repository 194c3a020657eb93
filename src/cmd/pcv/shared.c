/* shared.c - see verbs_priv.h. */
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cmd/pcv/verbs_priv.h"
#include "codec/moment.h"
#include "codec/pbjson.h"
#include "codec/pbtime.h"

Status show_one(Cli *cli, const char *path, const void *request,
                void (*print)(Cli *cli, const void *message))
{
    void *answer;
    TRY(cli_call(cli, path, request, &answer));
    if (cli->opt[OPT_RAW].flag)
        return cli_print_raw(cli, answer);
    print(cli, answer);
    return OK;
}

/* --- triggers --------------------------------------------------------------------------------- */

static void add_condition(Ctx *ctx, char **text, const char *joiner, const char *condition)
{
    *text = text_printf(ctx->arena, "%s%s%s", *text, **text ? joiner : "", condition);
}

char *trigger_text(Ctx *ctx, const PfsV2__Trigger *trigger)
{
    if (!trigger)
        return arena_strdup(ctx->arena, "-");
    if (*trigger->cron_spec)
        return text_printf(ctx->arena, "%s on Cron(%s)", trigger->branch, trigger->cron_spec);
    const char *joiner = trigger->all ? " and " : " or ";
    char *text = arena_strdup(ctx->arena, "");
    if (*trigger->rate_limit_spec)
        add_condition(ctx, &text, joiner,
                      text_printf(ctx->arena, "Rate Limit(%s)", trigger->rate_limit_spec));
    if (*trigger->size)
        add_condition(ctx, &text, joiner, text_printf(ctx->arena, "Size(%s)", trigger->size));
    if (trigger->commits)
        add_condition(ctx, &text, joiner,
                      text_printf(ctx->arena, "Commits(%lld)", (long long)trigger->commits));
    return text_printf(ctx->arena, "%s on %s", trigger->branch, text);
}

/* --- inputs ----------------------------------------------------------------------------------- */

static char *join_inputs(Ctx *ctx, PpsV2__Input *const *inputs, size_t count, const char *before,
                         const char *joiner)
{
    char *text = arena_strdup(ctx->arena, before);
    for (size_t i = 0; i < count; i++)
        text = text_printf(ctx->arena, "%s%s%s", text, i ? joiner : "", input_text(ctx, inputs[i]));
    return text_printf(ctx->arena, "%s)", text);
}

char *input_text(Ctx *ctx, const PpsV2__Input *input)
{
    if (!input)
        return arena_strdup(ctx->arena, "none");
    if (input->pfs)
        return text_printf(ctx->arena, "%s/%s:%s", input->pfs->project, input->pfs->repo,
                           input->pfs->glob);
    if (input->cron)
        return text_printf(ctx->arena, "%s:%s", input->cron->name, input->cron->spec);
    if (input->n_cross)
        return join_inputs(ctx, input->cross, input->n_cross, "(", " ⨯ ");
    if (input->n_join)
        return join_inputs(ctx, input->join, input->n_join, "(", " ⋈ ");
    if (input->n_group)
        return join_inputs(ctx, input->group, input->n_group, "(Group: ", ", ");
    if (input->n_union_)
        return join_inputs(ctx, input->union_, input->n_union_, "(", " ∪ ");
    return arena_strdup(ctx->arena, "none");
}

/* --- states ----------------------------------------------------------------------------------- */

typedef struct StateWord {
    const char *text;
    Color color;
} StateWord;

static const StateWord job_states[] = {
    [PPS_V2__JOB_STATE__JOB_CREATED] = { "created", COLOR_YELLOW },
    [PPS_V2__JOB_STATE__JOB_STARTING] = { "starting", COLOR_YELLOW },
    [PPS_V2__JOB_STATE__JOB_RUNNING] = { "running", COLOR_YELLOW },
    [PPS_V2__JOB_STATE__JOB_FAILURE] = { "failure", COLOR_RED },
    [PPS_V2__JOB_STATE__JOB_SUCCESS] = { "success", COLOR_GREEN },
    [PPS_V2__JOB_STATE__JOB_KILLED] = { "killed", COLOR_RED },
    [PPS_V2__JOB_STATE__JOB_EGRESSING] = { "egressing", COLOR_YELLOW },
    [PPS_V2__JOB_STATE__JOB_FINISHING] = { "finishing", COLOR_YELLOW },
    [PPS_V2__JOB_STATE__JOB_UNRUNNABLE] = { "unrunnable", COLOR_RED },
};

static const StateWord pipeline_states[] = {
    [PPS_V2__PIPELINE_STATE__PIPELINE_STARTING] = { "starting", COLOR_YELLOW },
    [PPS_V2__PIPELINE_STATE__PIPELINE_RUNNING] = { "running", COLOR_GREEN },
    [PPS_V2__PIPELINE_STATE__PIPELINE_RESTARTING] = { "restarting", COLOR_YELLOW },
    [PPS_V2__PIPELINE_STATE__PIPELINE_FAILURE] = { "failure", COLOR_RED },
    [PPS_V2__PIPELINE_STATE__PIPELINE_PAUSED] = { "paused", COLOR_YELLOW },
    [PPS_V2__PIPELINE_STATE__PIPELINE_STANDBY] = { "standby", COLOR_YELLOW },
    [PPS_V2__PIPELINE_STATE__PIPELINE_CRASHING] = { "crashing", COLOR_RED },
};

static const char *state_text(Cli *cli, const StateWord *words, size_t count, size_t state)
{
    if (state >= count || !words[state].text)
        return "-";
    return cli_paint(cli, words[state].color, words[state].text);
}

const char *job_state_text(Cli *cli, PpsV2__JobState state)
{
    return state_text(cli, job_states, ARRAY_LEN(job_states), (size_t)state);
}

const char *pipeline_state_text(Cli *cli, PpsV2__PipelineState state)
{
    return state_text(cli, pipeline_states, ARRAY_LEN(pipeline_states), (size_t)state);
}

#define BAR_BLOCKS 8

char *progress_bar(Cli *cli, size_t good, size_t open, size_t bad)
{
    size_t all = MAX(good + open + bad, (size_t)1);
    char *text = arena_strdup(cli->ctx->arena, "");
    for (size_t i = 0; i < BAR_BLOCKS; i++) {
        size_t at = i * all; /* of all * BAR_BLOCKS */
        Color color = at < good * BAR_BLOCKS ? COLOR_GREEN : COLOR_YELLOW;
        if (bad && (at >= (good + open) * BAR_BLOCKS || i == BAR_BLOCKS - 1))
            color = COLOR_RED;
        text = text_printf(cli->ctx->arena, "%s%s", text, cli_paint(cli, color, "▇"));
    }
    return text;
}

/* --- times and messages ----------------------------------------------------------------------- */

char *duration_text(Cli *cli, const Google__Protobuf__Duration *duration)
{
    char text[DURATION_TEXT_SIZE] = "<nil>";
    if (duration)
        duration_format(pb_duration_ns(duration), text);
    return arena_strdup(cli->ctx->arena, text);
}

char *span_text(Cli *cli, const Google__Protobuf__Timestamp *from,
                const Google__Protobuf__Timestamp *to)
{
    char text[DURATION_TEXT_SIZE] = "-";
    if (from)
        duration_format_human((to ? pb_timestamp_ns(to) : clock_wall_ns()) - pb_timestamp_ns(from),
                              text);
    return arena_strdup(cli->ctx->arena, text);
}

char *json_line(Cli *cli, const void *message)
{
    const PbJsonOptions options = { .proto_names = true, .indent = 2 };
    Buf text = { 0 };
    char *result = arena_strdup(cli->ctx->arena, "{}");
    if (message && status_ok(pbjson_print(cli->ctx, message, &options, &text)))
        result = str_z(cli->ctx->arena, buf_str(&text));
    buf_done(&text);
    return result;
}

Status read_source(Cli *cli, const char *name, Buf *out)
{
    if (ref_is_url(name))
        return fetch_url(cli, name, out);
    if (strcmp(name, "-") != 0)
        return file_read_path(cli->ctx, name, out);
    if (isatty(STDIN_FILENO))
        cli_note("Reading from stdin.");
    return file_read_all(cli->ctx, STDIN_FILENO, out);
}

/* --- options that several verbs read ---------------------------------------------------------- */

Status parse_history(Cli *cli, int64_t *out)
{
    const char *text = cli_text(cli, OPT_HISTORY);
    *out = strcmp(text, "all") == 0 ? -1 : 0;
    if (*out == -1 || strcmp(text, "none") == 0 || str_to_i64(str(text), out))
        return OK;
    return FAIL(cli->ctx, INVALID_ARGUMENT,
                "invalid --history \"%s\": must be all, none or a number", text);
}

static const char *find_state(const char *prefix, const ProtobufCEnumDescriptor *states,
                              const char *typed)
{
    size_t skip = strlen(prefix);
    for (unsigned i = 0; i < states->n_values; i++) {
        const char *name = states->values[i].name;
        bool has_prefix = strncmp(name, prefix, skip) == 0;
        if (strcasecmp(typed, name) == 0 || (has_prefix && strcasecmp(typed, name + skip) == 0))
            return name;
    }
    return NULL;
}

static Status unknown_state(Cli *cli, const char *prefix, const ProtobufCEnumDescriptor *states,
                            const char *typed)
{
    char *names = arena_strdup(cli->ctx->arena, "");
    for (unsigned i = 0; i < states->n_values; i++) {
        const char *name = states->values[i].name;
        size_t skip = strncmp(name, prefix, strlen(prefix)) == 0 ? strlen(prefix) : 0;
        names = text_printf(cli->ctx->arena, "%s%s%s", names, i ? ", " : "", name + skip);
    }
    return FAIL(cli->ctx, INVALID_ARGUMENT, "error parsing state: state %s must be one of %s",
                typed, names);
}

Status state_filter(Cli *cli, const char *prefix, const ProtobufCEnumDescriptor *states, char **out)
{
    const OptionValue *given = &cli->opt[OPT_STATE];
    *out = arena_strdup(cli->ctx->arena, "");
    for (size_t i = 0; i < given->count; i++) {
        const char *name = find_state(prefix, states, given->list[i]);
        if (!name)
            return unknown_state(cli, prefix, states, given->list[i]);
        *out = text_printf(cli->ctx->arena, "%s%s.state == \"%s\"", *out, i ? " or " : "", name);
    }
    return OK;
}
