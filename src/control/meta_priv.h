/* meta_priv.h - what a commit of a meta repo shows (pps.md §16), computed from its job's plan.
 *
 *   /meta/<datum id>/meta        how it went, as JSON                       meta_text.c
 *   /pfs/<datum id>/.env         its environment; secrets are blank         meta_text.c
 *   /pfs/<datum id>/<input>/…    its inputs, as they are in their commits   meta_parts.c
 *   /pfs/<datum id>/out/…        what it wrote, from its result             meta_parts.c
 *
 * A datum is a list of parts in order of path; each is a file or a part of some tree under another
 * name. The position (meta_walk.c) steps from part to part and from record to record of the plan,
 * so that a listing costs what it passes.
 */
#pragma once

#include "control/control_priv.h"

typedef struct MetaSource {
    TreeSource base;
    Control *control;
    PpsJobRow job;       /* strings in the arena of who opened the view */
    PpsPipelineRow spec; /* likewise */
    Procavia__Work__WorkSet *set;
    const char *home; /* of the user that the code runs as */
} MetaSource;

typedef enum MetaSection { META_SECTION_META, META_SECTION_PFS } MetaSection;
#define META_SECTIONS 2
extern const Str meta_sections[META_SECTIONS]; /* "/meta/", "/pfs/" */

/* A file, or everything below a directory of a tree. */
typedef struct MetaPart {
    Str path; /* of the file; of the directory, with its '/' */
    bool is_dir;
    TreeRecord record; /* of a file */
    const TreeIo *io;  /* of a directory: where it is */
    Hash root;
    Str inner;     /* its path there, with its '/' */
    bool is_empty; /* its files are there, their content is not */
} MetaPart;

/* Commits that inputs are read from, opened once. */
typedef struct MetaViews {
    Arena *arena;
    struct MetaView *first;
} MetaViews;
void meta_views_done(MetaViews *views);

/* The parts of a datum in one section, in order of path; in ctx's arena. Inputs whose content is
 * nowhere any more are left out. */
Status meta_parts(Ctx *ctx, const MetaSource *source, MetaViews *views, MetaSection section,
                  const DatumRecord *record, MetaPart **out, size_t *out_n);

/* Content of the two files that are made up; in ctx's arena. */
Status meta_json(Ctx *ctx, const MetaSource *source, const DatumRecord *record, Bytes *out);
Status meta_env(Ctx *ctx, const MetaSource *source, const DatumRecord *record, Bytes *out);

/* meta_walk.c: the functions of a TreeSource; its self is a MetaSource. */
extern const TreeSource meta_walk;

/* meta_dir.c: sums of directories; self is a MetaSource. */
Status meta_dir(void *self, Ctx *ctx, Str dir, Hash *out_hash, TreeSum *out_sum);

/* The record of a plan's entry; false for what is none (marks, the end). */
bool meta_is_record(const TreeEntry *entry);
