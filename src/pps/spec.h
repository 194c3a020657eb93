/* spec.h - pipeline specs: from the user's JSON to what is stored (pps.md §2–§5). Pure: what must
 * be looked up comes through SpecLookups.
 *
 * The way of a spec:
 *   spec_effective       parse, canonicalise, merge with the defaults, check what can be checked
 * alone spec_check_secrets spec_check_request   §4, first table: before anything is filled in
 *   spec_pipeline_info   stored defaults, salt, version
 *   spec_check_pipeline  §4, second table, and the inputs
 *   spec_check_repos
 * Texts and order are those of the reference; so are codes: UNKNOWN where it has none. Messages are
 * in ctx's arena.
 */
#pragma once

#include "pps/input.h"

/* What a fresh server stores as its cluster defaults: results are keyed by all that made them, and
 * a spec that names no image runs on this machine's own root. */
#define SPEC_CLUSTER_DEFAULTS_FRESH                                                                \
    "{\"createPipelineRequest\":{\"reprocessSpec\":\"exact\",\"transform\":{\"image\":\"host\"}}}"

#define SPEC_PIPELINE_NAME_MAX       51
#define SPEC_DATUM_TRIES_DEFAULT     3
#define SPEC_SETS_PER_WORKER_DEFAULT 4

typedef struct SpecLookups {
    /* Stored JSON texts, "{}" when there are none. project_defaults: NOT_FOUND when the project is
     * missing. */
    Status (*cluster_defaults)(void *self, Ctx *ctx, const char **out_json);
    Status (*project_defaults)(void *self, Ctx *ctx, const char *project, const char **out_json);
    /* *out_key only matters when key is not "" */
    Status (*secret)(void *self, Ctx *ctx, const char *name, const char *key, bool *out_secret,
                     bool *out_key);
    /* NOT_FOUND, in pfs's words, when the repo is missing. */
    Status (*repo)(void *self, Ctx *ctx, const PfsV2__Repo *repo);
    void *self;
} SpecLookups;

typedef struct Spec {
    PpsV2__CreatePipelineRequest *request; /* the effective spec */
    const char *user_json;                 /* as given, byte for byte */
    const char *effective_json;            /* merged text: compact, sorted, camelCase */
} Spec;

/* §3.1 to §3.3. Errors: INVALID_ARGUMENT "could not make effective spec: …" with a
 * google.rpc.BadRequest. */
Status spec_effective(Ctx *ctx, const SpecLookups *lookups, const char *user_json, Spec *out);

/* The same from a message (CreatePipeline, the V1 RPC): user_json is its protobuf-JSON. */
Status spec_effective_of(Ctx *ctx, const SpecLookups *lookups,
                         const PpsV2__CreatePipelineRequest *request, Spec *out);

/* That of a version that is stored: as it was merged then, whatever the defaults are now. */
Status spec_of_stored(Ctx *ctx, const PpsV2__PipelineInfo *info, Spec *out);

/* The outer request's flags replace the spec's; an empty project becomes "default". Errors: UNKNOWN
 * without a pipeline. */
Status spec_apply_flags(Ctx *ctx, Spec *spec, bool update, bool reprocess);

/* What CreatePipelineV2 answers. */
Status spec_response_json(Ctx *ctx, const Spec *spec, const char **out_json);

/* transform.network, which is ours, says "none". */
bool spec_has_no_network(const PpsV2__Transform *transform);

Status spec_check_secrets(Ctx *ctx, const SpecLookups *lookups,
                          const PpsV2__CreatePipelineRequest *request);
Status spec_check_request(Ctx *ctx, const PpsV2__CreatePipelineRequest *request);

typedef struct SpecStored {
    const PpsV2__PipelineInfo *old; /* the current version; NULL for a new pipeline */
    int64_t now_ns;
    const char *user; /* "" when nobody is known */
} SpecStored;

/* §6.1 to §6.3: the new version's row, without spec_commit and auth_token; its input is filled in
 * (§5.2). */
PpsV2__PipelineInfo *spec_pipeline_info(Ctx *ctx, const Spec *spec, const SpecStored *stored);

Status spec_check_pipeline(Ctx *ctx, const PpsV2__PipelineInfo *info);
Status spec_check_repos(Ctx *ctx, const SpecLookups *lookups, const PpsV2__PipelineInfo *info);

/* --- defaults (§3.5) -------------------------------------------------------------------------- */

/* Errors: INVALID_ARGUMENT with a BadRequest that carries the cause. */
Status spec_check_cluster_defaults(Ctx *ctx, const char *json);
Status spec_check_project_defaults(Ctx *ctx, const char *cluster_json, const char *json);

/* Not an error of the server (RESOURCE_EXHAUSTED, CANCELLED, …). */
bool spec_is_the_requests_fault(StatusCode code);

/* Are two stored effective specs the same as messages, whatever their text? */
Status spec_same(Ctx *ctx, const char *effective_a, const char *effective_b, bool *out_same);
