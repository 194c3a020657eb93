/* image_layer.c - whatever a layer's tar says, nothing appears, changes or goes outside of the root
 * that it is unpacked to, and unpacking ends.
 *
 * The first byte chooses: bit 0, a layer (with whiteouts) or a root; bit 1, headers get the checksums
 * that they should have, so that mutations reach what is behind.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "image/image_priv.h"

#define BLOCK       512

typedef struct State {
    Ctx ctx;
    const char *dir, *root, *tar;
    int root_fd;
} State;

static void must(Status status)
{
    PROP(status_ok(status));
}

static void write_text(State *state, const char *path, Bytes content)
{
    AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    PROP(fd >= 0);
    must(file_write_all(&state->ctx, fd, content.data, content.size));
}

static State the_state;

static void remove_state(void)
{
    must(file_remove_tree(&the_state.ctx, the_state.dir));
    ctx_done(&the_state.ctx);
}

/* DIR/keep/file and a link to it must survive; the root is DIR/root. */
static State *open_state(void)
{
    State *state = &the_state;
    if (state->dir)
        return state;
    ctx_init(&state->ctx);
    atexit(remove_state);
    Arena *arena = state->ctx.arena;
    const char *base = getenv("TMPDIR");
    char *dir = text_printf(arena, "%s/pcv-fuzz-XXXXXX", base ? base : "/tmp");
    PROP(mkdtemp(dir) != NULL);
    state->dir = dir;
    state->root = text_printf(arena, "%s/root", dir);
    state->tar = text_printf(arena, "%s/layer.tar", dir);
    PROP(mkdir(text_printf(arena, "%s/keep", dir), 0755) == 0);
    write_text(state, text_printf(arena, "%s/keep/file", dir), str_bytes(STR("kept")));
    return state;
}

static uint64_t octal(const uint8_t *text, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size && text[i] >= '0' && text[i] <= '7'; i++)
        value = value * 8 + (uint64_t)(text[i] - '0');
    return value;
}

static void repair(uint8_t *tar, size_t size)
{
    for (size_t at = 0; at + BLOCK <= size;) {
        uint8_t *header = tar + at;
        uint64_t content = octal(header + 124, 11);
        unsigned sum = 0;
        memset(header + 148, ' ', 8);
        for (size_t i = 0; i < BLOCK; i++)
            sum += header[i];
        snprintf((char *)header + 148, 8, "%06o", sum);
        if (content > size)
            return;
        at += BLOCK + (content + BLOCK - 1) / BLOCK * BLOCK;
    }
}

static bool is_text(State *state, const char *path, const char *text)
{
    CLEANUP(buf_done) Buf content = { 0 };
    return status_ok(file_read_path(&state->ctx, path, &content)) &&
           str_eq_c(buf_str(&content), text);
}

static void check_outside(State *state)
{
    Arena *arena = state->ctx.arena;
    struct stat dir;
    PROP(is_text(state, text_printf(arena, "%s/keep/file", state->dir), "kept"));
    PROP(stat(text_printf(arena, "%s/keep", state->dir), &dir) == 0);
    PROP((dir.st_mode & 07777) == 0755 && dir.st_nlink == 2);
    PROP(stat(state->dir, &dir) == 0 && dir.st_nlink == 4); /* keep and root, no other folder */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    State *state = open_state();
    ArenaMark mark = arena_mark(state->ctx.arena);
    uint8_t *tar = arena_must(state->ctx.arena, size);
    memcpy(tar, data + 1, size - 1);
    if (data[0] & 2)
        repair(tar, size - 1);
    write_text(state, state->tar, bytes(tar, size - 1));
    PROP(mkdir(state->root, 0755) == 0);
    {
        AUTO_FD root = open(state->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        Status s = unpack_archive(&state->ctx, state->tar, root, data[0] & 1);
        PROP(status_ok(s) || s.code != STATUS_OK);
    }
    check_outside(state);
    must(file_remove_tree(&state->ctx, state->root));
    arena_rewind(state->ctx.arena, mark);
    return 0;
}
