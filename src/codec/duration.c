/* duration.c - durations as text, for machines and for people; see moment.h. */
#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "codec/moment.h"

/* --- Go's durations --------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int64_t ns;
} duration_units[] = {
    { "ns", 1 },
    { "us", 1000 },
    { "µs", 1000 },
    { "μs", 1000 }, /* two letters mu */
    { "ms", NS_PER_MS },
    { "s", NS_PER_SEC },
    { "m", 60 * NS_PER_SEC },
    { "h", 3600 * NS_PER_SEC },
};

static Status fail_duration(Ctx *ctx, Str s)
{
    return FAIL(ctx, INVALID_ARGUMENT, "time: invalid duration %s", text_quote(ctx->arena, s));
}

#define FRACTION_DIGITS_MAX 15 /* more are below a nanosecond in every unit */

/* Adds one number, in units of `ns`; false on overflow. */
static bool add_scaled(Str digits, int64_t ns, uint64_t *total)
{
    uint64_t whole = 0, fraction = 0;
    double places = 1;
    size_t point = str_find(digits, '.');
    for (size_t i = 0; i < point; i++) {
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, (uint64_t)(digits.data[i] - '0'), &whole))
            return false;
    }
    for (size_t i = point + 1; i < digits.size && i <= point + FRACTION_DIGITS_MAX; i++) {
        fraction = fraction * 10 + (uint64_t)(digits.data[i] - '0');
        places *= 10;
    }
    return !__builtin_mul_overflow(whole, (uint64_t)ns, &whole) &&
           !__builtin_add_overflow(*total, whole, total) &&
           !__builtin_add_overflow(*total, (uint64_t)((double)fraction * ((double)ns / places)),
                                   total);
}

static bool is_number_char(char c)
{
    return (c >= '0' && c <= '9') || c == '.';
}

/* How many of the first bytes are digits with at most one point and at least one digit; 0 when
 * there is no number. */
static size_t decimal_size(Str s)
{
    size_t size = 0, points = 0;
    while (size < s.size && is_number_char(s.data[size]) && points + (s.data[size] == '.') <= 1)
        points += s.data[size++] == '.';
    return size > points ? size : 0;
}

static Status take_part(Ctx *ctx, Str whole_text, Str *rest, uint64_t *total)
{
    Str digits = str_sub(*rest, 0, decimal_size(*rest));
    if (!digits.size)
        return fail_duration(ctx, whole_text);
    *rest = str_sub(*rest, digits.size, rest->size);
    size_t unit_size = 0;
    while (unit_size < rest->size && !is_number_char(rest->data[unit_size]))
        unit_size++;
    Str unit = str_sub(*rest, 0, unit_size);
    *rest = str_sub(*rest, unit_size, rest->size);
    if (!unit.size)
        return FAIL(ctx, INVALID_ARGUMENT, "time: missing unit in duration %s",
                    text_quote(ctx->arena, whole_text));
    for (size_t i = 0; i < ARRAY_LEN(duration_units); i++) {
        if (str_eq_c(unit, duration_units[i].name))
            return add_scaled(digits, duration_units[i].ns, total) ? OK
                                                                   : fail_duration(ctx, whole_text);
    }
    return FAIL(ctx, INVALID_ARGUMENT, "time: unknown unit %s in duration %s",
                text_quote(ctx->arena, unit), text_quote(ctx->arena, whole_text));
}

Status duration_parse(Ctx *ctx, Str s, int64_t *out_ns)
{
    bool negative = s.size && s.data[0] == '-';
    Str rest = str_sub(s, negative || (s.size && s.data[0] == '+'), s.size);
    uint64_t total = 0;
    if (!rest.size)
        return fail_duration(ctx, s);
    if (str_eq_c(rest, "0")) /* alone it needs no unit */
        rest.size = 0;
    while (rest.size)
        TRY(take_part(ctx, s, &rest, &total));
    if (total > INT64_MAX)
        return fail_duration(ctx, s);
    *out_ns = negative ? -(int64_t)total : (int64_t)total;
    return OK;
}

/* ns in a unit of unit_ns: "1.5", without zeros at the end. */
static void add_decimal(Buf *out, uint64_t ns, uint64_t unit_ns)
{
    buf_printf(out, "%" PRIu64, ns / unit_ns);
    uint64_t rest = ns % unit_ns;
    if (rest)
        buf_add_u8(out, '.');
    for (uint64_t place = unit_ns / 10; rest; place /= 10) {
        buf_add_u8(out, (uint8_t)('0' + rest / place));
        rest %= place;
    }
}

/* Below a second in the largest unit that leaves something before the point. */
static void add_short(Buf *out, uint64_t ns)
{
    static const struct {
        uint64_t ns;
        const char *name;
    } units[] = { { NS_PER_MS, "ms" }, { 1000, "µs" }, { 1, "ns" } };
    size_t i = 0;
    while (ns < units[i].ns)
        i++;
    add_decimal(out, ns, units[i].ns);
    buf_add_str(out, str(units[i].name));
}

static void add_long(Buf *out, uint64_t ns)
{
    const uint64_t minute_ns = 60 * (uint64_t)NS_PER_SEC;
    uint64_t minutes = ns / minute_ns;
    if (minutes >= 60)
        buf_printf(out, "%" PRIu64 "h", minutes / 60);
    if (minutes)
        buf_printf(out, "%" PRIu64 "m", minutes % 60);
    add_decimal(out, ns % minute_ns, (uint64_t)NS_PER_SEC);
    buf_add_u8(out, 's');
}

void duration_format(int64_t ns, char out[DURATION_TEXT_SIZE])
{
    CLEANUP(buf_done) Buf text = { 0 };
    uint64_t size = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    if (ns < 0)
        buf_add_u8(&text, '-');
    if (size && size < (uint64_t)NS_PER_SEC)
        add_short(&text, size);
    else
        add_long(&text, size);
    snprintf(out, DURATION_TEXT_SIZE, STR_FMT, STR_ARG(buf_str(&text)));
}

/* --- for people ------------------------------------------------------------------------------- */

static void format_hours(int64_t hours, char out[DURATION_TEXT_SIZE])
{
    static const struct {
        int64_t below, hours;
        const char *name;
    } units[] = {
        { 48, 1, "hours" },
        { 24 * 14, 24, "days" },
        { 24 * 60, 24 * 7, "weeks" },
        { 24 * 365 * 2, 24 * 30, "months" },
        { INT64_MAX, 24 * 365, "years" },
    };
    size_t i = 0;
    while (hours >= units[i].below)
        i++;
    snprintf(out, DURATION_TEXT_SIZE, "%" PRId64 " %s", hours / units[i].hours, units[i].name);
}

void duration_format_human(int64_t ns, char out[DURATION_TEXT_SIZE])
{
    int64_t seconds = MAX(ns, 0) / NS_PER_SEC;
    int64_t minutes = seconds / 60;
    int64_t hours = (seconds + 1800) / 3600; /* rounded, as nothing above is */
    if (seconds < 2)
        snprintf(out, DURATION_TEXT_SIZE, "%s", seconds ? "1 second" : "Less than a second");
    else if (seconds < 60)
        snprintf(out, DURATION_TEXT_SIZE, "%" PRId64 " seconds", seconds);
    else if (minutes < 60 && minutes > 1)
        snprintf(out, DURATION_TEXT_SIZE, "%" PRId64 " minutes", minutes);
    else if (hours < 2)
        snprintf(out, DURATION_TEXT_SIZE, "%s", minutes == 1 ? "About a minute" : "About an hour");
    else
        format_hours(hours, out);
}

void moment_format_ago(int64_t then_ns, int64_t now_ns, char out[MOMENT_TEXT_SIZE])
{
    char text[DURATION_TEXT_SIZE];
    int64_t age_ns;
    if (__builtin_sub_overflow(now_ns, then_ns, &age_ns))
        age_ns = INT64_MAX;
    duration_format_human(age_ns, text);
    if (then_ns)
        snprintf(out, MOMENT_TEXT_SIZE, "%s ago", text);
    else
        snprintf(out, MOMENT_TEXT_SIZE, "-");
}
