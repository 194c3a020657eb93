/* condition.c - see condition.h. */
#include "s3/condition.h"

#include <ctype.h>

#include "codec/moment.h"

/* --- conditions ------------------------------------------------------------------------------- */

static Str unquoted(Str s)
{
    return s.size >= 2 && s.data[0] == '"' && s.data[s.size - 1] == '"' ? str_sub(s, 1, s.size - 1)
                                                                        : s;
}

/* Is the ETag in the list? A weak one is the same only to those who compare weakly. */
static bool has_etag(const char *list, const char *etag, bool weakly)
{
    Str rest = str(list);
    while (rest.size) {
        Str item = str_trim(str_sub(rest, 0, str_find(rest, ',')), " \t");
        rest = str_sub(rest, str_find(rest, ',') + 1, rest.size);
        bool is_weak = str_starts(item, STR("W/"));
        if (is_weak)
            item = str_sub(item, 2, item.size);
        if (str_eq_c(item, "*") || ((weakly || !is_weak) && str_eq_c(unquoted(item), etag)))
            return true;
    }
    return false;
}

/* -1: before the date, 0: at it, 1: after it; 2 when one of the two is not known. */
static int compare_date(const char *header, int64_t modified_s)
{
    int64_t date_s;
    if (!modified_s || !moment_parse_http(str(header), &date_s))
        return 2;
    return (modified_s > date_s) - (modified_s < date_s);
}

S3Verdict s3_judge(const S3Conditions *conditions, const char *etag, int64_t modified_s)
{
    if (*conditions->if_match) {
        if (!has_etag(conditions->if_match, etag, false))
            return S3_FAILED;
    } else if (compare_date(conditions->if_unmodified_since, modified_s) == 1) {
        return S3_FAILED;
    }
    if (*conditions->if_none_match)
        return has_etag(conditions->if_none_match, etag, true) ? S3_NOT_MODIFIED : S3_GO_ON;
    return compare_date(conditions->if_modified_since, modified_s) <= 0 ? S3_NOT_MODIFIED
                                                                        : S3_GO_ON;
}

bool s3_range_applies(const char *if_range, const char *etag, int64_t modified_s)
{
    if (!*if_range)
        return true;
    if (compare_date(if_range, modified_s) != 2)
        return compare_date(if_range, modified_s) == 0;
    return has_etag(if_range, etag, false) && strcmp(if_range, "*") != 0;
}

/* --- ranges ----------------------------------------------------------------------------------- */

static bool is_number(Str s)
{
    for (size_t i = 0; i < s.size; i++) {
        if (!isdigit((unsigned char)s.data[i]))
            return false;
    }
    return s.size > 0;
}

/* What does not fit is beyond any content. */
static uint64_t number(Str s)
{
    int64_t value;
    return str_to_i64(s, &value) ? (uint64_t)value : UINT64_MAX;
}

/* One range; *out has size 0 when it lies outside. False when malformed. */
static bool parse_range(Str text, uint64_t content_size, S3Range *out)
{
    size_t dash = str_find(text, '-');
    Str first = str_trim(str_sub(text, 0, dash), " \t"),
        last = str_trim(str_sub(text, dash + 1, text.size), " \t");
    *out = (S3Range){ 0, 0 };
    if (dash == text.size || (first.size && !is_number(first)) || (last.size && !is_number(last)) ||
        (!first.size && !last.size))
        return false;
    if (!first.size) {
        out->size = MIN(number(last), content_size);
        out->from = content_size - out->size;
        return true;
    }
    out->from = number(first);
    uint64_t end = last.size ? number(last) : UINT64_MAX;
    if (end < out->from)
        return false;
    if (out->from < content_size)
        out->size = MIN(end, content_size - 1) - out->from + 1;
    return true;
}

S3RangeVerdict s3_ranges(Str header, uint64_t content_size, S3Range out[S3_RANGES_MAX],
                         size_t *out_n)
{
    Str unit = STR("bytes=");
    uint64_t total = 0;
    *out_n = 0;
    if (!str_starts(header, unit) || !content_size)
        return S3_WHOLE;
    for (Str rest = str_sub(header, unit.size, header.size); rest.size;) {
        S3Range range;
        Str text = str_trim(str_sub(rest, 0, str_find(rest, ',')), " \t");
        rest = str_sub(rest, str_find(rest, ',') + 1, rest.size);
        if (!text.size)
            continue;
        if (!parse_range(text, content_size, &range) || *out_n == S3_RANGES_MAX)
            return S3_WHOLE;
        if (range.size)
            out[(*out_n)++] = range;
        total += range.size;
    }
    if (!*out_n)
        return S3_UNSATISFIABLE;
    return total > content_size ? S3_WHOLE : S3_PART;
}
