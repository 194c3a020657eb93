/* What every engine must do alike: values, errors, migrations, ownership, the store's index. */
#include <unistd.h>

#include "fixture.h"

static void values_come_back_as_they_went_in(void **state)
{
    Fixture *fx = *state;
    Ctx *ctx = &fx->ctx;
    Hash hash = { { 1, 2, 3 } };
    DbTx *tx;
    assert_ok(db_begin_write(ctx, fx->db, &tx));
    assert_true(db_is_write(tx));
    assert_ok(db_exec(ctx, tx, NULL, "INSERT INTO pet VALUES(?, ?, ?, ?, ?)", "itdhn", INT64_MIN,
                      (Str){ "Rex and more", 3 }, 2.5, &hash));
    assert_ok(db_exec(ctx, tx, NULL, "INSERT INTO pet VALUES(?, ?, NULL, ?, NULL)", "isb",
                      INT64_MAX, (const char *)NULL, bytes("a\0b", 3)));

    DbRows rows = { 0 };
    bool more;
    assert_ok(db_query(ctx, tx, &rows,
                       "SELECT id, name, weight, picture, owner FROM pet ORDER BY id", ""));
    assert_ok(db_next(ctx, &rows, &more));
    assert_true(more);
    assert_int_equal(db_int(&rows, 0), INT64_MIN);
    assert_string_equal(db_text(ctx, &rows, 1), "Rex");
    assert_true(db_double(&rows, 2) == 2.5);
    Hash back = db_hash(&rows, 3);
    assert_memory_equal(back.bytes, hash.bytes, HASH_SIZE);
    assert_true(db_is_null(&rows, 4));
    assert_int_equal(db_int(&rows, 4), 0);

    assert_ok(db_next(ctx, &rows, &more));
    assert_true(more);
    assert_int_equal(db_int(&rows, 0), INT64_MAX);
    assert_true(db_is_null(&rows, 1));
    assert_string_equal(db_text(ctx, &rows, 1), "");
    Bytes data = db_bytes(ctx, &rows, 3);
    assert_true(bytes_eq(data, bytes("a\0b", 3)));
    assert_int_equal(db_bytes(ctx, &rows, 4).size, 0);
    back = db_hash(&rows, 4);
    assert_memory_equal(back.bytes, (Hash){ 0 }.bytes, HASH_SIZE);

    assert_ok(db_next(ctx, &rows, &more));
    assert_false(more);
    assert_ok(db_next(ctx, &rows, &more));
    assert_false(more);
    assert_ok(db_commit(ctx, tx));
}

static void empty_text_and_bytes_are_not_null(void **state)
{
    Fixture *fx = *state;
    Ctx *ctx = &fx->ctx;
    DbTx *tx;
    int64_t n;
    assert_ok(db_begin_write(ctx, fx->db, &tx));
    assert_ok(db_exec(ctx, tx, NULL, "INSERT INTO pet(id, name, picture) VALUES(1, ?, ?)", "tb",
                      (Str){ 0 }, (Bytes){ 0 }));
    assert_ok(db_query_int(
        ctx, tx, &n, "SELECT count(*) FROM pet WHERE name IS NOT NULL AND picture IS NOT NULL",
        ""));
    assert_int_equal(n, 1);
    Hash zero = { 0 };
    assert_ok(db_exec(ctx, tx, NULL, "UPDATE pet SET picture = ?, name = ?", "hh", &zero,
                      (const Hash *)NULL));
    assert_ok(db_query_int(ctx, tx, &n,
                           "SELECT count(*) FROM pet WHERE name IS NULL AND picture IS NULL", ""));
    assert_int_equal(n, 1);
    db_rollback(tx);
}

static void constraints_have_codes(void **state)
{
    Fixture *fx = *state;
    Ctx *ctx = &fx->ctx;
    DbTx *tx;
    assert_ok(db_begin_write(ctx, fx->db, &tx));
    assert_ok(db_exec(ctx, tx, NULL, "INSERT INTO pet(id, name) VALUES(1, 'Rex')", ""));
    assert_fails(db_exec(ctx, tx, NULL, "INSERT INTO pet(id) VALUES(1)", ""), ALREADY_EXISTS,
                 "pet.id");
    assert_fails(db_exec(ctx, tx, NULL, "INSERT INTO pet(id, name) VALUES(2, 'Rex')", ""),
                 ALREADY_EXISTS, "pet.name");
    assert_fails(db_exec(ctx, tx, NULL, "INSERT INTO pet(id, owner) VALUES(3, 9)", ""),
                 FAILED_PRECONDITION, "FOREIGN KEY");
    int64_t changes = -1;
    assert_ok(db_exec(ctx, tx, &changes, "UPDATE pet SET weight = 3", ""));
    assert_int_equal(changes, 1);
    assert_ok(db_commit(ctx, tx));
    assert_int_equal(count_pets(ctx, fx->db), 1);
}

static void other_errors_name_the_statement(void **state)
{
    Fixture *fx = *state;
    Ctx *ctx = &fx->ctx;
    DbTx *tx;
    assert_ok(db_begin_write(ctx, fx->db, &tx));
    assert_fails(db_exec(ctx, tx, NULL, "SELEKT 1", ""), INTERNAL, "SELEKT 1");
    assert_fails(db_exec(ctx, tx, NULL, " ", ""), INTERNAL, "empty");
    assert_fails(db_exec(ctx, tx, NULL, "SELECT ?", ""), INTERNAL, "takes 1 arguments, not 0");
    db_rollback(tx);
    assert_ok(db_begin_write(ctx, fx->db, &tx));
    assert_fails(db_exec(ctx, tx, NULL, "SELECT ?", "x"), INTERNAL, "'x' is no type");
    assert_fails(db_exec(ctx, tx, NULL, "SELECT 1", ""), INTERNAL, "an earlier one");
    assert_fails(db_commit(ctx, tx), INTERNAL, "failed before");
    assert_ok(db_begin_read(ctx, fx->db, &tx));
    assert_false(db_is_write(tx));
    assert_fails(db_exec(ctx, tx, NULL, "INSERT INTO pet(id) VALUES(1)", ""), INTERNAL, "readonly");
    db_rollback(tx);
}

static void query_int_tells_a_missing_row(void **state)
{
    Fixture *fx = *state;
    DbTx *tx;
    int64_t n = 7;
    assert_ok(db_begin_read(&fx->ctx, fx->db, &tx));
    Status s = db_query_int(&fx->ctx, tx, &n, "SELECT id FROM pet WHERE id = ?", "i", INT64_C(1));
    assert_int_equal(s.code, STATUS_NOT_FOUND);
    assert_null(s.detail);
    assert_int_equal(n, 7);
    db_rollback(tx);
}

static bool next_row(Fixture *fx, DbRows *rows)
{
    bool more;
    assert_ok(db_next(&fx->ctx, rows, &more));
    return more;
}

static void the_same_statement_runs_inside_itself(void **state)
{
    Fixture *fx = *state;
    Ctx *ctx = &fx->ctx;
    static const char sql[] = "SELECT id FROM pet ORDER BY id";
    for (int64_t id = 0; id < 3; id++)
        assert_ok(add_pet(ctx, fx->db, id, NULL));
    DbTx *tx;
    assert_ok(db_begin_read(ctx, fx->db, &tx));
    DbRows outer = { 0 }, inner = { 0 };
    int seen = 0;
    assert_ok(db_query(ctx, tx, &outer, sql, ""));
    while (next_row(fx, &outer)) {
        assert_ok(db_query(ctx, tx, &inner, sql, ""));
        while (next_row(fx, &inner))
            seen++;
    }
    assert_int_equal(seen, 9);
    db_rollback(tx);
}

/* Ending a transaction closes what is still open, so that scope exit may come later. */
static void ending_closes_open_rows(void **state)
{
    Fixture *fx = *state;
    Ctx *ctx = &fx->ctx;
    assert_ok(add_pet(ctx, fx->db, 1, "Rex"));
    DbTx *tx;
    assert_ok(db_begin_write(ctx, fx->db, &tx));
    DbRows rows = { 0 };
    bool more;
    assert_ok(db_query(ctx, tx, &rows, "SELECT id FROM pet", ""));
    assert_ok(db_next(ctx, &rows, &more));
    assert_true(more);
    assert_ok(db_commit(ctx, tx));
    assert_null(rows.stmt);
    db_rows_done(&rows);
}

static void text_made_on_the_fly_does_not_pile_up(void **state)
{
    Fixture *fx = *state;
    DbTx *tx;
    int64_t n;
    assert_ok(db_begin_read(&fx->ctx, fx->db, &tx));
    for (int i = 0; i < 1000; i++) {
        ArenaMark mark = arena_mark(fx->ctx.arena);
        assert_ok(db_query_int(&fx->ctx, tx, &n, text_printf(fx->ctx.arena, "SELECT %d", i), ""));
        assert_int_equal(n, i);
        arena_rewind(fx->ctx.arena, mark);
    }
    db_rollback(tx);
}

static void ids_count_up_by_sequence(void **state)
{
    Fixture *fx = *state;
    Ctx *ctx = &fx->ctx;
    DbTx *tx;
    int64_t id;
    assert_ok(db_begin_write(ctx, fx->db, &tx));
    assert_ok(db_next_id(ctx, tx, "pet", &id));
    assert_int_equal(id, 1);
    assert_ok(db_next_id(ctx, tx, "pet", &id));
    assert_int_equal(id, 2);
    assert_ok(db_next_id(ctx, tx, "owner", &id));
    assert_int_equal(id, 1);
    assert_ok(db_commit(ctx, tx));
    fixture_reopen(fx);
    assert_ok(db_begin_write(ctx, fx->db, &tx));
    assert_ok(db_next_id(ctx, tx, "pet", &id));
    assert_int_equal(id, 3);
    db_rollback(tx);
}

static void urls_are_checked(void **state)
{
    Fixture *fx = *state;
    Db *db = NULL;
    assert_fails(db_open(&fx->ctx, "oracle:x", NULL, 0, &db), INVALID_ARGUMENT, "'oracle:x'");
    assert_fails(db_open(&fx->ctx, "sqlite:", NULL, 0, &db), INVALID_ARGUMENT, "empty");
    assert_fails(db_open(&fx->ctx, "sqlite:/nowhere/at/all", NULL, 0, &db), NOT_FOUND,
                 "/nowhere/at/all");
    char *path = text_printf(fx->ctx.arena, "%s/text", fx->dir);
    char *url = text_printf(fx->ctx.arena, "sqlite:%s", path);
    char rubbish[4096];
    memset(rubbish, 'x', sizeof(rubbish));
    assert_ok(file_replace(&fx->ctx, path, bytes(rubbish, sizeof(rubbish)), 0600));
    assert_fails(db_open(&fx->ctx, url, NULL, 0, &db), DATA_LOSS, "not a database");
    assert_null(db);
}

static void one_process_owns_a_database(void **state)
{
    Fixture *fx = *state;
    Db *second = NULL;
    Status s = db_open(&fx->ctx, fx->url, NULL, 0, &second);
    assert_int_equal(s.code, STATUS_FAILED_PRECONDITION);
    assert_non_null(
        strstr(status_message(s), text_printf(fx->ctx.arena, "process %d", (int)getpid())));
    assert_non_null(strstr(status_message(s), "/db.lock"));
    fixture_reopen(fx);
}

static Status open_with(Fixture *fx, const DbMigration *steps, size_t n)
{
    fx->db = db_close(fx->db);
    return db_open(&fx->ctx, fx->url, steps, n, &fx->db);
}

static void migrations_are_applied_once_and_in_order(void **state)
{
    Fixture *fx = *state;
    const DbMigration more[] = { test_migrations[0],
                                 { "toys", "CREATE TABLE toy(id BIGINT PRIMARY KEY)" },
                                 { "bones", "INSERT INTO toy VALUES(1), (2)" } };
    const DbMigration broken[] = { more[0], more[1], more[2],
                                   { "bad", "CREATE TABLE x(i BIGINT); SELEKT" } };
    const DbMigration renamed[] = { { "cats", "" }, more[1], more[2] };
    assert_ok(open_with(fx, more, 3));
    assert_ok(open_with(fx, more, 3));
    DbTx *tx;
    int64_t n;
    assert_ok(db_begin_read(&fx->ctx, fx->db, &tx));
    assert_ok(db_query_int(&fx->ctx, tx, &n, "SELECT count(*) FROM toy", ""));
    assert_int_equal(n, 2);
    db_rollback(tx);
    assert_fails(open_with(fx, more, 2), FAILED_PRECONDITION, "newer version: schema step 'bones'");
    assert_fails(open_with(fx, renamed, 3), FAILED_PRECONDITION, "step 1 is 'pets', not 'cats'");
    assert_fails(open_with(fx, broken, 4), INTERNAL, "schema step 'bad'");
    assert_ok(open_with(fx, more, 3));
    assert_ok(db_begin_write(&fx->ctx, fx->db, &tx));
    /* Nothing was half applied. */
    assert_ok(db_exec(&fx->ctx, tx, NULL, "CREATE TABLE x(i BIGINT)", ""));
    db_rollback(tx);
}

static void a_database_in_memory_is_like_any(void **state)
{
    Fixture *fx = *state;
    Ctx *ctx = &fx->ctx;
    Db *a, *b;
    DbTx *read;
    assert_ok(db_open(ctx, "sqlite::memory:", test_migrations, 1, &a));
    assert_ok(db_open(ctx, "sqlite::memory:", test_migrations, 1, &b));
    assert_ok(db_begin_read(ctx, a, &read));
    assert_ok(add_pet(ctx, a, 1, "Rex"));
    assert_int_equal(count_in(ctx, read), 0);
    assert_int_equal(count_pets(ctx, a), 1);
    assert_int_equal(count_pets(ctx, b), 0);
    db_rollback(read);
    db_close(a);
    db_close(b);
}

static void the_store_finds_its_rows(void **state)
{
    Fixture *fx = *state;
    Ctx *ctx = &fx->ctx;
    StoreIndex index = db_store_index(fx->db);
    BlobRow rows[100];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        rows[i] = (BlobRow){ .hash.bytes = { (uint8_t)(200 - i) },
                             .place = { 3, 1000 * i, (uint32_t)i, (uint32_t)(2 * i) } };
    uint64_t sealed = 9, tail = 9;
    assert_ok(index.progress(index.self, ctx, &sealed, &tail));
    assert_int_equal(sealed + tail, 0);
    assert_ok(index.put(index.self, ctx, rows, ARRAY_LEN(rows), 2, 100000));
    assert_ok(index.put(index.self, ctx, rows, 1, 2, 100001)); /* again is fine */
    assert_ok(index.progress(index.self, ctx, &sealed, &tail));
    assert_int_equal(sealed, 2);
    assert_int_equal(tail, 100001);
    BlobPlace place;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_ok(index.lookup(index.self, ctx, &rows[i].hash, &place));
        assert_memory_equal(&place, &rows[i].place, sizeof(place));
    }
    assert_ok(index.remove(index.self, ctx, &rows[5].hash, 1));
    assert_int_equal(index.lookup(index.self, ctx, &rows[5].hash, &place).code, STATUS_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        TEST(values_come_back_as_they_went_in), TEST(empty_text_and_bytes_are_not_null),
        TEST(constraints_have_codes),           TEST(other_errors_name_the_statement),
        TEST(query_int_tells_a_missing_row),    TEST(the_same_statement_runs_inside_itself),
        TEST(ending_closes_open_rows),          TEST(text_made_on_the_fly_does_not_pile_up),
        TEST(ids_count_up_by_sequence),         TEST(urls_are_checked),
        TEST(one_process_owns_a_database),      TEST(migrations_are_applied_once_and_in_order),
        TEST(a_database_in_memory_is_like_any), TEST(the_store_finds_its_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
