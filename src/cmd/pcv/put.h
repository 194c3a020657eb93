/* put.h - one `put file`: its stream and the pieces that sources share.
 *
 * Where a source goes, its name being its base name, or all of it with --full-path:
 *
 *   no path in the argument          the name (of a URL: its path); standard input has none, an
 * error path, one source                 the path; the path with the name where the path ends in
 * '/' and no folder is put, and with -r --full-path path, several sources            the path with
 * the name
 */
#pragma once

#include "cmd/pcv/cli.h"
#include "cmd/pcv/put_known.h"

#define PUT_PIECE_BYTES (2 * MiB) /* what the server's other clients send at a time */

typedef struct Put {
    Cli *cli;
    WireStream *stream;
    PutKnown *known;    /* NULL: all is put */
    const char *target; /* path of the argument; "" when there is none */
    bool append, recursive, full_path, untar, progress;
    uint8_t *piece; /* PUT_PIECE_BYTES */
    Buf message;
    Buf path; /* where the current file goes */
    size_t files;
    uint64_t size_bytes;
    int64_t shown_ns; /* when progress was shown last */
} Put;

/* Sets put->path for a source; `only`: there is no other one. */
Status put_target(Put *put, const char *source, bool only) NODISCARD;
Status put_source(Put *put, const char *source, bool only) NODISCARD;

/* The messages of one file: a delete (unless appending), then pieces; a file without content is one
 * empty piece. */
Status put_delete(Put *put, Str path) NODISCARD;
Status put_piece(Put *put, Str path, Bytes content) NODISCARD;
void put_file_done(Put *put);

/* Archives of --untar: ".tar", ".tar.gz", ".tgz"; their files keep their own paths. */
bool put_is_archive(const char *source);
Status put_archive(Put *put, const char *source) NODISCARD;
