/* boundary.c - where nodes end: by the item alone, but for two limits that depend on the node's
 * items so far.
 *
 * An item ends its node with a chance of its weight in the target, drawn from a hash of its key. So
 * the average node has the target's weight whatever the size of its entries, and an edit moves only
 * the boundaries at it.
 */
#include "tree/tree_priv.h"

#define LEAF_TARGET  (32 * KiB)
#define INNER_TARGET (8 * KiB)

/* Crafted names could avoid all boundaries; this many targets end a node anyway (chance: e^-16). */
#define TARGETS_MAX 16

/* They could also make each child a boundary, and a tree as high as it is wide. */
#define CHILDREN_MIN 2

/* An item takes at most WEIGHT_KEY_PART times its weight, and the item that ends a node at the
 * limit comes on top. */
static_assert((TARGETS_MAX * LEAF_TARGET + TREE_PATH_MAX + TREE_TAG_MAX) * WEIGHT_KEY_PART <
                  CHUNK_BYTES_MAX,
              "every node fits into a blob");

/* SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", INDOCRYPT 2012). */
typedef struct SipState {
    uint64_t v0, v1, v2, v3;
} SipState;

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(SipState *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static inline void sip_word(SipState *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    sip_round(s);
    s->v0 ^= word;
}

/* Whole words of data; the rest of it, with the size in the top byte, is the last word. */
static void sip_add(SipState *s, Str data)
{
    const uint8_t *p = (const uint8_t *)data.data;
    size_t at = 0;
    for (; at + 8 <= data.size; at += 8)
        sip_word(s, load_le64(p + at));
    uint64_t last = (uint64_t)data.size << 56;
    for (unsigned shift = 0; at < data.size; at++, shift += 8)
        last |= (uint64_t)p[at] << shift;
    sip_word(s, last);
}

static uint64_t sip_finish(SipState *s)
{
    s->v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* The published key of the format, with the level; path and tag are hashed one after the other,
 * each with its end. */
static uint64_t key_hash(unsigned level, Str path, Str tag)
{
    uint64_t k0 = UINT64_C(0x7361697661636f72) + level, k1 = UINT64_C(0x656572742f30312e);
    SipState s = { k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
                   k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573) };
    sip_add(&s, path);
    sip_add(&s, tag);
    return sip_finish(&s);
}

static size_t item_weight(const TreeItem *item)
{
    return weight_of(item->path.size, item->tag.size, item->value.size);
}

static size_t target_of(unsigned level)
{
    return level == 0 ? LEAF_TARGET : INNER_TARGET;
}

bool node_is_full(unsigned level, size_t weight)
{
    return weight >= TARGETS_MAX * target_of(level);
}

bool node_ends_after(unsigned level, const TreeItem *item, size_t count, size_t weight)
{
    size_t target = target_of(level);
    if (node_is_full(level, weight))
        return true;
    if (level > 0 && count < CHILDREN_MIN)
        return false;
    return key_hash(level, item->path, item->tag) <
           UINT64_MAX / target * MIN(item_weight(item), target);
}
