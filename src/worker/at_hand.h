/* at_hand.h - the folder below /pfs that the last input was put into or taken from. The next one is
 * often of the same folder, which then need not be looked for again. One thread; nobody else may
 * move folders there. */
#pragma once

#include "base/ctx.h"
#include "worker/spares.h"

typedef struct AtHand {
    int pfs_fd;     /* the caller's */
    Spares *spares; /* the caller's: folders to be */
    int fd;         /* -1: none */
    Buf dir;        /* its path below /pfs */
} AtHand;

/* place: "<name>/<path>" of an input. Is the folder that holds it the one at hand? */
bool at_hand_has(const AtHand *at, const char *place);
/* Goes to the folder that is to hold `place`, made where it is missing. Its descriptor, valid until
 * the next call here, and the last element of place; -1 and errno. */
int at_hand_enter(AtHand *at, const char *place, bool make, const char **out_name);
void at_hand_leave(AtHand *at); /* when folders may be gone */
void at_hand_done(AtHand *at);
