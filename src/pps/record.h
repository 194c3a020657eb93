/* record.h - what is kept of a datum: inputs, keys, and how it went. README.md has the format.
 *
 * A plan is a tree (tree/tree.h) of such records: "/<datum id>" for each datum, and "/~<datum id>",
 * empty, for each whose state is not PROCESSED, so that what must run again is found without
 * reading the rest. Both have no tag.
 */
#pragma once

#include "pps/datum.h"
#include "tree/tree.h"

typedef enum RecordState {
    RECORD_PENDING = 0, /* to be run */
    RECORD_PROCESSED = 1,
    RECORD_FAILED = 2,
    RECORD_RECOVERED = 3, /* cmd failed, err_cmd did not: done for this job, runs again in the next */
} RecordState;

typedef struct RecordStats {
    int64_t download_ns, process_ns, upload_ns;
    uint64_t download_bytes, upload_bytes;
} RecordStats;

/* The fixed-size head: all that planning and merging look at. */
typedef struct RecordHead {
    RecordState state;
    bool reused;      /* taken from the cache: run_job is not of this plan's line of jobs */
    Hash datum_hash;  /* §10.4 */
    Hash key;         /* key.h */
    Hash output_root; /* tree of what it wrote; zero: nothing */
} RecordHead;

typedef struct DatumRecord {
    RecordHead head;
    Datum datum;
    uint64_t output_bytes;
    RecordStats stats;
    const char *run_job;  /* "project/pipeline@id" of the job that ran it; "" while PENDING */
    const char *reason;   /* of a failure; "" otherwise */
    const char *image_id; /* may be "" */
} DatumRecord;

/* Appends the encoding of record. */
void record_pack(const DatumRecord *record, Buf *out);

/* Reads an encoded record; strings, inputs and sources in ctx's arena. Errors: DATA_LOSS. */
Status record_unpack(Ctx *ctx, Bytes encoded, DatumRecord *out);
Status record_unpack_head(Ctx *ctx, Bytes encoded, RecordHead *out);

/* To and from a tree's record: inline when small, else blobs (io->put). Memory of the result: ctx's
 * arena. */
Status record_store(Ctx *ctx, const TreeIo *io, const DatumRecord *record, TreeRecord *out);
Status record_load(Ctx *ctx, const TreeIo *io, const TreeRecord *stored, DatumRecord *out);
Status record_load_head(Ctx *ctx, const TreeIo *io, const TreeRecord *stored, RecordHead *out);

/* Paths in a plan: "/" or "/~", and the id in hex. */
#define RECORD_PATH_SIZE (1 + 1 + HASH_HEX_SIZE)
Str record_path(const Hash *id, char out[RECORD_PATH_SIZE]);
Str record_mark_path(const Hash *id, char out[RECORD_PATH_SIZE]);
bool record_path_id(Str path, Hash *out); /* of either; false when it is neither */
#define RECORD_MARKS STR("/~")            /* records sort below, marks at or above */
