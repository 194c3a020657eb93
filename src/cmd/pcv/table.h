/* table.h - columns for people and for scripts: padded to the widest cell, the header again every
 * 50 lines.
 *
 * Cells are copied. Widths count characters, not bytes, and no colour codes. */
#pragma once

#include "cmd/pcv/cli.h"

#define TABLE_COLUMNS_MAX 12
#define TABLE_ROWS_BATCH  50

typedef struct Table {
    Cli *cli;
    const char *const *header; /* [columns] */
    size_t columns;
    size_t width_min; /* of a column, blanks between not counted */
    size_t gap;       /* blanks between columns */
    bool live;        /* rows are printed as they come, as far as widths are known */
    size_t widths[TABLE_COLUMNS_MAX];
    Buf cells; /* of the rows not printed yet, each ended by NUL */
    size_t rows;
    bool begun; /* the header was printed */
} Table;

void table_init(Table *table, Cli *cli, const char *const *header, size_t columns);
void table_row(Table *table, const char *const *cells, size_t count);
#define TABLE_ROW(table, ...)                                                                      \
    table_row((table), (const char *const[]){ __VA_ARGS__ },                                       \
              ARRAY_LEN(((const char *const[]){ __VA_ARGS__ })))
void table_done(Table *table); /* prints what is left, at least the header; frees */

/* How to list messages: as rows of a table, or raw. */
typedef struct Listing {
    const char *const *header;
    size_t columns;
    void (*row)(Cli *cli, Table *table, const void *message);
} Listing;

/* Calls a method that answers with a stream and prints each message as the options ask. */
Status cli_list(Cli *cli, const char *path, const void *request, const Listing *listing) NODISCARD;
/* The same for messages at hand. */
Status cli_list_messages(Cli *cli, void *const *messages, size_t count,
                         const Listing *listing) NODISCARD;
