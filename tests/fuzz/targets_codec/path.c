/* A cleaned path is absolute and clean already; what is valid and no root cleans without losing
 * elements. */
#include "fuzz/fuzz.h"

#include "codec/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Str path = bytes_str(bytes(data, size));
    Str clean = path_clean(&ctx, path);
    PROP(clean.size >= 1 && clean.data[0] == '/' && clean.size <= size + 1);
    PROP(clean.size == 1 || clean.data[clean.size - 1] != '/');
    PROP(str_eq(path_clean(&ctx, clean), clean));
    if (status_ok(path_validate(&ctx, path)) && status_ok(path_validate_not_root(&ctx, path)))
        PROP(status_ok(path_validate(&ctx, clean)) && clean.size > 1);
    return 0;
}
