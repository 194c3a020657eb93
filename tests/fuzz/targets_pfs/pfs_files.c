/* pfs_files.c - any stream of operations, staged, spilled and committed anywhere, leaves what doing
 * them one by one leaves; collisions are reported exactly when there are some; and the listing has
 * every file and every directory it implies, once and in order.
 *
 * The input is read by four bytes: operation, directory, name, size.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>

#include "pfs/listing.h"
#include "pfs/stage.h"
#include "unit/tree/tree_model.h"

/* So few, and so small, that no file outgrows its tree: the store is never asked. */
#define STEPS_MAX      128
#define TEXT_BYTES_MAX 15

typedef struct State {
    Ctx ctx;
    MemBlobs blobs;
    Content content;
    Stage stage;
    Model model; /* the files as they are with all operations so far */
    Hash root;   /* the files as they were committed */
} State;

static void must(Status status)
{
    PROP(status_ok(status));
}

/* --- what is done ----------------------------------------------------------------------------- */

/* Few names, of which one is often above another or begins like it. */
static Str make_path(const uint8_t step[4], char path[64])
{
    static const char *const dirs[] = { "/", "/a/", "/a-b/", "/a/b/", "/a/b.c/", "/b/" };
    static const char *const names[] = { "a", "a-b", "a.x", "b", "b.c", "b0", "c", "0" };
    int size = snprintf(path, 64, "%s%s", dirs[step[1] % ARRAY_LEN(dirs)],
                        names[step[2] % ARRAY_LEN(names)]);
    return (Str){ path, (size_t)size };
}

static void do_step(State *state, const uint8_t step[4])
{
    char path[64], text[TEXT_BYTES_MAX + 1];
    size_t size = step[3] % (TEXT_BYTES_MAX + 1);
    memset(text, 'a' + step[2] % 26, size);
    TreeEntry entry = {
        .path = make_path(step, path),
        .tag = step[1] & 0x80 ? STR("other") : STR("default"),
        .record = model_record((TreeOp)(step[0] % 3), (Str){ text, size }),
    };
    must(stage_add(&state->ctx, &state->stage, entry.path, entry.tag, &entry.record));
    Model layer;
    model_init(&layer);
    model_set(&layer, &entry);
    model_overlay(&state->model, &layer, false);
    model_done(&layer);
}

/* --- what must hold --------------------------------------------------------------------------- */

static bool is_above(Str file, Str path)
{
    return path.size > file.size && str_starts(path, file) && path.data[file.size] == '/';
}

static bool has_collision(const Model *model)
{
    for (size_t i = 0; i < model->count; i++)
        for (size_t j = i + 1; j < model->count; j++)
            if (str_eq(model->entries[i].path, model->entries[j].path) ||
                is_above(model->entries[i].path, model->entries[j].path))
                return true;
    return false;
}

/* How many directories the model's files imply. */
static size_t count_dirs(const Model *model)
{
    size_t n = 0;
    for (size_t i = 0; i < model->count; i++) {
        Str path = model->entries[i].path, before = i > 0 ? model->entries[i - 1].path : STR("");
        for (size_t k = 0; k < path.size; k++)
            n += path.data[k] == '/' && !str_starts(before, str_sub(path, 0, k + 1));
    }
    return n;
}

static void check_listing(State *state, unsigned mode)
{
    Span span = { .base = STR("/") };
    CLEANUP(listing_done) Listing listing;
    CLEANUP(buf_done) Buf last = { 0 };
    listing_init(&listing, &state->content.io, &state->root, &span, mode);
    size_t files = 0, dirs = 0;
    for (;;) {
        Item item;
        must(listing_next(&state->ctx, &listing, &item));
        if (item.path.size == 0)
            break;
        int order = str_cmp(buf_str(&last), item.path);
        PROP(files + dirs == 0 || (mode & LISTING_REVERSE ? order > 0 : order < 0));
        *(item.entry ? &files : &dirs) += 1;
        buf_clear(&last);
        buf_add_str(&last, item.path);
    }
    PROP(files == state->model.count && dirs == count_dirs(&state->model));
}

static void commit(State *state)
{
    Ctx *ctx = &state->ctx;
    Hash layer, total;
    const char *error;
    bool same;
    must(stage_finish(ctx, &state->stage, &layer));
    must(tree_apply(ctx, &state->content.io, &state->content.append, &state->root, &layer, &total));
    must(model_matches(ctx, &state->content.io, &state->model, &total, &same));
    PROP(same);
    must(content_check(ctx, &state->content, &layer, &total, &error));
    bool wrong = has_collision(&state->model);
    PROP((*error != '\0') == wrong);
    state->root = total;
    if (!wrong) {
        check_listing(state, LISTING_DEEP);
        check_listing(state, LISTING_DEEP | LISTING_REVERSE);
    }
}

/* Checking looks only where the layer is, so it needs a base without collisions. */
static void start_over(State *state)
{
    Model *model = &state->model;
    while (model->count > 0)
        model_remove(model, model->entries[0].path, model->entries[0].tag);
    state->root = (Hash){ 0 };
}

static void state_init(State *state)
{
    *state = (State){ 0 };
    ctx_init(&state->ctx);
    mem_blobs_init(&state->blobs);
    content_init(&state->content, NULL);
    state->content.io = state->blobs.io;
    stage_init(&state->stage, &state->content);
    model_init(&state->model);
}

static void state_done(State *state)
{
    model_done(&state->model);
    stage_done(&state->stage);
    mem_blobs_done(&state->blobs);
    ctx_done(&state->ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    State state;
    state_init(&state);
    for (size_t at = 0; at + 4 <= size && at / 4 < STEPS_MAX; at += 4) {
        do_step(&state, data + at);
        if (data[at] >= 0xf0) {
            commit(&state);
            if (has_collision(&state.model))
                start_over(&state);
        } else if (data[at] >= 0xe0) {
            must(stage_spill(&state.ctx, &state.stage));
        }
    }
    commit(&state);
    state_done(&state);
    return 0;
}
