/* spec.c - see spec.h. */
#include "cmd/pcv/spec.h"

#include "codec/pbjson.h"
#include "codec/yaml.h"
#include "pps/pps.pb-c.h"

/* pipeline.project.name, from the context when the spec does not say. */
static void fill_project(Cli *cli, JsonValue *pipeline)
{
    Arena *arena = cli->ctx->arena;
    if (json_text(json_path(pipeline, "project", "name", NULL)).size)
        return;
    JsonValue *project = json_object(arena);
    json_set(arena, project, STR("name"), json_string(arena, str(cli_project_name(cli))));
    json_set(arena, pipeline, STR("project"), project);
}

static Status check(Cli *cli, JsonValue *spec)
{
    Ctx *ctx = cli->ctx;
    if (!json_is(spec, JSON_OBJECT))
        return FAIL(ctx, INVALID_ARGUMENT,
                    "malformed pipeline spec: expected a mapping or a sequence; got %s",
                    json_type_name(spec->type));
    json_remove(spec, STR("$schema"));
    JsonValue *pipeline = json_get(spec, "pipeline");
    if (!json_is(pipeline, JSON_OBJECT))
        return FAIL(ctx, INVALID_ARGUMENT, "no `pipeline` specified");
    if (!json_text(json_get(pipeline, "name")).size)
        return FAIL(ctx, INVALID_ARGUMENT, "no pipeline `name` specified");
    ProtobufCMessage *ignored;
    Status s =
        pbjson_from_value(ctx, &pps_v2__create_pipeline_request__descriptor, spec, NULL, &ignored);
    if (!status_ok(s))
        return status_wrap(ctx, s,
                           "malformed pipeline spec: could not unmarshal pipeline \"" STR_FMT
                           "\" as CreatePipelineRequest",
                           STR_ARG(json_text(json_get(pipeline, "name"))));
    fill_project(cli, pipeline);
    return OK;
}

Status spec_each(Cli *cli, Str text, const char *file, SpecEach each, void *arg)
{
    JsonValue **documents;
    size_t count;
    TRY_WRAP(cli->ctx, yaml_parse_all(cli->ctx, text, file, &documents, &count),
             "malformed pipeline spec");
    for (size_t i = 0; i < count; i++) {
        bool is_list = json_is(documents[i], JSON_ARRAY);
        JsonValue **specs = is_list ? documents[i]->items : &documents[i];
        size_t spec_count = is_list ? documents[i]->count : 1;
        for (size_t k = 0; k < spec_count; k++) {
            TRY(check(cli, specs[k]));
            TRY(each(cli, arg, specs[k]));
        }
    }
    return OK;
}

void spec_warn_image(const JsonValue *spec)
{
    Str image = json_text(json_path(spec, "transform", "image", NULL));
    if (!image.size || str_eq_c(image, "host") || str_find(image, '@') < image.size)
        return;
    size_t slash = image.size;
    while (slash && image.data[slash - 1] != '/')
        slash--;
    Str name = str_sub(image, slash, image.size);
    if (str_find(name, ':') == name.size)
        cli_note("WARNING: please specify a tag for the docker image in your transform.image spec");
    else if (str_ends(name, STR(":latest")))
        cli_note("WARNING: the image \"" STR_FMT
                 "\" may change under its name; give its version as the tag",
                 STR_ARG(image));
}
