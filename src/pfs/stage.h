/* stage.h - the operations of one stream on their way to a layer (§13.2, §14.6).
 *
 * Operations are noted in the order they come. When many have gathered they are sorted, those on
 * one (path, tag) folded into the one that does the same, and written as a tree; the trees of a
 * stream are composed like the digits of a binary counter, so that each entry is rewritten a
 * logarithmic number of times, however long the stream.
 */
#pragma once

#include "pfs/content.h"

typedef struct StageOp {
    Str path, tag;
    TreeRecord record;
} StageOp;

typedef struct StageLayer {
    Hash root;
    unsigned rank; /* composed of 2^rank spills */
} StageLayer;

#define STAGE_LAYERS_MAX 64
/* Operations and inline content held in memory before they are written. */
#define STAGE_BYTES_MAX (32 * MiB)

typedef struct Stage {
    Content *content;
    Arena *arena; /* of the operations' texts and data */
    StageOp *ops;
    size_t n, capacity;
    bool sorted; /* each operation was on a higher (path, tag) than the one before */
    StageLayer layers[STAGE_LAYERS_MAX]; /* bottom first, ranks falling */
    size_t layer_count;
} Stage;

void stage_init(Stage *stage, Content *content);
void stage_done(Stage *stage);

/* Notes an operation; copies all it is given. Writes what has gathered when that is much. Errors:
 * INVALID_ARGUMENT for a path or tag longer than a tree takes. */
Status stage_add(Ctx *ctx, Stage *stage, Str path, Str tag, const TreeRecord *record);

/* If the newest operation deletes exactly this, takes it back: what follows then is a PUT. */
bool stage_take_delete(Stage *stage, Str path, Str tag);

/* Writes what has gathered as a layer of its own. */
Status stage_spill(Ctx *ctx, Stage *stage);

/* All operations as one layer; zero when there were none. The stage is empty afterwards. Not
 * synced. */
Status stage_finish(Ctx *ctx, Stage *stage, Hash *out_layer);
