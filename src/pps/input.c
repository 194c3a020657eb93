/* input.c - looking at input trees and copying them; see input.h. */
#include "pps/input.h"

#include "base/text.h"
#include "codec/pb.h"

InputKind input_kind(const PpsV2__Input *node)
{
    if (!node)
        return INPUT_NONE;
    if (node->pfs)
        return INPUT_PFS;
    if (node->cron)
        return INPUT_CRON;
    if (node->n_cross)
        return INPUT_CROSS;
    if (node->n_union_)
        return INPUT_UNION;
    if (node->n_join)
        return INPUT_JOIN;
    return node->n_group ? INPUT_GROUP : INPUT_NONE;
}

InputChildren input_children(const PpsV2__Input *node)
{
    switch (input_kind(node)) {
    case INPUT_CROSS:
        return (InputChildren){ node->cross, node->n_cross };
    case INPUT_UNION:
        return (InputChildren){ node->union_, node->n_union_ };
    case INPUT_JOIN:
        return (InputChildren){ node->join, node->n_join };
    case INPUT_GROUP:
        return (InputChildren){ node->group, node->n_group };
    case INPUT_NONE:
    case INPUT_PFS:
    case INPUT_CRON:
        break;
    }
    return (InputChildren){ NULL, 0 };
}

/* All lists of a node, also of one that wrongly sets several. */
static Status check_size(Ctx *ctx, const PpsV2__Input *node, size_t depth, size_t *nodes)
{
    if (depth > INPUT_DEPTH_MAX)
        return FAIL(ctx, INVALID_ARGUMENT, "input is nested more than %d levels deep",
                    INPUT_DEPTH_MAX);
    if (++*nodes > INPUT_NODES_MAX)
        return FAIL(ctx, INVALID_ARGUMENT, "input has more than %d parts", INPUT_NODES_MAX);
    const InputChildren lists[] = { { node->cross, node->n_cross },
                                    { node->union_, node->n_union_ },
                                    { node->join, node->n_join },
                                    { node->group, node->n_group } };
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        for (size_t k = 0; k < lists[i].n; k++)
            TRY(check_size(ctx, lists[i].items[k], depth + 1, nodes));
    return OK;
}

Status input_check_size(Ctx *ctx, const PpsV2__Input *input)
{
    size_t nodes = 0;
    return input ? check_size(ctx, input, 1, &nodes) : OK;
}

Status input_visit(Ctx *ctx, PpsV2__Input *input, InputFn fn, void *arg)
{
    if (!input)
        return OK;
    InputChildren children = input_children(input);
    for (size_t i = 0; i < children.n; i++)
        TRY(input_visit(ctx, children.items[i], fn, arg));
    return fn(arg, ctx, input);
}

const PpsV2__PFSInput *input_leaf(Ctx *ctx, const PpsV2__Input *node)
{
    if (input_kind(node) != INPUT_CRON)
        return node ? node->pfs : NULL;
    static char type[] = "user", branch[] = "master", glob[] = "/*";
    PpsV2__PFSInput *leaf = PB_NEW(ctx, pps_v2__pfsinput, PpsV2__PFSInput);
    leaf->name = node->cron->name;
    leaf->project = node->cron->project;
    leaf->repo = node->cron->repo;
    leaf->commit = node->cron->commit;
    leaf->repo_type = type;
    leaf->branch = branch;
    leaf->glob = glob;
    return leaf;
}

/* --- branches --------------------------------------------------------------------------------- */

typedef struct BranchList {
    InputBranch *items;
    size_t n;
} BranchList;

static PfsV2__Branch *branch_of(Ctx *ctx, const PpsV2__PFSInput *leaf)
{
    PfsV2__Branch *branch = PB_NEW(ctx, pfs_v2__branch, PfsV2__Branch);
    branch->repo = PB_NEW(ctx, pfs_v2__repo, PfsV2__Repo);
    branch->repo->project = PB_NEW(ctx, pfs_v2__project, PfsV2__Project);
    branch->repo->project->name = leaf->project;
    branch->repo->name = leaf->repo;
    branch->repo->type = arena_strdup(ctx->arena, "user");
    branch->name = leaf->branch;
    return branch;
}

static Status count_leaf(void *arg, Ctx *ctx UNUSED, PpsV2__Input *node)
{
    *(size_t *)arg += input_children(node).n == 0;
    return OK;
}

static Status add_branch(void *arg, Ctx *ctx, PpsV2__Input *node)
{
    BranchList *list = arg;
    const PpsV2__PFSInput *leaf = input_leaf(ctx, node);
    if (!leaf)
        return OK;
    PfsV2__Branch *branch = branch_of(ctx, leaf);
    bool never = leaf->propagation_spec && leaf->propagation_spec->never;
    for (size_t i = 0; i < list->n; i++) {
        if (pb_equal(&list->items[i].branch->base, &branch->base)) {
            list->items[i].propagate |= !never; /* one that wants to be told is */
            return OK;
        }
    }
    list->items[list->n++] = (InputBranch){
        .branch = branch,
        .propagate = !never,
        .is_cron = node->cron != NULL,
        .trigger = leaf->trigger,
    };
    return OK;
}

Status input_branches(Ctx *ctx, PpsV2__Input *input, InputBranch **out, size_t *out_n)
{
    size_t leaves = 0;
    TRY(input_visit(ctx, input, count_leaf, &leaves));
    BranchList list = { ARENA_NEW(ctx->arena, InputBranch, leaves), 0 };
    if (!list.items)
        return STATUS(RESOURCE_EXHAUSTED);
    TRY(input_visit(ctx, input, add_branch, &list));
    *out = list.items;
    *out_n = list.n;
    return OK;
}

/* --- for a job -------------------------------------------------------------------------------- */

static void set_commit(PpsV2__Input *node, char *commit_id)
{
    if (node->pfs)
        node->pfs->commit = commit_id;
    if (node->cron)
        node->cron->commit = commit_id;
    InputChildren children = input_children(node);
    for (size_t i = 0; i < children.n; i++)
        set_commit(children.items[i], commit_id);
}

PpsV2__Input *input_with_commit(Ctx *ctx, const PpsV2__Input *input, const char *commit_id)
{
    PpsV2__Input *copy = PB_CLONE(ctx, PpsV2__Input, input);
    if (copy)
        set_commit(copy, arena_strdup(ctx->arena, commit_id));
    return copy;
}

bool input_has_s3(const PpsV2__Input *input)
{
    if (!input)
        return false;
    if (input->pfs && input->pfs->s3)
        return true;
    InputChildren children = input_children(input);
    for (size_t i = 0; i < children.n; i++)
        if (input_has_s3(children.items[i]))
            return true;
    return false;
}
