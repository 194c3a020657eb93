/* ask.c - what the API asks of the controller: who works on what now, and to end a datum's try.
 *
 * What is at work is copied out under the lock; the records of datums are read after, as that is
 * I/O.
 */
#include "base/clock.h"
#include "base/text.h"
#include "codec/json.h"
#include "control/control_priv.h"

#include <openssl/crypto.h>

/* A lease, or a set that waits for one. */
typedef struct SetAtWork {
    int64_t job;
    const char *project, *pipeline, *set_id;
    uint64_t version;
    const char *worker_id; /* NULL: it waits */
    const char *datum_id;  /* at work; "" none */
    int64_t started_ns;
    uint64_t lease;
    Hash todo;
    DatumRange range;
} SetAtWork;

typedef struct SetList {
    SetAtWork *items;
    size_t n;
} SetList;

/* --- copying out ------------------------------------------------------------------------------ */

static SetAtWork set_of(Ctx *ctx, const JobRun *run, DatumRange range)
{
    return (SetAtWork){ .job = run->id,
                        .project = arena_strdup(ctx->arena, run->job.project),
                        .pipeline = arena_strdup(ctx->arena, run->job.pipeline),
                        .set_id = arena_strdup(ctx->arena, run->job.set_id),
                        .version = run->job.version,
                        .datum_id = "",
                        .todo = run->plan.todo,
                        .range = range };
}

static void add_lease(Ctx *ctx, const Lease *lease, SetList *list)
{
    SetAtWork *set = &list->items[list->n++];
    *set = set_of(ctx, lease->run, lease->range);
    set->worker_id = arena_strdup(ctx->arena, lease->session->worker_id);
    set->datum_id = arena_strdup(ctx->arena, lease->running);
    set->started_ns = lease->running_since_ns;
    set->lease = lease->id;
}

static size_t waiting_count(const JobRun *run)
{
    if (!run->offered)
        return 0;
    size_t left = run->next_range < run->range_count ? run->range_count - run->next_range : 0;
    return left + run->returned_count;
}

static void add_waiting(Ctx *ctx, const JobRun *run, SetList *list)
{
    for (size_t i = 0; i < run->returned_count; i++)
        list->items[list->n++] = set_of(ctx, run, run->returned[i]);
    for (size_t i = run->next_range; i < run->range_count; i++)
        list->items[list->n++] = set_of(ctx, run, run->ranges[i]);
}

/* With the lock held: leases of a job (0: all), and (waiting) sets that nobody has yet. */
static Status copy_sets(Ctx *ctx, const Control *control, int64_t job, bool waiting, SetList *out)
{
    size_t most = 1;
    for (const Lease *lease = control->leases; lease; lease = lease->next)
        most++;
    for (const JobRun *run = control->runs; waiting && run; run = run->next)
        most += waiting_count(run);
    *out = (SetList){ ARENA_NEW(ctx->arena, SetAtWork, most), 0 };
    if (!out->items)
        return STATUS(RESOURCE_EXHAUSTED);
    for (const Lease *lease = control->leases; lease; lease = lease->next) {
        if (!job || lease->run->id == job)
            add_lease(ctx, lease, out);
    }
    for (const JobRun *run = control->runs; waiting && run; run = run->next) {
        if (waiting_count(run) && (!job || run->id == job))
            add_waiting(ctx, run, out);
    }
    return OK;
}

typedef struct DatumSearch {
    Ctx *ctx; /* where files go */
    const char *id;
    PpsV2__InputFile **files;
    size_t n;
    bool found;
} DatumSearch;

static Status see_datum(void *arg, Ctx *ctx, const DatumRecord *record)
{
    (void)ctx;
    DatumSearch *search = arg;
    char hex[HASH_HEX_SIZE];
    if (search->found || strcmp(hash_hex(&record->datum.id, hex), search->id) != 0)
        return OK;
    search->found = true;
    return pps_input_files(search->ctx, &record->datum, &search->files, &search->n);
}

/* What the datum at work reads. */
static Status find_datum(Ctx *ctx, Control *control, const SetAtWork *set, DatumSearch *out)
{
    *out = (DatumSearch){ .ctx = ctx, .id = set->datum_id };
    if (!*set->datum_id)
        return OK;
    CLEANUP(ctx_done) Ctx scratch;
    ctx_scratch(&scratch, ctx);
    return status_copy(ctx, plan_each_todo(&scratch, &control->content.io, &set->todo,
                                           set->range.from, set->range.to, see_datum, out));
}

/* --- workers ---------------------------------------------------------------------------------- */

static Status worker_status(Ctx *ctx, Control *control, const SetAtWork *set,
                            PpsV2__WorkerStatus **out)
{
    PpsV2__WorkerStatus *status = PB_NEW(ctx, pps_v2__worker_status, PpsV2__WorkerStatus);
    status->worker_id = arena_strdup(ctx->arena, set->worker_id);
    status->job_id = arena_strdup(ctx->arena, set->set_id);
    *out = status;
    if (!*set->datum_id)
        return OK;
    DatumSearch search;
    TRY(find_datum(ctx, control, set, &search));
    status->datum_status = PB_NEW(ctx, pps_v2__datum_status, PpsV2__DatumStatus);
    status->datum_status->started = pb_timestamp(ctx, set->started_ns);
    status->datum_status->data = search.files;
    status->datum_status->n_data = search.n;
    return OK;
}

Status control_worker_status(Ctx *ctx, Control *control, int64_t job, PpsV2__WorkerStatus ***out,
                             size_t *out_n)
{
    SetList sets;
    {
        LOCKED(&control->lock);
        TRY(copy_sets(ctx, control, job, false, &sets));
    }
    *out_n = 0;
    *out = ARENA_NEW(ctx->arena, PpsV2__WorkerStatus *, sets.n + 1);
    if (!*out)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < sets.n; i++)
        TRY(worker_status(ctx, control, &sets.items[i], &(*out)[(*out_n)++]));
    return OK;
}

/* --- pipelines -------------------------------------------------------------------------------- */

static void fill_service(Ctx *ctx, const Control *control, PpsV2__Service *service)
{
    if (service && control->has_address)
        service->ip = arena_strdup(ctx->arena, control->address.shown_host);
}

void control_describe(Ctx *ctx, Control *control, int64_t pipeline, PpsV2__PipelineInfo *info)
{
    PpsV2__PipelineInfo__Details *details = info->details;
    if (!details)
        return;
    LOCKED(&control->lock);
    fill_service(ctx, control, details->service);
    fill_service(ctx, control, details->spout ? details->spout->service : NULL);
    bool serves = serve_is_wanted(info), served = false;
    for (const JobRun *run = control->runs; run; run = run->next) {
        if (run->pipeline != pipeline)
            continue;
        served = served || run->is_served;
        details->unclaimed_tasks += run->serves ? 0 : (int64_t)waiting_count(run);
    }
    if (serves)
        details->workers_available = served;
}

/* --- tasks ------------------------------------------------------------------------------------ */

/* As Go's url.QueryEscape writes it. */
static void add_escaped(Buf *out, const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    for (; *text; text++) {
        if (strchr(plain, *text))
            buf_add_u8(out, (uint8_t)*text);
        else
            buf_printf(out, "%%%02X", (unsigned char)*text);
    }
}

static char *task_namespace(Ctx *ctx, const SetAtWork *set)
{
    CLEANUP(buf_done) Buf out = { 0 };
    buf_printf(&out, "processing/pipeline-");
    add_escaped(&out, text_printf(ctx->arena, "%s/%s@%08llu", set->project, set->pipeline,
                                  (unsigned long long)set->version));
    return str_z(ctx->arena, buf_str(&out));
}

static char *task_input(Ctx *ctx, const SetAtWork *set)
{
    JsonValue *input = json_object(ctx->arena);
    json_set(ctx->arena, input, STR("firstDatum"),
             json_string(ctx->arena, str(text_printf(ctx->arena, "%llu",
                                                     (unsigned long long)set->range.from))));
    json_set(ctx->arena, input, STR("endDatum"),
             json_string(ctx->arena,
                         str(text_printf(ctx->arena, "%llu", (unsigned long long)set->range.to))));
    if (set->worker_id)
        json_set(ctx->arena, input, STR("workerId"), json_string(ctx->arena, str(set->worker_id)));
    return str_z(ctx->arena, json_print(ctx->arena, input, (JsonStyle){ 0 }));
}

static Taskapi__TaskInfo *task_of(Ctx *ctx, const SetAtWork *set)
{
    Taskapi__TaskInfo *task = PB_NEW(ctx, taskapi__task_info, Taskapi__TaskInfo);
    task->group = PB_NEW(ctx, taskapi__group, Taskapi__Group);
    task->group->namespace_ = task_namespace(ctx, set);
    task->group->group = arena_strdup(ctx->arena, set->set_id);
    task->id = text_printf(ctx->arena, "%s-%llu", set->set_id, (unsigned long long)set->range.from);
    task->state = set->worker_id ? TASKAPI__STATE__CLAIMED : TASKAPI__STATE__RUNNING;
    task->input_type = arena_strdup(ctx->arena, "type.googleapis.com/procavia.work.WorkSet");
    task->input_data = task_input(ctx, set);
    return task;
}

static bool is_asked(const Taskapi__Group *asked, const Taskapi__Group *group)
{
    if (!asked)
        return true;
    return (!*asked->namespace_ || strcmp(asked->namespace_, group->namespace_) == 0) &&
           (!*asked->group || strcmp(asked->group, group->group) == 0);
}

Status control_list_tasks(Ctx *ctx, Control *control, const Taskapi__Group *group, ControlTaskFn fn,
                          void *arg)
{
    SetList sets;
    {
        LOCKED(&control->lock);
        TRY(copy_sets(ctx, control, 0, true, &sets));
    }
    for (size_t i = 0; i < sets.n; i++) {
        ArenaMark mark = arena_mark(ctx->arena);
        const Taskapi__TaskInfo *task = sets.items[i].job > 0 ? task_of(ctx, &sets.items[i]) : NULL;
        if (task && is_asked(group, task->group))
            TRY(fn(arg, ctx, task));
        arena_rewind(ctx->arena, mark);
    }
    return OK;
}

/* --- who a caller is -------------------------------------------------------------------------- */

static bool same_token(const char *a, const char *b)
{
    size_t size = strlen(a);
    return size && size == strlen(b) && CRYPTO_memcmp(a, b, size) == 0;
}

const char *control_user_of(Ctx *ctx, Control *control, const char *token)
{
    LOCKED(&control->lock);
    for (const JobRun *run = control->runs; run; run = run->next) {
        if (run->user && same_token(run->token, token))
            return arena_strdup(ctx->arena, run->user);
    }
    return NULL;
}

/* --- restarting a datum (§26.11) -------------------------------------------------------------- */

static bool order_restart(Control *control, const SetAtWork *set)
{
    LOCKED(&control->lock);
    Lease *lease = queue_find_lease(control, set->lease);
    if (!lease || strcmp(lease->running, set->datum_id) != 0)
        return false;
    snprintf(lease->restart, sizeof(lease->restart), "%s", set->datum_id);
    pthread_cond_signal(&lease->session->wake);
    return true;
}

static Status no_such_datum(Ctx *ctx, const PpsV2__RestartDatumRequest *request)
{
    const char *const *filters = (const char *const *)request->data_filters;
    return FAIL(ctx, UNKNOWN, "datum matching filter [%s] could not be found for job ID %s",
                text_join(ctx->arena, filters, request->n_data_filters, " "), request->job->id);
}

Status control_restart_datum(Ctx *ctx, Control *control, const PpsV2__RestartDatumRequest *request)
{
    if (!request->job)
        return FAIL(ctx, UNKNOWN, "must specify a job");
    PpsJobRow job;
    {
        CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
        TRY(pfs_begin_read(ctx, pps_pfs(control->pps), &tx));
        TRY(pps_find_job(ctx, tx, request->job, &job));
    }
    SetList sets;
    {
        LOCKED(&control->lock);
        TRY(copy_sets(ctx, control, job.id, false, &sets));
    }
    size_t restarted = 0;
    for (size_t i = 0; i < sets.n; i++) {
        DatumSearch search;
        TRY(find_datum(ctx, control, &sets.items[i], &search));
        if (search.found &&
            pps_data_match(request->data_filters, request->n_data_filters, search.files, search.n))
            restarted += order_restart(control, &sets.items[i]);
    }
    return restarted ? OK : no_such_datum(ctx, request);
}
