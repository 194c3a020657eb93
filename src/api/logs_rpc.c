/* logs_rpc.c - logs.API: lines of many pipelines, and the server's own, in order of time. */
#include "api/logs_priv.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log_tail.h"
#include "base/text.h"
#include "codec/json.h"
#include "codec/pb.h"
#include "codec/pbjson.h"
#include "codec/pbtime.h"
#include "codec/regex.h"
#include "pps/log.h"

#define AGE_NS_MAX     (10 * 365 * 24 * 3600 * NS_PER_SEC)
#define KEPT_BYTES_MAX (64 * MiB) /* as lines of several sources are put in order in memory */
#define PRUNE_SLACK    1024

/* A line that passed, on the heap. */
typedef struct Kept {
    int64_t ts_ns;
    uint64_t order; /* in which it came: lines of one time stay in that order */
    bool of_server;
    Bytes packed; /* PpsV2__LogMessage */
} Kept;

typedef struct Logs {
    Call *call;
    const Logs__GetLogsRequest *request;
    const Logs__LogFilter *filter;
    LogsQuery query;
    bool masters; /* this pass is over the masters' lines */
    Regex *regex;
    bool has_from, has_until, newest_first;
    int64_t from_ns, until_ns;
    uint64_t limit, offset;
    Kept *items;
    size_t n, capacity, bytes;
    uint64_t came;
} Logs;

/* --- which lines ------------------------------------------------------------------------------ */

/* Both bounds where the reading begins are in, the other one is not. */
static bool in_time(const Logs *logs, int64_t ts_ns)
{
    if (!logs->newest_first)
        return (!logs->has_from || ts_ns >= logs->from_ns) &&
               (!logs->has_until || ts_ns < logs->until_ns);
    if (!logs->has_from)
        return ts_ns <= logs->until_ns;
    return ts_ns <= logs->from_ns && ts_ns > logs->until_ns;
}

static void read_times(Logs *logs)
{
    const Logs__TimeRangeLogFilter *range = logs->filter->time_range;
    logs->limit = MIN(logs->filter->limit, (uint64_t)KEPT_BYTES_MAX);
    if (!range)
        return;
    logs->has_from = range->from != NULL;
    logs->has_until = range->until != NULL;
    logs->from_ns = pb_timestamp_ns(range->from);
    logs->until_ns = pb_timestamp_ns(range->until);
    logs->offset = MIN(range->offset, (uint64_t)KEPT_BYTES_MAX); /* more lines are not kept */
    logs->newest_first = logs->has_until && (!logs->has_from || logs->from_ns > logs->until_ns);
}

/* Lines of jobs have no levels: what went wrong says so at its beginning. The server's have them
 * behind the time, as text or in JSON. */
static const char *severity_of(const PpsV2__LogMessage *line)
{
    bool is_error = str_starts(str(line->message), STR("errored ")) ||
                    (!*line->pipeline_name && (strstr(line->message, "Z error ") ||
                                               strstr(line->message, "\"severity\":\"error\"")));
    return is_error ? "error" : "info";
}

static bool has_level(const Logs *logs, const PpsV2__LogMessage *line)
{
    return logs->filter->level != LOGS__LOG_LEVEL__LOG_LEVEL_ERROR ||
           strcmp(severity_of(line), "error") == 0;
}

static Status passes(Ctx *ctx, const Logs *logs, const PpsV2__LogMessage *line, bool *out)
{
    const char *worker = logs->query.worker;
    *out = in_time(logs, pb_timestamp_ns(line->ts)) && has_level(logs, line) &&
           (line->user || !logs->filter->user_logs_only) &&
           (!worker || strcmp(worker, line->worker_id) == 0) && !(logs->masters && line->user);
    if (!*out || !logs->regex)
        return OK;
    bool found;
    TRY(regex_search(ctx, logs->regex, str(line->message), &found));
    *out = found != logs->filter->regex->negate;
    return OK;
}

/* --- keeping them ----------------------------------------------------------------------------- */

static int oldest_first(const void *a, const void *b)
{
    const Kept *x = a, *y = b;
    int order = (x->ts_ns > y->ts_ns) - (x->ts_ns < y->ts_ns);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

static int newest_first(const void *a, const void *b)
{
    return oldest_first(b, a);
}

/* In order, without those past the limit. */
static void sort_kept(Logs *logs)
{
    if (logs->n)
        qsort(logs->items, logs->n, sizeof(*logs->items),
              logs->newest_first ? newest_first : oldest_first);
    uint64_t most = logs->limit ? logs->limit + logs->offset : 0;
    for (; most && logs->n > most; logs->n--) {
        logs->bytes -= logs->items[logs->n - 1].packed.size;
        free((void *)(uintptr_t)logs->items[logs->n - 1].packed.data);
    }
}

static bool may_prune(const Logs *logs)
{
    return logs->limit && logs->n >= 2 * (logs->limit + logs->offset) + PRUNE_SLACK;
}

static Status keep(Logs *logs, Ctx *ctx, const PpsV2__LogMessage *line, bool of_server)
{
    bool wanted;
    TRY(passes(ctx, logs, line, &wanted));
    if (!wanted)
        return OK;
    if (may_prune(logs))
        sort_kept(logs);
    if (logs->n == logs->capacity) {
        logs->capacity = MAX(logs->capacity * 2, (size_t)256);
        logs->items = reallocarray(logs->items, logs->capacity, sizeof(*logs->items));
        if (!logs->items)
            abort();
    }
    Bytes packed = pb_pack_bytes(ctx, &line->base);
    uint8_t *copy = malloc(MAX(packed.size, (size_t)1));
    if (!copy)
        abort();
    memcpy(copy, packed.data, packed.size);
    logs->items[logs->n++] =
        (Kept){ pb_timestamp_ns(line->ts), logs->came++, of_server, bytes(copy, packed.size) };
    logs->bytes += packed.size;
    if (logs->bytes > KEPT_BYTES_MAX)
        return FAIL(ctx, RESOURCE_EXHAUSTED,
                    "more than %zu MiB of lines match: set a limit, or narrow the time range",
                    KEPT_BYTES_MAX / MiB);
    return OK;
}

/* --- where they are --------------------------------------------------------------------------- */

static Status keep_line(void *logs, Ctx *ctx, const PpsV2__LogMessage *line)
{
    return keep(logs, ctx, line, false);
}

static Status read_pipeline(Logs *logs, PpsV2__Pipeline *pipeline)
{
    Ctx *ctx = logs->call->ctx;
    PpsV2__GetLogsRequest request;
    PpsV2__Job job;
    PpsV2__Datum datum;
    pps_v2__get_logs_request__init(&request);
    pps_v2__job__init(&job);
    pps_v2__datum__init(&datum);
    int64_t first_ns = logs->newest_first ? (logs->has_from ? logs->until_ns : 0) : logs->from_ns;
    int64_t age_ns = clock_wall_ns() - first_ns + NS_PER_SEC;
    request.pipeline = pipeline;
    request.since = pb_duration(ctx, MAX(MIN(age_ns, AGE_NS_MAX), INT64_C(1)));
    request.master = logs->masters;
    if (logs->query.job) {
        job.pipeline = pipeline;
        job.id = arena_strdup(ctx->arena, logs->query.job);
        request.job = &job;
    }
    if (logs->query.datum) {
        datum.id = arena_strdup(ctx->arena, logs->query.datum);
        request.datum = &datum;
    }
    const PpsPending pending = { control_pending_datum, logs->call->api->config.control };
    Status s = pps_get_logs(ctx, logs->call->api->config.pps, &request, &pending, keep_line, logs);
    return s.code == STATUS_NOT_FOUND ? OK : s;
}

typedef struct Pipelines {
    const LogsQuery *query;
    Ctx *ctx; /* where they are kept */
    PpsV2__Pipeline **items;
    size_t n, capacity;
} Pipelines;

static Status add_pipeline(void *arg, Ctx *ctx, const PpsPipelineRow *row)
{
    (void)ctx;
    Pipelines *list = arg;
    const LogsQuery *query = list->query;
    if ((query->project && strcmp(query->project, row->project) != 0) ||
        (query->pipeline && strcmp(query->pipeline, row->name) != 0))
        return OK;
    if (list->n == list->capacity) {
        list->capacity = MAX(list->capacity * 2, (size_t)16);
        PpsV2__Pipeline **items = ARENA_NEW(list->ctx->arena, PpsV2__Pipeline *, list->capacity);
        if (!items)
            return STATUS(RESOURCE_EXHAUSTED);
        if (list->n)
            memcpy(items, list->items, list->n * sizeof(*items));
        list->items = items;
    }
    list->items[list->n++] = PB_CLONE(list->ctx, PpsV2__Pipeline, row->info->pipeline);
    return OK;
}

static Status read_pipelines(Logs *logs)
{
    Ctx *ctx = logs->call->ctx;
    Pipelines list = { .query = &logs->query, .ctx = ctx };
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, logs->call->api->config.pfs, &tx));
    TRY(pps_each_pipeline(ctx, tx, add_pipeline, &list));
    tx = pfs_rollback(tx);
    for (size_t i = 0; i < 2 * list.n; i++) {
        logs->masters = i % 2 != 0;
        if (logs->masters || !logs->query.masters_only)
            TRY(read_pipeline(logs, list.items[i / 2]));
    }
    logs->masters = false;
    return OK;
}

static Status read_server(Logs *logs)
{
    Ctx *ctx = logs->call->ctx;
    ArenaMark mark = arena_mark(ctx->arena);
    LogTailLine line;
    for (uint64_t at = 0; log_tail_next(ctx, logs->call->api->config.log, &at, &line);) {
        PpsV2__LogMessage message;
        pps_v2__log_message__init(&message);
        message.message = str_z(ctx->arena, line.text);
        message.ts = pb_timestamp(ctx, line.at_ns);
        TRY(keep(logs, ctx, &message, true));
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}

/* --- sending ---------------------------------------------------------------------------------- */

/* The line as workers write them: one JSON object, and the same as a message. */
static Status make_object(Ctx *ctx, const PpsV2__LogMessage *line, Logs__LogMessage *out)
{
    CLEANUP(buf_done) Buf json = { 0 };
    JsonValue *object;
    ProtobufCMessage *as_struct;
    TRY(pbjson_print(ctx, &line->base, NULL, &json));
    TRY(json_parse(ctx, buf_str(&json), &object));
    json_set(ctx->arena, object, STR("severity"), json_string(ctx->arena, str(severity_of(line))));
    TRY(pbjson_from_value(ctx, &google__protobuf__struct__descriptor, object, NULL, &as_struct));
    out->object = (Google__Protobuf__Struct *)(void *)as_struct;
    Str text = json_print(ctx->arena, object, (JsonStyle){ 0 });
    out->verbatim->line.data = (uint8_t *)(uintptr_t)text.data;
    out->verbatim->line.len = text.size;
    return OK;
}

static Status send_kept(Logs *logs, const Kept *kept)
{
    Ctx *ctx = logs->call->ctx;
    PpsV2__LogMessage *line;
    TRY(PB_UNPACK(ctx, pps_v2__log_message, kept->packed, &line));
    Logs__VerbatimLogMessage verbatim;
    Logs__LogMessage log;
    Logs__GetLogsResponse response;
    logs__verbatim_log_message__init(&verbatim);
    logs__log_message__init(&log);
    logs__get_logs_response__init(&response);
    log.verbatim = &verbatim;
    log.native_timestamp = verbatim.timestamp = line->ts;
    if (kept->of_server) {
        verbatim.line.data = (uint8_t *)line->message;
        verbatim.line.len = strlen(line->message);
    } else {
        TRY(make_object(ctx, line, &log));
    }
    log.pps_log_message = line;
    response.log = &log;
    response.response_type_case = LOGS__GET_LOGS_RESPONSE__RESPONSE_TYPE_LOG;
    return call_send(logs->call, &response.base);
}

/* The request that goes on from a line: which lines of its time were seen is told by their number.
 */
static Logs__GetLogsRequest *go_on_from(Logs *logs, int64_t ts_ns, uint64_t seen, bool newer)
{
    Ctx *ctx = logs->call->ctx;
    Logs__GetLogsRequest *request = PB_CLONE(ctx, Logs__GetLogsRequest, logs->request);
    if (!request->filter)
        request->filter = CALL_NEW(logs->call, Logs__LogFilter, logs__log_filter__init);
    Logs__TimeRangeLogFilter *range =
        CALL_NEW(logs->call, Logs__TimeRangeLogFilter, logs__time_range_log_filter__init);
    *(newer ? &range->from : &range->until) = pb_timestamp(ctx, ts_ns);
    range->offset = seen;
    request->filter->time_range = range;
    return request;
}

static uint64_t count_at(const Kept *items, size_t n, int64_t ts_ns)
{
    uint64_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += items[i].ts_ns == ts_ns;
    return count;
}

/* sent[n] were sent, after `skipped` of the first one's time. */
static Status send_hint(Logs *logs, const Kept *sent, size_t n, uint64_t skipped)
{
    if (!logs->request->want_paging_hint)
        return OK;
    int64_t now_ns = clock_wall_ns();
    int64_t first_ns = n ? sent[0].ts_ns : logs->has_from ? logs->from_ns : now_ns;
    int64_t last_ns = n ? sent[n - 1].ts_ns : logs->has_until ? logs->until_ns : now_ns;
    uint64_t first_seen = count_at(sent, n, first_ns);
    uint64_t last_seen = count_at(sent, n, last_ns) + (first_ns == last_ns ? skipped : 0);
    bool back = logs->newest_first;
    Logs__PagingHint hint;
    Logs__GetLogsResponse response;
    logs__paging_hint__init(&hint);
    logs__get_logs_response__init(&response);
    hint.older = go_on_from(logs, back ? last_ns : first_ns, back ? last_seen : first_seen, false);
    hint.newer = go_on_from(logs, back ? first_ns : last_ns, back ? first_seen : last_seen, true);
    response.paging_hint = &hint;
    response.response_type_case = LOGS__GET_LOGS_RESPONSE__RESPONSE_TYPE_PAGING_HINT;
    return call_send(logs->call, &response.base);
}

static Status send_all(Logs *logs)
{
    Ctx *ctx = logs->call->ctx;
    ArenaMark mark = arena_mark(ctx->arena);
    size_t from = 0;
    while (from < MIN(logs->n, logs->offset) && logs->items[from].ts_ns == logs->items[0].ts_ns)
        from++;
    size_t n = logs->n - from;
    n = logs->limit ? MIN(n, logs->limit) : n;
    for (size_t i = 0; i < n; i++) {
        TRY(send_kept(logs, &logs->items[from + i]));
        arena_rewind(ctx->arena, mark);
    }
    return send_hint(logs, logs->items + from, n, from);
}

static Status collect(Logs *logs)
{
    Ctx *ctx = logs->call->ctx;
    if (logs->filter->regex && *logs->filter->regex->pattern)
        TRY(regex_compile(ctx, str(logs->filter->regex->pattern), &logs->regex));
    if (logs->query.of_pipelines)
        TRY(read_pipelines(logs));
    if (logs->query.of_server)
        TRY(read_server(logs));
    sort_kept(logs);
    return send_all(logs);
}

static Status get_logs(Call *call, const void *request)
{
    static const Logs__LogFilter none = LOGS__LOG_FILTER__INIT;
    const Logs__GetLogsRequest *r = request;
    Logs logs = { .call = call, .request = r, .filter = r->filter ? r->filter : &none };
    TRY(logs_query_read(call->ctx, r->query, &logs.query));
    read_times(&logs);
    Status s = collect(&logs);
    for (size_t i = 0; i < logs.n; i++)
        free((void *)(uintptr_t)logs.items[i].packed.data);
    free(logs.items);
    regex_free(logs.regex);
    return s;
}

static const ApiMethod methods[] = { { .path = "/logs.API/GetLogs", .stream = get_logs } };

const ApiTable api_logs_table = { methods, ARRAY_LEN(methods) };
