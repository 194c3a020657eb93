/* amount.c - see amount.h. */
#include "codec/amount.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

#define DOUBLE_TO_I64_LIMIT 9223372036854775808.0 /* 2^63 */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "1", "1.5", ".5", "+1", "1e3": the whole of s; too large ones are infinite. */
static bool number_of(Str s, double *out)
{
    size_t at = s.size && (s.data[0] == '+' || s.data[0] == '-');
    size_t digits = 0;
    bool point = false;
    for (; at < s.size && (is_digit(s.data[at]) || (s.data[at] == '.' && !point)); at++) {
        digits += is_digit(s.data[at]);
        point |= s.data[at] == '.';
    }
    if (digits && at < s.size && (s.data[at] == 'e' || s.data[at] == 'E')) {
        at++;
        at += at < s.size && (s.data[at] == '+' || s.data[at] == '-');
        digits = 0;
        for (; at < s.size && is_digit(s.data[at]); at++)
            digits++;
    }
    char text[64];
    if (!digits || at != s.size || s.size >= sizeof(text))
        return false;
    memcpy(text, s.data, s.size);
    text[s.size] = '\0';
    *out = strtod(text, NULL);
    return true;
}

/* --- sizes of triggers ------------------------------------------------------------------------ */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

#define UNIT_BYTES_MAX 3 /* longer ones are told as they were written */

/* What a unit multiplies by: "", "b", or one of kmgtp alone, with "b" or with "ib". 0 when it is
 * none of these. */
static double size_unit(Str unit)
{
    static const char prefixes[] = "kmgtp";
    if (!unit.size || str_eq_c(unit, "b"))
        return 1;
    const char *prefix = unit.data[0] ? strchr(prefixes, unit.data[0]) : NULL;
    Str rest = str_sub(unit, 1, unit.size);
    if (!prefix || (rest.size && !str_eq_c(rest, "b") && !str_eq_c(rest, "ib")))
        return 0;
    double multiple = 1;
    for (const char *p = prefixes; p <= prefix; p++)
        multiple *= 1000;
    return multiple;
}

/* Bytes of the number: up to the last digit, point or blank; 0 when there is none of these. */
static size_t size_number(Str s)
{
    size_t size = s.size;
    while (size && !is_digit(s.data[size - 1]) && s.data[size - 1] != '.' &&
           s.data[size - 1] != ' ')
        size--;
    return size;
}

Status size_parse(Ctx *ctx, Str s, int64_t *out_bytes)
{
    size_t split = size_number(s);
    if (!split)
        return FAIL(ctx, UNKNOWN, "invalid size: '" STR_FMT "'", STR_ARG(s));
    Str digits = str_sub(s, 0, split - (s.data[split - 1] == ' '));
    double number;
    bool valid = number_of(digits, &number);
    if (!valid || isinf(number))
        return FAIL(ctx, UNKNOWN, "strconv.ParseFloat: parsing %s: %s",
                    text_quote(ctx->arena, digits),
                    valid ? "value out of range" : "invalid syntax");
    if (number < 0)
        return FAIL(ctx, UNKNOWN, "invalid size: '" STR_FMT "'", STR_ARG(s));
    char *unit = str_z(ctx->arena, str_sub(s, split, s.size));
    if (strlen(unit) <= UNIT_BYTES_MAX)
        for (char *c = unit; *c; c++)
            *c = lower(*c);
    double multiple = size_unit(str(unit));
    if (multiple < 1)
        return FAIL(ctx, UNKNOWN, "invalid suffix: '%s'", unit);
    number *= multiple;
    *out_bytes = number < DOUBLE_TO_I64_LIMIT ? (int64_t)number : INT64_MAX;
    return OK;
}

/* --- Kubernetes quantities -------------------------------------------------------------------- */

static const struct {
    const char *suffix;
    double milli;
} quantity_units[] = {
    { "", 1e3 },
    { "m", 1 },
    { "k", 1e6 },
    { "M", 1e9 },
    { "G", 1e12 },
    { "T", 1e15 },
    { "P", 1e18 },
    { "E", 1e21 },
    { "u", 1e-3 },
    { "n", 1e-6 },
    { "Ki", 0x1p10 * 1e3 },
    { "Mi", 0x1p20 * 1e3 },
    { "Gi", 0x1p30 * 1e3 },
    { "Ti", 0x1p40 * 1e3 },
    { "Pi", 0x1p50 * 1e3 },
    { "Ei", 0x1p60 * 1e3 },
};

/* The quantity in thousandths. */
static bool quantity_of(Str s, double *out_milli)
{
    size_t split = s.size;
    while (split && !is_digit(s.data[split - 1]) && s.data[split - 1] != '.')
        split--;
    Str suffix = str_sub(s, split, s.size);
    double number;
    if (!number_of(str_sub(s, 0, split), &number))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(quantity_units); i++) {
        if (str_eq_c(suffix, quantity_units[i].suffix)) {
            *out_milli = number * quantity_units[i].milli;
            return true;
        }
    }
    return false;
}

/* The whole number at or above; those out of range are the last one in it. */
static int64_t round_up(double number)
{
    if (number >= DOUBLE_TO_I64_LIMIT)
        return INT64_MAX;
    if (number < -DOUBLE_TO_I64_LIMIT)
        return INT64_MIN;
    int64_t whole = (int64_t)number;
    return whole + ((double)whole < number);
}

static Status fail_quantity(Ctx *ctx, Str s)
{
    return FAIL(ctx, INVALID_ARGUMENT,
                "invalid quantity '" STR_FMT
                "': expected a number and a unit such as 500m, 2k, 100M or 1Gi",
                STR_ARG(s));
}

Status quantity_parse(Ctx *ctx, Str s, int64_t *out)
{
    double milli;
    if (!quantity_of(s, &milli))
        return fail_quantity(ctx, s);
    *out = round_up(milli / 1e3);
    return OK;
}

Status quantity_parse_milli(Ctx *ctx, Str s, int64_t *out_milli)
{
    double milli;
    if (!quantity_of(s, &milli))
        return fail_quantity(ctx, s);
    *out_milli = round_up(milli);
    return OK;
}

/* --- what tables show ------------------------------------------------------------------------- */

void size_format(uint64_t bytes, char out[AMOUNT_TEXT_SIZE])
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    double size = (double)bytes;
    size_t i = 0;
    for (; size >= 1024 && i + 1 < ARRAY_LEN(units); i++)
        size /= 1024;
    snprintf(out, AMOUNT_TEXT_SIZE, "%.4g%s", size, units[i]);
}
