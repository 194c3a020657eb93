/* Input: a pattern, a newline, a path. Whatever they are: no crash, no runaway, and the shortcuts
 * tell the truth. */
#include "fuzz/fuzz.h"

#include "codec/glob.h"

static size_t count_slashes(Str s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.size; i++)
        count += s.data[i] == '/';
    return count;
}

static void check_match(const Glob *glob, Str path)
{
    Str dir, literal;
    PROP(str_starts(path, glob_prefix(glob)));
    PROP(!glob_is_literal(glob, &literal) || str_eq(literal, path));
    PROP(!glob_is_level(glob, &dir) || str_starts(path, dir));
    PROP(!glob_depth(glob) || glob_depth(glob) == count_slashes(path));
    for (size_t i = 0; i < path.size; i++) {
        if (path.data[i] == '/' && path.size > 1)
            PROP(glob_match_below(glob, str_sub(path, 0, i)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(ctx_done) Ctx ctx;
    ctx_init(&ctx);
    Str input = str_sub(bytes_str(bytes(data, size)), 0, 600);
    size_t cut = str_find(input, '\n');
    Str path = path_clean(&ctx, str_sub(input, cut + 1, input.size));
    const Glob *glob;
    if (!status_ok(glob_compile(&ctx, str_sub(input, 0, cut), &glob)))
        return 0;
    if (glob_match(glob, path))
        check_match(glob, path);
    glob_replace(&ctx, glob, path, STR("$1-$2-$3"));
    return 0;
}
