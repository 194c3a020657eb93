/* key.c - see key.h; the encoding is drawn in README.md. */
#include "pps/key.h"

#include <stdlib.h>

#include "base/text.h"
#include "pps/spec.h"

#define STEP_DOMAIN  "procavia step 1"
#define DATUM_DOMAIN "procavia datum 1"

/* --- encoding --------------------------------------------------------------------------------- */

static void add_str(Buf *out, Str text)
{
    buf_add_varint(out, text.size);
    buf_add_str(out, text);
}

static void add_hash(Buf *out, const Hash *hash)
{
    buf_add(out, hash->bytes, HASH_SIZE);
}

static void add_strings(Buf *out, char *const *items, size_t n)
{
    buf_add_varint(out, n);
    for (size_t i = 0; i < n; i++)
        add_str(out, str(items[i]));
}

/* --- the step's parts ------------------------------------------------------------------------- */

typedef struct PartList {
    KeyPart *items;
    size_t n;
    Buf value; /* of the part under construction */
} PartList;

static void part_list_done(PartList *list)
{
    buf_done(&list->value);
}

/* Ends the part whose value has been built. */
static void part_end(PartList *list, const char *name, const char *text)
{
    list->items[list->n++] = (KeyPart){ name, text, hash_of(buf_bytes(&list->value)) };
    buf_clear(&list->value);
}

static void part_text(PartList *list, const char *name, const char *text)
{
    buf_add_str(&list->value, str(text));
    part_end(list, name, text);
}

static void part_flag(PartList *list, const char *name, bool flag)
{
    buf_add_u8(&list->value, flag);
    part_end(list, name, flag ? "true" : "false");
}

static void part_strings(Ctx *ctx, PartList *list, const char *name, char *const *items, size_t n)
{
    add_strings(&list->value, items, n);
    const char **quoted = arena_must(ctx->arena, (n + 1) * sizeof(*quoted));
    for (size_t i = 0; i < n; i++)
        quoted[i] = text_quote(ctx->arena, str(items[i]));
    part_end(list, name, text_join(ctx->arena, quoted, n, " "));
}

static int i64_cmp(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void part_codes(Ctx *ctx, PartList *list, const int64_t *codes, size_t n)
{
    int64_t *sorted = arena_must(ctx->arena, (n + 1) * sizeof(*sorted));
    const char **texts = arena_must(ctx->arena, (n + 1) * sizeof(*texts));
    if (n)
        memcpy(sorted, codes, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), i64_cmp);
    buf_add_varint(&list->value, n);
    for (size_t i = 0; i < n; i++) {
        buf_add_varint(&list->value, (uint64_t)sorted[i]);
        texts[i] = text_printf(ctx->arena, "%lld", (long long)sorted[i]);
    }
    part_end(list, "accept_return_code", text_join(ctx->arena, texts, n, " "));
}

static int env_cmp(const void *a, const void *b)
{
    const PpsV2__Transform__EnvEntry *const *x = a, *const *y = b;
    return strcmp((*x)->key, (*y)->key);
}

static void parts_env(Ctx *ctx, PartList *list, const PpsV2__Transform *transform)
{
    size_t n = transform->n_env;
    PpsV2__Transform__EnvEntry **sorted = arena_must(ctx->arena, (n + 1) * sizeof(void *));
    for (size_t i = 0; i < n; i++)
        sorted[i] = transform->env[i];
    qsort(sorted, n, sizeof(void *), env_cmp);
    for (size_t i = 0; i < n; i++)
        part_text(list, text_printf(ctx->arena, "env.%s", sorted[i]->key), sorted[i]->value);
}

static const Hash hash_zero;

/* A secret's text never is in a part, only what it was hashed to. */
static void parts_secrets(Ctx *ctx, PartList *list, const PpsV2__Transform *transform,
                          const Hash *hashes)
{
    for (size_t i = 0; i < transform->n_secrets; i++) {
        const PpsV2__SecretMount *secret = transform->secrets[i];
        add_str(&list->value, str(secret->name));
        add_str(&list->value, str(secret->key));
        add_str(&list->value, str(secret->mount_path));
        add_str(&list->value, str(secret->env_var));
        add_hash(&list->value, hashes ? &hashes[i] : &hash_zero);
        char hex[HASH_HEX_SIZE];
        hash_hex(hashes ? &hashes[i] : &hash_zero, hex);
        part_end(list, text_printf(ctx->arena, "secret.%zu", i),
                 text_printf(ctx->arena, "%s/%s env=%s mount=%s content=%.16s", secret->name,
                             secret->key, secret->env_var, secret->mount_path, hex));
    }
}

/* Digest over a domain and the parts' names and digests. */
static Hash parts_digest(const PartList *list)
{
    Buf all = { 0 };
    add_str(&all, STR(STEP_DOMAIN));
    buf_add_varint(&all, list->n);
    for (size_t i = 0; i < list->n; i++) {
        add_str(&all, str(list->items[i].name));
        add_hash(&all, &list->items[i].digest);
    }
    Hash digest = hash_of(buf_bytes(&all));
    buf_done(&all);
    return digest;
}

#define FIXED_PARTS 10

KeyStep key_step(Ctx *ctx, const PpsV2__Transform *t, const KeyCode *code)
{
    CLEANUP(part_list_done) PartList list = { 0 };
    list.items =
        arena_must(ctx->arena, (FIXED_PARTS + 1 + t->n_env + t->n_secrets) * sizeof(KeyPart));
    part_text(&list, "code", code->code);
    part_strings(ctx, &list, "cmd", t->cmd, t->n_cmd);
    part_strings(ctx, &list, "stdin", t->stdin, t->n_stdin);
    part_strings(ctx, &list, "err_cmd", t->err_cmd, t->n_err_cmd);
    part_strings(ctx, &list, "err_stdin", t->err_stdin, t->n_err_stdin);
    part_codes(ctx, &list, t->accept_return_code, t->n_accept_return_code);
    part_text(&list, "user", t->user);
    part_text(&list, "working_dir", t->working_dir);
    part_flag(&list, "datum_batching", t->datum_batching);
    part_flag(&list, "s3_out", code->s3_out);
    assert(list.n == FIXED_PARTS);
    if (spec_has_no_network(t)) /* only then: keys that were made before there was a choice stay */
        part_text(&list, "network", t->network);
    parts_env(ctx, &list, t);
    parts_secrets(ctx, &list, t, code->secret_hashes);
    return (KeyStep){ parts_digest(&list), list.items, list.n };
}

/* --- the datum's inputs ----------------------------------------------------------------------- */

static uint8_t input_flags(const PpsV2__PFSInput *from)
{
    return (uint8_t)((from->lazy ? 1 : 0) | (from->empty_files ? 2 : 0) | (from->s3 ? 4 : 0) |
                     (from->reference ? 8 : 0));
}

static void add_input(Buf *out, const DatumInput *input)
{
    add_str(out, str(input->from->name));
    add_str(out, input->path);
    buf_add_u8(out, input_flags(input->from));
    add_str(out, input->join_on);
    add_str(out, input->group_by);
    if (!input->from->reference)
        add_hash(out, &input->hash);
}

Hash key_datum(Hasher *hasher, const KeyStep *step, const Datum *datum)
{
    Buf piece = { 0 };
    add_str(&piece, STR(DATUM_DOMAIN));
    add_hash(&piece, &step->digest);
    buf_add_varint(&piece, datum->input_count);
    for (size_t i = 0; i < datum->input_count; i++) {
        add_input(&piece, datum->inputs[i]);
        hasher_add(hasher, buf_bytes(&piece));
        buf_clear(&piece);
    }
    hasher_add(hasher, buf_bytes(&piece));
    buf_done(&piece);
    return hasher_finish(hasher);
}

static const char *input_text(Ctx *ctx, const DatumInput *input)
{
    const PpsV2__PFSInput *from = input->from;
    Arena *arena = ctx->arena;
    char hex[HASH_HEX_SIZE];
    hash_hex(&input->hash, hex);
    const char *words[8];
    size_t n = 0;
    words[n++] = str_z(arena, input->path);
    words[n++] = from->reference ? "content=any" : text_printf(arena, "content=%.16s", hex);
    if (from->lazy)
        words[n++] = "lazy";
    if (from->empty_files)
        words[n++] = "empty_files";
    if (from->s3)
        words[n++] = "s3";
    if (input->join_on.size)
        words[n++] = text_printf(arena, "join_on=" STR_FMT, STR_ARG(input->join_on));
    if (input->group_by.size)
        words[n++] = text_printf(arena, "group_by=" STR_FMT, STR_ARG(input->group_by));
    return text_join(arena, words, n, " ");
}

KeyPart *key_datum_parts(Ctx *ctx, const Datum *datum, size_t *out_n)
{
    CLEANUP(part_list_done) PartList list = { 0 };
    list.items = arena_must(ctx->arena, (datum->input_count + 1) * sizeof(KeyPart));
    for (size_t i = 0; i < datum->input_count; i++) {
        const DatumInput *input = datum->inputs[i];
        add_input(&list.value, input);
        part_end(&list, text_printf(ctx->arena, "input.%zu.%s", i, input->from->name),
                 input_text(ctx, input));
    }
    *out_n = list.n;
    return list.items;
}

/* --- comparing -------------------------------------------------------------------------------- */

static const KeyPart *find_part(const KeyPart *parts, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(parts[i].name, name))
            return &parts[i];
    return NULL;
}

void key_diff(const KeyPart *old_parts, size_t old_n, const KeyPart *new_parts, size_t new_n,
              KeyDiffFn fn, void *arg)
{
    for (size_t i = 0; i < new_n; i++) {
        const KeyPart *old_part = find_part(old_parts, old_n, new_parts[i].name);
        if (!old_part || !hash_eq(&old_part->digest, &new_parts[i].digest))
            fn(arg, new_parts[i].name, old_part ? old_part->text : NULL, new_parts[i].text);
    }
    for (size_t i = 0; i < old_n; i++)
        if (!find_part(new_parts, new_n, old_parts[i].name))
            fn(arg, old_parts[i].name, old_parts[i].text, NULL);
}
