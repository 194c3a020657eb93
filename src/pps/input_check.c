/* input_check.c - the rules an input must keep, in the reference's order and words (pps.md §5.3);
 * see input.h. */
#include "pps/input.h"

#include "codec/cron.h"

/* --- names: each once, but siblings of a union may repeat each other's ------------------------ */

typedef struct SeenName {
    const char *name;
    bool hidden; /* belongs to a sibling within a union */
} SeenName;

typedef struct Names {
    SeenName items[INPUT_NODES_MAX];
    size_t n;
} Names;

static Status add_name(Ctx *ctx, Names *names, const char *name)
{
    if (!*name)
        return FAIL(ctx, UNKNOWN, "input must specify a name");
    if (!strcmp(name, "out") || !strcmp(name, ".env"))
        return FAIL(ctx, UNKNOWN, "input cannot be named %s", name);
    for (size_t i = 0; i < names->n; i++)
        if (!names->items[i].hidden && !strcmp(names->items[i].name, name))
            return FAIL(ctx, UNKNOWN, "name \"%s\" was used more than once", name);
    names->items[names->n++] = (SeenName){ name, false };
    return OK;
}

static Status check_names(Ctx *ctx, Names *names, const PpsV2__Input *node)
{
    if (node->pfs)
        return add_name(ctx, names, node->pfs->name);
    if (node->cron)
        return add_name(ctx, names, node->cron->name);
    bool is_union = input_kind(node) == INPUT_UNION;
    size_t from = names->n;
    InputChildren children = input_children(node);
    for (size_t i = 0; i < children.n; i++) {
        for (size_t k = from; is_union && k < names->n; k++)
            names->items[k].hidden = true;
        TRY(check_names(ctx, names, children.items[i]));
    }
    for (size_t k = from; is_union && k < names->n; k++)
        names->items[k].hidden = false;
    return OK;
}

/* --- nodes, children first -------------------------------------------------------------------- */

static Status check_pfs(Ctx *ctx, const PpsV2__PFSInput *pfs)
{
    bool is_root = !strcmp(pfs->glob, "/");
    const struct {
        bool broken;
        const char *message;
    } rules[] = {
        { !*pfs->name, "input must specify a name" },
        { !*pfs->repo, "input must specify a repo" },
        { !*pfs->branch, "input must specify a branch" },
        { !*pfs->glob && !pfs->s3, "input must specify a glob" },
        { pfs->s3 && !is_root, "inputs that set 's3' to 'true' must also set 'glob', to \"/\"" },
        { pfs->s3 && pfs->lazy, "input cannot specify both 's3' and 'lazy'" },
        { pfs->s3 && pfs->empty_files, "input cannot specify both 's3' and 'empty_files'" },
        { *pfs->commit,
          "input cannot come from a commit; use a branch with head pointing to the commit" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (rules[i].broken)
            return FAIL(ctx, UNKNOWN, "%s", rules[i].message);
    return OK;
}

static Status check_cron(Ctx *ctx, const PpsV2__CronInput *cron)
{
    Cron parsed;
    TRY_WRAP(ctx, cron_parse(ctx, str(cron->spec), &parsed), "error parsing cron-spec");
    return OK;
}

static const char *no_s3_below(const PpsV2__Input *node)
{
    switch (input_kind(node)) {
    case INPUT_JOIN:
        return "join";
    case INPUT_GROUP:
        return "group";
    case INPUT_UNION:
        return "union";
    case INPUT_NONE:
    case INPUT_PFS:
    case INPUT_CRON:
    case INPUT_CROSS:
        break;
    }
    return NULL;
}

static Status check_node(Ctx *ctx, const PpsV2__Input *node)
{
    int kinds = (node->pfs != NULL) + (node->cron != NULL) + (node->n_cross > 0) +
                (node->n_union_ > 0) + (node->n_join > 0) + (node->n_group > 0);
    if (kinds == 0)
        return FAIL(ctx, UNKNOWN, "no input set");
    InputChildren children = input_children(node);
    for (size_t i = 0; i < children.n; i++)
        TRY(check_node(ctx, children.items[i]));
    if (node->pfs)
        TRY(check_pfs(ctx, node->pfs));
    if (kinds > 1)
        return FAIL(ctx, UNKNOWN, "multiple input types set");
    const char *composite = no_s3_below(node);
    if (composite && input_has_s3(node))
        return FAIL(ctx, UNKNOWN, "S3 inputs in %s expressions are not supported", composite);
    if (node->cron)
        TRY(check_cron(ctx, node->cron));
    return OK;
}

Status input_check(Ctx *ctx, const PpsV2__Input *input)
{
    if (!input)
        return OK;
    Names *names = ARENA_NEW(ctx->arena, Names, 1);
    if (!names)
        return STATUS(RESOURCE_EXHAUSTED);
    TRY(check_names(ctx, names, input));
    return check_node(ctx, input);
}
