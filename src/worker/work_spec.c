/* work_spec.c - see work_spec.h. */
#include "worker/work_spec.h"

#include "base/text.h"
#include "codec/amount.h"

static const char *const *strings(Ctx *ctx, char *const *items, size_t n)
{
    const char **list = ARENA_NEW(ctx->arena, const char *, n + 1);
    for (size_t i = 0; list && i < n; i++)
        list[i] = items[i];
    return list;
}

static uint64_t quantity(Ctx *ctx, const char *text)
{
    int64_t value;
    return *text && status_ok(quantity_parse(ctx, str(text), &value)) && value > 0 ? (uint64_t)value
                                                                                   : 0;
}

static void read_limits(Ctx *ctx, const PpsV2__ResourceSpec *limits, WorkerSpec *out)
{
    if (!limits)
        return;
    out->limits.memory_bytes = quantity(ctx, limits->memory);
    out->limits.cpu_millis = limits->cpu > 0 ? (uint64_t)(limits->cpu * 1000) : 0;
    out->disk_bytes = quantity(ctx, limits->disk);
    out->gpu = limits->gpu && limits->gpu->number > 0;
}

static void read_env(Ctx *ctx, const Procavia__Work__WorkSet *set, WorkerSpec *out)
{
    const PpsV2__Transform *transform = set->transform;
    WorkerPair *env = ARENA_NEW(ctx->arena, WorkerPair, transform->n_env + 1);
    WorkerPair *server_env = ARENA_NEW(ctx->arena, WorkerPair, set->n_env + 1);
    for (size_t i = 0; i < transform->n_env; i++)
        env[i] = (WorkerPair){ transform->env[i]->key, transform->env[i]->value };
    for (size_t i = 0; i < set->n_env; i++)
        server_env[i] = (WorkerPair){ set->env[i]->key, set->env[i]->value };
    out->env = env;
    out->env_count = transform->n_env;
    out->server_env = server_env;
    out->server_env_count = set->n_env;
}

static void read_files(Ctx *ctx, const Procavia__Work__WorkSet *set, WorkerSpec *out)
{
    SandboxFile *files = ARENA_NEW(ctx->arena, SandboxFile, set->n_secret_files + 1);
    for (size_t i = 0; i < set->n_secret_files; i++)
        files[i] =
            (SandboxFile){ set->secret_files[i]->path, bytes(set->secret_files[i]->content.data,
                                                             set->secret_files[i]->content.len) };
    out->files = files;
    out->file_count = set->n_secret_files;
}

MaskSet *work_mask(const Procavia__Work__WorkSet *set)
{
    CLEANUP(buf_done) Buf values = { 0 };
    for (size_t i = 0; i < set->n_masked; i++) {
        const Bytes value = bytes(set->masked[i].data, set->masked[i].len);
        buf_add(&values, &value, sizeof(value));
    }
    return mask_set_new((const Bytes *)(const void *)values.data, set->n_masked);
}

WorkerSpec work_spec(Ctx *ctx, const char *worker_id, const Procavia__Work__WorkSet *set)
{
    const PpsV2__Transform *transform = set->transform;
    const Procavia__Work__WorkSet__ImageConfig *image = set->image;
    WorkerSpec spec = {
        .project = set->job->pipeline->project ? set->job->pipeline->project->name : "default",
        .pipeline = set->job->pipeline->name,
        .job_id = set->serve ? "" : set->job->id,
        .output_commit = set->job->id,
        .pod_name = set->pod_name,
        .spec_commit = set->spec_commit,
        .worker_id = worker_id,
        .cmd = strings(ctx, transform->cmd, transform->n_cmd),
        .err_cmd = strings(ctx, transform->err_cmd, transform->n_err_cmd),
        .stdin_lines = strings(ctx, transform->stdin, transform->n_stdin),
        .err_stdin_lines = strings(ctx, transform->err_stdin, transform->n_err_stdin),
        .accept_return_codes = transform->accept_return_code,
        .accept_return_code_count = transform->n_accept_return_code,
        .image_env = image ? strings(ctx, image->env, image->n_env) : NULL,
        .image_working_dir = image ? image->working_dir : "",
        .image_user = image ? image->user : "",
        .working_dir = transform->working_dir,
        .user = transform->user,
        .root_dir = set->root_dir,
        .tries = MAX(set->datum_tries, INT64_C(1)),
        .timeout_ns = set->datum_timeout_ns,
        .s3_out = set->s3_out,
        .no_network = set->no_network,
    };
    read_limits(ctx, set->resource_limits, &spec);
    read_env(ctx, set, &spec);
    read_files(ctx, set, &spec);
    return spec;
}

WorkerDatum work_datum(Ctx *ctx, const Procavia__Work__WorkDatum *datum)
{
    WorkerInput *inputs = ARENA_NEW(ctx->arena, WorkerInput, datum->n_inputs + 1);
    for (size_t i = 0; i < datum->n_inputs; i++) {
        const Procavia__Work__WorkInput *from = datum->inputs[i];
        bool is_dir = str_ends(str(from->file->path), STR("/"));
        inputs[i] =
            (WorkerInput){ .name = from->name,
                           .commit = from->file->commit->id,
                           .path = from->file->path,
                           .hash = is_dir ? (Bytes){ 0 } : bytes(from->hash.data, from->hash.len),
                           .size_bytes = from->size_bytes,
                           .lazy = from->lazy,
                           .empty_files = from->empty_files,
                           .s3 = from->s3,
                           .join_on = from->join_on,
                           .group_by = from->group_by,
                           .has_content = from->has_content,
                           .content = bytes(from->content.data, from->content.len),
                           .source = from };
    }
    return (WorkerDatum){ datum->id, inputs, datum->n_inputs, datum->index };
}
