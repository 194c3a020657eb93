/* spares.c - see spares.h. Two rings: what was put aside longest ago is taken first. */
#include "worker/spares.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define SPARES_MAX      16
#define SPARE_BYTES_MAX (64 * KiB) /* what a spare file may go on taking on disk */
#define NAME_SIZE       32
/* A folder that held more than fits here stays slow to read. */
#define FOLDER_BYTES_MAX (64 * (off_t)KiB)

/* What is in it is named by its place in it, behind a letter. */
typedef struct Ring {
    char letter;
    size_t first, count;
} Ring;

struct Spares {
    int dir_fd;
    Ring files, folders;
    int parked_fd; /* the folder of a file that is kept where it is; -1: there is none */
    char parked[NAME_MAX + 1];
};

Spares *spares_new(const char *dir)
{
    Spares *spares = calloc(1, sizeof(*spares));
    if (!spares)
        abort();
    spares->files.letter = 'f';
    spares->folders.letter = 'd';
    spares->parked_fd = -1;
    spares->dir_fd = mkdir(dir, 0700) == 0 ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    return spares;
}

Spares *spares_free(Spares *spares)
{
    if (spares)
        fd_closep(&spares->dir_fd);
    free(spares);
    return NULL;
}

static const char *place_name(const Ring *ring, size_t place, char out[NAME_SIZE])
{
    snprintf(out, NAME_SIZE, "%c%zu", ring->letter, place % SPARES_MAX);
    return out;
}

static bool put_aside(const Spares *spares, Ring *ring, int dir_fd, const char *name)
{
    char spare[NAME_SIZE];
    if (spares->dir_fd < 0 || ring->count == SPARES_MAX)
        return false;
    place_name(ring, ring->first + ring->count, spare);
    if (renameat(dir_fd, name, spares->dir_fd, spare) < 0)
        return false;
    ring->count++;
    return true;
}

/* The name of the oldest, which is out of the ring then; false when there is none. */
static bool take_oldest(Ring *ring, char out[NAME_SIZE])
{
    if (!ring->count)
        return false;
    place_name(ring, ring->first, out);
    ring->first = (ring->first + 1) % SPARES_MAX;
    ring->count--;
    return true;
}

bool spares_keep(Spares *spares, int dir_fd, const char *name)
{
    if (spares->parked_fd >= 0 || strlen(name) > NAME_MAX)
        return put_aside(spares, &spares->files, dir_fd, name);
    spares->parked_fd = dir_fd;
    strcpy(spares->parked, name);
    return true;
}

void spares_settle(Spares *spares)
{
    int dir_fd = spares->parked_fd;
    spares->parked_fd = -1;
    if (dir_fd >= 0 && !put_aside(spares, &spares->files, dir_fd, spares->parked))
        unlinkat(dir_fd, spares->parked, 0);
}

/* A write lease is given only while no other descriptor or mapping of the file exists. */
static bool is_ours_alone(int fd)
{
    struct stat st;
    bool alone = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
                 (uint64_t)st.st_size <= SPARE_BYTES_MAX && fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
    return alone && fcntl(fd, F_SETLEASE, F_UNLCK) == 0;
}

static bool is_there(const char *name, int dir_fd, int to_fd, const char *to)
{
    return dir_fd == to_fd && strcmp(name, to) == 0;
}

/* The file `spare` of a folder becomes `name` of another; -1 and it is gone. */
static int take(int spare_fd, const char *spare, int dir_fd, const char *name)
{
    AUTO_FD fd = openat(spare_fd, spare, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && is_ours_alone(fd) &&
        (is_there(spare, spare_fd, dir_fd, name) ||
         renameat2(spare_fd, spare, dir_fd, name, RENAME_NOREPLACE) == 0))
        return fd_steal(&fd);
    unlinkat(spare_fd, spare, 0);
    return -1;
}

int spares_take(Spares *spares, int dir_fd, const char *name)
{
    int parked_fd = spares->parked_fd;
    spares->parked_fd = -1;
    if (parked_fd >= 0)
        return take(parked_fd, spares->parked, dir_fd, name);
    char spare[NAME_SIZE];
    if (!take_oldest(&spares->files, spare))
        return -1;
    return take(spares->dir_fd, spare, dir_fd, name);
}

bool spares_keep_folder(Spares *spares, int dir_fd, const char *name)
{
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_size > FOLDER_BYTES_MAX)
        return false;
    return put_aside(spares, &spares->folders, dir_fd, name);
}

static bool take_folder(Spares *spares, int dir_fd, const char *name)
{
    char spare[NAME_SIZE];
    if (!take_oldest(&spares->folders, spare))
        return false;
    if (fchmodat(spares->dir_fd, spare, 0755, 0) == 0 &&
        renameat2(spares->dir_fd, spare, dir_fd, name, RENAME_NOREPLACE) == 0)
        return true;
    unlinkat(spares->dir_fd, spare, AT_REMOVEDIR);
    return false;
}

int spares_make_folder(Spares *spares, int dir_fd, const char *name)
{
    return take_folder(spares, dir_fd, name) ? 0 : mkdirat(dir_fd, name, 0755);
}
