/* spec_check.c - the rules a spec must keep, in the reference's order and words (pps.md §4); see
 * spec.h. */
#include "base/text.h"
#include "pfs/url.h"
#include "pps/spec_priv.h"

#include <ctype.h>
#include <stdio.h>

#define KUBERNETES_NAME_MAX 63

/* --- rules that more than one step checks ----------------------------------------------------- */

Status spec_check_reprocess(Ctx *ctx, const char *reprocess_spec, char quote)
{
    static const char *const values[] = { "", "until_success", "every_job", "exact" };
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        if (!strcmp(reprocess_spec, values[i]))
            return OK;
    return FAIL(
        ctx, UNKNOWN,
        "invalid pipeline spec: ReprocessSpec must be one of %cuntil_success%c or %cevery_job%c "
        "(or %cexact%c)",
        quote, quote, quote, quote, quote, quote);
}

Status spec_check_tolerations(Ctx *ctx, PpsV2__Toleration *const *tolerations, size_t n)
{
    CLEANUP(buf_done) Buf all = { 0 };
    for (size_t i = 0; i < n; i++)
        if (tolerations[i]->operator_ == PPS_V2__TOLERATION_OPERATOR__EMPTY)
            buf_printf(
                &all,
                "%stoleration %zu/%zu: cannot omit key/value comparison operator; specify EQUAL "
                "or EXISTS",
                all.size ? "\n" : "", i + 1, n);
    return all.size ? FAIL(ctx, UNKNOWN, STR_FMT, STR_ARG(buf_str(&all))) : OK;
}

static bool is_json(Ctx *ctx, const char *text)
{
    JsonValue *value;
    return !*text || status_ok(json_parse(ctx, str(text), &value));
}

Status spec_check_pods(Ctx *ctx, const char *pod_spec, const char *pod_patch)
{
    if (!is_json(ctx, pod_spec))
        return FAIL(ctx, UNKNOWN, "malformed PodSpec");
    return is_json(ctx, pod_patch) ? OK : FAIL(ctx, UNKNOWN, "malformed PodPatch");
}

Status spec_check_service_type(Ctx *ctx, const PpsV2__Service *service)
{
    static const char *const types[] = { "", "ClusterIP", "LoadBalancer", "NodePort" };
    if (!service)
        return OK;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (!strcmp(service->type, types[i]))
            return OK;
    return FAIL(ctx, UNKNOWN, "the following service type %s is not allowed", service->type);
}

/* --- before anything is filled in ------------------------------------------------------------- */

static bool is_name(const char *name)
{
    for (const char *c = name; *c; c++)
        if (!isascii((unsigned char)*c) || !(isalnum((unsigned char)*c) || *c == '_' || *c == '-'))
            return false;
    return *name != '\0';
}

static const char *kubernetes_name(Ctx *ctx, const char *project, const char *name)
{
    char *text = text_printf(ctx->arena, "%s-%s-v99", project, name);
    for (char *c = text; *c; c++)
        *c = *c == '_' ? '-' : (char)tolower((unsigned char)*c);
    return text;
}

static Status check_name(Ctx *ctx, const PpsV2__Pipeline *pipeline)
{
    const char *name = pipeline->name;
    if (!*name)
        return FAIL(ctx, UNKNOWN, "invalid pipeline spec: request.Pipeline.Name cannot be empty");
    if (!is_name(name))
        return FAIL(ctx, UNKNOWN,
                    "invalid pipeline name: name (%s) invalid: only alphanumeric characters, "
                    "underscores, and dashes are allowed",
                    name);
    size_t size = strlen(name);
    if (size > SPEC_PIPELINE_NAME_MAX)
        return FAIL(ctx, UNKNOWN, "pipeline name \"%s\" is %zu characters longer than the %d max",
                    name, size - SPEC_PIPELINE_NAME_MAX, SPEC_PIPELINE_NAME_MAX);
    const char *project = pipeline->project ? pipeline->project->name : "default";
    const char *kubernetes = kubernetes_name(ctx, project, name);
    size = strlen(kubernetes);
    if (size > KUBERNETES_NAME_MAX)
        return FAIL(ctx, UNKNOWN, "Kubernetes name \"%s\" is %zu characters longer than the %d max",
                    kubernetes, size - KUBERNETES_NAME_MAX, KUBERNETES_NAME_MAX);
    return OK;
}

Status spec_check_request(Ctx *ctx, const PpsV2__CreatePipelineRequest *request)
{
    if (!request->pipeline)
        return FAIL(ctx, UNKNOWN, "invalid pipeline spec: request.Pipeline cannot be nil");
    TRY(check_name(ctx, request->pipeline));
    if (request->tf_job)
        return FAIL(ctx, UNKNOWN, "embedding TFJobs in pipelines is not supported yet");
    if (request->s3_out && (request->service || request->spout))
        return FAIL(ctx, UNKNOWN, "s3 output is not supported in spouts or services");
    if (!request->transform)
        return FAIL(ctx, UNKNOWN, "pipeline must specify a transform");
    TRY(spec_check_reprocess(ctx, request->reprocess_spec, '\''));
    if (request->spout && request->autoscaling)
        return FAIL(ctx, UNKNOWN,
                    "autoscaling can't be used with spouts (spouts aren't triggered externally)");
    TRY(spec_check_tolerations(ctx, request->tolerations, request->n_tolerations));
    return input_check_size(ctx, request->input);
}

/* --- secrets ---------------------------------------------------------------------------------- */

static Status check_secret(Ctx *ctx, const SpecLookups *lookups, const PpsV2__SecretMount *secret)
{
    if (*secret->env_var && !*secret->key)
        return FAIL(ctx, UNKNOWN, "secret %s has env_var set but is missing key", secret->name);
    bool exists, has_key;
    TRY(lookups->secret(lookups->self, ctx, secret->name, secret->key, &exists, &has_key));
    if (!exists)
        return FAIL(ctx, UNKNOWN, "missing Kubernetes secret %s", secret->name);
    if (*secret->env_var && !has_key)
        return FAIL(ctx, UNKNOWN, "Kubernetes secret %s missing key %s", secret->name, secret->key);
    return OK;
}

Status spec_check_secrets(Ctx *ctx, const SpecLookups *lookups,
                          const PpsV2__CreatePipelineRequest *request)
{
    const PpsV2__Transform *transform = request->transform;
    for (size_t i = 0; transform && i < transform->n_secrets; i++)
        TRY(check_secret(ctx, lookups, transform->secrets[i]));
    return OK;
}

/* --- after defaults are filled in ------------------------------------------------------------- */

static Status check_egress(Ctx *ctx, const PpsV2__Egress *egress)
{
    if (!egress || egress->target_case != PPS_V2__EGRESS__TARGET_SQL_DATABASE)
        return OK;
    return pfs_url_check_secret(ctx, egress->sql_database);
}

bool spec_has_no_network(const PpsV2__Transform *transform)
{
    return transform && strcmp(transform->network, "none") == 0;
}

/* What user code reaches over the network, or by what it is reached: but for a service with a port
 * outside, which leads into a network of its own. */
static const char *needs_network(const PpsV2__PipelineInfo__Details *details)
{
    const PpsV2__Service *service = details->service ? details->service
                                    : details->spout ? details->spout->service
                                                     : NULL;
    if (service && (!service->internal_port || !service->external_port))
        return "a service without both ports";
    if (details->transform->datum_batching)
        return "datum batching";
    return details->s3_out ? "s3 output" : NULL;
}

static Status check_network(Ctx *ctx, const PpsV2__PipelineInfo__Details *details)
{
    const char *network = details->transform->network;
    if (!*network || strcmp(network, "host") == 0)
        return OK;
    if (!spec_has_no_network(details->transform))
        return FAIL(ctx, INVALID_ARGUMENT,
                    "invalid transform: network must be \"host\" or \"none\", not %s",
                    text_quote(ctx->arena, str(network)));
    const char *needed_by = needs_network(details);
    if (needed_by)
        return FAIL(ctx, INVALID_ARGUMENT,
                    "invalid transform: %s needs a network, but network is \"none\"", needed_by);
    return OK;
}

static Status check_parts(Ctx *ctx, const PpsV2__PipelineInfo__Details *details)
{
    if (!details->transform || !*details->transform->image)
        return FAIL(ctx, UNKNOWN, "invalid transform: pipeline transform must contain an image");
    TRY(check_network(ctx, details));
    TRY(input_check(ctx, details->input));
    TRY(check_egress(ctx, details->egress));
    const PpsV2__ParallelismSpec *parallelism = details->parallelism_spec;
    if (details->service && parallelism && parallelism->constant != 1)
        return FAIL(ctx, UNKNOWN, "services can only be run with a constant parallelism of 1");
    if (!*details->output_branch)
        return FAIL(ctx, UNKNOWN, "pipeline needs to specify an output branch");
    TRY(spec_check_pods(ctx, details->pod_spec, details->pod_patch));
    TRY(spec_check_service_type(ctx, details->service));
    if (details->spout && !details->spout->service && details->input)
        return FAIL(ctx, UNKNOWN, "spout pipelines (without a service) must not have an input");
    return OK;
}

Status spec_check_pipeline(Ctx *ctx, const PpsV2__PipelineInfo *info)
{
    const char *name = info->pipeline->name;
    if (!isascii((unsigned char)*name) || !isalnum((unsigned char)*name))
        return FAIL(ctx, UNKNOWN, "pipeline names must start with an alphanumeric character");
    size_t size = strlen(name);
    if (size > KUBERNETES_NAME_MAX)
        return FAIL(ctx, UNKNOWN,
                    "pipeline name is %zu characters long, but must have at most %d: \"%s\"", size,
                    KUBERNETES_NAME_MAX, name);
    return check_parts(ctx, info->details);
}

/* --- repos ------------------------------------------------------------------------------------ */

static Status check_repo(void *arg, Ctx *ctx, PpsV2__Input *node)
{
    const SpecLookups *lookups = *(const SpecLookups *const *)arg;
    if (!node->pfs)
        return OK;
    PfsV2__Repo repo;
    PfsV2__Project project;
    pfs_v2__repo__init(&repo);
    pfs_v2__project__init(&project);
    project.name = node->pfs->project;
    repo.project = &project;
    repo.name = node->pfs->repo;
    repo.type = node->pfs->repo_type;
    return lookups->repo(lookups->self, ctx, &repo);
}

Status spec_check_repos(Ctx *ctx, const SpecLookups *lookups, const PpsV2__PipelineInfo *info)
{
    return input_visit(ctx, info->details->input, check_repo, &lookups);
}
