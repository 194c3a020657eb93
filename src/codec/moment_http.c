/* moment_http.c - times as HTTP's headers and S3's signatures have them. */
#include <ctype.h>
#include <stdio.h>

#include "codec/moment.h"

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

void moment_format_http(int64_t seconds, char out[MOMENT_TEXT_SIZE])
{
    CivilTime t = civil_from_seconds(seconds);
    snprintf(out, MOMENT_TEXT_SIZE, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * t.weekday,
             t.day, months + 3 * (t.month - 1), (int)t.year, t.hour, t.minute, t.second);
}

/* Does s look like the pattern? '9' is any digit, 'a' any letter, others are themselves. */
static bool looks_like(Str s, const char *pattern)
{
    if (s.size != strlen(pattern))
        return false;
    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.data[i];
        bool good = pattern[i] == '9'   ? isdigit(c) != 0
                    : pattern[i] == 'a' ? isalpha(c) != 0
                                        : c == (unsigned char)pattern[i];
        if (!good)
            return false;
    }
    return true;
}

static int number(Str s, size_t at, size_t digits)
{
    int value = 0;
    for (size_t i = at; i < at + digits; i++)
        value = value * 10 + (s.data[i] - '0');
    return value;
}

static bool seconds_of(const CivilTime *t, int64_t *out)
{
    if (t->month < 1 || t->month > 12 || t->day < 1 ||
        t->day > civil_days_in_month(t->year, t->month) || t->hour > 23 || t->minute > 59 ||
        t->second > 60)
        return false;
    *out = civil_to_seconds(t);
    return true;
}

static int month_of(Str name)
{
    for (int i = 0; i < 12; i++) {
        if (memcmp(months + 3 * i, name.data, 3) == 0)
            return i + 1;
    }
    return 0;
}

bool moment_parse_http(Str s, int64_t *out_seconds)
{
    if (!looks_like(s, "aaa, 99 aaa 9999 99:99:99 GMT") &&
        !looks_like(s, "aaa, 99 aaa 9999 99:99:99 +0000"))
        return false;
    const CivilTime t = { .year = number(s, 12, 4),
                          .month = month_of(str_sub(s, 8, 11)),
                          .day = number(s, 5, 2),
                          .hour = number(s, 17, 2),
                          .minute = number(s, 20, 2),
                          .second = number(s, 23, 2) };
    return seconds_of(&t, out_seconds);
}

bool moment_parse_basic(Str s, int64_t *out_seconds)
{
    if (!looks_like(s, "99999999T999999Z"))
        return false;
    const CivilTime t = { .year = number(s, 0, 4),
                          .month = number(s, 4, 2),
                          .day = number(s, 6, 2),
                          .hour = number(s, 9, 2),
                          .minute = number(s, 11, 2),
                          .second = number(s, 13, 2) };
    return seconds_of(&t, out_seconds);
}
