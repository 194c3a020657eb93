/* picker.h - the names of things that carry their project: what edit metadata takes.
 *
 *   project                        [project/]repo[.type]         [project/]pipeline
 *   [project/]repo@branch          …@commit-id    …@branch^2     …@branch.3
 *
 * A missing project is `project`. All results live in ctx's arena. Errors: INVALID_ARGUMENT, UNKNOWN
 * naming what is wrong. */
#pragma once

#include "base/ctx.h"
#include "pfs/pfs.pb-c.h"
#include "pps/pps.pb-c.h"

PfsV2__ProjectPicker *picker_project(Ctx *ctx, const char *name);
Status picker_repo(Ctx *ctx, const char *project, Str text, PfsV2__RepoPicker **out) NODISCARD;
Status picker_branch(Ctx *ctx, const char *project, Str text, PfsV2__BranchPicker **out) NODISCARD;
Status picker_commit(Ctx *ctx, const char *project, Str text, PfsV2__CommitPicker **out) NODISCARD;
Status picker_pipeline(Ctx *ctx, const char *project, Str text,
                       PpsV2__PipelinePicker **out) NODISCARD;
