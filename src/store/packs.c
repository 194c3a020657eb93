/* packs.c - pack files as they are found and read. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store_priv.h"

/* --- names ------------------------------------------------------------------------------------ */

#define NAME_SUFFIX ".pack"

const char *pack_name(uint64_t number, char out[PACK_NAME_SIZE])
{
    snprintf(out, PACK_NAME_SIZE, "%010" PRIu64 NAME_SUFFIX, number);
    return out;
}

/* Only a name that we would give ourselves. */
static bool parse_name(const char *name, uint64_t *out)
{
    char again[PACK_NAME_SIZE];
    int64_t number;
    Str text = str(name);
    if (!str_ends(text, STR(NAME_SUFFIX)) ||
        !str_to_i64(str_sub(text, 0, text.size - strlen(NAME_SUFFIX)), &number))
        return false;
    *out = (uint64_t)number;
    return number > 0 && strcmp(pack_name(*out, again), name) == 0;
}

static int ascending(const void *a, const void *b)
{
    const uint64_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static void closedirp(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

Status packs_list(Ctx *ctx, Store *store, uint64_t **out_numbers, size_t *out_n,
                  uint64_t *out_bytes)
{
    CLEANUP(closedirp) DIR *dir = opendir(store->dir);
    if (!dir)
        return status_errno(ctx, errno, "could not list folder '%s'", store->dir);
    CLEANUP(buf_done) Buf numbers = { 0 };
    *out_bytes = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        uint64_t number;
        struct stat st;
        if (!parse_name(entry->d_name, &number))
            continue;
        if (fstatat(store->dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return status_errno(ctx, errno, "could not look at pack '%s/%s'", store->dir,
                                entry->d_name);
        buf_add(&numbers, &number, sizeof(number));
        *out_bytes += (uint64_t)st.st_size;
    }
    *out_n = numbers.size / sizeof(uint64_t);
    *out_numbers = arena_memdup(ctx->arena, numbers.data, numbers.size);
    qsort(*out_numbers, *out_n, sizeof(uint64_t), ascending);
    return OK;
}

/* --- descriptors ------------------------------------------------------------------------------ */

/* With the lock held: the pack's slot, else the one to use for it (free, or least recently used),
 * else NULL. */
static PackFd *choose_slot(PackFds *fds, uint64_t number)
{
    PackFd *best = NULL;
    for (size_t i = 0; i < PACK_FDS_MAX; i++) {
        PackFd *slot = &fds->slots[i];
        if (slot->number == number)
            return slot;
        if (!slot->users && (!best || slot->used_at < best->used_at))
            best = slot;
    }
    return best;
}

static Status open_pack(Ctx *ctx, Store *store, uint64_t number, int *out)
{
    char name[PACK_NAME_SIZE];
    *out = openat(store->dir_fd, pack_name(number, name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (*out >= 0)
        return OK;
    if (errno == ENOENT)
        return FAIL(ctx, DATA_LOSS, "pack '%s/%s' is missing", store->dir, name);
    return status_errno(ctx, errno, "could not open pack '%s/%s'", store->dir, name);
}

static Status fill_slot(Ctx *ctx, Store *store, uint64_t number, PackFd *slot)
{
    int fd;
    TRY(open_pack(ctx, store, number, &fd));
    if (slot->number)
        close(slot->fd);
    *slot = (PackFd){ .number = number, .fd = fd };
    return OK;
}

Status pack_reader_open(Ctx *ctx, Store *store, uint64_t number, PackReader *out)
{
    PackFds *fds = &store->fds;
    *out = (PackReader){ .store = store, .fd = -1 };
    LOCKED(&fds->lock);
    PackFd *slot = choose_slot(fds, number);
    if (!slot)
        return open_pack(ctx, store, number, &out->fd);
    if (slot->number != number)
        TRY(fill_slot(ctx, store, number, slot));
    slot->users++;
    slot->used_at = ++fds->clock;
    out->slot = slot;
    out->fd = slot->fd;
    return OK;
}

void pack_reader_done(PackReader *reader)
{
    if (!reader->slot) {
        fd_closep(&reader->fd);
        return;
    }
    LOCKED(&reader->store->fds.lock);
    reader->slot->users--;
    reader->slot = NULL;
}

/* --- records ---------------------------------------------------------------------------------- */

Status pack_record_unpack(Ctx *ctx, const PackRecord *record, Bytes stored, Buf *out)
{
    size_t before = out->size;
    buf_reserve(out, record->plain_size + (size_t)1); /* so that out->data is never NULL */
    if (record->is_zstd)
        TRY(chunk_decompress(ctx, stored, record->plain_size, out));
    else
        buf_add_bytes(out, stored);
    Hash hash = hash_of(bytes(out->data + before, out->size - before));
    if (hash_eq(&hash, &record->hash))
        return OK;
    out->size = before;
    return FAIL(ctx, DATA_LOSS, "content does not match the hash");
}

/* Header and stored bytes, from wherever they are. */
static Status read_raw(Ctx *ctx, Store *store, const BlobPlace *place, Buf *out)
{
    if (writer_read(store, place, out))
        return OK;
    CLEANUP(pack_reader_done) PackReader reader;
    TRY(pack_reader_open(ctx, store, place->pack, &reader));
    size_t size = PACK_RECORD_SIZE + (size_t)place->stored_size;
    buf_reserve(out, size);
    TRY(file_pread_all(ctx, reader.fd, out->data + out->size, size, place->offset));
    out->size += size;
    return OK;
}

static Status read_record(Ctx *ctx, Store *store, const Hash *hash, const BlobPlace *place,
                          Buf *out)
{
    if (place->stored_size > CHUNK_BYTES_MAX)
        return FAIL(ctx, DATA_LOSS, "its place is nonsense: %" PRIu32 " bytes", place->stored_size);
    CLEANUP(buf_done) Buf raw = { 0 };
    TRY(read_raw(ctx, store, place, &raw));
    PackRecord record;
    if (!pack_record_decode(raw.data, &record))
        return FAIL(ctx, DATA_LOSS, "the record's header is damaged");
    if (!hash_eq(&record.hash, hash) || record.stored_size != place->stored_size)
        return FAIL(ctx, DATA_LOSS, "another record is in its place");
    return pack_record_unpack(ctx, &record, bytes(raw.data + PACK_RECORD_SIZE, record.stored_size), out);
}

Status pack_read(Ctx *ctx, Store *store, const Hash *hash, const BlobPlace *place, Buf *out)
{
    char hex[HASH_HEX_SIZE], name[PACK_NAME_SIZE];
    TRY_WRAP(ctx, read_record(ctx, store, hash, place, out),
             "could not read blob '%s' at %" PRIu64 " of pack '%s/%s'", hash_hex(hash, hex),
             place->offset, store->dir, pack_name(place->pack, name));
    return OK;
}

/* --- the index of a sealed pack --------------------------------------------------------------- */

static Status read_footer(Ctx *ctx, int fd, uint64_t number, PackFooter *out)
{
    struct stat st;
    uint8_t data[PACK_FOOTER_SIZE];
    if (fstat(fd, &st) < 0)
        return status_errno(ctx, errno, "could not look at it");
    uint64_t size = (uint64_t)st.st_size;
    if (size < PACK_HEADER_SIZE + PACK_FOOTER_SIZE)
        return STATUS(NOT_FOUND);
    TRY(file_pread_all(ctx, fd, data, sizeof(data), size - sizeof(data)));
    return pack_footer_decode(data, size, out) && out->number == number ? OK : STATUS(NOT_FOUND);
}

Status pack_index_read(Ctx *ctx, int fd, uint64_t number, BlobRow **out_rows, size_t *out_n)
{
    PackFooter footer;
    TRY(read_footer(ctx, fd, number, &footer));
    CLEANUP(buf_done) Buf entries = { 0 };
    size_t size = (size_t)footer.count * PACK_ENTRY_SIZE;
    buf_reserve(&entries, size + 1);
    TRY(file_pread_all(ctx, fd, entries.data, size, footer.index_offset));
    TRY(pack_index_decode(ctx, &footer, bytes(entries.data, size), out_rows));
    *out_n = (size_t)footer.count;
    return OK;
}
