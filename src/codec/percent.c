/* percent.c - see percent.h. */
#include "codec/percent.h"

#include <ctype.h>

static bool is_plain(uint8_t c, const char *keep)
{
    return c < 0x80 && c && (isalnum(c) || strchr("-_.~", c) || strchr(keep, c));
}

void percent_encode(Buf *out, Str text, const char *keep)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = (uint8_t)text.data[i];
        if (is_plain(c, keep))
            buf_add_u8(out, c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

bool percent_decode(Ctx *ctx, Str text, bool plus_is_blank, Str *out)
{
    char *to = arena_must(ctx->arena, text.size + 1);
    *out = (Str){ to, 0 };
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '%') {
            if (!hex_decode(str_sub(text, i + 1, i + 3), &c, 1) || !c)
                return false;
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        to[out->size++] = c;
    }
    return true;
}
