/* order.c - a lease put into words for its worker. Small inputs ride along (ride.c). */
#include "base/text.h"
#include "control/control_priv.h"
#include "pps/spec.h"

typedef struct OrderMaker {
    Control *control;
    const char *set_id; /* of the job */
    Lease *lease;       /* that keeps the records; may be NULL */
    Procavia__Work__WorkSet *set;
    size_t capacity;
    uint64_t position;
    Ride ride;
    const PpsV2__PFSInput *from; /* the last one's, whose commit many inputs share */
    PfsV2__Commit *commit;
} OrderMaker;

static void order_maker_done(OrderMaker *maker)
{
    ride_done(&maker->ride);
}

static PfsV2__Commit *commit_of(Ctx *ctx, OrderMaker *maker, const PpsV2__PFSInput *from)
{
    if (maker->from == from)
        return maker->commit;
    maker->from = from;
    maker->commit =
        pfs_commit_ref(ctx, *from->project ? from->project : "default", from->repo, maker->set_id);
    if (*from->repo_type)
        maker->commit->repo->type = arena_strdup(ctx->arena, from->repo_type);
    return maker->commit;
}

static Status input_of(Ctx *ctx, OrderMaker *maker, const DatumInput *input,
                       Procavia__Work__WorkInput **out)
{
    Procavia__Work__WorkInput *work =
        PB_NEW(ctx, procavia__work__work_input, Procavia__Work__WorkInput);
    const PpsV2__PFSInput *from = input->from;
    work->name = arena_strdup(ctx->arena, from->name);
    work->file = PB_NEW(ctx, pfs_v2__file, PfsV2__File);
    work->file->commit = commit_of(ctx, maker, from);
    work->file->path = str_z(ctx->arena, input->path);
    work->hash.data = arena_memdup(ctx->arena, input->hash.bytes, HASH_SIZE);
    work->hash.len = HASH_SIZE;
    work->size_bytes = input->size;
    work->branch = arena_strdup(ctx->arena, from->branch);
    work->lazy = from->lazy;
    work->empty_files = from->empty_files;
    work->s3 = from->s3;
    work->join_on = str_z(ctx->arena, input->join_on);
    work->group_by = str_z(ctx->arena, input->group_by);
    *out = work;
    return ride_along(ctx, &maker->ride, input, work);
}

static Status add_datum(Ctx *ctx, OrderMaker *maker, const DatumRecord *record)
{
    Procavia__Work__WorkDatum *datum =
        PB_NEW(ctx, procavia__work__work_datum, Procavia__Work__WorkDatum);
    datum->id = hash_hex(&record->datum.id, arena_must(ctx->arena, HASH_HEX_SIZE));
    datum->key = hash_hex(&record->head.key, arena_must(ctx->arena, HASH_HEX_SIZE));
    datum->index = maker->position++;
    maker->from = NULL; /* where the one before was, another may be */
    datum->inputs =
        ARENA_NEW(ctx->arena, Procavia__Work__WorkInput *, record->datum.input_count + 1);
    if (!datum->inputs)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < record->datum.input_count; i++)
        TRY(input_of(ctx, maker, record->datum.inputs[i], &datum->inputs[datum->n_inputs++]));
    maker->set->datums[maker->set->n_datums++] = datum;
    return OK;
}

/* A datum of the lease, which keeps its record for the result. */
static Status add_planned(void *arg, Ctx *ctx, const DatumRecord *record)
{
    OrderMaker *maker = arg;
    size_t nth = maker->set->n_datums;
    if (nth == maker->capacity)
        return OK;
    TRY(add_datum(ctx, maker, record));
    return result_copy_record(maker->lease->arena, record, &maker->lease->records[nth]);
}

#define SECRET_FILES_MAX 1024 /* of all secrets of a transform */

/* A value that user code is given must not show in its log. */
static void add_masked(Ctx *ctx, Procavia__Work__WorkSet *set, Bytes value)
{
    ProtobufCBinaryData *masked = &set->masked[set->n_masked++];
    masked->data = arena_memdup(ctx->arena, value.data, value.size);
    masked->len = value.size;
}

static void add_env(Ctx *ctx, const char *key, char *value, Procavia__Work__WorkSet *set)
{
    Procavia__Work__WorkSet__EnvEntry *entry =
        PB_NEW(ctx, procavia__work__work_set__env_entry, Procavia__Work__WorkSet__EnvEntry);
    entry->key = arena_strdup(ctx->arena, key);
    entry->value = value;
    set->env[set->n_env++] = entry;
}

#define ADDRESS_VARIABLES 4
#define FILESET_VARIABLES 1

/* How clients inside a cluster find the server: by the one service of it, or by the other. */
static void add_address(Ctx *ctx, const Control *control, Procavia__Work__WorkSet *set)
{
    static const char *const services[] = { "PACHD", "PACHD_PEER" };
    if (!control->has_address || !*control->address.local_host)
        return;
    for (size_t i = 0; i < ARRAY_LEN(services); i++) {
        add_env(ctx, text_printf(ctx->arena, "%s_SERVICE_HOST", services[i]),
                arena_strdup(ctx->arena, control->address.local_host), set);
        add_env(ctx, text_printf(ctx->arena, "%s_SERVICE_PORT", services[i]),
                text_printf(ctx->arena, "%u", control->address.port), set);
    }
}

/* Code that takes its datums one by one, or runs for good, has none. Nor is it shown in meta repos:
 * what they say of a datum that was skipped shall stay the same from job to job. */
static void add_fileset(Ctx *ctx, const PpsJobRow *job, const PpsV2__PipelineInfo *info,
                        Procavia__Work__WorkSet *set)
{
    if (info->type == PPS_V2__PIPELINE_INFO__PIPELINE_TYPE__PIPELINE_TYPE_TRANSFORM &&
        !set->datum_batching)
        add_env(ctx, "FILESET_ID", fileset_of_job(ctx, job), set);
}

static Status add_secret_env(Ctx *ctx, PfsTx *tx, const PpsV2__SecretMount *mount,
                             Procavia__Work__WorkSet *set)
{
    Bytes value;
    TRY(pps_secret_value(ctx, tx, mount->name, mount->key, &value));
    add_env(ctx, mount->env_var, arena_strndup(ctx->arena, (const char *)value.data, value.size),
            set);
    add_masked(ctx, set, value);
    return OK;
}

typedef struct SecretFiles {
    const char *mount_path;
    Procavia__Work__WorkSet *set;
} SecretFiles;

static Status add_secret_file(void *arg, Ctx *ctx, Str key, Bytes value)
{
    const SecretFiles *files = arg;
    Procavia__Work__WorkSet *set = files->set;
    if (set->n_secret_files == SECRET_FILES_MAX)
        return FAIL(ctx, RESOURCE_EXHAUSTED, "the secrets of a transform have more than %d keys",
                    SECRET_FILES_MAX);
    Procavia__Work__WorkSet__SecretFile *file =
        PB_NEW(ctx, procavia__work__work_set__secret_file, Procavia__Work__WorkSet__SecretFile);
    file->path = text_printf(ctx->arena, "%s/" STR_FMT, files->mount_path, STR_ARG(key));
    file->content.data = arena_memdup(ctx->arena, value.data, value.size);
    file->content.len = value.size;
    set->secret_files[set->n_secret_files++] = file;
    add_masked(ctx, set, value);
    return OK;
}

/* Secrets that the transform names: variables, and at a mount path a file for each key (§14.6). */
static Status add_secret(Ctx *ctx, PfsTx *tx, const PpsV2__SecretMount *mount,
                         Procavia__Work__WorkSet *set)
{
    if (*mount->env_var)
        TRY(add_secret_env(ctx, tx, mount, set));
    SecretFiles files = { mount->mount_path, set };
    return *mount->mount_path ? pps_secret_each(ctx, tx, mount->name, add_secret_file, &files) : OK;
}

static Status add_secrets(Ctx *ctx, Control *control, const PpsV2__Transform *transform,
                          Procavia__Work__WorkSet *set)
{
    if (!transform->n_secrets)
        return OK;
    set->secret_files =
        ARENA_NEW(ctx->arena, Procavia__Work__WorkSet__SecretFile *, SECRET_FILES_MAX);
    set->masked =
        ARENA_NEW(ctx->arena, ProtobufCBinaryData, SECRET_FILES_MAX + transform->n_secrets);
    if (!set->secret_files || !set->masked)
        return STATUS(RESOURCE_EXHAUSTED);
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pps_pfs(control->pps), &tx));
    for (size_t i = 0; i < transform->n_secrets; i++)
        TRY(add_secret(ctx, tx, transform->secrets[i], set));
    return OK;
}

/* The root to run in, and what the image says about it. */
static Status add_image(Ctx *ctx, Control *control, const char *digest,
                        Procavia__Work__WorkSet *set)
{
    if (str_starts(str(digest), STR("host:")))
        return OK;
    if (!control->images)
        return FAIL(ctx, FAILED_PRECONDITION, "there is no image store");
    ImageRoot root;
    TRY(image_root(ctx, control->images, digest, &root));
    Procavia__Work__WorkSet__ImageConfig *image =
        PB_NEW(ctx, procavia__work__work_set__image_config, Procavia__Work__WorkSet__ImageConfig);
    image->working_dir = arena_strdup(ctx->arena, root.working_dir);
    image->user = arena_strdup(ctx->arena, root.user);
    image->env = ARENA_NEW(ctx->arena, char *, root.env_count + 1);
    if (!image->env)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < root.env_count; i++)
        image->env[image->n_env++] = arena_strdup(ctx->arena, root.env[i]);
    set->root_dir = arena_strdup(ctx->arena, root.root_dir);
    set->image = image;
    return OK;
}

/* What is the same for all datums of a job. */
static Status order_head(Ctx *ctx, Control *control, const PpsJobRow *job,
                         const PpsPipelineRow *spec, Procavia__Work__WorkSet **out)
{
    const PpsV2__PipelineInfo *info = spec->info;
    Procavia__Work__WorkSet *set = PB_NEW(ctx, procavia__work__work_set, Procavia__Work__WorkSet);
    set->job = PB_NEW(ctx, pps_v2__job, PpsV2__Job);
    set->job->pipeline = PB_CLONE(ctx, PpsV2__Pipeline, info->pipeline);
    set->job->id = arena_strdup(ctx->arena, job->set_id);
    set->transform = PB_CLONE(ctx, PpsV2__Transform, info->details->transform);
    set->pod_name = text_printf(ctx->arena, "%s-%s-v%llu", job->project, job->pipeline,
                                (unsigned long long)job->version);
    set->spec_commit = arena_strdup(ctx->arena, info->spec_commit->id);
    set->output_branch = arena_strdup(ctx->arena, info->details->output_branch);
    set->datum_tries = info->details->datum_tries;
    set->datum_timeout_ns = pb_duration_ns(info->details->datum_timeout);
    set->resource_limits = PB_CLONE(ctx, PpsV2__ResourceSpec, info->details->resource_limits);
    set->s3_out = info->details->s3_out;
    set->no_network = spec_has_no_network(info->details->transform);
    set->datum_batching = info->details->transform->datum_batching;
    *out = set;
    set->env = ARENA_NEW(ctx->arena, Procavia__Work__WorkSet__EnvEntry *,
                         info->details->transform->n_secrets + ADDRESS_VARIABLES +
                             FILESET_VARIABLES + GATE_VARIABLES_MAX);
    if (!set->env)
        return STATUS(RESOURCE_EXHAUSTED);
    add_address(ctx, control, set);
    return add_image(ctx, control, spec->image_digest, set);
}

Status order_make(Ctx *ctx, Control *control, Lease *lease, Procavia__Work__WorkSet **out)
{
    const JobRun *run = lease->run;
    Procavia__Work__WorkSet *set;
    TRY(order_head(ctx, control, &run->job, &run->spec, &set));
    TRY(add_secrets(ctx, control, run->spec.info->details->transform, set));
    gate_add_env(ctx, run, set);
    add_fileset(ctx, &run->job, run->spec.info, set);
    set->lease = lease->id;
    if (run->serves)
        TRY(serve_order(ctx, run, set));
    CLEANUP(order_maker_done)
    OrderMaker maker = { .control = control,
                         .set_id = run->job.set_id,
                         .lease = lease,
                         .ride = { .pfs = pps_pfs(control->pps) },
                         .set = set,
                         .capacity = (size_t)(lease->range.to - lease->range.from),
                         .position = lease->range.from };
    set->datums = ARENA_NEW(ctx->arena, Procavia__Work__WorkDatum *, maker.capacity + 1);
    lease->records = ARENA_NEW(lease->arena, DatumRecord, maker.capacity + 1);
    if (!set->datums || !lease->records)
        return STATUS(RESOURCE_EXHAUSTED);
    *out = set;
    if (run->id < 0) /* a spout has none */
        return OK;
    return plan_each_todo(ctx, &control->content.io, &run->plan.todo, lease->range.from,
                          lease->range.to, add_planned, &maker);
}

/* The variables that secrets set, without what they hold. */
static void add_secret_names(Ctx *ctx, const PpsV2__Transform *transform,
                             Procavia__Work__WorkSet *set)
{
    for (size_t i = 0; i < transform->n_secrets; i++) {
        if (*transform->secrets[i]->env_var)
            add_env(ctx, transform->secrets[i]->env_var, arena_strdup(ctx->arena, "***"), set);
    }
}

Status order_recipe(Ctx *ctx, Control *control, const PpsJobRow *job, const PpsPipelineRow *spec,
                    bool with_secrets, Procavia__Work__WorkSet **out)
{
    const PpsV2__Transform *transform = spec->info->details->transform;
    TRY(order_head(ctx, control, job, spec, out));
    if (with_secrets) {
        add_fileset(ctx, job, spec->info, *out);
        return add_secrets(ctx, control, transform, *out);
    }
    add_secret_names(ctx, transform, *out);
    return OK;
}

Status order_add_datum(Ctx *ctx, Control *control, const DatumRecord *record,
                       Procavia__Work__WorkSet *set)
{
    OrderMaker maker = { .control = control,
                         .set_id = set->job->id,
                         .set = set,
                         .capacity = 1,
                         .ride = { .closed = true } };
    set->datums = ARENA_NEW(ctx->arena, Procavia__Work__WorkDatum *, 1);
    set->n_datums = 0;
    return set->datums ? add_datum(ctx, &maker, record) : STATUS(RESOURCE_EXHAUSTED);
}
