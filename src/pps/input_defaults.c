/* input_defaults.c - what an input is when the user does not say (pps.md §5.2); see input.h. */
#include "pps/input.h"

#include <stdlib.h>

#include "base/text.h"
#include "codec/path.h"
#include "codec/pbtime.h"

/* --- order ------------------------------------------------------------------------------------ */

/* As the user gave it: an unnamed input sorts first, a composite goes by its first child, a cron
 * input has none. */
static const char *sort_name(const PpsV2__Input *node)
{
    for (;;) {
        InputChildren children = input_children(node);
        if (!children.n)
            return node->pfs ? node->pfs->name : "";
        node = children.items[0];
    }
}

typedef struct Sortable {
    PpsV2__Input *node;
    const char *name;
    size_t position;
} Sortable;

static int sortable_cmp(const void *a, const void *b)
{
    const Sortable *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->position > y->position) - (x->position < y->position);
}

static void sort_tree(Ctx *ctx, PpsV2__Input *node)
{
    InputChildren children = input_children(node);
    if (!children.n)
        return;
    Sortable *sortable = arena_must(ctx->arena, children.n * sizeof(*sortable));
    for (size_t i = 0; i < children.n; i++) {
        sort_tree(ctx, children.items[i]);
        sortable[i] = (Sortable){ children.items[i], sort_name(children.items[i]), i };
    }
    qsort(sortable, children.n, sizeof(*sortable), sortable_cmp);
    for (size_t i = 0; i < children.n; i++)
        children.items[i] = sortable[i].node;
}

/* --- values ----------------------------------------------------------------------------------- */

/* Trigger branches made so far, per repo, in visiting order. */
typedef struct TriggerCount {
    const char *repo;
    unsigned n;
} TriggerCount;

typedef struct Defaults {
    const PpsV2__Pipeline *pipeline;
    int64_t now_ns;
    TriggerCount *triggers; /* [INPUT_NODES_MAX] is the bound; grown as needed */
    size_t trigger_count, trigger_capacity;
} Defaults;

static bool is_empty(const char *text)
{
    return !text || !*text;
}

static void default_to(Ctx *ctx, char **field, const char *value)
{
    if (is_empty(*field))
        *field = arena_strdup(ctx->arena, value);
}

static unsigned next_trigger(Ctx *ctx, Defaults *defaults, const char *repo)
{
    for (size_t i = 0; i < defaults->trigger_count; i++)
        if (!strcmp(defaults->triggers[i].repo, repo))
            return ++defaults->triggers[i].n;
    if (defaults->trigger_count == defaults->trigger_capacity) {
        size_t capacity = MAX(8, 2 * defaults->trigger_capacity);
        TriggerCount *grown = arena_must(ctx->arena, capacity * sizeof(*grown));
        if (defaults->trigger_count)
            memcpy(grown, defaults->triggers, defaults->trigger_count * sizeof(*grown));
        defaults->triggers = grown;
        defaults->trigger_capacity = capacity;
    }
    defaults->triggers[defaults->trigger_count++] = (TriggerCount){ repo, 1 };
    return 1;
}

static void fill_pfs(Ctx *ctx, Defaults *defaults, PpsV2__PFSInput *pfs)
{
    if (is_empty(pfs->branch) && pfs->trigger) {
        pfs->branch = text_printf(ctx->arena, "%s-trigger-%u", defaults->pipeline->name,
                                  next_trigger(ctx, defaults, pfs->repo));
        default_to(ctx, &pfs->trigger->branch, "master");
    }
    default_to(ctx, &pfs->branch, "master");
    default_to(ctx, &pfs->name, pfs->repo);
    default_to(ctx, &pfs->repo_type, "user");
    default_to(ctx, &pfs->project, defaults->pipeline->project->name);
    if (!is_empty(pfs->glob))
        pfs->glob = str_z(ctx->arena, path_clean(ctx, str(pfs->glob)));
}

static void fill_cron(Ctx *ctx, Defaults *defaults, PpsV2__CronInput *cron)
{
    if (!cron->start)
        cron->start = pb_timestamp(ctx, defaults->now_ns);
    if (is_empty(cron->repo))
        cron->repo = text_printf(ctx->arena, "%s_%s", defaults->pipeline->name, cron->name);
    default_to(ctx, &cron->project, defaults->pipeline->project->name);
}

static Status fill_node(void *arg, Ctx *ctx, PpsV2__Input *node)
{
    if (node->pfs)
        fill_pfs(ctx, arg, node->pfs);
    if (node->cron)
        fill_cron(ctx, arg, node->cron);
    return OK;
}

void input_fill_defaults(Ctx *ctx, PpsV2__Input *input, const PpsV2__Pipeline *pipeline,
                         int64_t now_ns)
{
    if (!input)
        return;
    sort_tree(ctx, input);
    Defaults defaults = { .pipeline = pipeline, .now_ns = now_ns };
    Status filled = input_visit(ctx, input, fill_node, &defaults);
    assert(status_ok(filled)); /* fill_node has no way to fail */
    (void)filled;
}
