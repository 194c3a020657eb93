/* spec.c - the spec of a load test: read, and checked before anything is written. */
#include "codec/pbjson.h"
#include "codec/yaml.h"
#include "load/load_priv.h"

#define COMMITS_MAX INT64_C(1000000)
#define DEPTH_MAX   64

const char load_spec_preset[] = "count: 3\n"
                                "modifications:\n"
                                "  - count: 5\n"
                                "    putFile:\n"
                                "      count: 5\n"
                                "      source: random\n"
                                "validator:\n"
                                "  frequency:\n"
                                "    count: 1\n"
                                "fileSources:\n"
                                "  - name: random\n"
                                "    random:\n"
                                "      directory:\n"
                                "        depth:\n"
                                "          min: 0\n"
                                "          max: 3\n"
                                "        run: 3\n"
                                "      sizes:\n"
                                "        - min: 1000\n"
                                "          max: 10000\n"
                                "          prob: 60\n"
                                "        - min: 10000\n"
                                "          max: 100000\n"
                                "          prob: 30\n"
                                "        - min: 1000000\n"
                                "          max: 10000000\n"
                                "          prob: 10\n";

static Status check_range(Ctx *ctx, const Procavia__Load__Sizes *range, int64_t max,
                          const char *what)
{
    if (range->min < 0 || range->max < range->min || range->max > max)
        return FAIL(ctx, INVALID_ARGUMENT,
                    "%s must go from 0 or more up to at most %lld, not %lld to %lld", what,
                    (long long)max, (long long)range->min, (long long)range->max);
    return OK;
}

static Status check_sizes(Ctx *ctx, const RandomFiles *random)
{
    int64_t weight = 0;
    for (size_t i = 0; i < random->n_sizes; i++) {
        TRY(check_range(ctx, random->sizes[i], INT64_MAX - 1, "sizes"));
        if (random->sizes[i]->prob < 0 || random->sizes[i]->prob > INT32_MAX)
            return FAIL(ctx, INVALID_ARGUMENT, "prob must not be negative");
        weight += random->sizes[i]->prob;
    }
    if (!random->n_sizes || (random->n_sizes > 1 && !weight))
        return FAIL(ctx, INVALID_ARGUMENT, "it needs sizes that are probable");
    return OK;
}

static Status check_source(Ctx *ctx, const LoadSpec *spec, size_t index)
{
    const Procavia__Load__FileSource *source = spec->file_sources[index];
    for (size_t i = 0; i < index; i++)
        if (strcmp(spec->file_sources[i]->name, source->name) == 0)
            return FAIL(ctx, INVALID_ARGUMENT, "its name is that of another one");
    if (!source->random)
        return FAIL(ctx, INVALID_ARGUMENT, "it must be random");
    const Procavia__Load__Directory *folder = source->random->directory;
    if (folder && folder->run < 0)
        return FAIL(ctx, INVALID_ARGUMENT, "run must not be negative");
    if (folder && folder->depth)
        TRY(check_range(ctx, folder->depth, DEPTH_MAX, "depth"));
    return check_sizes(ctx, source->random);
}

static Status check_modification(Ctx *ctx, const LoadSpec *spec, size_t index)
{
    const Procavia__Load__Modification *modification = spec->modifications[index];
    const Procavia__Load__PutFile *put = modification->put_file;
    if (!put)
        return FAIL(ctx, INVALID_ARGUMENT, "modification %zu must have a putFile", index + 1);
    if (modification->count < 0 || put->count < 0)
        return FAIL(ctx, INVALID_ARGUMENT, "modification %zu: count must not be negative",
                    index + 1);
    for (size_t i = 0; i < spec->n_file_sources; i++)
        if (strcmp(spec->file_sources[i]->name, put->source) == 0)
            return OK;
    return FAIL(ctx, INVALID_ARGUMENT, "modification %zu: there is no file source '%s'", index + 1,
                put->source);
}

static Status check_validator(Ctx *ctx, const LoadSpec *spec)
{
    const Procavia__Load__Frequency *often = spec->validator ? spec->validator->frequency : NULL;
    if (often && (often->count < 0 || often->prob < 0 || often->prob > 100))
        return FAIL(ctx, INVALID_ARGUMENT,
                    "the validator's frequency must be a count, or a prob of at most 100");
    return OK;
}

static Status check(Ctx *ctx, const LoadSpec *spec)
{
    if (spec->count < 1 || spec->count > COMMITS_MAX)
        return FAIL(ctx, INVALID_ARGUMENT, "count must be from 1 to %lld, not %lld",
                    (long long)COMMITS_MAX, (long long)spec->count);
    for (size_t i = 0; i < spec->n_file_sources; i++)
        TRY_WRAP(ctx, check_source(ctx, spec, i), "file source '%s'", spec->file_sources[i]->name);
    if (!spec->n_modifications)
        return FAIL(ctx, INVALID_ARGUMENT, "it needs modifications");
    for (size_t i = 0; i < spec->n_modifications; i++)
        TRY(check_modification(ctx, spec, i));
    return check_validator(ctx, spec);
}

static Status read_spec(Ctx *ctx, const char *text, LoadSpec **out)
{
    JsonValue **documents;
    size_t n;
    TRY(yaml_parse_all(ctx, str(text), NULL, &documents, &n));
    if (n != 1)
        return FAIL(ctx, INVALID_ARGUMENT, "it must be one document, not %zu", n);
    ProtobufCMessage *message;
    TRY(pbjson_from_value(ctx, &procavia__load__load_spec__descriptor, documents[0], NULL,
                          &message));
    *out = (LoadSpec *)message;
    return check(ctx, *out);
}

Status load_spec_read(Ctx *ctx, const char *text, LoadSpec **out)
{
    TRY_WRAP(ctx, read_spec(ctx, text, out), "could not read the spec of the load test");
    return OK;
}
