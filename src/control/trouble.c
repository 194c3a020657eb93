/* trouble.c - workers that came and can run nothing: the machine gives no sandbox and one is
 * required, or another worker has its /pfs. They get no leases, and stay until that is over. While
 * one of a group can run, the others stand aside and nothing is said; else their pipelines crash
 * with the reason. */
#include "base/text.h"
#include "control/control_priv.h"

const char *trouble_of_group(const Control *control, const char *group, size_t expected)
{
    const char *trouble = NULL;
    size_t count = 0;
    for (const ControlSession *session = control->sessions; session; session = session->next) {
        if (control->engine && strcmp(session->group, group) != 0)
            continue;
        if (!session->trouble)
            return NULL;
        trouble = session->trouble;
        count++;
    }
    return count >= expected ? trouble : NULL;
}

/* How many are there, joined or not: one that is still to join may be the one that can. */
static size_t count_alive(Ctx *ctx, Control *control)
{
    EngineWorker *workers;
    size_t n = 0, alive = 0;
    if (!control->engine || !status_ok(control->engine->ops->list(
                                control->engine, ctx, ENGINE_GROUP_LOCAL, &workers, &n)))
        return 0;
    for (size_t i = 0; i < n; i++)
        alive += workers[i].alive;
    return alive;
}

static bool is_any_troubled(Control *control)
{
    LOCKED(&control->lock);
    return trouble_of_group(control, ENGINE_GROUP_LOCAL, 1) != NULL;
}

const char *workers_trouble(Ctx *ctx, Control *control)
{
    if (!is_any_troubled(control))
        return NULL;
    size_t alive = count_alive(ctx, control);
    LOCKED(&control->lock);
    const char *trouble = trouble_of_group(control, ENGINE_GROUP_LOCAL, MAX(alive, (size_t)1));
    return trouble ? text_printf(ctx->arena, "no worker can run: %s", trouble) : NULL;
}
