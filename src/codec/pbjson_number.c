/* pbjson_number.c - numbers as protobuf's JSON takes them: written plain or as strings, integers
 * exactly. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "codec/pbjson_priv.h"

/* Decimal digits of a number that is known to be whole, and its sign. */
typedef struct Whole {
    bool negative;
    uint64_t magnitude;
} Whole;

#define EXPONENT_MAX 1000 /* more is out of every range, whatever the digits */

static int exponent_of(Str text)
{
    int64_t exponent;
    text = str_sub(text, text.size && text.data[0] == '+', text.size);
    if (!str_to_i64(text, &exponent))
        exponent = text.data[0] == '-' ? -EXPONENT_MAX : EXPONENT_MAX;
    return (int)MAX(MIN(exponent, EXPONENT_MAX), -EXPONENT_MAX);
}

static bool times_ten(uint64_t *value, unsigned digit)
{
    return !__builtin_mul_overflow(*value, 10, value) &&
           !__builtin_add_overflow(*value, digit, value);
}

/* "-5", "5.0", "1e3", exactly; false when text is no number, has a fraction or is out of 64
 * bits. */
static bool whole_of(Str text, Whole *out)
{
    if (!json_is_number(text))
        return false;
    *out = (Whole){ .negative = text.data[0] == '-' };
    size_t e = str_find_any(text, "eE");
    int exponent = e < text.size ? exponent_of(str_sub(text, e + 1, text.size)) : 0;
    Str digits = str_sub(text, out->negative, e);
    size_t point = str_find(digits, '.');
    ptrdiff_t whole_digits = (ptrdiff_t)point + exponent; /* those before the moved point */
    ptrdiff_t seen = 0;
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] == '.')
            continue;
        unsigned digit = (unsigned)(digits.data[i] - '0');
        if (seen >= whole_digits ? digit != 0 : !times_ten(&out->magnitude, digit))
            return false;
        seen++;
    }
    for (; out->magnitude && seen < whole_digits; seen++) {
        if (!times_ten(&out->magnitude, 0))
            return false;
    }
    return true;
}

static bool signed_of(Str text, int64_t min, int64_t max, int64_t *out)
{
    Whole whole;
    if (!whole_of(text, &whole) || whole.magnitude > (uint64_t)INT64_MAX + whole.negative)
        return false;
    *out = whole.negative ? (int64_t)(0 - whole.magnitude) : (int64_t)whole.magnitude;
    return *out >= min && *out <= max;
}

static bool unsigned_of(Str text, uint64_t max, uint64_t *out)
{
    Whole whole;
    if (!whole_of(text, &whole) || (whole.negative && whole.magnitude) || whole.magnitude > max)
        return false;
    *out = whole.magnitude;
    return true;
}

static bool real_of(const JsonValue *value, double max, double *out)
{
    static const struct {
        const char *name;
        double value;
    } names[] = {
        { "NaN", (double)NAN },
        { "Infinity", (double)INFINITY },
        { "-Infinity", -(double)INFINITY },
    };
    for (size_t i = 0; value->type == JSON_STRING && i < ARRAY_LEN(names); i++) {
        if (str_eq_c(value->text, names[i].name)) {
            *out = names[i].value;
            return true;
        }
    }
    if (!json_is_number(json_text(value)))
        return false;
    *out = strtod(value->text.data, NULL);
    return fabs(*out) <= max;
}

static bool read_i32(const JsonValue *value, void *to)
{
    int64_t number;
    if (!signed_of(json_text(value), INT32_MIN, INT32_MAX, &number))
        return false;
    *(int32_t *)to = (int32_t)number;
    return true;
}

static bool read_i64(const JsonValue *value, void *to)
{
    return signed_of(json_text(value), INT64_MIN, INT64_MAX, to);
}

static bool read_u32(const JsonValue *value, void *to)
{
    uint64_t number;
    if (!unsigned_of(json_text(value), UINT32_MAX, &number))
        return false;
    *(uint32_t *)to = (uint32_t)number;
    return true;
}

static bool read_u64(const JsonValue *value, void *to)
{
    return unsigned_of(json_text(value), UINT64_MAX, to);
}

static bool read_float(const JsonValue *value, void *to)
{
    double number;
    if (!real_of(value, (double)FLT_MAX, &number))
        return false;
    *(float *)to = (float)number;
    return true;
}

static bool read_double(const JsonValue *value, void *to)
{
    return real_of(value, DBL_MAX, to);
}

bool pb_read_number(ProtobufCType type, const JsonValue *value, void *to)
{
    static bool (*const readers[])(const JsonValue *, void *) = {
        [PROTOBUF_C_TYPE_INT32] = read_i32,    [PROTOBUF_C_TYPE_SINT32] = read_i32,
        [PROTOBUF_C_TYPE_SFIXED32] = read_i32, [PROTOBUF_C_TYPE_INT64] = read_i64,
        [PROTOBUF_C_TYPE_SINT64] = read_i64,   [PROTOBUF_C_TYPE_SFIXED64] = read_i64,
        [PROTOBUF_C_TYPE_UINT32] = read_u32,   [PROTOBUF_C_TYPE_FIXED32] = read_u32,
        [PROTOBUF_C_TYPE_UINT64] = read_u64,   [PROTOBUF_C_TYPE_FIXED64] = read_u64,
        [PROTOBUF_C_TYPE_FLOAT] = read_float,  [PROTOBUF_C_TYPE_DOUBLE] = read_double,
    };
    assert(type < ARRAY_LEN(readers) && readers[type]);
    return readers[type](value, to);
}
