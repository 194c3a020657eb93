/* tar.c - the writer; its layout is in README.md. */
#include "codec/tar.h"

#include <inttypes.h>
#include <stdio.h>

#include "codec/tar_priv.h"

#define OCTAL_SIZE_MAX UINT64_C(077777777777) /* 8 GiB - 1 */

/* Digits to fill the field but for its last byte, which stays NUL. */
static void put_octal(char *field, size_t size, uint64_t value)
{
    for (size_t i = size - 1; i--; value >>= 3)
        field[i] = (char)('0' + (value & 7));
}

static void put_text(char *field, size_t size, Str text)
{
    if (text.size)
        memcpy(field, text.data, MIN(text.size, size));
}

static void put_checksum(TarHeader *header)
{
    put_octal(header->checksum, sizeof(header->checksum) - 1, tar_checksum(header));
    header->checksum[sizeof(header->checksum) - 1] = ' ';
}

static void put_magic(TarHeader *header)
{
    memcpy(header->magic,
           "ustar\0"
           "00",
           sizeof(header->magic));
}

uint64_t tar_checksum(const TarHeader *header)
{
    const uint8_t *block = (const uint8_t *)header;
    uint64_t sum = ' ' * sizeof(header->checksum); /* the field itself counts as blanks */
    for (size_t i = 0; i < sizeof(*header); i++) {
        bool in_checksum = i >= offsetof(TarHeader, checksum) && i < offsetof(TarHeader, type);
        sum += in_checksum ? 0 : block[i];
    }
    return sum;
}

/* --- names ------------------------------------------------------------------------------------ */

static bool is_ascii(Str s)
{
    for (size_t i = 0; i < s.size; i++) {
        if ((uint8_t)s.data[i] >= 0x80 || !s.data[i])
            return false;
    }
    return true;
}

/* Where a name may be cut into prefix and name: the last '/' that leaves a prefix that fits. 0:
 * nowhere. */
static size_t split_at(Str name)
{
    size_t at = MIN(name.size - 1, sizeof(((TarHeader *)0)->prefix) + 1);
    while (at > 0 && name.data[--at] != '/')
        ;
    size_t rest = name.size - at - 1;
    bool fits = at > 0 && at <= sizeof(((TarHeader *)0)->prefix) && rest > 0 &&
                rest <= sizeof(((TarHeader *)0)->name);
    return fits ? at : 0;
}

/* Puts the name as USTAR can say it; false when it cannot. */
static bool put_name(TarHeader *header, Str name)
{
    if (!is_ascii(name))
        return false;
    if (name.size <= sizeof(header->name)) {
        put_text(header->name, sizeof(header->name), name);
        return true;
    }
    size_t at = split_at(name);
    if (!at)
        return false;
    put_text(header->prefix, sizeof(header->prefix), str_sub(name, 0, at));
    put_text(header->name, sizeof(header->name), str_sub(name, at + 1, name.size));
    return true;
}

/* What a reader without PAX sees: the characters it knows, cut off, no slash at the cut. */
static void put_short_name(TarHeader *header, Str name)
{
    size_t size = 0;
    for (size_t i = 0; i < name.size && size < sizeof(header->name); i++) {
        if (name.data[i] > 0)
            header->name[size++] = name.data[i];
    }
    while (name.size > sizeof(header->name) && size && header->name[size - 1] == '/')
        header->name[--size] = '\0';
}

/* --- PAX records ------------------------------------------------------------------------------ */

static size_t decimal_digits(size_t n)
{
    size_t digits = 1;
    for (; n >= 10; n /= 10)
        digits++;
    return digits;
}

/* "<size> key=value\n", where size counts its own digits too. */
static void add_record(Buf *out, const char *key, Str value)
{
    size_t body = strlen(key) + value.size + 3; /* blank, '=', newline */
    size_t size = body + decimal_digits(body);
    size = body + decimal_digits(size);
    buf_printf(out, "%zu %s=", size, key);
    buf_add_str(out, value);
    buf_add_u8(out, '\n');
}

/* "a/b/c" is described by "a/b/PaxHeaders.0/c", the directory "a/b/" by "a/b/PaxHeaders.0". */
static void pax_name(Str name, Buf *out)
{
    size_t base = name.size;
    while (base > 0 && name.data[base - 1] != '/')
        base--;
    buf_add_str(out, str_sub(name, 0, base));
    buf_add_str(out, STR("PaxHeaders.0"));
    if (base < name.size)
        buf_add_u8(out, '/');
    buf_add_str(out, str_sub(name, base, name.size));
}

static void write_pax(Buf *out, Str name, const Buf *records)
{
    CLEANUP(buf_done) Buf own_name = { 0 };
    pax_name(name, &own_name);
    TarHeader header = { .type = TAR_TYPE_PAX };
    put_short_name(&header, buf_str(&own_name));
    put_octal(header.mode, sizeof(header.mode), 0);
    put_octal(header.uid, sizeof(header.uid), 0);
    put_octal(header.gid, sizeof(header.gid), 0);
    put_octal(header.size, sizeof(header.size), records->size);
    put_octal(header.mtime, sizeof(header.mtime), 0);
    put_magic(&header);
    put_checksum(&header);
    buf_add(out, &header, sizeof(header));
    buf_add_bytes(out, buf_bytes(records));
    tar_write_padding(out, records->size);
}

/* --- entries ---------------------------------------------------------------------------------- */

static char type_char(const TarEntry *entry)
{
    switch (entry->type) {
    case TAR_DIR:
        return TAR_TYPE_DIR;
    case TAR_SYMLINK:
        return TAR_TYPE_SYMLINK;
    case TAR_HARDLINK:
        return TAR_TYPE_HARDLINK;
    case TAR_FILE:
    case TAR_OTHER:
        break;
    }
    return str_ends(entry->name, STR("/")) ? TAR_TYPE_DIR : TAR_TYPE_FILE;
}

void tar_write_header(Buf *out, const TarEntry *entry)
{
    CLEANUP(buf_done) Buf records = { 0 };
    TarHeader header = { .type = type_char(entry) };
    if (entry->link.size > sizeof(header.link) || !is_ascii(entry->link))
        add_record(&records, "linkpath", entry->link);
    if (!put_name(&header, entry->name)) {
        add_record(&records, "path", entry->name);
        put_short_name(&header, entry->name);
    }
    if (entry->size > OCTAL_SIZE_MAX) {
        char text[24];
        snprintf(text, sizeof(text), "%" PRIu64, entry->size);
        add_record(&records, "size", str(text));
    }
    put_text(header.link, sizeof(header.link), entry->link);
    put_octal(header.mode, sizeof(header.mode), entry->mode);
    put_octal(header.uid, sizeof(header.uid), 0);
    put_octal(header.gid, sizeof(header.gid), 0);
    put_octal(header.size, sizeof(header.size), entry->size > OCTAL_SIZE_MAX ? 0 : entry->size);
    put_octal(header.mtime, sizeof(header.mtime), (uint64_t)MAX(entry->mtime_s, 0));
    put_octal(header.device_major, sizeof(header.device_major), 0);
    put_octal(header.device_minor, sizeof(header.device_minor), 0);
    put_magic(&header);
    put_checksum(&header);
    if (records.size)
        write_pax(out, entry->name, &records);
    buf_add(out, &header, sizeof(header));
}

static void add_zeros(Buf *out, size_t size)
{
    buf_reserve(out, size);
    memset(out->data + out->size, 0, size);
    out->size += size;
}

void tar_write_padding(Buf *out, uint64_t size)
{
    add_zeros(out, (size_t)(-size % TAR_BLOCK_BYTES));
}

void tar_write_end(Buf *out)
{
    add_zeros(out, 2 * TAR_BLOCK_BYTES);
}
