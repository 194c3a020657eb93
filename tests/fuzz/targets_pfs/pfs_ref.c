/* Input: what follows the '@' of a commit's name. Either it is refused, or it has one plain form
 * that means the same. */
#include "fuzz/fuzz.h"

#include "base/id.h"
#include "base/text.h"
#include "pfs/ref.h"

static void check_same(Ctx *ctx, const CommitRef *ref, const char *text)
{
    CommitRef again;
    PROP(status_ok(ref_parse(ctx, str(text), &again)));
    PROP(strcmp(again.base, ref->base) == 0);
    PROP(again.is_id == ref->is_id && again.from_root == ref->from_root);
    PROP(again.steps == ref->steps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Str input = str_sub(bytes_str(bytes(data, size)), 0, 300);
    if (memchr(input.data ? input.data : "", 0, input.size))
        return 0; /* no message has such strings */
    CommitRef ref;
    if (!status_ok(ref_parse(&ctx, input, &ref)))
        return 0;
    PROP(str_find_any(str(ref.base), "~^.") == strlen(ref.base));
    PROP(!ref.is_id || (id_is_v4(str(ref.base)) && !ref.from_root));
    PROP(ref.steps <= INT64_MAX);
    if (ref.from_root && ref.steps < INT64_MAX)
        check_same(&ctx, &ref, text_printf(ctx.arena, "%s.%llu", ref.base,
                                           (unsigned long long)ref.steps + 1));
    if (!ref.from_root)
        check_same(&ctx, &ref, text_printf(ctx.arena, "%s~%llu", ref.base,
                                           (unsigned long long)ref.steps));
    return 0;
}
