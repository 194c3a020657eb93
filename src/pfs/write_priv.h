/* write_priv.h - what the files of write share. */
#pragma once

#include "pfs/stage.h"
#include "pfs/view.h"
#include "pfs/write.h"

/* What the stream's layer is for. */
typedef enum TargetKind {
    TARGET_NONE,    /* whoever ends the stream knows */
    TARGET_OPEN,    /* a layer of an open commit */
    TARGET_ONE_OFF, /* a commit of its own on a branch, made at the end */
} TargetKind;

typedef struct Target {
    TargetKind kind;
    int64_t
        commit; /* the open commit, or the branch's head when the stream began; 0: no branch yet */
    char set_id[33]; /* of the open commit; of a one-off's once it is made */
    Buf branch; /* of a one-off: the PfsV2__Branch, encoded */
} Target;

struct PfsWriter {
    Pfs *pfs;
    Content *content;
    Target target;
    Stage stage;
    bool strict;
    bool writing; /* a file is coming in: */
    Buf path, tag;
    TreeOp op;
    ContentWriter *file;
    Remote *remote; /* NULL until a URL is met */
    Buf copied_handle; /* commit that was copied from last, encoded; its view's root is: */
    Hash copied_root;
};

/* Puts what is coming in to the staged operations. */
Status writer_end_file(Ctx *ctx, PfsWriter *writer);

/* Ends the stream as one layer, not synced. */
Status writer_finish(Ctx *ctx, PfsWriter *writer, Hash *out_layer);

/* What a reader of the target sees without this stream; zero when there is no target yet. */
Status writer_base(Ctx *ctx, PfsWriter *writer, Hash *out_root);

/* "" is "default". */
Str writer_tag(Str tag);

/* As who was set by pfs_set_promises says. */
Status pfs_fill_promised(Ctx *ctx, Pfs *pfs, const char *token, PfsWriter *writer);

/* copy_file. */
Status writer_copy_file(Ctx *ctx, PfsWriter *writer, const PfsV2__CopyFile *copy);
