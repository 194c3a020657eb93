/* log_line.c - a line of a log as bytes. */
#include "pps/log_priv.h"

enum { FLAG_USER = 1, FLAG_STDERR = 2, FLAG_MASTER = 4, FLAG_DATUM = 8, FLAGS_ALL = 15 };
#define TS_BYTES 8

LogLine log_line_of(const PpsLogLine *line)
{
    LogLine out = { .user = line->user,
                    .is_stderr = line->is_stderr,
                    .master = line->master,
                    .datum_index = line->datum_index,
                    .ts_ns = line->ts_ns,
                    .worker = str(line->worker_id),
                    .message = line->message };
    out.has_datum = hash_parse(str(line->datum_id), &out.datum);
    return out;
}

static size_t varint_size(uint64_t value)
{
    size_t size = 1;
    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

void log_line_add(Buf *out, const LogLine *line)
{
    size_t size = 1 + TS_BYTES + varint_size(line->worker.size) + line->worker.size +
                  line->message.size;
    if (line->has_datum)
        size += HASH_SIZE + varint_size(line->datum_index);
    buf_add_varint(out, size);
    buf_add_u8(out, (uint8_t)((line->user ? FLAG_USER : 0) | (line->is_stderr ? FLAG_STDERR : 0) |
                              (line->master ? FLAG_MASTER : 0) |
                              (line->has_datum ? FLAG_DATUM : 0)));
    uint8_t ts[TS_BYTES];
    store_le64(ts, (uint64_t)line->ts_ns);
    buf_add(out, ts, sizeof(ts));
    if (line->has_datum) {
        buf_add(out, line->datum.bytes, HASH_SIZE);
        buf_add_varint(out, line->datum_index);
    }
    buf_add_varint(out, line->worker.size);
    buf_add_str(out, line->worker);
    buf_add_str(out, line->message);
}

static bool read_datum(Bytes b, size_t *at, LogLine *out)
{
    if (b.size - *at < HASH_SIZE)
        return false;
    memcpy(out->datum.bytes, b.data + *at, HASH_SIZE);
    *at += HASH_SIZE;
    return bytes_read_varint(b, at, &out->datum_index);
}

static bool read_body(Bytes b, LogLine *out)
{
    if (b.size < 1 + TS_BYTES || b.data[0] > FLAGS_ALL)
        return false;
    size_t at = 1 + TS_BYTES;
    uint8_t flags = b.data[0];
    *out = (LogLine){ .user = flags & FLAG_USER,
                      .is_stderr = flags & FLAG_STDERR,
                      .master = flags & FLAG_MASTER,
                      .has_datum = flags & FLAG_DATUM,
                      .ts_ns = (int64_t)load_le64(b.data + 1) };
    uint64_t size;
    if (out->has_datum && !read_datum(b, &at, out))
        return false;
    if (!bytes_read_varint(b, &at, &size) || size > b.size - at)
        return false;
    out->worker = (Str){ (const char *)b.data + at, (size_t)size };
    at += (size_t)size;
    out->message = (Str){ (const char *)b.data + at, b.size - at };
    return true;
}

bool log_line_read(Bytes segment, size_t *at, LogLine *out)
{
    uint64_t size;
    if (!bytes_read_varint(segment, at, &size) || size > segment.size - *at)
        return false;
    Bytes body = bytes(segment.data + *at, (size_t)size);
    *at += (size_t)size;
    return read_body(body, out);
}
