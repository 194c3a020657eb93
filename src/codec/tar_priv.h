/* tar_priv.h - the header block, shared by writer and reader. */
#pragma once

#include "codec/tar.h"

enum {
    TAR_TYPE_OLD_FILE = '\0',
    TAR_TYPE_FILE = '0',
    TAR_TYPE_HARDLINK = '1',
    TAR_TYPE_SYMLINK = '2',
    TAR_TYPE_DIR = '5',
    TAR_TYPE_CONTIGUOUS = '7', /* an ordinary file, too */
    TAR_TYPE_PAX_GLOBAL = 'g',
    TAR_TYPE_PAX = 'x',
    TAR_TYPE_GNU_LONG_LINK = 'K',
    TAR_TYPE_GNU_LONG_NAME = 'L',
};

/* Numbers are octal digits, ended by NUL or blank; texts end in NUL unless they fill their
 * field. */
typedef struct TarHeader {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[8]; /* "ustar", NUL, "00"; GNU's: "ustar  ", NUL */
    char user[32];
    char group[32];
    char device_major[8];
    char device_minor[8];
    char prefix[155]; /* of the name, without the '/' between */
    char unused[12];
} TarHeader;

static_assert(sizeof(TarHeader) == TAR_BLOCK_BYTES, "a header is one block");

/* The sum of all bytes, the checksum field taken as blanks. */
uint64_t tar_checksum(const TarHeader *header);
