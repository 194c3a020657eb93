/* protocol.h - what the server and pcv-courier say to each other.
 *
 * Over the helper's standard input, a socket of packets, come requests: a JSON object, with one
 * descriptor that is the transfer's own socket of packets. On that, a packet is its kind and what
 * follows it here. Closing it ends the transfer; closing standard input ends the helper.
 *
 *   request members   op: "get", "list", "put", "delete", "load"; url; key (null: the URL's)
 *                     offset, size (get, put; -1 is all); tries, stall_seconds, hosts, files
 *                     load: password, format ("csv", "json"), columns
 */
#pragma once

#include "base/base.h"

typedef enum RemoteSay {
    REMOTE_SAY_DATA = 'd',   /* bytes */
    REMOTE_SAY_OBJECT = 'o', /* helper: size (u64, little-endian), key */
    REMOTE_SAY_NOTE = 'n',   /* helper: something to log */
    REMOTE_SAY_DONE = 'k',   /* helper, last: a JSON object; of a load: rows by table */
    REMOTE_SAY_FAIL = 'f',   /* helper, last: status code (u8), message */
    REMOTE_SAY_TABLE = 't', /* server, load: {"table": …, "file": …} for the data that follows */
    REMOTE_SAY_END = 'z',   /* server: no more data */
} RemoteSay;

#define REMOTE_PACKET_BYTES (64 * KiB) /* the longest, with its kind */
