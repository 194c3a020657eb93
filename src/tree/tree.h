/* tree.h - a commit's files: a sorted map from (path, datum tag) to record, as a content-addressed
 * search tree whose node boundaries depend on content only (a prolly tree). Pure, over a reader of
 * blobs.
 *
 *   - The same set of entries has the same root hash however it was made.
 *   - Inner nodes carry counts and byte totals: the size of any directory is O(log n).
 *   - Two trees are compared by skipping equal hashes: a diff is O(changes).
 *
 * Order is bytewise on the full path, then on the tag: "/a-b" < "/a.txt" < "/a/x" < "/a0".
 * Directories are not entries: "/a" is a directory iff some path starts with "/a/".
 *
 * A LAYER is a tree whose records say what to do to a base: TREE_PUT replaces, TREE_APPEND appends
 * to what is there (or creates), TREE_DELETE removes. A plain tree holds TREE_PUT records only.
 * tree_apply lays a layer over a plain tree; tree_compose lays one layer over another.
 *
 * A root is a Hash; all zeros is the empty tree. README.md has the node format. All functions: any
 * thread; errors, unless said otherwise, are those of the TreeIo, DATA_LOSS for a malformed node,
 * CANCELLED and DEADLINE_EXCEEDED from ctx, RESOURCE_EXHAUSTED past the arena's limit.
 */
#pragma once

#include "chunk/chunk.h"

/* Where nodes come from and go to. get appends the blob to out. put may be NULL for readers; a
 * builder without it only works out the root. */
typedef struct TreeSource TreeSource;
typedef struct TreeIo {
    Status (*get)(void *self, Ctx *ctx, const Hash *hash, Buf *out);
    Status (*put)(void *self, Ctx *ctx, Bytes blob, Hash *out_hash);
    void *self;
    const TreeSource
        *source; /* entries that are computed, whatever the root; NULL: nodes are read */
} TreeIo;

typedef enum TreeOp { TREE_PUT = 0, TREE_APPEND = 1, TREE_DELETE = 2 } TreeOp;

/* How a record's content is held. */
typedef enum TreeForm {
    TREE_INLINE = 0, /* the bytes themselves: up to TREE_INLINE_MAX */
    TREE_BLOB = 1,   /* one blob, named by the content's hash */
    TREE_LIST = 2, /* data = varint plain sizes and hashes of the chunks, in order (tree_list_*) */
    TREE_LIST_BLOB = 3, /* data = hashes of the blobs that hold such a list, each a whole number of
                           chunks of it */
} TreeForm;

#define TREE_INLINE_MAX      2048
#define TREE_PATH_MAX        4096
#define TREE_TAG_MAX         128
#define TREE_LIST_INLINE_MAX 64 /* chunks; a longer list is a TREE_LIST_BLOB */
#define TREE_LIST_BLOBS_MAX  64 /* of 4 MiB, which is some 120,000 chunks each: 2 TB in all */

typedef struct TreeRecord {
    TreeOp op;
    TreeForm form;
    uint64_t size; /* bytes of content; a TREE_DELETE has nothing but its op */
    Hash hash;  /* content hash: SHA-256 of the content (INLINE, BLOB), or of its encoded chunk list
                 */
    Bytes data; /* see TreeForm; empty for TREE_BLOB */
} TreeRecord;

/* With its data in ctx's arena. */
TreeRecord tree_record_copy(Ctx *ctx, const TreeRecord *record);

typedef struct TreeEntry {
    Str path; /* starts with '/', never ends with one; any other bytes */
    Str tag;  /* datum tag; "default" for what users write */
    TreeRecord record;
} TreeEntry;

/* One chunk of a file. */
typedef struct TreeChunk {
    Hash hash;
    uint64_t size;
} TreeChunk;
void tree_list_add(Buf *list, const TreeChunk *chunk);
/* Decodes an encoded chunk list into ctx's arena. Errors: DATA_LOSS. */
Status tree_list_parse(Ctx *ctx, Bytes list, TreeChunk **out_chunks, size_t *out_n);

typedef struct TreeSum {
    uint64_t files; /* entries */
    uint64_t bytes; /* of content */
} TreeSum;

/* --- reading --------------------------------------------------------------------------------- */

/* A position in one tree: before the first entry (where a new cursor is), on one, or after the
 * last. Entry memory is valid until the next move. It keeps one node a level, so that moves to a
 * place nearby read little. After an error only seeks and free are of use. */
typedef struct TreeCursor TreeCursor;
TreeCursor *tree_cursor_new(const TreeIo *io, const Hash *root);
TreeCursor *tree_cursor_free(TreeCursor *cursor);
static inline void tree_cursor_freep(TreeCursor **cursor)
{
    *cursor = tree_cursor_free(*cursor);
}
/* To the first entry with (path, tag) >= the given one; tag "" sorts first. O(log n). */
Status tree_cursor_seek(Ctx *ctx, TreeCursor *cursor, Str path, Str tag);
/* To the last entry with (path, tag) < the given one. */
Status tree_cursor_seek_before(Ctx *ctx, TreeCursor *cursor, Str path, Str tag);
Status tree_cursor_seek_end(Ctx *ctx, TreeCursor *cursor); /* to the last entry */
Status tree_cursor_next(Ctx *ctx, TreeCursor *cursor);
Status tree_cursor_prev(Ctx *ctx, TreeCursor *cursor);
/* The entry under the cursor; NULL before the first and after the last. */
const TreeEntry *tree_cursor_entry(const TreeCursor *cursor);

/* Entries that are nowhere stored as a tree. Cursors, tree_get, tree_sum and tree_dir work on it as
 * on nodes; what compares or changes trees does not: copy the entries into a builder first. A
 * position is as a cursor: before the first, on one, or after the last; a new one is before the
 * first. tree_sum costs what is in the range. */
struct TreeSource {
    void *self;
    void *(*open)(void *self);
    void (*close)(void *position);
    Status (*seek)(void *position, Ctx *ctx, Str path, Str tag); /* to the first that is not less */
    Status (*next)(void *position, Ctx *ctx);
    Status (*prev)(void *position, Ctx *ctx);
    Status (*end)(void *position, Ctx *ctx); /* to the last */
    const TreeEntry *(*entry)(const void *position);
    /* As tree_dir. */
    Status (*dir)(void *self, Ctx *ctx, Str dir, Hash *out_hash, TreeSum *out_sum);
};

/* One entry; record memory in ctx's arena. Reads one node a level. Errors: NOT_FOUND (bare). */
Status tree_get(Ctx *ctx, const TreeIo *io, const Hash *root, Str path, Str tag, TreeRecord *out);

/* Sums over entries with from <= path < to; an empty `to` is no upper bound. O(log n). */
Status tree_sum(Ctx *ctx, const TreeIo *io, const Hash *root, Str from, Str to, TreeSum *out);

/* Hash and sum of a directory ("/", or "/a/b/" with its slash). The hash is equal iff the same
 * entries with the same content are below it, wherever else the trees differ. It covers full paths:
 * the same files in another directory have another hash. O(log n). Zero when nothing is below. */
Status tree_dir(Ctx *ctx, const TreeIo *io, const Hash *root, Str dir, Hash *out_hash,
                TreeSum *out_sum);

/* The first path component boundary: for walking children, the least path that sorts after all of
 * dir's content ("/a/" gives "/a0"). In ctx's arena. */
Str tree_dir_end(Ctx *ctx, Str dir);

/* --- writing --------------------------------------------------------------------------------- */

/* Builds a tree from entries in strictly ascending order. Errors of add: INVALID_ARGUMENT for a key
 * or record that breaks the rules above, or out of order. finish starts anew; after any error only
 * free is of use. */
typedef struct TreeBuilder TreeBuilder;
TreeBuilder *tree_builder_new(const TreeIo *io);
Status tree_builder_add(Ctx *ctx, TreeBuilder *builder, const TreeEntry *entry);
Status tree_builder_finish(Ctx *ctx, TreeBuilder *builder, Hash *out_root);
TreeBuilder *tree_builder_free(TreeBuilder *builder);
static inline void tree_builder_freep(TreeBuilder **builder)
{
    *builder = tree_builder_free(*builder);
}

/* Makes the record of old content followed by new content; called for TREE_APPEND over something.
 * The implementation (pfs) reads the last chunk and cuts again, so the result does not depend on
 * the pieces. */
typedef struct TreeAppend {
    Status (*join)(void *self, Ctx *ctx, const TreeRecord *old, const TreeRecord *more,
                   TreeRecord *out);
    void *self;
} TreeAppend;

/* Lays `layer` over the plain tree `base`: O(entries of layer × log n), less where it has whole
 * subtrees of new files. Over an empty base a layer that only puts is the result. */
Status tree_apply(Ctx *ctx, const TreeIo *io, const TreeAppend *append, const Hash *base,
                  const Hash *layer, Hash *out_root);

/* Lays the layer `upper` over the layer `lower`, giving one layer that does both. */
Status tree_compose(Ctx *ctx, const TreeIo *io, const TreeAppend *append, const Hash *lower,
                    const Hash *upper, Hash *out_layer);

/* --- comparing ------------------------------------------------------------------------------- */

/* Entries that differ, in order; old or new is NULL when absent. Restricted to from <= path < to
 * (empty `to`: no upper bound). Memory is valid during the call. O(changes × log n). */
typedef Status (*TreeDiffFn)(void *arg, Ctx *ctx, const TreeEntry *old_entry,
                             const TreeEntry *new_entry);
Status tree_diff(Ctx *ctx, const TreeIo *io, const Hash *old_root, const Hash *new_root, Str from,
                 Str to, TreeDiffFn fn, void *arg);

/* Three-way merge: what ours and theirs changed since base. fn is told each entry that both changed
 * to different things (any of base, ours and theirs may be NULL: absent) and decides; it may count
 * instead of stopping. *out_changes: entries of ours that the merge changed. O(changes × log n). */
typedef enum TreeTake { TREE_TAKE_OURS, TREE_TAKE_THEIRS } TreeTake;
typedef Status (*TreeConflictFn)(void *arg, Ctx *ctx, const TreeEntry *base, const TreeEntry *ours,
                                 const TreeEntry *theirs, TreeTake *out_take);
Status tree_merge3(Ctx *ctx, const TreeIo *io, const Hash *base, const Hash *ours,
                   const Hash *theirs, TreeConflictFn fn, void *arg, Hash *out_root,
                   uint64_t *out_changes);

/* Calls fn for each node of the tree and each blob its records name, parents before children.
 * *out_descend is true at first; fn may clear it for a node, or a blob that holds a chunk list,
 * whose inside is known already; for other blobs it means nothing. Blobs named twice are told
 * twice. For garbage collection and fsck. */
typedef Status (*TreeVisitFn)(void *arg, Ctx *ctx, const Hash *blob, bool is_node,
                              bool *out_descend);
Status tree_visit(Ctx *ctx, const TreeIo *io, const Hash *root, TreeVisitFn fn, void *arg);
