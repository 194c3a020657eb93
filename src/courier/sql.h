/* sql.h - databases that rows are loaded into. */
#pragma once

#include "courier/courier_priv.h"

/* A connection with a transaction that is open. Errors are complete: they name the database's
 * words. All calls: the transfer's thread. */
typedef struct SqlOps {
    Status (*open)(Transfer *transfer, const RemoteDbUrl *url, const char *password, void **out);
    /* The table's columns in its order, in ctx's arena. Errors: NOT_FOUND. */
    Status (*columns)(Transfer *transfer, void *db, Str table, const char ***out, size_t *out_n);
    Status (*empty)(Transfer *transfer, void *db, Str table); /* deletes all rows */
    /* Rows of these columns follow. */
    Status (*begin)(Transfer *transfer, void *db, Str table, const char *const *columns, size_t n);
    Status (*row)(Transfer *transfer, void *db, const Str *values, size_t n); /* data NULL: NULL */
    Status (*end)(Transfer *transfer, void *db); /* no more rows of this table */
    Status (*commit)(Transfer *transfer, void *db);
    void (*close)(void *db); /* rolls back what is not committed */
} SqlOps;
extern const SqlOps sql_postgres, sql_mysql;

/* rows.c: the bytes of a file as rows of values. */
typedef struct RowReader RowReader;
typedef Status (*RowFn)(void *arg, Ctx *ctx, const Str *values, size_t n);
/* names[n]: what a header must name (CSV), or members have (JSON); header: CSV files have one. */
typedef struct RowShape {
    bool is_json, header;
    const char *const *names;
    size_t n;
} RowShape;
RowReader *row_reader_new(const RowShape *shape, RowFn fn, void *arg); /* shape must outlive it */
RowReader *row_reader_free(RowReader *reader);                         /* NULL is fine */
/* Errors: INVALID_ARGUMENT "line 3: …", "object 2: …"; fn's. */
Status row_reader_feed(Ctx *ctx, RowReader *reader, Bytes piece);
Status row_reader_finish(Ctx *ctx, RowReader *reader);
