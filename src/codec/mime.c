/* mime.c - see mime.h. */
#include "codec/mime.h"

#include <strings.h>

static const struct {
    const char *extension, *type;
} by_name[] = {
    { "avif", "image/avif" },
    { "css", "text/css; charset=utf-8" },
    { "csv", "text/csv; charset=utf-8" },
    { "gif", "image/gif" },
    { "gz", "application/gzip" },
    { "htm", "text/html; charset=utf-8" },
    { "html", "text/html; charset=utf-8" },
    { "jpeg", "image/jpeg" },
    { "jpg", "image/jpeg" },
    { "js", "text/javascript; charset=utf-8" },
    { "json", "application/json" },
    { "jsonl", "application/jsonl" },
    { "md", "text/markdown; charset=utf-8" },
    { "mjs", "text/javascript; charset=utf-8" },
    { "mp4", "video/mp4" },
    { "parquet", "application/vnd.apache.parquet" },
    { "pdf", "application/pdf" },
    { "png", "image/png" },
    { "svg", "image/svg+xml" },
    { "tar", "application/x-tar" },
    { "tif", "image/tiff" },
    { "tiff", "image/tiff" },
    { "tsv", "text/tab-separated-values; charset=utf-8" },
    { "txt", "text/plain; charset=utf-8" },
    { "wasm", "application/wasm" },
    { "wav", "audio/wav" },
    { "webp", "image/webp" },
    { "xml", "text/xml; charset=utf-8" },
    { "yaml", "application/yaml" },
    { "yml", "application/yaml" },
    { "zip", "application/zip" },
    { "zst", "application/zstd" },
};

#define SIGNATURE(bytes, type)                                                                     \
    {                                                                                              \
        { bytes, sizeof(bytes) - 1 }, type                                                         \
    }
static const struct {
    Str start;
    const char *type;
} by_content[] = {
    SIGNATURE("%PDF-", "application/pdf"),
    SIGNATURE("%!PS-Adobe-", "application/postscript"),
    SIGNATURE("\x89PNG\r\n\x1a\n", "image/png"),
    SIGNATURE("\xff\xd8\xff", "image/jpeg"),
    SIGNATURE("GIF87a", "image/gif"),
    SIGNATURE("GIF89a", "image/gif"),
    SIGNATURE("BM", "image/bmp"),
    SIGNATURE("\x1f\x8b\x08", "application/x-gzip"),
    SIGNATURE("PK\x03\x04", "application/zip"),
    SIGNATURE("Rar!\x1a\x07", "application/x-rar-compressed"),
    SIGNATURE("\x28\xb5\x2f\xfd", "application/zstd"),
    SIGNATURE("OggS\0", "application/ogg"),
    SIGNATURE("ID3", "audio/mpeg"),
    SIGNATURE("\0asm", "application/wasm"),
    SIGNATURE("<?xml", "text/xml; charset=utf-8"),
    SIGNATURE("\xef\xbb\xbf", "text/plain; charset=utf-8"),
    SIGNATURE("\xfe\xff", "text/plain; charset=utf-16be"),
    SIGNATURE("\xff\xfe", "text/plain; charset=utf-16le"),
};

const char *mime_of_name(Str path)
{
    size_t dot = path.size;
    while (dot > 0 && path.data[dot - 1] != '.' && path.data[dot - 1] != '/')
        dot--;
    if (!dot || path.data[dot - 1] != '.')
        return NULL;
    Str extension = str_sub(path, dot, path.size);
    for (size_t i = 0; i < ARRAY_LEN(by_name); i++) {
        if (extension.size == strlen(by_name[i].extension) &&
            strncasecmp(extension.data, by_name[i].extension, extension.size) == 0)
            return by_name[i].type;
    }
    return NULL;
}

/* Bytes that text does not have: control characters but tab, line breaks, form feed and escape. */
static bool is_binary(uint8_t c)
{
    return c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1b;
}

const char *mime_of_content(Bytes start)
{
    start.size = MIN(start.size, (size_t)MIME_SNIFF_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(by_content); i++) {
        if (str_starts(bytes_str(start), by_content[i].start))
            return by_content[i].type;
    }
    for (size_t i = 0; i < start.size; i++) {
        if (is_binary(start.data[i]))
            return "application/octet-stream";
    }
    return "text/plain; charset=utf-8";
}
