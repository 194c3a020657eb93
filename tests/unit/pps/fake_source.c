/* fake_source.c - see fake_source.h. Everything is found by looking at all files. */
#include "unit/pps/fake_source.h"

#include "codec/glob.h"
#include "codec/pbjson.h"
#include "testing.h"

static int file_cmp(const FakeFile *a, const FakeFile *b)
{
    int order = strcmp(a->repo, b->repo);
    return order ? order : strcmp(a->path, b->path);
}

void fake_files_set(FakeFiles *files, const char *repo, const char *path, const char *content)
{
    FakeFile file = { repo, path, content };
    size_t at = 0;
    while (at < files->n && file_cmp(&files->items[at], &file) < 0)
        at++;
    bool there = at < files->n && file_cmp(&files->items[at], &file) == 0;
    size_t from = at + there, to = at + (content != NULL);
    assert_true(files->n < FAKE_FILES_MAX);
    memmove(&files->items[to], &files->items[from], (files->n - from) * sizeof(file));
    files->n = files->n + to - from;
    if (content)
        files->items[at] = file;
}

/* What is at path: a file, or with a final slash all that is below. */
static bool look(const FakeFiles *files, const char *repo, Str path, PfsMatch *out)
{
    bool is_dir = str_ends(path, STR("/"));
    *out = (PfsMatch){ .path = path, .is_dir = is_dir };
    CLEANUP(hasher_freep) Hasher *hasher = hasher_new();
    bool found = false;
    for (size_t i = 0; i < files->n; i++) {
        const FakeFile *file = &files->items[i];
        if (strcmp(file->repo, repo) != 0)
            continue;
        if (is_dir ? !str_starts(str(file->path), path) : !str_eq_c(path, file->path))
            continue;
        found = true;
        out->size += strlen(file->content);
        if (is_dir)
            hasher_add(hasher, bytes(file->path, strlen(file->path) + 1));
        hasher_add(hasher, bytes(file->content, strlen(file->content) + is_dir));
    }
    out->hash = hasher_finish(hasher);
    return found;
}

typedef Status (*MatchFn)(void *arg, Ctx *ctx, const PfsMatch *match);

static Status fake_list(void *self, Ctx *ctx, const PpsV2__PFSInput *input, MatchFn fn, void *arg)
{
    FakeSource *fake = self;
    fake->lists++;
    const Glob *glob;
    TRY(glob_compile(ctx, str(input->glob), &glob));
    Str previous = STR("");
    for (size_t i = 0; i < fake->now.n; i++) {
        Str path = str(fake->now.items[i].path);
        if (strcmp(fake->now.items[i].repo, input->repo) != 0)
            continue;
        for (size_t end = 1; end <= path.size; end++) {
            Str part = str_sub(path, 0, end);
            bool is_new = end == path.size || !str_starts(previous, part);
            PfsMatch match;
            if ((end < path.size && path.data[end - 1] != '/') || !is_new ||
                !glob_match(glob, part))
                continue;
            if (!look(&fake->now, input->repo, part, &match))
                continue;
            fake->matches++;
            TRY(fn(arg, ctx, &match));
        }
        previous = path;
    }
    return OK;
}

static Status fake_stat(void *self, Ctx *ctx UNUSED, const PpsV2__PFSInput *input, Str path,
                        PfsMatch *out)
{
    FakeSource *fake = self;
    fake->stats++;
    return look(&fake->now, input->repo, path, out) ? OK : STATUS(NOT_FOUND);
}

static Status fake_stat_before(void *self, Ctx *ctx UNUSED, const PpsV2__PFSInput *input, Str path,
                               PfsMatch *out)
{
    return look(&((FakeSource *)self)->before, input->repo, path, out) ? OK : STATUS(NOT_FOUND);
}

static Status fake_changes(void *self, Ctx *ctx, const PpsV2__PFSInput *input,
                           Status (*fn)(void *arg, Ctx *ctx, Str path), void *arg)
{
    const FakeFiles *a = &((FakeSource *)self)->before, *b = &((FakeSource *)self)->now;
    for (size_t i = 0, k = 0; i < a->n || k < b->n;) {
        int order = i == a->n ? 1 : k == b->n ? -1 : file_cmp(&a->items[i], &b->items[k]);
        const FakeFile *file = order > 0 ? &b->items[k] : &a->items[i];
        bool same = order == 0 && strcmp(a->items[i].content, b->items[k].content) == 0;
        if (!same && !strcmp(file->repo, input->repo))
            TRY(fn(arg, ctx, str(file->path)));
        i += order <= 0;
        k += order >= 0;
    }
    return OK;
}

void fake_source_init(FakeSource *fake)
{
    *fake = (FakeSource){ 0 };
    fake->source = (InputSource){ fake_list, fake_stat, fake_stat_before, fake_changes, fake };
}

PpsV2__Input *input_of(Ctx *ctx, const char *json)
{
    ProtobufCMessage *message;
    assert_ok(pbjson_parse(ctx, &pps_v2__input__descriptor, str(json), NULL, &message));
    PpsV2__Input *input = (PpsV2__Input *)(void *)message;
    PpsV2__Pipeline *pipeline = PB_NEW(ctx, pps_v2__pipeline, PpsV2__Pipeline);
    pipeline->name = arena_strdup(ctx->arena, "p");
    pipeline->project = PB_NEW(ctx, pfs_v2__project, PfsV2__Project);
    pipeline->project->name = arena_strdup(ctx->arena, "default");
    input_fill_defaults(ctx, input, pipeline, 1700000000 * NS_PER_SEC);
    return input;
}

char *datum_text(Ctx *ctx, const Datum *datum)
{
    const char **words = arena_must(ctx->arena, (datum->input_count + 1) * sizeof(*words));
    for (size_t i = 0; i < datum->input_count; i++)
        words[i] = text_printf(ctx->arena, "%s:" STR_FMT, datum->inputs[i]->from->name,
                               STR_ARG(datum->inputs[i]->path));
    return text_join(ctx->arena, words, datum->input_count, " ");
}

Status add_datum_text(void *buf, Ctx *ctx, const Datum *datum)
{
    buf_printf(buf, "%s\n", datum_text(ctx, datum));
    return OK;
}

static int line_cmp(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *sorted_lines(Ctx *ctx, Str text)
{
    const char *lines[FAKE_FILES_MAX];
    size_t n = 0;
    while (text.size) {
        size_t size = str_find(text, '\n');
        assert_true(n < ARRAY_LEN(lines));
        lines[n++] = text_printf(ctx->arena, STR_FMT "\n", (int)size, text.data);
        text = str_sub(text, size + 1, text.size);
    }
    if (n)
        qsort(lines, n, sizeof(*lines), line_cmp);
    return text_join(ctx->arena, lines, n, "");
}
