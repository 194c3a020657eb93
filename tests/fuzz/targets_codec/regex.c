/* Input: a pattern, a newline, a text. Whatever they are: no crash, no runaway. */
#include "fuzz/fuzz.h"

#include "codec/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Str input = str_sub(bytes_str(bytes(data, size)), 0, 400);
    size_t cut = str_find(input, '\n');
    CLEANUP(regex_freep) Regex *regex = NULL;
    if (!status_ok(regex_compile(&ctx, str_sub(input, 0, cut), &regex)))
        return 0;
    bool first, again;
    Str text = str_sub(input, cut + 1, input.size);
    Status s = regex_search(&ctx, regex, text, &first);
    PROP(status_ok(s) == status_ok(regex_search(&ctx, regex, text, &again)));
    PROP(!status_ok(s) || first == again);
    return 0;
}
