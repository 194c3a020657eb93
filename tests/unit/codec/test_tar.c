/* Tar streams: the exact bytes written, and reading what others write, in pieces of any size. */
#include "one_ctx.h"

#include "codec/tar.h"

/* --- a sink that writes down what it is told -------------------------------------------------- */

static Status note_entry(void *arg, Ctx *c, const TarEntry *entry)
{
    (void)c;
    static const char *const types[] = { "file", "dir", "symlink", "hardlink", "other" };
    buf_printf(arg, "%s " STR_FMT " %llu %o %lld", types[entry->type], STR_ARG(entry->name),
               (unsigned long long)entry->size, entry->mode, (long long)entry->mtime_s);
    if (entry->link.size)
        buf_printf(arg, " -> " STR_FMT, STR_ARG(entry->link));
    buf_add_str(arg, STR("\n"));
    return OK;
}

static Status note_data(void *arg, Ctx *c, Bytes piece)
{
    (void)c;
    buf_add_bytes(arg, piece);
    return OK;
}

static Status note_end(void *arg, Ctx *c)
{
    (void)c;
    buf_add_str(arg, STR(".\n"));
    return OK;
}

static const char *read_in_pieces(Bytes stream, size_t piece_size)
{
    Buf notes = { 0 };
    const TarSink sink = { note_entry, note_data, note_end, &notes };
    TarReader *reader = tar_reader_new(&sink);
    for (size_t at = 0; at < stream.size; at += piece_size)
        assert_ok(tar_reader_feed(&ctx, reader,
                                  bytes(stream.data + at, MIN(piece_size, stream.size - at))));
    assert_ok(tar_reader_finish(&ctx, reader));
    tar_reader_free(reader);
    const char *text = str_z(ctx.arena, buf_str(&notes));
    buf_done(&notes);
    return text;
}

static void add_file(Buf *out, const char *name, const char *content)
{
    size_t size = strlen(content);
    tar_write_header(out, &(TarEntry){ .name = str(name), .size = size });
    buf_add(out, content, size);
    tar_write_padding(out, size);
}

static void headers_are_as_specified(void **state)
{
    (void)state;
    Buf out = { 0 };
    add_file(&out, "/dir/file", "hello");
    assert_int_equal(out.size, 1024);
    uint8_t want[512] = { 0 };
    memcpy(want, "/dir/file", 9);
    memcpy(want + 100,
           "0000000\0"
           "0000000\0"
           "0000000\0"
           "00000000005\0"
           "00000000000\0",
           48);
    want[156] = '0';
    memcpy(want + 257,
           "ustar\0"
           "00",
           8);
    memcpy(want + 329,
           "0000000\0"
           "0000000\0",
           16);
    unsigned sum = 8 * ' ';
    for (size_t i = 0; i < sizeof(want); i++)
        sum += want[i];
    snprintf((char *)want + 148, 8, "%06o", sum);
    want[155] = ' ';
    assert_memory_equal(out.data, want, sizeof(want));
    assert_memory_equal(out.data + 512, "hello\0\0\0", 8);
    buf_clear(&out);
    tar_write_end(&out);
    assert_int_equal(out.size, 1024);
    buf_clear(&out);
    tar_write_header(&out, &(TarEntry){ .name = STR("/dir/") });
    assert_int_equal(out.data[156], '5');
    tar_write_padding(&out, 512);
    assert_int_equal(out.size, 512);
    buf_done(&out);
}

static const char *name_of(size_t size, const char *end)
{
    char *name = arena_must(ctx.arena, size + 1);
    memset(name, 'x', size);
    name[0] = '/';
    memcpy(name + size - strlen(end), end, strlen(end));
    return name;
}

/* Names by their length and where they may be cut: in one header block where USTAR can say it, else
 * with PAX. */
static void long_names(void **state)
{
    (void)state;
    const char *deep = text_printf(ctx.arena, "%s%s", name_of(150, "/"), name_of(90, "y"));
    static const char utf8[] = "/\xc3\xa9";
    const struct {
        const char *name;
        size_t header_bytes;
    } cases[] = {
        { name_of(100, "y"), 512 },
        { name_of(101, "y"), 1536 },
        { deep, 512 },
        { name_of(300, "y"), 1536 },
        { name_of(300, "/"), 1536 },
        { name_of(101, "/y"), 512 },
        { utf8, 1536 },
        { name_of(600, "y"), 2048 },
        { name_of(101, "/"), 1536 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Buf out = { 0 };
        say_case("case %zu", i);
        tar_write_header(&out, &(TarEntry){ .name = str(cases[i].name) });
        assert_int_equal(out.size, cases[i].header_bytes);
        assert_true(cases[i].header_bytes == 512 || out.data[156] == 'x');
        tar_write_end(&out);
        const char *kind = str_ends(str(cases[i].name), STR("/")) ? "dir" : "file";
        assert_string_equal(read_in_pieces(buf_bytes(&out), 100),
                            text_printf(ctx.arena, "%s %s 0 0 0\n.\n", kind, cases[i].name));
        buf_done(&out);
    }
}

static void large_sizes_need_pax(void **state)
{
    (void)state;
    Buf out = { 0 };
    tar_write_header(&out, &(TarEntry){ .name = STR("/big"), .size = UINT64_C(8) << 30 });
    assert_int_equal(out.size, 1536);
    assert_memory_equal(out.data + 512, "19 size=8589934592\n", 19);
    buf_clear(&out);
    tar_write_header(&out, &(TarEntry){ .name = STR("/big"), .size = (UINT64_C(8) << 30) - 1 });
    assert_int_equal(out.size, 512);
    buf_done(&out);
}

static void reads_what_was_written_in_any_pieces(void **state)
{
    (void)state;
    Buf out = { 0 };
    tar_write_header(&out, &(TarEntry){ .name = STR("/d/"), .mode = 0755, .mtime_s = 1700000000 });
    add_file(&out, "/d/a", "hello");
    add_file(&out, "/d/empty", "");
    add_file(&out, name_of(300, "z"), "tail");
    tar_write_header(&out, &(TarEntry){ .name = STR("/l"), .type = TAR_SYMLINK, .link = STR("a") });
    tar_write_end(&out);
    buf_add_str(&out, STR("ignored"));
    const char *want =
        text_printf(ctx.arena,
                    "dir /d/ 0 755 1700000000\n.\nfile /d/a 5 0 0\nhello.\nfile /d/empty 0 0 0\n.\n"
                    "file %s 4 0 0\ntail.\nsymlink /l 0 0 0 -> a\n.\n",
                    name_of(300, "z"));
    for (size_t size = 1; size < 2000; size = size * 3 + 1)
        assert_string_equal(read_in_pieces(buf_bytes(&out), size), want);
    buf_done(&out);
}

/* A header by hand: fields as other programs fill them. */
static void foreign_header(Buf *out, const char *name, char type, const char *size,
                           const char *magic)
{
    char block[512] = { 0 };
    strncpy(block, name, 100);
    memcpy(block + 100,
           "0000644\0"
           "0001750\0"
           "0001750\0",
           24);
    memcpy(block + 124, size, strlen(size));
    memcpy(block + 136, "14524770401 ", 12);
    block[156] = type;
    memcpy(block + 257, magic, 8);
    unsigned sum = 8 * ' ';
    for (size_t i = 0; i < sizeof(block); i++)
        sum += (i < 148 || i >= 156) ? (unsigned char)block[i] : 0;
    snprintf(block + 148, 8, "%06o", sum);
    block[155] = ' ';
    buf_add(out, block, sizeof(block));
}

static void add_padded(Buf *out, const char *content)
{
    buf_add(out, content, strlen(content));
    tar_write_padding(out, strlen(content));
}

static void reads_what_others_write(void **state)
{
    (void)state;
    Buf out = { 0 };
    const char *long_name = name_of(130, "end");
    foreign_header(&out, "././@LongLink", 'L', "00000000202 ", "ustar  \0");
    add_padded(&out, long_name);
    foreign_header(&out, "short", '0', "      3 ", "ustar  \0");
    add_padded(&out, "abc");
    foreign_header(&out, "pax_global_header", 'g', "00000000016\0",
                   "ustar\0"
                   "00");
    add_padded(&out, "14 comment=ab\n");
    foreign_header(&out, "PaxHeaders/x", 'x', "00000000050\0",
                   "ustar\0"
                   "00");
    add_padded(&out, "13 path=é/x\n27 mtime=1700000000.123456\n");
    foreign_header(&out, "x", '0', "00000000001\0",
                   "ustar\0"
                   "00");
    add_padded(&out, "q");
    foreign_header(&out, "old/", '\0', "0\0", "\0\0\0\0\0\0\0\0");
    foreign_header(&out, "fifo", '6', "0\0",
                   "ustar\0"
                   "00");
    tar_write_end(&out);
    const char *want = text_printf(ctx.arena,
                                   "file %s 3 644 1700000001\nabc.\nfile é/x 1 644 1700000000\nq.\n"
                                   "dir old/ 0 644 1700000001\n.\nother fifo 0 644 1700000001\n.\n",
                                   long_name);
    assert_string_equal(read_in_pieces(buf_bytes(&out), 333), want);
    buf_done(&out);
}

static Status read_all(Bytes stream)
{
    Buf notes = { 0 };
    const TarSink sink = { note_entry, note_data, NULL, &notes };
    TarReader *reader = tar_reader_new(&sink);
    Status s = tar_reader_feed(&ctx, reader, stream);
    if (status_ok(s))
        s = tar_reader_finish(&ctx, reader);
    tar_reader_free(reader);
    buf_done(&notes);
    return s;
}

static void refuses_what_is_no_tar(void **state)
{
    (void)state;
    Buf out = { 0 };
    add_file(&out, "/a", "hello");
    assert_ok(read_all((Bytes){ 0 }));
    assert_ok(read_all(buf_bytes(&out)));
    assert_fails(read_all(bytes(out.data, 514)), INVALID_ARGUMENT,
                 "ends in the middle of an entry at byte 514");
    assert_fails(read_all(bytes(out.data, 100)), INVALID_ARGUMENT,
                 "ends in the middle of an entry");
    out.data[3] = 'b';
    assert_fails(read_all(buf_bytes(&out)), INVALID_ARGUMENT, "bad checksum in a header at byte 0");
    buf_clear(&out);
    foreign_header(&out, "x", 'x', "00000000004\0",
                   "ustar\0"
                   "00");
    add_padded(&out, "9 a\n");
    assert_fails(read_all(buf_bytes(&out)), INVALID_ARGUMENT, "malformed PAX record");
    buf_clear(&out);
    foreign_header(&out, "x", 'L', "77777777777\0", "ustar  \0");
    assert_fails(read_all(buf_bytes(&out)), INVALID_ARGUMENT, "more than a MiB");
    buf_clear(&out);
    foreign_header(&out, "x", '0', "9999\0", "ustar  \0");
    assert_fails(read_all(buf_bytes(&out)), INVALID_ARGUMENT, "bad size");
    buf_clear(&out);
    foreign_header(&out, "x", 'L', "00000000002\0", "ustar  \0");
    add_padded(&out, "ab");
    assert_fails(read_all(buf_bytes(&out)), INVALID_ARGUMENT, "ends in the middle of an entry");
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_as_specified),
        cmocka_unit_test(long_names),
        cmocka_unit_test(large_sizes_need_pax),
        cmocka_unit_test(reads_what_was_written_in_any_pieces),
        cmocka_unit_test(reads_what_others_write),
        cmocka_unit_test(refuses_what_is_no_tar),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
