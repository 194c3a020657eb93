/* image_priv.h - what the files of this module share: unpacking, manifests, the store's insides. */
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include "codec/json.h"
#include "image/image.h"

/* --- unpack.c -------------------------------------------------------------------------------- */

/* Unpacks the tar at path, or copies the folder at path, into the folder root_fd. Nothing is ever
 * made outside of it. is_layer: whiteouts remove what lower layers made. */
Status unpack_archive(Ctx *ctx, const char *path, int root_fd, bool is_layer) NODISCARD;
Status unpack_folder(Ctx *ctx, const char *path, int root_fd) NODISCARD;
/* Uncompresses path into out_fd; *out is the hash of what came out. */
Status unpack_plain(Ctx *ctx, const char *path, int out_fd, Hash *out) NODISCARD;

/* --- place.c: one entry of a tar, put below a folder ------------------------------------------ */

typedef struct PlaceEntry {
    const char *path; /* as stored */
    const char *link; /* target of a symbolic link; with is_hard_link, the path of the other name */
    bool is_hard_link;
    mode_t mode; /* type and permissions */
    uid_t uid;
    gid_t gid;
    int64_t mtime_s;
} PlaceEntry;

/* Makes the entry in place of what is there. *out_fd is open for writing when it is a regular file
 * whose content follows, else -1. Errors: INVALID_ARGUMENT for paths that leave the root. */
Status place_entry(Ctx *ctx, int root_fd, const PlaceEntry *entry, int *out_fd) NODISCARD;
/* After the content was written: owner, mode, time. Closes fd. */
Status place_finish(Ctx *ctx, int fd, const PlaceEntry *entry) NODISCARD;
/* Carries out a whiteout; *out_is says whether path is one. */
Status place_whiteout(Ctx *ctx, int root_fd, const char *path, bool *out_is) NODISCARD;
/* Opens a path inside, where links mean what they mean inside. -1 and errno. */
int place_open(int root_fd, const char *path, int flags);

/* --- tree_digest.c --------------------------------------------------------------------------- */

/* A hash over names, modes, owners, links and contents below root_dir, whatever order they were
 * made in, and the sum of its files' sizes. */
Status tree_digest(Ctx *ctx, const char *root_dir, Hash *out, uint64_t *out_size) NODISCARD;

/* --- manifest.c ------------------------------------------------------------------------------ */

/* What an unpacked archive holds. Paths are relative to its folder. */
typedef struct ImageParts {
    bool is_root; /* it is a root itself; nothing below is set */
    const char *format;
    const char *name; /* that it gives itself, or "" */
    Bytes config;     /* as stored: its hash is the image's digest */
    const char **layers;
    Hash *diff_ids; /* [layer_count] of the uncompressed layers */
    size_t layer_count;
} ImageParts;

Status manifest_read(Ctx *ctx, int dir_fd, const char *format, ImageParts *out) NODISCARD;
/* The fields of ImageRoot out of a config. */
Status manifest_config(Ctx *ctx, Bytes config, ImageRoot *out) NODISCARD;

/* --- the store ------------------------------------------------------------------------------- */

typedef struct Puller Puller;

struct ImageStore {
    ImageStoreConfig config;
    Puller *puller;       /* NULL: nothing is pulled unasked */
    char *dir;            /* absolute */
    char *texts[2];       /* of config */
    pthread_mutex_t lock; /* a folder and the names of its digest change together */
};

/* A new folder for work in progress, in ctx's arena; the caller removes it. */
Status image_work_dir(Ctx *ctx, const ImageStore *store, const char **out) NODISCARD;
/* Moves work/rootfs and work/config.json to the digest's place, unless it is there, and points the
 * name at it. */
Status image_publish(Ctx *ctx, ImageStore *store, const char *work, ImageRow *row) NODISCARD;

/* --- pull.c, puller.c ------------------------------------------------------------------------ */

#define PULL_PREFIX "pull-" /* folders of pulls, kept while they may be gone on with */

/* The registry's host of an image's name, "" when it has none. */
Str pull_host(Str name);

Puller *puller_new(ImageStore *store);
Puller *puller_free(Puller *puller); /* ends what it pulls; NULL is fine */
/* See image_want. */
const char *puller_want(Ctx *ctx, Puller *puller, const char *name, const char *logins);
