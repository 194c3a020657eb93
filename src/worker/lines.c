/* lines.c - see lines.h. */
#include "worker/lines.h"

#include "base/text.h"

#define REPLACEMENT STR("\xef\xbf\xbd") /* U+FFFD */

void lines_init(LineCutter *cutter, size_t line_bytes_max)
{
    *cutter = (LineCutter){ .line_bytes_max = line_bytes_max };
}

void lines_done(LineCutter *cutter)
{
    buf_done(&cutter->pending);
    buf_done(&cutter->text);
}

/* The size of the well-formed character at the start of s, 0 when there is none. NUL is not one. */
static size_t character_size(Str s)
{
    for (size_t size = 1; size <= MIN(s.size, 4); size++) {
        if (s.data[0] != '\0' && text_is_utf8(str_sub(s, 0, size)))
            return size;
    }
    return 0;
}

static Str mend(Buf *text, Str line)
{
    if (!memchr(line.data, '\0', line.size) && text_is_utf8(line))
        return line;
    buf_clear(text);
    for (size_t at = 0, size; at < line.size; at += MAX(size, 1)) {
        Str rest = str_sub(line, at, line.size);
        size = character_size(rest);
        buf_add_str(text, size ? str_sub(rest, 0, size) : REPLACEMENT);
    }
    return buf_str(text);
}

static void emit(LineCutter *cutter, Str line, LineFn *fn, void *self)
{
    fn(self, line.size ? mend(&cutter->text, line) : STR(""));
}

/* Where to cut a line that is too long: not inside a character. */
static size_t cut_at(Str line, size_t limit)
{
    size_t at = limit;
    while (at > limit - 3 && ((uint8_t)line.data[at] & 0xc0) == 0x80)
        at--;
    return at;
}

void lines_add(LineCutter *cutter, Bytes b, LineFn *fn, void *self)
{
    buf_add_bytes(&cutter->pending, b);
    Str all = buf_str(&cutter->pending);
    size_t start = 0, at = cutter->scanned;
    while (at < all.size) {
        size_t end = at + str_find(str_sub(all, at, all.size), '\n');
        if (end - start > cutter->line_bytes_max) {
            Str line = str_sub(all, start, end);
            at = start + cut_at(line, cutter->line_bytes_max);
            emit(cutter, str_sub(all, start, at), fn, self);
            start = at;
        } else if (end < all.size) {
            emit(cutter, str_sub(all, start, end), fn, self);
            start = at = end + 1;
        } else {
            at = end;
        }
    }
    buf_drop_front(&cutter->pending, start);
    cutter->scanned = cutter->pending.size;
}

void lines_end(LineCutter *cutter, LineFn *fn, void *self)
{
    if (cutter->pending.size)
        emit(cutter, buf_str(&cutter->pending), fn, self);
    buf_clear(&cutter->pending);
    cutter->scanned = 0;
}
