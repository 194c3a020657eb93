/* moment.h - times and durations as text: RFC 3339, Go's durations, and the words people read. */
#pragma once

#include "base/ctx.h"

/* --- the calendar (proleptic Gregorian, UTC) -------------------------------------------------- */

typedef struct CivilTime {
    int64_t year;
    int month; /* 1 to 12 */
    int day;   /* 1 to 31 */
    int hour, minute, second;
    int weekday; /* 0: Sunday */
} CivilTime;

CivilTime civil_from_seconds(int64_t seconds);
int64_t civil_to_seconds(const CivilTime *civil); /* weekday is not read */
int civil_days_in_month(int64_t year, int month);

/* --- RFC 3339 --------------------------------------------------------------------------------- */

#define MOMENT_SECONDS_MIN INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define MOMENT_SECONDS_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z */
#define MOMENT_TEXT_SIZE   40

/* The whole of s; any zone. False when it is malformed or out of range. */
bool moment_parse(Str s, int64_t *out_seconds, int32_t *out_nanos);
bool moment_parse_ns(Str s, int64_t *out_ns); /* also false outside 1677 to 2262 */

/* "2024-05-01T10:00:00.120Z" with 0, 3, 6 or 9 digits as needed; false out of range. */
bool moment_format(int64_t seconds, int32_t nanos, char out[MOMENT_TEXT_SIZE]);
void moment_format_ns(int64_t ns, char out[MOMENT_TEXT_SIZE]);
void moment_format_seconds(int64_t ns, char out[MOMENT_TEXT_SIZE]); /* the fraction cut off */
/* As Go prints a time: "2024-05-01 10:00:00.12 +0000 UTC". */
void moment_format_go(int64_t ns, char out[MOMENT_TEXT_SIZE]);

/* --- HTTP and S3 ------------------------------------------------------------------------------ */

void moment_format_http(int64_t seconds, char out[MOMENT_TEXT_SIZE]); /* "Sun, 06 Nov 1994 08:49:37 GMT" */
bool moment_parse_http(Str s, int64_t *out_seconds);                  /* or with "+0000" */
bool moment_parse_basic(Str s, int64_t *out_seconds);                 /* "19941106T084937Z" */

/* --- Go's durations --------------------------------------------------------------------------- */

#define DURATION_TEXT_SIZE 32

/* "1h2m3.5s", "-1.5h", "300ms", "0". Errors: INVALID_ARGUMENT `time: invalid duration "x"` and Go's
 * other texts. */
Status duration_parse(Ctx *ctx, Str s, int64_t *out_ns) NODISCARD;
void duration_format(int64_t ns, char out[DURATION_TEXT_SIZE]); /* "1h2m3.5s", "1.5ms", "0s" */

/* --- for people ------------------------------------------------------------------------------- */

/* "About a minute", "3 weeks"; what is negative is "Less than a second". */
void duration_format_human(int64_t ns, char out[DURATION_TEXT_SIZE]);
/* The same and " ago"; "-" for then_ns 0. */
void moment_format_ago(int64_t then_ns, int64_t now_ns, char out[MOMENT_TEXT_SIZE]);
