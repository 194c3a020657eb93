/* cache.c - results of datums by their exact key: global, and never two for one key. */
#include "base/clock.h"
#include "pps/pps_priv.h"

Status pps_cache_get(Ctx *ctx, PfsTx *tx, const Hash *key, PlanResultHit *out)
{
    CLEANUP(db_rows_done) DbRows rows = { 0 };
    TRY(db_query(
        ctx, pfs_tx_db(tx), &rows,
        "SELECT output, output_bytes, made, run_job, image, download_ns, process_ns, upload_ns, "
        "download_bytes, upload_bytes FROM pps_datum_result WHERE key = ?",
        "h", key));
    bool more;
    TRY(db_next(ctx, &rows, &more));
    if (!more)
        return STATUS(NOT_FOUND);
    *out = (PlanResultHit){ .output_root = db_hash(&rows, 0),
                            .output_bytes = (uint64_t)db_int(&rows, 1),
                            .made_at_ns = db_int(&rows, 2),
                            .run_job = db_text(ctx, &rows, 3),
                            .image_id = db_text(ctx, &rows, 4),
                            .stats = { .download_ns = db_int(&rows, 5),
                                       .process_ns = db_int(&rows, 6),
                                       .upload_ns = db_int(&rows, 7),
                                       .download_bytes = (uint64_t)db_int(&rows, 8),
                                       .upload_bytes = (uint64_t)db_int(&rows, 9) } };
    return OK;
}

/* A newer result replaces an older one only when the older did not count (an update with
 * reprocess): the caller gives made_at_ns, and what ran twice at once keeps the first. */
Status pps_cache_put(Ctx *ctx, PfsTx *tx, const Hash *key, const PlanResultHit *r)
{
    return db_exec(
        ctx, pfs_tx_db(tx), NULL,
        "INSERT INTO pps_datum_result (key, output, output_bytes, made, run_job, image, "
        "download_ns, process_ns, "
        "upload_ns, download_bytes, upload_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (key) DO UPDATE SET output = excluded.output, output_bytes = "
        "excluded.output_bytes, "
        "made = excluded.made, run_job = excluded.run_job, image = excluded.image, "
        "download_ns = excluded.download_ns, process_ns = excluded.process_ns, "
        "upload_ns = excluded.upload_ns, download_bytes = excluded.download_bytes, "
        "upload_bytes = excluded.upload_bytes WHERE excluded.made > pps_datum_result.made",
        "hhiissiiiii", key, &r->output_root, (int64_t)r->output_bytes, r->made_at_ns, r->run_job,
        r->image_id, r->stats.download_ns, r->stats.process_ns, r->stats.upload_ns,
        (int64_t)r->stats.download_bytes, (int64_t)r->stats.upload_bytes);
}
