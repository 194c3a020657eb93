/* cron.c - ticks of cron inputs when they are due (§20). Missed ticks collapse into one. The
 * control thread's own. */
#include "control/control_priv.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "codec/cron.h"

static void timer_free(CronTimer *timer)
{
    free(timer->name);
    free(timer);
}

void control_forget_crons(Control *control)
{
    while (control->crons) {
        CronTimer *next = control->crons->next;
        timer_free(control->crons);
        control->crons = next;
    }
}

static CronTimer *find_timer(Control *control, int64_t pipeline, uint64_t version, const char *name)
{
    for (CronTimer *timer = control->crons; timer; timer = timer->next) {
        if (timer->pipeline == pipeline && timer->version == version &&
            strcmp(timer->name, name) == 0)
            return timer;
    }
    return NULL;
}

/* The first tick after `after_ns`, or INT64_MAX. */
static Status next_tick(Ctx *ctx, const PpsV2__CronInput *cron, int64_t after_ns, int64_t *out_ns)
{
    Cron schedule;
    TRY_WRAP(ctx, cron_parse(ctx, str(cron->spec), &schedule), "error parsing cron-spec");
    if (!cron_next(&schedule, after_ns, out_ns))
        *out_ns = INT64_MAX;
    return OK;
}

typedef struct CronPass {
    Control *control;
    const PpsPipelineRow *row;
    CronTimer *kept; /* timers of the new list */
    int64_t now_ns, next_ns;
} CronPass;

static Status tick_if_due(Ctx *ctx, CronPass *pass, CronTimer *timer, const PpsV2__CronInput *cron)
{
    if (timer->next_ns > pass->now_ns)
        return OK;
    /* The newest tick that is due: one commit for all that were missed. */
    int64_t due_ns = timer->next_ns, following_ns;
    TRY(next_tick(ctx, cron, due_ns, &following_ns));
    for (int i = 0; following_ns <= pass->now_ns && i < 1000; i++) {
        due_ns = following_ns;
        TRY(next_tick(ctx, cron, due_ns, &following_ns));
    }
    if (following_ns <= pass->now_ns)
        TRY(next_tick(ctx, cron, due_ns = pass->now_ns, &following_ns));
    TRY(pps_cron_tick(ctx, pass->control->pps, cron, due_ns));
    timer->next_ns = following_ns;
    return OK;
}

static Status make_timer(Ctx *ctx, CronPass *pass, const PpsV2__CronInput *cron, CronTimer **out)
{
    int64_t last_ns;
    TRY(pps_cron_last(ctx, pass->control->pps, cron, &last_ns));
    CronTimer *timer = calloc(1, sizeof(*timer));
    if (!timer)
        return STATUS(RESOURCE_EXHAUSTED);
    timer->pipeline = pass->row->id;
    timer->version = pass->row->version;
    timer->name = strdup(cron->name);
    Status s = next_tick(ctx, cron, last_ns, &timer->next_ns);
    if (!status_ok(s)) {
        timer_free(timer);
        return s;
    }
    *out = timer;
    return OK;
}

static void unlink_timer(Control *control, CronTimer *timer)
{
    CronTimer **at = &control->crons;
    while (*at && *at != timer)
        at = &(*at)->next;
    if (*at)
        *at = timer->next;
}

static Status see_input(void *arg, Ctx *ctx, PpsV2__Input *node)
{
    CronPass *pass = arg;
    if (input_kind(node) != INPUT_CRON)
        return OK;
    CronTimer *timer =
        find_timer(pass->control, pass->row->id, pass->row->version, node->cron->name);
    if (timer)
        unlink_timer(pass->control, timer);
    else
        TRY(make_timer(ctx, pass, node->cron, &timer));
    timer->next = pass->kept;
    pass->kept = timer;
    Status s = tick_if_due(ctx, pass, timer, node->cron);
    if (!status_ok(s)) {
        LOG_WARN(ctx, "could not tick a cron input", "pipeline=%s/%s input=%s reason=%s",
                 pass->row->project, pass->row->name, node->cron->name, status_message(s));
        timer->next_ns = pass->now_ns + NS_PER_SEC;
    }
    pass->next_ns = MIN(pass->next_ns, timer->next_ns);
    return OK;
}

typedef struct CronRows {
    PpsPipelineRow *rows;
    size_t n, capacity;
} CronRows;

static Status keep_cron_pipeline(void *arg, Ctx *ctx, const PpsPipelineRow *row)
{
    CronRows *rows = arg;
    if (!row->info->details->input)
        return OK;
    if (rows->n == rows->capacity) {
        size_t capacity = MAX(rows->capacity * 2, (size_t)16);
        PpsPipelineRow *items = ARENA_NEW(ctx->arena, PpsPipelineRow, capacity);
        if (!items)
            return STATUS(RESOURCE_EXHAUSTED);
        if (rows->n)
            memcpy(items, rows->rows, rows->n * sizeof(*items));
        rows->rows = items;
        rows->capacity = capacity;
    }
    rows->rows[rows->n++] = *row;
    return OK;
}

Status control_tick(Ctx *ctx, Control *control, int64_t *out_next_ns)
{
    CronRows rows = { 0 };
    {
        CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
        TRY(pfs_begin_read(ctx, pps_pfs(control->pps), &tx));
        TRY(pps_each_cron_pipeline(ctx, tx, keep_cron_pipeline, &rows));
    }
    CronPass pass = { .control = control, .now_ns = clock_wall_ns(), .next_ns = INT64_MAX };
    Status s = OK;
    for (size_t i = 0; status_ok(s) && i < rows.n; i++) {
        pass.row = &rows.rows[i];
        s = input_visit(ctx, rows.rows[i].info->details->input, see_input, &pass);
    }
    control_forget_crons(control); /* what was not kept belongs to no live pipeline */
    control->crons = pass.kept;
    *out_next_ns = pass.next_ns;
    return s;
}
