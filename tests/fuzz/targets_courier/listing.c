/* What a store answers is read or refused, and never crashes the reader. */
#include "fuzz/fuzz.h"

#include "courier/listing.h"

static Status count(void *arg, Str key, uint64_t size)
{
    (void)key;
    (void)size;
    ++*(size_t *)arg;
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    size_t objects = 0;
    ListingPage page = { .object = count, .arg = &objects };
    Status s = listing_read(&ctx, bytes(data, size), &page);
    PROP(page.next && objects <= size);
    PROP(status_ok(s) || *status_message(s));
    PROP(listing_error(&ctx, bytes(data, size)));
    return 0;
}
