/* schema.c - the tables of pipelines and jobs. Times are nanoseconds since the epoch, 0 where not
 * yet. */
#include "pps/pps.h"

const DbMigration pps_migrations[] = {
    { "pps: pipelines, jobs, results, secrets, defaults, logs",
      /* One row a pipeline; what a version says is in pipeline_version.info (a packed PipelineInfo
       * with details, without what changes: state, reason, stopped). */
      "CREATE TABLE pps_pipeline ("
      "  id BIGINT PRIMARY KEY, project TEXT NOT NULL, name TEXT NOT NULL, version BIGINT NOT NULL,"
      "  state BIGINT NOT NULL, reason TEXT NOT NULL, stopped BIGINT NOT NULL, workers_started "
      "BIGINT NOT NULL,"
      "  UNIQUE (project, name));"
      "CREATE TABLE pps_pipeline_version ("
      "  pipeline BIGINT NOT NULL REFERENCES pps_pipeline (id), version BIGINT NOT NULL, seq "
      "BIGINT NOT NULL UNIQUE,"
      "  spec_commit BIGINT NOT NULL, info BLOB NOT NULL, image_digest TEXT NOT NULL, not_before "
      "BIGINT NOT NULL,"
      "  PRIMARY KEY (pipeline, version));"
      "CREATE INDEX pps_pipeline_version_by_commit ON pps_pipeline_version (spec_commit);"
      "CREATE TABLE pps_job ("
      "  id BIGINT PRIMARY KEY, pipeline BIGINT NOT NULL, project TEXT NOT NULL, name TEXT NOT "
      "NULL,"
      "  set_id TEXT NOT NULL, version BIGINT NOT NULL, output_commit BIGINT NOT NULL, meta_commit "
      "BIGINT NOT NULL,"
      "  state BIGINT NOT NULL, reason TEXT NOT NULL, created BIGINT NOT NULL, started BIGINT NOT "
      "NULL,"
      "  finished BIGINT NOT NULL, total BIGINT NOT NULL DEFAULT 0, processed BIGINT NOT NULL "
      "DEFAULT 0,"
      "  skipped BIGINT NOT NULL DEFAULT 0, failed BIGINT NOT NULL DEFAULT 0, recovered BIGINT NOT "
      "NULL DEFAULT 0,"
      "  download_ns BIGINT NOT NULL DEFAULT 0, process_ns BIGINT NOT NULL DEFAULT 0,"
      "  upload_ns BIGINT NOT NULL DEFAULT 0, download_bytes BIGINT NOT NULL DEFAULT 0,"
      "  upload_bytes BIGINT NOT NULL DEFAULT 0, plan BLOB, basis BLOB, restart BIGINT NOT NULL "
      "DEFAULT 0,"
      "  UNIQUE (project, name, set_id));"
      "CREATE INDEX pps_job_by_pipeline ON pps_job (pipeline, id);"
      "CREATE INDEX pps_job_by_set ON pps_job (set_id);"
      "CREATE INDEX pps_job_by_output ON pps_job (output_commit);"
      /* Terminal states are 4, 5, 6 and 9: what is left is what the controller looks at. */
      "CREATE INDEX pps_job_open ON pps_job (id) WHERE state NOT IN (4, 5, 6, 9);"
      "CREATE TABLE pps_datum_result ("
      "  key BLOB PRIMARY KEY, output BLOB, output_bytes BIGINT NOT NULL, made BIGINT NOT NULL, "
      "run_job TEXT NOT NULL,"
      "  image TEXT NOT NULL, download_ns BIGINT NOT NULL, process_ns BIGINT NOT NULL, upload_ns "
      "BIGINT NOT NULL,"
      "  download_bytes BIGINT NOT NULL, upload_bytes BIGINT NOT NULL);"
      "CREATE TABLE pps_secret ("
      "  name TEXT PRIMARY KEY, type TEXT NOT NULL, created BIGINT NOT NULL, data TEXT NOT NULL);"
      "CREATE TABLE pps_spec_defaults ("
      "  scope TEXT PRIMARY KEY, json TEXT NOT NULL, created_by TEXT NOT NULL, created BIGINT NOT "
      "NULL);"
      /* A segment is a blob of lines of one job (log.c). */
      "CREATE TABLE pps_log_segment ("
      "  id BIGINT PRIMARY KEY, job BIGINT NOT NULL, pipeline BIGINT NOT NULL, first_ts BIGINT NOT "
      "NULL,"
      "  last_ts BIGINT NOT NULL, lines BIGINT NOT NULL, blob BLOB NOT NULL);"
      "CREATE INDEX pps_log_segment_by_job ON pps_log_segment (job, id);"
      "CREATE INDEX pps_log_segment_by_pipeline ON pps_log_segment (pipeline, id);" },
    /* What the controller asks for at each turn is a lookup, however many pipelines there are. */
    { "pps: pipelines by state, and those that tick",
      "CREATE INDEX pps_pipeline_by_state ON pps_pipeline (state, stopped);"
      "ALTER TABLE pps_pipeline ADD COLUMN has_cron BIGINT NOT NULL DEFAULT 1;"
      "CREATE INDEX pps_pipeline_cron ON pps_pipeline (id) WHERE has_cron = 1;" },
    /* A segment's lines (log_line.c) are in `body` when they are few, else a blob. begin_at: where
     * they are in their job's stream. job 0: lines of the pipeline itself. Lines of before go: they
     * have another form. */
    { "pps: logs by position, within limits",
      "DROP TABLE pps_log_segment;"
      "CREATE TABLE pps_log_segment ("
      "  id BIGINT PRIMARY KEY, pipeline BIGINT NOT NULL, job BIGINT NOT NULL, begin_at BIGINT NOT "
      "NULL,"
      "  bytes BIGINT NOT NULL, lines BIGINT NOT NULL, first_ts BIGINT NOT NULL, last_ts BIGINT "
      "NOT "
      "NULL,"
      "  body BLOB, blob BLOB);"
      "CREATE INDEX pps_log_segment_by_job ON pps_log_segment (job, id);"
      "CREATE INDEX pps_log_segment_by_pipeline ON pps_log_segment (pipeline, id);"
      "CREATE INDEX pps_log_segment_by_age ON pps_log_segment (last_ts);"
      "CREATE INDEX pps_log_segment_since ON pps_log_segment (pipeline, last_ts, id);"
      "CREATE TABLE pps_log_use (pipeline BIGINT PRIMARY KEY, bytes BIGINT NOT NULL);" },
    { "pps: open jobs of a pipeline",
      "CREATE INDEX pps_job_open_by_pipeline ON pps_job (pipeline, id) "
      "WHERE state NOT IN (4, 5, 6, 9);" },
    /* By both, as either alone may be nearly all there are. */
    { "pps: pipelines that tick, by state",
      "DROP INDEX pps_pipeline_cron;"
      "CREATE INDEX pps_pipeline_cron ON pps_pipeline (has_cron, state);" },
};

const size_t pps_migration_count = ARRAY_LEN(pps_migrations);
