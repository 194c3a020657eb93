/* testing.h - what unit tests share: cmocka's includes, a ctx, a scratch folder, a seeded
 * generator.
 *
 * A failed assertion jumps past scope-exit cleanup, so fixtures own what a test opens.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/ctx.h"
#include "base/file.h"
#include "base/id.h"
#include "base/text.h"

#define assert_ok(expression)                                                                      \
    do {                                                                                           \
        Status ok_status_ = (expression);                                                          \
        if (!status_ok(ok_status_))                                                                \
            fail_msg("%s: %s: %s", #expression, status_info(ok_status_.code)->name,                \
                     status_message(ok_status_));                                                  \
    } while (0)

/* The expression fails with this code; its message contains the text. */
#define assert_fails(expression, expected_code, text)                                              \
    do {                                                                                           \
        Status fails_status_ = (expression);                                                       \
        assert_int_equal(fails_status_.code, STATUS_##expected_code);                              \
        if (!strstr(status_message(fails_status_), (text)))                                        \
            fail_msg("%s: message '%s' lacks '%s'", #expression, status_message(fails_status_),    \
                     (text));                                                                      \
    } while (0)

/* Says which of many cases comes, for who reads of its failure: one line of TAP's comments. */
PRINTF_LIKE(1, 2) static inline void say_case(const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    for (char *at = text; (at = strpbrk(at, "\r\n"));)
        *at = ' ';
    print_message("# %s\n", text);
}

/* A new empty folder below TMPDIR or /tmp, its name in ctx's arena. */
static inline char *scratch_dir(Ctx *ctx)
{
    const char *base = getenv("TMPDIR");
    char *path = text_printf(ctx->arena, "%s/pcv-test-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(path))
        fail_msg("mkdtemp %s", path);
    return path;
}

/* xorshift64 (Marsaglia 2003): the same seed gives the same test. */
static inline uint64_t next_rand(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}
