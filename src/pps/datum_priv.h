/* datum_priv.h - private to pps: what the files of datum enumeration share. */
#pragma once

#include "codec/glob.h"
#include "pps/datum.h"

/* --- leaves (datum_leaf.c) -------------------------------------------------------------------- */

/* A pfs or cron input about to turn files into datums. */
typedef struct DatumLeaf {
    const PpsV2__PFSInput *from;
    const Glob *glob;
    Ctx scratch; /* with an arena that is rewound for each file; ctx's keeps what fn puts there */
    uint64_t next_index;
} DatumLeaf;

/* node: a leaf. Errors: UNKNOWN for a glob that does not parse. */
Status datum_leaf_open(Ctx *ctx, const PpsV2__Input *node, DatumLeaf *out);
void datum_leaf_done(DatumLeaf *leaf); /* a zeroed one is fine */

/* The datum of one file. */
Status datum_leaf_emit(Ctx *ctx, DatumLeaf *leaf, const PfsMatch *match, DatumFn fn, void *arg);
/* The datum of a file that is gone: its content and expansions mean nothing. */
Status datum_leaf_emit_gone(Ctx *ctx, DatumLeaf *leaf, Str path, DatumFn fn, void *arg);

/* --- lists (datum_list.c) --------------------------------------------------------------------- */

/* Datums on the heap; what they point to is in ctx's arena. Zero-initialised is empty. */
typedef struct DatumList {
    Datum *items;
    size_t n, capacity;
} DatumList;

void datum_list_done(DatumList *list);

/* Keeps a deep copy. A DatumFn; list is a DatumList. */
Status datum_list_add(void *list, Ctx *ctx, const Datum *datum);

/* Ascending by id, each id once. */
void datum_list_sort(DatumList *list);
/* Both lists' datums, sharing what those point to. */
Status datum_list_concat(const DatumList *a, const DatumList *b, DatumList *out);

/* Everything a node gives, sorted. */
Status datum_list_fill(Ctx *ctx, const InputSource *source, const PpsV2__Input *node,
                       DatumList *out);

/* One list a child. */
typedef struct DatumLists {
    DatumList *items;
    size_t n;
} DatumLists;

Status datum_lists_new(Ctx *ctx, size_t n, DatumLists *out);
void datum_lists_done(DatumLists *lists);

/* --- composites (datum_cross.c, datum_match.c) ------------------------------------------------ */

/* The product of lists[n], the first list's order major; a datum's index is its position. Nothing
 * when any list is empty. */
Status datum_cross(Ctx *ctx, const DatumList *const *lists, size_t n, DatumFn fn, void *arg);

/* Takes the children's datums apart and emits what shares a key: for each join key the products,
 * for each group key one datum. Every index is 0. */
Status datum_match(Ctx *ctx, const DatumLists *children, bool is_join, DatumFn fn, void *arg);

/* As datum_each_change, for a join or group whose children are leaves (datum_regroup.c). */
Status datum_regroup(Ctx *ctx, const InputSource *source, const PpsV2__Input *node, DatumFn put,
                     DatumFn gone, void *arg);
