/* glob.c - running a compiled glob.
 *
 * The matcher backtracks, but never visits an instruction twice at one position of the path: what
 * failed there fails again. So its time is bounded by instructions × positions, and the first way
 * through is the one that a plain backtracking matcher would find: greedy from the left.
 *
 * Where '!(' occurs, one backward pass over the path first finds all positions where its look-ahead
 * matches.
 */
#include "codec/glob_priv.h"

/* --- bits that are on the stack while they are few -------------------------------------------- */

#define BITS_INLINE 64 /* words: 4096 bits do for 40 instructions and a path of 100 bytes */

typedef struct Bits {
    uint64_t *words;
    uint64_t inline_words[BITS_INLINE];
    Buf heap;
} Bits;

static void bits_init(Bits *bits, size_t count)
{
    size_t words = count / 64 + 1;
    bits->heap = (Buf){ 0 };
    bits->words = bits->inline_words;
    if (words > BITS_INLINE) {
        buf_reserve(&bits->heap, words * sizeof(uint64_t));
        bits->words = (uint64_t *)(void *)bits->heap.data;
    }
    memset(bits->words, 0, words * sizeof(uint64_t));
}

static void bits_done(Bits *bits)
{
    buf_done(&bits->heap);
}

static bool bits_get(const Bits *bits, size_t i)
{
    return bits->words[i / 64] >> (i % 64) & 1;
}

static void bits_put(Bits *bits, size_t i, bool value)
{
    uint64_t bit = UINT64_C(1) << (i % 64);
    bits->words[i / 64] = value ? bits->words[i / 64] | bit : bits->words[i / 64] & ~bit;
}

/* --- look-aheads ------------------------------------------------------------------------------ */

static bool takes(const Inst *inst, uint8_t c)
{
    switch (inst->op) {
    case OP_CHAR:
        return inst->c == c;
    case OP_SET:
        return char_set_has(inst->set, c);
    case OP_ANY:
        return c != '/';
    case OP_ALL:
        return true;
    default:
        return false;
    }
}

/* Where each look-ahead of a glob matches: bit (number × (path + 1) + position). */
typedef struct Ahead {
    const Glob *glob;
    Str path;
    Bits found;
} Ahead;

static bool ahead_at(const Ahead *ahead, size_t number, size_t at)
{
    return bits_get(&ahead->found, number * (ahead->path.size + 1) + at);
}

/* Does the instruction match from `at`, given the same for position at + 1 (`later`) and for those
 * instructions at `at` that are known already (`now`)? */
static bool reaches(const Ahead *ahead, const Inst *inst, size_t at, const Bits *now,
                    const Bits *later)
{
    switch (inst->op) {
    case OP_MATCH:
        return true;
    case OP_MATCH_END:
        return at == ahead->path.size;
    case OP_SPLIT:
        return bits_get(now, inst->next) || bits_get(now, inst->other);
    case OP_SAVE:
        return bits_get(now, inst->next);
    case OP_NOT:
        return !ahead_at(ahead, inst->arg, at) && bits_get(now, inst->next);
    default:
        return at < ahead->path.size && takes(inst, (uint8_t)ahead->path.data[at]) &&
               bits_get(later, inst->next);
    }
}

/* All instructions of the look-ahead at one position. Code refers backward but for loops: few
 * rounds settle it. */
static void settle(const Ahead *ahead, const LookAhead *look, size_t at, Bits *now,
                   const Bits *later)
{
    for (size_t i = look->low; i < look->high; i++)
        bits_put(now, i, false);
    bool changed = true;
    while (changed) {
        changed = false;
        for (size_t i = look->low; i < look->high; i++) {
            if (!bits_get(now, i) && reaches(ahead, &ahead->glob->insts[i], at, now, later)) {
                bits_put(now, i, true);
                changed = true;
            }
        }
    }
}

static void ahead_init(Ahead *ahead, const Glob *glob, Str path)
{
    ahead->glob = glob;
    ahead->path = path;
    bits_init(&ahead->found, glob->look_ahead_count * (path.size + 1));
    if (!glob->look_ahead_count)
        return;
    CLEANUP(bits_done) Bits even, odd;
    bits_init(&even, glob->inst_count);
    bits_init(&odd, glob->inst_count);
    for (size_t number = 0; number < glob->look_ahead_count; number++) {
        const LookAhead *look = &glob->look_aheads[number];
        for (size_t at = path.size + 1; at--;) {
            Bits *now = at % 2 ? &odd : &even;
            settle(ahead, look, at, now, at % 2 ? &even : &odd);
            bits_put(&ahead->found, number * (path.size + 1) + at, bits_get(now, look->start));
        }
    }
}

static void ahead_done(Ahead *ahead)
{
    bits_done(&ahead->found);
}

/* --- the matcher ------------------------------------------------------------------------------ */

/* What to do when a way fails: try instruction `pc` at `at`, or put `at` back into slot `pc`. */
typedef struct Job {
    size_t at;
    uint16_t pc;
    bool restores;
} Job;

#define JOBS_INLINE 32

typedef struct Run {
    const Glob *glob;
    Str path;
    const Ahead *ahead; /* NULL: look-aheads pass */
    bool below;         /* ask whether more text could still lead to a match */
    size_t *slots;      /* where groups begin and end; NULL: not asked for */
    Bits visited;
    size_t job_count;
    Job jobs[JOBS_INLINE];
    Buf more_jobs;
} Run;

static void push(Run *run, Job job)
{
    if (run->job_count < JOBS_INLINE)
        run->jobs[run->job_count] = job;
    else
        buf_add(&run->more_jobs, &job, sizeof(job));
    run->job_count++;
}

static Job pop(Run *run)
{
    if (--run->job_count < JOBS_INLINE)
        return run->jobs[run->job_count];
    Job job;
    run->more_jobs.size -= sizeof(job);
    memcpy(&job, run->more_jobs.data + run->more_jobs.size, sizeof(job));
    return job;
}

static bool visit(Run *run, uint16_t pc, size_t at)
{
    size_t bit = pc * (run->path.size + 1) + at;
    if (bits_get(&run->visited, bit))
        return false;
    bits_put(&run->visited, bit, true);
    return true;
}

static void save(Run *run, uint16_t slot, size_t at)
{
    if (!run->slots)
        return;
    push(run, (Job){ .at = run->slots[slot], .pc = slot, .restores = true });
    run->slots[slot] = at;
}

/* Goes on from one instruction until it matches (true) or there is no way on. */
static bool follow(Run *run, uint16_t pc, size_t at)
{
    while (visit(run, pc, at)) {
        const Inst *inst = &run->glob->insts[pc];
        switch (inst->op) {
        case OP_MATCH_END:
            return at == run->path.size && !run->below;
        case OP_SPLIT:
            push(run, (Job){ .at = at, .pc = inst->other });
            break;
        case OP_SAVE:
            save(run, inst->arg, at);
            break;
        case OP_NOT:
            if (run->ahead && ahead_at(run->ahead, inst->arg, at))
                return false;
            break;
        default:
            if (at == run->path.size)
                return run->below;
            if (!takes(inst, (uint8_t)run->path.data[at++]))
                return false;
            break;
        }
        pc = inst->next;
    }
    return false;
}

static bool search(Run *run)
{
    bits_init(&run->visited, run->glob->inst_count * (run->path.size + 1));
    push(run, (Job){ .at = 0, .pc = run->glob->start });
    bool found = false;
    while (!found && run->job_count) {
        Job job = pop(run);
        if (job.restores)
            run->slots[job.pc] = job.at;
        else
            found = follow(run, job.pc, job.at);
    }
    bits_done(&run->visited);
    buf_done(&run->more_jobs);
    return found;
}

static bool is_root(Str path)
{
    return path.size == 0 || str_eq_c(path, "/");
}

static bool match_slots(const Glob *glob, Str path, size_t *slots)
{
    if (is_root(path) || is_root(glob->pattern))
        return is_root(path) && is_root(glob->pattern);
    if (path.data[path.size - 1] == '/')
        path.size--;
    if (!str_starts(path, glob->prefix))
        return false;
    if (glob->is_literal)
        return path.size == glob->prefix.size;
    CLEANUP(ahead_done) Ahead ahead;
    ahead_init(&ahead, glob, path);
    Run run;
    run.glob = glob;
    run.path = path;
    run.ahead = &ahead;
    run.below = false;
    run.slots = slots;
    run.job_count = 0;
    run.more_jobs = (Buf){ 0 };
    return search(&run);
}

bool glob_match(const Glob *glob, Str path)
{
    return match_slots(glob, path, NULL);
}

bool glob_match_below(const Glob *glob, Str dir)
{
    if (dir.size && dir.data[dir.size - 1] == '/')
        dir.size--;
    CLEANUP(buf_done) Buf text = { 0 };
    buf_add_str(&text, dir);
    buf_add_u8(&text, '/');
    Run run = { .glob = glob, .path = buf_str(&text), .below = true };
    return search(&run);
}

/* --- expansion -------------------------------------------------------------------------------- */

/* The number at the start of `digits`: the longest that names a group; 0 when none does. */
static size_t group_number(const Glob *glob, Str digits, size_t *out_size)
{
    size_t number = 0, best = 0;
    *out_size = 0;
    for (size_t i = 0; i < digits.size && digits.data[i] >= '0' && digits.data[i] <= '9'; i++) {
        number = number * 10 + (size_t)(digits.data[i] - '0');
        if (number > glob->group_count)
            break;
        best = number;
        *out_size = i + 1;
    }
    return best;
}

size_t glob_reference(const Glob *glob, Str s, size_t *out_size)
{
    bool braced = s.size && s.data[0] == '{';
    size_t number = group_number(glob, str_sub(s, braced, s.size), out_size);
    *out_size += 2 * (size_t)braced;
    if (braced && (*out_size > s.size || s.data[*out_size - 1] != '}'))
        return 0;
    return number;
}

Str glob_replace(Ctx *ctx, const Glob *glob, Str path, Str text)
{
    size_t slot_count = 2 * (glob->group_count + 1);
    size_t *slots = arena_must(ctx->arena, slot_count * sizeof(size_t));
    if (!match_slots(glob, path, slots))
        memset(slots, 0, slot_count * sizeof(size_t));
    CLEANUP(buf_done) Buf out = { 0 };
    for (size_t at = 0; at < text.size; at++) {
        Str rest = str_sub(text, at + 1, text.size);
        size_t size = 0;
        size_t group = text.data[at] == '$' ? glob_reference(glob, rest, &size) : 0;
        if (group)
            buf_add_str(&out, str_sub(path, slots[2 * group], slots[2 * group + 1]));
        else
            buf_add_u8(&out, (uint8_t)text.data[at]);
        if (group)
            at += size;
        else if (str_starts(rest, STR("$")) && text.data[at] == '$')
            at++;
    }
    return (Str){ str_z(ctx->arena, buf_str(&out)), out.size };
}

/* --- what is known without matching ----------------------------------------------------------- */

static bool slashes_of(const Node *node, size_t *out);

/* The number of slashes that every alternative has; false when that varies. */
static bool slashes_of_group(const Node *group, size_t *out)
{
    size_t first;
    if (!slashes_of(group->alternatives->first, &first))
        return false;
    for (const Alternative *each = group->alternatives->next; each; each = each->next) {
        size_t count;
        if (!slashes_of(each->first, &count) || count != first)
            return false;
    }
    *out += first;
    return group->quantifier == '@' || first == 0;
}

static bool slashes_of(const Node *node, size_t *out)
{
    *out = 0;
    for (; node; node = node->next) {
        if (node->kind == NODE_DEEP || (node->kind == NODE_SET && char_set_has(node->set, '/')))
            return false;
        if (node->kind == NODE_GROUP && node->quantifier != '!' && !slashes_of_group(node, out))
            return false;
        *out += node->kind == NODE_CHAR && node->c == '/';
    }
    return true;
}

/* Fills what the leading literal characters tell. */
static void look_at_prefix(Ctx *ctx, const Node *node, Glob *out)
{
    char *prefix = arena_must(ctx->arena, out->pattern.size + 1);
    size_t size = 0;
    for (; node && node->kind == NODE_CHAR; node = node->next)
        prefix[size++] = (char)node->c;
    out->prefix = (Str){ prefix, size };
    out->is_literal = !node;
    out->is_level =
        node && node->kind == NODE_STAR && !node->next && str_ends(out->prefix, STR("/"));
}

/* Groups that stand alone in the pattern: not in another, not in a choice, not repeated. */
static void look_at_groups(Ctx *ctx, const Node *node, Glob *out)
{
    GroupSpan *once = arena_must(ctx->arena, (out->group_count + 1) * sizeof(*once));
    memset(once, 0, (out->group_count + 1) * sizeof(*once));
    for (; node; node = node->next) {
        if (node->kind == NODE_GROUP && node->group && node->quantifier == '@')
            once[node->group - 1] = node->span;
    }
    out->once = once;
}

Status glob_compile(Ctx *ctx, Str pattern, const Glob **out)
{
    if (pattern.size > GLOB_PATTERN_BYTES_MAX)
        return FAIL(ctx, INVALID_ARGUMENT, "glob of %zu bytes is longer than the %zu allowed",
                    pattern.size, GLOB_PATTERN_BYTES_MAX);
    Glob *glob = ARENA_ONE(ctx->arena, Glob);
    glob->pattern = path_clean(ctx, pattern);
    GlobSyntax syntax;
    TRY(glob_parse(ctx, glob->pattern, &syntax));
    glob->group_count = syntax.group_count;
    look_at_prefix(ctx, syntax.first, glob);
    look_at_groups(ctx, syntax.first, glob);
    if (is_root(glob->pattern) || !slashes_of(syntax.first, &glob->depth))
        glob->depth = 0;
    TRY(glob_emit(ctx, &syntax, glob));
    *out = glob;
    return OK;
}

Str glob_pattern(const Glob *glob)
{
    return glob->pattern;
}

Str glob_prefix(const Glob *glob)
{
    return glob->prefix;
}

bool glob_is_literal(const Glob *glob, Str *out_path)
{
    if (glob->is_literal && out_path)
        *out_path = glob->prefix;
    return glob->is_literal;
}

bool glob_is_level(const Glob *glob, Str *out_dir)
{
    if (glob->is_level && out_dir)
        *out_dir = str_sub(glob->prefix, 0, MAX(glob->prefix.size - 1, (size_t)1));
    return glob->is_level;
}

size_t glob_depth(const Glob *glob)
{
    return glob->depth;
}
