/* put_known.h - what an earlier put of the same folder left at the head of a branch, so that files
 * that did not change since are neither read nor sent again.
 *
 * It is a file in the user's cache folder: which commit that put made, and for each of its files
 * what stat said before it was read. A file is passed over when the branch's head still is that
 * commit and stat says the same. What could deceive is left out: a file that changed so shortly
 * before it was read that a later change may bear the same time. Afterwards the head is looked at
 * again; if a commit of somebody else came between, all is to be put once more, in full. */
#pragma once

#include <sys/stat.h>

#include "cmd/pcv/cli.h"

typedef struct PutKnown PutKnown;

/* Before the put: reads what is known and asks for the branch's head. `target` is the path of
 * `folder` in the repo. NULL when nothing can be known: no branch, an open commit at its head, no
 * cache folder. Never fails: at worst all is put. */
PutKnown *put_known_open(Cli *cli, PfsV2__Commit *branch, Str target, const char *folder);

/* What stat says of a file, as far as it counts here. */
#define KNOWN_STAMP_SIZE (5 * 8)
typedef struct KnownStat {
    uint8_t stamp[KNOWN_STAMP_SIZE];
    bool is_file;
} KnownStat;

/* Looks at all names of a folder (those that end in '/' are left out) ahead of put_known_has, on
 * two processors when they are many. Heap memory, for free(); NULL when there is nothing that it
 * could spare. */
KnownStat *put_known_look(PutKnown *known, int dir_fd, const char *const *names, size_t count);

/* Is the file `name` of the folder what the head has at path? Paths come in the order of a walk.
 * `seen` is what put_known_look has of it; NULL: look now. */
bool put_known_has(PutKnown *known, int dir_fd, const char *name, Str path, const KnownStat *seen);

/* A file that is put; st is from before it is read. */
void put_known_add(PutKnown *known, Str path, const struct stat *st);

/* After a put that went well: writes down what is known now. *out_again: files were passed over
 * that somebody else may have changed meanwhile; put again without. */
Status put_known_finish(PutKnown *known, bool *out_again) NODISCARD;

PutKnown *put_known_free(PutKnown *known); /* NULL is fine; always returns NULL */
static inline void put_known_freep(PutKnown **known)
{
    *known = put_known_free(*known);
}
