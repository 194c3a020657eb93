/* table.c - see table.h. */
#include "cmd/pcv/table.h"

void table_init(Table *table, Cli *cli, const char *const *header, size_t columns)
{
    assert(columns <= TABLE_COLUMNS_MAX);
    *table = (Table){ .cli = cli, .header = header, .columns = columns, .gap = 1 };
}

/* Characters that take a place on the screen: continuation bytes and colour codes do not. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (const char *at = text; *at; at++) {
        if (*at == '\033') {
            while (*at && *at != 'm')
                at++;
            if (!*at)
                break;
        } else if (((unsigned char)*at & 0xc0) != 0x80) {
            width++;
        }
    }
    return width;
}

static void grow_widths(Table *table, const char *const *cells)
{
    for (size_t i = 0; i < table->columns; i++)
        table->widths[i] = MAX(table->widths[i], MAX(width_of(cells[i]), table->width_min));
}

static void print_cells(Table *table, const char *const *cells)
{
    for (size_t i = 0; i < table->columns; i++) {
        size_t pad = table->widths[i] - MIN(table->widths[i], width_of(cells[i])) + table->gap;
        cli_print(table->cli, "%s%*s", cells[i], (int)pad, "");
    }
    cli_print(table->cli, "\n");
}

/* The cells of the row that begins at *at, which moves to the next row. */
static void row_at(const Table *table, const char **at, const char **cells)
{
    for (size_t i = 0; i < table->columns; i++) {
        cells[i] = *at;
        *at += strlen(*at) + 1;
    }
}

static void print_batch(Table *table)
{
    const char *cells[TABLE_COLUMNS_MAX];
    const char *at = (const char *)table->cells.data;
    if (!table->live)
        memset(table->widths, 0, sizeof(table->widths));
    grow_widths(table, table->header);
    for (size_t i = 0; i < table->rows; i++) {
        row_at(table, &at, cells);
        grow_widths(table, cells);
    }
    if (!table->live || !table->begun)
        print_cells(table, table->header);
    at = (const char *)table->cells.data;
    for (size_t i = 0; i < table->rows; i++) {
        row_at(table, &at, cells);
        print_cells(table, cells);
    }
    table->begun = true;
    table->rows = 0;
    buf_clear(&table->cells);
}

void table_row(Table *table, const char *const *cells, size_t count)
{
    assert(count == table->columns);
    for (size_t i = 0; i < count; i++)
        buf_add(&table->cells, cells[i], strlen(cells[i]) + 1);
    table->rows++;
    if (table->live || table->rows == TABLE_ROWS_BATCH)
        print_batch(table);
}

void table_done(Table *table)
{
    if (table->rows || !table->begun)
        print_batch(table);
    buf_done(&table->cells);
}

/* --- listings --------------------------------------------------------------------------------- */

typedef struct ListingRun {
    const Listing *listing;
    Table table;
} ListingRun;

static Status print_one(Cli *cli, void *arg, const void *message)
{
    ListingRun *run = arg;
    if (cli->opt[OPT_RAW].flag)
        return cli_print_raw(cli, message);
    run->listing->row(cli, &run->table, message);
    return OK;
}

Status cli_list(Cli *cli, const char *path, const void *request, const Listing *listing)
{
    ListingRun run = { .listing = listing };
    table_init(&run.table, cli, listing->header, listing->columns);
    Status s = cli_each(cli, path, request, print_one, &run);
    if (!cli->opt[OPT_RAW].flag && (status_ok(s) || run.table.rows || run.table.begun))
        table_done(&run.table);
    return s;
}

Status cli_list_messages(Cli *cli, void *const *messages, size_t count, const Listing *listing)
{
    ListingRun run = { .listing = listing };
    table_init(&run.table, cli, listing->header, listing->columns);
    Status s = OK;
    for (size_t i = 0; i < count && status_ok(s); i++)
        s = print_one(cli, &run, messages[i]);
    if (!cli->opt[OPT_RAW].flag)
        table_done(&run.table);
    return s;
}
