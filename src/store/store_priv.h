/* store_priv.h - the insides of a Store, shared by its files.
 *
 *   store.c    put, get, has: what callers see        writer.c   appending, and making it durable
 *   packs.c    finding and reading pack files         flush.c    handing over to the index, sealing
 *   scan.c     walking a pack's records               recover.c  opening; what a crash left
 *   scrub.c    checking everything
 *
 * Locks, in the order they may be taken together: flush_lock; lock; the Group's own. `lock` is held
 * for moments: no SQL, and no wait for the disk but the write that closes a full pack. No lock is
 * held while the index is asked, but flush_lock, which nobody takes who could hold the database's
 * writer turn: a put or a sync never waits for the index to be written (README.md).
 */
#pragma once

#include <stdatomic.h>

#include "base/file.h"
#include "base/group.h"
#include "store/blob_map.h"
#include "store/cache.h"
#include "store/format.h"

/* Small records are collected and written in pieces of this size. */
#define WRITE_BYTES (1 * MiB)
/* Larger ones are written from the caller's memory. */
#define DIRECT_BYTES_MIN   (64 * KiB)
#define WRITE_BUFFER_BYTES (WRITE_BYTES + DIRECT_BYTES_MIN + PACK_RECORD_SIZE)

/* Disk space is reserved this much at a time, so that a full disk is a clean error and not a
 * hole. */
#define RESERVE_BYTES (16 * MiB)
/* The kernel is told to start writing after this much, so that the sync finds little left. */
#define WRITEBACK_BYTES (8 * MiB)

/* The index gets what it lacks when it lacks this much. The second bounds what a crash makes us
 * read again. */
#define FLUSH_ROWS  (16 * KiB)
#define FLUSH_BYTES (64 * MiB)

/* A pack that is written to, or full and not sealed yet. */
typedef struct PackFile {
    struct PackFile *newer;
    uint64_t number;
    int fd;
    int refs;              /* Store.files holds one, each region and a running sync another */
    uint32_t records;      /* since it was opened */
    uint64_t end;          /* bytes appended */
    uint64_t reserved;     /* bytes the file system promised */
    uint64_t end_position; /* Store.position after the newest append here */
    uint64_t synced;       /* all below this position is durable, as far as it is in this file */
} PackFile;

/* Bytes on their way into a pack: the collected ones, and then maybe one large blob of its
 * caller's. */
typedef struct Region {
    struct Region *next; /* by position */
    PackFile *file;
    uint64_t offset;   /* in the file */
    uint64_t position; /* of its first byte, counted over all packs since the store was opened */
    Buf head;
    Bytes body;
} Region;

/* Open packs that are read from. */
#define PACK_FDS_MAX 64

typedef struct PackFd {
    uint64_t number; /* 0: free */
    int fd;
    int users;
    uint64_t used_at; /* by PackFds.clock */
} PackFd;

typedef struct PackFds {
    pthread_mutex_t lock;
    uint64_t clock;
    PackFd slots[PACK_FDS_MAX];
} PackFds;

struct Store {
    char *dir;  /* of the packs */
    int dir_fd; /* holds the ownership */
    StoreIndex index;
    uint64_t pack_bytes_max;
    BlobCache *cache;
    PackFds fds;

    pthread_mutex_t lock; /* guards from here … */
    pthread_cond_t written;
    PackFile *files; /* oldest first; the newest, when there is one, is appended to */
    PackFile *active;
    uint64_t next_number;
    uint64_t position; /* bytes appended to all packs */
    Buf buffer;        /* the newest of them, not yet on their way */
    Buf spare;         /* an empty buffer's memory */
    Region *regions;   /* on their way, oldest first */
    BlobMap pending;   /* what the index does not have */
    BlobMap flushing;  /* what it is being given; or was, when that failed */
    uint64_t flush_sealed, flush_tail; /* of flushing: see StoreIndex.put */
    uint64_t flush_position;           /* position at the newest flush */
    size_t flush_rows;                 /* pending rows that make the next one due */
    bool flush_scheduled;
    bool dir_changed; /* a pack's name is not yet durable */
    /* … to here */

    pthread_mutex_t flush_lock; /* one flush at a time */
    Group sync;                 /* covers positions; poisoned by the first failed write */
    Pool *pool;                 /* flushes; no thread when idle */
    _Atomic uint64_t blobs_put, blobs_known, plain_bytes_put, stored_bytes_put, packs, stored_bytes;
};

/* --- packs.c ---------------------------------------------------------------------------------- */

#define PACK_NAME_SIZE 32
const char *pack_name(uint64_t number, char out[PACK_NAME_SIZE]);

/* Numbers of the packs in the folder, ascending, in ctx's arena; out_bytes: their sizes added
 * up. */
Status packs_list(Ctx *ctx, Store *store, uint64_t **out_numbers, size_t *out_n,
                  uint64_t *out_bytes);

/* A descriptor to read from, kept open for the next one. Errors: DATA_LOSS when there is no such
 * pack. */
typedef struct PackReader {
    Store *store;
    int fd;
    PackFd *slot; /* NULL: closed when done */
} PackReader;
Status pack_reader_open(Ctx *ctx, Store *store, uint64_t number, PackReader *out);
void pack_reader_done(PackReader *reader);

/* Reads the record at place and appends its verified plaintext to out; out is unchanged on an
 * error. Errors: DATA_LOSS naming blob and pack. */
Status pack_read(Ctx *ctx, Store *store, const Hash *hash, const BlobPlace *place, Buf *out);

/* Turns a record's stored bytes into plaintext appended to out, and checks it. Errors:
 * DATA_LOSS. */
Status pack_record_unpack(Ctx *ctx, const PackRecord *record, Bytes stored, Buf *out);

/* The index of a sealed pack. NOT_FOUND (bare): not sealed. */
Status pack_index_read(Ctx *ctx, int fd, uint64_t number, BlobRow **out_rows, size_t *out_n);

/* --- scan.c ----------------------------------------------------------------------------------- */

/* Walks the records of [at, end). Bytes that are no good record are passed over, up to the next
 * good one. */
typedef struct PackScan {
    int fd;
    uint64_t number, at, end;
    bool verify;       /* read and check the plaintext too, not only the header */
    uint64_t lost;     /* bytes passed over before the record that was found last */
    uint64_t good_end; /* of the last good record */
    BlobRow row;       /* the record found last */
    Buf stored, plain;
} PackScan;

void pack_scan_init(PackScan *scan, int fd, uint64_t number, uint64_t from, uint64_t end,
                    bool verify);
void pack_scan_done(PackScan *scan);
/* Finds the next record, or none: then `lost` counts what is left. Errors: from reading only. */
Status pack_scan_next(Ctx *ctx, PackScan *scan, bool *out_more);

/* --- writer.c --------------------------------------------------------------------------------- */

/* Appends a record, unless the blob is pending already. With lock not held. */
Status writer_append(Ctx *ctx, Store *store, const PackRecord *record, Bytes stored,
                     bool *out_known);
/* A record that may not be in its file yet: appends header and stored bytes to out. false: it is in
 * the file. */
bool writer_read(Store *store, const BlobPlace *place, Buf *out);
PackFile *pack_file_new(Store *store, int fd, uint64_t number, uint64_t end);
void pack_file_unref(PackFile *file); /* with lock held, or alone */
bool writer_is_pending(Store *store, const Hash *hash, BlobPlace *out); /* takes lock */

/* --- flush.c ---------------------------------------------------------------------------------- */

/* Starts a flush on the pool when one is due; never waits. */
void flush_when_due(Store *store);
/* Writes the index at the end of a full pack whose records end at `end`, and syncs it. */
Status pack_seal(Ctx *ctx, int fd, uint64_t number, uint64_t end);

/* --- recover.c -------------------------------------------------------------------------------- */

Status store_recover(Ctx *ctx, Store *store);
