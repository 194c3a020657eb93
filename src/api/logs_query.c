/* logs_query.c - what a query of logs.API asks for. */
#include "api/logs_priv.h"

#include "base/text.h"

#define SERVER_NAME "pachd"

static Status need(Ctx *ctx, const char *value, const char *what, const char **out)
{
    if (!value || !*value)
        return FAIL(ctx, INVALID_ARGUMENT, "log query: UserLogQuery request requires a %s argument",
                    what);
    *out = value;
    return OK;
}

static Status need_pipeline(Ctx *ctx, const Logs__PipelineLogQuery *query, LogsQuery *out)
{
    TRY(need(ctx, query ? query->project : NULL, "project", &out->project));
    return need(ctx, query->pipeline, "pipeline", &out->pipeline);
}

static Status read_user(Ctx *ctx, const Logs__UserLogQuery *query, LogsQuery *out)
{
    out->of_pipelines = true;
    switch ((int)query->user_type_case) {
    case LOGS__USER_LOG_QUERY__USER_TYPE_PROJECT:
        return need(ctx, query->project, "project", &out->project);
    case LOGS__USER_LOG_QUERY__USER_TYPE_PIPELINE:
        return need_pipeline(ctx, query->pipeline, out);
    case LOGS__USER_LOG_QUERY__USER_TYPE_DATUM:
        return need(ctx, query->datum, "datum", &out->datum);
    case LOGS__USER_LOG_QUERY__USER_TYPE_JOB:
        return need(ctx, query->job, "job", &out->job);
    case LOGS__USER_LOG_QUERY__USER_TYPE_PIPELINE_JOB:
        TRY(need_pipeline(ctx, query->pipeline_job->pipeline, out));
        return need(ctx, query->pipeline_job->job, "job", &out->job);
    case LOGS__USER_LOG_QUERY__USER_TYPE_JOB_DATUM:
        TRY(need(ctx, query->job_datum->job, "job", &out->job));
        return need(ctx, query->job_datum->datum, "datum", &out->datum);
    case LOGS__USER_LOG_QUERY__USER_TYPE_PIPELINE_DATUM:
        TRY(need_pipeline(ctx, query->pipeline_datum->pipeline, out));
        return need(ctx, query->pipeline_datum->datum, "datum", &out->datum);
    case LOGS__USER_LOG_QUERY__USER_TYPE__NOT_SET:
    default:
        return OK;
    }
}

/* --- LogQL: {label="value", …} ---------------------------------------------------------------- */

static void skip_blanks(Str *text)
{
    while (text->size && strchr(" \t\n,", *text->data))
        *text = str_sub(*text, 1, text->size);
}

/* Takes `label = "value"`, or =~; false when something else stands there. */
static bool take_label(Str *text, Str *out_label, Str *out_value, bool *out_is_pattern)
{
    size_t end = str_find_any(*text, "=! ");
    *out_label = str_sub(*text, 0, end);
    *text = str_sub(*text, end, text->size);
    *out_is_pattern = str_starts(*text, STR("=~"));
    if (!*out_is_pattern && !str_starts(*text, STR("=")))
        return false;
    *text = str_sub(*text, *out_is_pattern ? 2 : 1, text->size);
    if (!str_starts(*text, STR("\"")))
        return false;
    *text = str_sub(*text, 1, text->size);
    end = str_find(*text, '"');
    if (end == text->size)
        return false;
    *out_value = str_sub(*text, 0, end);
    *text = str_sub(*text, end + 1, text->size);
    return true;
}

static bool is_anything(Str pattern)
{
    return str_eq(pattern, STR(".+")) || str_eq(pattern, STR(".*"));
}

/* Narrows the query by one label; false for one that we do not have. */
static bool apply_label(Ctx *ctx, Str label, Str value, LogsQuery *out)
{
    const struct {
        const char *label;
        const char **into;
    } texts[] = { { "pipelineProject", &out->project },
                  { "pipelineName", &out->pipeline },
                  { "pod", &out->worker } };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (str_eq(label, str(texts[i].label))) {
            *texts[i].into = str_z(ctx->arena, value);
            out->of_server = false;
            return true;
        }
    }
    if (str_eq(label, STR("app"))) {
        out->of_server = str_eq(value, STR(SERVER_NAME));
        out->of_pipelines = str_eq(value, STR("pipeline"));
        return true;
    }
    return str_eq(label, STR("suite")) && str_eq(value, STR("pachyderm"));
}

static Status read_logql(Ctx *ctx, const char *logql, LogsQuery *out)
{
    Str rest = str_trim(str(logql), " \t\n");
    out->of_pipelines = out->of_server = true;
    bool good = rest.size >= 2 && rest.data[0] == '{' && rest.data[rest.size - 1] == '}';
    rest = good ? str_sub(rest, 1, rest.size - 1) : rest;
    for (skip_blanks(&rest); good && rest.size; skip_blanks(&rest)) {
        Str label, value;
        bool pattern;
        good = take_label(&rest, &label, &value, &pattern) &&
               (pattern ? is_anything(value) : apply_label(ctx, label, value, out));
    }
    return good ? OK
                : FAIL(ctx, INVALID_ARGUMENT,
                       "log query: only labels are understood of LogQL ('{app=\"pachd\"}'), not %s",
                       text_quote(ctx->arena, str(logql)));
}

static void read_pod(const char *pod, LogsQuery *out)
{
    out->of_server = strcmp(pod, SERVER_NAME) == 0;
    out->of_pipelines = !out->of_server;
    out->worker = out->of_server ? NULL : pod;
}

static Status read_admin(Ctx *ctx, const Logs__AdminLogQuery *query, LogsQuery *out)
{
    switch ((int)query->admin_type_case) {
    case LOGS__ADMIN_LOG_QUERY__ADMIN_TYPE_LOGQL:
        return read_logql(ctx, query->logql, out);
    case LOGS__ADMIN_LOG_QUERY__ADMIN_TYPE_POD:
        read_pod(query->pod, out);
        return OK;
    case LOGS__ADMIN_LOG_QUERY__ADMIN_TYPE_POD_CONTAINER:
        read_pod(query->pod_container->pod, out);
        return OK;
    case LOGS__ADMIN_LOG_QUERY__ADMIN_TYPE_APP:
        out->of_server = strcmp(query->app, SERVER_NAME) == 0;
        out->of_pipelines = strcmp(query->app, "pipeline") == 0;
        return OK;
    case LOGS__ADMIN_LOG_QUERY__ADMIN_TYPE_MASTER:
        out->of_pipelines = out->masters_only = true;
        return need_pipeline(ctx, query->master, out);
    case LOGS__ADMIN_LOG_QUERY__ADMIN_TYPE_STORAGE: /* workers have no sidecars */
        return need_pipeline(ctx, query->storage, out);
    case LOGS__ADMIN_LOG_QUERY__ADMIN_TYPE_USER:
        return read_user(ctx, query->user, out);
    case LOGS__ADMIN_LOG_QUERY__ADMIN_TYPE__NOT_SET:
    default:
        return OK;
    }
}

Status logs_query_read(Ctx *ctx, const Logs__LogQuery *query, LogsQuery *out)
{
    *out = (LogsQuery){ 0 };
    if (query && query->query_type_case == LOGS__LOG_QUERY__QUERY_TYPE_USER)
        return read_user(ctx, query->user, out);
    if (query && query->query_type_case == LOGS__LOG_QUERY__QUERY_TYPE_ADMIN)
        return read_admin(ctx, query->admin, out);
    out->of_pipelines = out->of_server = true;
    return OK;
}
