/* path.c - see path.h. */
#include "codec/path.h"

#define GLOB_CHARS "*?[]{}!()@+^"

/* Drops the last element of out[0, size), never the leading '/'. */
static size_t drop_last(const char *out, size_t size)
{
    while (size > 0 && out[size - 1] != '/')
        size--;
    return size > 0 ? size - 1 : 0;
}

Str path_clean(Ctx *ctx, Str path)
{
    char *out = arena_must(ctx->arena, path.size + 2);
    size_t size = 0;
    while (path.size) {
        Str element = str_sub(path, 0, str_find(path, '/'));
        path = str_sub(path, element.size + 1, path.size);
        if (element.size == 0 || str_eq_c(element, "."))
            continue;
        if (str_eq_c(element, "..")) {
            size = drop_last(out, size);
            continue;
        }
        out[size++] = '/';
        memcpy(out + size, element.data, element.size);
        size += element.size;
    }
    if (size == 0)
        out[size++] = '/';
    out[size] = '\0';
    return (Str){ out, size };
}

/* The path as a message can show it: what is not printable ASCII as \xNN. */
static const char *path_shown(Ctx *ctx, Str path)
{
    static const char digits[] = "0123456789abcdef";
    char *out = arena_must(ctx->arena, 4 * path.size + 1);
    char *to = out;
    for (size_t i = 0; i < path.size; i++) {
        unsigned char c = (unsigned char)path.data[i];
        if (c >= 0x20 && c <= 0x7e) {
            *to++ = (char)c;
        } else {
            *to++ = '\\';
            *to++ = 'x';
            *to++ = digits[c >> 4];
            *to++ = digits[c & 15];
        }
    }
    return out;
}

static bool is_printable(Str path)
{
    for (size_t i = 0; i < path.size; i++) {
        if (path.data[i] < 0x20 || path.data[i] > 0x7e)
            return false;
    }
    return path.size > 0;
}

static bool has_relative_element(Str path)
{
    while (path.size) {
        Str element = str_sub(path, 0, str_find(path, '/'));
        if (str_eq_c(element, ".") || str_eq_c(element, ".."))
            return true;
        path = str_sub(path, element.size + 1, path.size);
    }
    return false;
}

Status path_validate(Ctx *ctx, Str path)
{
    if (!is_printable(path))
        return FAIL(ctx, UNKNOWN, "path (%s) invalid: only printable ASCII characters allowed",
                    path_shown(ctx, path));
    size_t glob = str_find_any(path, GLOB_CHARS);
    if (glob < path.size)
        return FAIL(ctx, UNKNOWN,
                    "path (" STR_FMT ") invalid: globbing character (%c) not allowed in path",
                    STR_ARG(path), path.data[glob]);
    if (has_relative_element(path))
        return FAIL(ctx, UNKNOWN, "path (" STR_FMT ") invalid: relative file paths are not allowed",
                    STR_ARG(path));
    return OK;
}

Status path_validate_not_root(Ctx *ctx, Str path)
{
    if (str_eq_c(path_clean(ctx, path), "/"))
        return FAIL(ctx, INVALID_ARGUMENT, "path (%s) invalid: the root directory is not a file",
                    path_shown(ctx, path));
    return OK;
}
