/* env.c - see env.h. */
#include "worker/env.h"

#include "base/text.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define OWN_PATH     ":/pach-bin" /* where workers have their command line tool */

/* Variables in the order they were first set; setting one again replaces its value. Keys are found
 * by a hash table, as a group datum may set thousands. */
typedef struct EnvTable {
    Arena *arena;
    const char **items; /* "KEY=value" */
    size_t count, capacity;
    uint32_t *slots;   /* index + 1 into items; 0 is free */
    size_t slot_count; /* a power of two, at least twice capacity */
} EnvTable;

static size_t key_size(const char *item)
{
    return strcspn(item, "=");
}

/* FNV-1a (Fowler, Noll, Vo). */
static uint64_t hash_key(const char *item, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (uint8_t)item[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static void table_init(EnvTable *table, Arena *arena, size_t capacity)
{
    *table = (EnvTable){ .arena = arena, .capacity = capacity, .slot_count = 1 };
    while (table->slot_count < 2 * capacity)
        table->slot_count *= 2;
    table->items = arena_must(arena, (capacity + 1) * sizeof(*table->items));
    table->slots = arena_must(arena, table->slot_count * sizeof(*table->slots));
}

static uint32_t *find_slot(EnvTable *table, const char *item)
{
    size_t size = key_size(item);
    size_t at = (size_t)hash_key(item, size);
    for (;; at++) {
        uint32_t *slot = &table->slots[at & (table->slot_count - 1)];
        if (!*slot)
            return slot;
        const char *other = table->items[*slot - 1];
        if (key_size(other) == size && memcmp(other, item, size) == 0)
            return slot;
    }
}

static void set_item(EnvTable *table, const char *item)
{
    uint32_t *slot = find_slot(table, item);
    if (!*slot) {
        assert(table->count < table->capacity);
        *slot = (uint32_t)++table->count;
    }
    table->items[*slot - 1] = item;
}

static const char *get_item(EnvTable *table, const char *key)
{
    uint32_t *slot = find_slot(table, key);
    return *slot ? table->items[*slot - 1] + key_size(key) + 1 : NULL;
}

static void set(EnvTable *table, const char *key, const char *value)
{
    set_item(table, text_printf(table->arena, "%s=%s", key, value ? value : ""));
}

static void set_pairs(EnvTable *table, const WorkerPair *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        set(table, pairs[i].key, pairs[i].value);
}

static const char *or_else(const char *text, const char *otherwise)
{
    return text && *text ? text : otherwise;
}

/* What a transform may override. */
static void set_defaults(EnvTable *table, const WorkerSpec *spec)
{
    set(table, "PATH", DEFAULT_PATH);
    set(table, "HOSTNAME", spec->pod_name);
    set(table, "PPS_PROJECT_NAME", spec->project);
    set(table, "PPS_PIPELINE_NAME", spec->pipeline);
    set(table, "PPS_POD_NAME", spec->pod_name);
    set(table, "PPS_SPEC_COMMIT", spec->spec_commit);
    set(table, "PPS_WORKER_IP", "127.0.0.1");
    set(table, "GOCOVERDIR", "/tmp");
}

/* What it may not. */
static void set_fixed(EnvTable *table, const WorkerSpec *spec)
{
    set(table, "PACH_NAMESPACE", "default");
    set(table, "PACH_ROOT", "/pach");
    set(table, "PACH_IN_WORKER", "true");
    const char *output_commit = or_else(spec->output_commit, spec->job_id);
    if (spec->job_id && *spec->job_id)
        set(table, "PACH_JOB_ID", spec->job_id);
    if (output_commit && *output_commit)
        set(table, "PACH_OUTPUT_COMMIT_ID", output_commit);
    if (spec->grpc_port && *spec->grpc_port)
        set(table, "PPS_WORKER_GRPC_PORT", spec->grpc_port);
}

static void set_input(EnvTable *table, const WorkerInput *input)
{
    Str path = str(input->path);
    if (str_ends(path, STR("/")))
        path.size--;
    Arena *arena = table->arena;
    set_item(table,
             text_printf(arena, "%s=/pfs/%s" STR_FMT, input->name, input->name, STR_ARG(path)));
    set_item(table, text_printf(arena, "%s_COMMIT=%s", input->name, or_else(input->commit, "")));
    if (input->join_on && *input->join_on)
        set_item(table,
                 text_printf(arena, "PACH_DATUM_%s_JOIN_ON=%s", input->name, input->join_on));
    if (input->group_by && *input->group_by)
        set_item(table,
                 text_printf(arena, "PACH_DATUM_%s_GROUP_BY=%s", input->name, input->group_by));
}

static size_t count_strings(const char *const *strings)
{
    size_t n = 0;
    while (strings && strings[n])
        n++;
    return n;
}

#define OWN_VARIABLES_MAX  20
#define VARIABLES_AN_INPUT 4

const char *const *env_base(Ctx *ctx, const WorkerSpec *spec, const char *home)
{
    EnvTable table;
    size_t image_count = count_strings(spec->image_env);
    table_init(&table, ctx->arena,
               OWN_VARIABLES_MAX + image_count + spec->env_count + spec->server_env_count);
    set_defaults(&table, spec);
    for (size_t i = 0; i < image_count; i++)
        set_item(&table, spec->image_env[i]);
    set_pairs(&table, spec->env, spec->env_count);
    if (!get_item(&table, "HOME"))
        set(&table, "HOME", home);
    if (spec->working_dir && *spec->working_dir)
        set(&table, "PWD", spec->working_dir);
    set_fixed(&table, spec);
    set_pairs(&table, spec->server_env, spec->server_env_count);
    set(&table, "PATH", text_printf(ctx->arena, "%s" OWN_PATH, get_item(&table, "PATH")));
    return table.items;
}

const char *const *env_of_datum(Ctx *ctx, const char *const *base, const WorkerDatum *datum)
{
    EnvTable table;
    size_t base_count = count_strings(base);
    table_init(&table, ctx->arena, base_count + VARIABLES_AN_INPUT * datum->input_count + 1);
    for (size_t i = 0; i < base_count; i++)
        set_item(&table, base[i]);
    for (size_t i = 0; i < datum->input_count; i++)
        set_input(&table, &datum->inputs[i]);
    set(&table, "PACH_DATUM_ID", datum->id);
    return table.items;
}

const char *const *env_build(Ctx *ctx, const WorkerSpec *spec, const WorkerDatum *datum,
                             const char *home)
{
    const char *const *base = env_base(ctx, spec, home);
    return datum ? env_of_datum(ctx, base, datum) : base;
}

Str env_text(Ctx *ctx, const char *const *env)
{
    size_t size = 0, at = 0;
    for (size_t i = 0; env[i]; i++)
        size += strlen(env[i]) + 1;
    char *text = arena_must(ctx->arena, size + 1);
    for (; *env; env++) {
        size_t n = strlen(*env);
        memcpy(text + at, *env, n);
        text[at + n] = '\n';
        at += n + 1;
    }
    return (Str){ text, size };
}
