/* scan.c - walking the records of a pack without its index.
 *
 * Damage is passed over, not passed on: where no good record begins, the next good one is looked
 * for. A power cut leaves such gaps too, since the disk writes in any order; nothing acknowledged
 * can be in them.
 */
#include "store/store_priv.h"

#define SEARCH_BYTES (64 * KiB)

void pack_scan_init(PackScan *scan, int fd, uint64_t number, uint64_t from, uint64_t end,
                    bool verify)
{
    *scan = (PackScan){
        .fd = fd, .number = number, .at = from, .end = end, .verify = verify, .good_end = from
    };
}

void pack_scan_done(PackScan *scan)
{
    buf_done(&scan->stored);
    buf_done(&scan->plain);
}

/* Is the content what the header says? Errors: from reading only. */
static Status check_content(Ctx *ctx, PackScan *scan, const PackRecord *record, bool *out_good)
{
    buf_clear(&scan->stored);
    buf_clear(&scan->plain);
    buf_reserve(&scan->stored, record->stored_size + (size_t)1);
    TRY(file_pread_all(ctx, scan->fd, scan->stored.data, record->stored_size,
                       scan->at + PACK_RECORD_SIZE));
    ArenaMark mark = arena_mark(ctx->arena);
    Status s =
        pack_record_unpack(ctx, record, bytes(scan->stored.data, record->stored_size), &scan->plain);
    arena_rewind(ctx->arena, mark);
    *out_good = status_ok(s);
    return OK;
}

/* Is there a good record at `at`? After a gap the content is checked even when the scan trusts it:
 * what looks like a header may be part of somebody's blob. */
static Status check_record(Ctx *ctx, PackScan *scan, bool *out_good)
{
    *out_good = false;
    if (scan->end - scan->at < PACK_RECORD_SIZE)
        return OK;
    uint8_t header[PACK_RECORD_SIZE];
    PackRecord record;
    TRY(file_pread_all(ctx, scan->fd, header, sizeof(header), scan->at));
    if (!pack_record_decode(header, &record) ||
        scan->end - scan->at - PACK_RECORD_SIZE < record.stored_size)
        return OK;
    *out_good = true;
    if (scan->verify || scan->lost)
        TRY(check_content(ctx, scan, &record, out_good));
    scan->row = (BlobRow){
        record.hash, {scan->number, scan->at, record.stored_size, record.plain_size}
    };
    return OK;
}

/* Moves to the next place from `at` on where a header may begin, or to the end. */
static Status search(Ctx *ctx, PackScan *scan)
{
    uint8_t data[SEARCH_BYTES];
    while (scan->end - scan->at >= PACK_RECORD_SIZE) {
        size_t size = (size_t)MIN(sizeof(data), scan->end - scan->at);
        TRY(file_pread_all(ctx, scan->fd, data, size, scan->at));
        const uint8_t *found = memmem(data, size, PACK_RECORD_MAGIC, PACK_RECORD_MAGIC_SIZE);
        if (found) {
            scan->at += (uint64_t)(found - data);
            return OK;
        }
        scan->at += size - (PACK_RECORD_MAGIC_SIZE -
                            1); /* it may begin in this piece and end in the next */
    }
    scan->at = scan->end;
    return OK;
}

Status pack_scan_next(Ctx *ctx, PackScan *scan, bool *out_more)
{
    *out_more = false;
    scan->lost = 0;
    while (scan->at < scan->end) {
        TRY(check_record(ctx, scan, out_more));
        if (*out_more) {
            scan->at += PACK_RECORD_SIZE + (uint64_t)scan->row.place.stored_size;
            scan->good_end = scan->at;
            return OK;
        }
        TRY(ctx_check(ctx));
        scan->at++;
        TRY(search(ctx, scan));
        scan->lost = scan->at - scan->good_end;
    }
    return OK;
}
