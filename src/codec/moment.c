/* moment.c - the calendar and RFC 3339; see moment.h. */
#include "codec/moment.h"

#include <inttypes.h>
#include <stdio.h>

/* --- the calendar ----------------------------------------------------------------------------- */

#define SECONDS_PER_DAY INT64_C(86400)
#define DAYS_PER_ERA    INT64_C(146097) /* 400 years */
#define DAYS_TO_EPOCH   INT64_C(719468) /* from 0000-03-01 to 1970-01-01 */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Years begin in March here: so the leap day is the last one, and months repeat in lengths 31 30 31
 * 30 31. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = floor_div(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_EPOCH;
}

CivilTime civil_from_seconds(int64_t seconds)
{
    int64_t days = floor_div(seconds, SECONDS_PER_DAY);
    int second_of_day = (int)(seconds - days * SECONDS_PER_DAY);
    int64_t shifted = days + DAYS_TO_EPOCH;
    int64_t era = floor_div(shifted, DAYS_PER_ERA);
    int64_t day_of_era = shifted - era * DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = (int)(day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100));
    int month_from_march = (5 * day_of_year + 2) / 153;
    int month = month_from_march + (month_from_march < 10 ? 3 : -9);
    return (CivilTime){
        .year = year_of_era + era * 400 + (month <= 2),
        .month = month,
        .day = day_of_year - (153 * month_from_march + 2) / 5 + 1,
        .hour = second_of_day / 3600,
        .minute = second_of_day / 60 % 60,
        .second = second_of_day % 60,
        .weekday = (int)((days % 7 + 11) % 7), /* 1970-01-01 was a Thursday */
    };
}

int64_t civil_to_seconds(const CivilTime *civil)
{
    return days_from_civil(civil->year, civil->month, civil->day) * SECONDS_PER_DAY +
           civil->hour * 3600 + civil->minute * 60 + civil->second;
}

int civil_days_in_month(int64_t year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* --- RFC 3339 --------------------------------------------------------------------------------- */

/* Takes exactly `count` digits from the front; false when they are not there or the value is out of
 * [min, max]. */
static bool take_digits(Str *s, size_t count, int min, int max, int *out)
{
    int value = 0;
    if (s->size < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (s->data[i] < '0' || s->data[i] > '9')
            return false;
        value = value * 10 + (s->data[i] - '0');
    }
    *s = str_sub(*s, count, s->size);
    *out = value;
    return value >= min && value <= max;
}

static bool take_char(Str *s, const char *any)
{
    if (!s->size || !s->data[0] || !strchr(any, s->data[0]))
        return false;
    *s = str_sub(*s, 1, s->size);
    return true;
}

static bool take_date(Str *s, CivilTime *out)
{
    int year = 0;
    bool ok = take_digits(s, 4, 1, 9999, &year) && take_char(s, "-") &&
              take_digits(s, 2, 1, 12, &out->month) && take_char(s, "-") &&
              take_digits(s, 2, 1, 31, &out->day);
    out->year = year;
    return ok && out->day <= civil_days_in_month(year, out->month);
}

static bool take_clock(Str *s, CivilTime *out)
{
    return take_digits(s, 2, 0, 23, &out->hour) && take_char(s, ":") &&
           take_digits(s, 2, 0, 59, &out->minute) && take_char(s, ":") &&
           take_digits(s, 2, 0, 59, &out->second);
}

/* ".123": up to nine digits count, at least one must be there. */
static bool take_fraction(Str *s, int32_t *out_nanos)
{
    *out_nanos = 0;
    if (!take_char(s, "."))
        return true;
    int digit;
    size_t digits = 0;
    for (; take_digits(s, 1, 0, 9, &digit); digits++) {
        if (digits < 9)
            *out_nanos = *out_nanos * 10 + digit;
    }
    for (size_t i = digits; i < 9; i++)
        *out_nanos *= 10;
    return digits > 0 && digits <= 9;
}

/* "Z" or "+02:00". */
static bool take_zone(Str *s, int *out_seconds)
{
    *out_seconds = 0;
    if (take_char(s, "Zz"))
        return true;
    bool west = s->size && s->data[0] == '-';
    int hours, minutes;
    if (!take_char(s, "+-") || !take_digits(s, 2, 0, 23, &hours) || !take_char(s, ":") ||
        !take_digits(s, 2, 0, 59, &minutes))
        return false;
    *out_seconds = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

static bool in_range(int64_t seconds)
{
    return seconds >= MOMENT_SECONDS_MIN && seconds <= MOMENT_SECONDS_MAX;
}

bool moment_parse(Str s, int64_t *out_seconds, int32_t *out_nanos)
{
    CivilTime civil = { 0 };
    int zone;
    if (!take_date(&s, &civil) || !take_char(&s, "Tt") || !take_clock(&s, &civil) ||
        !take_fraction(&s, out_nanos) || !take_zone(&s, &zone) || s.size)
        return false;
    *out_seconds = civil_to_seconds(&civil) - zone;
    return in_range(*out_seconds);
}

bool moment_parse_ns(Str s, int64_t *out_ns)
{
    int64_t seconds;
    int32_t nanos;
    return moment_parse(s, &seconds, &nanos) &&
           !__builtin_mul_overflow(seconds, NS_PER_SEC, out_ns) &&
           !__builtin_add_overflow(*out_ns, nanos, out_ns);
}

bool moment_format(int64_t seconds, int32_t nanos, char out[MOMENT_TEXT_SIZE])
{
    if (!in_range(seconds) || nanos < 0 || nanos >= NS_PER_SEC)
        return false;
    CivilTime c = civil_from_seconds(seconds);
    int size = snprintf(out, MOMENT_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", (int)c.year,
                        c.month, c.day, c.hour, c.minute, c.second);
    int digits = nanos == 0 ? 0 : nanos % 1000000 == 0 ? 3 : nanos % 1000 == 0 ? 6 : 9;
    for (int i = digits; i < 9; i++)
        nanos /= 10;
    char *end = out + size;
    size_t left = MOMENT_TEXT_SIZE - (size_t)size;
    snprintf(end, left, digits ? ".%0*" PRId32 "Z" : "Z", digits, nanos);
    return true;
}

static int64_t seconds_of(int64_t ns, int32_t *out_nanos)
{
    int64_t seconds = floor_div(ns, NS_PER_SEC);
    *out_nanos = (int32_t)(ns - seconds * NS_PER_SEC);
    return seconds;
}

void moment_format_ns(int64_t ns, char out[MOMENT_TEXT_SIZE])
{
    int32_t nanos;
    int64_t seconds = seconds_of(ns, &nanos);
    moment_format(seconds, nanos, out);
}

void moment_format_go(int64_t ns, char out[MOMENT_TEXT_SIZE])
{
    int32_t nanos;
    CivilTime c = civil_from_seconds(seconds_of(ns, &nanos));
    int digits = nanos ? 9 : 0;
    for (; digits && nanos % 10 == 0; digits--)
        nanos /= 10;
    int size = snprintf(out, MOMENT_TEXT_SIZE, "%04d-%02d-%02d %02d:%02d:%02d", (int)c.year,
                        c.month, c.day, c.hour, c.minute, c.second);
    snprintf(out + size, MOMENT_TEXT_SIZE - (size_t)size,
             digits ? ".%0*" PRId32 " +0000 UTC" : " +0000 UTC", digits, nanos);
}

void moment_format_seconds(int64_t ns, char out[MOMENT_TEXT_SIZE])
{
    int32_t nanos;
    moment_format(seconds_of(ns, &nanos), 0, out);
}
