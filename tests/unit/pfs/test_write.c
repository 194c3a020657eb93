/* test_write.c - ModifyFile (§14): what streams do to files, which commit they write, and what they
 * refuse. */
#include "base/thread.h"
#include "files_fixture.h"

/* Each case: up to three streams, each a commit of its own; "" ends none. */
static void streams_do_what_they_say(void **state)
{
    static const struct {
        const char *label, *streams[3][6], *files;
    } cases[] = {
        { "add appends", { { "add /f foo", "add /f bar" }, { "add /f baz" } }, "/f=foobarbaz" },
        { "put overwrites", { { "put /f foo" }, { "put /f bar" } }, "/f=bar" },
        { "put, delete, put: the last counts", { { "put /f a", "del /f", "put /f b" } }, "/f=b" },
        { "appending to what was put in the same stream",
          { { "put /f a", "put /g x", "add /f b" } },
          "/f=ab /g=x" },
        { "delete, then add, in two streams",
          { { "add /f a" }, { "del /f" }, { "add /f b" } },
          "/f=b" },
        { "an empty file", { { "add /f" } }, "/f=" },
        { "an add of nothing keeps the file", { { "add /f foo" }, { "add /f" } }, "/f=foo" },
        { "deleting what is not there", { { "del /f", "del /dir/" } }, "" },
        { "a directory without its slash stays", { { "add /d/f x" }, { "del /d" } }, "/d/f=x" },
        { "a directory goes",
          { { "add /d/f x", "add /d/e/g y", "add /d-e z" }, { "del /d/" } },
          "/d-e=z" },
        { "everything goes", { { "add /a x", "add /b/c y" }, { "del /" } }, "" },
        { "a directory goes with what the stream wrote",
          { { "add /d/f x" }, { "add /d/g y", "del /d/", "add /d/h z" } },
          "/d/h=z" },
        { "slashes are cleaned", { { "add f x", "add //d//g/ y" } }, "/d/g=y /f=x" },
        { "datums are apart",
          { { "add /f#d1 x", "add /g#d2 y" }, { "del /f", "del /g#d2" } },
          "/f#d1=x" },
        { "a recursive delete keeps other datums",
          { { "add /d/f#d1 x", "add /d/g y" }, { "del /d/" } },
          "/d/f#d1=x" },
        { "and those of its own stream",
          { { "add /d/f#d1 x", "add /d/g y", "del /d/" } },
          "/d/f#d1=x" },
        { "valid characters", { { "add /,$|~&'\";:<=> x" } }, "/,$|~&'\";:<=>=x" },
        { "no operations", { { "add /f x" }, { "add /g y" } }, "/f=x /g=y" },
    };
    Fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].label);
        char *repo = text_printf(f->ctx.arena, "streams-%zu", i),
             *head = text_printf(f->ctx.arena, "%s@master", repo);
        create_repo(f, repo);
        for (size_t s = 0; s < 3 && cases[i].streams[s][0]; s++)
            assert_ok(try_write(&f->ctx, f->pfs, head, cases[i].streams[s], 6));
        assert_string_equal(show(f, head), cases[i].files);
        assert_string_equal(row_of(f, head).error, "");
    }
}

/* The same streams into one open commit, which reads as far as it has come. */
static void an_open_commit_takes_layers(void **state)
{
    Fixture *f = *state;
    create_repo(f, "open");
    WRITE(f, "open@master", "add /base x");
    char *commit = start_commit(f, "open@master");
    assert_string_equal(show(f, commit), "/base=x");
    WRITE(f, commit, "add /f foo");
    WRITE(f, "open@master", "add /f bar", "add /base y");
    assert_string_equal(show(f, commit), "/base=xy /f=foobar");
    WRITE(f, commit, "del /");
    assert_string_equal(show(f, commit), "");
    WRITE(f, commit, "put /f end");
    finish(f, commit);
    assert_string_equal(show(f, commit), "/f=end");
    WRITE_FAILS(f, commit, UNKNOWN, "has already finished", "add /f x");
}

static void bad_paths_leave_nothing(void **state)
{
    static const struct {
        const char *op, *error;
    } cases[] = {
        { "add ../foo x", "relative file paths are not allowed" },
        { "add foo/../../bar x", "relative file paths are not allowed" },
        { "add foo/../bar x", "relative file paths are not allowed" },
        { "add /a*b x", "globbing character (*) not allowed in path" },
        { "add /a\x7f x", "only printable ASCII characters allowed" },
        { "add / x", "path (/) invalid" },
        { "del /a[b", "globbing character ([) not allowed in path" },
        { "copy bad@other:/src /a?b", "globbing character (?) not allowed in path" },
        { "copy bad@other:/src ../z", "relative file paths are not allowed" },
        { "copy bad@other:/src /", "path (/) invalid" },
        { "copy bad@nowhere:/src /dst", "not found" },
    };
    Fixture *f = *state;
    create_repo(f, "bad");
    WRITE(f, "bad@other", "add /src x");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].op);
        const char *ops[] = { "add /good x", cases[i].op };
        Status status = try_write(&f->ctx, f->pfs, "bad@master", ops, 2);
        assert_int_not_equal(status.code, STATUS_OK);
        assert_non_null(strstr(status_message(status), cases[i].error));
        assert_non_null(strstr(show(f, "bad@master"), ""));
        assert_non_null(strstr(get(f, "bad@master:/good", 0), "not found"));
    }
}

static void a_stream_that_is_dropped_leaves_nothing(void **state)
{
    Fixture *f = *state;
    create_repo(f, "dropped");
    char *commit = start_commit(f, "dropped@master");
    PfsWriter *writer = pfs_writer_new(f->pfs);
    assert_ok(pfs_writer_target(&f->ctx, writer, handle_of(&f->ctx, commit)));
    assert_ok(run_op(&f->ctx, writer, "add /f x"));
    pfs_writer_free(writer);
    assert_string_equal(show(f, commit), "");
}

static void messages_out_of_place(void **state)
{
    Fixture *f = *state;
    PfsWriter *writer = pfs_writer_new(f->pfs);
    PfsV2__ModifyFileRequest *request =
        PB_NEW(&f->ctx, pfs_v2__modify_file_request, PfsV2__ModifyFileRequest);
    assert_fails(pfs_writer_modify(&f->ctx, writer, request), UNKNOWN, "unrecognized message type");
    request->body_case = PFS_V2__MODIFY_FILE_REQUEST__BODY_SET_COMMIT;
    request->set_commit = handle_of(&f->ctx, "a@b");
    assert_fails(pfs_writer_modify(&f->ctx, writer, request), UNKNOWN, "cannot set commit");
    assert_fails(pfs_writer_target(&f->ctx, writer, NULL), UNKNOWN, "commit cannot be nil");
    PfsV2__Commit *commit = PB_NEW(&f->ctx, pfs_v2__commit, PfsV2__Commit);
    assert_fails(pfs_writer_target(&f->ctx, writer, commit), UNKNOWN, "commit must have a repo");
    request->body_case = PFS_V2__MODIFY_FILE_REQUEST__BODY_ADD_FILE;
    request->add_file = PB_NEW(&f->ctx, pfs_v2__add_file, PfsV2__AddFile);
    request->add_file->path = arena_strdup(f->ctx.arena, "/f");
    request->add_file->source_case = PFS_V2__ADD_FILE__SOURCE_URL;
    request->add_file->url =
        PB_NEW(&f->ctx, pfs_v2__add_file__urlsource, PfsV2__AddFile__URLSource);
    request->add_file->url->url = arena_strdup(f->ctx.arena, "gopher://x/y");
    assert_fails(pfs_writer_modify(&f->ctx, writer, request), UNKNOWN,
                 "unrecognized object store: gopher");
    pfs_writer_free(writer);
}

/* --- which commit (§14.2) --------------------------------------------------------------------- */

static void one_off_commits(void **state)
{
    Fixture *f = *state;
    create_repo(f, "one");
    WRITE(f, "one@new", "add /f x");
    PfsCommitRow first = row_of(f, "one@new");
    assert_int_equal(first.state, PFS_FINISHED);
    assert_int_equal(first.parent_id, 0);
    WRITE(f, "one@new", "add /f y");
    PfsCommitRow second = row_of(f, "one@new");
    assert_int_equal(second.parent_id, first.id);
    assert_string_equal(show(f, "one@new"), "/f=xy");

    char *by_id = text_printf(f->ctx.arena, "one@%s", second.set_id);
    WRITE_FAILS(f, by_id, UNKNOWN, "has already finished", "add /f x");
    WRITE_FAILS(f, "nowhere@master", NOT_FOUND, "repo default/nowhere not found", "add /f x");
    WRITE_FAILS(f, "one@bad.name", UNKNOWN, "", "add /f x");

    /* A branch's name as the id of the handle. */
    PfsV2__Commit *commit = pfs_commit_ref(&f->ctx, "default", "one", "named");
    PfsWriter *writer = pfs_writer_new(f->pfs);
    assert_ok(pfs_writer_target(&f->ctx, writer, commit));
    assert_ok(run_op(&f->ctx, writer, "add /f x"));
    assert_ok(pfs_writer_commit(&f->ctx, writer));
    pfs_writer_free(writer);
    assert_string_equal(show(f, "one@named"), "/f=x");

    /* An unknown id beside a branch's name: the branch. */
    commit = handle_of(&f->ctx, "one@named");
    commit->id = arena_strdup(f->ctx.arena, id_new().text);
    writer = pfs_writer_new(f->pfs);
    assert_ok(pfs_writer_target(&f->ctx, writer, commit));
    assert_ok(run_op(&f->ctx, writer, "del /"));
    assert_ok(pfs_writer_commit(&f->ctx, writer));
    pfs_writer_free(writer);
    assert_string_equal(show(f, "one@named"), "");

    /* No operations still make a commit. */
    assert_ok(try_write(&f->ctx, f->pfs, "one@new", NULL, 0));
    assert_int_equal(row_of(f, "one@new").parent_id, second.id);
}

typedef struct Job {
    Fixture *f;
    const char *commit, *op;
    bool failed;
} Job;

static void *run_job(void *arg)
{
    Job *job = arg;
    Ctx ctx;
    ctx_init(&ctx);
    Status status = try_write(&ctx, job->f->pfs, job->commit, &job->op, 1);
    if (!status_ok(status))
        say_case("%s: %s", job->op, status_message(status));
    job->failed = !status_ok(status);
    ctx_done(&ctx);
    return NULL;
}

#define PARALLEL 25

/* Runs `format` with 0 … 24 at once, each a stream into `commit`. */
static void run_parallel(Fixture *f, const char *commit, const char *format)
{
    Job jobs[PARALLEL];
    pthread_t threads[PARALLEL];
    for (int i = 0; i < PARALLEL; i++) {
        char *op = arena_must(f->ctx.arena, 100);
        char *number = strstr(format, "%d") ? text_printf(f->ctx.arena, "%d", i) : NULL;
        if (number)
            snprintf(op, 100, "%.*s%s%s", (int)(strstr(format, "%d") - format), format, number,
                     strstr(format, "%d") + 2);
        else
            snprintf(op, 100, "%s", format);
        jobs[i] = (Job){ .f = f, .commit = commit, .op = op };
        assert_ok(thread_start(&f->ctx, "job", run_job, &jobs[i], &threads[i]));
    }
    for (int i = 0; i < PARALLEL; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < PARALLEL; i++)
        assert_false(jobs[i].failed);
}

static size_t count_files(Fixture *f, const char *commit)
{
    const char *files = show(f, commit);
    size_t n = 0;
    for (const char *c = files; *c; c++)
        n += *c == '=';
    return n;
}

static void parallel_streams_all_count(void **state)
{
    Fixture *f = *state;
    create_repo(f, "par");
    run_parallel(f, "par@master", "put /f%d x");
    assert_int_equal(count_files(f, "par@master"), PARALLEL);
    run_parallel(f, "par@master", "copy par@master:/f1 /g%d");
    assert_int_equal(count_files(f, "par@master"), 2 * PARALLEL);
    run_parallel(f, "par@master", "del /f%d");
    assert_int_equal(count_files(f, "par@master"), PARALLEL);
    run_parallel(f, "par@one", "add /f x");
    assert_string_equal(show(f, "par@one"), "/f=xxxxxxxxxxxxxxxxxxxxxxxxx");
    char *commit = start_commit(f, "par@open");
    run_parallel(f, commit, "add /f y");
    finish(f, commit);
    assert_string_equal(show(f, commit), "/f=yyyyyyyyyyyyyyyyyyyyyyyyy");
}

/* --- copies (§14.5) --------------------------------------------------------------------------- */

static void copies(void **state)
{
    static const struct {
        const char *label, *op, *files;
    } cases[] = {
        { "a file", "copy src@master:/a /b", "/b=A /old=O" },
        { "over a file", "copy src@master:/a /old", "/old=A" },
        { "appending", "append src@master:/a /old", "/old=OA" },
        { "a directory", "copy src@master:/dir /to", "/old=O /to/e/f=F /to/g=G" },
        { "a directory to the root", "copy src@master:/dir/ /", "/e/f=F /g=G /old=O" },
        { "everything", "copy src@master:/ /all",
          "/all/a=A /all/dir/e/f=F /all/dir/g=G /all/t=T /old=O" },
        { "what is missing", "copy src@master:/nothing /b", "/old=O" },
        { "only a datum's files", "copy src@master:/#d1 /x", "/old=O /x/t=T" },
        { "under another datum's name", "copy src@master:/a /b#d2", "/b#d2=A /old=O" },
    };
    Fixture *f = *state;
    create_repo(f, "src");
    WRITE(f, "src@master", "add /a A", "add /dir/e/f F", "add /dir/g G", "add /t#d1 T");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("%s", cases[i].label);
        char *repo = text_printf(f->ctx.arena, "copies-%zu", i),
             *head = text_printf(f->ctx.arena, "%s@master", repo);
        create_repo(f, repo);
        WRITE(f, head, "add /old O");
        WRITE(f, head, cases[i].op);
        assert_string_equal(show(f, head), cases[i].files);
    }
    char *commit = start_commit(f, "src@master");
    WRITE(f, commit, "add /new N", text_printf(f->ctx.arena, "copy %s:/a /copied", commit),
          text_printf(f->ctx.arena, "copy %s:/new /unseen", commit));
    assert_string_equal(show(f, commit), "/a=A /copied=A /dir/e/f=F /dir/g=G /new=N /t#d1=T");
}

/* --- the same files are the same tree --------------------------------------------------------- */

static void the_way_does_not_matter(void **state)
{
    Fixture *f = *state;
    create_repo(f, "way");
    WRITE(f, "way@one", "add /a x", "add /b/c y", "add /b/d z");
    WRITE(f, "way@two", "add /b/d z", "add /gone q");
    WRITE(f, "way@two", "put /b/c y", "del /gone");
    WRITE(f, "way@two", "copy way@one:/a /a");
    PfsCommitRow one = row_of(f, "way@one"), two = row_of(f, "way@two");
    assert_true(hash_eq(&one.root, &two.root));
}

static void collisions_are_the_commits_error(void **state)
{
    Fixture *f = *state;
    create_repo(f, "collide");
    WRITE(f, "collide@master", "add /a x");
    WRITE(f, "collide@master", "add /a/b y");
    assert_string_equal(row_of(f, "collide@master").error,
                        "file / directory path collision (/a/b)");
    assert_non_null(strstr(walk(f, "collide@master:/"), "file / directory path collision (/a/b)"));
    assert_string_equal(get(f, "collide@master:/a/b", 0), "y");
    WRITE(f, "collide@master", "add /c z");
    assert_string_equal(show(f, "collide@master"), "/a=x /c=z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_do_what_they_say),
        cmocka_unit_test(an_open_commit_takes_layers),
        cmocka_unit_test(bad_paths_leave_nothing),
        cmocka_unit_test(a_stream_that_is_dropped_leaves_nothing),
        cmocka_unit_test(messages_out_of_place),
        cmocka_unit_test(one_off_commits),
        cmocka_unit_test(parallel_streams_all_count),
        cmocka_unit_test(copies),
        cmocka_unit_test(the_way_does_not_matter),
        cmocka_unit_test(collisions_are_the_commits_error),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
