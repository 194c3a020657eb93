/* meta_text.c - the two files of a datum that are made up: how it went, and its environment. */
#include <stdio.h>

#include "codec/pbjson.h"
#include "control/meta_priv.h"
#include "worker/env.h"
#include "worker/work_spec.h"

static void set_text(Ctx *ctx, JsonValue *object, const char *name, Str text)
{
    if (text.size)
        json_set(ctx->arena, object, str(name), json_string(ctx->arena, text));
}

static void set_flag(Ctx *ctx, JsonValue *object, const char *name, bool flag)
{
    if (flag)
        json_set(ctx->arena, object, str(name), json_bool(ctx->arena, true));
}

static Status set_message(Ctx *ctx, JsonValue *object, const char *name,
                          const ProtobufCMessage *message)
{
    JsonValue *value;
    TRY(pbjson_to_value(ctx, message, NULL, &value));
    json_set(ctx->arena, object, str(name), value);
    return OK;
}

static Status input_json(Ctx *ctx, const DatumInput *input, const PfsV2__FileInfo *file,
                         JsonValue **out)
{
    const PpsV2__PFSInput *from = input->from;
    JsonValue *object = json_object(ctx->arena);
    TRY(set_message(ctx, object, "fileInfo", &file->base));
    set_text(ctx, object, "name", str(from->name));
    set_text(ctx, object, "joinOn", input->join_on);
    set_flag(ctx, object, "outerJoin", from->outer_join);
    set_text(ctx, object, "groupBy", input->group_by);
    set_flag(ctx, object, "lazy", from->lazy);
    set_text(ctx, object, "branch", str(from->branch));
    set_flag(ctx, object, "emptyFiles", from->empty_files);
    set_flag(ctx, object, "s3", from->s3);
    set_flag(ctx, object, "reference", from->reference);
    *out = object;
    return OK;
}

static Str state_text(RecordState state)
{
    return state == RECORD_FAILED      ? STR("FAILED")
           : state == RECORD_RECOVERED ? STR("RECOVERED")
                                       : STR("");
}

static Str hash_text(Ctx *ctx, const Hash *hash)
{
    return str(hash_hex(hash, arena_must(ctx->arena, HASH_HEX_SIZE)));
}

Status meta_json(Ctx *ctx, const MetaSource *source, const DatumRecord *record, Bytes *out)
{
    PpsV2__DatumInfo *info;
    TRY(pps_datum_info(ctx, record, &source->job, &info));
    JsonValue *object = json_object(ctx->arena), *inputs = json_array(ctx->arena);
    TRY(set_message(ctx, object, "job", &info->datum->job->base));
    for (size_t i = 0; i < record->datum.input_count; i++) {
        JsonValue *input;
        TRY(input_json(ctx, record->datum.inputs[i], info->data[i], &input));
        json_append(ctx->arena, inputs, input);
    }
    json_set(ctx->arena, object, STR("inputs"), inputs);
    set_text(ctx, object, "hash", hash_text(ctx, &record->head.datum_hash));
    set_text(ctx, object, "state", state_text(record->head.state));
    set_text(ctx, object, "reason", str(record->reason));
    TRY(set_message(ctx, object, "stats", &info->stats->base));
    char index[24];
    snprintf(index, sizeof(index), "%llu", (unsigned long long)record->datum.index);
    set_text(ctx, object, "index", str(index));
    set_text(ctx, object, "imageId", str(record->image_id));
    *out = str_bytes(json_print(ctx->arena, object, (JsonStyle){ 0 }));
    return OK;
}

/* The job that ran the datum: a skipped one keeps its environment. */
static PpsV2__Job *run_job(Ctx *ctx, const PpsV2__Job *shown, const DatumRecord *record)
{
    PpsV2__Job *job = PB_NEW(ctx, pps_v2__job, PpsV2__Job);
    *job = *shown;
    const char *at = strrchr(record->run_job, '@');
    if (at)
        job->id = arena_strdup(ctx->arena, at + 1);
    return job;
}

Status meta_env(Ctx *ctx, const MetaSource *source, const DatumRecord *record, Bytes *out)
{
    *out = (Bytes){ 0 };
    if (!source->set)
        return OK;
    Procavia__Work__WorkSet set = *source->set;
    set.job = run_job(ctx, source->set->job, record);
    TRY(order_add_datum(ctx, source->control, record, &set));
    const WorkerSpec spec = work_spec(ctx, "", &set);
    const WorkerDatum datum = work_datum(ctx, set.datums[0]);
    *out = str_bytes(env_text(ctx, env_build(ctx, &spec, &datum, source->home)));
    return OK;
}
