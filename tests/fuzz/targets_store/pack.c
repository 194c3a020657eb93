/* pack.c - any bytes as a pack: walked with and without its index. */
#include <sys/mman.h>

#include "fuzz/fuzz.h"
#include "store/store_priv.h"

/* Records are in order, inside the file, and with what was passed over they fill it. */
static void scan(Ctx *ctx, int fd, size_t size, bool verify)
{
    PackScan scan;
    uint64_t end = 0;
    pack_scan_init(&scan, fd, 1, 0, size, verify);
    for (bool more = true; more;) {
        PROP(status_ok(pack_scan_next(ctx, &scan, &more)));
        uint64_t next = more ? scan.row.place.offset : size;
        PROP(next - scan.lost == end);
        PROP(!more || scan.good_end == next + PACK_RECORD_SIZE + scan.row.place.stored_size);
        end = scan.good_end;
        PROP(end <= size);
    }
    pack_scan_done(&scan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Ctx ctx;
    ctx_init(&ctx);
    int fd = memfd_create("pack", MFD_CLOEXEC);
    PROP(fd >= 0 && status_ok(file_write_all(&ctx, fd, data, size)));
    scan(&ctx, fd, size, true);
    scan(&ctx, fd, size, false);
    BlobRow *rows;
    size_t n;
    Status s = pack_index_read(&ctx, fd, 1, &rows, &n);
    PROP(status_ok(s) || s.code == STATUS_NOT_FOUND || s.code == STATUS_DATA_LOSS);
    fd_closep(&fd);
    ctx_done(&ctx);
    return 0;
}
