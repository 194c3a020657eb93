/* content_fixture.h - a Content over a store in a scratch folder, and a naive model of files to
 * hold it against. */
#pragma once

#include "pfs/stage.h"
#include "testing.h"

typedef struct ContentFixture {
    Ctx ctx;
    char *dir;
    StoreIndex index;
    Store *store;
    Content content;
} ContentFixture;

static inline int content_setup(void **state)
{
    ContentFixture *f = calloc(1, sizeof(*f));
    ctx_init(&f->ctx);
    f->dir = scratch_dir(&f->ctx);
    f->index = store_index_mem_new();
    assert_ok(store_open(&f->ctx, &(StoreConfig){ .dir = f->dir }, &f->index, &f->store));
    content_init(&f->content, f->store);
    *state = f;
    return 0;
}

static inline int content_teardown(void **state)
{
    ContentFixture *f = *state;
    store_close(f->store);
    store_index_mem_free(&f->index);
    assert_ok(file_remove_tree(&f->ctx, f->dir));
    ctx_done(&f->ctx);
    free(f);
    return 0;
}

/* The record of these bytes. */
static inline TreeRecord record_of(ContentFixture *f, Bytes data)
{
    ContentWriter *writer = content_writer_new(&f->content);
    TreeRecord record;
    assert_ok(content_writer_add(&f->ctx, writer, data));
    assert_ok(content_writer_finish(&f->ctx, writer, &record));
    content_writer_free(writer);
    return record;
}

static inline void assert_same_record(const TreeRecord *a, const TreeRecord *b)
{
    assert_int_equal(a->form, b->form);
    assert_int_equal(a->size, b->size);
    assert_true(hash_eq(&a->hash, &b->hash));
    assert_true(bytes_eq(a->data, b->data));
}

/* Operations as text: "+/path" puts "x", ">/path" appends "y", "-/path" deletes; "/path=d1" has
 * tag d1. */

static inline void stage_text(ContentFixture *f, Stage *stage, const char *op)
{
    const char *equals = strchr(op, '=');
    Str path = { op + 1, equals ? (size_t)(equals - op - 1) : strlen(op + 1) };
    Str tag = str(equals ? equals + 1 : "default");
    TreeRecord record = record_of(f, str_bytes(op[0] == '+' ? STR("x") : STR("y")));
    record.op = op[0] == '+' ? TREE_PUT : op[0] == '>' ? TREE_APPEND : TREE_DELETE;
    if (record.op == TREE_DELETE)
        record = (TreeRecord){ .op = TREE_DELETE };
    assert_ok(stage_add(&f->ctx, stage, path, tag, &record));
}

/* The layer of operations ops[n], up to the first NULL. */
static inline Hash layer_of(ContentFixture *f, const char *const *ops, size_t n)
{
    Stage stage;
    stage_init(&stage, &f->content);
    for (size_t i = 0; i < n && ops[i]; i++)
        stage_text(f, &stage, ops[i]);
    Hash layer;
    assert_ok(stage_finish(&f->ctx, &stage, &layer));
    stage_done(&stage);
    return layer;
}

static inline Hash apply_to(ContentFixture *f, Hash base, Hash layer, const char **out_error)
{
    Hash total;
    assert_ok(content_apply(&f->ctx, &f->content, &base, &layer, &total, out_error));
    return total;
}
