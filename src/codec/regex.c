/* regex.c - see regex.h. Over PCRE2, interpreted: its steps can be counted, and are limited. */
#include "codec/regex.h"

#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/text.h"

/* Some 10 ms of backtracking, and the memory for it. */
#define STEPS_MAX    1000000
#define HEAP_KIB_MAX 4096

struct Regex {
    pcre2_code *code;
    pcre2_match_context *limits;
};

static Status err_parsing(Ctx *ctx, Str pattern, int error)
{
    PCRE2_UCHAR why[128];
    if (pcre2_get_error_message(error, why, sizeof(why)) < 0)
        why[0] = '\0';
    return FAIL(ctx, UNKNOWN, "error parsing regexp: %s: `" STR_FMT "`", (const char *)why,
                STR_ARG(str_sub(pattern, 0, 200)));
}

/* What a pattern may not do: look at single bytes of a character. */
#define COMPILE_OPTIONS                                                                            \
    (PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C)

Status regex_compile(Ctx *ctx, Str pattern, Regex **out)
{
    int error;
    PCRE2_SIZE at;
    if (pattern.size > REGEX_PATTERN_BYTES_MAX)
        return err_parsing(ctx, pattern, PCRE2_ERROR_BADDATA);
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)(pattern.size ? pattern.data : ""), pattern.size,
                                     COMPILE_OPTIONS, &error, &at, NULL);
    if (!code)
        return err_parsing(ctx, pattern, error);
    Regex *regex = calloc(1, sizeof(*regex));
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    if (!regex || !limits)
        abort();
    pcre2_set_match_limit(limits, STEPS_MAX);
    pcre2_set_heap_limit(limits, HEAP_KIB_MAX);
    *regex = (Regex){ code, limits };
    *out = regex;
    return OK;
}

Regex *regex_free(Regex *regex)
{
    if (!regex)
        return NULL;
    pcre2_code_free(regex->code);
    pcre2_match_context_free(regex->limits);
    free(regex);
    return NULL;
}

Status regex_search(Ctx *ctx, const Regex *regex, Str text, bool *out_found)
{
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    if (!data)
        abort();
    int matched = pcre2_match(regex->code, (PCRE2_SPTR)(text.size ? text.data : ""), text.size, 0,
                              0, data, regex->limits);
    pcre2_match_data_free(data);
    *out_found = matched >= 0;
    if (matched >= 0 || matched == PCRE2_ERROR_NOMATCH)
        return OK;
    return FAIL(ctx, RESOURCE_EXHAUSTED,
                "the regular expression takes too long: gave up on a text of %zu bytes",
                text.size);
}
