/* csv.h - rows of comma-separated fields (RFC 4180), fed by pieces.
 *
 * A field may be quoted: then it may hold commas, line ends, and quotes doubled. Lines end in LF or
 * CRLF; empty ones are no rows. A byte order mark at the front is passed over.
 */
#pragma once

#include "base/ctx.h"

#define CSV_ROW_BYTES_MAX  (16 * MiB)
#define CSV_ROW_FIELDS_MAX ((size_t)16384)

/* fields[n], n >= 1, valid during the call. `line` is where the row began, from 1. An error ends
 * the reading and is returned. */
typedef Status (*CsvRowFn)(void *arg, Ctx *ctx, const Str *fields, size_t n, uint64_t line);

typedef struct CsvReader CsvReader;
CsvReader *csv_reader_new(CsvRowFn fn, void *arg);
CsvReader *csv_reader_free(CsvReader *reader); /* NULL is fine */
static inline void csv_reader_freep(CsvReader **reader)
{
    *reader = csv_reader_free(*reader);
}

/* Takes the next piece, of any size. Errors: INVALID_ARGUMENT "line 3: …"; fn's. After an error the
 * reader can only be freed. */
Status csv_reader_feed(Ctx *ctx, CsvReader *reader, Bytes piece) NODISCARD;
/* The end: gives a last row that no line end follows. */
Status csv_reader_finish(Ctx *ctx, CsvReader *reader) NODISCARD;
