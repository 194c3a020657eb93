/* yaml_scalar.c - plain scalars by YAML 1.2's core schema, numbers spelled as JSON spells them. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/text.h"
#include "codec/yaml_priv.h"

static const struct {
    const char *plain;
    JsonType type;
    const char *text; /* of the value */
} words[] = {
    { "", JSON_NULL, "" },
    { "~", JSON_NULL, "" },
    { "null", JSON_NULL, "" },
    { "Null", JSON_NULL, "" },
    { "NULL", JSON_NULL, "" },
    { "true", JSON_BOOL, "true" },
    { "True", JSON_BOOL, "true" },
    { "TRUE", JSON_BOOL, "true" },
    { "false", JSON_BOOL, "false" },
    { "False", JSON_BOOL, "false" },
    { "FALSE", JSON_BOOL, "false" },
    { ".nan", JSON_STRING, "NaN" },
    { ".NaN", JSON_STRING, "NaN" },
    { ".NAN", JSON_STRING, "NaN" },
    { ".inf", JSON_STRING, "Infinity" },
    { ".Inf", JSON_STRING, "Infinity" },
    { ".INF", JSON_STRING, "Infinity" },
    { "+.inf", JSON_STRING, "Infinity" },
    { "+.Inf", JSON_STRING, "Infinity" },
    { "+.INF", JSON_STRING, "Infinity" },
    { "-.inf", JSON_STRING, "-Infinity" },
    { "-.Inf", JSON_STRING, "-Infinity" },
    { "-.INF", JSON_STRING, "-Infinity" },
};

/* "0x1F" and "0o17" as decimal digits; false when it is neither or over 64 bits. */
static bool based_integer(Ctx *ctx, Str plain, Str *out)
{
    bool hex = str_starts(plain, STR("0x")), octal = str_starts(plain, STR("0o"));
    if ((!hex && !octal) || plain.size == 2)
        return false;
    uint64_t value = 0;
    for (size_t i = 2; i < plain.size; i++) {
        char c = plain.data[i];
        bool is_digit = hex ? isxdigit((unsigned char)c) : c >= '0' && c <= '7';
        uint64_t digit = (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        if (!is_digit || __builtin_mul_overflow(value, hex ? 16 : 8, &value))
            return false;
        value += digit;
    }
    *out = str(text_printf(ctx->arena, "%" PRIu64, value));
    return true;
}

static Str digits_at_front(Str s)
{
    size_t size = 0;
    while (size < s.size && s.data[size] >= '0' && s.data[size] <= '9')
        size++;
    return str_sub(s, 0, size);
}

/* "+1", "01", ".5", "1.", "1e3": "1", "1", "0.5", "1", "1e3". False when plain is no decimal
 * number. */
static bool decimal_number(Ctx *ctx, Str plain, Str *out)
{
    bool negative = plain.size && plain.data[0] == '-';
    Str rest = str_sub(plain, negative || (plain.size && plain.data[0] == '+'), plain.size);
    Str whole = digits_at_front(rest), fraction = { 0 };
    rest = str_sub(rest, whole.size, rest.size);
    if (rest.size && rest.data[0] == '.') {
        fraction = digits_at_front(str_sub(rest, 1, rest.size));
        rest = str_sub(rest, 1 + fraction.size, rest.size);
    }
    if (!whole.size && !fraction.size)
        return false;
    while (whole.size > 1 && whole.data[0] == '0')
        whole = str_sub(whole, 1, whole.size);
    const char *text = text_printf(ctx->arena, "%s" STR_FMT "%s" STR_FMT STR_FMT,
                                   negative ? "-" : "", STR_ARG(whole.size ? whole : STR("0")),
                                   fraction.size ? "." : "", STR_ARG(fraction), STR_ARG(rest));
    *out = str(text);
    return json_is_number(*out);
}

JsonType yaml_resolve(Ctx *ctx, Str plain, Str *out_text)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq_c(plain, words[i].plain)) {
            *out_text = str(words[i].text);
            return words[i].type;
        }
    }
    if (str_find(plain, '\0') == plain.size &&
        (based_integer(ctx, plain, out_text) || decimal_number(ctx, plain, out_text)))
        return JSON_NUMBER;
    *out_text = plain;
    return JSON_STRING;
}
