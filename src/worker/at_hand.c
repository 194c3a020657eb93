/* at_hand.c - see at_hand.h. */
#include "worker/at_hand.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "worker/folder.h"

static Str dir_of(const char *place)
{
    const char *slash = strrchr(place, '/');
    return (Str){ place, slash ? (size_t)(slash - place) : 0 };
}

bool at_hand_has(const AtHand *at, const char *place)
{
    return at->fd >= 0 && str_eq(buf_str(&at->dir), dir_of(place));
}

static int open_folder(const AtHand *hand, int at, const char *name, bool make)
{
    int fd = folder_open(at, name, O_RDONLY | O_DIRECTORY);
    if (fd >= 0 || errno != ENOENT || !make || spares_make_folder(hand->spares, at, name) < 0)
        return fd;
    return folder_open(at, name, O_RDONLY | O_DIRECTORY);
}

/* Opens the folder that is to hold `place`. */
static int open_parent(const AtHand *hand, const char *place, bool make)
{
    AUTO_FD at = fcntl(hand->pfs_fd, F_DUPFD_CLOEXEC, 3);
    for (const char *slash; at >= 0 && (slash = strchr(place, '/')); place = slash + 1) {
        char element[NAME_MAX + 1];
        size_t size = (size_t)(slash - place);
        if (size > NAME_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(element, place, size);
        element[size] = '\0';
        int below = open_folder(hand, at, element, make);
        close(at);
        at = below;
    }
    return fd_steal(&at);
}

int at_hand_enter(AtHand *at, const char *place, bool make, const char **out_name)
{
    Str dir = dir_of(place);
    *out_name = dir.size ? place + dir.size + 1 : place;
    if (at_hand_has(at, place))
        return at->fd;
    at_hand_leave(at);
    at->fd = open_parent(at, place, make);
    buf_clear(&at->dir);
    buf_add_str(&at->dir, dir);
    return at->fd;
}

void at_hand_leave(AtHand *at)
{
    fd_closep(&at->fd);
}

void at_hand_done(AtHand *at)
{
    at_hand_leave(at);
    buf_done(&at->dir);
}
