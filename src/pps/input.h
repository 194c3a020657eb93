/* input.h - a pipeline's input: pfs and cron leaves under cross, union, join and group nodes.
 *
 * The tree is the API's own message, in ctx's arena. Its life: as the user wrote it; then
 * input_fill_defaults (pps.md §5.2), which sorts it and names everything; then input_check (§5.3),
 * after which each node has exactly one kind and the functions below may be used freely; then, for
 * a job, input_with_commit (§10.2). Pure. Errors without a code of their own are UNKNOWN, as
 * clients expect.
 */
#pragma once

#include "base/ctx.h"
#include "pps/pps.pb-c.h"

/* Deeper trees and wider ones are refused: nobody writes them, and every walk is recursive. */
#define INPUT_DEPTH_MAX 64
#define INPUT_NODES_MAX 4096

typedef enum InputKind {
    INPUT_NONE,
    INPUT_PFS,
    INPUT_CRON,
    INPUT_CROSS,
    INPUT_UNION,
    INPUT_JOIN,
    INPUT_GROUP,
} InputKind;

/* The children of a composite; none for a leaf. */
typedef struct InputChildren {
    PpsV2__Input **items;
    size_t n;
} InputChildren;

/* What a node is; the first kind that is set when a bad tree sets several. NULL is INPUT_NONE. */
InputKind input_kind(const PpsV2__Input *node);
InputChildren input_children(const PpsV2__Input *node);

/* INVALID_ARGUMENT when the tree is deeper or wider than the limits. Call it on every tree from
 * outside before any other function here. NULL is fine. */
Status input_check_size(Ctx *ctx, const PpsV2__Input *input);

/* Calls fn for each node, children before parents, in child order; an error ends the walk and is
 * returned. */
typedef Status (*InputFn)(void *arg, Ctx *ctx, PpsV2__Input *node);
Status input_visit(Ctx *ctx, PpsV2__Input *input, InputFn fn, void *arg);

/* Sorts children by input name and fills in names, branches, repos, globs and start times, in place
 * (§5.2). Branches of triggers count per repo from 1.
 *
 * pipeline  its project must be set
 * now_ns    a cron input's start when it has none */
void input_fill_defaults(Ctx *ctx, PpsV2__Input *input, const PpsV2__Pipeline *pipeline,
                         int64_t now_ns);

/* The rules of §5.3, names first. NULL (no input) is valid. Errors: UNKNOWN with the exact
 * texts. */
Status input_check(Ctx *ctx, const PpsV2__Input *input);

/* A leaf as a pfs input: a cron input reads what is at the top of its repo's master. NULL for
 * composites. In ctx's arena when it has to be made. */
const PpsV2__PFSInput *input_leaf(Ctx *ctx, const PpsV2__Input *node);

/* Branches that the output branch gets direct provenance on, without the spec branch, in visiting
 * order, each once (§5.4). A pfs input's branch is that of the USER repo, whatever its repo_type
 * says. */
typedef struct InputBranch {
    PfsV2__Branch *branch;
    bool propagate; /* false: propagation_spec.never */
    bool is_cron;
    const PfsV2__Trigger *trigger; /* or NULL */
} InputBranch;
Status input_branches(Ctx *ctx, PpsV2__Input *input, InputBranch **out, size_t *out_n);

/* A copy with commit_id as the commit of each leaf. NULL gives NULL. */
PpsV2__Input *input_with_commit(Ctx *ctx, const PpsV2__Input *input, const char *commit_id);

/* Does any leaf set s3? */
bool input_has_s3(const PpsV2__Input *input);
