/* spec_priv.h - private to pps: what the files of specs share. */
#pragma once

#include "codec/json.h"
#include "pps/spec.h"

/* INVALID_ARGUMENT with inner's message after a prefix ("" is none), and a google.rpc.BadRequest
 * that names field. Errors of the server rather than the request (RESOURCE_EXHAUSTED, CANCELLED, …)
 * are handed on as they are. */
Status spec_bad_request(Ctx *ctx, Status inner, const char *message, const char *field,
                        const char *description);

/* Merges a layer of defaults, or a wrapped spec, over a target (§3.2, §3.3). Both are documents of
 * ClusterDefaults. */
Status spec_merge(Ctx *ctx, const JsonValue *target, const JsonValue *layer, JsonValue **out);
/* The same from text, over the built-in defaults or over `target`. */
Status spec_merge_text(Ctx *ctx, const JsonValue *target, const char *json, JsonValue **out);
Status spec_builtin(Ctx *ctx, JsonValue **out);

/* A merged document as a message, checked by itself (§3.3). */
Status spec_parse_merged(Ctx *ctx, const JsonValue *merged, PpsV2__CreatePipelineRequest **out);

/* Rules that more than one step checks; `quote` is the quotation mark of the reference's text
 * there. */
Status spec_check_reprocess(Ctx *ctx, const char *reprocess_spec, char quote);
Status spec_check_tolerations(Ctx *ctx, PpsV2__Toleration *const *tolerations, size_t n);
Status spec_check_pods(Ctx *ctx, const char *pod_spec, const char *pod_patch);
Status spec_check_service_type(Ctx *ctx, const PpsV2__Service *service);
