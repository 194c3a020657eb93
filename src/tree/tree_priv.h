/* tree_priv.h - what the files of this module share: items, nodes, the walker, and the builder's
 * inner side.
 *
 * An item is what a node is made of, at any level: a key and an encoded value. In a leaf the value
 * is a record; above it is a child, and the key is the last key below that child. Code that moves
 * items about never looks into values.
 */
#pragma once

#include "tree/tree.h"

/* An inner node has two children or more (but for the last of its level), so 2^31 leaves are the
 * least that could need more. */
#define TREE_LEVELS_MAX 32

typedef struct TreeItem {
    Str path;
    Str tag;
    Bytes value;
} TreeItem;

/* What an inner node knows of a child. */
typedef struct TreeChild {
    Hash hash;
    TreeSum sum;
    bool is_plain; /* only TREE_PUT below */
} TreeChild;

int item_cmp(const TreeItem *a, const TreeItem *b); /* by key */
bool key_is_valid(Str path, Str tag);

/* --- record.c: values ------------------------------------------------------------------------ */

/* NULL, or what is wrong with it. */
const char *record_problem(const TreeRecord *record);
void record_encode(const TreeRecord *record, Buf *out);
void child_encode(const TreeChild *child, Buf *out);

/* The value of a node that was checked when it was loaded. Data points into the value. */
TreeRecord record_decode(Bytes value);
TreeChild child_decode(Bytes value);
TreeEntry item_entry(const TreeItem *item);

bool value_is_valid(unsigned level, Bytes value);
bool value_is_plain(Bytes value);
TreeSum value_sum(unsigned level, Bytes value);
void sum_add(TreeSum *sum, TreeSum more);

bool record_eq(const TreeRecord *a, const TreeRecord *b);

/* Reads the chunk at *at of an encoded list and moves past it; false at damage. */
bool list_next(Bytes list, size_t *at, TreeChunk *out);

/* --- boundary.c: where nodes end ------------------------------------------------------------- */

/* Of each byte of key, what is left of its neighbours' bytes; and the item's own overhead. */
#define WEIGHT_KEY_PART 4
#define WEIGHT_OVERHEAD 8

/* An item's share of its node's size: its value, and a guess at what prefix compression leaves of
 * its key. */
static inline size_t weight_of(size_t path_size, size_t tag_size, size_t value_size)
{
    return WEIGHT_OVERHEAD + value_size + (path_size + tag_size) / WEIGHT_KEY_PART;
}

/* Does the node of this level end after this item, which brings it to `count` items of `weight`
 * together? */
bool node_ends_after(unsigned level, const TreeItem *item, size_t count, size_t weight);

/* Does a node of this level end at this weight, whatever its last item? */
bool node_is_full(unsigned level, size_t weight);

/* --- node.c: a node in memory ---------------------------------------------------------------- */

/* Zero-initialised is empty. Loaded again and again, it keeps its buffer. */
typedef struct TreeNode {
    Hash hash; /* of what is loaded; zero: nothing */
    Buf data;
    unsigned level;
    size_t count;
    Str prefix; /* of all paths */
    Str tag;    /* of items that have none of their own */
    const uint8_t *ends;
    Bytes items;
} TreeNode;

/* Reads and checks a node; does nothing when it is the one loaded already. */
Status node_load(Ctx *ctx, const TreeIo *io, const Hash *hash, TreeNode *node);
/* Checks the bytes in node->data. NULL, or what is wrong. */
const char *node_parse(TreeNode *node);
void node_done(TreeNode *node);

/* Item `index`; its path is put together in path_buf. */
TreeItem node_item(const TreeNode *node, size_t index, Buf *path_buf);
/* The first item with a key >= (path, tag); count when there is none. */
size_t node_find(const TreeNode *node, Str path, Str tag);

/* Encodes items in order. */
typedef struct TreeNodeWriter {
    Buf keys, values; /* paths and tags; values: one after the other */
    Buf sizes;        /* of TreeItemSizes */
    size_t count;
    size_t weight;
    TreeSum sum;
    bool is_mixed; /* some value is not plain */
} TreeNodeWriter;

void node_writer_add(TreeNodeWriter *writer, unsigned level, const TreeItem *item);
/* Takes over items [from, to) of a leaf, one at least, until the node is full. Returns the first
 * index that was not taken. */
size_t node_writer_add_run(TreeNodeWriter *writer, const TreeNode *leaf, size_t from, size_t to);
/* Appends the node to out. */
void node_writer_encode(const TreeNodeWriter *writer, unsigned level, Buf *out);
void node_writer_clear(TreeNodeWriter *writer);
void node_writer_done(TreeNodeWriter *writer);

/* --- walker.c: a lazy position in a tree ----------------------------------------------------- */

/* Stands on an item: an entry, or a subtree that was not read (yet). Frames that are used up are
 * left at once, so it always stands on the highest subtree that begins at its place, and skipping
 * that reads nothing. */
typedef struct TreeFrame {
    TreeNode node;
    size_t index;
} TreeFrame;

typedef struct TreeWalker {
    TreeIo io;
    Hash root;
    Str to; /* entries at and after this path are not seen; empty: no bound */
    bool at_end;
    size_t depth;  /* of the frame whose item this is */
    TreeItem item; /* valid until the next move, unless at_end */
    Buf path;      /* of item */
    TreeFrame frames[TREE_LEVELS_MAX];
} TreeWalker;

void walker_init(TreeWalker *walker, const TreeIo *io, const Hash *root, Str to);
void walker_done(TreeWalker *walker);

/* On the root's first item; with a `from`, on the first entry at or after that path. */
Status walker_start(Ctx *ctx, TreeWalker *walker, Str from);
Status walker_seek(Ctx *ctx, TreeWalker *walker, Str path, Str tag); /* on the first entry >= */
Status walker_seek_last(Ctx *ctx, TreeWalker *walker);               /* on the last entry */
Status walker_descend(Ctx *ctx, TreeWalker *walker); /* into the subtree: on its first item */
void walker_skip(TreeWalker *walker);                /* past the entry or subtree */
void walker_skip_run(TreeWalker *walker, size_t n);  /* past n entries of the leaf, not its last */
Status walker_prev(Ctx *ctx, TreeWalker *walker);    /* from an entry to the one before */

bool walker_on_entry(const TreeWalker *walker);   /* false at the end, too */
bool walker_on_subtree(const TreeWalker *walker); /* false at the end, too */
/* Level of the subtree's node. */
unsigned walker_level(const TreeWalker *walker);
/* Does nothing of the tree come after the item? Such a node ends where the tree does, not at a
 * boundary. */
bool walker_on_last(const TreeWalker *walker);

/* --- builder.c: its inner side --------------------------------------------------------------- */

/* Adds an entry that another tree holds. */
Status builder_copy(Ctx *ctx, TreeBuilder *builder, const TreeItem *entry);

/* Adds entries [from, to) of a leaf of another tree. Not its last one: of the others it is known
 * that they end no node, unless by its weight. */
Status builder_copy_run(Ctx *ctx, TreeBuilder *builder, const TreeNode *leaf, size_t from,
                        size_t to);

/* May a subtree of this level be added whole? Only where no node of that level or below is half
 * made. */
bool builder_is_aligned(const TreeBuilder *builder, unsigned level);

/* Adds a subtree that another tree holds, unread. If it ends at its tree's end, nothing may be
 * added after it. */
Status builder_splice(Ctx *ctx, TreeBuilder *builder, unsigned level, const TreeItem *child);
