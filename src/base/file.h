/* file.h - file descriptors and small files, with faults that tests can arm. */
#pragma once

#include <fcntl.h>
#include <sys/types.h>

/* Names this machine, until it starts anew. */
#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

#include "base/ctx.h"

void fd_closep(int *fd); /* closes when >= 0; sets -1 */
#define AUTO_FD CLEANUP(fd_closep) int
int fd_steal(int *fd); /* takes it out of an AUTO_FD */

/* Whole reads and writes: retry on EINTR and short counts. Errors: errno's code. */
Status file_write_all(Ctx *ctx, int fd, const void *data, size_t size);
Status file_pwrite_all(Ctx *ctx, int fd, const void *data, size_t size, uint64_t offset);
Status file_pread_all(Ctx *ctx, int fd, void *out, size_t size,
                      uint64_t offset);           /* DATA_LOSS when short */
Status file_read_all(Ctx *ctx, int fd, Buf *out); /* appends until end of file */
Status file_read_path(Ctx *ctx, const char *path, Buf *out);
Status file_sync(Ctx *ctx, int fd);               /* fdatasync */
Status file_sync_dir(Ctx *ctx, const char *path); /* makes names in it durable */

/* Looks a program up in the folders of `path`, separated by ':'. False when there is none that this
 * user may run. out[out_size] is where it is. */
bool file_find_in_path(const char *name, const char *path, char *out, size_t out_size) NODISCARD;
#define FILE_SYSTEM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Writes a temporary, syncs it, renames it over `path`, syncs the folder: old or new, never
 * between. */
Status file_replace(Ctx *ctx, const char *path, Bytes content, mode_t mode);
Status file_make_dirs(Ctx *ctx, const char *path, mode_t mode); /* like mkdir -p */
Status file_remove_tree(Ctx *ctx,
                        const char *path); /* like rm -rf; crosses no mount, follows no link */
