/* ref.c - see ref.h. The suffix is (.N)? and then one of ^^^ ~~~ ^N ~N, or nothing. */
#include "pfs/ref.h"

#include "base/id.h"
#include "base/text.h"

static size_t digits_at(Str s, size_t at)
{
    size_t n = 0;
    while (at + n < s.size && s.data[at + n] >= '0' && s.data[at + n] <= '9')
        n++;
    return n;
}

static Status number_at(Ctx *ctx, Str s, size_t at, size_t n, uint64_t *out)
{
    int64_t value;
    if (!str_to_i64(str_sub(s, at, at + n), &value))
        return FAIL(ctx, UNKNOWN, "invalid ancestor format");
    *out = (uint64_t)value;
    return OK;
}

static Status err_format(Ctx *ctx)
{
    return FAIL(ctx, UNKNOWN, "invalid ancestry format");
}

/* "^^^", "~2", "" at the end of the suffix: how many parents back. */
static Status parents_parse(Ctx *ctx, Str s, size_t at, uint64_t *out)
{
    *out = 0;
    if (at == s.size)
        return OK;
    char mark = s.data[at];
    if (mark != '^' && mark != '~')
        return err_format(ctx);
    size_t n = digits_at(s, at + 1);
    if (n && at + 1 + n == s.size)
        return number_at(ctx, s, at + 1, n, out);
    while (at < s.size && s.data[at] == mark) {
        at++;
        ++*out;
    }
    return at == s.size ? OK : err_format(ctx);
}

/* ".N" counts the root as 1. */
static Status root_parse(Ctx *ctx, Str suffix, CommitRef *out)
{
    size_t n = digits_at(suffix, 1);
    if (!n)
        return err_format(ctx);
    uint64_t nth = 0, back = 0;
    TRY(number_at(ctx, suffix, 1, n, &nth));
    TRY(parents_parse(ctx, suffix, 1 + n, &back));
    if (out->is_id)
        return FAIL(ctx, UNKNOWN, "invalid branch picker: name refers to a commit, not a branch");
    if (back >= nth)
        return FAIL(ctx, UNKNOWN, "there should be less ancestors than descendants");
    out->from_root = true;
    out->steps = nth - 1 - back;
    return OK;
}

static char *lower_case(Ctx *ctx, Str s)
{
    char *text = str_z(ctx->arena, s);
    for (char *c = text; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return text;
}

Status ref_parse(Ctx *ctx, Str ref, CommitRef *out)
{
    size_t cut = str_find_any(ref, "~^.");
    Str base = str_sub(ref, 0, cut);
    Str suffix = str_sub(ref, cut, ref.size);
    bool is_id = id_is_v4(base);
    *out = (CommitRef){
        .base = is_id ? lower_case(ctx, base) : str_z(ctx->arena, base),
        .is_id = is_id,
    };
    if (suffix.size && suffix.data[0] == '.')
        return root_parse(ctx, suffix, out);
    return parents_parse(ctx, suffix, 0, &out->steps);
}
