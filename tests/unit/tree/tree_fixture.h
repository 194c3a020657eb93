/* tree_fixture.h - what the unit tests of trees share: a fixture with blobs and models, and random
 * entries. */
#pragma once

#include "testing.h"

#include "unit/tree/tree_model.h"

typedef struct Fixture {
    Ctx ctx;
    MemBlobs blobs;
    Model a, b, c;
    uint64_t seed;
} Fixture;

static inline int fixture_new(void **state)
{
    Fixture *fx = test_calloc(1, sizeof(*fx));
    ctx_init(&fx->ctx);
    mem_blobs_init(&fx->blobs);
    model_init(&fx->a);
    model_init(&fx->b);
    model_init(&fx->c);
    fx->seed = 0x5eed;
    *state = fx;
    return 0;
}

static inline int fixture_free(void **state)
{
    Fixture *fx = *state;
    model_done(&fx->a);
    model_done(&fx->b);
    model_done(&fx->c);
    mem_blobs_done(&fx->blobs);
    ctx_done(&fx->ctx);
    test_free(fx);
    return 0;
}

#define TREE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_new, fixture_free)

static inline size_t below(Fixture *fx, size_t n)
{
    return (size_t)(next_rand(&fx->seed) >> 16) % n;
}

/* One of about `files` paths in folders of different depth, with names around '/' in order. */
static inline Str random_path(Fixture *fx, size_t files)
{
    static const char *const forms[][3] = {
        { "/data/part-", "/file", ".csv" },
        { "/data/part-", "-", "" },
        { "/data/part-", ".d/x", "" },
        { "/", "/deep/er/and/deeper/", "" },
        { "/data/part-", "/sub", "/leaf" },
    };
    size_t n = below(fx, files);
    /* The form is the file's own, so that the same n is the same path. */
    const char *const *form = forms[n % ARRAY_LEN(forms)];
    char *text = text_printf(fx->ctx.arena, "%s%zu%s%zu%s", form[0], n / 97, form[1], n, form[2]);
    return str(text);
}

static inline Str random_text(Fixture *fx, size_t size_max)
{
    size_t size = below(fx, size_max + 1);
    char *text = arena_must(fx->ctx.arena, size + 1);
    for (size_t i = 0; i < size; i++)
        text[i] = (char)('a' + below(fx, 26));
    return (Str){ text, size };
}

static inline TreeEntry random_entry(Fixture *fx, size_t files, TreeOp op, size_t text_max)
{
    static const char *const tags[] = { "default", "default", "default", "4f2a7c", "" };
    return (TreeEntry){ random_path(fx, files), str(tags[below(fx, ARRAY_LEN(tags))]),
                        model_record(op, random_text(fx, text_max)) };
}

/* Fills the model with up to `count` random entries. */
static inline void random_fill(Fixture *fx, Model *model, size_t count, size_t files,
                               size_t text_max)
{
    for (size_t i = 0; i < count; i++) {
        ArenaMark mark = arena_mark(fx->ctx.arena);
        TreeEntry entry = random_entry(fx, files, TREE_PUT, text_max);
        model_set(model, &entry);
        arena_rewind(fx->ctx.arena, mark);
    }
}

/* A layer of random operations. */
static inline void random_layer(Fixture *fx, Model *layer, size_t count, size_t files,
                                size_t text_max)
{
    layer->count = 0;
    for (size_t i = 0; i < count; i++) {
        TreeEntry entry = random_entry(fx, files, (TreeOp)below(fx, 3), text_max);
        model_set(layer, &entry);
    }
}

static inline Hash build(Fixture *fx, const Model *model)
{
    Hash root;
    assert_ok(model_build(&fx->ctx, &fx->blobs.io, model, &root));
    return root;
}

static inline void assert_same_hash(const Hash *a, const Hash *b)
{
    char a_hex[HASH_HEX_SIZE], b_hex[HASH_HEX_SIZE];
    assert_string_equal(hash_hex(a, a_hex), hash_hex(b, b_hex));
}

static inline void assert_tree_is(Fixture *fx, const Hash *root, const Model *model)
{
    bool matches;
    assert_ok(model_matches(&fx->ctx, &fx->blobs.io, model, root, &matches));
    assert_true(matches);
    Hash built = build(fx, model);
    assert_same_hash(root, &built);
}
