/* fixture.h - a database in a scratch folder with one table, and short ways to use it. */
#pragma once

#include "db/db.h"
#include "testing.h"

static const DbMigration test_migrations[] = {
    { "pets", "CREATE TABLE owner(id BIGINT PRIMARY KEY);"
              "CREATE TABLE pet(id BIGINT PRIMARY KEY, name TEXT UNIQUE, weight DOUBLE PRECISION,"
              " picture BLOB, owner BIGINT REFERENCES owner(id))" },
};

typedef struct Fixture {
    Ctx ctx;
    char *dir, *url;
    Db *db;
    int64_t next_id; /* pet that a crash loop goes on with */
} Fixture;

static inline int fixture_setup(void **state)
{
    Fixture *fx = calloc(1, sizeof(*fx));
    assert_non_null(fx);
    ctx_init(&fx->ctx);
    fx->dir = scratch_dir(&fx->ctx);
    fx->url = text_printf(fx->ctx.arena, "sqlite:%s/db", fx->dir);
    assert_ok(db_open(&fx->ctx, fx->url, test_migrations, ARRAY_LEN(test_migrations), &fx->db));
    *state = fx;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    Fixture *fx = *state;
    db_close(fx->db);
    assert_ok(file_remove_tree(&fx->ctx, fx->dir));
    ctx_done(&fx->ctx);
    free(fx);
    return 0;
}

static inline void fixture_reopen(Fixture *fx)
{
    fx->db = db_close(fx->db);
    assert_ok(db_open(&fx->ctx, fx->url, test_migrations, ARRAY_LEN(test_migrations), &fx->db));
}

/* One transaction that adds one pet. */
static inline Status add_pet(Ctx *ctx, Db *db, int64_t id, const char *name)
{
    CLEANUP(db_rollbackp) DbTx *tx = NULL;
    TRY(db_begin_write(ctx, db, &tx));
    TRY(db_exec(ctx, tx, NULL, "INSERT INTO pet(id, name) VALUES(?, ?)", "is", id, name));
    return db_commit(ctx, STEAL(tx));
}

static inline int64_t count_in(Ctx *ctx, DbTx *tx)
{
    int64_t n = -1;
    assert_ok(db_query_int(ctx, tx, &n, "SELECT count(*) FROM pet", ""));
    return n;
}

static inline int64_t count_pets(Ctx *ctx, Db *db)
{
    DbTx *tx;
    assert_ok(db_begin_read(ctx, db, &tx));
    int64_t n = count_in(ctx, tx);
    db_rollback(tx);
    return n;
}

static inline bool has_pet(Ctx *ctx, Db *db, int64_t id)
{
    DbTx *tx;
    int64_t n = -1;
    assert_ok(db_begin_read(ctx, db, &tx));
    assert_ok(db_query_int(ctx, tx, &n, "SELECT count(*) FROM pet WHERE id = ?", "i", id));
    db_rollback(tx);
    return n == 1;
}
