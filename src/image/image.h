/* image.h - root file systems that pipelines run in: imported from archives, unpacked once, found
 * by name or digest.
 *
 * An image is immutable and named by its digest; names are rows that point to one. What a name
 * pointed to before stays as long as it is used, because the digest is part of a pipeline's
 * version. README.md has the layout on disk. All functions: any thread.
 */
#pragma once

#include "db/db.h"

/* To be applied by db_open for an ImageStore on that database. */
extern const DbMigration image_migrations[];
extern const size_t image_migration_count;

typedef struct ImageStore ImageStore;

typedef struct ImageStoreConfig {
    Db *db;
    const char *dir; /* created; the store's alone */
    /* Does something still refer to this digest? *out_by is its name, in ctx's arena, or NULL. */
    Status (*used)(void *self, Ctx *ctx, const char *digest, const char **out_by);
    void *self;
    bool pull_missing;     /* image_want may pull */
    const char *auth_file; /* logins at registries, as skopeo reads them; "" or NULL: its own */
    const char
        *insecure_hosts; /* "host:port,…" whose certificates are not asked for; may be NULL */
} ImageStoreConfig;

/* Removes what interrupted imports left. */
Status image_store_open(Ctx *ctx, const ImageStoreConfig *config, ImageStore **out) NODISCARD;
ImageStore *image_store_close(ImageStore *store); /* NULL is fine */
static inline void image_store_closep(ImageStore **store)
{
    *store = image_store_close(*store);
}

/* Strings are in the arena of the ctx that asked. */
typedef struct ImageRow {
    const char *name;
    const char *digest; /* "sha256:<hex>" */
    uint64_t size_bytes;
    int64_t created_at; /* ns since the epoch */
} ImageRow;

/* What an image says about how it is run, and where it is. */
typedef struct ImageRoot {
    const char *root_dir;   /* absolute */
    const char *const *env; /* [env_count] "KEY=value", NULL-terminated */
    size_t env_count;
    const char *working_dir, *user;
    const char *const *entrypoint; /* NULL-terminated; of the image's command */
} ImageRoot;

/* The form of a name under which it is stored: without Docker Hub's prefix, with a tag. NULL when
 * it cannot be a name. */
const char *image_name_canonical(Arena *arena, Str name);

/* Imports path: an archive (docker-archive, oci-archive, or a tar of a root; compressed or not), an
 * OCI layout's folder, or a root's folder, and lets `name` point to it. All is durable on OK.
 *
 * name    "" takes the name that the archive gives itself
 * format  "" finds out; "docker-archive", "oci-archive", "oci-layout", "rootfs" insist
 * Errors  INVALID_ARGUMENT (not an image; a path or a layer that cannot be; says which)
 * Threads blocks on disk until the image is unpacked; ctx's cancel ends it */
Status image_import(Ctx *ctx, ImageStore *store, const char *name, const char *format,
                    const char *path, ImageRow *out) NODISCARD;

typedef struct ImagePull {
    const char *name;
    const char *username, *password; /* "": those of the store's auth_file */
    const char *logins;              /* JSON as skopeo reads it, before the auth_file's; "": none */
    bool insecure;                   /* take any certificate, or none */
} ImagePull;

/* Fetches an image from its registry by skopeo and imports it. What was fetched before a pull broke
 * off is not fetched again. Errors: INVALID_ARGUMENT (the name; a login without a registry in the
 * name); FAILED_PRECONDITION when there is no skopeo; UNAVAILABLE with what it said.
 * Threads: blocks on the network; ctx's cancel and deadline end it. */
Status image_pull(Ctx *ctx, ImageStore *store, const ImagePull *pull, ImageRow *out) NODISCARD;

/* For an image that is not here: has it pulled in the background, when the store may, and tells how
 * that goes ("it is being pulled"); "" when the store may not. A pull that failed is tried again
 * after a while, which doubles, if it was wanted again meanwhile. image_topic is published when the
 * text changes. logins: as ImagePull's; each is a pull of its own. */
const char *image_want(Ctx *ctx, ImageStore *store, const char *name, const char *logins);

/* A new file for an archive that comes by pieces; *out_path is its name in ctx's arena. The caller
 * unlinks it. */
Status image_upload_file(Ctx *ctx, ImageStore *store, int *out_fd, const char **out_path) NODISCARD;

/* The digest of a name, or of a digest that is here. NOT_FOUND. */
Status image_find(Ctx *ctx, ImageStore *store, const char *name, const char **out_digest) NODISCARD;
/* NOT_FOUND when the image is not here. */
Status image_root(Ctx *ctx, ImageStore *store, const char *digest, ImageRoot *out) NODISCARD;
/* By name. */
Status image_list(Ctx *ctx, ImageStore *store, ImageRow **out, size_t *out_n) NODISCARD;
/* Errors: NOT_FOUND; FAILED_PRECONDITION when it is the last name of an image in use, without
 * force. */
Status image_delete(Ctx *ctx, ImageStore *store, const char *name, bool force) NODISCARD;

/* Published when a name appears, changes or goes. */
uint64_t image_topic(void);
