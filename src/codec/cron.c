/* cron.c - see cron.h. A field is a set of bits; the next time is found day by day. */
#include "codec/cron.h"

#include <inttypes.h>

#include "base/text.h"
#include "codec/moment.h"

/* --- fields ----------------------------------------------------------------------------------- */

typedef struct FieldKind {
    unsigned min, max;
    unsigned name_base;
    const char *names; /* three letters each, the first is name_base */
} FieldKind;

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELD_COUNT };

static const FieldKind kinds[FIELD_COUNT] = {
    [MINUTE] = { 0, 59, 0, "" },
    [HOUR] = { 0, 23, 0, "" },
    [DAY] = { 1, 31, 0, "" },
    [MONTH] = { 1, 12, 1, "janfebmaraprmayjunjulaugsepoctnovdec" },
    [WEEKDAY] = { 0, 6, 0, "sunmontuewedthufrisat" },
};

typedef struct Field {
    uint64_t bits;
    bool is_star;
} Field;

static bool name_number(Str s, const FieldKind *kind, uint64_t *out)
{
    char name[4] = { 0 };
    for (size_t i = 0; i < 3 && s.size == 3; i++)
        name[i] = (char)(s.data[i] | 0x20);
    for (size_t i = 0; kind->names[i]; i += 3) {
        if (strncmp(kind->names + i, name, 3) == 0) {
            *out = i / 3 + kind->name_base;
            return true;
        }
    }
    return false;
}

static Status parse_number(Ctx *ctx, Str s, uint64_t *out)
{
    int64_t number;
    size_t sign = s.size && (s.data[0] == '+' || s.data[0] == '-');
    Str digits = str_sub(s, sign, s.size);
    if (!str_to_i64(s.size && s.data[0] == '+' ? digits : s, &number)) {
        bool whole = digits.size && strspn(str_z(ctx->arena, digits), "0123456789") == digits.size;
        return FAIL(
            ctx, UNKNOWN, "Failed to parse int from " STR_FMT ": strconv.Atoi: parsing %s: %s",
            STR_ARG(s), text_quote(ctx->arena, s), whole ? "value out of range" : "invalid syntax");
    }
    if (number < 0)
        return FAIL(ctx, UNKNOWN, "Negative number (%" PRId64 ") not allowed: " STR_FMT, number,
                    STR_ARG(s));
    *out = (uint64_t)number;
    return OK;
}

static Status parse_number_or_name(Ctx *ctx, Str s, const FieldKind *kind, uint64_t *out)
{
    return name_number(s, kind, out) ? OK : parse_number(ctx, s, out);
}

/* Splits s at the first c; false when there is none: then all of it is before. */
static bool cut(Str s, char c, Str *before, Str *behind)
{
    size_t at = str_find(s, c);
    *before = str_sub(s, 0, at);
    *behind = str_sub(s, at + 1, s.size);
    return at < s.size;
}

/* "a", "a-b", "*": the ends, without looking at their bounds. */
static Status parse_ends(Ctx *ctx, Str range, Str expr, const FieldKind *kind, uint64_t *low,
                         uint64_t *high, bool *out_star)
{
    Str first, last;
    bool has_end = cut(range, '-', &first, &last);
    *out_star = str_eq_c(first, "*") || str_eq_c(first, "?");
    *low = kind->min;
    *high = kind->max;
    if (*out_star)
        return OK;
    TRY(parse_number_or_name(ctx, first, kind, low));
    *high = *low;
    if (has_end && str_find(last, '-') < last.size)
        return FAIL(ctx, UNKNOWN, "Too many hyphens: " STR_FMT, STR_ARG(expr));
    return has_end ? parse_number_or_name(ctx, last, kind, high) : OK;
}

static Status check_range(Ctx *ctx, Str expr, const FieldKind *kind, uint64_t low, uint64_t high,
                          uint64_t step)
{
    if (low < kind->min)
        return FAIL(ctx, UNKNOWN, "Beginning of range (%" PRIu64 ") below minimum (%u): " STR_FMT,
                    low, kind->min, STR_ARG(expr));
    if (high > kind->max)
        return FAIL(ctx, UNKNOWN, "End of range (%" PRIu64 ") above maximum (%u): " STR_FMT, high,
                    kind->max, STR_ARG(expr));
    if (low > high)
        return FAIL(ctx, UNKNOWN,
                    "Beginning of range (%" PRIu64 ") beyond end of range (%" PRIu64 "): " STR_FMT,
                    low, high, STR_ARG(expr));
    if (step == 0)
        return FAIL(ctx, UNKNOWN, "Step of range should be a positive number: " STR_FMT,
                    STR_ARG(expr));
    return OK;
}

/* One item of a list: "a", "a-b", "a/n", "a-b/n", "*", "*" with "/n". */
static Status parse_range(Ctx *ctx, Str expr, const FieldKind *kind, Field *out)
{
    Str range, step_text;
    bool has_step = cut(expr, '/', &range, &step_text), is_star;
    uint64_t low, high, step = 1;
    TRY(parse_ends(ctx, range, expr, kind, &low, &high, &is_star));
    if (has_step && str_find(step_text, '/') < step_text.size)
        return FAIL(ctx, UNKNOWN, "Too many slashes: " STR_FMT, STR_ARG(expr));
    if (has_step) {
        TRY(parse_number(ctx, step_text, &step));
        if (str_find(range, '-') == range.size) /* "a/n" goes on to the end */
            high = kind->max;
    }
    TRY(check_range(ctx, expr, kind, low, high, step));
    for (uint64_t value = low; value <= high; value += step)
        out->bits |= UINT64_C(1) << value;
    out->is_star |= is_star;
    return OK;
}

static Status parse_field(Ctx *ctx, Str list, const FieldKind *kind, Field *out)
{
    *out = (Field){ 0 };
    bool more = true;
    while (more) {
        Str item;
        more = cut(list, ',', &item, &list);
        if (item.size)
            TRY(parse_range(ctx, item, kind, out));
    }
    return OK;
}

/* --- whole schedules -------------------------------------------------------------------------- */

#define BLANKS " \t\n\v\f\r"

/* The first words, at most FIELD_COUNT of them; returns how many there are. */
static size_t split_words(Str s, Str words[FIELD_COUNT])
{
    size_t count = 0;
    for (s = str_trim(s, BLANKS); s.size; s = str_trim(s, BLANKS)) {
        size_t size = str_find_any(s, BLANKS);
        if (count < FIELD_COUNT)
            words[count] = str_sub(s, 0, size);
        count++;
        s = str_sub(s, size, s.size);
    }
    return count;
}

static Status parse_fields(Ctx *ctx, Str spec, Cron *out)
{
    Str words[FIELD_COUNT];
    size_t count = split_words(spec, words);
    if (count != FIELD_COUNT)
        return FAIL(ctx, UNKNOWN, "Expected exactly 5 fields, found %zu: " STR_FMT, count,
                    STR_ARG(spec));
    Field fields[FIELD_COUNT];
    for (size_t i = 0; i < FIELD_COUNT; i++)
        TRY(parse_field(ctx, words[i], &kinds[i], &fields[i]));
    *out = (Cron){
        .kind = CRON_FIELDS,
        .minutes = fields[MINUTE].bits,
        .hours = fields[HOUR].bits,
        .days = fields[DAY].bits,
        .months = fields[MONTH].bits,
        .weekdays = fields[WEEKDAY].bits,
        .day_is_star = fields[DAY].is_star,
        .weekday_is_star = fields[WEEKDAY].is_star,
    };
    return OK;
}

static Status parse_every(Ctx *ctx, Str spec, Str duration, Cron *out)
{
    int64_t ns;
    Status s = duration_parse(ctx, duration, &ns);
    if (!status_ok(s))
        return FAIL(ctx, UNKNOWN, "Failed to parse duration " STR_FMT ": %s", STR_ARG(spec),
                    status_message(s));
    *out = (Cron){ .kind = CRON_EVERY, .every_ns = MAX(ns / NS_PER_SEC * NS_PER_SEC, NS_PER_SEC) };
    return OK;
}

static const struct {
    const char *name, *fields;
} descriptors[] = {
    { "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" }, { "@monthly", "0 0 1 * *" },
    { "@weekly", "0 0 * * 0" }, { "@daily", "0 0 * * *" },    { "@midnight", "0 0 * * *" },
    { "@hourly", "0 * * * *" },
};

Status cron_parse(Ctx *ctx, Str spec, Cron *out)
{
    static const char every[] = "@every ";
    if (str_eq_c(str_trim(spec, BLANKS), "@never")) {
        *out = (Cron){ .kind = CRON_NEVER };
        return OK;
    }
    if (!spec.size)
        return FAIL(ctx, UNKNOWN, "Empty spec string");
    if (spec.data[0] != '@')
        return parse_fields(ctx, spec, out);
    for (size_t i = 0; i < ARRAY_LEN(descriptors); i++) {
        if (str_eq_c(spec, descriptors[i].name))
            return parse_fields(ctx, str(descriptors[i].fields), out);
    }
    if (str_starts(spec, str(every)))
        return parse_every(ctx, spec, str_sub(spec, sizeof(every) - 1, spec.size), out);
    return FAIL(ctx, UNKNOWN, "Unrecognized descriptor: " STR_FMT, STR_ARG(spec));
}

/* --- the next time ---------------------------------------------------------------------------- */

#define YEARS_AHEAD 5

static bool has(uint64_t bits, int value)
{
    return bits >> value & 1;
}

/* With both day fields restricted either may match; where one is a star the other decides. */
static bool day_matches(const Cron *cron, const CivilTime *day)
{
    bool by_day = has(cron->days, day->day);
    bool by_weekday = has(cron->weekdays, day->weekday);
    if (cron->day_is_star || cron->weekday_is_star)
        return by_day && by_weekday;
    return by_day || by_weekday;
}

/* The first value at or above `from`; 64 when there is none. */
static int first_bit(uint64_t bits, int from)
{
    uint64_t left = bits >> from << from;
    return left ? __builtin_ctzll(left) : 64;
}

/* The first minute of the day at or after hour:minute; false when none is left. */
static bool find_in_day(const Cron *cron, CivilTime *time)
{
    int hour = first_bit(cron->hours, time->hour);
    int minute = first_bit(cron->minutes, hour == time->hour ? time->minute : 0);
    if (minute == 64 && hour < 64) {
        hour = first_bit(cron->hours, hour + 1);
        minute = first_bit(cron->minutes, 0);
    }
    time->hour = hour;
    time->minute = minute;
    return hour < 64 && minute < 64;
}

#define SECONDS_PER_DAY INT64_C(86400)

static bool next_by_fields(const Cron *cron, int64_t after_s, int64_t *out_s)
{
    int64_t minute = after_s / 60 - (after_s % 60 < 0);
    int64_t start = (minute + 1) * 60;
    CivilTime time = civil_from_seconds(start);
    int64_t last_year = time.year + YEARS_AHEAD;
    while (time.year <= last_year) {
        if (has(cron->months, time.month) && day_matches(cron, &time) && find_in_day(cron, &time)) {
            *out_s = civil_to_seconds(&time);
            return true;
        }
        time.hour = time.minute = time.second = 0;
        time = civil_from_seconds(civil_to_seconds(&time) + SECONDS_PER_DAY);
    }
    return false;
}

bool cron_next(const Cron *cron, int64_t after_ns, int64_t *out_ns)
{
    int64_t after_s = after_ns / NS_PER_SEC - (after_ns % NS_PER_SEC < 0);
    int64_t next_s;
    if (cron->kind == CRON_NEVER)
        return false;
    if (cron->kind == CRON_EVERY)
        next_s = after_s + cron->every_ns / NS_PER_SEC;
    else if (!next_by_fields(cron, after_s, &next_s))
        return false;
    return !__builtin_mul_overflow(next_s, NS_PER_SEC, out_ns);
}
