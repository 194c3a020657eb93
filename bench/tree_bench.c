/* tree_bench.c - what trees cost: building, changing, comparing, listing; over blobs in memory. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "tree/tree_priv.h"
#include "unit/tree/tree_model.h"

#define FILES_PER_DIR 100
#define ROUNDS        200

/* A tree of `files` files, of a million or fewer. */
typedef struct Bench {
    Ctx ctx;
    MemBlobs blobs;
    size_t files, inline_bytes; /* 0: contents are blobs */
    Hash root;
} Bench;

static void must(Status s)
{
    if (status_ok(s))
        return;
    fprintf(stderr, "%s\n", status_message(s));
    exit(1);
}

static TreeEntry bench_entry(const Bench *bench, size_t index, unsigned version, char path[64],
                             uint8_t *content)
{
    int size =
        snprintf(path, 64, "/data/2024/part-%05zu/file-%07zu.csv", index / FILES_PER_DIR, index);
    TreeEntry entry = { .path = { path, (size_t)size }, .tag = STR("default") };
    uint64_t name[2] = { index, version };
    entry.record.hash = hash_of(bytes(name, sizeof(name)));
    entry.record.form = bench->inline_bytes ? TREE_INLINE : TREE_BLOB;
    entry.record.size = bench->inline_bytes ? bench->inline_bytes : 100 * KiB + index % KiB;
    if (bench->inline_bytes) {
        memcpy(content, entry.record.hash.bytes, HASH_SIZE);
        entry.record.data = bytes(content, bench->inline_bytes);
    }
    return entry;
}

/* Every `step`th file from `first` on. */
static Hash build(Bench *bench, size_t first, size_t step, unsigned version)
{
    uint8_t content[TREE_INLINE_MAX] = { 0 };
    char path[64];
    CLEANUP(tree_builder_freep) TreeBuilder *builder = tree_builder_new(&bench->blobs.io);
    for (size_t i = first; i < bench->files; i += step) {
        TreeEntry entry = bench_entry(bench, i, version, path, content);
        must(tree_builder_add(&bench->ctx, builder, &entry));
    }
    Hash root;
    must(tree_builder_finish(&bench->ctx, builder, &root));
    return root;
}

static void report(const Bench *bench, const char *what, int64_t start_ns, size_t ops)
{
    double us = (double)(clock_mono_ns() - start_ns) / 1000;
    printf("{\"bench\":\"tree\",\"files\":%zu,\"inline\":%zu,\"what\":\"%s\",\"us_each\":%.2f,"
           "\"ms\":%.1f,"
           "\"gets_each\":%.1f,\"puts_each\":%.1f}\n",
           bench->files, bench->inline_bytes, what, us / (double)ops, us / 1000,
           (double)bench->blobs.gets / (double)ops, (double)bench->blobs.puts / (double)ops);
}

static int64_t begin(Bench *bench)
{
    bench->blobs.gets = bench->blobs.puts = 0;
    return clock_mono_ns();
}

/* --- shape ----------------------------------------------------------------------------------- */

typedef struct Shape {
    size_t nodes[TREE_LEVELS_MAX], bytes[TREE_LEVELS_MAX], largest[TREE_LEVELS_MAX];
} Shape;

static void measure(Bench *bench, const Hash *hash, Shape *shape)
{
    CLEANUP(node_done) TreeNode node = { 0 };
    CLEANUP(buf_done) Buf path = { 0 };
    must(node_load(&bench->ctx, &bench->blobs.io, hash, &node));
    shape->nodes[node.level]++;
    shape->bytes[node.level] += node.data.size;
    shape->largest[node.level] = MAX(shape->largest[node.level], node.data.size);
    for (size_t i = 0; node.level > 0 && i < node.count; i++) {
        Hash child = child_decode(node_item(&node, i, &path).value).hash;
        measure(bench, &child, shape);
    }
}

static void report_shape(Bench *bench)
{
    Shape shape = { 0 };
    measure(bench, &bench->root, &shape);
    for (size_t i = 0; i < TREE_LEVELS_MAX && shape.nodes[i]; i++)
        printf("{\"bench\":\"tree\",\"files\":%zu,\"inline\":%zu,\"level\":%zu,\"nodes\":%zu,"
               "\"bytes_mean\":%zu,"
               "\"bytes_largest\":%zu,\"items_mean\":%.1f}\n",
               bench->files, bench->inline_bytes, i, shape.nodes[i],
               shape.bytes[i] / shape.nodes[i], shape.largest[i],
               (double)(i ? shape.nodes[i - 1] : bench->files) / (double)shape.nodes[i]);
}

/* --- measures -------------------------------------------------------------------------------- */

static void bench_build(Bench *bench)
{
    Hash zero = { { 0 } }, layer;
    int64_t start_ns = begin(bench);
    bench->root = build(bench, 0, 1, 0);
    report(bench, "build", start_ns, bench->files);
    start_ns = begin(bench);
    must(tree_apply(&bench->ctx, &bench->blobs.io, &model_append, &zero, &bench->root, &layer));
    report(bench, "apply all to nothing", start_ns, 1);
    start_ns = begin(bench);
    must(tree_apply(&bench->ctx, &bench->blobs.io, &model_append, &bench->root, &bench->root,
                    &layer));
    report(bench, "apply all again", start_ns, 1);
    layer = build(bench, 0, 2, 1);
    start_ns = begin(bench);
    must(tree_apply(&bench->ctx, &bench->blobs.io, &model_append, &bench->root, &layer, &layer));
    report(bench, "apply every second", start_ns, 1);
}

static Status ignore(void *arg, Ctx *ctx, const TreeEntry *old_entry, const TreeEntry *new_entry)
{
    (void)ctx;
    (void)old_entry;
    (void)new_entry;
    ++*(size_t *)arg;
    return OK;
}

static void bench_change(Bench *bench)
{
    Hash layers[ROUNDS], roots[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++)
        layers[i] = build(bench, i * (bench->files / ROUNDS), bench->files, 1);
    int64_t start_ns = begin(bench);
    for (size_t i = 0; i < ROUNDS; i++)
        must(tree_apply(&bench->ctx, &bench->blobs.io, &model_append, &bench->root, &layers[i],
                        &roots[i]));
    report(bench, "apply one change", start_ns, ROUNDS);

    size_t differences = 0;
    start_ns = begin(bench);
    for (size_t i = 0; i < ROUNDS; i++)
        must(tree_diff(&bench->ctx, &bench->blobs.io, &bench->root, &roots[i], STR(""), STR(""),
                       ignore, &differences));
    report(bench, "diff one change", start_ns, ROUNDS);
    if (differences != ROUNDS)
        abort();
}

static void bench_read(Bench *bench)
{
    char path[64];
    uint8_t content[TREE_INLINE_MAX] = { 0 };
    TreeRecord record;
    int64_t start_ns = begin(bench);
    for (size_t i = 0; i < bench->files; i += 101) {
        TreeEntry entry = bench_entry(bench, i, 0, path, content);
        must(tree_get(&bench->ctx, &bench->blobs.io, &bench->root, entry.path, entry.tag, &record));
    }
    report(bench, "get", start_ns, bench->files / 101);

    CLEANUP(tree_cursor_freep) TreeCursor *cursor = tree_cursor_new(&bench->blobs.io, &bench->root);
    start_ns = begin(bench);
    do {
        must(tree_cursor_next(&bench->ctx, cursor));
    } while (tree_cursor_entry(cursor));
    report(bench, "walk", start_ns, bench->files);
}

/* Children of /data/2024/: their names by seeking from one to the next, each with its sum and
 * hash. */
static void bench_list(Bench *bench)
{
    CLEANUP(tree_cursor_freep) TreeCursor *cursor = tree_cursor_new(&bench->blobs.io, &bench->root);
    size_t dirs = bench->files / FILES_PER_DIR;
    char dir[64], end[64];
    int64_t start_ns = begin(bench);
    for (size_t i = 0; i < dirs; i++) {
        snprintf(dir, sizeof(dir), "/data/2024/part-%05zu/", i);
        must(tree_cursor_seek(&bench->ctx, cursor, str(dir), STR("")));
    }
    report(bench, "list directories", start_ns, dirs);
    TreeSum sum;
    Hash hash;
    start_ns = begin(bench);
    for (size_t i = 0; i < dirs; i += 10) {
        snprintf(dir, sizeof(dir), "/data/2024/part-%05zu/", i);
        snprintf(end, sizeof(end), "/data/2024/part-%05zu0", i);
        must(tree_sum(&bench->ctx, &bench->blobs.io, &bench->root, str(dir), str(end), &sum));
    }
    report(bench, "sum of a directory", start_ns, dirs / 10);
    start_ns = begin(bench);
    for (size_t i = 0; i < dirs; i += 10) {
        snprintf(dir, sizeof(dir), "/data/2024/part-%05zu/", i);
        must(tree_dir(&bench->ctx, &bench->blobs.io, &bench->root, str(dir), &hash, &sum));
    }
    report(bench, "hash and sum of a directory", start_ns, dirs / 10);
    start_ns = begin(bench);
    must(tree_dir(&bench->ctx, &bench->blobs.io, &bench->root, STR("/data/2024/"), &hash, &sum));
    report(bench, "hash and sum of a large directory", start_ns, 1);
}

static void bench_tree(size_t files, size_t inline_bytes)
{
    Bench bench = { .files = files, .inline_bytes = inline_bytes };
    ctx_init(&bench.ctx);
    mem_blobs_init(&bench.blobs);
    bench_build(&bench);
    report_shape(&bench);
    bench_change(&bench);
    bench_read(&bench);
    bench_list(&bench);
    mem_blobs_done(&bench.blobs);
    ctx_done(&bench.ctx);
}

int main(void)
{
    bench_tree(100 * 1000, 1000);
    bench_tree(100 * 1000, 2000);
    bench_tree(1000 * 1000, 0);
    return 0;
}
