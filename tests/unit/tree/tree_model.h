/* tree_model.h - what tests of trees compare with: a store of blobs in memory, and a sorted array
 * that does what a tree does, slowly and plainly. */
#pragma once

#include "tree/tree.h"

/* --- blobs in memory ------------------------------------------------------------------------- */

typedef struct MemBlobs {
    struct MemBlob *slots; /* open addressing by hash */
    size_t count, capacity;
    size_t gets, puts;
    size_t fail_after; /* this many calls succeed, all later ones fail with UNAVAILABLE; SIZE_MAX:
                          none fails */
    TreeIo io;
} MemBlobs;

void mem_blobs_init(MemBlobs *blobs);
void mem_blobs_done(MemBlobs *blobs);

/* --- the model ------------------------------------------------------------------------------- */

/* Entries in order, their memory in the arena. */
typedef struct Model {
    Arena *arena;
    TreeEntry *entries;
    size_t count, capacity;
} Model;

void model_init(Model *model);
void model_done(Model *model);
void model_copy(Model *to, const Model *from); /* to is initialised, and emptied first */

/* Index of the first entry with a key >= the given one. */
size_t model_find(const Model *model, Str path, Str tag);
const TreeEntry *model_get(const Model *model, Str path, Str tag);
void model_set(Model *model, const TreeEntry *entry);
void model_remove(Model *model, Str path, Str tag);

/* Lays layer over base (a plain model, or with is_layer a layer) as tree_apply and tree_compose
 * should. */
void model_overlay(Model *base, const Model *layer, bool is_layer);

/* The model's tree, built from scratch. */
Status model_build(Ctx *ctx, const TreeIo *io, const Model *model, Hash *out_root);

/* Does the tree, walked by a cursor, hold exactly the model's entries? */
Status model_matches(Ctx *ctx, const TreeIo *io, const Model *model, const Hash *root, bool *out);

bool entries_equal(const TreeEntry *a, const TreeEntry *b); /* either may be NULL */

/* Joins inline records; what the model does for TREE_APPEND. */
extern const TreeAppend model_append;

/* A record with this text, inline. */
TreeRecord model_record(TreeOp op, Str text);
