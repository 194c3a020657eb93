/* test_image.c - images made by hand: layers, whiteouts, links that lead out, names and their
 * folders. */
#include "testing.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chunk/chunk.h"
#include "image/image.h"

typedef struct Fixture {
    Ctx ctx;
    char *dir;
    Db *db;
    ImageStore *store;
    const char *user; /* of every image; NULL: none */
} Fixture;

static Status is_used(void *self, Ctx *ctx, const char *digest, const char **out_by)
{
    (void)ctx;
    (void)digest;
    *out_by = ((Fixture *)self)->user;
    return OK;
}

static int set_up(void **state)
{
    Fixture *fx = calloc(1, sizeof(*fx));
    ctx_init(&fx->ctx);
    fx->dir = scratch_dir(&fx->ctx);
    assert_ok(db_open(&fx->ctx, text_printf(fx->ctx.arena, "sqlite:%s/t.db", fx->dir),
                      image_migrations, image_migration_count, &fx->db));
    const ImageStoreConfig config = { .db = fx->db,
                                      .dir = text_printf(fx->ctx.arena, "%s/images", fx->dir),
                                      .used = is_used,
                                      .self = fx };
    assert_ok(image_store_open(&fx->ctx, &config, &fx->store));
    *state = fx;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fx = *state;
    image_store_close(fx->store);
    db_close(fx->db);
    assert_ok(file_remove_tree(&fx->ctx, fx->dir));
    ctx_done(&fx->ctx);
    free(fx);
    return 0;
}

/* --- archives by hand ------------------------------------------------------------------------- */

typedef struct Entry {
    const char *path, *content, *link;
    mode_t mode;
    bool hard;
} Entry;

static void write_entry(struct archive *archive, const Entry *from, Bytes content)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, from->path);
    archive_entry_set_mode(entry, from->mode);
    if (from->hard)
        archive_entry_set_hardlink(entry, from->link);
    else if (from->link)
        archive_entry_set_symlink(entry, from->link);
    archive_entry_set_size(entry, (int64_t)content.size);
    assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
    assert_int_equal(archive_write_data(archive, content.data, content.size), content.size);
    archive_entry_free(entry);
}

static struct archive *new_tar(const char *path, bool compressed)
{
    struct archive *archive = archive_write_new();
    archive_write_set_format_pax_restricted(archive);
    if (compressed)
        archive_write_add_filter_gzip(archive);
    archive_write_set_bytes_in_last_block(archive, 1);
    assert_int_equal(archive_write_open_filename(archive, path), ARCHIVE_OK);
    return archive;
}

static const char *make_tar(Fixture *fx, const char *name, const Entry *entries, size_t n)
{
    const char *path = text_printf(fx->ctx.arena, "%s/%s", fx->dir, name);
    struct archive *archive = new_tar(path, false);
    for (size_t i = 0; i < n; i++)
        write_entry(archive, &entries[i], str_bytes(str(entries[i].content)));
    archive_write_free(archive);
    return path;
}

static Bytes content_of(Fixture *fx, const char *path)
{
    Buf buf = { 0 };
    assert_ok(file_read_path(&fx->ctx, path, &buf));
    Bytes copy = bytes(arena_memdup(fx->ctx.arena, buf.data, buf.size), buf.size);
    buf_done(&buf);
    return copy;
}

static void add_file(struct archive *archive, const char *path, Bytes content)
{
    write_entry(archive, &(Entry){ .path = path, .mode = S_IFREG | 0644 }, content);
}

/* A docker-archive of the layers; damage: the config tells a wrong hash of the first. */
static const char *make_docker(Fixture *fx, const char *const *layers, size_t n, bool damage)
{
    const char *path = text_printf(fx->ctx.arena, "%s/docker.tar.gz", fx->dir);
    struct archive *archive = new_tar(path, true);
    Buf config = { 0 }, manifest = { 0 };
    buf_printf(&config,
               "{\"config\":{\"Env\":[\"GREETING=hello\"],\"WorkingDir\":\"/srv\",\"User\":\"7\","
               "\"Entrypoint\":[\"/bin/sh\"]},\"rootfs\":{\"diff_ids\":[");
    buf_printf(&manifest, "[{\"Config\":\"c.json\",\"RepoTags\":[\"hand/made:1\"],\"Layers\":[");
    for (size_t i = 0; i < n; i++) {
        Bytes layer = content_of(fx, layers[i]);
        char hex[HASH_HEX_SIZE];
        Hash hash = hash_of(damage && i == 0 ? (Bytes){ 0 } : layer);
        add_file(archive, text_printf(fx->ctx.arena, "l%zu.tar", i), layer);
        buf_printf(&config, "%s\"sha256:%s\"", i ? "," : "", hash_hex(&hash, hex));
        buf_printf(&manifest, "%s\"l%zu.tar\"", i ? "," : "", i);
    }
    buf_printf(&config, "]}}");
    buf_printf(&manifest, "]}]");
    add_file(archive, "c.json", buf_bytes(&config));
    add_file(archive, "manifest.json", buf_bytes(&manifest));
    archive_write_free(archive);
    buf_done(&config);
    buf_done(&manifest);
    return path;
}

static ImageRoot root_of(Fixture *fx, const char *digest)
{
    ImageRoot root;
    assert_ok(image_root(&fx->ctx, fx->store, digest, &root));
    return root;
}

static bool is_there(Fixture *fx, const ImageRoot *root, const char *path)
{
    struct stat at;
    return lstat(text_printf(fx->ctx.arena, "%s/%s", root->root_dir, path), &at) == 0;
}

static void assert_content(Fixture *fx, const ImageRoot *root, const char *path,
                           const char *expected)
{
    Bytes got = content_of(fx, text_printf(fx->ctx.arena, "%s/%s", root->root_dir, path));
    assert_string_equal(str_z(fx->ctx.arena, bytes_str(got)), expected);
}

/* --- tests ------------------------------------------------------------------------------------ */

static const Entry lower[] = {
    { .path = "usr/", .mode = S_IFDIR | 0755 },
    { .path = "usr/lib/", .mode = S_IFDIR | 0755 },
    { .path = "lib", .link = "/usr/lib", .mode = S_IFLNK | 0777 },
    { .path = "usr/lib/a", .content = "lower a", .mode = S_IFREG | 0644 },
    { .path = "gone", .content = "x", .mode = S_IFREG | 0644 },
    { .path = "opaque/old", .content = "x", .mode = S_IFREG | 0644 },
    { .path = "swap/inner", .content = "x", .mode = S_IFREG | 0644 },
    { .path = "twin", .link = "usr/lib/a", .hard = true, .mode = S_IFREG | 0644 },
    { .path = "null", .mode = S_IFCHR | 0666 },
    { .path = "su", .content = "x", .mode = S_IFREG | 04755 },
};

static const Entry upper[] = {
    { .path = "lib/b", .content = "through a link", .mode = S_IFREG | 0600 },
    { .path = ".wh.gone", .mode = S_IFREG | 0644 },
    { .path = "opaque/new", .content = "upper", .mode = S_IFREG | 0644 },
    { .path = "opaque/.wh..wh..opq", .mode = S_IFREG | 0644 },
    { .path = "swap", .content = "a file now", .mode = S_IFREG | 0644 },
};

static void layers_lie_over_each_other(void **state)
{
    Fixture *fx = *state;
    const char *layers[] = { make_tar(fx, "0.tar", lower, ARRAY_LEN(lower)),
                             make_tar(fx, "1.tar", upper, ARRAY_LEN(upper)) };
    ImageRow row;
    assert_ok(image_import(&fx->ctx, fx->store, "", "", make_docker(fx, layers, 2, false), &row));
    assert_string_equal(row.name, "hand/made:1");
    ImageRoot root = root_of(fx, row.digest);
    assert_content(fx, &root, "usr/lib/a", "lower a");
    assert_content(fx, &root, "usr/lib/b", "through a link");
    assert_content(fx, &root, "opaque/new", "upper");
    assert_content(fx, &root, "swap", "a file now");
    assert_content(fx, &root, "twin", "lower a");
    assert_false(is_there(fx, &root, "gone"));
    assert_false(is_there(fx, &root, "opaque/old"));
    assert_false(is_there(fx, &root, "null"));
    struct stat at;
    assert_int_equal(stat(text_printf(fx->ctx.arena, "%s/su", root.root_dir), &at), 0);
    assert_int_equal(at.st_mode & 07777, 04755);
    assert_int_equal(root.env_count, 1);
    assert_string_equal(root.env[0], "GREETING=hello");
    assert_string_equal(root.working_dir, "/srv");
    assert_string_equal(root.user, "7");
    assert_string_equal(root.entrypoint[0], "/bin/sh");
}

/* Whatever an archive says, nothing appears outside of its root. */
static void nothing_leaves_the_root(void **state)
{
    Fixture *fx = *state;
    const char *out = text_printf(fx->ctx.arena, "%s/outside", fx->dir);
    assert_int_equal(mkdir(out, 0755), 0);
    const char *up = text_printf(fx->ctx.arena, "../../..%s", out);
    const Entry climbing[] = { { .path = "a/../../evil", .content = "x", .mode = S_IFREG | 0644 } };
    const Entry absolute[] = { { .path = "/etc/evil", .content = "in", .mode = S_IFREG | 0644 } };
    const Entry linked[] = { { .path = out, .mode = S_IFDIR | 0755 },
                             { .path = "way", .link = out, .mode = S_IFLNK | 0777 },
                             { .path = "way2", .link = up, .mode = S_IFLNK | 0777 },
                             { .path = "way/evil", .content = "x", .mode = S_IFREG | 0644 },
                             { .path = "way2/evil", .content = "x", .mode = S_IFREG | 0644 } };
    const Entry hard[] = {
        { .path = "h", .link = "../../../etc/passwd", .hard = true, .mode = S_IFREG }
    };
    ImageRow row;
    assert_fails(
        image_import(&fx->ctx, fx->store, "n", "", make_tar(fx, "c.tar", climbing, 1), &row),
        INVALID_ARGUMENT, "leaves the image");
    assert_fails(image_import(&fx->ctx, fx->store, "n", "", make_tar(fx, "h.tar", hard, 1), &row),
                 INVALID_ARGUMENT, "leaves the image");
    assert_ok(
        image_import(&fx->ctx, fx->store, "abs", "", make_tar(fx, "a.tar", absolute, 1), &row));
    ImageRoot root = root_of(fx, row.digest);
    assert_content(fx, &root, "etc/evil", "in");
    assert_ok(image_import(&fx->ctx, fx->store, "l", "",
                           make_tar(fx, "l.tar", linked, ARRAY_LEN(linked)), &row));
    root = root_of(fx, row.digest);
    assert_content(fx, &root, text_printf(fx->ctx.arena, "%s/evil", out), "x"); /* inside */
    assert_int_equal(rmdir(out), 0);                                            /* still empty */
}

static void damage_is_told(void **state)
{
    Fixture *fx = *state;
    const char *layers[] = { make_tar(fx, "0.tar", lower, ARRAY_LEN(lower)) };
    const char *text = text_printf(fx->ctx.arena, "%s/text", fx->dir);
    const char *nowhere = text_printf(fx->ctx.arena, "%s/nowhere", fx->dir);
    assert_ok(file_replace(&fx->ctx, text,
                           str_bytes(STR("certainly not an archive, however one looks")), 0644));
    ImageRow row;
    assert_fails(image_import(&fx->ctx, fx->store, "", "", make_docker(fx, layers, 1, true), &row),
                 INVALID_ARGUMENT, "but the config says");
    assert_fails(image_import(&fx->ctx, fx->store, "n", "", text, &row), INVALID_ARGUMENT,
                 "could not read archive");
    assert_fails(image_import(&fx->ctx, fx->store, "n", "", nowhere, &row), NOT_FOUND, "nowhere");
    assert_fails(image_import(&fx->ctx, fx->store, "n", "zip", layers[0], &row), INVALID_ARGUMENT,
                 "\"zip\" is none");
    assert_fails(image_import(&fx->ctx, fx->store, "n", "oci-archive", layers[0], &row),
                 INVALID_ARGUMENT, "index.json");
    assert_fails(image_import(&fx->ctx, fx->store, "", "", layers[0], &row), INVALID_ARGUMENT,
                 "needs a name");
    assert_fails(image_import(&fx->ctx, fx->store, "a b", "", layers[0], &row), INVALID_ARGUMENT,
                 "cannot be the name");
    ImageRow *rows;
    size_t n;
    assert_ok(image_list(&fx->ctx, fx->store, &rows, &n));
    assert_int_equal(n, 0);
}

/* A tar and the folder it was unpacked to are one image. */
static void folder_and_tar_are_one(void **state)
{
    Fixture *fx = *state;
    ImageRow tar, folder;
    assert_ok(image_import(&fx->ctx, fx->store, "tar", "rootfs",
                           make_tar(fx, "0.tar", lower, ARRAY_LEN(lower)), &tar));
    ImageRoot root = root_of(fx, tar.digest);
    assert_ok(image_import(&fx->ctx, fx->store, "folder", "", root.root_dir, &folder));
    assert_string_equal(tar.digest, folder.digest);
    assert_int_equal(tar.size_bytes, folder.size_bytes);
}

static void names_are_canonical(void **state)
{
    Fixture *fx = *state;
    static const struct {
        const char *name, *canonical;
    } cases[] = {
        { "python", "python:latest" },
        { "docker.io/library/python", "python:latest" },
        { "docker://docker.io/me/x:1", "me/x:1" },
        { "reg:5000/x", "reg:5000/x:latest" },
        { "host", NULL },
        { "", NULL },
        { "a\nb", NULL },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say_case("'%s'", cases[i].name);
        const char *got = image_name_canonical(fx->ctx.arena, str(cases[i].name));
        assert_true(got ? cases[i].canonical && strcmp(got, cases[i].canonical) == 0
                        : !cases[i].canonical);
    }
}

static void names_move_and_go(void **state)
{
    Fixture *fx = *state;
    const char *one = make_tar(fx, "1.tar", lower, 1), *two = make_tar(fx, "2.tar", lower, 2);
    const char *digest;
    ImageRow first, second;
    assert_fails(image_find(&fx->ctx, fx->store, "x", &digest), NOT_FOUND,
                 "\"x:latest\" is not in the image store");
    assert_ok(image_import(&fx->ctx, fx->store, "x", "", one, &first));
    fx->user = "default/p";
    assert_ok(
        image_import(&fx->ctx, fx->store, "x", "", two, &second)); /* first is used: it stays */
    assert_ok(image_find(&fx->ctx, fx->store, "docker.io/x:latest", &digest));
    assert_string_equal(digest, second.digest);
    assert_ok(image_find(&fx->ctx, fx->store, first.digest, &digest));
    root_of(fx, first.digest);

    assert_fails(image_delete(&fx->ctx, fx->store, "x", false), FAILED_PRECONDITION, "default/p");
    assert_ok(image_delete(&fx->ctx, fx->store, "x", true));
    ImageRoot root;
    assert_fails(image_root(&fx->ctx, fx->store, second.digest, &root), NOT_FOUND,
                 "not in the image store");
    assert_fails(image_delete(&fx->ctx, fx->store, "x", true), NOT_FOUND, "x:latest");
    fx->user = NULL;
    assert_ok(image_import(&fx->ctx, fx->store, "x", "", one, &first));
    assert_ok(
        image_import(&fx->ctx, fx->store, "x", "", two, &second)); /* nobody wants the first */
    assert_fails(image_root(&fx->ctx, fx->store, first.digest, &root), NOT_FOUND, "");
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(layers_lie_over_each_other), RUN(nothing_leaves_the_root), RUN(damage_is_told),
        RUN(folder_and_tar_are_one),     RUN(names_are_canonical),     RUN(names_move_and_go),
    };
    return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
