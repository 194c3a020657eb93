/* test_view.c - reading (§15, §16): the reference's examples and texts. */
#include "codec/tar.h"
#include "files_fixture.h"

static int setup(void **state)
{
    fixture_setup(state);
    Fixture *f = *state;
    create_repo(f, "r");
    WRITE(f, "r@master", "add /dir1/file1 one", "add /dir2/dir3/file1a A",
          "add /dir2/dir3/file1bc B", "add /dir2/file2 two", "add /file1 1", "add /file2.2 22",
          "add /other x");
    create_repo(f, "empty");
    finish(f, start_commit(f, "empty@master"));
    return 0;
}

/* --- InspectFile ------------------------------------------------------------------------------ */

static void inspect_file(void **state)
{
    static const struct {
        const char *file, *path, *error;
        int64_t size;
    } cases[] = {
        { "r@master:/file1", "/file1", NULL, 1 },
        { "r@master:file1/", "/file1", NULL, 1 },
        { "r@master:/dir2", "/dir2/", NULL, 5 },
        { "r@master:/dir2/", "/dir2/", NULL, 5 },
        { "r@master:dir2/dir3", "/dir2/dir3/", NULL, 2 },
        { "r@master:", "/", NULL, 12 },
        { "r@master:/file", NULL, "file /file not found in repo default/r at commit ", 0 },
        { "r@master:/file1#d1", NULL, "file /file1 not found in repo default/r at commit ", 0 },
        { "empty@master:/", NULL, "file / not found in repo default/empty at commit ", 0 },
    };
    Fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].file);
        PfsV2__FileInfo *info;
        Status status = pfs_inspect_file(&f->ctx, f->pfs, file_of(&f->ctx, cases[i].file), &info);
        if (cases[i].error) {
            assert_fails(status, NOT_FOUND, cases[i].error);
            continue;
        }
        assert_ok(status);
        assert_string_equal(info->file->path, cases[i].path);
        assert_int_equal(info->size_bytes, cases[i].size);
        assert_int_equal(info->hash.len, HASH_SIZE);
        bool is_dir = str_ends(str(cases[i].path), STR("/"));
        assert_int_equal(info->file_type,
                         is_dir ? PFS_V2__FILE_TYPE__DIR : PFS_V2__FILE_TYPE__FILE);
        assert_string_equal(info->file->datum, is_dir ? "" : "default");
        assert_int_equal(strlen(info->file->commit->id), 32);
        assert_non_null(info->committed);
    }
    PfsV2__FileInfo *info;
    assert_fails(pfs_inspect_file(&f->ctx, f->pfs, NULL, &info), UNKNOWN, "file cannot be nil");
    PfsV2__File *file = PB_NEW(&f->ctx, pfs_v2__file, PfsV2__File);
    assert_fails(pfs_inspect_file(&f->ctx, f->pfs, file, &info), UNKNOWN, "commit cannot be nil");
    file->commit = PB_NEW(&f->ctx, pfs_v2__commit, PfsV2__Commit);
    assert_fails(pfs_inspect_file(&f->ctx, f->pfs, file, &info), UNKNOWN,
                 "commit must have a repo");
}

static PfsV2__FileInfo *info_of(Fixture *f, const char *file)
{
    PfsV2__FileInfo *info;
    assert_ok(pfs_inspect_file(&f->ctx, f->pfs, file_of(&f->ctx, file), &info));
    return info;
}

static bool same_hash(const PfsV2__FileInfo *a, const PfsV2__FileInfo *b)
{
    return a->hash.len == b->hash.len && !memcmp(a->hash.data, b->hash.data, a->hash.len);
}

static void hashes_tell_content(void **state)
{
    Fixture *f = *state;
    create_repo(f, "hash");
    WRITE(f, "hash@a", "add /d/f foobar", "add /e/f foobar", "add /e2/g foobar");
    WRITE(f, "hash@b", "add /d/f foo", "add /x y");
    WRITE(f, "hash@b", "add /d/f bar");
    assert_true(same_hash(info_of(f, "hash@a:/d/f"), info_of(f, "hash@b:/d/f")));
    assert_true(same_hash(info_of(f, "hash@a:/d"), info_of(f, "hash@b:/d")));
    assert_false(same_hash(info_of(f, "hash@a:/e"), info_of(f, "hash@a:/e2"))); /* names count */
    assert_false(same_hash(info_of(f, "hash@a:/"), info_of(f, "hash@b:/")));
}

/* --- ListFile, WalkFile ----------------------------------------------------------------------- */

static char *list_page(Fixture *f, const char *file, const char *marker, int64_t number,
                       bool reverse, bool deep)
{
    CLEANUP(buf_done) Buf buf = { 0 };
    PfsV2__ListFileRequest *list =
        PB_NEW(&f->ctx, pfs_v2__list_file_request, PfsV2__ListFileRequest);
    list->file = file_of(&f->ctx, file);
    list->paginationmarker = PB_NEW(&f->ctx, pfs_v2__file, PfsV2__File);
    list->paginationmarker->path = arena_strdup(f->ctx.arena, marker);
    list->number = number;
    list->reverse = reverse;
    PfsV2__WalkFileRequest *walk =
        PB_NEW(&f->ctx, pfs_v2__walk_file_request, PfsV2__WalkFileRequest);
    walk->file = list->file;
    walk->paginationmarker = list->paginationmarker;
    walk->number = number;
    walk->reverse = reverse;
    Status status = deep ? pfs_walk_file(&f->ctx, f->pfs, walk, add_path, &buf)
                         : pfs_list_file(&f->ctx, f->pfs, list, add_path, &buf);
    return status_ok(status) ? str_z(f->ctx.arena, buf_str(&buf))
                             : arena_strdup(f->ctx.arena, status_message(status));
}

static void pages(void **state)
{
    static const struct {
        const char *file, *marker;
        int64_t number;
        bool reverse, deep;
        const char *expected;
    } cases[] = {
        { "r@master:/", "", 0, false, false, "/dir1/ /dir2/ /file1 /file2.2 /other" },
        { "r@master:/", "/dir2/", 2, false, false, "/file1 /file2.2" },
        { "r@master:", "", 2, true, false, "/other /file2.2" },
        { "r@master:/", "/dir2/", 9, true, false, "/dir1/" },
        { "r@master:/file1", "", 0, false, false, "/file1" },
        { "r@master:/file1", "/file1", 0, false, false, "" },
        { "r@master:/file1", "/file2", 0, false, false, "" },
        { "r@master:/file1", "/file2", 1, true, false, "/file1" },
        { "r@master:/missing", "", 0, false, false, "" },
        { "r@master:/dir2", "", 0, false, true,
          "/dir2/ /dir2/dir3/ /dir2/dir3/file1a /dir2/dir3/file1bc /dir2/file2" },
        { "r@master:/dir2", "/zzz", 0, false, true, "" },
        { "r@master:/file1", "", 0, false, true, "/file1" },
        { "r@master:/file1", "/file1", 0, false, true, "" },
        { "empty@master:/", "", 0, false, true, "" },
        { "empty@master:/", "", 1, true, true, "" },
        { "r@master:/", "", 0, true, false, "number must be > 0 when reverse is true" },
        { "r@master:/", "", -1, false, false, "number must not be negative, it is -1" },
        { "r@master:/", "", 100001, false, true, "cannot return more than 100000 files at a time" },
        { "nowhere@master:/", "", 100001, false, true,
          "cannot return more than 100000 files at a time" },
    };
    Fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s from '%s'", cases[i].file, cases[i].marker);
        assert_string_equal(list_page(f, cases[i].file, cases[i].marker, cases[i].number,
                                      cases[i].reverse, cases[i].deep),
                            cases[i].expected);
    }
    char *expected = text_printf(f->ctx.arena, "commit/%s does not contain item: (/missing)",
                                 row_of(f, "r@master").set_id);
    assert_string_equal(walk(f, "r@master:missing/"), expected);
}

/* --- globs ------------------------------------------------------------------------------------ */

static char *glob(Fixture *f, const char *commit, const char *pattern, const char *lower,
                  const char *upper)
{
    CLEANUP(buf_done) Buf buf = { 0 };
    PfsV2__GlobFileRequest *request =
        PB_NEW(&f->ctx, pfs_v2__glob_file_request, PfsV2__GlobFileRequest);
    request->commit = handle_of(&f->ctx, commit);
    request->pattern = arena_strdup(f->ctx.arena, pattern);
    request->path_range = PB_NEW(&f->ctx, pfs_v2__path_range, PfsV2__PathRange);
    request->path_range->lower = arena_strdup(f->ctx.arena, lower);
    request->path_range->upper = arena_strdup(f->ctx.arena, upper);
    Status status = pfs_glob_file(&f->ctx, f->pfs, request, add_path, &buf);
    return status_ok(status) ? str_z(f->ctx.arena, buf_str(&buf))
                             : arena_strdup(f->ctx.arena, status_message(status));
}

static void globs(void **state)
{
    static const struct {
        const char *pattern, *lower, *upper, *expected;
    } cases[] = {
        { "*", "", "", "/dir1/ /dir2/ /file1 /file2.2 /other" },
        { "/", "", "", "/" },
        { "", "", "", "/" },
        { "file*", "", "", "/file1 /file2.2" },
        { "dir1/*", "", "", "/dir1/file1" },
        { "*/*", "", "", "/dir1/file1 /dir2/dir3/ /dir2/file2" },
        { "dir2/dir3/file1?", "", "", "/dir2/dir3/file1a" },
        { "**file1?", "", "", "/dir2/dir3/file1a" },
        { "**.2", "", "", "/file2.2" },
        { "/dir[12]", "", "", "/dir1/ /dir2/" },
        { "/dir2/", "", "", "/dir2/" },
        { "/file1", "", "", "/file1" },
        { "/none", "", "", "" },
        { "**", "", "",
          "/dir1/ /dir1/file1 /dir2/ /dir2/dir3/ /dir2/dir3/file1a /dir2/dir3/file1bc /dir2/file2 "
          "/file1"
          " /file2.2 /other" },
        { "**", "/dir1/file1", "/dir2/file2",
          "/dir1/file1 /dir2/ /dir2/dir3/ /dir2/dir3/file1a /dir2/dir3/file1bc" },
        { "*", "/dir2", "/file2", "/dir2/ /file1" },
        { "**", "", "/dir1/file0", "/dir1/" },
        { "/dir1", "/dir2", "", "" },
        { "*/file2", "", "", "/dir2/file2" },
        { "{dir1,dir2/dir3}/*", "", "", "/dir1/file1 /dir2/dir3/file1a /dir2/dir3/file1bc" },
        { "[a", "", "", "unexpected end of input: unclosed '[' in glob '/[a'" },
    };
    Fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].pattern);
        assert_string_equal(glob(f, "r@master", cases[i].pattern, cases[i].lower, cases[i].upper),
                            cases[i].expected);
    }
    assert_string_equal(glob(f, "empty@master", "**", "", ""), "");
}

/* --- GetFile ---------------------------------------------------------------------------------- */

static void get_file(void **state)
{
    static const struct {
        const char *file;
        int64_t offset;
        const char *expected;
    } cases[] = {
        { "r@master:/dir1/file1", 0, "one" },
        { "r@master:dir1/*", 0, "one" },
        { "r@master:/dir1/file1", 2, "e" },
        { "r@master:/dir1/file1", 3, "" },
        { "r@master:/dir1/file1", 99, "" },
        { "r@master:/dir1/file1#default", 0, "one" },
        { "r@master:/dir1/file1", -1, "offset must not be negative, it is -1" },
        { "r@master:/dir1", 0,
          "get file: cannot get directory or non-regular file. Use GetFileTAR instead" },
        { "r@master:/dir2/dir3/*", 0, "get file: matched multiple files. Use GetFileTAR instead" },
        { "r@master:/dir1/file1#d1", 0, "file /dir1/file1 not found in repo default/r at commit " },
        { "r@master:/nothing*", 0, "file /nothing* not found in repo default/r at commit " },
        { "r@master:/[", 0, "get file: unexpected end of input: unclosed '[' in glob '/['" },
        { "empty@master:/", 0, "file / not found in repo default/empty at commit " },
    };
    Fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].file);
        assert_string_equal(get(f, cases[i].file, cases[i].offset), cases[i].expected);
    }
    assert_non_null(strstr(get(f, "nowhere@master:/x", 0), "get file: "));
}

/* --- GetFileTAR ------------------------------------------------------------------------------- */

static Status tar_entry(void *arg, Ctx *ctx, const TarEntry *entry)
{
    (void)ctx;
    assert_int_equal(entry->mode, 0);
    assert_int_equal(entry->mtime_s, 0);
    assert_int_equal(entry->type, str_ends(entry->name, STR("/")) ? TAR_DIR : TAR_FILE);
    buf_printf(arg, "%s" STR_FMT, ((Buf *)arg)->size ? " " : "", STR_ARG(entry->name));
    return OK;
}

static Status tar_data(void *arg, Ctx *ctx, Bytes piece)
{
    (void)ctx;
    buf_printf(arg, "=" STR_FMT, STR_ARG(bytes_str(piece)));
    return OK;
}

static char *tar(Fixture *f, const char *file, const char *lower, const char *upper)
{
    CLEANUP(buf_done) Buf stream = { 0 };
    CLEANUP(buf_done) Buf out = { 0 };
    PfsV2__GetFileRequest *request =
        PB_NEW(&f->ctx, pfs_v2__get_file_request, PfsV2__GetFileRequest);
    request->file = file_of(&f->ctx, file);
    request->path_range = PB_NEW(&f->ctx, pfs_v2__path_range, PfsV2__PathRange);
    request->path_range->lower = arena_strdup(f->ctx.arena, lower);
    request->path_range->upper = arena_strdup(f->ctx.arena, upper);
    Status status = pfs_get_file_tar(&f->ctx, f->pfs, request, add_bytes, &stream);
    if (!status_ok(status))
        return arena_strdup(f->ctx.arena, status_message(status));
    TarSink sink = { .entry = tar_entry, .data = tar_data, .arg = &out };
    CLEANUP(tar_reader_freep) TarReader *reader = tar_reader_new(&sink);
    assert_ok(tar_reader_feed(&f->ctx, reader, buf_bytes(&stream)));
    assert_ok(tar_reader_finish(&f->ctx, reader));
    return str_z(f->ctx.arena, buf_str(&out));
}

static void get_tar(void **state)
{
    static const struct {
        const char *file, *lower, *upper, *expected;
    } cases[] = {
        { "r@master:/dir1/file1", "", "", "/dir1/file1=one" },
        { "r@master:/dir1", "", "", "/dir1/ /dir1/file1=one" },
        { "r@master:/dir1/", "", "", "/dir1/ /dir1/file1=one" },
        { "r@master:/dir?", "", "",
          "/dir1/ /dir1/file1=one /dir2/ /dir2/dir3/ /dir2/dir3/file1a=A /dir2/dir3/file1bc=B "
          "/dir2/file2=two" },
        { "r@master:/", "", "/dir2/file2",
          "/ /dir1/ /dir1/file1=one /dir2/ /dir2/dir3/ /dir2/dir3/file1a=A /dir2/dir3/file1bc=B" },
        { "r@master:*", "/file", "", "/file1=1 /file2.2=22 /other=x" },
        { "r@master:/dir2/dir3", "/dir2/dir3/", "/dir2/dir3/file1b",
          "/dir2/dir3/ /dir2/dir3/file1a=A" },
        { "r@master:/none", "", "", "file /none not found in repo default/r at commit " },
        { "empty@master:/", "", "", "file / not found in repo default/empty at commit " },
        { "empty@master:", "", "", "file  not found in repo default/empty at commit " },
    };
    Fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].file);
        assert_string_equal(tar(f, cases[i].file, cases[i].lower, cases[i].upper),
                            cases[i].expected);
    }
}

/* --- DiffFile --------------------------------------------------------------------------------- */

static Status add_diff(void *arg, Ctx *ctx, const PfsV2__FileInfo *new_file,
                       const PfsV2__FileInfo *old_file)
{
    (void)ctx;
    buf_printf(arg, "%s%c%s", ((Buf *)arg)->size ? " " : "",
               !old_file   ? '+'
               : !new_file ? '-'
                           : '~',
               (new_file ? new_file : old_file)->file->path);
    if (new_file && old_file)
        assert_string_equal(new_file->file->path, old_file->file->path);
    return OK;
}

static char *diff(Fixture *f, const char *new_file, const char *old_file)
{
    CLEANUP(buf_done) Buf buf = { 0 };
    PfsV2__DiffFileRequest *request =
        PB_NEW(&f->ctx, pfs_v2__diff_file_request, PfsV2__DiffFileRequest);
    request->new_file = file_of(&f->ctx, new_file);
    request->old_file = old_file ? file_of(&f->ctx, old_file) : NULL;
    Status status = pfs_diff_file(&f->ctx, f->pfs, request, add_diff, &buf);
    return status_ok(status) ? str_z(f->ctx.arena, buf_str(&buf))
                             : arena_strdup(f->ctx.arena, status_message(status));
}

static void diffs(void **state)
{
    static const struct {
        const char *new_file, *old_file, *expected;
    } cases[] = {
        { "d@one:/", NULL, "+/ +/a +/dir/ +/dir/e/ +/dir/e/f +/dir/g +/z" },
        { "d@two:/", NULL, "~/ -/a ~/dir/ ~/dir/g +/dir/new/ +/dir/new/x" },
        { "d@two:/", "d@one:/", "~/ -/a ~/dir/ ~/dir/g +/dir/new/ +/dir/new/x" },
        { "d@one:/", "d@two:/", "~/ +/a ~/dir/ ~/dir/g -/dir/new/ -/dir/new/x" },
        { "d@two:/dir", "d@one:/dir", "~/dir/ ~/dir/g +/dir/new/ +/dir/new/x" },
        { "d@two:/dir/g", "d@one:/dir/g", "~/dir/g" },
        { "d@two:/dir/e", "d@one:/dir/e", "" },
        { "d@two:/a", "d@one:/a", "-/a" },
        { "d@two:/missing", "d@one:/missing", "" },
        { "d@one:/a", "d@one:/z", "+/a -/z" },
        { "d@one:/dir", "d@one:/dir/e", "+/dir/ +/dir/g" },
        { "d@empty:/", "d@one:/", "-/ -/a -/dir/ -/dir/e/ -/dir/e/f -/dir/g -/z" },
        { "d@one:/#d1", "d@one:/", "-/ -/a -/dir/ -/dir/e/ -/dir/e/f -/dir/g -/z" },
        { "d@tagged:/", "d@one:/", "" },
    };
    Fixture *f = *state;
    create_repo(f, "d");
    WRITE(f, "d@one", "add /a A", "add /dir/e/f F", "add /dir/g G", "add /z Z");
    WRITE(f, "d@two", "copy d@one:/ /");
    WRITE(f, "d@two", "del /a", "put /dir/g H", "add /dir/new/x X");
    WRITE(f, "d@empty", "del /");
    WRITE(f, "d@tagged", "copy d@one:/ /#other");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s against %s", cases[i].new_file,
                 cases[i].old_file ? cases[i].old_file : "its parent");
        assert_string_equal(diff(f, cases[i].new_file, cases[i].old_file), cases[i].expected);
    }
    PfsV2__DiffFileRequest *request =
        PB_NEW(&f->ctx, pfs_v2__diff_file_request, PfsV2__DiffFileRequest);
    assert_fails(pfs_diff_file(&f->ctx, f->pfs, request, add_diff, NULL), UNKNOWN,
                 "file cannot be nil");
    request->new_file = PB_NEW(&f->ctx, pfs_v2__file, PfsV2__File);
    assert_fails(pfs_diff_file(&f->ctx, f->pfs, request, add_diff, NULL), UNKNOWN,
                 "check new file commit: commit cannot be nil");
}

/* --- FindCommits ------------------------------------------------------------------------------ */

static Status add_found(void *arg, Ctx *ctx, const PfsV2__FindCommitsResponse *response)
{
    (void)ctx;
    bool found = response->result_case == PFS_V2__FIND_COMMITS_RESPONSE__RESULT_FOUND_COMMIT;
    buf_printf(arg, "%s%s:%u", ((Buf *)arg)->size ? " " : "", found ? "found" : "last",
               response->commits_searched);
    return OK;
}

static char *find(Fixture *f, const char *start, const char *path, uint32_t limit)
{
    CLEANUP(buf_done) Buf buf = { 0 };
    PfsV2__FindCommitsRequest *request =
        PB_NEW(&f->ctx, pfs_v2__find_commits_request, PfsV2__FindCommitsRequest);
    request->start = handle_of(&f->ctx, start);
    request->file_path = arena_strdup(f->ctx.arena, path);
    request->limit = limit;
    Status status = pfs_find_commits(&f->ctx, f->pfs, request, add_found, &buf);
    return status_ok(status) ? str_z(f->ctx.arena, buf_str(&buf))
                             : arena_strdup(f->ctx.arena, status_message(status));
}

static void find_commits(void **state)
{
    static const struct {
        const char *path;
        uint32_t limit;
        const char *expected;
    } cases[] = {
        { "/f", 0, "found:0 found:2 found:3 last:4" }, /* deleted, changed, made */
        { "/f", 2, "found:0 found:2" },
        { "/g", 0, "found:1 last:4" },
        { "f", 0, "last:4" },
        { "/d", 0, "last:4" },
        { "/d/x", 1, "found:3" },
    };
    Fixture *f = *state;
    create_repo(f, "find");
    WRITE(f, "find@master", "add /f a", "add /d/x y");
    WRITE(f, "find@master", "add /f b");
    WRITE(f, "find@master", "add /g c");
    WRITE(f, "find@master", "del /f");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].path);
        assert_string_equal(find(f, "find@master", cases[i].path, cases[i].limit),
                            cases[i].expected);
    }
    start_commit(f, "find@master");
    PfsV2__FindCommitsRequest *request =
        PB_NEW(&f->ctx, pfs_v2__find_commits_request, PfsV2__FindCommitsRequest);
    request->start = handle_of(&f->ctx, "find@master");
    Status status = pfs_find_commits(&f->ctx, f->pfs, request, add_found, NULL);
    assert_fails(status, UNAVAILABLE, "commit default/find@master not finished");
    assert_string_equal(status.detail->any->type_url,
                        "type.googleapis.com/google.rpc.ResourceInfo");
}

/* --- for pps ---------------------------------------------------------------------------------- */

static void stat_and_match(void **state)
{
    Fixture *f = *state;
    PfsView view;
    PfsMatch match;
    assert_ok(pfs_view_open(&f->ctx, f->pfs, handle_of(&f->ctx, "r@master"), &view));
    assert_ok(pfs_view_stat(&f->ctx, &view, STR("/dir2/"), &match));
    assert_true(match.is_dir && match.size == 5 && str_eq_c(match.path, "/dir2/"));
    assert_ok(pfs_view_stat(&f->ctx, &view, STR("/file1"), &match));
    assert_true(!match.is_dir && match.size == 1);
    assert_int_equal(pfs_view_stat(&f->ctx, &view, STR("/nothing"), &match).code, STATUS_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inspect_file),   cmocka_unit_test(hashes_tell_content),
        cmocka_unit_test(pages),          cmocka_unit_test(globs),
        cmocka_unit_test(get_file),       cmocka_unit_test(get_tar),
        cmocka_unit_test(diffs),          cmocka_unit_test(find_commits),
        cmocka_unit_test(stat_and_match),
    };
    return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
