/* scrub.c - reading everything and checking it. Damage is reported, and the scrub goes on. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "store/store_priv.h"

typedef struct Scrub {
    Store *store;
    StoreScrubFn fn;
    void *arg;
    uint64_t active; /* the pack that is being written, and … */
    uint64_t end;    /* … where it ended when the scrub began; both 0: there is none */
} Scrub;

static int by_offset(const void *a, const void *b)
{
    const BlobRow *left = a, *right = b;
    return (left->place.offset > right->place.offset) - (left->place.offset < right->place.offset);
}

static Status check_row(Ctx *ctx, const Scrub *scrub, const BlobRow *row, Buf *plain)
{
    ArenaMark mark = arena_mark(ctx->arena);
    buf_clear(plain);
    Status health = pack_read(ctx, scrub->store, &row->hash, &row->place, plain);
    TRY(scrub->fn(scrub->arg, ctx, &row->hash, &row->place, health));
    arena_rewind(ctx->arena, mark);
    return ctx_check(ctx);
}

/* By its index, which also names what is damaged. */
static Status check_by_index(Ctx *ctx, const Scrub *scrub, BlobRow *rows, size_t n)
{
    CLEANUP(buf_done) Buf plain = { 0 };
    qsort(rows, n, sizeof(*rows), by_offset);
    for (size_t i = 0; i < n; i++)
        TRY(check_row(ctx, scrub, &rows[i], &plain));
    return OK;
}

/* A stretch of a pack of which nobody knows what it was. */
static Status report_gap(Ctx *ctx, const Scrub *scrub, uint64_t pack, uint64_t offset,
                         uint64_t size, Status health)
{
    static const Hash unknown;
    BlobPlace gap = { .pack = pack,
                      .offset = offset,
                      .stored_size = (uint32_t)MIN(size, UINT32_MAX) };
    return scrub->fn(scrub->arg, ctx, &unknown, &gap, health);
}

static Status check_by_scan(Ctx *ctx, const Scrub *scrub, int fd, uint64_t number, uint64_t end)
{
    CLEANUP(pack_scan_done) PackScan scan;
    pack_scan_init(&scan, fd, number, PACK_HEADER_SIZE, end, true);
    for (;;) {
        bool more;
        TRY(ctx_check(ctx));
        TRY(pack_scan_next(ctx, &scan, &more));
        uint64_t lost_end = more ? scan.row.place.offset : scan.end;
        if (scan.lost)
            TRY(report_gap(ctx, scrub, number, lost_end - scan.lost, scan.lost,
                           FAIL(ctx, DATA_LOSS, "%" PRIu64 " bytes are no blob", scan.lost)));
        if (!more)
            return OK;
        TRY(scrub->fn(scrub->arg, ctx, &scan.row.hash, &scan.row.place, OK));
    }
}

static Status check_sealed(Ctx *ctx, const Scrub *scrub, int fd, uint64_t number)
{
    BlobRow *rows;
    size_t n;
    Status s = pack_index_read(ctx, fd, number, &rows, &n);
    if (status_ok(s))
        return check_by_index(ctx, scrub, rows, n);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return status_errno(ctx, errno, "could not look at pack %" PRIu64, number);
    TRY(report_gap(ctx, scrub, number, 0, 0,
                   status_wrap(ctx, s, "index of pack %" PRIu64, number)));
    return check_by_scan(ctx, scrub, fd, number, (uint64_t)st.st_size);
}

static Status check_pack(Ctx *ctx, const Scrub *scrub, uint64_t number)
{
    CLEANUP(pack_reader_done) PackReader reader;
    Status s = pack_reader_open(ctx, scrub->store, number, &reader);
    if (!status_ok(s))
        return report_gap(ctx, scrub, number, 0, 0, s);
    if (number == scrub->active)
        return check_by_scan(ctx, scrub, reader.fd, number, scrub->end);
    return check_sealed(ctx, scrub, reader.fd, number);
}

Status store_scrub(Ctx *ctx, Store *store, StoreScrubFn fn, void *arg)
{
    TRY(store_flush_index(ctx, store)); /* seals what is full, writes out what is not */
    Scrub scrub = { .store = store, .fn = fn, .arg = arg };
    {
        LOCKED(&store->lock);
        if (store->files) {
            scrub.active = store->files->number;
            scrub.end = store->files->end;
        }
    }
    TRY(store_sync(ctx, store)); /* all below that end is in the file now */
    uint64_t *numbers, bytes;
    size_t n;
    TRY(packs_list(ctx, store, &numbers, &n, &bytes));
    for (size_t i = 0; i < n && (!scrub.active || numbers[i] <= scrub.active); i++)
        TRY(check_pack(ctx, &scrub, numbers[i]));
    return OK;
}
